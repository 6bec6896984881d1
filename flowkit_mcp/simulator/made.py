"""What `/made` shows and `/sim/state` tells: everything except sessions and keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowkit_mcp.simulator import behaviours
from flowkit_mcp.simulator.faults import FAULTS_EXPLAINED, MARKERS_EXPLAINED
from flowkit_mcp.simulator.links import What
from flowkit_mcp.simulator.service import Commands, FlowService
from flowkit_mcp.simulator.state import Media, Status
from flowkit_mcp.simulator.switches import Switches

Sign = Callable[[What, str], str]


def page() -> str:
    """The page for a person; it reads `/made/data` every second."""
    return Path(__file__).with_name("made.html").read_text(encoding="utf-8")


def state(service: FlowService) -> dict[str, Any]:
    kept = service.state
    return {
        "revision": kept.revision,
        "build_label": service.build_label,
        "default_account": kept.default_account,
        "accounts": [account.model_dump() for account in kept.accounts.values()],
        "signed_in": len(kept.sessions),
        "projects": [project.model_dump() for project in kept.projects.values()],
        "workflows": [tile.model_dump() for tile in kept.workflows.values()],
        "media": [_summary(media) for media in kept.media.values()],
        "switches": kept.switches.model_dump(),
        "faults": [fault.model_dump() for fault in kept.faults],
        "charged": service.charged,
    }


def data(service: FlowService, sign: Sign) -> dict[str, Any]:
    """`state`, with addresses of the media, the ledger and what can be switched."""
    told = state(service)
    for shown, media in zip(told["media"], service.state.media.values(), strict=True):
        if media.poster:
            shown["poster"] = sign("image", media.id)
        if media.ready:
            shown["address"] = sign(media.kind, media.id)
    return told | {
        "ledger": [entry.model_dump() for entry in service.state.ledger],
        "described": {
            "switches": _described(Switches),
            "commands": _described(Commands),
            "faults": FAULTS_EXPLAINED,
            "markers": MARKERS_EXPLAINED,
            "behaviours": behaviours.listed(),
        },
        "chaos": None if service.chaos is None else service.chaos.report(),
    }


def _summary(media: Media) -> dict[str, Any]:
    status = Status(media.status).name.lower()
    return media.model_dump(exclude={"status", "client_seed", "workflow_seed"}) | {"status": status}


def _described(model: type[Switches] | type[Commands]) -> dict[str, str]:
    return {name: field.description or "" for name, field in model.model_fields.items()}
