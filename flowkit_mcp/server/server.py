"""The MCP server: instructions, tools, and a lifespan that opens the library. No transport here."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mcp.server import MCPServer

from flowkit_mcp import __version__
from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.server import prompts, resources, wire
from flowkit_mcp.server.context import Backstage
from flowkit_mcp.server.desk import Desk
from flowkit_mcp.server.instructions import INSTRUCTIONS, NAME
from flowkit_mcp.server.notices import Notices
from flowkit_mcp.server.skills import Shelf, SkillsOverMcp
from flowkit_mcp.server.storyboard import apps
from flowkit_mcp.server.tasks import Tasks
from flowkit_mcp.server.tools import ALL


def build(settings: Settings, *, kit: FlowKit | None = None) -> MCPServer[Backstage]:
    """The server for a library. It is opened when a client connects; tests hand in one that is open (`kit`)."""

    async def look(kit: FlowKit, address: str) -> str | bytes | None:
        return await wire.look(server, kit, address)

    notices, shelf = Notices(look), Shelf()

    @asynccontextmanager
    async def lifespan(_: MCPServer[Backstage]) -> AsyncGenerator[Backstage]:
        # The transport holds the wire by now; a stray print() must not reach it, not even at exit (mcp.md §3).
        stdout, sys.stdout = sys.stdout, sys.stderr
        try:
            if kit is not None:
                async with wire.closing(notices):
                    yield Backstage(kit, Desk(kit.clock))
                return
            async with FlowKit.open(settings) as opened, wire.closing(notices):
                yield Backstage(opened, Desk(opened.clock))
        finally:
            sys.stdout = stdout

    server = MCPServer(
        NAME,
        title="FlowKit",
        version=__version__,
        instructions=INSTRUCTIONS,
        tools=list(ALL),
        lifespan=lifespan,
        log_level="WARNING",
        extensions=[Tasks(), SkillsOverMcp(shelf), apps()],
        subscriptions=notices.bus,
    )
    resources.install(server, shelf)
    prompts.install(server, shelf)
    wire.install(server, notices, shelf)
    return server
