"""A browser that nobody watches: its worker must live through silence, and come back after every outage."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from packed import Packed, pack
from quiet_chromium import QuietChromium
from stage import PAGES
from whole import QuickRenderer, free_port

from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

pytestmark = pytest.mark.browser

#: Ends a hang; an alarm may take half a minute.
HANG_S = 90.0


@dataclass
class Quiet:
    """A bridge and a paired browser, with one Flow tab and no session on the worker."""

    browser: QuietChromium
    site: Site
    book: PairingBook
    port: int
    changed: asyncio.Event
    extension_id: str | None
    tab: str = ""
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
            extension_id=self.extension_id,
        )
        await self.host.start()

    async def stop(self) -> None:
        if self.host is not None:
            await self.host.aclose()
        self.host = None

    async def until(self, true: Callable[[BridgeHost], object]) -> None:
        """Until something is so at the host, which says when to look."""
        async with asyncio.timeout(HANG_S):
            while not (self.host and true(self.host)):
                self.changed.clear()
                await self.changed.wait()

    async def connected(self) -> None:
        await self.until(lambda host: host.flow and host.flow.signed_in)

    async def at_rest(self) -> None:
        """Until what a new link asks of Flow is over."""
        seen = -1
        while seen < len(self.calls()):
            seen = len(self.calls())
            await asyncio.sleep(2)

    async def revived(self) -> None:
        """A stopped worker comes back each time, and by its alarm where nothing that is under way wakes it before."""
        loop = asyncio.get_running_loop()
        for _ in range(6):
            await self.at_rest()
            await self.browser.stop_worker(self.tab)
            await self.until(lambda host: host.flow is None)
            stopped = loop.time()
            await self.connected()
            if loop.time() - stopped >= 5:
                break
        await self.at_rest()

    async def outage(self, least_s: float, knocks: int) -> None:
        """Nobody is there for so long, and until the extension has found that out so many times."""
        await self.stop()
        heard, enough = 0, asyncio.Event()

        def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal heard
            heard += 1
            writer.close()
            if heard >= knocks:
                enough.set()

        async with await asyncio.start_server(hang_up, "127.0.0.1", self.port):
            await asyncio.sleep(least_s)
            async with asyncio.timeout(HANG_S):
                await enough.wait()
        await self.start()


@asynccontextmanager
async def quiet(folder: Path, packed: Packed | None = None) -> AsyncGenerator[Quiet]:
    async with (
        Simulator.run(folder / "simulator", pace=0.02, renderer=QuickRenderer()) as sim,
        Site.run(sim, folder / "site") as site,
        QuietChromium.run(site, folder, packed) as browser,
    ):
        book = PairingBook(folder / "pairing.json", Clock())
        at = Quiet(browser, site, book, free_port(), asyncio.Event(), packed.id if packed else None)
        try:
            await at.start()
            at.tab = await browser.sign_in(PAGES["batchexecute"] + "first")
            await browser.pair(str(book.issue_code(at.port)))
            await at.connected()
            yield at
        finally:
            await at.stop()


async def silence(folder: Path) -> None:
    """A package: its worker is stopped and comes back by itself; then only its own pings are heard."""
    async with quiet(folder, await pack(folder)) as at:
        await at.revived()
        assert at.host is not None
        before = at.host.profiles[0].since
        asked = len(at.calls())
        await asyncio.sleep(100)
        assert len(at.calls()) == asked, "nobody asked for anything, so Flow was asked for nothing"
        assert [one.since for one in at.host.profiles] == [before], "the same socket throughout"
        assert (await at.host.lookup("never-made")).standing == "never_received", "and it answers"
        assert await at.browser.worker_runs()


async def outages(folder: Path) -> None:
    """The server is gone for a while, three times. So many tries in a minute are the backoff's, not the alarm's."""
    async with quiet(folder) as at:
        for least_s, knocks in ((1, 1), (5, 3), (20, 5)):
            await at.outage(least_s, knocks)
            await at.connected()


async def both(folder: Path) -> None:
    """Two browsers side by side, so that it takes no longer than the silence."""
    await asyncio.gather(silence(folder / "silence"), outages(folder / "outages"))


@pytest.mark.timeout(300)
def test_silence_does_not_end_the_link_and_outages_are_mended(meanwhile: Path) -> None:
    """Begun with the first browser test of any worker: here is only the end of it."""
    while not meanwhile.exists():  # no event of another process can tell
        time.sleep(0.2)
    assert meanwhile.read_text(encoding="utf-8") == ""
