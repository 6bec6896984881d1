"""What the panel does when a person uses it, and what it asks of the worker for that."""

from __future__ import annotations

import re
from typing import Any

import pytest
from panel_states import APPROVAL, FACES, connected, flow, linked
from panel_world import OpenPanel, Panel
from playwright.async_api import Locator, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CODE = f"fk1.47815.{'0a' * 32}"


def button(panel: Panel, name: str) -> Locator:
    return panel.page.get_by_role("button", name=name, exact=True)


# ---- pairing ---------------------------------------------------------------------------------


async def test_a_pasted_code_is_tidied_and_sent_with_enter(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["unpaired"])
    field = panel.page.get_by_label("Pairing code")
    await field.fill(f" `{CODE[:20]} \n{CODE[20:]}'  ")
    await field.press("Enter")
    assert await panel.heard() == [{"type": "pair", "code": CODE}]
    await expect(button(panel, "Pairing…")).to_be_disabled()
    await panel.tell(linked("connecting"))
    await panel.tell(connected())
    await expect(panel.page.locator("#headline")).to_be_focused()
    await expect(panel.page.locator("#pairing")).to_be_hidden()
    assert await panel.page.locator("#code").input_value() == ""


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("", "Paste the code that flowkit-mcp pair printed."),
        ("hello", "That is not a pairing code. It begins with fk1."),
        ("fk1.99999." + "0" * 64, "The port in this code is wrong."),
        ("fk1.47815." + "0" * 60, "The code is not complete: 60 of 64 characters"),
        ("fk1.47815." + "z" * 64, "There is a character in this code that does not belong."),
    ],
)
async def test_a_wrong_code_stays_here_and_the_panel_says_what_is_wrong(
    pasted: str, said: str, open_panel: OpenPanel
) -> None:
    panel = await open_panel(FACES["unpaired"])
    field = panel.page.get_by_label("Pairing code")
    await field.fill(pasted)
    await button(panel, "Pair").click()
    await expect(panel.page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    assert await panel.heard() == []
    await field.fill(CODE)
    await expect(field).not_to_have_attribute("aria-invalid", "true")


async def test_a_code_that_the_server_refuses_can_be_tried_again(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["unpaired"])
    await panel.page.get_by_label("Pairing code").fill(CODE)
    await button(panel, "Pair").click()
    await panel.say(
        {
            "type": "refused",
            "of": "pair",
            "message": "This code has been used.",
            "next_step": "Run flowkit-mcp pair for a new one.",
        }
    )
    said = "This code has been used. Run flowkit-mcp pair for a new one."
    await expect(panel.page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    await expect(button(panel, "Pair")).to_be_enabled()


async def test_a_code_that_leads_nowhere_leaves_the_form_ready_and_empty(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(FACES["unpaired"])
    await panel.page.get_by_label("Pairing code").fill(CODE)
    await button(panel, "Pair").click()
    await panel.tell(FACES["unpaired"])  # something else has changed
    await expect(button(panel, "Pairing…")).to_be_disabled()
    told = {
        "message": "FlowKit did not take this code.",
        "next_step": "Run flowkit-mcp pair again.",
    }
    await panel.tell(
        linked("unpaired", port=None, **told)
    )  # the attempt between was too short to be seen
    await expect(button(panel, "Pair")).to_be_enabled()
    await expect(panel.page.get_by_label("Pairing code")).to_have_value("")
    await expect(panel.page.get_by_role("status").first).to_contain_text(
        "FlowKit did not take this code."
    )


async def test_the_form_closes_when_a_server_that_was_late_has_taken_the_code(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(FACES["refused"])
    await button(panel, "Pair with a new code").click()
    field = panel.page.get_by_label("Pairing code")
    await field.fill(CODE)
    await button(panel, "Pair").click()
    await panel.tell(linked("connecting"))
    await panel.tell(FACES["server-down"])
    await expect(button(panel, "Pair")).to_be_enabled()
    await expect(field).to_have_value("")
    await field.fill("another")
    await panel.tell(linked("connecting"))
    await panel.tell(linked("server_down", since=1))
    await expect(field).to_have_value("another")
    await panel.tell(linked("connecting"))
    await panel.tell(connected())
    await expect(panel.page.locator("#pairing")).to_be_hidden()
    await expect(field).to_have_value("")
    await expect(panel.page.get_by_text("Paired.")).to_be_visible()


async def test_a_paired_browser_can_be_paired_anew_or_left_as_it_is(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["refused"])
    await button(panel, "Pair with a new code").click()
    await expect(panel.page.get_by_label("Pairing code")).to_be_focused()
    await button(panel, "Cancel").click()
    await expect(panel.page.get_by_label("Pairing code")).to_be_hidden()
    await expect(panel.page.locator("#headline")).to_be_focused()


async def test_unpairing_asks_first_and_keeping_is_what_enter_does(open_panel: OpenPanel) -> None:
    panel = await open_panel(connected())
    await panel.page.locator("#about > summary").click()
    await button(panel, "Unpair…").click()
    dialog = panel.page.get_by_role("dialog", name="Unpair this browser?")
    await expect(dialog).to_be_visible()
    await panel.page.keyboard.press("Enter")
    await expect(dialog).to_be_hidden()
    assert await panel.heard() == []
    await button(panel, "Unpair…").click()
    await dialog.get_by_role("button", name="Unpair", exact=True).click()
    assert await panel.heard() == [{"type": "unpair"}]


# ---- commands --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("face", "name", "message"),
    [
        ("server-down", "Reconnect now", {"type": "reconnect"}),
        ("no-tab", "Open Flow", {"type": "open_flow"}),
        ("signed-out", "Show the tab", {"type": "show_tab"}),
        ("not-served", "Open Flow", {"type": "open_flow"}),
        ("connected", "Pause", {"type": "pause", "paused": True}),
        ("error", "Dismiss", {"type": "dismiss"}),
        (
            "other-account",
            "Use this account",
            {"type": "use_account", "account": "m…@studio.example (91c2)"},
        ),
        ("paused", "Resume", {"type": "pause", "paused": False}),
    ],
)
async def test_each_button_asks_the_worker_for_what_it_says(
    face: str, name: str, message: dict[str, Any], open_panel: OpenPanel
) -> None:
    panel = await open_panel(FACES[face])
    await button(panel, name).click()
    assert await panel.heard() == [message]


async def test_the_log_can_be_cleared(open_panel: OpenPanel) -> None:
    panel = await open_panel(connected())
    await panel.page.locator("#log > summary").click()
    rows = panel.page.get_by_role("list", name="Requests, newest first").get_by_role("listitem")
    await expect(rows).to_have_count(4)
    await expect(rows.nth(1)).to_contain_text("done · 10 credits · 2.3 s")
    await button(panel, "Clear the list").click()
    assert await panel.heard() == [{"type": "clear_log"}]
    await panel.tell(connected(log=[]))
    await expect(panel.page.locator("#log-empty")).to_be_visible()


async def test_a_switch_moves_only_when_the_worker_says_so(open_panel: OpenPanel) -> None:
    panel = await open_panel(connected())
    switch = panel.page.get_by_role("switch", name="Ask me before paid calls")
    await switch.click()
    assert await panel.heard() == [{"type": "ask", "ask": True}]
    await expect(switch).not_to_be_checked()
    await panel.say({"type": "refused", "of": "ask", "message": "The disk is full."})
    await expect(
        panel.page.get_by_role("status").filter(has_text="The disk is full.")
    ).to_be_visible()
    await expect(switch).not_to_be_checked()
    await panel.tell(connected(ask=True))
    await expect(switch).to_be_checked()


async def test_a_name_being_typed_is_not_overwritten_and_is_sent_tidied(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(connected())
    await panel.page.locator("#about > summary").click()
    field = panel.page.get_by_label("Name of this profile")
    await expect(field).to_have_value("Studio")
    await field.fill("  Night shoot ")
    await panel.page.locator("#headline").focus()
    await panel.tell(connected(paused=True))
    await expect(field).to_have_value("  Night shoot ")
    await button(panel, "Rename").click()
    assert await panel.heard() == [{"type": "rename", "label": "Night shoot"}]
    await panel.tell(connected(label="Night shoot"))
    await expect(field).to_have_value("Night shoot")
    await field.fill("   ")
    await field.press("Enter")
    assert await panel.heard() == []
    await expect(panel.page.get_by_text("A name needs at least one letter.")).to_be_visible()


async def test_the_button_that_the_worker_speaks_of_is_there(open_panel: OpenPanel) -> None:
    for face in ("needs-permission", "no-permission", "other-account"):
        panel = await open_panel(FACES[face])
        named = re.findall("“(.+?)”", await panel.page.locator("#flow-next").inner_text())
        assert named, face
        for name in named:
            await expect(button(panel, name)).to_be_visible()


async def test_permission_is_asked_for_in_the_click_and_for_safe_addresses_only(
    open_panel: OpenPanel,
) -> None:
    hosts = ["https://labs.google/*", "http://labs.google/*", "<all_urls>"]
    panel = await open_panel(connected(needs_hosts=hosts))
    await button(panel, "Allow labs.google").click()
    asked = await panel.page.evaluate("() => worker.permissions")
    assert asked == [{"wanted": {"origins": ["https://labs.google/*"]}, "clicked": True}]
    await panel.page.evaluate("() => { worker.grants = false; }")
    await button(panel, "Allow labs.google").click()
    said = "Chrome did not give the permission."
    await expect(panel.page.get_by_role("status").filter(has_text=said)).to_be_visible()


DIAGNOSTICS = f"FlowKit 0.1.0\ncode {CODE}\nbearer ya29.A0-b_c\nkey {'F0' * 32}\nby mara@example.com\nport 47815"
CLEAN = (
    "FlowKit 0.1.0\ncode [pairing code removed]\nbearer [bearer removed]\nkey [key removed]\n"
    "by [address removed]\nport 47815"
)


async def test_diagnostics_are_copied_without_anything_that_looks_like_a_secret(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(connected(), permissions=["clipboard-read", "clipboard-write"])
    await panel.page.locator("#about > summary").click()
    await button(panel, "Copy diagnostics").click()
    assert await panel.heard() == [{"type": "diagnostics"}]
    await panel.say({"type": "diagnostics", "text": DIAGNOSTICS})
    await expect(panel.page.get_by_text("Diagnostics copied.")).to_be_visible()
    assert await panel.page.evaluate("() => navigator.clipboard.readText()") == CLEAN


async def test_diagnostics_can_be_copied_by_hand_where_chrome_refuses(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(connected())
    await panel.page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }"
    )
    await panel.say({"type": "diagnostics", "text": DIAGNOSTICS})
    dialog = panel.page.get_by_role("dialog", name="Diagnostics")
    await expect(dialog.get_by_role("textbox")).to_have_value(CLEAN)
    await dialog.get_by_role("button", name="Close").click()
    await expect(dialog).to_be_hidden()


# ---- questions that cost ---------------------------------------------------------------------

ALLOW, REFUSE = (
    "Allow: Scene 3 vertical clip, 10 credits",
    "Refuse: Scene 3 vertical clip, 10 credits",
)


async def test_a_question_says_its_price_aloud_and_is_answered_once(open_panel: OpenPanel) -> None:
    panel = await open_panel(connected(ask=True))
    await panel.tell(connected(ask=True, approvals=[APPROVAL]))
    alarm = panel.page.get_by_role("alert").filter(has_text="A paid call waits for your answer")
    await expect(alarm).to_have_text(
        "A paid call waits for your answer: Scene 3 vertical clip, 10 credits."
    )
    await panel.page.clock.run_for(700)
    await button(panel, ALLOW).click()
    assert await panel.heard() == [{"type": "answer", "id": "op-31", "yes": True}]
    for name in (ALLOW, REFUSE):
        await expect(button(panel, name)).to_be_disabled()


async def test_a_click_meant_for_something_else_does_not_allow_what_has_just_appeared(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(connected(ask=True, approvals=[APPROVAL]))
    await button(panel, ALLOW).click(force=True)
    assert await panel.heard() == []
    await panel.page.clock.run_for(700)
    await panel.tell(connected(ask=True, approvals=[APPROVAL]))  # the same question, drawn again
    await button(panel, REFUSE).click()
    assert await panel.heard() == [{"type": "answer", "id": "op-31", "yes": False}]


async def test_a_double_click_does_not_allow_the_question_that_moves_up(
    open_panel: OpenPanel,
) -> None:
    second = {**APPROVAL, "id": "op-32", "what": "Scene 4 vertical clip"}
    panel = await open_panel(connected(ask=True, approvals=[APPROVAL, second]))
    await panel.page.clock.run_for(700)
    await button(panel, ALLOW).click()
    await panel.tell(connected(ask=True, approvals=[second]))  # before the second click
    moved = button(panel, "Allow: Scene 4 vertical clip, 10 credits")
    await moved.click(force=True)
    assert await panel.heard() == [{"type": "answer", "id": "op-31", "yes": True}]
    await panel.page.clock.run_for(700)
    await expect(moved).to_be_enabled()


async def test_an_answer_stays_given_while_the_worker_has_not_taken_it(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(connected(ask=True, approvals=[APPROVAL]))
    second = {**APPROVAL, "id": "op-32", "what": "Scene 4 vertical clip"}
    await panel.page.clock.run_for(600)
    await button(panel, ALLOW).click()
    await panel.tell(connected(ask=True, approvals=[APPROVAL, second]))
    await panel.page.clock.run_for(700)
    await expect(button(panel, ALLOW)).to_be_disabled()
    await expect(button(panel, "Allow: Scene 4 vertical clip, 10 credits")).to_be_enabled()


async def test_an_answer_that_may_have_been_lost_is_asked_for_again(open_panel: OpenPanel) -> None:
    panel = await open_panel(connected(ask=True, approvals=[APPROVAL]))
    await panel.page.clock.run_for(700)
    await button(panel, ALLOW).click()
    await panel.say({"type": "refused", "of": "answer", "message": "Nothing waits for that."})
    await panel.page.clock.run_for(700)
    await expect(button(panel, ALLOW)).to_be_enabled()
    await button(panel, ALLOW).click()
    await panel.leave()
    await panel.come_back()
    await expect(button(panel, ALLOW)).to_be_enabled()


async def test_the_keyboard_goes_on_to_refuse_of_the_next_question(open_panel: OpenPanel) -> None:
    second = {**APPROVAL, "id": "op-32", "what": "Scene 4 vertical clip"}
    panel = await open_panel(connected(ask=True, approvals=[APPROVAL, second]))
    await panel.page.clock.run_for(700)
    await button(panel, REFUSE).focus()
    await panel.page.keyboard.press("Enter")
    await panel.tell(connected(ask=True, approvals=[second]))
    await expect(button(panel, "Refuse: Scene 4 vertical clip, 10 credits")).to_be_focused()
    await panel.tell(connected(ask=True))
    await expect(panel.page.locator("#headline")).to_be_focused()


async def test_signing_in_again_needs_no_reload(open_panel: OpenPanel) -> None:
    panel = await open_panel(flow("signed_out"))
    await expect(panel.page.locator("#flow-state")).to_have_text("Nobody is signed in to Flow.")
    await panel.tell(connected())
    await expect(panel.page.locator("#flow-state")).to_have_text("Flow is ready.")
    await expect(panel.page.locator("#credits")).to_have_text("1,240 credits left Ultra")
