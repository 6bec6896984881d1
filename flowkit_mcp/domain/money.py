"""Budgets, what is left of them, and the account of what was spent. Pure.

All figures are credits. A day runs from midnight to midnight of the machine that works the queue.
"""

from __future__ import annotations

import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.domain.models import Row


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True)


class Budget(_Figures):
    """One limit. `promised` is what jobs in the queue may still take."""

    scope: Literal["project", "day"]
    limit: int
    spent: int
    promised: int = 0

    @property
    def left(self) -> int:
        """What a new job may still take; never less than 0."""
        return max(0, self.limit - self.spent - self.promised)

    def refuses(self, credits: int) -> bool:
        """Whether so much more would be too much. What is free never is."""
        return credits > 0 and self.spent + self.promised + credits > self.limit

    def says_no(self, credits: int) -> str:
        """The figures, for the person."""
        whose = "the project's budget" if self.scope == "project" else "today's budget"
        queued = f", {self.promised} are promised to jobs in the queue" if self.promised else ""
        return (
            f"{credits} credits would exceed {whose} of {self.limit}: {self.spent} are spent{queued}, "
            f"{self.left} are left"
        )


class Spent(_Figures):
    """What calls took. `retakes` and `unknown` are parts of `credits`; `refunded` is not.

    `unknown`: nobody knows whether it was charged, so it counts as spent.
    """

    credits: int = 0
    retakes: int = 0
    refunded: int = 0
    unknown: int = 0
    calls: int = 0


class Ledger(_Figures):
    """What a project, or one video of it, has cost so far.

    `scenes`: by number, of one video. `cast`: its reference images. `film_s`: seconds of the newest films, one for
    each video and orientation; 0 before the first merge.
    """

    total: Spent
    scenes: dict[int, Spent] = {}
    cast: Spent = Spent()
    film_s: float = 0

    @property
    def per_second(self) -> float | None:
        """Credits per finished second of film."""
        return round(self.total.credits / self.film_s, 2) if self.film_s else None


class InDoubt(Row):
    """A call of which nobody knows whether it was charged. `intended_at` in ms since 1970."""

    job_id: int
    credits: int
    intended_at: int
    evidence: str | None


class QuotaHold(Row):
    """A model whose daily quota is used up: `jobs` wait for it until `until` (ms since 1970)."""

    model: str
    jobs: int
    until: int


def midnight(now: int) -> int:
    """When the day of `now` began on this machine, in milliseconds; days of 23 and 25 hours included."""
    local = datetime.datetime.fromtimestamp(now / 1000)  # the time zone of the machine
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
