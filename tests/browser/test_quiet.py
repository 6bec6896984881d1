"""A browser that nobody watches: its worker must live through silence, and come back after every outage."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from concurrent.futures import Future
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
    site: Site
    book: PairingBook
    port: int
    changed: asyncio.Event
    host: BridgeHost | None = None
    generation: int = 0

    def calls(self) -> list[str]:
        """Calls to Flow and captcha tokens so far."""
        return [
            one.url
            for one in self.site.requests
            if re.search("batchexecute|recaptcha.*reload|/v1/", one.url)
        ]

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
        at = Quiet(browser, site, book, free_port(), asyncio.Event())
        try:
            await at.start()
            there = PAGES["batchexecute"] + "first"
            await browser.open(f"https://accounts.google.com/signin?account=demo&continue={there}")
            await browser.pair(str(book.issue_code(at.port)))
            await at.connected(20)
            yield at
        finally:
            await at.stop()


async def silence(folder: Path) -> None:
    """A hundred seconds in which nothing is said but the extension's own pings."""
    async with quiet(folder) as at:
        assert at.host is not None
        before = at.host.profiles[0].since
        asked = len(at.calls())
        await asyncio.sleep(100)
        assert len(at.calls()) == asked, "nobody asked for anything, so Flow was asked for nothing"
        assert [one.since for one in at.host.profiles] == [before], "the same socket throughout"
        assert (await at.host.lookup("never-made")).standing == "never_received", "and it answers"
        assert await at.browser.worker_runs()


async def outages(folder: Path) -> None:
    """The server is gone for a while, three times; the limits are the backoff's, with a busy machine in mind."""
    async with quiet(folder) as at:
        for outage_s, limit_s in ((1, 5), (5, 14), (20, 20)):
            await at.stop()
            await asyncio.sleep(outage_s)
            await at.start()
            await at.connected(limit_s)


async def both(folder: Path) -> None:
    """Two browsers side by side, so that it takes no longer than the silence."""
    await asyncio.gather(silence(folder / "silence"), outages(folder / "outages"))


@pytest.mark.timeout(300)
def test_silence_does_not_end_the_link_and_outages_are_mended(
    meanwhile: dict[str, Future[None]],
) -> None:
    """Begun with the session, in a thread of its own: here is only the end of it."""
    meanwhile["quiet"].result()
