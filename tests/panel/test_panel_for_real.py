"""The panel on the real worker: the real extension in Chromium, FlowKit's host, the simulated Flow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import Chromium
from contract_world import Place, world
from playwright.async_api import Page, async_playwright, expect

from flowkit_mcp.simulator.site import Site

pytestmark = pytest.mark.browser


#: What the headline says from now on stands in an attribute, one after the other.
NOTE_HEADLINES = """() => {
    const headline = document.getElementById("headline");
    const noted = document.body.dataset;
    noted.noted = "";
    const note = () => { noted.noted += `|${headline.textContent}`; };
    new MutationObserver(note).observe(headline, {childList: true});
}"""
LOST_AND_FOUND = re.compile(r"^\|Out of touch with the extension\|.*Connected to FlowKit$")


class Cast:
    """What the test needs of the browser that `world` drives."""

    browser: Chromium
    panel: Page

    @asynccontextmanager
    async def __call__(self, place: Place) -> AsyncGenerator[dict[str, Any]]:
        async with (
            Site.run(place.sim, place.folder / "site") as site,
            async_playwright() as playwright,
            Chromium.run(playwright, site, place.folder) as self.browser,
        ):
            self.panel = await self.browser.pair(str(place.code))
            await self.panel.set_viewport_size({"width": 360, "height": 760})
            await expect(self.panel.locator("#flow-state")).to_have_text("No Flow tab is open.")
            await self.browser.open_flow()
            await self.panel.bring_to_front()
            yield {"simulator": place.sim.url}


async def test_the_panel_shows_and_steers_the_real_worker(tmp_path: Path, pictures: Path) -> None:
    cast = Cast()
    async with world(tmp_path, cast, lane="batchexecute") as made:
        panel, said = cast.panel, cast.panel.locator("#headline")
        complaints: list[str] = []
        panel.on("console", lambda message: complaints.append(message.text))
        panel.on("pageerror", lambda error: complaints.append(str(error)))
        await expect(panel.get_by_role("heading", name="Connected to FlowKit")).to_be_visible()
        await expect(panel.locator("#flow-state")).to_have_text("Flow is ready.")
        await expect(panel.locator("#credits")).to_have_text("1,000 credits left Intermediate")

        # A paid call waits for the person's word, and is made once when it is given.
        switch = panel.get_by_role("switch", name="Ask me before paid calls")
        await switch.click()
        await expect(switch).to_be_checked()
        brief = made.clip_brief("text").model_copy(update={"what": "scene 3 vertical clip"})
        asked = asyncio.create_task(made.submit(brief))
        question = panel.locator("#approval-list > li")
        await expect(question).to_have_count(1)
        await expect(question.locator("b")).to_contain_text("credits")
        await expect(question.locator(".what")).to_have_text("Scene 3 vertical clip")
        await expect(panel.locator(".call .what")).to_have_text("Scene 3 vertical clip")
        await expect(panel.locator(".call .phase")).to_have_text("Waiting for your answer")
        before = len(made.sim.ledger())
        await panel.screenshot(path=pictures / "panel-real-asking.png")
        await question.get_by_role("button", name="Allow").click()
        accepted = await asked
        await made.done(accepted.remote_id)
        assert (before, len(made.sim.ledger())) == (0, 1)
        await expect(question).to_have_count(0)

        # The worker dies: the panel says so, and finds the next one.
        await panel.evaluate(NOTE_HEADLINES)
        await cast.browser.stop_worker()
        await expect(panel.locator("body")).to_have_attribute("data-noted", LOST_AND_FOUND)
        await panel.get_by_role("button", name="Pause").click()
        await expect(said).to_have_text("Paused")
        await made.until(lambda: made.host.paused)

        await made.host.aclose()
        await expect(said).to_contain_text("FlowKit is not running on port")
        assert complaints == []
