"""Another account signs in behind an open Flow tab: what is ordered for the first is never paid by the second."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from chromium import Chromium
from playwright.async_api import Playwright

from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.bridge.protocol import RECAPTCHA
from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

pytestmark = pytest.mark.browser


async def test_what_was_ordered_for_one_account_is_not_paid_by_the_next(
    tmp_path: Path, playwright: Playwright
) -> None:
    changed, clock = asyncio.Event(), Clock()
    book = PairingBook(tmp_path / "pairing.json", clock)
    host = BridgeHost(
        port=0,
        book=book,
        clock=clock,
        generation=1,
        version="test",
        library="test",
        simulated=True,
        changed=changed.set,
    )
    async with (
        Simulator.run(tmp_path / "sim") as sim,
        Site.run(sim, tmp_path / "site") as site,
        Chromium.run(playwright, site, tmp_path) as browser,
    ):
        await host.start()
        try:
            project = sim.service.create_project("demo", "Film").id
            await browser.open_flow(page=f"https://flow.google.com/project/{project}")
            await browser.pair(str(book.issue_code(host.port)))
            async with asyncio.timeout(8):
                while not (host.flow and host.flow.signed_in):
                    changed.clear()
                    await changed.wait()
            assert host.flow.account == "simulated:demo"
            # Somewhere else in the same browser, in a tab that is none of Flow's.
            other = await browser.context.new_page()
            elsewhere = "https://labs.google/nothing"
            await other.goto(
                f"https://accounts.google.com/signin?account=other&continue={elsewhere}"
            )

            context = [None, 22, None, None, None, project, None, None, None, None, [RECAPTCHA, 1]]
            seeds = [str(uuid4()).upper() for _ in range(3)]
            words = [[["a red bicycle"]]]
            item = [None, None, None, 7, 3, "GEM_PIX_2", None, context, words, None, None, None]
            args = [None, [[*item, seeds[0], seeds[1]]], 1, context, [seeds[2]]]
            result = await host.call(
                "image.generate",
                {"rpc": "ogiZ0b", "args": args, "source_path": f"/project/{project}"},
                lane="batchexecute",
                captcha="IMAGE_GENERATION",
                paid=True,
                timeout_s=30,
            )
            assert result.status == 400, "the refusal stands"
            assert sim.ledger() == []
            assert host.flow.account == "simulated:other", "told before the result"
        finally:
            await host.aclose()
