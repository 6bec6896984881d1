"""Browser profiles by name: listed, renamed, revoked in the middle of a call, unpaired; and how the worker is woken."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import Chromium, go
from playwright.async_api import Page, Playwright, expect
from stage import CLIP, PAGES, browser, stage

from flowkit_mcp.cli.pair import profiles, revoke
from flowkit_mcp.domain.models import ProviderState

pytestmark = pytest.mark.browser


async def rename(panel: Page, name: str) -> None:
    """In the panel; the link is made anew to tell it."""
    fold = panel.locator("#about")
    if await fold.get_attribute("open") is None:
        await fold.locator("summary").click()
    await panel.get_by_label("Name of this profile").fill(name)
    await panel.get_by_role("button", name="Rename").click()


def named(seen: ProviderState) -> tuple[str, list[str]] | None:
    """The profile in use and those that stand by, as FlowKit knows them."""
    used = browser(seen)
    return None if used is None else (used.label, list(used.standing_by))


async def test_profiles_go_by_the_names_that_the_person_gives_and_are_revoked_alone(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with (
        stage(tmp_path, playwright) as at,
        Chromium.run(playwright, at.site, tmp_path / "second") as second,
    ):
        first_panel = await at.browser.panel()
        await rename(first_panel, "Studio")
        await expect(first_panel.locator("#profile")).to_have_text("Studio")
        await at.told(lambda seen: named(seen) == ("Studio", []))  # it is back, and the first
        second_panel = await second.pair(at.new_code())
        await rename(second_panel, "Travel")
        headline = second_panel.locator("#headline")
        await expect(headline).to_have_text("Standing by")
        await at.told(lambda seen: named(seen) == ("Studio", ["Travel"]))  # both have said so
        lines = profiles(at.settings).splitlines()
        assert [line.split()[-1] for line in lines] == ["Studio", "Travel"]
        shown = await first_panel.locator("#instance").inner_text()
        assert lines[0].startswith(shown), "the same short id in the panel and in the list"

        assert "Travel" in revoke(at.settings, "travel")
        await second_panel.get_by_role("button", name="Reconnect now").click()
        await rename(second_panel, "Travel again")  # it says hello anew
        await expect(headline).to_have_text("Not connected to FlowKit")
        await expect(second_panel.locator("#next")).to_contain_text("flowkit-mcp pair")
        await expect(first_panel.locator("#headline")).to_have_text("Connected to FlowKit")
        assert len(profiles(at.settings).splitlines()) == 1


async def test_a_profile_revoked_in_the_middle_of_a_call_finishes_it_when_it_is_paired_again(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        hold = at.hold(CLIP["batchexecute"], answered=True)
        job = await at.order_clip()
        await hold.reached.wait()
        revoke(at.settings, at.instance)
        panel = await at.browser.panel()
        await rename(panel, "Revoked")
        await expect(panel.locator("#headline")).to_have_text("Not connected to FlowKit")
        hold.release()
        await at.pair()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_unpairing_in_the_panel_is_known_at_both_ends(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        await panel.locator("#about > summary").click()
        await panel.get_by_role("button", name="Unpair…").click()
        await panel.get_by_role("button", name="Unpair", exact=True).click()
        await expect(panel.locator("#headline")).to_have_text("Not paired yet")
        await at.told(lambda state: browser(state) is None)
        assert profiles(at.settings).startswith("No browser is paired.")
        assert await panel.evaluate("chrome.alarms.getAll()") == [], "nothing wakes it for nothing"


async def test_the_watchdog_keeps_to_what_a_packed_extension_may_and_wakes_a_dead_worker(
    tmp_path: Path, playwright: Playwright
) -> None:
    """Chrome lets unpacked extensions ask for shorter alarms; packed ones get 30 s at least."""
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        alarms = await panel.evaluate("chrome.alarms.getAll()")
        assert [(one["name"], one["periodInMinutes"]) for one in alarms] == [("watchdog", 0.5)]
        await panel.evaluate(
            "chrome.alarms.clearAll()"
        )  # it could come before anybody sees the death
        await panel.close()
        await at.browser.stop_worker()
        await at.told(lambda state: browser(state) is None)
        # Any look of Flow's page at itself is enough, long before the alarm.
        await go(at.tab, PAGES["batchexecute"] + "second")
        await at.told(lambda state: browser(state) is not None)


async def test_a_tab_that_chrome_freezes_in_the_middle_of_a_call_goes_on_where_it_was(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        hold = at.hold(CLIP["batchexecute"], answered=True)
        job = await at.order_clip()
        await hold.reached.wait()
        cdp = await at.browser.context.new_cdp_session(at.tab)
        await cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
        hold.release()
        await at.browser.stop_worker()
        await cdp.send("Page.setWebLifecycleState", {"state": "active"})
        await at.wake()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()
