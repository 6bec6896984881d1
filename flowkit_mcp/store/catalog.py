"""Projects, characters, videos and scenes: reading them by handle or id, and changing them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from flowkit_mcp.domain.models import Character, Project, Row, Scene, Video
from flowkit_mcp.errors import Conflict, NotFound
from flowkit_mcp.store.database import R, Reads, Tx, row, rows, the_row

_SCENES = """
SELECT s.id, s.video_id, n.number, s.prompt, s.image_prompt, s.video_prompt, s.narration, s.chain_type,
       s.parent_scene_id, s.trim_start, s.trim_end, s.removed_at, s.created_at, s.updated_at
  FROM scene s JOIN (SELECT id, row_number() OVER (PARTITION BY video_id, removed_at IS NULL
                       ORDER BY display_order, id) AS number FROM scene) n ON n.id = s.id
"""


# ---- projects --------------------------------------------------------------------------------


async def projects(reads: Reads, *, archived: bool = False) -> list[Project]:
    """Newest first."""
    where = "" if archived else "WHERE status = 'ACTIVE'"
    return await rows(
        reads, Project, f"SELECT * FROM project {where} ORDER BY created_at DESC, rowid DESC"
    )


async def project(reads: Reads, handle: str) -> Project:
    """By id, slug or name (upper and lower case alike). Raises NotFound, Conflict."""
    return await _by_handle(reads, Project, "project", handle)


async def add_project(tx: Tx, values: dict[str, Any], *, id: str, slug: str, now: int) -> Project:
    slug = await _free_slug(tx, "SELECT slug FROM project", slug)
    await tx.insert("project", id=id, slug=slug, created_at=now, updated_at=now, **values)
    return await project(tx, id)


async def remote_project(reads: Reads, project_id: str, provider: str, account: str) -> str | None:
    """Where this account keeps the project, if it does."""
    found = await reads.all(
        "SELECT remote_id FROM project_remote WHERE project_id = :p AND provider = :r AND account = :a",
        p=project_id,
        r=provider,
        a=account,
    )
    return found[0]["remote_id"] if found else None


async def remote_project_gone(tx: Tx, provider: str, remote_id: str, now: int) -> None:
    """The provider has deleted a project: the next call makes another, and pictures are handed over anew."""
    await tx.run(
        "DELETE FROM project_remote WHERE provider = :p AND remote_id = :r", p=provider, r=remote_id
    )
    await tx.run(
        """UPDATE asset_remote SET gone_at = :now
            WHERE provider = :p AND remote_project_id = :r AND gone_at IS NULL""",
        now=now,
        p=provider,
        r=remote_id,
    )


async def set_remote_project(
    tx: Tx, project_id: str, provider: str, account: str, remote_id: str, now: int
) -> None:
    await tx.insert(
        "project_remote",
        project_id=project_id,
        provider=provider,
        account=account,
        remote_id=remote_id,
        created_at=now,
    )


# ---- characters ------------------------------------------------------------------------------


async def characters(reads: Reads, project_id: str | None = None) -> list[Character]:
    """The cast of a project, or everybody."""
    if project_id is None:
        return await rows(reads, Character, "SELECT * FROM character ORDER BY name")
    return await rows(
        reads,
        Character,
        """SELECT c.* FROM character c JOIN project_character l ON l.character_id = c.id
            WHERE l.project_id = :p ORDER BY c.created_at, c.rowid""",
        p=project_id,
    )


async def character(reads: Reads, handle: str) -> Character:
    """By id, slug or name. Raises NotFound, Conflict."""
    return await _by_handle(reads, Character, "character", handle)


async def add_character(
    tx: Tx, values: dict[str, Any], *, id: str, slug: str, now: int
) -> Character:
    slug = await _free_slug(tx, "SELECT slug FROM character", slug)
    await tx.insert("character", id=id, slug=slug, created_at=now, updated_at=now, **values)
    return await character(tx, id)


async def link_character(tx: Tx, project_id: str, character_id: str) -> bool:
    """Cast a character in a project; returns whether that was new."""
    return bool(
        await tx.run(
            "INSERT INTO project_character (project_id, character_id) VALUES (:p, :c) ON CONFLICT DO NOTHING",
            p=project_id,
            c=character_id,
        )
    )


async def unlink_character(tx: Tx, project_id: str, character_id: str) -> bool:
    """Take a character out of a project's cast and of its scenes; the character and its takes stay."""
    await tx.run(
        """DELETE FROM scene_character WHERE character_id = :c AND scene_id IN
             (SELECT s.id FROM scene s JOIN video v ON v.id = s.video_id WHERE v.project_id = :p)""",
        p=project_id,
        c=character_id,
    )
    return bool(
        await tx.run(
            "DELETE FROM project_character WHERE project_id = :p AND character_id = :c",
            p=project_id,
            c=character_id,
        )
    )


