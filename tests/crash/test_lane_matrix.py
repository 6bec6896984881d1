"""Both lanes of the real stack, killed at every step: server, browser or both; each clip is paid once and arrives.

Worlds run side by side (what they do is mostly waiting); each test reads the outcome of its own case.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL", allow_module_level=True)

from lane_actors import BROWSER_POINTS
from lane_world import LaneWorld, lane_world
from test_kill_matrix import PAID

from flowkit_mcp.domain.models import JobState

pytestmark = [pytest.mark.crash, pytest.mark.timeout(300)]

Mode = Literal["journal", "look_up", "cannot", "in_flight"]
WORLDS_AT_ONCE = 4
#: Every step between the claim and the take, in order, whoever takes it.
POINTS = (
    "claimed",
    "intent_committed",
    *BROWSER_POINTS[:3],
    "charged",
    BROWSER_POINTS[3],
    "reply_not_saved",
    "operation_saved",
    "polled",
    "downloading",
    "fetched",
    "file_renamed",
    "record_uncommitted",
    "recorded",
)
#: Of the larger picture that comes with its reply: kept on disk before it is saved, and never polled.
LARGER = ("charged", BROWSER_POINTS[3], "reply_not_saved", "reply_kept", "operation_saved")
#: The call may have left, and its reply lived only in what was killed.
IN_DOUBT = ("browser_sent", "charged", "browser_done", "reply_not_saved")
#: Killed before this point, Flow has not taken the call.
FIRST_CHARGED = POINTS.index("charged")
#: What the network does to a call, without anybody being killed.
CUTS = ("cut_after", "internal_after", "null_payload", "cut_before")


class Case(NamedTuple):
    lane: str
    mode: Mode
    kind: str
    point: str
    victims: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.lane}-{self.mode}-{self.kind}-{self.point}-{'+'.join(self.victims)}"


def _cases() -> Generator[Case]:
    server, browser, both = ("server",), ("browser",), ("server", "browser")
    for lane in ("batchexecute", "labs"):
        for point in POINTS:
            yield Case(lane, "journal", "video", point, server)
            yield Case(lane, "look_up", "video", point, both)
            yield Case(lane, "cannot", "video", point, both)
            yield Case(lane, "in_flight", "video", point, server)
            yield Case(lane, "journal", "image", point, server)
        for point in (*BROWSER_POINTS, "charged"):
            yield Case(lane, "look_up", "video", point, browser)
            yield Case(lane, "cannot", "video", point, browser)
        for point in IN_DOUBT:
            yield Case(lane, "look_up", "image", point, both)
        for point in LARGER:
            yield Case(lane, "journal", "larger", point, server)
        for fault in CUTS:
            yield Case(lane, "journal", "video", fault, ())


CASES = tuple(_cases())


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[dict[Case, Future[None]]]:
    """Runs what was selected, each world in a thread of its own."""
    chosen = [
        item.callspec.params["case"]
        for item in request.session.items
        if item.module is request.module and hasattr(item, "callspec")
    ]
    found: dict[Case, Future[None]] = {case: Future() for case in chosen}
    groups: dict[tuple[str, Mode], list[Case]] = {}
    for case in chosen:
        groups.setdefault((case.lane, case.mode), []).append(case)
    with ThreadPoolExecutor(WORLDS_AT_ONCE) as pool:
        for (lane, mode), cases in groups.items():
            folder = tmp_path_factory.mktemp(f"{lane}-{mode}")
            pool.submit(_run_world, folder, lane, mode, {case: found[case] for case in cases})
        yield found


def _run_world(folder: Path, lane: str, mode: Mode, cases: dict[Case, Future[None]]) -> None:
    try:
        with lane_world(folder, lane) as world:
            if (
                mode == "cannot"
            ):  # no id follows from the seeds, and the listing shows nothing for an hour
                world.switch(derived_ids=False, listing_lag_s=3600)
            scene = world.film()
            for case, told in cases.items():
                _tell(told, lambda case=case: _run(world, scene, case))
    except BaseException as error:
        for told in cases.values():
            if not told.done():
                told.set_exception(error)
        raise


def _tell(told: Future[None], run: Callable[[], None]) -> None:
    try:
        run()
    except BaseException as error:  # whatever it is, the case's own test raises it
        told.set_exception(error)
    else:
        told.set_result(None)


def _run(world: LaneWorld, scene: str, case: Case) -> None:
    before = len(world.charges())
    job = world.order(scene, case.kind)
    if case.mode == "in_flight":
        world.bomb.hold(0.8)
    if case.victims:
        world.bomb.arm(case.point, list(case.victims))
        _until_killed(world, job, case)
        assert not world.bomb.disarm(), f"nobody came to {case.point}"
    else:
        world.fault("eb1hJf", case.point)
    if len(case.victims) == 2:  # a browser that lives on goes on
        assert len(world.charges()) - before == (POINTS.index(case.point) >= FIRST_CHARGED)
    if world.job(job).state is not JobState.SUCCEEDED:
        assert world.work(job) == 0, world.job(job)
    _check_end(world, job, case)
    assert len(world.charges()) == before + 1


def _until_killed(world: LaneWorld, job: int, case: Case) -> None:
    if "server" in case.victims:
        assert world.work(job) == -9, f"nobody came to {case.point}"
        if "browser" in case.victims:
            world.mend_browser(10)
        return
    server = world.start_server(ids=[job])
    world.mend_browser(30)
    assert server.ended(60) == 0, world.job(job)


def _check_end(world: LaneWorld, job: int, case: Case) -> None:
    row = world.job(job)
    nameless = (
        case.lane == "labs" and case.kind == "image"
    )  # sent without a seed, so only a listing tells
    if case.point in IN_DOUBT and (
        case.mode == "cannot"
        or (case.mode == "look_up" and nameless and case.point == "browser_sent")
    ):
        assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "OUTCOME_UNKNOWN")
        if not nameless:
            assert len(world.paid(job)) == (case.point != "browser_sent")
        assert [call["state"] for call in world.calls(job)] == ["unknown"], "nothing was sent again"
        assert world.answer_questions() == 1
        assert world.work(job) == 0
        row = world.job(job)
    assert row.state is JobState.SUCCEEDED, (row.reason, row.message)
    assert [call["state"] for call in world.calls(job)][-1] == "done"
    assert len(world.rows("SELECT id FROM take WHERE job_id = ?", job)) == 1
    world.check_books()
    world.check_files()
    world.check_nothing_lost()


def test_the_matrix_has_every_step_of_the_paid_path() -> None:
    assert set(PAID) - {"sent_no_reply"} <= set(POINTS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_whoever_is_killed_the_take_arrives_and_is_paid_once(
    outcomes: dict[Case, Future[None]], case: Case
) -> None:
    outcomes[case].result(280)
