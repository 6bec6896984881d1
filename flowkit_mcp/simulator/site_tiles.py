"""What the simulated site's page shows of an account: its projects, and the media of one or of all."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flowkit_mcp.simulator.links import What
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Media, Status

_PROJECT = re.compile(r"/project/([^/]+)")
_LANDING = 24


def tiles(
    service: FlowService, account: str, page: str, sign: Callable[[What, str], str]
) -> dict[str, Any]:
    """`{title, credits, projects: [{id, title}], media: [{id, kind, title, status, …}]}`, oldest first.

    `page` is the path of the page that asks: of a project its media, else the newest of all.
    """
    projects = service.projects(account)
    found = _PROJECT.search(page)
    project = next((p for p in projects if found and p.id == found[1]), None)
    owned = {p.id for p in projects}
    media = [
        m
        for m in service.state.media.values()
        if not m.deleted and (m.project == project.id if project else m.project in owned)
    ]
    if found and project is None:
        media = []
    return {
        "title": project.title if project else "Untitled project" if found else "Projects",
        "credits": service.account(account).balance,
        "projects": [] if found else [{"id": p.id, "title": p.title} for p in projects],
        "media": [_tile(m, sign) for m in (media if found else media[-_LANDING:])],
    }


def _tile(media: Media, sign: Callable[[What, str], str]) -> dict[str, Any]:
    status = (
        "making" if media.status.pending else "done" if media.status is Status.DONE else "failed"
    )
    told: dict[str, Any] = {
        "id": media.id,
        "kind": media.kind,
        "title": media.title or media.prompt[:80],
        "status": status,
        "width": media.width,
        "height": media.height,
    }
    if media.poster:
        told["poster"] = sign("image", media.id)
    if media.ready:
        told["address"] = sign(media.kind, media.id)
    return told
