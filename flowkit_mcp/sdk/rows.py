"""What projects, videos, scenes and characters have in common when they are written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import MediaKind, Take
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.store import takes


def check_names(what: str, values: Mapping[str, Any], changeable: Collection[str]) -> None:
    """Raises InvalidSetting naming the fields that such a thing does not have."""
    if unknown := sorted(set(values) - set(changeable)):
        raise InvalidSetting(
            f"a {what} has no {', '.join(unknown)}",
            hint=f"It has: {', '.join(sorted(changeable))}.",
        )


def one_line(field: str, text: str, most: int) -> str:
    """The text with single spaces. Raises InvalidSetting if it is empty or longer than `most` characters."""
    text = " ".join(text.split())
    if not text or len(text) > most:
        raise InvalidSetting(f"{field} must have 1 to {most} characters, this has {len(text)}")
    return text


async def keep_own_picture(
    kit: FlowKit, file: Path, place: takes.Place, target: Callable[[int], Path]
) -> Take:
    """Copy a picture of the person's own into the library as a new take, and put it into use.

    `target` says where the file of a take with that number belongs. Raises InvalidSetting.
    """
    number = await takes.next_number(kit.db, **place)
    kept = await kit.media.import_file(file, target(number), MediaKind.IMAGE)
    now = kit.clock.now()
    async with kit.db.transaction() as tx:
        asset = await takes.add_asset(
            tx, kept, id=kit.clock.new_id(), path=kit.media.relative(kept.path), now=now
        )
        return await takes.add_take(
            tx,
            id=kit.clock.new_id(),
            number=number,
            now=now,
            select=True,
            asset_id=asset.id,
            note=f"uploaded: {file.name}",
            credits=0,
            **place,
        )
