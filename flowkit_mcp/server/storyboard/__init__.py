"""The storyboard: one page without dependencies, shown in a chat as an MCP App and by `flowkit-mcp studio`.

It reads `flowkit://storyboard/{id}` and the small pictures of takes, and acts through the tools that everybody has.
Its sources lie beside this file and are put together here: there is no build step.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files

from mcp.server.apps import Apps, ResourceCsp

from flowkit_mcp.server.schemas import STORYBOARD

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
