"""From a video and the options of a cut to what is joined: trims, captions and files of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.cut import Captions, Cue, Cut, Trim, trim_to_words
from flowkit_mcp.domain.models import Orientation, Stage
from flowkit_mcp.domain.requests import Merge
from flowkit_mcp.domain.speech import seconds
from flowkit_mcp.domain.subclips import subclips
from flowkit_mcp.errors import InvalidSetting, NotReady
from flowkit_mcp.media.merge import plan_merge
from flowkit_mcp.media.thumbnail import Thumbnail, thumbnail
from flowkit_mcp.sdk.jobs import Planned
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.store import takes, trims

CAPTION_DELAY_S = 0.3
_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif"})


async def complete(
    kit: FlowKit, cut: Cut, scenes: Sequence[Scene], orientation: Orientation
) -> Cut:
    """The cut with what the scenes themselves say: their trims, and their narration as words.

    Raises:
        InvalidSetting: it names a clip that is not there.
    """
    wrong = sorted(number for number in cut.clip_numbers if number > len(scenes))
    if wrong:
        raise InvalidSetting(
            f"there is no clip {wrong[0]}", hint=f"The film has {len(scenes)}, numbered from 1."
        )
    own = await trims.trims(kit.db, scenes[0].video.id, orientation)
    given = {trim.clip for trim in cut.trims}
    added: list[Trim] = []
    for scene in scenes:
        start, end = own.get(scene.id, (scene.row.trim_start or 0.0, scene.row.trim_end))
        if scene.number not in given and (start or end is not None):
            added.append(Trim(clip=scene.number, start_s=start, end_s=end))
    texts = {scene.number: scene.row.narration or "" for scene in scenes}
    narration = tuple(
        one if one.text or one.clip is None else one.model_copy(update={"text": texts[one.clip]})
        for one in cut.narration
    )
    return cut.model_copy(
        update={
            "trims": (*cut.trims, *added),
            "narration": narration,
            "captions": _captions(cut, scenes),
        }
    )


def _captions(cut: Cut, scenes: Sequence[Scene]) -> Captions | None:
    """Where nobody reads the narration aloud, its words are shown from the scene's beginning."""
    asked = cut.captions
    if asked is None or asked.cues or cut.narration:
        return asked
    cues = tuple(
        Cue(
            clip=scene.number,
            start_s=CAPTION_DELAY_S,
            end_s=CAPTION_DELAY_S + max(1.0, seconds(scene.row.narration)),
            text=scene.row.narration,
        )
        for scene in scenes
        if scene.row.narration
    )
    return asked.model_copy(update={"cues": cues})


def marks(cut: Cut) -> tuple[str, ...]:
    """Name, size and time of each file that the cut names.

    Raises:
        InvalidSetting: one is missing or is no file.
    """
    found: list[str] = []
    for name in cut.files:
        file = Path(name).expanduser()
        if not file.is_file():
            raise InvalidSetting(
                f"there is no file {name}", hint="Give the whole path of a file on this machine."
            )
        stat = file.stat()
        found.append(f"{name}:{stat.st_size}:{stat.st_mtime_ns}")
    return tuple(found)


async def dry_run(kit: FlowKit, planned: Planned) -> dict[str, Any]:
    """What joining would do and why, as `media.merge.plan_merge` says it; nothing is written."""
    request = planned.request
    if not isinstance(request, Merge):
        raise TypeError("only a film has a dry run")
    clips = [await takes.take(kit.db, id) for id in request.clip_take_ids]
    assets = [await takes.asset(kit.db, clip.asset_id) for clip in clips]
    return await plan_merge([kit.media.absolute(asset.path) for asset in assets], request.cut)


