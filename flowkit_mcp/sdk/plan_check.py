"""`check_plan`: what a whole film would still cost, whether it may, and what is wrong with its plan. Reads only."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.lint import Finding, ScenePlan, lint
from flowkit_mcp.domain.models import ChainType, Model, Orientation, Slot, Stage
from flowkit_mcp.domain.money import Budget, Ledger
from flowkit_mcp.domain.requests import VideoMode as Mode
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.options import ClipSize, VideoMode, choose_model
from flowkit_mcp.sdk.overview import NOUNS
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.sdk.scene_sources import starts_from_clip
from flowkit_mcp.store import catalog, history, money, takes

RETAKES_PERCENT = 20


@dataclass(frozen=True)
class PlanWishes:
    """By what the film would be made; as the arguments of the generating calls. `upscale` None: not wanted.

    `retakes_percent` None: as often as this library has made takes again so far, or 20 while little is known.
    """

    mode: VideoMode = "auto"
    model: str | None = None
    image_model: str | None = None
    duration_s: int | None = None
    resolution: str | None = None
    upscale: ClipSize | None = None
    retakes_percent: int | None = None


@dataclass(frozen=True)
class Position:
    """One line of the estimate: so many of one thing, by one model, at its live price in credits."""

    what: str
    count: int
    model: str
    each: int

    @property
    def credits(self) -> int:
        return self.count * self.each


@dataclass(frozen=True)
class PlanCheck:
    """What is still to be made and paid for.

    Attributes:
        positions: what is missing, at live prices.
        retakes: the allowance for takes that are not good enough, in credits, rounded up.
        retakes_percent: by how much of the missing it was reckoned.
        balance: the account's credits; None where it does not say.
        budgets: of the project and the day, where set.
        spent: what this video has cost so far.
        findings: of `domain/lint.py`; errors first.
    """

    positions: tuple[Position, ...]
    retakes: int
    retakes_percent: int
    balance: int | None
    budgets: tuple[Budget, ...]
    spent: Ledger
    findings: tuple[Finding, ...]
    at_work: int = 0  #: slots that jobs are filling now; they are not in `positions`

    @property
    def credits(self) -> int:
        """What is missing costs this, without retakes."""
        return sum(position.credits for position in self.positions)

    @property
    def total(self) -> int:
        return self.credits + self.retakes

    @property
    def short(self) -> int:
        """Credits that balance or budgets lack for all of it; 0: it is covered."""
        limits = [budget.left for budget in self.budgets]
        if self.balance is not None:
            limits.append(self.balance)
        return max(0, self.total - min(limits, default=self.total))


@dataclass
class _Books:
    """The estimate while it is added up."""

    kit: FlowKit
    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])
    refused: dict[str, Finding] = field(default_factory=dict[str, Finding])
    at_work: int = 0

    async def model(self, mode: str, side: Orientation, **wishes: int | str | None) -> Model | None:
        """None: this account has nothing that fits, which is a finding."""
        try:
            return await choose_model(self.kit, mode, side, **wishes)  # type: ignore[arg-type]
        except InvalidSetting as error:
            self.refused[error.message] = Finding(
                severity="error", code="NO_MODEL", scene=None, message=error.message,
                remedy=error.hint,
            )  # fmt: skip
            return None

    def missing(self, what: str, slot: Slot, model: Model | None, *, anyway: bool = False) -> None:
        """Count it unless the slot is filled or at work; `anyway`: what it is made from is missing."""
        if slot.job_id is not None:
            self.at_work += 1
        elif model is not None and (anyway or not slot.filled):
            self.counts[what, model.key, model.credits or 0] += 1

    def positions(self) -> tuple[Position, ...]:
        return tuple(
            Position(what, count, key, each) for (what, key, each), count in self.counts.items()
        )


async def check_plan(kit: FlowKit, video_id: str, wishes: PlanWishes | None = None) -> PlanCheck:
    """Look at every scene of a video as if all that is missing were generated now. Free, nothing is made.

    Raises:
        NotFound: no such video. NotConnected: no account has been seen yet. InvalidSetting: `retakes_percent`.
    """
    wishes = wishes or PlanWishes()
    percent = wishes.retakes_percent
    if percent is None:
        learned = await history.retakes_percent(kit.db)
        percent = RETAKES_PERCENT if learned is None else learned
    if not 0 <= percent <= 500:
        raise InvalidSetting(f"retakes_percent is 0 to 500, not {percent}")
    account = await kit.account()
    video = await catalog.video(kit.db, video_id)
    project = await catalog.project(kit.db, video.project_id)
    rows = await catalog.scenes(kit.db, video.id)
    scenes = [Scene(kit, row, video, project) for row in rows]
    books = _Books(kit)
    pictured: dict[str, bool] = {}
    plans = [await _scene(books, scene, wishes, pictured) for scene in scenes]
    known = [row.name for row in await catalog.characters(kit.db)]
    found = (*books.refused.values(), *lint(plans, known))
    positions = books.positions()
    credits = sum(position.credits for position in positions)
    return PlanCheck(
        positions=positions,
        retakes=math.ceil(credits * percent / 100),
        retakes_percent=percent,
        balance=account.credits,
        budgets=tuple(await money.budgets(kit.db, project.id, kit.clock.now())),
        spent=await money.ledger(kit.db, project.id, video.id),
        findings=found,
        at_work=books.at_work,
    )


async def _scene(
    books: _Books,
    scene: Scene,
    wishes: PlanWishes,
    pictured: dict[str, bool],
) -> ScenePlan:
    cast = await scene.cast()
    goes_on = scene.row.chain_type is ChainType.CONTINUATION
    mode = await _mode(scene, wishes.mode)
    needs_frame = mode in ("start", "start_end")
    needs_pictures = needs_frame or mode == "references"  # words alone need none of anybody
    for one in cast:
        if needs_pictures and one.id not in pictured:
            pictured[one.id] = await _reference(books, one, wishes)
    slots = {
        (slot.orientation, slot.stage): slot
        for slot in await takes.slots(books.kit.db, scene_id=scene.id)
    }
    frameless: list[str] = []
    picture: Model | None = None
    clip: Model | None = None
    for side in scene.video.orientations:
        image, made, larger = (
            slots[side, stage] for stage in (Stage.IMAGE, Stage.VIDEO, Stage.UPSCALE)
        )
        if needs_frame:
            picture = await books.model("image", side, model=wishes.image_model) or picture
            books.missing(NOUNS[Stage.IMAGE], image, picture)
            if not image.filled:
                frameless.append(side.value)
        clip = await books.model(
            mode, side, model=wishes.model,
            duration_s=None if mode == "extend" else wishes.duration_s,
            resolution=wishes.resolution,
        ) or clip  # fmt: skip
        books.missing(NOUNS[Stage.VIDEO], made, clip, anyway=needs_frame and not image.filled)
        if wishes.upscale is not None:
            up = await books.model("upscale", side, model=None, resolution=wishes.upscale)
            books.missing(NOUNS[Stage.UPSCALE], larger, up, anyway=not made.filled)
    referring = clip if mode == "references" else picture
    return ScenePlan(
        number=scene.number,
        prompt=scene.row.video_prompt or scene.row.prompt,
        image_prompt=scene.row.image_prompt,
        narration=scene.row.narration,
        cast=tuple(one.name for one in cast),
        unpictured=tuple(one.name for one in cast if not pictured.get(one.id, True)),
        frameless=tuple(frameless),
        mode=mode,
        clip_s=clip.duration_s if clip is not None else None,
        model=referring.name if referring is not None else None,
        max_references=(referring.max_references or None) if referring is not None else None,
        other_references=int(goes_on and mode in ("start", "start_end")),
    )


async def _reference(books: _Books, one: Character, wishes: PlanWishes) -> bool:
    slot = await one.slot()
    model = await books.model("image", slot.orientation, model=wishes.image_model)
    books.missing(NOUNS[Stage.REFERENCE], slot, model)
    return slot.filled


async def _mode(scene: Scene, wanted: VideoMode) -> Mode:
    """What `auto` would be, once the images are there."""
    if wanted != "auto":
        return wanted
    follower = await catalog.continued_by(scene.kit.db, scene.id)
    if follower is None:
        return "start"
    sides = scene.video.orientations
    cut = [await starts_from_clip(scene.kit, follower.id, side) for side in sides]
    return "start" if all(cut) else "start_end"
