"""Many things at once: all are planned first, what is ready is proposed at one price, the rest is explained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from mcp.types import CallToolResult

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Slot
from flowkit_mcp.domain.requests import PaidRequest
from flowkit_mcp.errors import FlowKitError, NotReady, RequestError
from flowkit_mcp.sdk.jobs import Job, Planned
from flowkit_mcp.sdk.overview import live_job
from flowkit_mcp.server.desk import Proposal, key_of
from flowkit_mcp.server.results import Film, JobLine, Result, Skipped, cut, reply
from flowkit_mcp.server.words import job_line, jobs_call

_LISTED = 24


class Started(Result):
    """`credits`: what the new jobs cost at most, in all."""

    jobs: list[JobLine]
    credits: int
    films: list[Film] | None = None
    skipped: list[Skipped] | None = None
    not_ready: list[Skipped] | None = None
    next: str


@dataclass
class Batch:
    """What one call asks for, sorted while it is planned."""

    kit: FlowKit
    again: str  #: the call that takes up what is not ready now
    only_missing: bool = False  #: what is done was not asked for, so it is not worth a line
    planned: list[Planned] = field(default_factory=list[Planned])
    at_work: list[int] = field(default_factory=list[int])
    skipped: list[Skipped] = field(default_factory=list[Skipped])
    refused: list[tuple[str, FlowKitError]] = field(default_factory=list[tuple[str, FlowKitError]])
    films: list[tuple[Film, Path]] = field(default_factory=list[tuple[Film, Path]])

    def wanted(self, what: str, slot: Slot, *, new_take: bool) -> bool:
        """Whether there is anything to make in this slot; if not, says so in the result."""
        if new_take:
            return True
        if slot.job_id is not None:
            self.at_work.append(slot.job_id)
            return False
        if slot.filled and not self.only_missing:
            why = f"done, take {slot.take_number}; new_take=true makes another"
            self.skipped.append(Skipped(what=what, why=why))
        return not slot.filled

    async def plan(self, what: str, planning: Callable[[], Awaitable[Planned]]) -> None:
        """Check and price one thing. What the caller can mend is noted; that Flow is away ends the call."""
        try:
            planned = await planning()
        except RequestError as error:
            self.refused.append((what, error))
            return
        job = await live_job(self.kit, planned)
        if job is not None:
            self.at_work.append(job.id)
        else:
            self.planned.append(planned)

    def proposal(self) -> Proposal:
        """What is ready, at one price.

        Raises:
            RequestError: nothing can be started; the message says why for each.
        """
        if not (self.planned or self.at_work or self.skipped or self.films) and self.refused:
            raise self._nothing_is_ready()
        prices = Counter((planned.what, planned.credits) for planned in self.planned)
        lines = [
            f"{what}{f' x{count}' if count > 1 else ''}: "
            + (f"{price * count} credits" if price else "free")
            for (what, price), count in prices.items()
        ]
        return Proposal(
            key=key_of((p.request.fingerprint, p.credits) for p in self.planned),
            credits=sum(planned.credits for planned in self.planned),
            lines=tuple(lines),
            carry_out=self.start,
            project_id=self._project(),
        )

    def _project(self) -> str | None:
        paid = (p.request for p in self.planned if isinstance(p.request, PaidRequest))
        return next((request.project_id for request in paid), None)

    async def start(self) -> CallToolResult:
        """Put everything that was planned into the queue; what is refused now does not hide what was started.

        Raises:
            RequestError: nothing at all could be started.
        """
        ids = list(self.at_work)
        credits = 0
        for planned in self.planned:
            try:
                job = await Job.enqueue(self.kit, planned)
            except RequestError as error:  # e.g. somebody else has put the slot to work meanwhile
                self.refused.append((planned.what, error))
                continue
            ids.append(job.id)
            credits += planned.credits if job.new else 0
        if self.planned and self.refused and not (ids or self.films):
            raise self._nothing_is_ready()
        ids = list(dict.fromkeys(ids))
        lines = [(await job_line(self.kit, await self.kit.job(id)))[0] for id in ids]
        not_ready = self._not_ready()
        result = Started(
            jobs=lines[:_LISTED],
            credits=credits,
            films=[film for film, _ in self.films] or None,
            skipped=self.skipped[:_LISTED] or None,
            not_ready=not_ready[:8] or None,
            next=self._next(ids, len(self.refused)),
        )
        files = [(f"{film.orientation} film", path) for film, path in self.films]
        return reply(result, files, ids)

    def _not_ready(self) -> list[Skipped]:
        """Alike reasons together."""
        whats: dict[str, list[str]] = {}
        for what, error in self.refused:
            whats.setdefault(cut(str(error), 300), []).append(what)
        return [Skipped(what=cut(", ".join(group), 160), why=why) for why, group in whats.items()]

    def _next(self, ids: list[int], left: int) -> str:
        if ids:
            step = f"Call {jobs_call(ids)}."
        elif self.films:
            step = "Show the person the films; new_take=true joins them anew."
        else:
            step = "Nothing is missing." if self.only_missing else "Nothing new was started."
        return f"{step} Then {self.again} for the {left} not ready." if left else step

    def _nothing_is_ready(self) -> FlowKitError:
        """One error for all: alike reasons once, the hint of the first."""
        reasons = list(dict.fromkeys(error.message for _, error in self.refused))
        hints = list(dict.fromkeys(error.hint for _, error in self.refused))
        first = self.refused[0][1]
        kind = type(first) if len({type(error) for _, error in self.refused}) == 1 else NotReady
        more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return kind("; ".join(reasons[:3]) + more, hint=" ".join(hints[:2]))
