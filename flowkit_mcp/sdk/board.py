"""A video as a storyboard shows it: every slot with its takes, its job, its price. Reads only.

A look is cheap also at a long film (16 ms of processor time for 40 scenes in both orientations), for it is asked every
second or two. `mark` is the same for two looks at the same state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import ChainType, Job, JobState, Orientation, Slot, Stage, Take
from flowkit_mcp.domain.models import Scene as SceneRow
from flowkit_mcp.errors import InvalidSetting, NotConnected
from flowkit_mcp.sdk.options import choose_model
from flowkit_mcp.sdk.overview import MOVING
from flowkit_mcp.store import catalog, jobs, money, takes

_TOLD = (*MOVING, JobState.NEEDS_ATTENTION, JobState.FAILED)
_MOST_JOBS = 500
_SHOWN = (Stage.IMAGE, Stage.VIDEO, Stage.UPSCALE)


class _Seen(BaseModel):
    model_config = ConfigDict(frozen=True)


class TakeSeen(_Seen):
    """`seconds`: of a clip. `credits`: what was charged for it."""

    id: str
    number: int
    credits: int | None = None
    model: str | None = None
    seconds: float | None = None


class JobSeen(_Seen):
    """The job that is at work on a slot, or the last one if it failed; `credits` as agreed."""

    id: int
    state: str
    progress: float
    credits: int
    code: str | None = None
    why: str | None = None


class SlotSeen(_Seen):
    """`take`: the number in use. `stale`: it was made from something no longer in use. `price`: of another one."""

    take: int | None = None
    stale: bool = False
    takes: tuple[TakeSeen, ...] = ()
    job: JobSeen | None = None
    price: int | None = None


class SceneSeen(_Seen):
    """`sides`: by orientation, then by stage."""

    id: str
    number: int
    prompt: str
    continues: int | None = None
    narration: str | None = None
    characters: tuple[str, ...] = ()
    sides: dict[str, dict[str, SlotSeen]]


class MemberSeen(_Seen):
    id: str
    name: str
    entity_type: str
    orientation: str
    description: str
    reference: SlotSeen


class Named(_Seen):
    id: str
    name: str


class FlowSeen(_Seen):
    """How things stand with Flow; `next` is empty if there is nothing for the person to do."""

    ready: bool
    simulated: bool
    what: str
    next: str = ""
    credits: int | None = None


class Board(_Seen):
    mark: str
    project: Named
    video: Named
    videos: tuple[Named, ...]
    orientations: tuple[str, ...]
    flow: FlowSeen
    spent: int
    budget: int | None = None
    cast: tuple[MemberSeen, ...]
    scenes: tuple[SceneSeen, ...]


async def board(kit: FlowKit, video: str) -> Board:
    """The board of a video, by id or title. Raises NotFound, Conflict."""
    row = await catalog.video(kit.db, video)
    project = await catalog.project(kit.db, row.project_id)
    scenes = await catalog.scenes(kit.db, row.id)
    eyes = await _Eyes.open(kit, project.id, row.id, scenes)
    seen = Board(
        mark="",
        project=Named(id=project.id, name=project.name),
        video=Named(id=row.id, name=row.title),
        videos=tuple(
            Named(id=one.id, name=one.title) for one in await catalog.videos(kit.db, project.id)
        ),
        orientations=tuple(row.orientations),
        flow=await _flow(kit),
        spent=(await money.ledger(kit.db, project.id, row.id)).total.credits,
        budget=project.budget_credits,
        cast=await _cast(kit, eyes, project.id),
        scenes=tuple([await _scene(kit, eyes, one, row.orientations) for one in scenes]),
    )
    mark = hashlib.sha256(seen.model_dump_json().encode()).hexdigest()[:16]
    return seen.model_copy(update={"mark": mark})


async def take_file(kit: FlowKit, take: str) -> Path:
    """The file of a take, in full. Raises NotFound."""
    made = await takes.take(kit.db, take)
    return kit.media.absolute((await takes.asset(kit.db, made.asset_id)).path)


# ---- how it is seen ------------------------------------------------------------------------------


class _Eyes:
    """What was read for all slots at once."""

    def __init__(
        self,
        kit: FlowKit,
        scenes: list[SceneRow],
        found: Iterable[Job],
        made: Iterable[Take],
        slots: Iterable[Slot],
        lengths: dict[str, int],
    ) -> None:
        self._kit = kit
        self._jobs: dict[tuple[str | None, str | None, str | None], Job] = {}
        for job in found:  # newest first
            self._jobs.setdefault(_place(job), job)
        by_place = sorted(made, key=lambda take: (str(_place(take)), take.number))
        self._takes = {
            place: list(group) for place, group in groupby(by_place, key=lambda take: _place(take))
        }
        self.slots = {_place(slot): slot for slot in slots}
        self._lengths = lengths
        self._prices: dict[tuple[str, Orientation], int | None] = {}
        self.numbers = {scene.id: scene.number for scene in scenes}
        self._followed = {
            scene.parent_scene_id
            for scene in scenes
            if scene.chain_type is ChainType.CONTINUATION and scene.parent_scene_id
        }

    @classmethod
    async def open(
        cls, kit: FlowKit, project_id: str, video_id: str, scenes: list[SceneRow]
    ) -> _Eyes:
        return cls(
            kit,
            scenes,
            await jobs.jobs(kit.db, project_id=project_id, states=_TOLD, limit=_MOST_JOBS),
            await takes.takes_of_video(kit.db, video_id),
            await takes.slots_of_video(kit.db, video_id),
            await takes.lengths_of_video(kit.db, video_id),
        )

    async def of_scene(self, scene: SceneRow, side: Orientation, stage: Stage) -> SlotSeen:
        place = (scene.id, str(side), str(stage))
        mode = {Stage.IMAGE: "image", Stage.UPSCALE: "upscale"}.get(stage)
        mode = mode or ("start_end" if scene.id in self._followed else "start")
        made = self._takes.get(place, [])
        return await self._seen(self.slots[place], made, self._jobs.get(place), mode)

    async def of_member(self, slot: Slot, made: list[Take]) -> SlotSeen:
        return await self._seen(slot, made, self._jobs.get(_place(slot)), "image")

    async def _seen(self, slot: Slot, made: list[Take], job: Job | None, mode: str) -> SlotSeen:
        return SlotSeen(
            take=slot.take_number,
            stale=slot.stale,
            takes=tuple(
                TakeSeen(
                    id=take.id,
                    number=take.number,
                    credits=take.credits,
                    model=take.model,
                    seconds=self._seconds(take),
                )
                for take in made
            ),
            job=_job(job, made),
            price=await self._price(mode, slot.orientation),
        )

    def _seconds(self, take: Take) -> float | None:
        length = self._lengths.get(take.asset_id)
        return None if length is None else round(length / 1000, 1)

    async def _price(self, mode: str, side: Orientation) -> int | None:
        """Of the usual model; None while no account was seen, or where it has nothing that fits."""
        if (mode, side) not in self._prices:
            price: int | None
            try:
                size = "1080p" if mode == "upscale" else None
                model = await choose_model(self._kit, mode, side, model=None, resolution=size)
                price = model.credits
            except (InvalidSetting, NotConnected):
                price = None
            self._prices[mode, side] = price
        return self._prices[mode, side]


def _place(of: Job | Take | Slot) -> tuple[str | None, str | None, str | None]:
    """Which slot. A character has one, whatever its orientation was when a take was made."""
    if of.character_id is not None:
        return of.character_id, None, None
    return of.scene_id, of.orientation and str(of.orientation), of.stage and str(of.stage)


def _job(job: Job | None, made: list[Take]) -> JobSeen | None:
    """A job that failed is told until something newer was made."""
    if job is None:
        return None
    if job.state is JobState.FAILED and made and made[-1].created_at > (job.finished_at or 0):
        return None
    return JobSeen(
        id=job.id,
        state=job.state.value,
        progress=round(job.progress, 2),
        credits=job.credits_estimate,
        code=job.reason,
        why=job.message,
    )


async def _scene(
    kit: FlowKit, eyes: _Eyes, scene: SceneRow, sides: Iterable[Orientation]
) -> SceneSeen:
    cast = await catalog.scene_cast(kit.db, scene.id)
    return SceneSeen(
        id=scene.id,
        number=scene.number,
        prompt=scene.prompt,
        continues=eyes.numbers.get(scene.parent_scene_id or ""),
        narration=scene.narration,
        characters=tuple(one.name for one in cast),
        sides={
            str(side): {str(stage): await eyes.of_scene(scene, side, stage) for stage in _SHOWN}
            for side in sides
        },
    )


async def _cast(kit: FlowKit, eyes: _Eyes, project_id: str) -> tuple[MemberSeen, ...]:
    seen: list[MemberSeen] = []
    for one in await catalog.characters(kit.db, project_id):
        (slot,) = await takes.slots(kit.db, character_id=one.id)
        made = await takes.takes(kit.db, character_id=one.id)
        seen.append(
            MemberSeen(
                id=one.id,
                name=one.name,
                entity_type=one.entity_type.value,
                orientation=str(slot.orientation),
                description=one.description,
                reference=await eyes.of_member(slot, made),
            )
        )
    return tuple(seen)


async def _flow(kit: FlowKit) -> FlowSeen:
    status = await kit.status()
    account = status.provider.account if status.provider is not None else None
    return FlowSeen(
        ready=status.browser.fine,
        simulated=status.simulated,
        what=status.browser.what,
        next=status.browser.next,
        credits=account.credits if account is not None else None,
    )
