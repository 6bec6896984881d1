"""The server as a process: it answers, it ends cleanly on whatever a client does, and stdout is protocol to the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_provider import FakeProvider
from talk import talking

from flowkit_mcp.app import FlowKit
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.config import Settings

pytestmark = pytest.mark.e2e

PATIENCE_S = 30  # bounded, never measured: the machine may be busy
SERVE = (
    "from flowkit_mcp.config import Settings; from flowkit_mcp.server.stdio import run; "
    "{before}; run(Settings.load())"
)
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass
class Wire:
    """Raw lines to and from a server process."""

    process: asyncio.subprocess.Process

    def send(self, **message: Any) -> None:
        assert self.process.stdin is not None
        line = json.dumps({"jsonrpc": "2.0", **message})
        self.process.stdin.write(line.encode() + b"\n")

    async def receive(self, id: int) -> dict[str, Any]:
        """The reply to a request; everything on the way must be protocol."""
        assert self.process.stdout is not None
        while True:
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE_S)
            message = json.loads(line)
            assert message["jsonrpc"] == "2.0"
            if message.get("id") == id:
                return message

    async def greet(self) -> dict[str, Any]:
        """The handshake of the older era."""
        info = {"name": "raw", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        self.send(id=1, method="initialize", params=params)
        answer = await self.receive(1)
        self.send(method="notifications/initialized")
        return answer

    async def call(self, id: int, tool: str, **arguments: Any) -> dict[str, Any]:
        self.send(id=id, method="tools/call", params={"name": tool, "arguments": arguments})
        return (await self.receive(id))["result"]

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def end(self) -> tuple[int, bytes, str]:
        """Exit code, what was left on stdout, and stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            out = await self.process.stdout.read()
            err = await self.process.stderr.read()
            code = await self.process.wait()
        return code, out, err.decode()


@asynccontextmanager
async def serving(library: Path, before: str = "pass") -> AsyncGenerator[Wire]:
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVE.format(before=before),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "FLOWKIT_LIBRARY": str(library), "FLOWKIT_PORT": str(port)},
    )
    try:
        yield Wire(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()


async def test_the_older_handshake_is_answered(tmp_path: Path) -> None:
    async with serving(tmp_path) as wire:
        answer = await wire.greet()
        assert answer["result"]["serverInfo"]["name"] == "flowkit"
        assert "generate_video" in answer["result"]["instructions"]
        result = await wire.call(2, "status")
        assert result["structuredContent"]["library"] == str(tmp_path)
        wire.hang_up()
        assert await wire.end() == (0, b"", "")


async def test_the_newer_era_needs_no_handshake(tmp_path: Path) -> None:
    async with serving(tmp_path) as wire:
        wire.send(id=1, method="server/discover", params={"_meta": MODERN})
        assert "2026-07-28" in (await wire.receive(1))["result"]["supportedVersions"]
        params = {"name": "create_project", "arguments": {"name": "Fox"}, "_meta": MODERN}
        wire.send(id=2, method="tools/call", params=params)
        result = (await wire.receive(2))["result"]
        assert result["structuredContent"]["project"]["name"] == "Fox"
        wire.hang_up()
        assert await wire.end() == (0, b"", "")


@pytest.mark.skipif(sys.platform == "win32", reason="there only end-of-file is a clean end")
@pytest.mark.parametrize(
    ("name", "busy"), [("SIGINT", True), ("SIGTERM", True), ("SIGTERM", False), ("SIGHUP", False)]
)
async def test_a_signal_ends_it_cleanly(tmp_path: Path, name: str, busy: bool) -> None:
    number = await a_job_that_waits(tmp_path) if busy else None
    async with serving(tmp_path) as wire:
        await wire.greet()
        await wire.call(2, "create_project", name="Another")
        if busy:
            params = {"name": "wait", "arguments": {"jobs": [number]}}
            wire.send(id=3, method="tools/call", params=params)
            wire.send(id=4, method="ping")
            await wire.receive(4)  # the call before has been taken up, and blocks
        wire.process.send_signal(getattr(signal, name))
        code, out, err = await wire.end()
    assert (code, err) == (0, "")
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())


async def a_job_that_waits(library: Path) -> int:
    """A job left in a library: it is at the provider, and no browser is there to ask after it."""
    provider = FakeProvider(looks_until_done=10**9)
    settings = Settings(library=library, port=47999)
    async with (
        FlowKit.open(settings, provider=provider) as kit,
        talking(kit, provider, "auto") as talk,
    ):
        await talk.production(scenes=1)
        started = await talk.do("generate_image", video="Film", scenes=[1])
        await asyncio.wait_for(provider.submitted.wait(), PATIENCE_S)
    return started["jobs"][0]["job"]


#: One more signal, from whoever is impatient still, when the interpreter is about to be gone.
LATE = (
    "import gc, os; gc.freeze = int; late = type('Late', (), "
    "{'__del__': lambda self, kill=os.kill, own=os.getpid(): kill(own, 15)})()"
)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
async def test_impatient_clients_send_several_signals(tmp_path: Path) -> None:
    async with serving(tmp_path, LATE) as wire:
        await wire.greet()
        for name in ("SIGINT", "SIGTERM", "SIGINT"):
            wire.process.send_signal(getattr(signal, name))
        assert await wire.end() == (0, b"", "")


async def test_a_stray_print_never_reaches_the_wire(tmp_path: Path) -> None:
    """Not while serving, and not at exit, where Python flushes what is left."""
    before = (
        "from flowkit_mcp.app import FlowKit; plain = FlowKit.status; "
        "FlowKit.status = lambda kit: (print('stray', end=''), plain(kit))[1]"
    )
    async with serving(tmp_path, before) as wire:
        await wire.greet()
        await wire.call(2, "status")
        wire.hang_up()
        code, out, err = await wire.end()
    assert (code, out) == (0, b"")
    assert "stray" in err


async def test_garbage_on_stdin_is_survived(tmp_path: Path) -> None:
    async with serving(tmp_path) as wire:
        await wire.greet()
        assert wire.process.stdin is not None
        wire.process.stdin.write(b"this is not JSON\n\xff\xfe\n{}\n")
        result = await wire.call(2, "list_projects")
        assert result["structuredContent"]["projects"] == []
        wire.hang_up()
        assert (await wire.end())[0] == 0


async def test_two_servers_on_one_library_both_answer(tmp_path: Path) -> None:
    async with serving(tmp_path) as one, serving(tmp_path) as two:
        await one.greet()
        await two.greet()
        await one.call(2, "create_project", name="Fox")
        seen = await two.call(2, "list_projects")
        assert [project["name"] for project in seen["structuredContent"]["projects"]] == ["Fox"]
        one.hang_up()
        assert (await one.end())[0] == 0
        again = await two.call(3, "get_project", project="Fox")
        assert again["isError"] is False
        two.hang_up()
        assert (await two.end())[0] == 0


async def test_a_client_that_is_gone_is_a_hang_up_and_no_crash(tmp_path: Path) -> None:
    """What the SDK raises when the client was killed while an answer was on its way to it."""
    before = (
        "import flowkit_mcp.server.curtain as server; "
        "gone = lambda *_: (_ for _ in ()).throw(ExceptionGroup('writing', [BrokenPipeError(32, 'gone')])); "
        "server.build = lambda settings: type('Gone', (), {'run': gone})()"
    )
    async with serving(tmp_path, before) as wire:
        code, out, err = await wire.end()
    assert (code, out) == (0, b"")
    assert "Traceback" not in err
