"""`review`: a picture of the clips that a model can look at, what was measured of them, and what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mcp.types import CallToolResult

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import NotReady
from flowkit_mcp.sdk.review import ClipReview, JoinReview, Retake, Review
from flowkit_mcp.sdk.review import review as look_at
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import (
    Detail,
    InProject,
    InVideo,
    Orientations,
    Scenes,
    find_scenes,
    find_video,
    orientations_of,
)
from flowkit_mcp.server.results import Result, cut, reply
from flowkit_mcp.server.schemas import READS, STORYBOARD, tool

#: Six rows of the picture (media.md §4): upright clips stand two in a row.
_PAGE, _UPRIGHT_PAGE, _MOST = 6, 12, 24
_LISTED = 12


class Again(Result):
    """A clip that only another take mends; `credits` is what it costs now."""

    scene: int
    orientation: str
    why: str
    credits: int | None = None


class Looked(Result):
    """`clips`: measures and faults by scene and orientation; `joins`: between which scenes; `mended`: what merge does
    by itself; `free`: calls that mend something for nothing.
    """

    video: str
    shown: str
    clips: dict[str, str]
    joins: dict[str, str] | None = None
    mended: list[str] | None = None
    free: list[str] | None = None
    retakes: list[Again] | None = None
    sheet: str
    next: str


async def review(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    scenes: Scenes = None,
    orientations: Orientations = None,
    detail: Detail = "concise",
) -> CallToolResult:
    """Look at the clips: a picture (first, middle, last frame), measures (black, frozen, loudness, clipping, length),
    each join, what is mended free and what only a new take mends.
    """
    kit = kit_of(ctx)
    found = await find_video(kit, video, project)
    every = await found.get_scenes()
    if not every:
        raise NotReady(f"{found.title!r} has no scenes", hint="Call add_scene first.")
    sides = orientations_of(found.row, orientations)
    if scenes:
        chosen = await find_scenes(kit, scenes, found.id, None)
        wanted = sorted(chosen, key=lambda scene: scene.number)[:_MOST]
    else:
        wanted = every[: _UPRIGHT_PAGE if sides == [Orientation.VERTICAL] else _PAGE]
    loop = asyncio.get_running_loop()
    telling: set[asyncio.Task[None]] = set()

    def note(done: int, of: int) -> None:
        task = loop.create_task(ctx.report_progress(done, of, f"measured {done} of {of} clips"))
        telling.add(task)
        task.add_done_callback(telling.discard)

    looked = await look_at(every, wanted, sides, note)
    await asyncio.gather(*telling, return_exceptions=True)
    picture = await asyncio.to_thread(looked.sheet.read_bytes)
    full = detail == "full"
    return reply(
        Looked(
            video=found.title,
            shown=_span(looked, every, sides),
            clips={_place(one.scene, one.orientation): _clip(one) for one in looked.clips},
            joins=_joins(looked.joins, full),
            mended=_mended(looked.joins)[:_LISTED] or None,
            free=_free(looked)[:_LISTED] or None,
            retakes=[_again(one) for one in looked.retakes[:_LISTED]] or None,
            sheet=str(looked.large),
            next=_next(looked, every, found.title),
        ),
        [("contact sheet", looked.large)],
        picture=picture,
    )


def _place(scene: Scene, side: Orientation) -> str:
    return f"{scene.number} {side.value}"


def _span(looked: Review, every: Sequence[Scene], sides: Sequence[Orientation]) -> str:
    numbers = ", ".join(str(scene.number) for scene in looked.scenes)
    return f"scenes {numbers} of {len(every)}, {' and '.join(side.value for side in sides)}"


def _clip(one: ClipReview) -> str:
    said = "; ".join(fault.what for fault in one.faults)
    return f"{one.words} · {said}" if said else one.words


def _joins(joins: Sequence[JoinReview], full: bool) -> dict[str, str] | None:
    told: dict[str, str] = {}
    for join in joins:
        facts = join.facts
        faults = [fault.what for fault in facts.faults if fault.remedy.value != "merge"]
        if not faults and not full:
            continue
        words = "; ".join(faults) or "fine"
        if full:
            words += (
                f" (loudness {facts.step_lu:+.1f} LU, levelled {facts.film_step_lu or 0:+.1f}; "
                f"picture {facts.difference:.0f} % different, light {facts.light:+.0f}, colour {facts.colour:.0f})"
            )
        told[f"{join.before.number}-{join.after.number} {join.orientation.value}"] = words
    return told or None


def _mended(joins: Sequence[JoinReview]) -> list[str]:
    return [
        f"{join.before.number}-{join.after.number} {join.orientation.value}: {fault.what}"
        for join in joins
        for fault in join.facts.faults
        if fault.remedy.value == "merge"
    ]


def _free(looked: Review) -> list[str]:
    calls: list[str] = []
    for one in looked.clips:
        for fault in one.faults:
            if fault.trim is None:
                continue
            start, end = fault.trim
            times = f"start_s={start:g}" if end is None else f"end_s={end:g}"
            side = one.orientation.value
            calls.append(
                f"trim(scene={one.scene.number}, {times}, orientations={side!r}) takes off: {fault.what}"
            )
    stepping = [
        f"{join.before.number}-{join.after.number}"
        for join in looked.joins
        if any(fault.code == "STEP" and fault.remedy.value == "free" for fault in join.facts.faults)
    ]
    if stepping:
        where = ", ".join(dict.fromkeys(stepping))
        calls.append(f"merge(join='crossfade') or music softens the step in loudness at {where}")
    return calls


def _again(one: Retake) -> Again:
    return Again(
        scene=one.scene.number,
        orientation=one.orientation.value,
        why=cut("; ".join(one.why), 200),
        credits=one.credits,
    )


def _next(looked: Review, every: Sequence[Scene], title: str) -> str:
    last = looked.scenes[-1].number
    left = [scene.number for scene in every if scene.number > last]
    step = "Tell the person what you see; merge joins the clips."
    if looked.retakes:
        numbers = sorted({one.scene.number for one in looked.retakes})
        known = [one.credits for one in looked.retakes if one.credits is not None]
        price = f", {sum(known)} credits in all" if len(known) == len(looked.retakes) else ""
        step = (
            "Tell the person what you see. Only if they want it: generate_video("
            f"video={title!r}, scenes={numbers}, new_take=true){price}."
        )
    if left:
        page = left[: len(looked.scenes)]
        step += f" More: review(video={title!r}, scenes={page})."
    return step


TOOLS = (tool(review, "Review clips and joins", READS, app=STORYBOARD),)
