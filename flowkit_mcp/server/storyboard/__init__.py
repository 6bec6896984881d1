"""The storyboard: one page without dependencies, shown in a chat as an MCP App and by `flowkit-mcp studio`.

It reads `flowkit://storyboard/…` and acts through the tools that everybody has. Its sources lie beside this file and
are put together here: there is no build step.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import unquote

from mcp.server import MCPServer
from mcp.server.apps import Apps, ResourceCsp
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from flowkit_mcp.errors import FlowKitError, NotFound
from flowkit_mcp.sdk.board import board, board_picture
from flowkit_mcp.server.context import Backstage, kit_of
from flowkit_mcp.server.schemas import STORYBOARD

DATA = "flowkit://storyboard"
_SCRIPTS = ("dom.js", "link.js", "words.js", "order.js", "cards.js", "inspector.js", "main.js")


@dataclass(frozen=True)
class Page:
    """The whole page, and the policy under which it works: nothing but its own script and style runs."""

    html: str
    script_hash: str
    style_hash: str


def page() -> Page:
    """Put together from its sources; a few milliseconds."""
    here = files(__name__)

    def source(name: str) -> str:
        return here.joinpath(name).read_text(encoding="utf-8")

    script = "\n".join(source(name) for name in _SCRIPTS)
    style = source("page.css")
    html = source("page.html").replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    return Page(html, _hash(script), _hash(style))


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def apps() -> Apps:
    """The extension that offers the page; tools are bound to it where they are made (`tool(…, app=STORYBOARD)`)."""
    extension = Apps()
    extension.add_html_resource(
        STORYBOARD,
        page().html,
        name="storyboard",
        title="Storyboard",
        description="The scenes of a video in order, live: pictures, clips, takes, prices.",
        csp=ResourceCsp(connect_domains=[], resource_domains=[]),
        prefers_border=False,
    )
    return extension


def add_resources(server: MCPServer[Backstage]) -> None:
    """What the page reads."""

    @server.resource(
        f"{DATA}/{{video}}",
        name="storyboard-state",
        title="State of a storyboard",
        description="Of a video by id: every slot with its takes, job and price.",
        mime_type="application/json",
    )
    async def state(video: str, ctx: Context) -> str:  # pyright: ignore[reportUnusedFunction]
        return await _state(ctx, video, None)

    @server.resource(
        f"{DATA}/{{video}}/after/{{mark}}",
        name="storyboard-changes",
        title="State of a storyboard, if it has changed",
        description="`unchanged` while its mark is still that one.",
        mime_type="application/json",
    )
    async def changes(video: str, mark: str, ctx: Context) -> str:  # pyright: ignore[reportUnusedFunction]
        return await _state(ctx, video, mark)

    @server.resource(
        f"{DATA}/picture/{{take}}",
        name="storyboard-picture",
        title="A take as a small picture",
        mime_type="image/jpeg",
    )
    async def picture(take: str, ctx: Context) -> bytes:  # pyright: ignore[reportUnusedFunction]
        try:
            return await board_picture(kit_of(ctx), unquote(take))
        except FlowKitError as error:
            raise _refusal(error) from error


async def _state(ctx: Context, video: str, mark: str | None) -> str:
    try:
        seen = await board(kit_of(ctx), unquote(video))
    except FlowKitError as error:
        raise _refusal(error) from error
    if seen.mark == mark:
        return json.dumps({"mark": mark, "unchanged": True})
    return seen.model_dump_json(exclude_none=True)


def _refusal(error: FlowKitError) -> ResourceError:
    return (ResourceNotFoundError if isinstance(error, NotFound) else ResourceError)(str(error))
