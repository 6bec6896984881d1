"""When jobs will have ended: by how long such work took in this library, and how fast the provider may be driven. Pure.

What nobody can know (a gate that waits for a person, a browser that is away) has no forecast instead of a wrong one.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from statistics import median

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.domain.models import JobState, Row

#: Seconds, until this library knows better: from the intent to the take in the library; of local work, from its start.
USUAL_S = {"image": 15.0, "reference": 15.0, "video": 100.0, "upscale": 90.0, "image_upscale": 20.0}
_OTHERS_S = 30.0
#: Work that takes longer than usual is said to take at least this much of the usual time more.
_REST = 0.2
LOCAL = "local"


class UnderWay(Row):
    """A job that has not ended. `what`: its stage, else its kind. `since`: when it was sent or begun, in ms."""

    id: int
    provider: str
    what: str
    model: str | None
    state: JobState
    priority: int
    run_at: int
    since: int | None
    progress: float


class Took(Row):
    """How long one job of the past took, in seconds."""

    what: str
    model: str | None
    seconds: float


class Pace(BaseModel):
    """How fast a provider may be driven: seconds between two submits on average, and calls at once.

    `opens_at` (ms): nothing is sent before; None: nobody knows when something will be sent again.
    """

    model_config = ConfigDict(frozen=True)

    spacing_s: float = 0.0
    at_once: int = 1
    opens_at: int | None = 0


class Experience:
    """What the past says about how long work takes; the median, so that one night's wait does not count."""

    def __init__(self, past: Sequence[Took]) -> None:
        self._by: dict[tuple[str, str | None], list[float]] = {}
        for one in past:
            for key in {(one.what, one.model), (one.what, None)}:
                self._by.setdefault(key, []).append(one.seconds)

    def seconds(self, what: str, model: str | None) -> float:
        """Of this model; else of any; else what is usual."""
        for key in ((what, model), (what, None)):
            if known := self._by.get(key):
                return max(0.1, median(known))
        return USUAL_S.get(what, _OTHERS_S)


def forecast(
    jobs: Sequence[UnderWay], past: Experience, pace: Mapping[str, Pace], now: int
) -> dict[int, float]:
    """Seconds until each job has ended, by its id. Those that need a person first are left out.

    Jobs of a provider take their turns as the worker lets them: most urgent first, spaced, so many at once.
    """
    ends: dict[int, float] = {}
    for provider in {job.provider for job in jobs}:
        its = [job for job in jobs if job.provider == provider]
        ends |= _of_provider(its, past, pace.get(provider, Pace()), now)
    return ends


def _of_provider(
    jobs: Sequence[UnderWay], past: Experience, pace: Pace, now: int
) -> dict[int, float]:
    ends: dict[int, float] = {}
    at_work = [job for job in jobs if job.state in (JobState.RUNNING, JobState.WAITING)]
    for job in at_work:
        ends[job.id] = _rest(job, past, now)
    if pace.opens_at is None:
        return ends
    free = sorted(ends.values())  # when a place becomes free, in seconds from now
    free += [0.0] * max(0, pace.at_once - len(free))
    heapq.heapify(free)
    for _ in range(len(at_work) - pace.at_once):
        heapq.heappop(free)
    turn = max(0.0, (pace.opens_at - now) / 1000)
    waiting = [job for job in jobs if job.state is JobState.QUEUED]
    for job in sorted(waiting, key=lambda job: (job.priority, job.run_at, job.id)):
        start = max(turn, heapq.heappop(free), (job.run_at - now) / 1000)
        turn = start + pace.spacing_s
        ends[job.id] = start + past.seconds(job.what, job.model)
        heapq.heappush(free, ends[job.id])
    return ends


def _rest(job: UnderWay, past: Experience, now: int) -> float:
    usual = past.seconds(job.what, job.model)
    gone = max(0.0, (now - (job.since or now)) / 1000)
    if job.provider == LOCAL and job.progress > 0.05:  # it says itself how far it is
        return gone * (1 - job.progress) / job.progress
    return max(usual - gone, usual * _REST)


def in_words(seconds: float) -> str:
    """`about 40 s`, `about 3 min`, `about 2 h`."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h"
