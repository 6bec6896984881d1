"""Jobs as Python programs see them: a handle to wait on, and the result of direct execution."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Job as JobRow
from flowkit_mcp.domain.models import JobEvent, JobState, Priority
from flowkit_mcp.domain.requests import AnyRequest
from flowkit_mcp.store import jobs, takes


@dataclass(frozen=True)
class GenerationResult:
    """How a job ended.

    Attributes:
        success: whether there is a file.
        job_id: the job; `Job(kit, job_id)` has its history.
        take_id: what was made, of a picture or a clip.
        render_id: what was made, of a film.
        media_id: under which id the provider knows it; None where it named none.
        path: the file in the library.
        credits: what was charged.
        error: `CODE: what happened. What to do next.` if it did not succeed.
        warnings: what Flow was seen to do otherwise than asked, in sentences.
    """

    success: bool
    job_id: int
    take_id: str | None = None
    render_id: str | None = None
    media_id: str | None = None
    path: Path | None = None
    credits: int | None = None
    error: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def url(self) -> str | None:
        """`file:…` of the path."""
        return None if self.path is None else self.path.as_uri()


@dataclass(frozen=True)
class Planned:
    """A request that has been checked and priced, and not yet been made.

    `credits` is the live price, which is also the most that is ever charged without asking again; `what` says in
    words what it is. `Job.enqueue` or `Job.execute` makes it.
    """

    request: AnyRequest
    credits: int
    what: str


class Job:
    """A handle on a job in the queue; it stays good after a restart (`Job(kit, id)`)."""

    def __init__(self, kit: FlowKit, id: int, *, new: bool = True) -> None:
        self.kit = kit
        self.id = id
        #: False when the same request was already at work and this is its job.
        self.new = new

    def __repr__(self) -> str:
        return f"Job({self.id})"

    @classmethod
    async def enqueue(cls, kit: FlowKit, planned: Planned, priority: Priority | None = None) -> Job:
        """Put what was planned into the queue; the price shown there is what was agreed to."""
        row, new = await kit.enqueue(planned.request, credits=planned.credits, priority=priority)
        return cls(kit, row.id, new=new)

    @classmethod
    async def execute(cls, kit: FlowKit, planned: Planned) -> GenerationResult:
        """The same job, ahead of the queue and awaited. That it fails is told in the result, not raised."""
        return await (await cls.enqueue(kit, planned, Priority.DIRECT)).result()

    async def state(self) -> JobRow:
        """The job as it is now."""
        return await self.kit.job(self.id)

    async def events(self) -> list[JobEvent]:
        """Its history, oldest first."""
        return await jobs.events(self.kit.db, self.id)

    async def cancel(self) -> JobRow:
        """Stop it. Raises Conflict if it has ended."""
        return await self.kit.cancel(self.id)

    async def result(self, timeout: float | None = None) -> GenerationResult:
        """Wait until the job has ended or needs a person, at most `timeout` seconds.

        Raises:
            TimeoutError: it goes on; call again.
        """
        row = await self.kit.wait(self.id, timeout)
        if not row.state.final and row.state is not JobState.NEEDS_ATTENTION:
            raise TimeoutError(f"job {self.id} is still {row.state} after {timeout} s")
        return await result_of(self.kit, row)


async def result_of(kit: FlowKit, row: JobRow) -> GenerationResult:
    """The result of an ended job."""
    warnings = await warnings_of(kit, row)
    if row.state is not JobState.SUCCEEDED:
        return GenerationResult(
            success=False,
            job_id=row.id,
            credits=row.credits,
            error=f"{row.reason or row.state.upper()}: {row.message or row.state}",
            warnings=warnings,
        )
    if row.render_id is not None:
        render = await takes.render(kit.db, row.render_id)
        asset = await takes.asset(kit.db, render.asset_id)
        return GenerationResult(
            success=True, job_id=row.id, render_id=render.id, path=kit.media.absolute(asset.path)
        )
    if row.take_id is None:
        return GenerationResult(success=True, job_id=row.id, warnings=warnings)
    take = await takes.take(kit.db, row.take_id)
    asset = await takes.asset(kit.db, take.asset_id)
    remote = await takes.any_remote_id(kit.db, asset.id)
    return GenerationResult(
        success=True,
        job_id=row.id,
        take_id=take.id,
        media_id=remote,
        path=kit.media.absolute(asset.path),
        credits=take.credits,
        warnings=warnings,
    )


async def warnings_of(kit: FlowKit, row: JobRow) -> tuple[str, ...]:
    """What Flow was seen to do otherwise than asked, e.g. references that did not arrive; each once."""
    if row.state is JobState.SUCCEEDED:
        return (row.message,) if row.message else ()
    events = await jobs.events(kit.db, row.id)
    said = [str((event.data or {}).get("text", "")) for event in events if event.type == "warning"]
    return tuple(dict.fromkeys(said))