# ---- videos ----------------------------------------------------------------------------------


async def videos(reads: Reads, project_id: str) -> list[Video]:
    return await rows(
        reads,
        Video,
        "SELECT * FROM video WHERE project_id = :p AND removed_at IS NULL ORDER BY display_order, id",
        p=project_id,
    )


async def video(reads: Reads, handle: str, project_id: str | None = None) -> Video:
    """By id, or by slug or title within a project. Raises NotFound, Conflict."""
    within = "removed_at IS NULL"
    args: dict[str, Any] = {}
    if project_id is not None:
        within += " AND project_id = :home"
        args["home"] = project_id
    return await _by_handle(reads, Video, "video", handle, name="title", within=within, **args)


async def kept_video(reads: Reads, id: str) -> Video:
    """By id, also one that was removed: what was paid for it still belongs there."""
    return await the_row(reads, Video, f"video {id!r}", "SELECT * FROM video WHERE id = :id", id=id)


async def add_video(tx: Tx, values: dict[str, Any], *, id: str, slug: str, now: int) -> Video:
    project_id = values["project_id"]
    slug = await _free_slug(tx, "SELECT slug FROM video WHERE project_id = :p", slug, p=project_id)
    order = await tx.all(
        "SELECT coalesce(max(display_order), 0) + 1 AS next FROM video WHERE project_id = :p",
        p=project_id,
    )
    await tx.insert(
        "video",
        id=id,
        slug=slug,
        display_order=order[0]["next"],
        created_at=now,
        updated_at=now,
        **values,
    )
    return await video(tx, id)


# ---- scenes ----------------------------------------------------------------------------------


async def scenes(reads: Reads, video_id: str) -> list[Scene]:
    """The scenes of a video in order, numbered from 1; removed ones are left out."""
    return await rows(
        reads,
        Scene,
        _SCENES + "WHERE s.video_id = :v AND s.removed_at IS NULL ORDER BY n.number",
        v=video_id,
    )


async def scene(reads: Reads, id: str) -> Scene:
    return await the_row(reads, Scene, f"scene {id!r}", _SCENES + "WHERE s.id = :id", id=id)


async def scene_by_handle(reads: Reads, handle: str | int, video_id: str | None) -> Scene:
    """By id, or by number ("3", "scene 3") within a video. Raises NotFound."""
    match = re.fullmatch(r"(?:scene\s*)?#?(\d{1,4})", str(handle).strip(), re.IGNORECASE)
    if match is None:
        return await scene(reads, str(handle))
    if video_id is None:
        raise NotFound(
            f"scene {match[1]} of which video", hint="Name the video too, or pass the scene's id."
        )
    everyone = await scenes(reads, video_id)
    found = [s for s in everyone if s.number == int(match[1])]
    if not found:
        there = f"it has {len(everyone)}, numbered from 1" if everyone else "it has none yet"
        raise NotFound(f"no scene {match[1]} in this video: {there}")
    return found[0]


async def add_scene(
    tx: Tx,
    values: dict[str, Any],
    *,
    id: str,
    now: int,
    after: Scene | None = None,
    first: bool = False,
) -> Scene:
    """At the end, after another scene, or first."""
    await tx.insert(
        "scene", id=id, display_order=1_000_000, created_at=now, updated_at=now, **values
    )
    order = [s.id for s in await scenes(tx, values["video_id"]) if s.id != id]
    place = 0 if first else len(order) if after is None else order.index(after.id) + 1
    await _order(tx, [*order[:place], id, *order[place:]])
    return await scene(tx, id)


