"""The way that puts a real Chromium with the real extension where other tests have the stand-in."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from chromium import Chromium
from contract_world import Place
from playwright.async_api import async_playwright

from flowkit_mcp.simulator.site import Site

PAGES = {
    "batchexecute": "https://flow.google.com/project/first",
    "labs": "https://labs.google/fx/tools/flow",
}


@asynccontextmanager
async def chromium(place: Place) -> AsyncGenerator[dict[str, Any]]:
    """Paired by hand through the panel, signed in, one Flow tab open."""
    lane = place.sim.service.account().lane
    async with (
        Site.run(place.sim, place.folder / "site") as site,
        async_playwright() as playwright,
        Chromium.run(playwright, site, place.folder) as browser,
    ):
        await browser.open_flow(page=PAGES[lane])
        await browser.pair(str(place.code))
        yield {"simulator": place.sim.url}
