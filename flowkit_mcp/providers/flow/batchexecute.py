"""Lane `batchexecute`: from what is wanted to the positional arrays Flow expects. Pure, no I/O.

Slots are those of flow-wire §2.2, §4.1, §5.1, §6.1, §7 and §8; a value in a wrong slot is answered 200 and ignored,
so every builder is tested against the document's own examples. Payloads that come back: `payloads.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from flowkit_mcp.bridge.protocol import RECAPTCHA
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.providers.flow.ids import Seeds

Json = list[Any]
#: (top, left, bottom, right) as fractions of the picture; None where 0 is printed as null.
Crop = tuple[float | None, float | None, float | None, float | None]

TOOL = 22  #: PINHOLE = Flow, flow-wire §2.2
_WEB = 1
_REFERENCE, _BASE = 1, 2
_UPRIGHT, _WIDE = 2, 3  # of pictures, flow-wire §4.1
_VIDEO_ASPECT = {Orientation.VERTICAL: 1, Orientation.HORIZONTAL: 2}  # not the image enum, §6.1
_OUT_360P = [4]
_UPSCALE_RESOLUTION = {"720p": 1, "1080p": 2, "4K": 3}
_UPSCALE_SLOTS = 32
#: A clip whose sound is filtered fails, uncharged, instead of arriving silent (flow-wire §2.2, [S]).
_BLOCK_SILENCED, _RETURN_SILENCED = 2, 1
_PROJECT_PAGE = 21
_ALL_PROJECTS = "projects/*"


def source_path(project: str | None) -> str:
    """The page a call claims to come from; some image models refuse a call without it (flow-wire §2.1)."""
    return f"/project/{project}" if project else "/"


def context(project: str | None, workflow: str | None = None) -> Json:
    """`ctx` of flow-wire §2.2, with the place where the extension puts the page's token."""
    ids = [workflow, project]
    return [None, TOOL, None, None, *ids, None, None, None, None, [RECAPTCHA, _WEB]]


def credits() -> Json:
    return []


def models() -> Json:
    return []


def create_project(title: str) -> Json:
    return [_ALL_PROJECTS, [None, [title]], [None, TOOL]]


def project_list(token: str | None = None) -> Json:
    """One page of projects. The token belongs in slot 2; in slot 3 it would repeat page one forever."""
    return [_ALL_PROJECTS, _PROJECT_PAGE, token, None, None, None, [1]]


def project_contents(project: str) -> Json:
    return [f"projects/{project}", None, None, None, [1]]


def media_get(media: str) -> Json:
    return [media]


def video_status(media: Sequence[str]) -> Json:
    return [None, None, [[one] for one in media]]


def upload_image(project: str, *, data: str, mime: str, name: str, seeds: Seeds) -> Json:
    """`data` is base64; the new tile is titled `name`."""
    return [context(project), data, mime, 1, None, None, None, None, name, None, *seeds]


def generate_image(
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    seed: int,
    seeds: Seeds,
    batch: str,
    references: Sequence[str] = (),
    base: str | None = None,
    workflow: str | None = None,
    wide: int = _WIDE,
) -> Json:
    """One picture (flow-wire §4.1). `wide` is the number of 16:9, on which one source differs.

    An edit names the base image first, and the workflow it belongs to; the workflow seed is then null, because no
    workflow is made.
    """
    inputs = [[base, None, None, None, _BASE]] if base else []
    inputs += [[one, None, None, None, _REFERENCE] for one in references]
    ctx = context(project, workflow)
    item = [
        None,
        None,
        inputs or None,
        seed,
        wide if orientation is Orientation.HORIZONTAL else _UPRIGHT,
        model,
        None,
        ctx,
        [[[prompt]]],
        None,
        None,
        None,
        None if workflow else seeds.workflow,
        seeds.media,
    ]
    return [None, [item], 1, ctx, [batch]]


def upscale_image(media: str, level: int) -> Json:
    """A larger picture (flow-wire §4.3); its context names no project."""
    return [media, level, context(None)]


