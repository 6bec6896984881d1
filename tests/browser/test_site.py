"""The simulated site in a real browser: good for the page's own calls, closed to everything else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from chromium import binary, environment, flags
from playwright.async_api import BrowserContext, Page, Playwright, Worker, expect
from playwright.async_api import Error as PlaywrightError
from probe_extension import probe_extension

from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site
from flowkit_mcp.simulator.site_hosts import API, FLOW, LABS

pytestmark = pytest.mark.browser

PROJECT = f"https://{FLOW}/project/first"
LABS_PAGE = f"https://{LABS}/fx/tools/flow"
RPC = f"https://{FLOW}/_/AiSandboxAngularFrontend/data/batchexecute"


class Probed:
    """A browser with the probe extension."""

    def __init__(self, context: BrowserContext, worker: Worker) -> None:
        self.context = context
        self.worker = worker

    async def ask(self, name: str, *args: Any) -> Any:
        return await self.worker.evaluate(f"(all) => {name}(...all)", list(args))

    async def open(self, url: str, account: str = "demo") -> Page:
        page = await self.context.new_page()
        await page.goto(f"https://accounts.google.com/signin?account={account}&continue={url}")
        return page


@pytest.fixture
async def probed(playwright: Playwright, site: Site, tmp_path: Path) -> AsyncGenerator[Probed]:
    probe = probe_extension(tmp_path / "probe", FLOW, LABS, API)
    context = await playwright.chromium.launch_persistent_context(
        tmp_path / "profile",
        executable_path=binary(),
        headless=True,
        args=flags(site, [probe]),
        env=environment(),
    )
    workers = context.service_workers
    worker = workers[0] if workers else await context.wait_for_event("serviceworker")
    yield Probed(context, worker)
    await context.close()


def rpc_call(
    values: dict[str, str], rpc: str, args: list[Any], **headers: str
) -> tuple[str, dict[str, Any]]:
    query = {"rpcids": rpc, "source-path": "/project/first", "bl": values["cfb2h"], "rt": "c"}
    body = {
        "f.req": json.dumps([[[rpc, json.dumps(args), None, "generic"]]]),
        "at": values["SNlM0e"],
    }
    kind = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
    how = {
        "method": "POST",
        "body": urlencode(body),
        "headers": kind | headers,
        "credentials": "include",
    }
    return f"{RPC}?{urlencode(query)}", how


GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "batchexecute" / "ogiZ0b_args.json"
DUMMY_PROJECT = "11111111-1111-4111-8111-111111111111"


def picture(token: str, project: str, seed: str) -> list[Any]:
    """`ogiZ0b`: one picture without references (flow-wire §4.1)."""
    text = GOLDEN.read_text(encoding="utf-8").replace('"RC"', json.dumps(token))
    text = text.replace(DUMMY_PROJECT, project).replace("AAAAAAAA-AAAA", seed)
    args: list[Any] = json.loads(text)
    args[1][0][2] = None
    return args


async def test_a_signed_in_page_has_its_values_account_and_title(probed: Probed) -> None:
    page = await probed.open(PROJECT, account="mai")
    values = await probed.ask("values", PROJECT)
    assert {"SNlM0e", "FdrFJe", "cfb2h"} <= values.keys()
    await expect(page).to_have_title("Flow – Untitled project (simulated)")
    await expect(page.locator("#account")).to_have_text("mai")
    await expect(page.locator(".credits")).to_have_text("1,000 credits")
    await page.get_by_role("link", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Signed out")).to_be_visible()
    signed_out = await probed.ask("values", f"https://{FLOW}/*")
    assert "SNlM0e" not in signed_out
    assert "cfb2h" in signed_out, "the same shell, status 200"


async def test_a_captcha_token_works_for_one_call_and_the_second_is_refused(
    probed: Probed, simulator: Simulator
) -> None:
    page = await probed.open(PROJECT)
    project = simulator.service.create_project("demo", "Harbour").id
    await page.goto(f"https://{FLOW}/project/{project}")
    here = f"https://{FLOW}/*"
    values = await probed.ask("values", here)
    token = await probed.ask("mint", here, "IMAGE_GENERATION")
    assert 2000 < len(token) < 3000
    charged: list[int] = []
    for seed in ("A1A1A1A1-AAAA", "B2B2B2B2-AAAA"):
        where, how = rpc_call(
            values, "ogiZ0b", picture(token, project, seed), **{"x-same-domain": "1"}
        )
        reply = await probed.ask("call", here, where, how)
        assert reply["status"] == 200
        charged.append(len(simulator.ledger()))
    assert charged == [1, 1]
    assert "PUBLIC_ERROR_UNUSUAL_ACTIVITY" in reply["text"]
    await expect(page.locator(".tile img")).to_have_count(1)
    shown = page.locator(".tile img").first
    await expect(shown).to_have_attribute(
        "src", re.compile(r"^https://flow-content\.google/image/")
    )
    assert await shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


@pytest.mark.parametrize(
    ("who", "headers"),
    [("call", {}), ("fromWorker", {"x-same-domain": "1"})],
    ids=["without the page's header", "from an extension's worker"],
)
async def test_a_call_that_is_not_the_pages_own_is_refused(
    probed: Probed, who: str, headers: dict[str, str]
) -> None:
    await probed.open(PROJECT)
    values = await probed.ask("values", PROJECT)
    where, how = rpc_call(values, "nzlxg", [], **headers)
    reply = await probed.ask(who, *([PROJECT] if who == "call" else []), where, how)
    assert reply["status"] == 403
    good, how = rpc_call(values, "nzlxg", [], **{"x-same-domain": "1"})
    assert (await probed.ask("call", PROJECT, good, how))["status"] == 200


async def test_lane_labs_shows_its_bearer_and_takes_calls_from_its_page_alone(
    probed: Probed, simulator: Simulator
) -> None:
    simulator.switch(lane="labs")
    page = await probed.open(LABS_PAGE)
    assert page.url == LABS_PAGE
    await page.locator("html[data-ready]").wait_for(state="attached")
    heard = await probed.worker.evaluate("chrome.tabs.query({}).then(() => heard)")  # after events
    assert [(one["url"], one["initiator"]) for one in heard] == [
        (f"https://{API}/v1/credits", f"https://{LABS}")
    ]
    assert heard[0]["tabId"] > 0
    how = {"headers": {"authorization": heard[0]["bearer"]}}
    credits = f"https://{API}/v1/credits"
    in_page = await probed.ask("call", LABS_PAGE, credits, how)
    assert json.loads(in_page["text"])["credits"] == 1000
    from_worker = await probed.ask("fromWorker", credits, how)
    assert from_worker["status"] == 403, "an extension's own Origin is not the page's"
    other = await probed.context.new_page()
    await other.goto(f"https://{FLOW}/about")
    assert "failed" in await probed.ask("call", f"https://{FLOW}/about", credits, how), "CORS"
    token = await probed.ask("mint", LABS_PAGE, "VIDEO_GENERATION")
    assert len(token) > 2000


async def test_the_old_host_redirects_who_has_moved_and_the_new_one_says_about_to_who_has_not(
    probed: Probed, simulator: Simulator
) -> None:
    page = await probed.open(PROJECT)
    await page.goto(f"{LABS_PAGE}/project/abc")
    assert page.url == f"https://{FLOW}/project/abc"
    simulator.switch(lane="labs")
    await page.goto(PROJECT)
    assert page.url == f"https://{FLOW}/about"
    await page.goto(f"{LABS_PAGE}/project/abc")
    assert page.url == f"{LABS_PAGE}/project/abc"


async def test_a_challenge_waits_for_a_persons_click(probed: Probed, site: Site) -> None:
    page = await probed.open(PROJECT)
    site.challenge = True
    minting = asyncio.create_task(probed.ask("mint", PROJECT, "IMAGE_GENERATION"))
    frame = page.frame_locator("iframe[title*=reCAPTCHA]")
    button = frame.get_by_role("button", name="I’m a person")
    await expect(button).to_be_visible()
    await button.evaluate("button => button.click()")  # a script is no person
    assert not minting.done()
    await button.click()
    assert len(await minting) > 2000
    await expect(page.locator("iframe")).to_have_count(0)


async def test_the_page_is_guarded_as_flows_is(probed: Probed) -> None:
    page = await probed.open(PROJECT)
    reply = await page.goto(PROJECT)
    assert reply is not None
    policy = (await reply.all_headers())["content-security-policy"]
    assert "'strict-dynamic'" in policy and "'nonce-" in policy
    blocked = """() => {
        try { document.body.innerHTML = '<b>x</b>'; return 'written'; } catch (error) { return error.name; }
    }"""
    assert await page.evaluate(blocked) == "TypeError"
    inline = """() => {
        const script = document.createElement('script');
        try { script.text = 'window.ran = true'; } catch { return 'refused'; }
        document.head.append(script); return window.ran ? 'ran' : 'refused';
    }"""
    assert await page.evaluate(inline) == "refused"


async def test_cookies_are_secure_and_out_of_the_pages_reach(probed: Probed) -> None:
    page = await probed.open(PROJECT)
    cookies = {one["name"]: one for one in await probed.context.cookies()}
    assert cookies.keys() == {
        "__Secure-OSID",
        "__Secure-3PSID",
        "__Secure-next-auth.session-token",
    }
    assert all(one["secure"] and one["httpOnly"] for one in cookies.values())
    assert all(one["expires"] > 0 for one in cookies.values()), "they outlive the browser"
    assert await page.evaluate("document.cookie") == ""


async def test_nothing_else_can_be_reached(probed: Probed) -> None:
    for url in ("https://example.com/", "http://www.google.de/", "https://storage.example/"):
        # One for each: Chrome's own page of regret comes after the error, and would cut the next load short.
        page = await probed.context.new_page()
        with pytest.raises(PlaywrightError, match="ERR_NAME_NOT_RESOLVED"):
            await page.goto(url)
