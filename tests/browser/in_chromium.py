"""The way that puts a real Chromium with the real extension where other tests have the stand-in.

One browser for a whole module, since to start one takes longer than most of these tests: each test has a simulator,
a bridge, a pairing and a sign-in of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chromium import Chromium
from contract_world import Browser, Place
from playwright.async_api import async_playwright
from stage import PAGES
from whole import QuickRenderer

from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site


@asynccontextmanager
async def one_chromium(folder: Path) -> AsyncGenerator[Browser]:
    """For `contract_world.world`, as often as wanted."""
    async with (
        Simulator.run(folder / "first", renderer=QuickRenderer()) as first,
        Site.run(first, folder / "site") as site,
        async_playwright() as playwright,
        Chromium.run(playwright, site, folder) as chromium,
    ):

        @asynccontextmanager
        async def connected(place: Place) -> AsyncGenerator[dict[str, Any]]:
            """Paired by hand through the panel, signed in, one Flow tab open."""
            site.play(place.sim)
            tab = await chromium.open_flow(page=PAGES[place.sim.service.account().lane] + "first")
            panel = await chromium.pair(str(place.code))
            yield {"simulator": place.sim.url}
            await tab.close()
            await panel.close()
            await chromium.context.clear_cookies()

        yield connected
