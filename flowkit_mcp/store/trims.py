"""Which part of a scene's clip is shown, in each orientation. Nothing is cut out of a file."""

from __future__ import annotations

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.store.database import Reads, Tx


async def set_trim(
    tx: Tx, scene_id: str, orientation: Orientation, start_s: float, end_s: float | None
) -> None:
    """Seconds in the clip as it was made; `end_s` None is its end."""
    await tx.run(
        """INSERT INTO trim (scene_id, orientation, start_s, end_s) VALUES (:s, :o, :a, :b)
             ON CONFLICT (scene_id, orientation) DO UPDATE SET start_s = :a, end_s = :b""",
        s=scene_id,
        o=orientation,
        a=start_s,
        b=end_s,
    )


async def clear_trim(tx: Tx, scene_id: str, orientation: Orientation) -> None:
    """All of the clip is shown again."""
    await tx.run(
        "DELETE FROM trim WHERE scene_id = :s AND orientation = :o", s=scene_id, o=orientation
    )


async def trims(
    reads: Reads, video_id: str, orientation: Orientation
) -> dict[str, tuple[float, float | None]]:
    """(start, end) in seconds by scene, of those that have one."""
    found = await reads.all(
        """SELECT t.scene_id, t.start_s, t.end_s FROM trim t JOIN scene s ON s.id = t.scene_id
            WHERE s.video_id = :v AND t.orientation = :o AND s.removed_at IS NULL""",
        v=video_id,
        o=orientation,
    )
    return {row["scene_id"]: (row["start_s"], row["end_s"]) for row in found}