async def move_scene(tx: Tx, moved: Scene, number: int) -> Scene:
    """Give a scene another number; the others close up."""
    order = [s.id for s in await scenes(tx, moved.video_id) if s.id != moved.id]
    order.insert(max(0, min(number - 1, len(order))), moved.id)
    await _order(tx, order)
    return await scene(tx, moved.id)


async def remove_scene(tx: Tx, removed: Scene, now: int) -> None:
    """Take a scene out of its video; its takes stay. Scenes that continue it continue its parent."""
    await tx.run(
        """UPDATE scene SET parent_scene_id = :parent, updated_at = :now,
                  chain_type = CASE WHEN :parent IS NULL THEN 'ROOT' ELSE chain_type END
            WHERE parent_scene_id = :id""",
        parent=removed.parent_scene_id,
        now=now,
        id=removed.id,
    )
    await tx.update("scene", removed.id, removed_at=now, updated_at=now)


async def _order(tx: Tx, ids: Sequence[str]) -> None:
    for position, id in enumerate(ids, start=1):
        await tx.update("scene", id, display_order=position)


async def scene_cast(reads: Reads, scene_id: str) -> list[Character]:
    return await rows(
        reads,
        Character,
        """SELECT c.* FROM character c JOIN scene_character l ON l.character_id = c.id
            WHERE l.scene_id = :s ORDER BY l.position""",
        s=scene_id,
    )


async def set_scene_cast(tx: Tx, scene_id: str, character_ids: Iterable[str]) -> None:
    await tx.run("DELETE FROM scene_character WHERE scene_id = :s", s=scene_id)
    for position, id in enumerate(dict.fromkeys(character_ids)):
        await tx.insert("scene_character", scene_id=scene_id, character_id=id, position=position)


async def continued_by(reads: Reads, scene_id: str) -> Scene | None:
    """The scene that continues this one, if any."""
    return await row(
        reads,
        Scene,
        _SCENES
        + """WHERE s.parent_scene_id = :id AND s.chain_type = 'CONTINUATION' AND s.removed_at IS NULL
              ORDER BY n.number LIMIT 1""",
        id=scene_id,
    )


# ---- common ----------------------------------------------------------------------------------


async def change(tx: Tx, table: str, id: str, values: dict[str, Any], now: int) -> None:
    """Set columns of a project, character, video or scene."""
    ready = {k: json.dumps(v) if isinstance(v, list) else v for k, v in values.items()}
    await tx.update(table, id, **ready, updated_at=now)


#: What makes the first one.
_MAKERS = {"project": "create_project", "video": "add_video", "character": "add_character"}


async def _by_handle(
    reads: Reads,
    model: type[R],
    table: str,
    handle: str,
    *,
    name: str = "name",
    within: str = "1",
    **args: Any,
) -> R:
    found: list[R] = []
    for column in ("id", "slug"):
        found = await rows(
            reads,
            model,
            f"SELECT * FROM {table} WHERE {column} = :h AND {within}",
            h=handle,
            **args,
        )
        if len(found) == 1:
            return found[0]
    if not found:
        everyone = await rows(reads, model, f"SELECT * FROM {table} WHERE {within}", **args)
        wanted = handle.strip().casefold()
        found = [item for item in everyone if str(getattr(item, name)).casefold() == wanted]
        if not found:
            hint = None if everyone else f"Call {_MAKERS[table]} first."
            raise NotFound(_unknown(table, handle, name, everyone), hint=hint)
    if len(found) > 1:
        ids = ", ".join(str(item.model_dump()["id"]) for item in found)
        raise Conflict(
            f"several {table}s are called {handle!r}", hint=f"Pass one of the ids: {ids}."
        )
    return found[0]


def _unknown(table: str, handle: str, name: str, everyone: Sequence[Row]) -> str:
    names = ", ".join(repr(getattr(item, name)) for item in everyone[:10])
    more = f" (and {len(everyone) - 10} more)" if len(everyone) > 10 else ""
    return f"no {table} {handle!r}; there are: {names or 'none yet'}{more}"


async def _free_slug(tx: Tx, taken_sql: str, wanted: str, **args: Any) -> str:
    taken = {found["slug"] for found in await tx.all(taken_sql, **args)}
    slug, number = wanted, 1
    while slug in taken:
        number += 1
        slug = f"{wanted}-{number}"
    return slug