def video_from_text(
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    seeds: Seeds,
    batch: str,
    small: bool = False,
) -> Json:
    """A clip from words alone; `small` is 360p."""
    item = [
        _script(prompt),
        model,
        _VIDEO_ASPECT[orientation],
        None,
        _meta(seeds),
        *([None, None, _OUT_360P] if small else []),
    ]
    return _submit(item, project, batch)


def video_from_references(
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    references: Sequence[str],
    voices: Sequence[str],
    seeds: Seeds,
    batch: str,
    small: bool = False,
) -> Json:
    """A clip in which these pictures appear and these preset voices speak."""
    item = [
        _script(prompt),
        [_picture(one) for one in references],
        model,
        _VIDEO_ASPECT[orientation],
        None,
        _meta(seeds),
        None,
        [[voice] for voice in voices],
        None,
        [],
        [],
        *([_OUT_360P] if small else []),
    ]
    return _submit(item, project, batch)


def extend_video(
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    source: str,
    frames: tuple[int, int],
    scene: str | None,
    seeds: Seeds,
    batch: str,
) -> Json:
    """A clip that goes on from the last second of another, in a scene as the page does it (flow-wire §6.6)."""
    item = [
        [None, source, *frames],
        _script(prompt),
        model,
        _VIDEO_ASPECT[orientation],
        None,
        [scene, None, None, None, *seeds],
    ]
    group = [batch, _BLOCK_SILENCED, None, [scene, 1]] if scene else [batch, _RETURN_SILENCED]
    return [[item], context(project), group]


def video_from_start(
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    start: str,
    seeds: Seeds,
    batch: str,
    crop: Crop | None = None,
    small: bool = False,
) -> Json:
    """A clip from its first frame. No slot for a number seed is known in this lane, so none is sent."""
    item = [
        _script(prompt),
        model,
        _VIDEO_ASPECT[orientation],
        None,
        _picture(start, crop),
        _meta(seeds),
        None,
        None,
        None,
        *([_OUT_360P] if small else []),
    ]
    return _submit(item, project, batch)


def video_from_start_to_end(
    project: str,
    *,
    model: str,
    prompt: str,
    orientation: Orientation,
    start: str,
    end: str,
    seeds: Seeds,
    batch: str,
) -> Json:
    """A clip between two frames; its resolution follows from the key alone (flow-wire §6.1)."""
    item = [
        _script(prompt),
        model,
        _VIDEO_ASPECT[orientation],
        None,
        _picture(start),
        _picture(end),
        _meta(seeds),
        None,
        None,
    ]
    return _submit(item, project, batch)


def upscale_video(
    project: str,
    *,
    model: str,
    source: str,
    workflow: str | None,
    orientation: Orientation,
    resolution: Literal["720p", "1080p", "4K"],
    seeds: Seeds,
    batch: str,
    slot_6: Literal["resolution", "aspect"] = "resolution",
) -> Json:
    """A larger version of a clip, into the clip's own workflow (flow-wire §8).

    What slot 6 holds is in conflict (§10): three sources say the resolution, one the aspect.
    """
    item: Json = [None] * _UPSCALE_SLOTS
    item[0] = [None, source]
    item[2] = _VIDEO_ASPECT[orientation]
    item[4] = [None, workflow, None, None, seeds.media]
    item[6] = _UPSCALE_RESOLUTION[resolution] if slot_6 == "resolution" else item[2]
    item[31] = model
    return _submit(item, project, batch)


def _submit(item: Json, project: str, batch: str) -> Json:
    return [[item], context(project), [batch, _BLOCK_SILENCED]]


def _script(prompt: str) -> Json:
    return [None, None, [[[prompt]]]]


def _picture(media: str, crop: Crop | None = None) -> Json:
    return [None, media] if crop is None else [None, media, None, None, None, list(crop)]


def _meta(seeds: Seeds) -> Json:
    return [None, None, None, None, *seeds]
