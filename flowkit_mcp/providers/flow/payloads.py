"""Lane `batchexecute`: from decoded payloads to small typed results. Pure, no I/O.

A payload that is not what the document says raises `Unreadable("shape")`, so that a paying call with such an answer
counts as "outcome unknown" and never as "nothing happened".
"""

from __future__ import annotations

from typing import Any

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.providers.flow.envelope import Unreadable, at, number, rows, text
from flowkit_mcp.providers.flow.records import (
    CharacterRow,
    Contents,
    Credits,
    Echo,
    MediaRecord,
    NoMedia,
    ProjectRow,
    Records,
    Usage,
    WorkflowRow,
)

_VIDEO_ASPECTS = {1: Orientation.VERTICAL, 2: Orientation.HORIZONTAL}  # appendix B


def credits(payload: Any) -> Credits:
    """`nzlxg` (flow-wire §3.1)."""
    tier = number(at(payload, 3))
    if tier is None:
        raise Unreadable("shape")
    return Credits(balance=number(at(payload, 0)), tier=tier)


def created_project(payload: Any) -> str:
    """`jHPbke`: the new project's id."""
    return _text(at(payload, 0))


def uploaded(payload: Any) -> MediaRecord:
    """`maseQ`: the id to use is the record's first slot, not its third (flow-wire §5.1)."""
    return media_record(at(payload, 0))


def projects(payload: Any) -> tuple[tuple[ProjectRow, ...], str | None]:
    """`UpteDb`: one page, and the token of the next if there is one."""
    page = [
        ProjectRow(id=id, title=text(at(row, 1, 0)) or "")
        for row in rows(at(payload, 0))
        if (id := text(at(row, 0)))
    ]
    return tuple(page), text(at(payload, 1))


def contents(payload: Any) -> Contents:
    """`Zzl0ze`: what a project holds, media in all versions (flow-wire §2.4)."""
    if not isinstance(payload, list):
        raise Unreadable("shape")
    return Contents(
        media=_records(at(payload, 2)),
        workflows=tuple(_workflow(row) for row in rows(at(payload, 1)) if text(at(row, 0))),
        characters=tuple(character(row) for row in rows(at(payload, 5)) if text(at(row, 1))),
    )


def character(row: Any) -> CharacterRow:
    """An entity row (flow-wire §6.9). A voice is spelled `[id]` or `[null, id]`."""
    info = at(row, 3)
    voices = [text(at(one, 0)) or text(at(one, 1)) for one in rows(at(info, 2, 1))]
    return CharacterRow(
        id=_text(at(row, 1)),
        name=text(at(info, 1)) or "",
        voices=tuple(voice for voice in voices if voice),
        notes=text(at(info, 2, 2)) or "",
        primary=text(at(row, 4)),
        archived=at(info, 4) is True,
    )


def created_scene(payload: Any) -> str:
    """`rqZuUc` (flow-wire §6.7): the new scene's id."""
    return _text(at(payload, 0, 0))


def done(payload: Any) -> None:
    """An answer whose content does not matter, only that it is one."""
    return None


def upscaled_image(payload: Any) -> Records:
    """`SPrCad` (flow-wire §4.3): a record of its own and the picture in base64."""
    record, data = media_record(at(payload, 0)), text(at(payload, 1))
    return Records((record,), inline=data)


def generated_images(payload: Any) -> Records:
    """`ogiZ0b`. The answer may mention input images too; the caller knows which ids those are."""
    return Records(_accepted(payload, 0), _workflows(at(payload, 1)))


def videos(payload: Any) -> Records:
    """Answer of a video submit (flow-wire §6.2)."""
    workflows = _workflows(at(payload, 2))
    return Records(_accepted(payload, 3, workflows), workflows, number(at(payload, 1)))


def video_status(payload: Any) -> Records:
    """`jwpduf` (flow-wire §7.1): ids that Flow does not know are simply missing."""
    if payload is None:
        return Records(())
    if not isinstance(payload, list):
        raise Unreadable("shape")
    return Records(_records(at(payload, 2)), credits=number(at(payload, 1)))


def media(payload: Any, asked: str) -> MediaRecord | NoMedia:
    """`as29s` (flow-wire §7.3): a bare record, or while it is made sometimes only its id."""
    if payload is None:
        return NoMedia.SILENT
    if payload == asked:
        return MediaRecord(id=asked)
    return media_record(payload)


