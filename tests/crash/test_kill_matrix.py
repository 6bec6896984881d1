"""Killed at every step, worked on by the next process: nothing is paid twice, nothing is lost (docs/states.md)."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import crash_world
import pytest
from crash_world import Kind, World, build
from tally import Tally

import flowkit_mcp.work
from flowkit_mcp.domain.models import JobState, OperationState

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

#: Steps of the paid path in order; `sent_no_reply` is inside the provider, after it has charged.
PAID = (
    "claimed",
    "intent_committed",
    "sent_no_reply",
    "reply_not_saved",
    "operation_saved",
    "polled",
    "fetched",
    "file_renamed",
    "record_uncommitted",
    "recorded",
)
#: The same where the reply carries the media: they are on disk before it is saved, and nobody is asked for them.
LARGER = tuple(
    {"operation_saved": "reply_kept", "polled": "operation_saved"}.get(step, step) for step in PAID
)
LOCAL = ("merging", "film_noted", "looking_at_joins", "merged")
FRAME = ("frame_kept",)
HOUSE = ("house_asked", "house_answered")
#: Killed here, nobody in this program knows whether the call arrived.
IN_DOUBT = ("intent_committed", "sent_no_reply", "reply_not_saved")
DONE, VOID, UNKNOWN = OperationState.DONE, OperationState.VOID, OperationState.UNKNOWN

Copy = Callable[[Kind], World]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, World]:
    kinds: tuple[Kind, ...] = ("image", "video", "merge", "frame", "larger", "house")
    return {kind: build(tmp_path_factory.mktemp(kind), kind) for kind in kinds}


@pytest.fixture
def copy(originals: dict[Kind, World], tmp_path: Path) -> Copy:
    """A library of one's own with a job in the queue."""

    def make(kind: Kind) -> World:
        folder = tmp_path / kind
        shutil.copytree(originals[kind].folder, folder)
        return World(folder, originals[kind].jobs)

    return make


def test_the_matrix_has_every_step_that_the_worker_announces() -> None:
    announced: set[str] = set()
    for file in Path(flowkit_mcp.work.__path__[0]).glob("*.py"):
        if file.name == "publish.py":  # tests/publish/test_publish_kill.py
            continue
        announced |= set(re.findall(r'on_step\("(\w+)"\)', file.read_text(encoding="utf-8")))
    assert announced == {*PAID, *LARGER, *LOCAL, *FRAME, *HOUSE} - {"sent_no_reply"}


@pytest.mark.parametrize("look_up", ["yes", "no", "in_flight"])
@pytest.mark.parametrize("step", PAID)
def test_a_clip_is_paid_once_wherever_the_process_is_killed(
    copy: Copy, step: str, look_up: str
) -> None:
    world = copy("video")
    world.killed_at(step, look_up)
    paid = len(world.charges)
    assert paid == (step not in ("claimed", "intent_committed"))
    left = world.worked(look_up)
    world.check_files(left)
    states = [op.state for op in left.operations]
    if look_up == "no" and step in IN_DOUBT:
        assert left.job.state is JobState.NEEDS_ATTENTION
        assert left.job.reason == "OUTCOME_UNKNOWN"
        assert states == [UNKNOWN]
        assert (left.takes, len(world.charges)) == ([], paid), "nothing was sent again"
        return
    assert left.job.state is JobState.SUCCEEDED
    assert states == ([VOID, DONE] if step == "intent_committed" else [DONE])
    assert [line.client_ref for line in world.charges] == [left.operations[-1].client_ref]
    (take,) = left.takes
    assert take.selected and take.id == left.job.take_id
    assert left.job.credits == world.charges[0].credits == 12


@pytest.mark.parametrize("step", PAID)
def test_a_picture_is_made_once_wherever_the_process_is_killed(copy: Copy, step: str) -> None:
    world = copy("image")
    world.killed_at(step)
    left = world.worked()
    world.check_files(left)
    assert left.job.state is JobState.SUCCEEDED
    assert (len(world.charges), len(left.takes)) == (1, 1)


@pytest.mark.parametrize("look_up", ["yes", "no"])
@pytest.mark.parametrize("step", LARGER)
def test_media_that_only_the_reply_carries_are_paid_once_and_never_lost_once_they_are_on_disk(
    copy: Copy, step: str, look_up: str
) -> None:
    world = copy("larger")
    world.killed_at(step, look_up)
    left = world.worked(look_up)
    world.check_files(left)
    charged = sum(line.credits for line in world.charges)
    if look_up == "no" and step in IN_DOUBT:
        assert (left.job.state, left.job.reason) == (JobState.NEEDS_ATTENTION, "OUTCOME_UNKNOWN")
        assert charged <= 5 and left.takes == []
        return
    assert left.job.state is JobState.SUCCEEDED, left.job.message
    assert (charged, len(left.takes)) == (5, 1)
    assert left.operations[-1].state is DONE
    if step != "recorded":  # then there was nothing left to lead for; the next start sweeps it
        assert world.kept_replies() == []


@pytest.mark.parametrize("step", HOUSE)
def test_housekeeping_is_done_again_wherever_the_process_is_killed(copy: Copy, step: str) -> None:
    world = copy("house")
    world.killed_at(step)
    left = world.worked()
    assert left.job.state is JobState.SUCCEEDED
    assert [event.type for event in left.events].count("answer") == 1
    assert world.charges == [] and left.operations == []


@pytest.mark.parametrize("step", LOCAL)
def test_a_film_is_joined_once_wherever_the_process_is_killed(copy: Copy, step: str) -> None:
    world = copy("merge")
    world.killed_at(step)
    left = world.worked()
    world.check_files(left)
    assert left.job.state is JobState.SUCCEEDED
    assert [render.job_id for render in left.renders] == [left.job.id]
    assert world.charges == [] and left.operations == []


@pytest.mark.parametrize("step", FRAME)
def test_a_last_frame_is_cut_once_wherever_the_process_is_killed(copy: Copy, step: str) -> None:
    world = copy("frame")
    world.killed_at(step)
    left = world.worked()
    world.check_files(left)
    assert left.job.state is JobState.SUCCEEDED
    assert len(left.takes) == 1 and world.charges == []


def test_killed_again_and_again_on_the_way_a_clip_is_still_paid_once(copy: Copy) -> None:
    world = copy("video")
    for step in PAID:
        if step not in ("reply_not_saved", "operation_saved"):  # from here on, look-ups save it
            world.killed_at(step)
    left = world.worked()
    world.check_files(left)
    assert left.job.state is JobState.SUCCEEDED
    assert len(world.charges) == len(left.takes) == 1


def test_the_line_at_the_end_tells_what_was_paid_twice_and_what_was_lost(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the provider's ledger: whatever the program itself has noted, and whatever a test would have asserted."""
    tally = Tally()
    monkeypatch.setattr(crash_world, "TALLY", tally)
    world = copy("image")
    world.killed_at("fetched")
    world.worked()
    assert str(tally) == "1 kills, 0 faults, 1 jobs: 0 double charges, 0 lost results"
    paid = world.ledger.read_text(encoding="utf-8")
    world.ledger.write_text(paid + paid, encoding="utf-8")
    with contextlib.closing(sqlite3.connect(world.library / ".flowkit" / "flowkit.db")) as db, db:
        db.execute("UPDATE take SET job_id = NULL WHERE job_id = ?", (world.job,))
    world.worked()
    assert (tally.double, tally.lost) == (1, 1)
