"""Lane `labs`: from what is wanted to the JSON bodies that the older REST and tRPC endpoints expect. Pure, no I/O.

Where a call goes (method, host, path) is data (`models.toml`); here are its ids, query and body (flow-wire §2.5, §4.2,
§5.2, §6.3, §7, §8). An unknown field name is refused with 400, so only fields seen on the wire are sent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from flowkit_mcp.bridge.protocol import RECAPTCHA
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.providers.flow.ids import Seeds

Body = dict[str, Any]

_TOOL = "PINHOLE"
_WEB = "RECAPTCHA_APPLICATION_TYPE_WEB"
_IMAGE_ASPECT = {
    Orientation.VERTICAL: "IMAGE_ASPECT_RATIO_PORTRAIT",
    Orientation.HORIZONTAL: "IMAGE_ASPECT_RATIO_LANDSCAPE",
}
_VIDEO_ASPECT = {
    Orientation.VERTICAL: "VIDEO_ASPECT_RATIO_PORTRAIT",
    Orientation.HORIZONTAL: "VIDEO_ASPECT_RATIO_LANDSCAPE",
}
_PROJECT_PAGE = 20


@dataclass(frozen=True)
class Request:
    """What goes into one call: ids for the path, the query, the body. Its host and path are in `models.toml`."""

    ids: dict[str, str] = field(default_factory=dict[str, str])
    query: dict[str, str] = field(default_factory=dict[str, str])
    body: Body | None = None


@dataclass(frozen=True)
class Session:
    """What every body repeats: the page's session id (`;<ms>`) and the account's plan, if known."""

    id: str
    paygate: str | None = None


def context(session: Session, project: str | None, *, captcha: bool = True) -> Body:
    """`clientContext`, with the place where the extension puts the page's token (flow-wire §1.3)."""
    found: Body = {"sessionId": session.id, "tool": _TOOL}
    if project:
        found = {"projectId": project, **found}
    if captcha:
        if session.paygate:
            found["userPaygateTier"] = session.paygate
        found["recaptchaContext"] = {"token": RECAPTCHA, "applicationType": _WEB}
    return found


# ---- tRPC on labs.google ----------------------------------------------------------------------


def create_project(title: str) -> Request:
    return _trpc({"projectTitle": title, "toolName": _TOOL})


def rename_project(project: str, title: str) -> Request:
    info = {"projectTitle": title}
    given = {"projectId": project, "projectInfo": info, "updateMasks": ["projectTitle"]}
    return _trpc({**given, "toolName": _TOOL})


def delete_project(project: str) -> Request:
    return _trpc({"projectToDeleteId": project})


def project_list(cursor: str | None = None) -> Request:
    asked: Body = {"json": {"pageSize": _PROJECT_PAGE, "toolName": _TOOL, "cursor": cursor}}
    if cursor is None:
        asked["meta"] = {"values": {"cursor": ["undefined"]}}
    return Request(query={"input": _compact(asked)})


def project_contents(project: str | None) -> Request:
    asked = {"projectId": project} if project else {}
    return Request(query={"input": _compact({"json": asked})})


def media_url(media: str) -> Request:
    """Answered by a redirect to the signed address; the extension says where it leads."""
    return Request(query={"name": media})


def create_character(project: str) -> Request:
    """`collectionId` is empty and not null, which some builds refuse (flow-wire §6.9)."""
    return _trpc({"projectId": project, "collectionId": ""})


# ---- REST on aisandbox ------------------------------------------------------------------------


def media_get(media: str) -> Request:
    return Request(ids={"media": media}, query={"clientContext.tool": _TOOL})


def video_status(media: Sequence[tuple[str, str | None]]) -> Request:
    """Since May 2026 clips are polled by media id and project (flow-wire §7.1)."""
    each = [
        {"name": one, "projectId": project} if project else {"name": one} for one, project in media
    ]
    return Request(body={"media": each})


def operation_status(names: Sequence[str]) -> Request:
    """The older dialect, for operations that came without a record."""
    pending = "MEDIA_GENERATION_STATUS_PENDING"
    each = [{"operation": {"name": name}, "status": pending} for name in names]
    return Request(body={"operations": each})


def upload_image(
    session: Session, project: str, *, data: str, mime: str, name: str, seeds: Seeds
) -> Request:
    """`data` is base64. No captcha in this lane."""
    return Request(
        body={
            "clientContext": context(session, project, captcha=False),
            "fileName": name,
            "imageBytes": data,
            "isHidden": False,
            "isUserUploaded": True,
            "mimeType": mime,
            "mediaIdSeed": seeds.media,
            "workflowIdSeed": seeds.workflow,
        }
    )


def generate_image(
    session: Session,
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    seed: int,
    batch: str,
    references: Sequence[str] = (),
    base: str | None = None,
) -> Request:
    """One picture (flow-wire §4.2). No slot for the client's id seeds is known here; the batch id is what we choose."""
    inputs = [{"name": base, "imageInputType": "IMAGE_INPUT_TYPE_BASE_IMAGE"}] if base else []
    inputs += [{"name": one, "imageInputType": "IMAGE_INPUT_TYPE_REFERENCE"} for one in references]
    # The whole context is repeated in the item, but for the plan.
    inner = context(Session(session.id), project)
    item: Body = {
        "clientContext": inner,
        "imageModelName": model,
        # An edit keeps the shape of its base: the page sends no shape then.
        "imageAspectRatio": "IMAGE_ASPECT_RATIO_UNSPECIFIED"
        if base
        else _IMAGE_ASPECT[orientation],
        "structuredPrompt": {"parts": [{"text": prompt}]},
        "seed": seed,
    }
    if inputs:
        item["imageInputs"] = inputs
    body = {
        "clientContext": context(session, project),
        "mediaGenerationContext": {"batchId": batch},
        "useNewMedia": True,
        "requests": [item],
    }
    return Request(ids={"project": project}, body=body)