def media_record(record: Any, workflows: tuple[str, ...] = ()) -> MediaRecord:
    """One record (flow-wire §7.2).

    Two projects label slots 0 and 2 the other way round for video submits: where slot 0 is an id that the same
    answer calls a workflow, slot 2 is the media.
    """
    id, workflow = _text(at(record, 0)), text(at(record, 2))
    if id in workflows and workflow and workflow not in workflows:
        id, workflow = workflow, id
    meta, picture, clip = at(record, 5), at(record, 6), at(record, 7)
    image = isinstance(picture, list) and not isinstance(clip, list)
    poster = text(at(meta, 10)) or text(at(meta, 5))
    source = at(picture, 0) if image else at(clip, 0)
    return MediaRecord(
        id=id,
        project=text(at(record, 1)),
        workflow=workflow,
        status=number(at(meta, 8, 0)),
        failure=at(meta, 8),
        image=image,
        video=isinstance(clip, list),
        # For a picture the "poster" is the picture; listings leave its own slot out.
        image_url=(text(at(picture, 0, 13)) or poster) if image else None,
        video_url=text(at(clip, 0, 8)),
        bytes=number(at(meta, 13)),
        prompt=text(at(picture, 0, 7)) or text(at(meta, 12)) or text(at(meta, 1)),
        seed=number(at(source, 1)),
        created_s=number(at(meta, 0, 0)),
        duration_s=_seconds(at(clip, 1, 2)),
        parent=text(at(meta, 6, 3, 0, 0, 2)),
        echo=_picture_echo(at(picture, 2)) if image else _clip_echo(at(meta, 6, 1, 0)),
    )


def _picture_echo(size: Any) -> Echo:
    width, height = number(at(size, 0)), number(at(size, 1))
    if not width or not height or width == height:
        return Echo()
    return Echo(orientation=Orientation.HORIZONTAL if width > height else Orientation.VERTICAL)


def _clip_echo(said: Any) -> Echo:
    """`[key, mode, inputs, null, aspect]` (flow-wire §7.2)."""
    inputs = at(said, 2)
    return Echo(
        mode=number(at(said, 1)),
        inputs=len(rows(inputs)) if isinstance(inputs, list) else None,
        orientation=_VIDEO_ASPECTS.get(number(at(said, 4)) or 0),
        model=text(at(said, 0)),
    )


def _seconds(stamp: Any) -> float | None:
    whole = number(at(stamp, 0))
    return None if whole is None else whole + (number(at(stamp, 1)) or 0) / 1e9


def _workflow(row: Any) -> WorkflowRow:
    info = at(row, 3)
    return WorkflowRow(
        id=_text(at(row, 0)),
        title=text(at(info, 0)) or "",
        primary=text(at(info, 4)),
        batch=text(at(info, 5)),
        archived=at(info, 2) is True,
    )


def catalogue(payload: Any) -> tuple[Usage, ...]:
    """`HTrJv` (flow-wire §3.2), without what is switched off."""
    found = [
        usage
        for slot, image in ((4, False), (5, True))
        for family in rows(at(payload, 0, slot))
        for row in rows(at(family, 1))
        if (usage := _usage(row, family, image)) is not None
    ]
    if not found:
        raise Unreadable("shape")
    return tuple(found)


def _usage(row: Any, family: Any, image: bool) -> Usage | None:
    key = text(at(row, 0))
    if key is None or at(row, 24) is True:
        return None
    return Usage(
        key=key,
        family=text(at(family, 3)) or key,
        title=text(at(family, 0)) or key,
        image=image,
        prices=_prices(at(row, 4)),
        requirements=_requirements(at(row, 7, 0)),
        aspects=_numbers(at(row, 12, 0)),
        duration_s=number(at(row, 16)),
        max_images=number(at(row, 21, 2)),
        max_voices=number(at(row, 21, 0)),
        resolutions=_numbers(at(row, 23, 0)),
        hidden=at(family, 5) is True,
    )


def _prices(entries: Any) -> dict[int, int]:
    """`[[tier, [[null, cost]]] …]`; a second element beside the cost means "not for this tier"."""
    prices: dict[int, int] = {}
    for entry in rows(entries):
        tier, cost = number(at(entry, 0)), number(at(entry, 1, 0, 1))
        if tier is not None and cost is not None and at(entry, 1, 1) is None:
            prices[tier] = cost
    return prices


def _requirements(combinations: Any) -> frozenset[int]:
    """The numbers of the first allowed combination of inputs."""
    return frozenset(_numbers(at(combinations, 0, 0)))


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(one for item in rows(value) if (one := number(item)) is not None)


def _records(value: Any, workflows: tuple[str, ...] = ()) -> tuple[MediaRecord, ...]:
    return tuple(media_record(row, workflows) for row in rows(value) if text(at(row, 0)))


def _accepted(payload: Any, slot: int, workflows: tuple[str, ...] = ()) -> tuple[MediaRecord, ...]:
    """The records of a submit: an empty list is an answer, a record without an id is not."""
    value = at(payload, slot)
    if not isinstance(payload, list) or not (value is None or isinstance(value, list)):
        raise Unreadable("shape")
    records = _records(value, workflows)
    if len(records) != len(rows(value)):
        raise Unreadable("shape")
    return records


def _workflows(value: Any) -> tuple[str, ...]:
    return tuple(id for row in rows(value) if (id := text(at(row, 0))))


def _text(value: Any) -> str:
    found = text(value)
    if found is None:
        raise Unreadable("shape")
    return found
