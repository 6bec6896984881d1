"""The server as it starts on stdio: what it says first is what the whole server says, and nothing gets ahead of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_provider import FakeProvider
from mcp import Client, MCPError
from mcp.server import MCPServer

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.server import curtain
from flowkit_mcp.server.server import build as build_whole
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.migrate import newest


async def test_the_handshake_tells_what_the_whole_server_tells(
    settings: Settings, kit: FlowKit, provider: FakeProvider, mode: str, tmp_path: Path
) -> None:
    other = settings.model_copy(update={"library": tmp_path / "other"})
    async with (
        Client(build_whole(settings, kit=kit), mode=mode) as whole,
        Client(curtain.build(other), mode=mode) as early,
    ):
        assert early.server_capabilities == whole.server_capabilities
        assert early.server_info == whole.server_info
        assert early.instructions == whole.instructions
        for one in ("list_tools", "list_prompts", "list_resource_templates", "list_resources"):
            assert await getattr(early, one)() == await getattr(whole, one)(), one


async def test_questions_that_come_at_once_are_answered_by_the_whole(
    settings: Settings, mode: str
) -> None:
    async with Client(curtain.build(settings), mode=mode) as client:
        asked = [
            client.call_tool("create_project", {"name": "Fox"}),
            client.read_resource("flowkit://status"),
            client.list_tools(),
        ]
        made, held, listed = await asyncio.gather(*asked)
        assert made.structured_content["project"]["name"] == "Fox"
        assert str(settings.library) in held.contents[0].text
        assert len(listed.tools) > 25


async def test_the_queue_is_worked_even_if_the_client_says_nothing_at_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, graft = asyncio.Event(), curtain.Curtain._graft

    def noted(self: curtain.Curtain, whole: MCPServer[Any]) -> None:
        graft(self, whole)
        opened.set()

    monkeypatch.setattr(curtain.Curtain, "_graft", noted)
    monkeypatch.setattr(curtain, "PATIENCE_S", 0)
    async with serving(settings) as stage:
        await asyncio.wait_for(opened.wait(), 30)
        async with asyncio.timeout(30):
            while not stage.kit.leading:
                await stage.kit.db.changed(await stage.kit.db.version(), 0.1)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[Any]:
    """The server runs, and there is no client."""
    server = curtain.build(settings)
    assert server.settings.lifespan is not None
    async with server.settings.lifespan(server) as stage:
        yield stage


class Held:
    """Stands for a load that takes as long as the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go = asyncio.Event(), threading.Event()
        loop, load = asyncio.get_running_loop(), curtain._load

        def held(settings: Settings) -> MCPServer[Any]:
            loop.call_soon_threadsafe(self.begun.set)
            self.go.wait(60)
            return load(settings)

        monkeypatch.setattr(curtain, "_load", held)


@pytest.mark.filterwarnings("ignore:ping is removed")
async def test_a_slow_load_does_not_delay_the_handshake(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Held(monkeypatch)
    try:
        async with asyncio.timeout(30), Client(curtain.build(settings), mode="legacy") as client:
            assert client.server_info.name == curtain.NAME
            await load.begun.wait()
            listing = asyncio.create_task(client.list_tools())
            await client.send_ping()
            assert not listing.done()
            load.go.set()
            assert len((await listing).tools) > 25
    finally:
        load.go.set()


async def test_who_leaves_while_it_loads_has_no_library_opened(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, close = Held(monkeypatch), curtain.Curtain.aclose

    async def leaving(self: curtain.Curtain) -> None:
        asyncio.get_running_loop().call_soon(load.go.set)  # when this one waits for the load
        await close(self)

    monkeypatch.setattr(curtain.Curtain, "aclose", leaving)
    monkeypatch.setattr(curtain, "PATIENCE_S", 0)
    async with serving(settings):
        await asyncio.wait_for(load.begun.wait(), 30)
    assert not settings.database.exists()


async def test_a_library_that_cannot_be_opened_is_said_to_the_client_and_opened_once_it_is_mended(
    settings: Settings, mode: str
) -> None:
    async with FlowKit.open(settings, provider=FakeProvider()):
        pass
    await _schema(settings, newest() + 1)
    async with Client(curtain.build(settings), mode=mode) as client:
        with pytest.raises(MCPError, match="LIBRARY_TOO_NEW"):
            await client.call_tool("status", {})
        await _schema(settings, newest())
        assert not (await client.call_tool("status", {})).is_error


async def test_a_fault_of_the_load_is_logged_with_its_place_and_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    load = curtain._load

    def faulty(_settings: Settings) -> MCPServer[Any]:
        monkeypatch.setattr(curtain, "_load", load)
        raise RuntimeError("half an installation")

    monkeypatch.setattr(curtain, "_load", faulty)
    monkeypatch.setattr(curtain, "PAUSE_S", 60)  # so that it is the request that meets it
    async with Client(curtain.build(settings), mode="legacy") as client:
        with pytest.raises(MCPError, match="BUG: the library: half an installation"):
            await client.list_tools()
        (logged,) = [one for one in caplog.records if one.name == "flowkit.server"]
        assert logged.exc_info is not None
        assert len((await client.list_tools()).tools) > 25


async def _schema(settings: Settings, version: int) -> None:
    async with Database.open(settings.database) as db, db.transaction() as tx:
        await tx.run(f"PRAGMA user_version = {version}")


def test_the_handshake_needs_neither_tools_nor_library() -> None:
    heavy = (
        "flowkit_mcp.app",
        "flowkit_mcp.server.tools",
        "flowkit_mcp.store",
        "PIL",
        "av",
        "google",
    )
    program = (
        "import sys, flowkit_mcp.cli.main, flowkit_mcp.server.stdio, flowkit_mcp.server.curtain;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"
