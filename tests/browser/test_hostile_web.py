"""Pages, files, extensions and programs that mean harm, beside the paired extension in a real Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from chromium import OURS, PANEL, reload
from playwright.async_api import Frame, Page, Playwright, expect
from probe_extension import probe_extension
from stage import REBOUND, Stage, stage
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from flowkit_mcp.bridge.protocol import EXTENSION_ID
from flowkit_mcp.simulator.site_app import ExtraPage

pytestmark = pytest.mark.browser

EVIL = "https://evil.example/"
#: Opens a socket to the bridge and says how far it came.
KNOCK = """(port) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ext`);
    socket.onopen = () => resolve('open');
    socket.onerror = () => resolve('refused');
})"""


@asynccontextmanager
async def hostile_page(
    at: Stage, html: str = "<title>evil</title>", **headers: str
) -> AsyncGenerator[Page]:
    at.site.add_page(EVIL, ExtraPage(html, headers))
    page = await at.browser.context.new_page()
    await page.goto(EVIL)
    yield page
    await page.close()


@asynccontextmanager
async def attackers_server(port: int) -> AsyncGenerator[list[str]]:
    """One page for whoever asks; what was asked for, with its host. Afterwards no connection to it is left.

    Chromium opens a second one ahead of need, and would ask the next question there.
    """
    asked: list[str] = []
    lines: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.add(writer)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # opened ahead of need, and cut below
        host = head.lower().partition(b"\r\nhost: ")[2].partition(b"\r\n")[0]
        asked.append((host + head.split(b" ")[1]).decode())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n")
        writer.write(b"<title>evil</title>")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", port) as server:
        yield asked
        server.close()
        await asyncio.sleep(0)  # whoever was let in is in `lines`
        for writer in lines:
            writer.transport.abort()


async def sandboxed(page: Page) -> Frame:
    """A frame without an origin of its own: it says `Origin: null`."""
    await page.evaluate(
        """() => new Promise((done) => {
            const frame = Object.assign(document.createElement('iframe'), { srcdoc: '<p>sandboxed</p>', onload: done });
            frame.sandbox = 'allow-scripts';
            document.body.append(frame);
        })"""
    )
    return page.frames[-1]


async def test_no_page_file_or_other_extension_gets_past_the_bridges_gate(
    tmp_path: Path, playwright: Playwright
) -> None:
    other = probe_extension(tmp_path / "other")
    (tmp_path / "evil.html").write_text("<title>file</title>", encoding="utf-8")
    async with stage(tmp_path / "stage", playwright, more=(other,)) as at:
        port = at.settings.port
        knocks: dict[str, str] = {}
        async with hostile_page(at) as page:
            knocks["https page"] = await page.evaluate(KNOCK, port)
            knocks["sandboxed frame"] = await (await sandboxed(page)).evaluate(KNOCK, port)
        file = await at.browser.context.new_page()
        await file.goto((tmp_path / "evil.html").as_uri())
        knocks["file"] = await file.evaluate(KNOCK, port)
        knocks["the Flow page"] = await at.tab.evaluate(KNOCK, port)
        stranger = next(
            one for one in at.browser.context.service_workers if EXTENSION_ID not in one.url
        )
        knocks["another extension"] = await stranger.evaluate(KNOCK, port)
        assert knocks == dict.fromkeys(knocks, "refused")
        panel = await at.browser.panel()
        assert await panel.evaluate(KNOCK, port) == "open", "the knock itself works"
        message = await stranger.evaluate(
            """(id) => chrome.runtime.sendMessage(id, {type: 'state'}).then(() => 'heard', (error) => error.message)""",
            EXTENSION_ID,
        )
        assert "Receiving end does not exist" in message


async def until_it_listens(port: int) -> None:
    """The leader opens its port in a moment of its own."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        await writer.wait_closed()
        return


async def test_a_page_under_a_rebound_name_reads_nothing_from_the_port(
    tmp_path: Path, playwright: Playwright
) -> None:
    """The name leads to the bridge's own port: same origin for the page, and no Origin in its GET."""
    async with stage(tmp_path, playwright) as at:
        page = await at.browser.context.new_page()
        await at.stop_server()
        origin = f"{REBOUND}:{at.settings.port}"
        async with attackers_server(at.settings.port) as evil:  # before the name is bound to us
            await page.goto(f"http://{origin}/")
        await at.start_server()
        await until_it_listens(at.settings.port)
        told = await page.evaluate(
            "() => fetch('/ext').then(async (reply) => [reply.status, await reply.text(), [...reply.headers.keys()]])"
        )
        assert f"{origin}/" in evil
        assert f"{origin}/ext" not in evil, "it is our port that was asked"
        assert told[:2] == [403, ""]
        assert "server" not in told[2]
        knock = KNOCK.replace("127.0.0.1", REBOUND)
        assert await page.evaluate(knock, at.settings.port) == "refused"


async def test_the_panel_and_its_files_are_out_of_a_pages_reach(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at, hostile_page(at) as page:
        for file in ("manifest.json", "ui/panel.html", "background.js", "icons/16.png"):
            read = f"() => fetch('{OURS}/{file}').then(() => 'read', () => 'refused')"
            assert await page.evaluate(read) == "refused", file
            drawn = f"""() => new Promise((done) => {{
                const image = new Image();
                image.onload = () => done('seen'); image.onerror = () => done('refused');
                image.src = '{OURS}/{file}';
            }})"""
            assert await page.evaluate(drawn) == "refused", file
        await page.evaluate(
            f"""() => new Promise((done) => {{
                const frame = document.createElement('iframe');
                frame.onload = done; frame.onerror = done;
                frame.src = '{PANEL}'; document.body.append(frame);
            }})"""
        )
        framed = [frame.url for frame in page.frames[1:]]
        assert not any(url.startswith(OURS) for url in framed), framed


@pytest.mark.parametrize("where", ["a hostile page", "the Flow page"])
async def test_pages_cannot_speak_to_the_extension(
    tmp_path: Path, playwright: Playwright, where: str
) -> None:
    async with stage(tmp_path, playwright) as at, hostile_page(at) as evil:
        page = evil if where == "a hostile page" else at.tab
        assert await page.evaluate("typeof chrome === 'undefined' || !chrome.runtime?.sendMessage")
        assert await page.evaluate("typeof chrome === 'undefined' || !chrome.storage")


async def test_what_the_extension_stores_is_unreadable_where_a_content_script_would_run(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        worker = await at.browser.worker()
        read = """async (area) => {
            const [tab] = await chrome.tabs.query({ url: 'https://flow.google.com/*' });
            const [{ result }] = await chrome.scripting.executeScript({
                target: { tabId: tab.id }, args: [area],
                func: (area) => chrome.storage[area].get().then(() => 'read', () => 'refused'),
            });
            return result;
        }"""
        assert await worker.evaluate("chrome.storage.local.get().then(Object.keys)")
        for area in ("local", "session"):
            assert await worker.evaluate(read, area) == "refused", area


@dataclass
class Squatter:
    """A program on the port that is not FlowKit: answers each hello as `answer` has it."""

    answer: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._talk(socket)
        self.closed.set()

    async def _talk(self, socket: ServerConnection) -> None:
        async for text in socket:
            said = json.loads(text)
            self.heard.append(said)
            echo = {"type": "challenge", "protocol": 1, "generation": 99, "proof": "0" * 64}
            echo["nonce"] = said.get("nonce", "0" * 64)
            call = {
                "type": "call", "id": "evil", "generation": 99, "lane": "batchexecute",
                "name": "account.credits", "args": {"rpc": "nzlxg", "args": []}, "timeout_s": 5,
            }  # fmt: skip
            replies = {
                "challenge": [echo],
                "call at once": [call],
                "welcome at once": [
                    {"type": "welcome", "generation": 99, "version": "1", "library": "evil"},
                    call,
                ],
            }
            for reply in replies[self.answer]:
                await socket.send(json.dumps(reply))


@pytest.mark.parametrize("answer", ["challenge", "call at once", "welcome at once"])
async def test_a_program_that_squats_on_the_port_learns_nothing_and_commands_nothing(
    tmp_path: Path, playwright: Playwright, answer: str
) -> None:
    async with stage(tmp_path, playwright) as at:
        await at.told(
            lambda state: state.checks is not None and state.checks.self_check is not None
        )
        await at.stop_server()  # with nothing more to ask Flow of its own accord
        panel = await at.browser.panel()
        again = panel.get_by_role("button", name="Reconnect now")
        await expect(again).to_be_visible()
        await expect(panel.locator("#call-list > li")).to_have_count(
            0
        )  # what was under way is over
        squatter = Squatter(answer)
        before = len([one for one in at.site.requests if "batchexecute" in one.url])
        async with serve(squatter.serve, "127.0.0.1", at.settings.port):
            await again.click()
            await asyncio.wait_for(squatter.closed.wait(), 60)
            await expect(panel.locator("#slate")).to_have_attribute("data-tone", "bad")
        assert {one["type"] for one in squatter.heard} == {"hello"}
        assert {frozenset(one) for one in squatter.heard} <= {
            frozenset({"type", "protocol", "instance", "nonce"}),
            frozenset({"type", "protocol", "instance", "nonce", "pairing"}),
        }
        after = len([one for one in at.site.requests if "batchexecute" in one.url])
        assert after == before
        await at.start_server()
        await again.click()
        await expect(panel.locator("#headline")).to_have_text("Connected to FlowKit")


async def test_the_worker_can_reach_nothing_but_the_bridge(
    tmp_path: Path, playwright: Playwright
) -> None:
    """The manifest's `connect-src` holds for the worker too: code that got in could not send anything out."""
    async with stage(tmp_path, playwright) as at:
        at.site.add_page(EVIL, ExtraPage("leaked", {"access-control-allow-origin": "*"}))
        worker = await at.browser.worker()
        fetched = "(url) => fetch(url).then(() => 'sent', () => 'blocked')"
        assert await worker.evaluate(fetched, EVIL) == "blocked"
        assert await worker.evaluate(fetched, "http://127.0.0.1:1/") == "blocked"
        dialled = """(url) => new Promise((done) => {
            const socket = new WebSocket(url);
            socket.onopen = () => done('open'); socket.onerror = () => done('blocked');
        })"""
        assert await worker.evaluate(dialled, "wss://evil.example/") == "blocked"
        assert not [one for one in at.site.requests if one.host == "evil.example"]


#: Names of `site_hostile.SCRIPTS` that spoil the captcha or the page's values.
HURTS = [
    "captcha_rejects",
    "captcha_throws",
    "captcha_not_text",
    "captcha_huge",
    "no_captcha",
    "values_huge",
    "values_objects",
    "values_throw",
]


@pytest.mark.parametrize("script", HURTS)
async def test_a_poisoned_page_stops_a_paid_call_before_it_is_sent_and_a_clean_one_makes_it(
    tmp_path: Path, playwright: Playwright, script: str
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.site.hostile = script
        await reload(at.tab)
        sent = at.hold("rpcids=YhhmEf")
        job = await at.order_clip()
        # Values that cannot be read may stop a call before it is made; without a token it is made and refused.
        await (at.stopped(job) if script.startswith("values") else at.ended(job))
        assert not sent.reached.is_set()
        assert not at.sim.ledger()
        at.site.hostile = None
        sent.release()
        await reload(at.tab)
        await at.kit.reopen()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


async def test_a_poisoned_value_changes_neither_the_address_nor_the_call(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.site.hostile = "values_elsewhere"
        await reload(at.tab)
        result = await at.result(await at.order_clip())
        assert result.success, "refused values are read anew, from Flow's own HTML"
        queries = [parse_qs(urlsplit(one.url).query) for one in at.site.requests]
        poisoned = [one for one in queries if one.get("bl") == ["x&rpcids=evil#@evil.example/"]]
        assert poisoned
        assert all(len(one["rpcids"]) == 1 and one["rpcids"] != ["evil"] for one in poisoned)
        assert not [one for one in at.site.requests if one.host == "evil.example"]
        at.check_books()
