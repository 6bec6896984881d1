"""The panel shows nothing old as new, nothing foreign as its own, and everyone can use it."""

from __future__ import annotations

import pytest
from panel_hostile import HOSTILE
from panel_states import FACES, connected
from panel_world import OpenPanel
from playwright.async_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


# ---- nothing old as new ----------------------------------------------------------------------


async def test_until_the_worker_has_spoken_the_panel_claims_nothing(open_panel: OpenPanel) -> None:
    panel = await open_panel(None)
    assert await panel.headline() == "Asking the extension…"
    shown = await panel.page.locator("main").inner_text()
    assert shown.strip() == "Asking the extension…"
    await panel.page.clock.run_for(5000)
    assert await panel.headline() == "The extension does not answer"


async def test_when_the_worker_is_gone_what_is_left_is_grey_dated_and_out_of_use(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(FACES["asking"])
    await panel.leave()
    assert await panel.headline() == "Out of touch with the extension"
    await expect(panel.page.locator("#detail")).to_contain_text("is from 06:00:01")
    for gone in ("#approvals", "#bar", "#facts", "#slate-actions"):
        await expect(panel.page.locator(gone)).to_be_hidden()
    assert await panel.page.locator("#flow").evaluate(
        "node => node.inert && getComputedStyle(node).filter === 'grayscale(1)'"
    )
    clock = panel.page.locator(".call .clock")
    before = await clock.inner_text()
    await panel.page.clock.run_for(30_000)
    assert await clock.inner_text() == before

    await panel.come_back()
    assert await panel.headline() == "Connected to FlowKit"
    await expect(panel.page.locator("#approvals")).to_be_visible()
    assert not await panel.page.locator("#flow").evaluate("node => node.inert")


async def test_a_worker_that_restarts_is_found_again_at_once(open_panel: OpenPanel) -> None:
    panel = await open_panel(connected())
    await panel.page.evaluate("() => worker.stop()")
    await panel.page.clock.run_for(300)
    assert await panel.headline() == "Connected to FlowKit"
    assert await panel.page.evaluate("() => worker.ports.length") == 1


async def test_a_panel_of_an_older_extension_says_that_it_must_be_opened_anew(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(connected())
    await panel.page.evaluate(
        "() => { delete chrome.runtime.id; worker.here = false; worker.stop(); }"
    )
    await panel.page.clock.run_for(6000)
    assert await panel.headline() == "The extension was updated"
    await expect(panel.page.locator("#next")).to_have_text("Close this panel and open it again.")


async def test_times_go_on_by_themselves(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["working"])
    clock = panel.page.locator(".call .clock").first
    await panel.page.clock.run_for(1000)
    await expect(clock).to_have_text("0:44")
    await panel.page.clock.run_for(61_000)
    await expect(clock).to_have_text("1:45")
    await expect(panel.page.locator("#since")).to_have_text("for 13 min")


# ---- nothing foreign as its own --------------------------------------------------------------


async def test_hostile_words_are_shown_as_words(open_panel: OpenPanel) -> None:
    panel = await open_panel(HOSTILE)
    await panel.page.locator("#log > summary").click()
    await panel.page.clock.run_for(1000)
    page = panel.page
    assert await page.evaluate("() => window.hit ?? null") is None
    assert (
        await page.evaluate("() => document.querySelectorAll('main img, main script').length") == 0
    )
    text = await page.locator("body").inner_text()
    assert "<img src=x onerror=" in text
    bent = [c for c in text if c in "\u202e\u202c\u2066\u200b\u2028\u001b"]
    assert not bent
    assert "W" * 400 not in text.replace("\n", "")
    questions = page.locator("#approval-list > li")
    await expect(questions).to_have_count(1)  # those that could not be answered are not asked
    await questions.get_by_role("button", name="Refuse").click()
    assert await panel.heard() == [{"type": "answer", "id": "<b>", "yes": False}]
    await expect(page.locator("#host-list > li")).to_have_count(2)
    assert await page.locator("#log-list > li").count() == 200


@pytest.mark.parametrize(
    "nonsense", [None, 7, "connected", [], {"link": [], "flow": 3, "queue": None, "log": {"0": 1}}]
)
async def test_a_state_without_shape_breaks_nothing_and_claims_no_connection(
    nonsense: object, open_panel: OpenPanel
) -> None:
    panel = await open_panel(connected())
    await panel.say({"type": "state", "state": nonsense})
    assert await panel.headline() == "Looking for FlowKit…"
    await panel.say({"type": "refused", "of": None, "message": {"a": 1}})
    await panel.say({"type": "diagnostics", "text": None})
    await panel.tell(connected())
    assert await panel.headline() == "Connected to FlowKit"


# ---- everyone can use it ---------------------------------------------------------------------


async def test_the_same_state_again_says_nothing_again(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["working"])
    await panel.page.evaluate(
        """() => {
            window.changes = 0;
            const watch = new MutationObserver(found => { window.changes += found.length; });
            const spoken = document.querySelectorAll('[aria-live], [role=status], [role=alert]');
            spoken.forEach(node => watch.observe(node, {subtree: true, childList: true, characterData: true}));
        }"""
    )
    await panel.tell(FACES["working"])
    await panel.page.clock.run_for(3000)
    assert await panel.page.evaluate("() => window.changes") == 0


async def test_focus_stays_where_it_is_when_the_state_changes(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["connected"])
    show = panel.page.get_by_role("button", name="Show the tab")
    await show.focus()
    await panel.tell(FACES["working"])
    await panel.tell(FACES["error"])
    await expect(show).to_be_focused()


async def test_tab_goes_through_the_controls_in_the_order_in_which_they_are_read(
    open_panel: OpenPanel,
) -> None:
    panel = await open_panel(FACES["asking"])
    await panel.page.clock.run_for(1000)
    await panel.page.locator("#about > summary").click()
    await panel.page.locator("#headline").focus()
    order: list[str] = []
    for _ in range(12):
        await panel.page.keyboard.press("Tab")
        order.append(await panel.page.evaluate("() => seen.focus()"))
    three, four = "Scene 3 vertical clip, 10 credits", "Scene 4 vertical clip, 10 credits"
    assert order == [
        *(f"{answer}: {what}" for what in (three, four) for answer in ("Allow", "Refuse")),
        "show-tab",
        "Requests 4",
        "This browser",
        "label",
        "rename",
        "diagnostics",
        "unpair",
        "ask",
    ]


async def test_the_measures_of_these_tests_find_what_they_look_for(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["connected"])
    await panel.page.evaluate(
        """() => {
            document.documentElement.style.setProperty('--muted', '#999');
            document.getElementById('work').style.width = '400px';
        }"""
    )
    weak = [
        text for text, ratio in await panel.page.evaluate("() => seen.contrasts()") if ratio < 4.5
    ]
    assert "Account" in weak and "Connected to FlowKit" not in weak
    assert any("#work" in part for part in await panel.page.evaluate("() => seen.sticksOut()"))


async def test_what_has_the_focus_is_seen_to_have_it(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["unpaired"])
    for _ in range(4):
        await panel.page.keyboard.press("Tab")
        ring = await panel.page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; }"
        )
        assert ring == ["solid", "2px"]


async def test_parts_and_controls_have_names_for_those_who_listen(open_panel: OpenPanel) -> None:
    panel = await open_panel(FACES["working"])
    page = panel.page
    await expect(page.get_by_role("status").filter(has_text="Connected to FlowKit")).to_be_visible()
    for name in ("Connected to FlowKit", "Google Flow", "Work"):
        await expect(page.get_by_role("region", name=name, exact=True)).to_be_visible()
    await expect(page.get_by_role("list", name="Calls to Flow now")).to_be_visible()
    await expect(page.get_by_role("list", name="Queue 6 jobs")).to_be_visible()
    await expect(page.locator(".call [aria-current=step]").first).to_have_text("Sent")
    nameless = await page.evaluate(
        """() => [...document.querySelectorAll('button, input, textarea, dialog')]
            .filter(node => !(node.labels?.length || node.textContent.trim() || node.ariaLabel
                || node.hasAttribute('aria-labelledby')))
            .map(node => node.id)"""
    )
    assert nameless == []
