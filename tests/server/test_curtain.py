"""The server as it starts on stdio: what it says first is what the whole server says, and nothing gets ahead of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
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


async def test_the_queue_is_worked_even_if_the_client_says_nothing_more(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, load = asyncio.Event(), curtain._load
    loop = asyncio.get_running_loop()

    def noted(settings: Settings) -> MCPServer[Any]:
        loop.call_soon_threadsafe(loading.set)
        return load(settings)

    monkeypatch.setattr(curtain, "_load", noted)
    monkeypatch.setattr(curtain, "PATIENCE_S", 0)
    async with Client(curtain.build(settings), mode="legacy"):
        await asyncio.wait_for(loading.wait(), 30)


async def test_a_library_that_cannot_be_opened_is_said_to_the_client(
    settings: Settings, mode: str
) -> None:
    async with FlowKit.open(settings, provider=FakeProvider()):
        pass
    async with Database.open(settings.database) as db, db.transaction() as tx:
        await tx.run(f"PRAGMA user_version = {newest() + 1}")
    if mode == "auto":
        with pytest.raises((MCPError, ExceptionGroup)) as raised:
            async with Client(curtain.build(settings), mode="2026-07-28") as client:
                await client.call_tool("status", {})
        assert "LIBRARY_TOO_NEW" in _told(raised.value)
        return
    async with Client(curtain.build(settings), mode=mode) as client:
        with pytest.raises(MCPError, match="LIBRARY_TOO_NEW"):
            await client.call_tool("status", {})


def _told(error: BaseException) -> str:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return " ".join([str(error), *map(_told, inner)])


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
