"""Lane `labs`: from decoded JSON to the types of `records.py`. Pure, no I/O.

This lane grew in layers, so answers come in several spellings: media as object or array, two places for the status, or
none on finished items; operations instead of media; files inline in base64; ids in the older long form. A value that
fits none of them raises `Unreadable("shape")`, so that a paying call with such an answer is "outcome unknown".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.providers.flow.envelope import Unreadable, number, rows, text
from flowkit_mcp.providers.flow.ids import media_id
from flowkit_mcp.providers.flow.records import (
    CharacterRow,
    Contents,
    Credits,
    Echo,
    MediaRecord,
    ProjectRow,
    Records,
    Status,
    WorkflowRow,
)

_PREFIX = "MEDIA_GENERATION_STATUS_"
_STATUS = {
    "PENDING": Status.PENDING,
    "ACTIVE": Status.ACTIVE,
    "RUNNING": Status.ACTIVE,
    "IN_PROGRESS": Status.ACTIVE,
    "SUCCESSFUL": Status.SUCCESSFUL,
    "COMPLETE": Status.SUCCESSFUL,
    "FAILED": Status.FAILED,
    "CANCELED": Status.CANCELLED,
    "SCHEDULED": Status.SCHEDULED,
}
_HEAD = 16  #: characters of base64: twelve bytes
_PLAIN = str.maketrans("-_", "+/")
_UNHEARD_OF = 0  #: keep waiting (flow-wire §7.1)
_MODES = {
    "VIDEO_GENERATION_MODE_TEXT_TO_VIDEO": 1,
    "VIDEO_GENERATION_MODE_IMAGE_TO_VIDEO": 2,
    "VIDEO_GENERATION_MODE_REFERENCE_TO_VIDEO": 3,
}


def get(value: Any, *path: str) -> Any:
    """The value at this path of names; None where it ends earlier."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(name)
    return value


def some(value: Any) -> list[Any]:
    """A list: of one where an object stands in its place (flow-wire §5.2), empty where there is nothing."""
    return [value] if isinstance(value, dict) else rows(value)


def credits(payload: Any, tiers: Mapping[str, int]) -> Credits:
    """`/v1/credits`; the leanest answer has only the balance and the plan (flow-wire §3.1)."""
    paygate = text(get(payload, "userPaygateTier"))
    named = (text(get(payload, "serviceTier")), paygate)
    tier = next((tiers[name] for name in named if name and name in tiers), None)
    balance = number(get(payload, "credits"))
    if tier is None or balance is None:
        raise Unreadable("shape")
    return Credits(balance=balance, tier=tier, paygate=paygate)


def created_project(payload: Any) -> str:
    return _name(get(payload, "projectId"))


def projects(payload: Any) -> tuple[tuple[ProjectRow, ...], str | None]:
    """One page, and the cursor of the next if there is one."""
    if not isinstance(payload, dict):
        raise Unreadable("shape")
    page = [
        ProjectRow(id=id, title=_first(row, "projectTitle", "title", "projectName") or "")
        for row in some(get(payload, "projects"))
        if (id := text(get(row, "projectId")))
    ]
    return tuple(page), _first(payload, "nextPageToken", "nextCursor", "cursor")


def contents(payload: Any) -> Contents:
    """`flow.projectInitialData` (flow-wire §2.5)."""
    held = get(payload, "projectContents")
    if not isinstance(held, dict):
        raise Unreadable("shape")
    return Contents(
        media=tuple(media_record(row, listed=True) for row in _named(get(held, "media"))),
        workflows=tuple(_workflow(row) for row in _named(get(held, "workflows"))),
        characters=tuple(
            _character(row) for row in some(get(held, "entities")) if text(get(row, "entityId"))
        ),
    )


def uploaded(payload: Any) -> MediaRecord:
    """`/v1/flow/uploadImage`; `media` is an object or an array of one."""
    found = _named(get(payload, "media"))
    if not found:
        raise Unreadable("shape")
    return media_record(found[0])


def created_character(payload: Any) -> str:
    row = get(payload, "entity") or payload
    return _name(get(row, "entityId") or get(row, "name"))


