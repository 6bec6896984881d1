"""What happens to tabs, browsers and extensions while a paid call is under way, and before one is made."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from chromium import Chromium, go, reload
from playwright.async_api import Playwright, expect
from stage import CLIP, MINT, PAGES, Stage, browser, stage

from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser


async def reload_the_tab(at: Stage) -> None:
    await reload(at.tab)


async def close_the_tab_and_open_another(at: Stage) -> None:
    await at.tab.close()
    at.tab = await at.browser.open_flow(page=PAGES[at.lane] + "first")


async def go_elsewhere_and_come_back(at: Stage) -> None:
    await go(at.tab, "https://flow.google.com/about")
    await at.tab.go_back()


async def restart_the_browser(at: Stage) -> None:
    await at.browser.restart()
    at.tab = await at.browser.context.new_page()
    await go(at.tab, PAGES[at.lane] + "first")  # still signed in: the profile has its cookies


async def reload_the_extension(at: Stage) -> None:
    await at.browser.reload_extension()


async def unload_the_tab_and_load_it_again(at: Stage) -> None:
    """As Chrome does to save memory, and as a click on the tab does; the tab's number changes."""
    worker = await at.browser.worker()
    assert await worker.evaluate(
        """async () => {
            const urls = ['https://flow.google.com/*', 'https://labs.google/*'];
            const [tab] = await chrome.tabs.query({ url: urls });
            const unloaded = await chrome.tabs.discard(tab.id);
            await chrome.tabs.reload(unloaded.id);
            return unloaded.discarded;
        }"""
    )


#: A script that hogs the page until the site answers it.
STUCK = """() => { setTimeout(() => {
    const request = new XMLHttpRequest();
    request.open('GET', '/hogged', false);
    request.send();
}); }"""

CALAMITIES = [
    reload_the_tab,
    close_the_tab_and_open_another,
    go_elsewhere_and_come_back,
    restart_the_browser,
    reload_the_extension,
    unload_the_tab_and_load_it_again,
]


@pytest.mark.parametrize("calamity", CALAMITIES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_call_that_flow_has_answered_to_nobody_is_found_and_not_made_again(
    tmp_path: Path, playwright: Playwright, lane: Lane, calamity: Callable[[Stage], Awaitable[None]]
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        hold = at.hold(CLIP[lane], answered=True)
        job = await at.order_clip()
        await hold.reached.wait()
        await calamity(at)
        hold.release()
        await at.wake()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_a_browser_that_restarts_needs_no_new_pairing(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        await restart_the_browser(at)
        panel = await at.browser.panel()
        await expect(panel.locator("#headline")).to_have_text("Connected to FlowKit")
        result = await at.result(await at.order_clip())
        assert result.success, result.error
        at.check_books()


async def test_while_nobody_is_signed_in_nothing_is_sent_and_afterwards_it_goes_on(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        await at.tab.get_by_role("link", name="Sign out").click()
        await expect(at.tab.get_by_role("heading", name="Signed out")).to_be_visible()
        panel = await at.browser.panel()
        await expect(panel.locator("#flow-state")).to_have_text("Nobody is signed in to Flow.")
        job = await at.order_clip()
        await at.told(lambda state: (seen := browser(state)) is not None and not seen.signed_in)
        assert not at.sim.ledger()
        await go(
            at.tab,
            f"https://accounts.google.com/signin?account=demo&continue={PAGES['batchexecute']}x",
        )
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_a_tab_that_is_stuck_is_said_to_be_and_work_goes_on_when_it_answers(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        hog = at.hold("/hogged")
        await at.tab.evaluate(STUCK)
        await hog.reached.wait()
        await at.wake()
        asleep = re.compile(r"The Flow tab does not answer\.|has put the Flow tab to sleep\.")
        await expect(panel.locator("#flow-state")).to_have_text(asleep)
        job = await at.order_clip()
        hog.release()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_a_discarded_tab_is_a_state_of_its_own_and_a_click_on_it_helps(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        worker = await at.browser.worker()
        discarded = await worker.evaluate(
            """async () => {
                const [tab] = await chrome.tabs.query({ url: 'https://flow.google.com/*' });
                return (await chrome.tabs.discard(tab.id))?.discarded;
            }"""
        )
        assert discarded
        await expect(panel.locator("#flow-state")).to_contain_text("unloaded the Flow tab")
        job = await at.order_clip()
        await panel.get_by_role("button", name="Show the tab").click()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_without_a_tab_the_panel_offers_one_and_opens_none_by_itself(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        await at.tab.close()
        panel = await at.browser.panel()
        await expect(panel.locator("#flow-state")).to_have_text("No Flow tab is open.")
        job = await at.order_clip()
        assert len(at.browser.context.pages) == 2, "the blank one and the panel"
        async with at.browser.context.expect_page() as opening:
            await panel.get_by_role("button", name="Open Flow").click()
        tab = await opening.value
        await expect(tab.locator("#account")).to_have_text("demo")
        await tab.goto(PAGES["batchexecute"] + "first")
        result = await at.result(job)
        assert result.success, result.error


async def test_a_challenge_calls_for_the_person_and_their_click_lets_the_work_go_on(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.site.challenge = True
        panel = await at.browser.panel()
        job = await at.order_clip()
        await expect(panel.locator("#flow-state")).to_contain_text("a person is there")
        await panel.get_by_role("button", name="Show the tab").click()
        at.site.challenge = False
        await at.tab.frame_locator("iframe[title*=reCAPTCHA]").get_by_role("button").click()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_two_flow_tabs_are_no_trouble_and_one_is_used(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        other = await at.browser.context.new_page()
        await other.goto("https://flow.google.com/")  # no captcha there
        jobs = [await at.order_clip("waves"), await at.order_clip("wind")]
        results = await asyncio.gather(*map(at.result, jobs))
        assert all(one.success for one in results), results
        at.check_books(2)


async def test_a_second_profile_stands_by_and_finishes_what_the_first_cannot_tell_any_more(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with (
        stage(tmp_path, playwright) as at,
        Chromium.run(playwright, at.site, tmp_path / "second") as second,
    ):
        await second.open_flow(page=PAGES["batchexecute"] + "first")
        await second.pair(at.new_code())
        hold = at.hold(CLIP["batchexecute"], answered=True)
        job = await at.order_clip()
        await hold.reached.wait()
        await at.browser.stop()
        hold.release()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_tab_reloaded_while_a_token_is_minted_stops_nothing(
    tmp_path: Path, playwright: Playwright, lane: Lane
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        hold = at.hold(MINT)
        job = await at.order_clip()
        await hold.reached.wait()
        await reload(at.tab)
        hold.release()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()