def upscale_image(session: Session, project: str, *, media: str, resolution: str) -> Request:
    """`resolution` 2K or 4K; the answer is the picture itself (flow-wire §4.3)."""
    return Request(
        body={
            "mediaId": media,
            "targetResolution": f"UPSAMPLE_IMAGE_RESOLUTION_{resolution}",
            "clientContext": context(session, project),
        }
    )


def video(
    session: Session,
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    seed: int,
    seeds: Seeds,
    batch: str,
    start: str | None = None,
    end: str | None = None,
    references: Sequence[str] = (),
    voices: Sequence[str] = (),
) -> Request:
    """A clip from words, from a start image, between two images, or with references: the inputs tell the method."""
    item: Body = {
        "aspectRatio": _VIDEO_ASPECT[orientation],
        "seed": _small(seed),
        "textInput": _script(prompt),
        "videoModelKey": model,
        "metadata": {"mediaIdSeed": seeds.media, "workflowIdSeed": seeds.workflow},
    }
    if start:
        item["startImage"] = {"mediaId": start}
    if end:
        item["endImage"] = {"mediaId": end}
    if references:
        usage = "IMAGE_USAGE_TYPE_ASSET"
        item["referenceImages"] = [{"mediaId": one, "imageUsageType": usage} for one in references]
    if voices:
        item["referenceAudio"] = [{"mediaId": one} for one in voices]
    return _submit(session, project, item, batch)


def extend_video(
    session: Session,
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    seed: int,
    source: str,
    frames: tuple[int, int],
    workflow: str | None,
    seeds: Seeds,
    batch: str,
) -> Request:
    """A clip that goes on from these frames (24 a second) of another, into the same workflow where it is known."""
    if workflow:
        place = {"workflowId": workflow, "mediaIdSeed": seeds.media}
    else:
        place = {"mediaIdSeed": seeds.media, "workflowIdSeed": seeds.workflow}
    item: Body = {
        "aspectRatio": _VIDEO_ASPECT[orientation],
        "seed": _small(seed),
        "textInput": _script(prompt),
        "videoModelKey": model,
        "videoInput": {
            "mediaId": source,
            "startFrameIndex": frames[0],
            "endFrameIndex": frames[1],
        },
        "metadata": place,
    }
    return _submit(session, project, item, batch)


def upscale_video(
    session: Session,
    project: str,
    *,
    model: str,
    source: str,
    orientation: Orientation,
    resolution: str,
    seed: int,
    batch: str,
) -> Request:
    """`resolution` 720p, 1080p or 4K; no text goes along (flow-wire §8)."""
    item: Body = {
        "aspectRatio": _VIDEO_ASPECT[orientation],
        "seed": _small(seed),
        "videoInput": {"mediaId": source},
        "videoModelKey": model,
        "resolution": f"VIDEO_RESOLUTION_{resolution.upper()}",
        "metadata": {},
    }
    return _submit(session, project, item, batch)


def cancel(media: str) -> Request:
    return Request(body={"mediaId": media})


def delete_media(media: Sequence[str]) -> Request:
    return Request(body={"mediaIds": list(media)})


def update_workflow(project: str, workflow: str, field: str, value: Any) -> Request:
    """`field` is `displayName`, `primaryMediaId` or `archived`."""
    changed = {"name": workflow, "projectId": project, "metadata": {field: value}}
    return Request(
        ids={"workflow": workflow},
        body={"workflow": changed, "updateMask": f"metadata.{field}"},
    )


def update_character(project: str, character: str, info: Body, mask: str) -> Request:
    """`info` is a part of `entityInfo`, `mask` names it (flow-wire §6.9)."""
    entity = {"projectId": project, "entityId": character, "entityInfo": info}
    return Request(body={"entity": entity, "updateMask": mask})


def give_portrait(project: str, character: str, media: str, slot: int, seeds: Seeds) -> Request:
    """A copy of a picture for one of the character's slots; the names follow the other lane's call [I]."""
    return Request(
        body={
            "mediaId": media,
            "projectId": project,
            "characterSlot": {"entityId": character, "slot": slot},
            "mediaIdSeed": seeds.media,
            "workflowIdSeed": seeds.workflow,
        }
    )


def _submit(session: Session, project: str, item: Body, batch: str) -> Request:
    return Request(
        body={
            "clientContext": context(session, project),
            "mediaGenerationContext": {
                "batchId": batch,
                "audioFailurePreference": "BLOCK_SILENCED_VIDEOS",
            },
            "useV2ModelConfig": True,
            "requests": [item],
        }
    )


def _trpc(given: Body) -> Request:
    return Request(body={"json": given})


def _script(prompt: str) -> Body:
    return {"structuredPrompt": {"parts": [{"text": prompt}]}}


def _small(seed: int) -> int:
    return seed % 2**31


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
