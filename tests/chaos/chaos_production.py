"""A production of 300 jobs in which everything that can go wrong does, and a person who answers every question.

Jobs of every kind and mode; nothing here knows which call will fail. What failed is simply not built upon.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from stack.whole import Stack

from flowkit_mcp import Orientation, Project, Scene
from flowkit_mcp.domain.models import Job as Row
from flowkit_mcp.domain.models import JobState, Operation, OperationState
from flowkit_mcp.errors import Conflict, InvalidSetting, NotReady
from flowkit_mcp.providers.flow.ids import Seeds
from flowkit_mcp.sdk.jobs import Job
from flowkit_mcp.sdk.options import VideoMode
from flowkit_mcp.store import jobs, operations

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL
PAIRS = 17  #: pairs of scenes, the second of which goes on from the first
MODES: tuple[VideoMode, ...] = ("start_end", "text", "references", "start")
MOVING = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)
#: Every wait is shorter than half a second, so this is a hang even on a busy machine.
STUCK_S = 120.0
Ask = Callable[[], Awaitable[Job]]


@asynccontextmanager
async def person(world: Stack) -> AsyncGenerator[Counter[str]]:
    """Opens a gate as soon as it asks for that; counts what it asked with."""
    asked: Counter[str] = Counter()

    async def watch() -> None:
        version = await world.kit.db.version()
        while True:
            state = await world.kit.provider_state()
            if state is not None and state.closed(world.kit.clock.now()):
                asked[str(state.reason)] += 1
                await world.kit.reopen()
            version = await world.kit.db.changed(version, 1)

    task = asyncio.create_task(watch())
    try:
        yield asked
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def produce(world: Stack, wanted: int) -> list[Row]:
    """`wanted` jobs, wave by wave; each as it is when nothing can go on by itself any more."""
    project = await Project.create(world.kit, "Chaos", style="storybook")
    for number in range(4):
        await project.add_character(f"Extra {number}", description=f"person {number}")
    cast = await project.get_characters()
    await _wave(world, wanted, [partial(c.generate_image, project.id) for c in cast])
    video = await project.add_video("Chaos")
    scenes: list[Scene] = []
    for number in range(PAIRS):
        who = [cast[number % len(cast)].row.name]
        first = await video.add_scene(f"Scene {number}", characters=who)
        scenes += [
            first,
            await video.add_scene("It goes on", characters=who, continues=first.number),
        ]
    roots, followers = scenes[::2], scenes[1::2]
    await _wave(world, wanted, [partial(s.generate_image, o) for s in roots for o in (H, V)])
    await _wave(world, wanted, [partial(s.generate_image, H) for s in followers])
    await _wave(
        world,
        wanted,
        [
            *(_clip(s, MODES[n % len(MODES)]) for n, s in enumerate(roots)),
            *(partial(s.generate_video, V, mode="start") for s in roots),
        ],
    )
    await _wave(
        world,
        wanted,
        [
            *(partial(s.generate_video, H, mode="extend") for s in followers),
            *(partial(s.upscale_video, V) for s in roots),
            *(partial(s.upscale_image, o) for s in roots for o in (H, V)),
        ],
    )
    before = 0
    while (left := wanted - await _count(world)) not in (0, before):
        before = left
        await _wave(
            world,
            wanted,
            [
                *(partial(s.edit_image, H, "make it rain") for s in roots),
                *(partial(s.generate_video, V, mode="text", new_take=True) for s in followers),
                *(partial(s.generate_image, V, new_take=True) for s in roots),
            ],
        )
    return await _all(world)


def _clip(scene: Scene, mode: VideoMode) -> Ask:
    """Of a family whose clips can be extended, where the mode has one."""
    model = None if mode == "references" else "veo-fast"
    return partial(scene.generate_video, H, mode=mode, model=model)


async def _wave(world: Stack, wanted: int, asks: Iterable[Ask]) -> None:
    """Ask for these, as far as `wanted` allows, and wait until none of them moves."""
    room = wanted - await _count(world)
    for ask in asks:
        if room <= 0:
            break
        try:
            room -= (await ask()).new  # the same as one that is there already adds none
        except (NotReady, Conflict, InvalidSetting):
            continue  # what it builds on has failed, waits for the person, or is of a model that cannot be extended
    await _until_nothing_moves(world)


async def _until_nothing_moves(world: Stack) -> None:
    """One look for all jobs, a few times a second: `wait_all` reads each of them after each commit.

    Raises AssertionError, with the jobs, when they are to move and none of them has for `STUCK_S`.
    """
    clock = asyncio.get_running_loop().time
    seen, since = "", clock()
    version = await world.kit.db.version()
    while True:
        counts = await jobs.count_by_state(world.kit.db)
        if not any(count for state, count in counts.items() if state in MOVING):
            return
        if clock() - since > STUCK_S / 2:
            left = [row for row in await _all(world) if row.state in MOVING]
            now = "\n".join(
                f"{row.id} {row.kind} {row.state} {row.reason} {row.run_at}" for row in left
            )
            assert now != seen, f"stuck: {now}\nprovider: {await world.kit.provider_state()}"
            seen, since = now, clock()
        await asyncio.sleep(0.1)
        version = await world.kit.db.changed(version, 1)


async def _count(world: Stack) -> int:
    return sum((await jobs.count_by_state(world.kit.db)).values())


async def _all(world: Stack) -> list[Row]:
    return await jobs.jobs(world.kit.db, limit=10_000)


def told(rows: Iterable[Row]) -> str:
    """How it went, for the log."""
    kinds = Counter(row.kind.removeprefix("GENERATE_") for row in rows)
    ends = Counter(f"{row.state} {row.reason or ''}".strip() for row in rows)
    return f"{dict(kinds)}\n{dict(ends)}"


@dataclass(frozen=True)
class Entry:
    """A charge of the simulator's ledger, and whether it was given back."""

    media_id: str
    seed: str | None
    credits: int
    rpc: str
    refunded: bool


def entries(world: Stack) -> list[Entry]:
    """Every charge; accepted work that is free counts 0."""
    found: list[Entry] = []
    for line in world.sim.ledger():
        if line.kind == "charge":
            found.append(Entry(line.media_id, line.seed, line.credits, line.rpc, refunded=False))
            continue
        # a larger version that failed is made again under the same id: the open charge is the one given back
        at = next(n for n, e in enumerate(found) if e.media_id == line.media_id and not e.refunded)
        found[at] = replace(found[at], refunded=True)
    return found


async def settle(world: Stack, rounds: int = 20) -> list[Row]:
    """The person answers each question after a look into Flow; the jobs as they then are, all ended."""
    for _ in range(rounds):
        rows = await _all(world)
        open_rows = [row for row in rows if row.state is JobState.NEEDS_ATTENTION]
        if not open_rows:
            return rows
        for row in open_rows:
            op = await operations.live_operation(world.kit.db, row.id)
            if op is None or op.state is not OperationState.UNKNOWN:
                await world.kit.resolve(row.id, "retry")
            elif (seen := _in_flow(world, op)) is not None:
                await world.kit.resolve(row.id, "attach", seen)
            else:
                await world.kit.resolve(row.id, "submit_again")
        await _until_nothing_moves(world)
    return await _all(world)


def _in_flow(world: Stack, op: Operation) -> str | None:
    """The media id that a person would find in the project's grid for this call."""
    seed = Seeds.parse(op.client_ref).media
    return next((entry.media_id for entry in entries(world) if entry.seed == seed), None)