def submitted(payload: Any) -> Records:
    """The answer of any generation: operations, workflows and media, both, or nothing (flow-wire §6.3, §4.2, §8)."""
    if not isinstance(payload, dict) or not {
        "media",
        "operations",
        "workflows",
        "encodedImage",
    } & set(cast("dict[str, Any]", payload)):
        raise Unreadable("shape")
    media = some(get(payload, "media"))
    operations = some(get(payload, "operations"))
    workflows = _named(get(payload, "workflows"))
    records = [media_record(row) for row in media]
    if not records:
        records = [MediaRecord(id=id, workflow=w) for w, id in map(_primary, workflows) if id]
    names: list[str] = []
    inline = text(get(payload, "encodedImage"))
    for row in operations:
        name, record = text(get(row, "operation", "name")), _of_operation(row)
        if not records and record is not None:
            records = [record]
        inline = inline or text(get(row, "rawBytes"))
        if name:
            names.append(name)
        elif record is None and inline is None:
            raise Unreadable("shape")
    return Records(
        tuple(records),
        tuple(_name(get(row, "name")) for row in workflows),
        number(get(payload, "remainingCredits")),
        operations=tuple(names),
        inline=inline,
    )


def statuses(payload: Any) -> Records:
    """A poll, in either dialect; for operations the record's id is the operation's name (flow-wire §7.1)."""
    if not isinstance(payload, dict):
        raise Unreadable("shape")
    found = [media_record(row) for row in _named(get(payload, "media"))]
    for row in some(get(payload, "operations")):
        record = _of_operation(row, polled=True)
        if record is not None:
            found.append(record)
    return Records(tuple(found), credits=number(get(payload, "remainingCredits")))


def media(payload: Any, asked: str) -> MediaRecord | None:
    """`/v1/media/<id>` (flow-wire §7.3). None: an answer that says nothing of this id."""
    if not isinstance(payload, dict):
        return None
    row: dict[str, Any] = {"name": asked, **cast("dict[str, Any]", payload)}
    if media_id(str(row["name"])) != asked:
        return None
    if not text(get(payload, "name")) and not {"video", "image", "userUploadedImage"} & set(row):
        return None
    return media_record(row)


def media_record(row: Any, *, listed: bool = False) -> MediaRecord:
    """One media object of any age. `listed`: without a status it is finished (flow-wire §2.5)."""
    name = _name(get(row, "name"))
    image, clip = get(row, "image"), get(row, "video")
    drawn = get(image, "generatedImage") or get(image, "userUploadedImage") or image
    drawn = drawn or get(row, "userUploadedImage")
    shot = get(clip, "generatedVideo") or clip
    meta = get(row, "mediaMetadata")
    block = get(meta, "mediaStatus") or get(row, "mediaStatus")
    control = get(meta, "requestData", "videoGenerationRequestData", "videoModelControlInput")
    told = _status(get(block, "mediaGenerationStatus"))
    finished = bool(shot or drawn) if listed else _has_file(shot, drawn)
    length = re.fullmatch(r"(\d+(?:\.\d+)?)s", text(get(clip, "dimensions", "length")) or "")
    return MediaRecord(
        id=media_id(text(get(drawn, "mediaId")) or text(get(shot, "mediaId")) or name),
        project=text(get(row, "projectId")),
        workflow=text(get(row, "workflowId")) or text(get(drawn, "workflowId")),
        status=told if told is not None else (Status.SUCCESSFUL if finished else None),
        failure=block,
        image=drawn is not None,
        video=clip is not None,
        image_url=_first(drawn, "fifeUrl", "imageUri"),
        video_url=text(get(shot, "fifeUrl")),
        data=_clip(shot) or _first(drawn, "encodedImage", "image"),
        prompt=_first(drawn, "prompt") or _first(shot, "prompt"),
        seed=number(get(drawn, "seed")) if drawn else number(get(shot, "seed")),
        created_s=_moment(get(meta, "createTime")),
        duration_s=float(length[1]) if length else None,
        echo=Echo(
            mode=_MODES.get(str(get(control, "videoGenerationMode"))),
            model=text(get(shot, "model")),
            inputs=_inputs(get(meta, "requestData") or get(drawn, "requestData")),
            orientation=_orientation(
                get(control, "videoAspectRatio")
                or get(shot, "aspectRatio")
                or get(drawn, "aspectRatio")
            ),
        ),
    )


