"""What the join doctor found in a film that has been made, in sentences with today's prices."""

from __future__ import annotations

from typing import Any

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Stage
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.store import catalog, takes


async def join_notes(kit: FlowKit, render_id: str) -> list[str]:
    """What a viewer may notice at the joins of a film, each with what mends it; what the merge has mended last.

    Empty where there is nothing to say, and for films whose joins were not looked at. Raises NotFound.
    """
    render = await takes.render(kit.db, render_id)
    joins: list[dict[str, Any]] = render.recipe.get("joins") or []
    left: list[str] = []
    mended: list[str] = []
    for join in joins:
        where = f"join {join['after']}-{join['after'] + 1}"
        for fault in join["faults"]:
            match fault["remedy"]:
                case "merge":
                    mended.append(f"{where}: {fault['what']}")
                case "take":
                    left.append(f"{where}: {fault['what']}; {await _again(kit, fault)}")
                case "free" if fault["code"] == "STEP":
                    left.append(f"{where}: {fault['what']}; a crossfade or music softens it, free")
                case "free":
                    left.append(f"{where}: {fault['what']}; trim takes it off, free")
                case _:
                    left.append(f"{where}: {fault['what']}")
    return left + mended


async def _again(kit: FlowKit, fault: dict[str, Any]) -> str:
    take = await takes.take(kit.db, str(fault["take_id"]))
    if take.stage is Stage.UPSCALE and take.made_from_id is not None:
        take = await takes.take(kit.db, take.made_from_id)  # the larger one follows its clip
    scene = await catalog.scene(kit.db, take.scene_id or "")
    try:
        models = (await kit.account()).models
    except FlowKitError:
        models = ()  # no account has been seen yet
    price = next((f" ({m.credits} credits)" for m in models if m.key == take.model), "")
    return f"only another take of scene {scene.number} mends it{price}"
