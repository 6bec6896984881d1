"""A browser that nobody watches: its worker must live through silence, and come back after every outage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from quiet_chromium import QuietChromium
from stage import PAGES
from whole import QuickRenderer, free_port

from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

pytestmark = pytest.mark.browser


@dataclass
class Quiet:
    """A bridge and a paired browser, with one Flow tab and no session on the worker."""

    browser: QuietChromium
    book: PairingBook
    port: int
    changed: asyncio.Event
    host: BridgeHost | None = None
    generation: int = 0

    async def start(self) -> None:
        self.generation += 1
        self.host = BridgeHost(
            port=self.port,
            book=self.book,
            clock=Clock(),
            generation=self.generation,
            version="test",
            library="quiet",
            simulated=True,
            changed=self.changed.set,
        )
        await self.host.start()

    async def stop(self) -> None:
        if self.host is not None:
            await self.host.aclose()
        self.host = None

    async def connected(self, limit_s: float) -> float:
        """Seconds until Flow is seen signed in."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(limit_s):
            while not (self.host and self.host.flow and self.host.flow.signed_in):
                self.changed.clear()
                await self.changed.wait()
        return loop.time() - began


@asynccontextmanager
async def quiet(folder: Path) -> AsyncGenerator[Quiet]:
    async with (
        Simulator.run(folder / "simulator", pace=0.02, renderer=QuickRenderer()) as sim,
        Site.run(sim, folder / "site") as site,
        QuietChromium.run(site, folder) as browser,
    ):
        book = PairingBook(folder / "pairing.json", Clock())
        at = Quiet(browser, book, free_port(), asyncio.Event())
        try:
            await at.start()
            there = PAGES["batchexecute"] + "first"
            await browser.open(f"https://accounts.google.com/signin?account=demo&continue={there}")
            await browser.pair(str(book.issue_code(at.port)))
            await at.connected(20)
            yield at
        finally:
            await at.stop()


async def test_a_hundred_seconds_of_silence_do_not_end_the_link_and_outages_are_mended(
    tmp_path: Path,
) -> None:
    """One browser for all of it: silence takes its time, and outages need the worker that lived through it."""
    async with quiet(tmp_path) as at:
        assert at.host is not None
        before = at.host.profiles[0].since
        silence = asyncio.create_task(asyncio.sleep(100))
        await silence
        assert [one.since for one in at.host.profiles] == [before], "the same socket throughout"
        assert (await at.host.lookup("never-made")).standing == "never_received", "and it answers"
        for outage_s, limit_s in ((1, 3), (5, 8), (20, 16)):
            await at.stop()
            await asyncio.sleep(outage_s)
            await at.start()
            took = await at.connected(limit_s)
            assert at.host.profiles[0].flow.simulated
            print(f"after {outage_s} s: {took:.1f} s")