async def trim(
    scene: Scene,
    orientation: Orientation,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    beat: str | None = None,
    clear: bool = False,
) -> Trim | None:
    """Show only a part of a scene's clip; the file stays as it is. Returns what counts now.

    Args:
        scene: whose clip.
        orientation: in which film.
        start_s: seconds in the clip as it was made.
        end_s: likewise; None: its end.
        beat: instead of seconds, words of one beat of the sub-clip plan ("3-6s: rain begins").
        clear: show all of it again.

    Raises:
        InvalidSetting: no such beat, or the times do not fit the clip.
        NotReady: there is no clip.
    """
    kit = scene.kit
    if clear:
        async with kit.db.transaction() as tx:
            await trims.clear_trim(tx, scene.id, orientation)
        return None
    slot = (await scene.slots())[orientation, Stage.VIDEO]
    if slot.asset_id is None:
        raise NotReady(
            f"scene {scene.number} has no {orientation} clip to trim",
            hint=f"Call generate_video for scene {scene.number} first, then wait.",
        )
    if beat is not None:
        said = _beat(scene, beat)
        start_s, end_s = said.start_s, said.end_s
    if start_s is None and end_s is None:
        raise InvalidSetting("nothing to trim to is given", hint="Pass start_s, end_s or beat.")
    length = ((await takes.asset(kit.db, slot.asset_id)).duration_ms or 0) / 1000
    start = start_s or 0.0
    if start < 0 or start >= length or (end_s is not None and not start < end_s <= length + 0.05):
        end = "the end" if end_s is None else f"{end_s:g} s"
        raise InvalidSetting(
            f"{start:g} s to {end} does not lie in the clip of {length:g} s",
            hint="Times count in the clip as it was made.",
        )
    async with kit.db.transaction() as tx:
        await trims.set_trim(tx, scene.id, orientation, start, end_s)
    return Trim(clip=scene.number, start_s=start, end_s=end_s)


def _beat(scene: Scene, words: str) -> Trim:
    text = scene.row.video_prompt or scene.row.prompt
    found = trim_to_words(scene.number, text, words)
    if found is None:
        told = "; ".join(f"{b.start_s:g}-{b.end_s:g}s {b.text}" for b in subclips(text))
        raise InvalidSetting(
            f"no beat says {words!r}",
            hint=f"The beats are: {told}."
            if told
            else "The scene's prompt has no beats; pass seconds.",
        )
    return found


async def make_thumbnail(
    scenes: Sequence[Scene],
    orientation: Orientation,
    *,
    title: str = "",
    subtitle: str = "",
    at_s: float | None = None,
    image: str | None = None,
) -> Thumbnail:
    """The best frame of these scenes' clips, or a picture of one's own, with words on it, as JPEG.

    Raises:
        NotReady: there is nothing yet to make it from.
        InvalidSetting: there is no such picture, or `at_s` with a picture.
        MediaError: a source is damaged.
    """
    sources: list[Path] = []
    if image is not None:
        sources.append(_own_picture(image, at_s))
    if not scenes:
        raise NotReady("the video has no scenes", hint="Call add_scene first.")
    kit, video = scenes[0].kit, scenes[0].video
    film = kit.media.render_path(
        project=scenes[0].project.slug, video=video.slug, orientation=orientation, number=1
    )
    to = film.with_name(f"{video.slug}-{orientation.lower()}-thumbnail.jpg")
    for scene in scenes if image is None else ():
        slots = await scene.slots()
        for stage in (Stage.UPSCALE, Stage.VIDEO, Stage.IMAGE_UPSCALE, Stage.IMAGE):
            slot = slots[orientation, stage]
            if slot.filled and slot.path is not None:
                sources.append(kit.media.absolute(slot.path))
                break
    if not sources:
        raise NotReady(
            f"no {orientation} clip or image yet",
            hint="Call generate_image or generate_video first.",
        )
    return await thumbnail(sources, to, orientation, title=title, subtitle=subtitle, at_s=at_s)


def _own_picture(name: str, at_s: float | None) -> Path:
    file = Path(name).expanduser()
    if at_s is not None:
        raise InvalidSetting("at_s is a moment of a clip", hint="Pass image or at_s, not both.")
    if not file.is_file() or file.suffix.lower() not in _PICTURES:
        raise InvalidSetting(
            f"image: there is no picture {name[:200]}",
            hint="Give the whole path of a JPEG, PNG or WebP file on this machine.",
        )
    return file
