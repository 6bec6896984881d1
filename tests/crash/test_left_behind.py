"""Killed between a file's name and its row, and its job does not go on: the media are paid for, so they are kept."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from crash_provider import FiledProvider
from crash_world import Kind, World, build

from flowkit_mcp import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import JobState, OperationState
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.store.database import Database
from flowkit_mcp.work.stop import let_go

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]


@pytest.mark.parametrize(
    ("kind", "step", "provider"),
    [
        ("video", "file_renamed", "stops"),
        ("video", "record_uncommitted", "away"),
        ("larger", "file_renamed", "stops"),
    ],
)
def test_what_was_fetched_before_the_cancel_is_kept_though_nobody_can_be_asked_for_it_again(
    tmp_path: Path, kind: Kind, step: str, provider: str
) -> None:
    world = build(tmp_path, kind)
    world.killed_at(step)
    paid = len(world.charges)
    world.cancel(world.job)
    left = world.worked(provider)
    world.check_files(left)
    assert left.job.state is JobState.SUCCEEDED
    assert "before it could be stopped" in (left.job.message or "")
    assert [op.state for op in left.operations] == [OperationState.DONE]
    assert len(left.takes) == 1 and len(world.charges) == paid


def test_media_of_a_job_that_has_ended_become_a_take_and_a_persons_own_file_is_left_alone(
    tmp_path: Path,
) -> None:
    world = build(tmp_path, "video")
    world.killed_at("file_renamed")
    (clip,) = world.library.rglob("*.mp4")
    mine = clip.with_name("horizontal-video-take-9.mp4")
    mine.write_bytes(b"a file of mine")
    asyncio.run(_end(world))
    for _ in range(2):  # the second start finds nothing to do
        asyncio.run(_lead(world))
        left = world.left(world.job)
        assert left.job.state is JobState.CANCELLED, "it stays as it ended"
        assert [op.state for op in left.operations] == [OperationState.ABANDONED]
        (take,) = left.takes
        assert take.selected and take.credits == 12 and len(world.charges) == 1
        assert [event.type for event in left.events].count("take_kept") == 1
    assert mine.read_bytes() == b"a file of mine"
    mine.unlink()
    world.check_files(left)


@pytest.mark.parametrize(
    ("kind", "step"),
    [("frame", "frame_kept"), ("merge", "film_noted"), ("merge", "looking_at_joins")],
)
def test_what_was_made_here_for_nothing_is_removed_when_its_job_is_cancelled(
    tmp_path: Path, kind: Kind, step: str
) -> None:
    world = build(tmp_path, kind)
    before = _media(world)
    world.killed_at(step)
    named = step != "film_noted"
    assert (_media(world) > before) is named, "the note comes before the name"
    world.cancel(world.job)
    left = world.worked()
    assert left.job.state is JobState.CANCELLED
    assert _media(world) == before


def _media(world: World) -> set[Path]:
    return {
        file for file in world.library.rglob("*") if file.is_file() and ".flowkit" not in file.parts
    }


async def _end(world: World) -> None:
    """As a leader that could not ask the provider any more."""
    async with Database.open(Settings(library=world.library).database) as db:
        async with db.transaction() as tx:
            await let_go(tx, world.job, 1, "the provider could not be asked to stop it")


async def _lead(world: World) -> None:
    """One term, until it has done something that comes after its start."""
    settings = Settings(library=world.library, port=47998)
    provider = FiledProvider(world.ledger, "yes", lambda step: None)
    async with FlowKit.open(settings, provider=provider) as kit:
        row, _ = await kit.enqueue(Housekeeping(action="trash", project="rp", items=("w",)))
        assert (await kit.wait(row.id, 30)).state is JobState.SUCCEEDED
