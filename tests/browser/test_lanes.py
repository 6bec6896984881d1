"""An account that Flow moves from one of its sites to the other: the person opens the new one, and work goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from chromium import go, reload
from playwright.async_api import Playwright, expect
from stage import PAGES, browser, stage

from flowkit_mcp.domain.models import ProviderState
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser

OTHER: dict[Lane, Lane] = {"batchexecute": "labs", "labs": "batchexecute"}


def person_needed(state: ProviderState) -> str:
    seen = browser(state)
    return (seen.person_needed or "") if seen is not None else ""


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_after_a_move_work_goes_on_in_the_other_lane(
    tmp_path: Path, playwright: Playwright, lane: Lane
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        first = await at.result(await at.order_clip("waves"))
        assert first.success, first.error
        at.sim.switch(lane=OTHER[lane])
        await go(at.tab, PAGES[OTHER[lane]] + "first")
        await at.told(lambda state: state.lane == OTHER[lane])
        second = await at.result(await at.order_clip("wind"))
        assert second.success, second.error
        at.check_books(2)


async def test_the_panel_says_where_flow_is_served_now(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.sim.switch(lane="labs")
        second = at.hold("/project/second")
        going = asyncio.create_task(at.tab.goto(PAGES["batchexecute"] + "second"))
        await second.reached.wait()
        before = len(at.site.requests)
        # Flow refuses the old page, which is left alone: the person is loading another one in its tab.
        await at.told(lambda state: "out of date" in person_needed(state))
        second.release()
        await going
        assert at.tab.url == "https://flow.google.com/about"
        loads = [one.url for one in at.site.requests[before:]]
        assert not [one for one in loads if one.startswith(PAGES["batchexecute"])]
        panel = await at.browser.panel()
        await expect(panel.locator("#flow-state")).to_have_text(
            "Flow is not served here for this account."
        )
        await expect(panel.locator("#flow-next")).to_contain_text("Open Flow at labs.google")


async def test_without_leave_for_the_old_site_the_panel_asks_for_it(
    tmp_path: Path, playwright: Playwright
) -> None:
    """As installed: only flow.google.com is granted from the start."""
    async with stage(tmp_path, playwright, granted=False) as at:
        worker = await at.browser.worker()
        hosts = await worker.evaluate("chrome.permissions.getAll().then(({ origins }) => origins)")
        assert hosts == ["https://flow.google.com/*"]
        at.sim.switch(lane="labs")
        await reload(at.tab)
        panel = await at.browser.panel()
        await expect(panel.locator("#hosts")).to_be_visible()
        await expect(panel.locator("#host-list")).to_contain_text("labs.google")
