"""Assets, takes and slots: what was made, what is in use, what is still missing."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any, NamedTuple, TypedDict

from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.models import Asset, Orientation, Render, Slot, Stage, Take
from flowkit_mcp.store.database import Reads, Tx, row, rows, the_row


class Place(TypedDict):
    """Which slot: of a scene, or of a character."""

    scene_id: str | None
    character_id: str | None
    orientation: Orientation
    stage: Stage


async def take(reads: Reads, id: str) -> Take:
    return await the_row(reads, Take, f"take {id!r}", "SELECT * FROM take WHERE id = :id", id=id)


async def asset(reads: Reads, id: str) -> Asset:
    return await the_row(reads, Asset, f"asset {id!r}", "SELECT * FROM asset WHERE id = :id", id=id)


async def takes(
    reads: Reads,
    *,
    scene_id: str | None = None,
    character_id: str | None = None,
    orientation: Orientation | None = None,
    stage: Stage | None = None,
) -> list[Take]:
    """The takes of one slot, or of several; by number."""
    return await rows(
        reads,
        Take,
        """SELECT * FROM take WHERE scene_id IS :s AND character_id IS :c
              AND (:o IS NULL OR orientation = :o) AND (:g IS NULL OR stage = :g)
            ORDER BY orientation, stage, number""",
        s=scene_id,
        c=character_id,
        o=orientation,
        g=stage,
    )


async def newest(reads: Reads, beginning: str, limit: int) -> list[str]:
    """Ids of takes that begin so, newest first."""
    found = await reads.all(
        "SELECT id FROM take WHERE substr(id, 1, length(:b)) = :b ORDER BY id DESC LIMIT :limit",
        b=beginning,
        limit=limit,
    )
    return [str(item["id"]) for item in found]


async def takes_of_video(reads: Reads, video_id: str) -> list[Take]:
    """Of all its scenes, by number."""
    return await rows(
        reads,
        Take,
        """SELECT take.* FROM take JOIN scene s ON s.id = take.scene_id
            WHERE s.video_id = :v AND s.removed_at IS NULL ORDER BY take.number""",
        v=video_id,
    )


async def lengths_of_video(reads: Reads, video_id: str) -> dict[str, int]:
    """How long the clips of a video are, in milliseconds, by asset."""
    found = await reads.all(
        """SELECT DISTINCT asset.id, asset.duration_ms FROM asset
             JOIN take ON take.asset_id = asset.id JOIN scene s ON s.id = take.scene_id
            WHERE s.video_id = :v AND s.removed_at IS NULL AND asset.duration_ms IS NOT NULL""",
        v=video_id,
    )
    return {line["id"]: int(line["duration_ms"]) for line in found}


async def slots(
    reads: Reads, *, scene_id: str | None = None, character_id: str | None = None
) -> list[Slot]:
    """The eight slots of a scene, or the one of a character."""
    if scene_id is not None:
        return await rows(reads, Slot, "SELECT * FROM slot WHERE scene_id = :id", id=scene_id)
    return await rows(reads, Slot, "SELECT * FROM slot WHERE character_id = :id", id=character_id)


async def slots_of_video(reads: Reads, video_id: str) -> list[Slot]:
    return await rows(
        reads,
        Slot,
        """SELECT slot.* FROM slot JOIN scene s ON s.id = slot.scene_id
            WHERE s.video_id = :v AND s.removed_at IS NULL""",
        v=video_id,
    )


async def next_number(
    reads: Reads,
    *,
    scene_id: str | None,
    character_id: str | None,
    orientation: Orientation,
    stage: Stage,
) -> int:
    """The number the next take of this slot gets."""
    found = await reads.all(
        """SELECT coalesce(max(number), 0) + 1 AS next FROM take
            WHERE scene_id IS :s AND character_id IS :c AND stage = :g AND (:c IS NOT NULL OR orientation = :o)""",
        s=scene_id,
        c=character_id,
        g=stage,
        o=orientation,
    )
    return int(found[0]["next"])


async def add_asset(tx: Tx, file: MediaFile, *, id: str, path: str, now: int) -> Asset:
    """`path` is relative to the library. A file that has its row already (a picture kept twice) is that asset."""
    known = await tx.all("SELECT id, sha256 FROM asset WHERE path = :path", path=path)
    if known and known[0]["sha256"] == file.sha256:
        return await asset(tx, known[0]["id"])
    await _free(tx, path, id)
    await tx.insert(
        "asset",
        id=id,
        media=file.media,
        path=path,
        sha256=file.sha256,
        bytes=file.bytes,
        width=file.width,
        height=file.height,
        duration_ms=file.duration_ms,
        created_at=now,
    )
    return await asset(tx, id)


async def in_use(reads: Reads) -> list[Asset]:
    """What selected takes consist of."""
    return await rows(
        reads,
        Asset,
        "SELECT * FROM asset WHERE id IN (SELECT asset_id FROM take WHERE selected = 1) ORDER BY created_at, id",
    )


async def refile(tx: Tx, id: str, file: MediaFile, path: str) -> Asset:
    """The file of an asset was fetched again; `path` is relative to the library."""
    await _free(tx, path, id)
    await tx.update(
        "asset",
        id,
        path=path,
        sha256=file.sha256,
        bytes=file.bytes,
        width=file.width,
        height=file.height,
        duration_ms=file.duration_ms,
    )
    return await asset(tx, id)


async def _free(tx: Tx, path: str, id: str) -> None:
    """Another row that claims a path which `id` has now has lost its file: a name never gets other content.

    It is to be found missing, and to come home under a name of its own.
    """
    for other in await tx.all(
        "SELECT id FROM asset WHERE path = :path AND id <> :id", path=path, id=id
    ):
        gone = PurePosixPath(path)
        await tx.update(
            "asset", other["id"], path=str(gone.with_name(f"gone-{other['id']}-{gone.name}"))
        )


async def jobs_of(reads: Reads, asset_id: str) -> list[int]:
    """The jobs whose takes consist of this asset."""
    found = await reads.all(
        "SELECT job_id FROM take WHERE asset_id = :a AND job_id IS NOT NULL", a=asset_id
    )
    return [item["job_id"] for item in found]


async def has_file(reads: Reads, path: str) -> bool:
    """Whether a file of the library, by its stored path, has its row."""
    return bool(await reads.all("SELECT 1 FROM asset WHERE path = :path", path=path))


async def add_take(tx: Tx, *, id: str, number: int, now: int, select: bool, **values: Any) -> Take:
    """One attempt at a slot; `select` puts it into use, and the one before stays in the library.

    With `select`, one whose source was replaced while it was made does not push aside a take that counts.
    """
    values["params"] = json.dumps(values.get("params") or {})
    await tx.insert("take", id=id, number=number, selected=0, created_at=now, **values)
    made = await take(tx, id)
    if select and (await counts(tx, id) or not (await slot_of(tx, made)).filled):
        await select_take(tx, made)
    return await take(tx, id)


async def select_take(tx: Tx, chosen: Take) -> None:
    """Put a take into use. What was made from it counts again, and fills slots that are empty without it."""
    await tx.run(
        """UPDATE take SET selected = 0 WHERE selected = 1 AND scene_id IS :s AND character_id IS :c
              AND stage = :g AND (:c IS NOT NULL OR orientation = :o)""",
        s=chosen.scene_id,
        c=chosen.character_id,
        g=chosen.stage,
        o=chosen.orientation,
    )
    await tx.update("take", chosen.id, selected=1)
    for made in await _made_from(tx, chosen):
        mine = await slot_of(tx, made)
        # one that counts stays, whatever it was made from; an earlier one here may have put a better one into use
        if not mine.filled and await counts(tx, made.id):
            await select_take(tx, made)


async def _made_from(reads: Reads, source: Take) -> list[Take]:
    """What was made from a take directly, newest first; in whichever scene."""
    return await rows(
        reads,
        Take,
        """SELECT * FROM take WHERE (stage IN ('video','upscale','image_upscale') OR :g = 'video')
              AND (made_from_id = :id OR ends_on_id = :id) ORDER BY number DESC""",
        id=source.id,
        g=source.stage,
    )


async def counts(reads: Reads, id: str) -> bool:
    """Whether everything that a take was made from is in use, so that it fills its slot once it is selected."""
    return not await reads.all("SELECT 1 FROM stale_take WHERE id = :id", id=id)


async def is_filled(
    reads: Reads,
    *,
    scene_id: str | None,
    character_id: str | None,
    orientation: Orientation,
    stage: Stage,
) -> bool:
    """Whether a slot has a take that counts."""
    found = await slots(reads, scene_id=scene_id, character_id=character_id)
    return any(
        s.filled for s in found if character_id or (s.orientation, s.stage) == (orientation, stage)
    )


async def slot_of(reads: Reads, take: Take) -> Slot:
    """The slot that a take is an attempt at."""
    found = await slots(reads, scene_id=take.scene_id, character_id=take.character_id)
    wanted = (take.orientation, take.stage)
    return next(s for s in found if take.character_id or (s.orientation, s.stage) == wanted)


# ---- where a provider knows it ---------------------------------------------------------------


async def add_remote(
    tx: Tx,
    *,
    asset_id: str,
    provider: str,
    account: str,
    remote_id: str,
    remote_project_id: str | None,
    now: int,
) -> None:
    await tx.run(
        """INSERT INTO asset_remote (asset_id, provider, account, remote_id, remote_project_id, created_at)
           VALUES (:asset_id, :provider, :account, :remote_id, :remote_project_id, :now)
           ON CONFLICT DO UPDATE SET asset_id = excluded.asset_id, gone_at = NULL""",
        asset_id=asset_id,
        provider=provider,
        account=account,
        remote_id=remote_id,
        remote_project_id=remote_project_id,
        now=now,
    )


async def remote_id(
    reads: Reads, asset_id: str, provider: str, account: str, remote_project_id: str | None
) -> str | None:
    """Under which id this account knows the asset in that project (None: in any)."""
    found = await reads.all(
        """SELECT remote_id FROM asset_remote WHERE asset_id = :a AND provider = :p AND account = :c
              AND gone_at IS NULL AND (:j IS NULL OR remote_project_id IS :j)
            ORDER BY created_at DESC, remote_id LIMIT 1""",
        a=asset_id,
        p=provider,
        c=account,
        j=remote_project_id,
    )
    return found[0]["remote_id"] if found else None


async def known_as(reads: Reads, provider: str, remote_id: str) -> Asset | None:
    """The asset that any account of a provider knows under this id."""
    return await row(
        reads,
        Asset,
        """SELECT a.* FROM asset_remote r JOIN asset a ON a.id = r.asset_id
            WHERE r.provider = :p AND r.remote_id = :r LIMIT 1""",
        p=provider,
        r=remote_id,
    )


async def any_remote_id(reads: Reads, asset_id: str) -> str | None:
    """The newest id under which any account knows the asset."""
    found = await reads.all(
        """SELECT remote_id FROM asset_remote WHERE asset_id = :a AND gone_at IS NULL
            ORDER BY created_at DESC, provider, account, remote_id LIMIT 1""",
        a=asset_id,
    )
    return found[0]["remote_id"] if found else None


class Remote(NamedTuple):
    """Where an asset is known."""

    provider: str
    account: str
    remote_id: str
    remote_project_id: str | None


async def remotes(reads: Reads, asset_id: str) -> list[Remote]:
    """Where an asset is known anywhere, the newest first."""
    found = await reads.all(
        """SELECT provider, account, remote_id, remote_project_id FROM asset_remote
            WHERE asset_id = :a AND gone_at IS NULL ORDER BY created_at DESC, provider, account, remote_id""",
        a=asset_id,
    )
    return [Remote(**item) for item in found]


async def mark_gone(tx: Tx, provider: str, account: str, remote_id: str, now: int) -> None:
    """The provider does not know this id any more (an upload expired); it is uploaded anew when needed."""
    await tx.run(
        "UPDATE asset_remote SET gone_at = :now WHERE provider = :p AND account = :c AND remote_id = :r",
        now=now,
        p=provider,
        c=account,
        r=remote_id,
    )


# ---- renders ---------------------------------------------------------------------------------


async def renders(reads: Reads, video_id: str) -> list[Render]:
    """Newest first."""
    return await rows(
        reads,
        Render,
        "SELECT * FROM render WHERE video_id = :v ORDER BY rowid DESC",
        v=video_id,
    )


async def render(reads: Reads, id: str) -> Render:
    return await the_row(
        reads, Render, f"render {id!r}", "SELECT * FROM render WHERE id = :id", id=id
    )


async def next_render_number(reads: Reads, video_id: str, orientation: Orientation) -> int:
    found = await reads.all(
        "SELECT coalesce(max(number), 0) + 1 AS next FROM render WHERE video_id = :v AND orientation = :o",
        v=video_id,
        o=orientation,
    )
    return int(found[0]["next"])


async def add_render(
    tx: Tx,
    *,
    id: str,
    video_id: str,
    orientation: Orientation,
    number: int,
    asset_id: str,
    recipe: dict[str, Any],
    job_id: int,
    now: int,
) -> Render:
    await tx.insert(
        "render",
        id=id,
        video_id=video_id,
        orientation=orientation,
        number=number,
        asset_id=asset_id,
        recipe=json.dumps(recipe, sort_keys=True),
        job_id=job_id,
        created_at=now,
    )
    return await render(tx, id)
