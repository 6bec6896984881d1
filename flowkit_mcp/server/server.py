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
from flowkit_mcp.server.notices import Notices
from flowkit_mcp.server.skills import Shelf, SkillsOverMcp
from flowkit_mcp.server.storyboard import apps
from flowkit_mcp.server.tasks import Tasks
from flowkit_mcp.server.tools import ALL

NAME = "flowkit"

INSTRUCTIONS = """\
FlowKit turns a story into a film on the person's own Google Flow plan (or a local simulator: see status). \
It holds projects, a cast, videos made of scenes, every take ever made, and a queue that survives restarts.

Order of work:
1. status: is Flow connected, how many credits are there.
2. create_project with a style; add_character for all that must look the same (people, places, things).
3. generate_image(characters=[…]): reference images, needed before any scene that shows them.
4. add_video, add_scene (many at once; continues="previous" for a seamless join).
5. generate_image(video, missing=true), wait; again until nothing is missing. Look at the pictures with the person; \
edit_image or new_take=true until they are right: pictures are cheap, clips are not.
6. check_plan; generate_video(video, missing=true), wait. upscale if wanted.
7. merge, wait: the film's path.

Making returns jobs at once; wait blocks at most 50 s, call it again while done=false. get_project shows what is \
missing or stale. Every result says what to call next.
Spending asks the person, with the price; never approve for them. A call that is repeated does not pay twice; \
another attempt is new_take=true. If a job needs attention, tell the person and call resolve_job with their answer.
Handles: names, titles, ids, "3" for scene 3, "41" for job 41. A scene number needs its video; video may be left \
out where the project has only one, project where the title is unique. \
Default orientations: the video's."""


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
