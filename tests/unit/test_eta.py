"""When jobs will have ended, from how long such work took and how the worker lets jobs take their turns."""

from __future__ import annotations

import pytest

from flowkit_mcp.domain.eta import USUAL_S, Experience, Pace, Took, UnderWay, forecast, in_words
from flowkit_mcp.domain.models import JobState

NOW = 1_790_000_000_000
PAST = Experience(
    [Took(what="video", model="veo", seconds=s) for s in (58, 60, 9000)]
    + [Took(what="image", model="pic", seconds=4)]
)


def job(id: int, state: JobState = JobState.QUEUED, **values: object) -> UnderWay:
    given: dict[str, object] = {
        "provider": "flow", "what": "video", "model": "veo", "priority": 50, "run_at": NOW, "since": None,
        "progress": 0.0,
    }  # fmt: skip
    return UnderWay.model_validate({"id": id, "state": state, **given, **values})


def test_the_median_of_the_same_model_counts_then_of_any_then_what_is_usual() -> None:
    assert PAST.seconds("video", "veo") == 60, "one night in which somebody had to be asked"
    assert PAST.seconds("video", "another") == 60
    assert PAST.seconds("image", None) == 4
    assert PAST.seconds("upscale", "up") == USUAL_S["upscale"]


def test_jobs_take_their_turns_spaced_and_so_many_at_once() -> None:
    pace = {"flow": Pace(spacing_s=10, at_once=2)}
    ends = forecast([job(n) for n in (1, 2, 3, 4)], PAST, pace, NOW)
    # 0..60, 10..70, then each waits for a place: 60..120, 70..130
    assert ends == {1: 60, 2: 70, 3: 120, 4: 130}


def test_the_urgent_come_first_and_what_is_at_work_holds_its_place() -> None:
    pace = {"flow": Pace(spacing_s=0, at_once=1)}
    at_work = job(1, JobState.WAITING, since=NOW - 20_000)
    ends = forecast([at_work, job(2), job(3, priority=10)], PAST, pace, NOW)
    assert ends == {1: 40, 3: 100, 2: 160}


def test_more_at_work_than_places_frees_the_last_of_them_first_come_first_served() -> None:
    busy = [job(n, JobState.WAITING, since=NOW - 10_000 * n) for n in (1, 2, 3)]  # 50, 40, 30 left
    ends = forecast([*busy, job(9)], PAST, {"flow": Pace(at_once=2)}, NOW)
    assert ends[9] == 40 + 60, "a place is free when only one is left at work"


def test_what_takes_longer_than_usual_still_takes_a_while() -> None:
    late = job(1, JobState.WAITING, since=NOW - 500_000)
    assert forecast([late], PAST, {}, NOW) == {1: 12}
    ahead = job(2, JobState.WAITING, since=NOW + 500_000)  # the clock was set
    assert forecast([ahead], PAST, {}, NOW) == {2: 60}


def test_local_work_says_itself_how_far_it_is() -> None:
    merge = job(
        1, JobState.RUNNING, provider="local", what="MERGE", model=None, since=NOW - 30_000, progress=0.75,
    )  # fmt: skip
    assert forecast([merge], PAST, {}, NOW) == {1: pytest.approx(10)}


def test_while_nobody_knows_when_it_goes_on_only_what_was_sent_has_a_forecast() -> None:
    jobs = [job(1), job(2, JobState.WAITING, since=NOW), job(3, JobState.NEEDS_ATTENTION)]
    assert forecast(jobs, PAST, {"flow": Pace(opens_at=None)}, NOW) == {2: 60}
    paused = forecast(jobs, PAST, {"flow": Pace(opens_at=NOW + 300_000, at_once=4)}, NOW)
    assert paused == {1: 360, 2: 60}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "about 5 s"), (42, "about 40 s"), (89, "about 90 s"), (200, "about 3 min"), (9000, "about 2 h")],
)  # fmt: skip
def test_it_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
