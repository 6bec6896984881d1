"""`review`: every clip of a video measured, every join looked at, and a picture of it all. Free; changes nothing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.cut import Loudness
from flowkit_mcp.domain.models import Asset, ChainType, Orientation, Slot, Stage, Take
from flowkit_mcp.domain.speech import spoken
from flowkit_mcp.domain.subclips import subclips
from flowkit_mcp.errors import FlowKitError, MediaError
from flowkit_mcp.media.doctor import (
    Fault,
    JoinFacts,
    Remedy,
    at_fault,
    clip_faults,
    end_of,
    join_faults,
    start_of,
)
from flowkit_mcp.media.facts import STRIP, FactsBook, Shown
from flowkit_mcp.media.hear import SoundFacts
from flowkit_mcp.media.levels import Heard, clip_gains
from flowkit_mcp.media.look import PictureFacts
from flowkit_mcp.media.sheet import SheetItem
from flowkit_mcp.media.threads import Stop, in_thread
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.sdk.sheets import kept_sheet
from flowkit_mcp.store import takes, trims

#: Longer sides in pixels of the sheet for a model and of the one for people.
MODEL_PX, PEOPLE_PX = 1200, 4000
_PEOPLE_BYTES = 6_000_000
#: Clips that are measured at the same time.
_AT_ONCE = 2

Note = Callable[[int, int], None]


@dataclass(frozen=True)
class Measured:
    """What was measured of a clip; `shown` is the part that the film shows."""

    shown: Shown
    picture: PictureFacts
    sound: SoundFacts
    strip: Path


@dataclass(frozen=True)
class ClipReview:
    """One scene in one orientation. `take` None: there is no clip, and `faults` are empty."""

    scene: Scene
    orientation: Orientation
    slot: Slot | None
    take: Take | None
    measured: Measured | None
    faults: tuple[Fault, ...] = ()

    @property
    def words(self) -> str:
        """The measures in a line."""
        if self.take is None:
            return "no clip yet"
        parts = [f"{'upscale' if self.take.stage is Stage.UPSCALE else 'take'} {self.take.number}"]
        if self.measured is not None:
            picture, shown, sound = (
                self.measured.picture,
                self.measured.shown,
                self.measured.sound,
            )
            parts.append(f"{picture.width}x{picture.height} {picture.fps:g} fps")
            length = f"{picture.frames / picture.fps:.2f} s"
            if shown.frames != shown.total:
                start, end = (
                    shown.first / picture.fps,
                    (shown.first + shown.frames) / picture.fps,
                )
                length += f", shown {start:.2f}-{end:.2f}"
            parts.append(length)
            if sound.loudness is not None:
                parts.append(f"{sound.loudness:.1f} LUFS")
        return " · ".join(parts)


@dataclass(frozen=True)
class JoinReview:
    """The join between two scenes that follow each other."""

    before: Scene
    after: Scene
    orientation: Orientation
    facts: JoinFacts


@dataclass(frozen=True)
class Retake:
    """A clip that only another take mends, and its live price; None where the account does not say one."""

    scene: Scene
    orientation: Orientation
    why: tuple[str, ...]
    credits: int | None


@dataclass(frozen=True)
class Review:
    """`sheet` is the picture for a model, `large` the one for people."""

    scenes: tuple[Scene, ...]
    clips: tuple[ClipReview, ...]
    joins: tuple[JoinReview, ...]
    retakes: tuple[Retake, ...]
    sheet: Path
    large: Path


async def review(
    scenes: Sequence[Scene],
    wanted: Sequence[Scene],
    orientations: Sequence[Orientation],
    note: Note | None = None,
) -> Review:
    """Look at clips and joins.

    Args:
        scenes: all of the video, in order.
        wanted: those of them that are looked at; the joins to their neighbours are, too.
        orientations: in which films.
        note: told how many clips of how many are measured.

    Raises:
        MediaError: the sheet cannot be written.
    """
    kit = wanted[0].kit
    desk = _Desk(kit, scenes, note)
    clips: list[ClipReview] = []
    joins: list[JoinReview] = []
    for side in orientations:
        around = _with_neighbours(scenes, wanted)
        looked = await desk.look(around, side)
        joins += await desk.joins(looked, wanted, side)
        clips += [one for one in looked if one.scene.id in {scene.id for scene in wanted}]
    clips.sort(key=lambda one: (one.scene.number, list(orientations).index(one.orientation)))
    joins.sort(key=lambda one: (one.before.number, list(orientations).index(one.orientation)))
    retakes = await _retakes(clips, joins)
    sheet, large = await _sheets(kit, clips, len(scenes))
    return Review(tuple(wanted), tuple(clips), tuple(joins), retakes, sheet, large)


def _with_neighbours(scenes: Sequence[Scene], wanted: Sequence[Scene]) -> list[Scene]:
    numbers = {scene.number for scene in wanted}
    return [s for s in scenes if {s.number - 1, s.number, s.number + 1} & numbers]


class _Desk:
    """Measures clips, a few at a time, and judges what it sees."""

    def __init__(self, kit: FlowKit, scenes: Sequence[Scene], note: Note | None) -> None:
        self._kit = kit
        self._scenes = scenes
        self._book = FactsBook(kit.media.looks)
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._note = note
        self._done = self._all = 0

    async def look(self, scenes: Sequence[Scene], side: Orientation) -> list[ClipReview]:
        cut = await trims.trims(self._kit.db, self._scenes[0].video.id, side)
        found = [await self._clip(scene, side) for scene in scenes]
        self._all += len(found)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._measured(one, cut)) for one in found]
        return [task.result() for task in tasks]

    async def _clip(self, scene: Scene, side: Orientation) -> ClipReview:
        """What the film would take: of a scene that has been made larger the larger one."""
        slots = await scene.slots()
        for stage in (Stage.UPSCALE, Stage.VIDEO):
            slot = slots[side, stage]
            if slot.filled and slot.take_id is not None:
                take = await takes.take(self._kit.db, slot.take_id)
                return ClipReview(scene, side, slot, take, None)
        return ClipReview(scene, side, slots[side, Stage.IMAGE], None, None)

    async def _measured(
        self, one: ClipReview, cut: dict[str, tuple[float, float | None]]
    ) -> ClipReview:
        if one.take is None:
            return one
        asset = await takes.asset(self._kit.db, one.take.asset_id)
        row = one.scene.row
        start, end = cut.get(one.scene.id, (row.trim_start or 0.0, row.trim_end))
        path = self._kit.media.absolute(asset.path)

        def work(stop: Stop) -> Measured:
            shown = self._book.shown(path, asset.sha256, start, end)
            picture = self._book.picture(shown, stop)
            sound = self._book.sound(shown, stop)
            return Measured(shown, picture, sound, self._book.strip(shown, stop))

        try:
            async with self._turn:
                measured = await in_thread(work)
        except MediaError as error:
            return replace(one, faults=(await self._damaged(asset, error),))
        finally:
            self._done += 1
            if self._note is not None:
                self._note(self._done, self._all)
        faults = clip_faults(
            measured.picture,
            measured.sound,
            planned_s=await self._planned(one),
            spoken=bool(spoken(_prompt(one.scene))),
        )
        return replace(
            one,
            measured=measured,
            faults=tuple(fault for fault in faults if _is_shown(fault, measured)),
        )

    async def _damaged(self, asset: Asset, error: MediaError) -> Fault:
        """Nothing is paid for what Flow still has: once the file is away it is fetched again."""
        there = await asyncio.to_thread(self._kit.media.absolute(asset.path).exists)
        code = "DAMAGED" if there else "GONE"
        if not await takes.remotes(self._kit.db, asset.id):
            return Fault(code, error.message, Remedy.TAKE)
        free = "it is fetched again free while Flow is connected"
        if there:
            return Fault(code, f"{error.message}; delete {asset.path}: {free}", Remedy.FREE)
        return Fault(code, f"{asset.path} is gone; {free}", Remedy.FREE)

    async def _planned(self, one: ClipReview) -> float | None:
        """How long the clip was to be: by its model, else by the last beat of its plan; None for an extension."""
        take = one.take
        if take is None or take.params.get("mode") == "extend":
            return None
        if take.stage is Stage.VIDEO:
            try:
                models = (await self._kit.account()).models
            except FlowKitError:
                models = ()  # no account has been seen yet
            for model in models:
                if model.key == take.model and model.duration_s:
                    return float(model.duration_s)
        beats = subclips(_prompt(one.scene))
        return max((beat.end_s for beat in beats), default=None)

    async def joins(
        self, looked: Sequence[ClipReview], wanted: Sequence[Scene], side: Orientation
    ) -> list[JoinReview]:
        """Between clips that follow each other, one of which is wanted."""
        ids = {scene.id for scene in wanted}
        pairs = [
            (one, other)
            for one, other in itertools.pairwise(looked)
            if other.scene.number == one.scene.number + 1
            and one.measured is not None
            and other.measured is not None
            and ({one.scene.id, other.scene.id} & ids)
        ]
        if not pairs:
            return []
        gains = await self._gains(looked)
        return [self._join(one, other, gains) for one, other in pairs]

    async def _gains(self, looked: Sequence[ClipReview]) -> dict[str, float]:
        """What the merge will turn each clip up or down by, as far as the clips looked at tell."""
        heard = [
            (one.scene.id, Heard(list(one.measured.sound.blocks)))
            for one in looked
            if one.measured is not None
        ]
        _, gains = clip_gains([one for _, one in heard], Loudness().level_clips_db)
        return dict(zip((id for id, _ in heard), gains, strict=True))

    def _join(self, one: ClipReview, other: ClipReview, gains: dict[str, float]) -> JoinReview:
        a, b = one.measured, other.measured
        assert a is not None and b is not None
        before = end_of(a.picture, a.sound, a.shown.first, a.shown.frames)
        after = start_of(b.picture, b.sound, b.shown.first, b.shown.frames)
        step = after.loudness - before.loudness
        facts = join_faults(
            before,
            after,
            goes_on=goes_on(one.scene, other.scene),
            spoken=(bool(spoken(_prompt(one.scene))), bool(spoken(_prompt(other.scene)))),
            film_step_lu=step + gains[other.scene.id] - gains[one.scene.id],
        )
        return JoinReview(one.scene, other.scene, one.orientation, facts)


def goes_on(one: Scene, other: Scene) -> bool:
    """Whether the second scene continues the first, so that their pictures should meet."""
    row = other.row
    return row.chain_type is ChainType.CONTINUATION and row.parent_scene_id == one.id


def _prompt(scene: Scene) -> str:
    return scene.row.video_prompt or scene.row.prompt


def _is_shown(fault: Fault, measured: Measured) -> bool:
    """A fault that is trimmed off already is none."""
    if fault.span is None:
        return True
    shown, fps = measured.shown, measured.picture.fps
    start, end = shown.first / fps, (shown.first + shown.frames) / fps
    return fault.span[0] < end - 0.5 / fps and fault.span[1] > start + 0.5 / fps


async def _retakes(clips: Sequence[ClipReview], joins: Sequence[JoinReview]) -> tuple[Retake, ...]:
    """What only another take would mend, each clip once, with its live price."""
    why: dict[tuple[str, Orientation], list[str]] = {}
    by_key = {(one.scene.id, one.orientation): one for one in clips}
    for one in clips:
        for fault in one.faults:
            if fault.remedy is Remedy.TAKE:
                why.setdefault((one.scene.id, one.orientation), []).append(fault.what)
    for join in joins:
        for fault in join.facts.faults:
            if fault.remedy is not Remedy.TAKE:
                continue
            key = (join.before.id, join.orientation)
            taken = by_key.get(key)
            ends = taken is not None and taken.take is not None and bool(taken.take.ends_on_id)
            if at_fault(fault.code, fault.late, ends):
                key = (join.after.id, join.orientation)
            if key in by_key:
                where = f"at the join {join.before.number}-{join.after.number}"
                why.setdefault(key, []).append(f"{fault.what} ({where})")
    found: list[Retake] = []
    for key, reasons in why.items():
        one = by_key[key]
        price = await _price(one)
        found.append(Retake(one.scene, one.orientation, tuple(dict.fromkeys(reasons)), price))
    return tuple(sorted(found, key=lambda one: (one.scene.number, one.orientation)))


async def _price(one: ClipReview) -> int | None:
    """What the same kind of clip costs now; None if nothing can be said, as when Flow has never been connected."""
    take = one.take
    if take is None:
        return None
    if take.stage is Stage.UPSCALE and take.made_from_id is not None:
        take = await takes.take(one.scene.kit.db, take.made_from_id)
    mode = take.params.get("mode")
    options = {"mode": mode if mode in ("references", "text", "extend") else "auto"}
    for model in (take.model, None):
        try:
            planned = await one.scene.plan_video(
                one.orientation,
                new_take=True,
                model=model,
                **options,  # type: ignore[arg-type]
            )
        except FlowKitError:
            continue  # the model is gone, or nothing it is made from is there any more
        return planned.credits
    return None


async def _sheets(kit: FlowKit, clips: Sequence[ClipReview], of: int) -> tuple[Path, Path]:
    items = [_item(kit, one) for one in clips]
    numbers = [one.scene.number for one in clips]
    span = f"scene {numbers[0]}" if len(set(numbers)) == 1 else f"scenes {numbers[0]}-{numbers[-1]}"
    title = f"{clips[0].scene.video.title} · {span} of {of}"
    small = await kept_sheet(kit, "review", items, title=title, longest=MODEL_PX, beside=True)
    large = await kept_sheet(
        kit, "review", items, title=title, longest=PEOPLE_PX, most_bytes=_PEOPLE_BYTES
    )
    return small, large


def _item(kit: FlowKit, one: ClipReview) -> SheetItem:
    label = f"Scene {one.scene.number}"
    if one.measured is None:
        slot = one.slot
        picture = slot is not None and slot.filled and slot.path is not None and one.take is None
        said = "image, no clip yet" if picture else "no clip yet"
        if one.faults:
            said = one.faults[0].code.lower()
        path = kit.media.absolute(slot.path or "") if picture and slot is not None else None
        return SheetItem(path, label, said, one.orientation, STRIP, alarm=bool(one.faults))
    bad = [fault.what for fault in one.faults if fault.remedy is not Remedy.NOTE]
    picture, shown = one.measured.picture, one.measured.shown
    length = f"{shown.frames / picture.fps:.1f} s"
    if shown.frames != shown.total:
        length += f" of {shown.total / picture.fps:.1f} s"
    take = f"take {one.take.number}" if one.take else ""
    loud = one.measured.sound.loudness
    said = f"{take} · {length}" + ("" if loud is None else f" · {loud:.0f} LUFS")
    if bad:
        said = "; ".join(bad)
    return SheetItem(one.measured.strip, label, said, one.orientation, STRIP, alarm=bool(bad))
