"""Pictures of a whole video: the storyboard, and any other contact sheet; drawn once and kept while nothing changes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Slot, Stage
from flowkit_mcp.media.sheet import SheetItem, contact_sheet
from flowkit_mcp.sdk.overview import NOUNS
from flowkit_mcp.sdk.scene import Scene

#: The longer side in pixels: what a model pays for is the number of pixels.
STORYBOARD_PX = 900
#: Sheets of earlier states that are kept.
_KEPT = 80


async def storyboard(
    kit: FlowKit, title: str, scenes: Sequence[Scene], slots: Sequence[Slot]
) -> Path | None:
    """A small JPEG of these scenes' pictures in use; of a scene that has none, its clip. None without scenes.

    Raises:
        MediaError: it cannot be written.
    """
    items: list[SheetItem] = []
    for scene in scenes:
        held = {(slot.orientation, slot.stage): slot for slot in slots if slot.scene_id == scene.id}
        for side in scene.video.orientations:
            shown = [
                held[side, stage]
                for stage in (Stage.IMAGE, Stage.VIDEO)
                if held[side, stage].filled and held[side, stage].path is not None
            ]
            label = f"Scene {scene.number}"
            if not shown:
                items.append(SheetItem(None, label, _missing(held[side, Stage.IMAGE]), side))
                continue
            clip = held[side, Stage.VIDEO]
            newest = clip if clip.filled else shown[0]
            said = f"{NOUNS[newest.stage]} {newest.take_number}"
            items.append(SheetItem(kit.media.absolute(shown[0].path or ""), label, said, side))
    if not items:
        return None
    return await kept_sheet(kit, "storyboard", items, title=title, longest=STORYBOARD_PX)


def _missing(slot: Slot) -> str:
    return f"job {slot.job_id}" if slot.job_id is not None else "no image yet"


async def kept_sheet(
    kit: FlowKit,
    kind: str,
    items: Sequence[SheetItem],
    *,
    title: str,
    longest: int,
    most_bytes: int = 200_000,
    beside: bool = False,
) -> Path:
    """The sheet of exactly these items and their files as they are now, drawn unless it is there.

    Raises:
        MediaError: it cannot be written.
    """
    files = await asyncio.to_thread(lambda: [_state(item.path) for item in items])
    drawn = [f"{item!r} {file}" for item, file in zip(items, files, strict=True)]
    text = "\n".join([title, f"{longest} {beside}", *drawn])
    name = f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.jpg"
    place = kit.media.looks / name
    if not await asyncio.to_thread(place.is_file):
        await contact_sheet(
            items, place, title=title, longest=longest, most_bytes=most_bytes, beside=beside
        )
        await asyncio.to_thread(_tidy, kit.media.looks, kind)
    return place


def _state(path: Path | None) -> tuple[int, int] | None:
    """Changes when a file goes, comes home or is repaired under its name."""
    try:
        held = path.stat() if path is not None else None
    except OSError:
        return None
    return (held.st_size, held.st_mtime_ns) if held is not None else None


def _tidy(folder: Path, kind: str) -> None:
    """Drop the oldest sheets."""
    with contextlib.suppress(OSError):  # somebody else may be at it
        found = sorted(folder.glob(f"{kind}-*.jpg"), key=lambda file: file.stat().st_mtime)
        for file in found[:-_KEPT]:
            file.unlink()