def _of_operation(row: Any, *, polled: bool = False) -> MediaRecord | None:
    """An element of `operations`: the older answer, with the media inside it once it is done."""
    name = text(get(row, "operation", "name"))
    inner = get(row, "operation", "metadata")
    long = text(get(row, "mediaGenerationId"))
    status = _status(get(row, "status"))
    id = name if polled else (media_id(long) if long else None)
    if id is None:
        return None
    failure = {"error": get(row, "operation", "error") or get(row, "error")}
    url = text(get(inner, "video", "fifeUrl"))
    return MediaRecord(
        id=id,
        status=status,
        failure=failure,
        video=True,
        video_url=url,
        data=text(get(row, "rawBytes")),
        # Under which id the rest of Flow knows what this operation made.
        parent=text(get(inner, "video", "mediaId")) or (media_id(long) if long else None),
    )


def _workflow(row: Any) -> WorkflowRow:
    info = get(row, "metadata")
    return WorkflowRow(
        id=_name(get(row, "name")),
        title=text(get(info, "displayName")) or "",
        primary=_plain(get(info, "primaryMediaId")),
        batch=text(get(info, "batchId")),
        archived=get(info, "archived") is True,
    )


def _character(row: Any) -> CharacterRow:
    info = get(row, "entityInfo")
    about = get(info, "characterInfo")
    voices = [text(get(one, "mediaId")) for one in some(get(about, "audioReferences"))]
    return CharacterRow(
        id=_name(get(row, "entityId")),
        name=_first(info, "displayName") or _first(row, "displayName") or "",
        voices=tuple(voice for voice in voices if voice),
        notes=text(get(about, "personalityNotes")) or "",
        primary=_plain(get(row, "primaryMediaId")),
        archived=get(info, "archived") is True,
    )


def _primary(row: Any) -> tuple[str | None, str | None]:
    return text(get(row, "name")), _plain(get(row, "metadata", "primaryMediaId"))


def _status(value: Any) -> int | None:
    told = text(value)
    return None if told is None else _STATUS.get(told.removeprefix(_PREFIX), _UNHEARD_OF)


def _clip(shot: Any) -> str | None:
    """A clip in base64. While it is made, a body that is none stands in its place (flow-wire §7.3)."""
    data = _first(shot, "encodedVideo")
    if data is None:
        return None
    try:
        head = base64.b64decode(data[:_HEAD].translate(_PLAIN), validate=True)
    except ValueError:
        return None
    return data if head[4:8] == b"ftyp" else None


def _has_file(shot: Any, drawn: Any) -> bool:
    return bool(
        _clip(shot)
        or _first(shot, "fifeUrl")
        or _first(drawn, "encodedImage", "image", "fifeUrl", "imageUri")
    )


def _orientation(value: Any) -> Orientation | None:
    told = text(value) or ""
    if told.endswith("_RATIO_LANDSCAPE"):
        return Orientation.HORIZONTAL
    return Orientation.VERTICAL if told.endswith("_RATIO_PORTRAIT") else None


def _inputs(request: Any) -> int | None:
    """How many reference images the request's echo names, if it names any field for them."""
    kinds = (
        ("videoGenerationRequestData", "referenceImages"),
        ("imageGenerationRequestData", "imageInputs"),
        ("imageInputs",),
    )
    told = [get(request, *path) for path in kinds]
    return next((len(rows(value)) for value in told if isinstance(value, list)), None)


def _moment(value: Any) -> int | None:
    told = text(value)
    if told is None:
        return None
    try:
        when = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", told).replace("Z", "+00:00"))
    except ValueError:
        return None
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def _named(value: Any) -> list[Any]:
    return [row for row in some(value) if text(get(row, "name"))]


def _plain(value: Any) -> str | None:
    found = text(value)
    return media_id(found) if found else None


def _first(value: Any, *names: str) -> str | None:
    """The first of these fields that holds text, here or in `projectInfo`."""
    for place in (value, get(value, "projectInfo")):
        for name in names:
            if found := text(get(place, name)):
                return found
    return None


def _name(value: Any) -> str:
    found = text(value)
    if found is None:
        raise Unreadable("shape")
    return found
