"""A bridge, a scripted Flow page and a bare extension for the tests of this folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import ClientConnection, connect

from flowkit_mcp.bridge import pairing
from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook, PairingCode
from flowkit_mcp.bridge.protocol import (
    ORIGIN,
    PROTOCOL,
    Challenge,
    FlowState,
    Hello,
    Phase,
    Ping,
    Pong,
    Proof,
    Welcome,
    dump,
    parse_from_server,
)
from flowkit_mcp.bridge.session import Patience
from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator.browser import StandInBrowser

INSTANCE = "a" * 32
SIMULATED = FlowState(
    lane="batchexecute", account="simulated:demo", tab="ready", signed_in=True, simulated=True
)
PROJECT = "11111111-1111-4111-8111-111111111111"
IMAGE = {"rpc": "ogiZ0b", "args": [None, ["$RECAPTCHA", 1]], "source_path": f"/project/{PROJECT}"}
CREDITS = {"rpc": "nzlxg", "args": []}
#: Less than `later` can pass without the socket being taken for dead.
SHORT = Patience(before_sent_s=10, grace_s=5)


class TestClock(Clock):
    """Wall clock that a test can move."""

    __test__ = False
    ahead_ms = 0

    def now(self) -> int:
        return super().now() + self.ahead_ms


class FlowPageScript:
    """The simulator's HTTP surface as agreed, scripted: raw asyncio, so that nothing is shared with it."""

    def __init__(self) -> None:
        self.at = "at-1:1700000000000"
        self.sessions: set[str] = set()
        self.executions: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.minted: list[str] = []
        self.minting_now = 0
        self.overlapping_mints = 0
        self.page_reads: list[str] = []
        self.answer = ")]}'\n\n[]"
        #: Statuses to refuse the next whole calls with, before anything is executed.
        self.refusals: list[int] = []
        #: The next call is executed, then the line is cut.
        self.cut = False
        #: Every page load gets a new `at`, and the one before it dies.
        self.rotate = False
        self.sorry = False
        self.hold: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def aclose(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in head[1:])
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = head[0].split(" ")
                answer = await self._answer(method, target, headers, body.decode())
                if answer is None:
                    writer.transport.abort()
                    return
                status, kind, text, extra = answer
                payload = text.encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{extra}"
                    f"content-length: {len(payload)}\r\n\r\n".encode()
                    + payload
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    async def _answer(
        self, method: str, target: str, headers: dict[str, str], body: str
    ) -> tuple[int, str, str, str] | None:
        url = urlsplit(target)
        form = {name: values[0] for name, values in parse_qs(body).items()}
        signed_in = headers.get("cookie", "") in {f"SID={one}" for one in self.sessions}
        if url.path == "/signin":
            account = parse_qs(url.query)["account"][0]
            self.sessions.add(account)
            return 200, "text/html", "ok", f"set-cookie: SID={account}; Path=/; HttpOnly\r\n"
        if url.path == "/recaptcha/token":
            self.minting_now += 1
            self.overlapping_mints += self.minting_now > 1
            await asyncio.sleep(0.005)  # long enough for a second mint to come in between
            self.minting_now -= 1
            token = f"token-{len(self.minted)}-{form['action']}"
            self.minted.append(token)
            self.tokens.add(token)
            return 200, "application/json", json.dumps({"token": token}), ""
        if url.path.endswith("/batchexecute"):
            return await self._execute(url.query, headers, form, signed_in)
        self.page_reads.append(url.path)
        if self.rotate:
            self.at = f"at-{len(self.page_reads)}:1700000000000"
        wiz = {"FdrFJe": "-123", "cfb2h": "boq_labs_p0"} | (
            {"SNlM0e": self.at} if signed_in else {}
        )
        html = f"<html><script>window.WIZ_global_data = {json.dumps(wiz)};</script></html>"
        return 200, "text/html", html, ""

    async def _execute(
        self, query: str, headers: dict[str, str], form: dict[str, str], signed_in: bool
    ) -> tuple[int, str, str, str] | None:
        if self.sorry:
            return 403, "text/html", "<title>Sorry...</title>", ""
        if self.refusals:
            return self.refusals.pop(0), "application/json", "refused", ""
        if not signed_in or form.get("at") != self.at:
            return 400, "application/json", "stale", ""
        if headers.get("x-same-domain") != "1":
            return 400, "application/json", "headers", ""
        self.executions.append(
            {"query": {k: v[0] for k, v in parse_qs(query).items()}, "f.req": form["f.req"]}
        )
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.cut:
            return None
        return 200, "application/json", self.answer, "retry-after: 7\r\nserver: secret\r\n"


