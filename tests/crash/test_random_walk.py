"""Kills at random instants, cancels in between: after each, the books of both sides agree."""

from __future__ import annotations

import random
import signal
import sys
from pathlib import Path

import pytest
from crash_world import World, build

from flowkit_mcp.domain.models import JobKind, JobState, OperationState

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

KILLS = 16
ACCEPTED = {OperationState.SUBMITTED, OperationState.DONE, OperationState.ABANDONED}


@pytest.mark.parametrize("seed", [1, 2])
def test_no_order_of_kills_and_cancels_pays_twice_or_loses_a_take(
    tmp_path: Path, seed: int
) -> None:
    roll = random.Random(seed)
    world = build(tmp_path, "many")
    cancelled: set[int] = set()
    for number in range(KILLS):
        ended = world.run("yes", f"#{roll.randrange(1, 14)}")
        _check_books(world)
        if ended != -signal.SIGKILL:
            break
        if number % 5 == 2:
            left = [id for id in world.jobs if not world.left(id).job.state.final]
            if left:
                stopped = roll.choice(left)
                world.cancel(stopped)
                cancelled.add(stopped)
    world.worked()
    _check_books(world)
    for id in world.jobs:
        left = world.left(id)
        world.check_files(left)
        if id not in cancelled:
            assert left.job.state is JobState.SUCCEEDED, (id, left.job.message)
        assert left.job.state in (JobState.SUCCEEDED, JobState.CANCELLED)
        took = left.job.kind is not JobKind.HOUSEKEEPING and left.job.state is JobState.SUCCEEDED
        assert len(left.takes) == took


def _check_books(world: World) -> None:
    """Each job was accepted at most once, and every acceptance belongs to a call that was written down."""
    accepted = [line.client_ref for line in world.charges]
    assert len(accepted) == len(set(accepted))
    written: set[str] = set()
    for id in world.jobs:
        left = world.left(id)
        written |= {op.client_ref for op in left.operations}
        mine = [op for op in left.operations if op.client_ref in accepted]
        assert len(mine) <= 1, f"job {id} was paid {len(mine)} times"
        for op in left.operations:
            assert op.state not in ACCEPTED or op.client_ref in accepted
    assert set(accepted) <= written
