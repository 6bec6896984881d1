"""Another account signs in behind an open Flow tab: what is ordered for the first is never paid by the second."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from chromium import Chromium, go
from playwright.async_api import Page, Playwright, expect
from stage import PAGES, Stage, stage

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
            async with asyncio.timeout(60):
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


async def sign_in(at: Stage, account: str) -> None:
    """In the Flow tab itself, as a person who wants to use another account does."""
    page = PAGES["batchexecute"] + "first"
    await go(at.tab, f"https://accounts.google.com/signin?account={account}&continue={page}")
    await expect(at.tab.locator("#account")).to_have_text(account)


async def asked_about(at: Stage, panel: Page) -> int:
    """A job that another account than the last would pay: asked about, although nobody wanted to be asked."""
    first = await at.result(await at.order_clip("waves"))
    assert first.success, first.error
    await sign_in(at, "other")
    state = panel.locator("#flow-state")
    await expect(state).to_contain_text("Flow is signed in as simulated:other")
    await at.told(lambda seen: seen.account is not None and seen.account.label == "simulated:other")
    await expect(state).to_contain_text("The last paid work was done as simulated:demo")
    job = await at.order_clip("wind")
    question = panel.locator("#approval-list > li")
    await expect(question).to_contain_text("From simulated:other.")
    await expect(question).to_contain_text("Scene 1 horizontal clip")
    at.check_books(1)
    return job


async def test_another_account_pays_only_after_the_person_has_said_that_it_may(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        job = await asked_about(at, panel)
        await panel.get_by_role("button", name="Use this account").click()
        result = await at.result(job)
        assert result.success, result.error
        await expect(panel.locator("#flow-state")).to_have_text("Flow is ready.")
        again = await at.result(await at.order_clip("rain"))
        assert again.success, "and is not asked about again"
        at.check_books(3)
        assert [one.account for one in at.sim.ledger()] == ["demo", "other", "other"]


async def test_with_the_former_account_back_the_question_is_gone_and_that_one_pays(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        panel = await at.browser.panel()
        job = await asked_about(at, panel)
        await sign_in(at, "demo")
        await expect(panel.locator("#approval-list > li")).to_have_count(0)
        result = await at.result(job)
        assert result.success, result.error
        at.check_books(2)
        assert {one.account for one in at.sim.ledger()} == {"demo"}