@dataclass
class World:
    """One library's bridge, with whatever connects to it. Everything is closed at the end."""

    folder: Path
    page: FlowPageScript
    clock: TestClock = field(default_factory=TestClock)
    generation: int = 0
    patience: Patience = field(default_factory=Patience)
    simulated: bool = True
    extension_id: str | None = None
    library: str = "test"

    def __post_init__(self) -> None:
        self.book = PairingBook(self.folder / "state" / "pairing.json", self.clock)
        self.changed = asyncio.Event()
        self.host: BridgeHost
        self.port = 0
        self._hosts: list[BridgeHost] = []
        self._browsers: list[asyncio.Task[None]] = []

    async def lead(self, *, port: int | None = None) -> BridgeHost:
        """A new leader on the same port and book, one generation higher."""
        self.generation += 1
        host = BridgeHost(
            port=self.port if port is None else port,
            book=self.book,
            clock=self.clock,
            generation=self.generation,
            version="0.1.0",
            library=self.library,
            simulated=self.simulated,
            changed=self.changed.set,
            patience=self.patience,
            extension_id=self.extension_id,
        )
        await host.start()
        self._hosts.append(host)
        self.host, self.port = host, host.port
        return host

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so; looks again whenever the host reports a change."""
        async with asyncio.timeout(60):
            while not true():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.02)

    def later(self, seconds: float) -> None:
        """So much time has passed for all that waits here: a limit is reached when a test wants it, not before."""
        loop = asyncio.get_running_loop()
        time = loop.time
        loop.time = lambda: time() + seconds

    def open_browser(
        self,
        name: str = "one",
        *,
        code: PairingCode | None = None,
        on_phase: Callable[[str, Phase], Awaitable[None] | None] | None = None,
    ) -> tuple[StandInBrowser, asyncio.Task[None]]:
        browser = StandInBrowser(
            simulator=self.page.url,
            code=code,
            port=None if code else self.port,
            profile=self.folder / name,
            label=name,
            on_phase=on_phase,
        )
        task = asyncio.create_task(browser.run())
        self._browsers.append(task)
        return browser, task

    async def pair(self, name: str = "one", **options: Any) -> tuple[StandInBrowser, Any]:
        """A browser profile, paired and connected."""
        code = self.book.issue_code(self.port)
        browser, task = self.open_browser(name, code=code, **options)
        async with asyncio.timeout(60):
            await browser.connected.wait()
        await self.until(lambda: browser.instance in {one.instance for one in self.host.profiles})
        return browser, task

    async def aclose(self) -> None:
        for host in self._hosts:
            await host.aclose()
        for task in self._browsers:
            await kill(task)
        await self.page.aclose()


async def kill(task: asyncio.Task[None]) -> None:
    """End a browser as abruptly as a task can end; its own error, if any, is part of the test."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


class BareExtension:
    """The extension's end, frame by frame, for what a well-behaved one never does."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link

    async def send(self, message: Any) -> None:
        await self.link.send(message if isinstance(message, str | bytes) else dump(message))

    async def receive(self) -> Any:
        async with asyncio.timeout(60):
            return parse_from_server(await self.link.recv())

    async def heard(self) -> None:
        """Until the host has read all that was sent; it has had nothing to say to that."""
        await self.send(Ping(at=7))
        assert await self.receive() == Pong(at=7)

    async def closed(self) -> int | None:
        """The closing code; frames before it are read over."""
        async with asyncio.timeout(60):
            with contextlib.suppress(Exception):
                while True:
                    await self.link.recv()
            await self.link.wait_closed()
        return self.link.close_code

    async def greet(
        self,
        key: bytes,
        *,
        instance: str = INSTANCE,
        pairing_: bool = False,
        proof_port: int | None = None,
        flow: FlowState = SIMULATED,
        journal: dict[str, Phase] | None = None,
        forge: Callable[[str, Challenge], str] = lambda good, challenge: good,
    ) -> Challenge:
        """The extension's side of the handshake up to its proof, which `forge` may spoil."""
        hello = Hello(
            protocol=PROTOCOL, instance=instance, nonce=pairing.new_nonce(), pairing=pairing_
        )
        await self.send(hello)
        challenge = await self.receive()
        assert isinstance(challenge, Challenge), challenge
        port = self.link.remote_address[1]
        good = pairing.proof(
            key,
            "ext",
            proof_port or port,
            instance,
            hello.nonce,
            challenge.nonce,
            challenge.generation,
        )
        await self.send(
            Proof(
                proof=forge(good, challenge),
                version="bare",
                label="bare",
                flow=flow,
                journal=journal or {},
            )
        )
        return challenge


@contextlib.asynccontextmanager
async def bare(port: int) -> AsyncIterator[BareExtension]:
    async with connect(
        f"ws://127.0.0.1:{port}/ext",
        origin=ORIGIN,  # type: ignore[arg-type]
        proxy=None,
        compression=None,
        ping_interval=None,
        max_size=2**26,
        close_timeout=0.2,
        user_agent_header=None,
    ) as link:
        yield BareExtension(link)


@contextlib.asynccontextmanager
async def joined(
    world: World, instance: str = INSTANCE, journal: dict[str, Phase] | None = None
) -> AsyncIterator[BareExtension]:
    """A bare extension past the handshake."""
    key = world.book.key_for(instance, pairing=False)
    if key is None:
        key = pairing.profile_key(world.book.issue_code(world.port).secret, instance)
        world.book.confirm(instance, key, "bare")
    async with bare(world.port) as extension:
        await extension.greet(key, instance=instance, journal=journal)
        assert isinstance(await extension.receive(), Welcome)
        yield extension
