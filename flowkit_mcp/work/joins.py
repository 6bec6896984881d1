"""What is kept with a film about its joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowkit_mcp.domain.models import Asset, ChainType, Scene, Take
from flowkit_mcp.domain.requests import Merge
from flowkit_mcp.domain.speech import spoken
from flowkit_mcp.media.doctor import Remedy, at_fault
from flowkit_mcp.media.facts import FactsBook
from flowkit_mcp.media.joins import JoinedClip, look_at_joins, starts_of
from flowkit_mcp.media.merge import MergeResult
from flowkit_mcp.media.threads import in_thread
from flowkit_mcp.store import catalog
from flowkit_mcp.work.workshop import Workshop, log


async def joins_of(
    shop: Workshop,
    request: Merge,
    clips: Sequence[Take],
    assets: Sequence[Asset],
    result: MergeResult,
) -> list[dict[str, Any]] | None:
    """What is to be said of each cut, ready for JSON; None where they cannot be looked at: the film is good.

    A fault that only another take mends names the take that is in its way.
    """
    scenes = [await catalog.scene(shop.db, take.scene_id or "") for take in clips]
    joined = [
        JoinedClip(
            shop.media.absolute(asset.path),
            asset.sha256,
            goes_on=place > 0 and _goes_on(scenes[place - 1], scene),
            spoken=bool(spoken(scene.video_prompt or scene.prompt)),
        )
        for place, (scene, asset) in enumerate(zip(scenes, assets, strict=True))
    ]
    book = FactsBook(shop.media.looks)
    starts = starts_of(result.plan, request.cut)
    try:
        found = await in_thread(
            lambda stop: look_at_joins(book, joined, request.cut, starts, result.blocks, stop)
        )
    except Exception as error:  # whatever it is, the film is made and good
        log.warning("the joins of the film cannot be looked at: %s", error, exc_info=True)
        return None
    told: list[dict[str, Any]] = []
    for join in found:
        first, second = clips[join.after - 1], clips[join.after]
        faults: list[dict[str, Any]] = []
        for fault in join.facts.faults:
            entry: dict[str, Any] = {
                "code": fault.code,
                "what": fault.what,
                "remedy": fault.remedy.value,
            }
            if fault.remedy is Remedy.TAKE:
                late = at_fault(fault.code, fault.late, bool(first.ends_on_id))
                entry["take_id"] = second.id if late else first.id
            faults.append(entry)
        told.append({**join.as_json(), "faults": faults})
    return told


def _goes_on(before: Scene, scene: Scene) -> bool:
    return scene.chain_type is ChainType.CONTINUATION and scene.parent_scene_id == before.id
