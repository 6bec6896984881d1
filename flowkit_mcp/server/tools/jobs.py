"""The queue as tools show it: waiting, listing, cancelling, deciding."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.eta import in_words
from flowkit_mcp.domain.models import Job, JobEvent, JobKind, JobState
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.forecast import Forecast
from flowkit_mcp.sdk.jobs import Job as JobHandle
from flowkit_mcp.sdk.overview import MOVING, describe, find_jobs
from flowkit_mcp.sdk.project import Project
from flowkit_mcp.sdk.publication import pause as pause_upload
from flowkit_mcp.server.approval import spending
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.desk import Proposal, key_of
from flowkit_mcp.server.handles import (
    Handle,
    InProject,
    InVideo,
    JobName,
    OneOrMore,
    find_video,
    job_id,
)
from flowkit_mcp.server.results import JobLine, Result, cut, reply
from flowkit_mcp.server.schemas import DECIDES, READS, tool
from flowkit_mcp.server.words import job_line, job_lines, jobs_call

BEAT_S = 8.0
_LISTED = 24
_MOST = 500
_FIRST_EVENTS, _LAST_EVENTS = 8, 20
Shown = Literal["all", "open", "attention", "ended"]
_STATES: dict[Shown, tuple[JobState, ...]] = {
    "all": (),
    "open": (*MOVING, JobState.NEEDS_ATTENTION),
    "attention": (JobState.NEEDS_ATTENTION,),
    "ended": tuple(state for state in JobState if state.final),
}


class Waited(Result):
    """`done`: no job moves any more; those that need attention wait for a person."""

    done: bool
    jobs: list[JobLine]
    more: int | None = None
    held_up: str | None = None
    left: str | None = None
    next: str


class JobList(Result):
    jobs: list[JobLine]
    next: str


class Event(Result):
    at: str
    type: str
    data: str | None = None
    #: How often in a row.
    times: int | None = None


class OneJob(Result):
    job: JobLine
    history: list[Event] | None = None
    next: str


class Reopened(Result):
    provider: str
    gate: str
    next: str


# ---- wait ----------------------------------------------------------------------------------------


async def wait(
    ctx: Ctx,
    jobs: Annotated[
        list[Handle] | None, OneOrMore, Field(description="Numbers; default: all under way")
    ] = None,
    video: InVideo = None,
    project: InProject = None,
    max_wait_s: Annotated[float, Field(ge=0, le=50)] = 45,
) -> CallToolResult:
    """Wait until jobs have ended or need a person, with progress; answers with the files. Call it again while done is
    false; the jobs go on regardless.
    """
    kit = kit_of(ctx)
    ids = await _meant(kit, jobs, video, project)
    if not ids:
        return reply(Waited(done=True, jobs=[], next="Nothing is under way. See list_jobs."))
    found = await _watch(ctx, kit, ids, max_wait_s)
    return await waited(kit, found)


async def waited(kit: FlowKit, found: list[Job], after: str = "") -> CallToolResult:
    """What `wait` answers about these jobs; `after`: what to do once they have ended."""
    # what matters first: decisions, failures, files, then what is still under way
    found.sort(key=lambda job: (_RANK[job.state], job.id))
    lines, files = await job_lines(kit, found[:_LISTED])
    done = not any(job.state in MOVING for job in found)
    return reply(
        Waited(
            done=done,
            jobs=lines,
            more=len(found) - _LISTED if len(found) > _LISTED else None,
            held_up=None if done else await _held_up(kit),
            left=None if done else (await Forecast.now(kit)).of_all(job.id for job in found),
            next=f"{_after(found)} {after}".strip(),
        ),
        files,
    )


_RANK = {
    JobState.NEEDS_ATTENTION: 0,
    JobState.FAILED: 1,
    JobState.SUCCEEDED: 2,
    JobState.CANCELLED: 3,
    JobState.RUNNING: 4,
    JobState.WAITING: 5,
    JobState.QUEUED: 6,
}


async def _meant(
    kit: FlowKit, jobs: list[str] | None, video: str | None, project: str | None
) -> list[int]:
    if jobs:
        return list(dict.fromkeys(job_id(job) for job in jobs))
    found = await _found(kit, "open", video, project, limit=_MOST)
    return sorted(job.id for job in found)


async def _found(
    kit: FlowKit,
    show: Shown,
    video: str | None,
    project: str | None,
    *,
    limit: int,
    before: int | None = None,
) -> list[Job]:
    """Newest first: of one video, of one project, or of the whole library."""
    project_id = video_id = None
    if video is not None:
        video_id = (await find_video(kit, video, project)).id
    elif project is not None:
        project_id = (await Project.get(kit, project)).id
    return await find_jobs(
        kit,
        states=_STATES[show],
        project_id=project_id,
        video_id=video_id,
        before=before,
        limit=limit,
    )


async def _watch(ctx: Ctx, kit: FlowKit, ids: list[int], max_wait_s: float) -> list[Job]:
    """Until nothing moves by itself or the time is up; tells the client at least every 10 s that it is alive."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + max_wait_s
    told = -1.0
    while True:
        slice_s = max(0.0, min(BEAT_S, deadline - loop.time()))
        found = await kit.wait_all(ids, slice_s)
        ended = [job for job in found if job.state not in MOVING]
        progress = len(ended) + sum(job.progress for job in found if job.state in MOVING)
        told = max(progress, told + 0.001)  # the protocol wants it to grow each time
        await ctx.report_progress(told, len(ids), f"{len(ended)} of {len(ids)} jobs")
        if len(ended) == len(found) or loop.time() >= deadline:
            return found


async def _held_up(kit: FlowKit) -> str | None:
    """Why nothing new is sent now, if so."""
    state = await kit.provider_state()
    if state is None or not state.connected:
        return "NOT_CONNECTED: the browser is not connected; jobs wait for it. Call status."
    if state.closed(kit.clock.now()):
        told = cut(f"{state.gate.value}: {state.message or state.reason}", 300)
        if state.resume_at is None:
            return told
        return f"{told} It opens {in_words(max(0.0, (state.resume_at - kit.clock.now()) / 1000))} from now."
    return None


def _after(jobs: list[Job]) -> str:
    steps: list[str] = []
    left = [job.id for job in jobs if job.state in MOVING]
    if any(job.state is JobState.NEEDS_ATTENTION for job in jobs):
        steps.append("Tell the person why a job needs attention; then resolve_job.")
    if any(job.state is JobState.FAILED for job in jobs):
        steps.append("For failed jobs read why, change what it names and generate again.")
    if left:
        again = jobs_call(left) if len(left) <= _LISTED else "wait()"
        steps.append(f"Call {again} again.")
    return " ".join(steps) or "All done. get_project shows what is next."


# ---- list, cancel, resolve -----------------------------------------------------------------------


async def list_jobs(
    ctx: Ctx,
    job: Annotated[JobName | None, Field(description="Only this one, with its history")] = None,
    show: Shown = "all",
    video: InVideo = None,
    project: InProject = None,
    before: Annotated[int | None, Field(description="Job number, for older ones")] = None,
    limit: Annotated[int, Field(ge=1, le=50)] = 20,
) -> CallToolResult:
    """Jobs, newest first, with state, credits and files."""
    kit = kit_of(ctx)
    if job is not None:
        return reply(*await one_job(kit, job_id(job)))
    found = await _found(kit, show, video, project, limit=limit + 1, before=before)
    page = found[:limit]
    lines, _ = await job_lines(kit, page)
    step = _after(page) if page else "There are no such jobs."
    if len(found) > limit:
        step = f"Older: list_jobs(…, before={page[-1].id}). {step}"
    return reply(JobList(jobs=lines, next=step))


async def one_job(kit: FlowKit, id: int) -> tuple[OneJob, list[tuple[str, Path]]]:
    """A job with its history, and its file if it made one. Raises NotFound."""
    row = await kit.job(id)
    line, files = await job_line(kit, row, await Forecast.now(kit))
    history = _history(await JobHandle(kit, id).events())
    return OneJob(job=line, history=history, next=_after([row])), files


def _history(events: Sequence[JobEvent]) -> list[Event]:
    """Its beginning and its end; what happens again and again, as a look does, in one line."""
    told: list[Event] = []
    for (type, data), same in groupby(events, lambda event: (event.type, event.data)):
        first, *again = same
        told.append(
            Event(
                at=datetime.fromtimestamp(first.at / 1000, UTC).isoformat(timespec="seconds"),
                type=type,
                data=cut(", ".join(f"{k}={v}" for k, v in data.items()), 160) if data else None,
                times=1 + len(again) if again else None,
            )
        )
    left_out = told[_FIRST_EVENTS:-_LAST_EVENTS]
    if len(left_out) > 1:
        told[_FIRST_EVENTS:-_LAST_EVENTS] = [
            Event(at=left_out[0].at, type="not_shown", times=len(left_out))
        ]
    return told


async def cancel_job(
    ctx: Ctx,
    job: JobName,
    pause: Annotated[bool, Field(description="Let an upload rest instead")] = False,
) -> CallToolResult:
    """Stop a job that has not ended. Before it is sent nothing is charged; what is already at the provider may still
    finish there and be charged.
    """
    kit = kit_of(ctx)
    row = await (pause_upload(kit, job_id(job)) if pause else kit.cancel(job_id(job)))
    line, _ = await job_line(kit, row)
    step = (
        "Nothing more to do." if row.state.final else f"Call {jobs_call([row.id])} to see it end."
    )
    return reply(OneJob(job=line, next=step))


async def resolve_job(
    ctx: Ctx,
    action: Annotated[
        Literal["look_again", "submit_again", "attach", "give_up", "retry", "reopen"],
        Field(
            description="look_again is free and comes first; submit_again may be charged twice; attach needs "
            "media_id; reopen needs provider"
        ),
    ],
    job: JobName | None = None,
    provider: Literal["flow"] | None = None,
    media_id: Annotated[str | None, Field(description="Id of the finished media in Flow")] = None,
) -> Proposal:
    """The person's decision on a job that needs attention (list_jobs(show="attention") says why): an unknown outcome,
    or something they have mended. reopen: Flow may be used again after a pause.
    """
    kit = kit_of(ctx)
    if action == "reopen":
        if provider is None or job is not None:
            raise InvalidSetting("reopen is for a provider", hint="Pass provider='flow', no job.")
        return Proposal(key_of(["reopen"]), 0, (), lambda: _reopen(kit))
    if job is None:
        raise InvalidSetting("job is not given", hint="See list_jobs(show='attention').")
    row = await kit.job(job_id(job))
    what = f"job {row.id}, {await describe(kit, row)}: send it again (the first may be charged too)"
    credits = row.credits_estimate if action == "submit_again" else 0
    if row.state is not JobState.NEEDS_ATTENTION:
        credits = 0  # it will be refused: nothing to ask about

    async def carry_out() -> CallToolResult:
        line, _ = await job_line(kit, await kit.resolve(row.id, action, media_id))
        step = "It has ended." if action == "give_up" else f"Call {jobs_call([row.id])}."
        return reply(OneJob(job=line, next=step))

    project = row.project_id if credits else None
    key = key_of([action, row.id, credits, media_id])
    question = None
    if row.kind is JobKind.PUBLISH and action == "submit_again":
        question = (
            f"Send the film of job {row.id} to YouTube again? If the first one arrived after all, "
            "it is there twice."
        )
    lines = (f"{what}: {credits} credits",)
    return Proposal(key, credits, lines, carry_out, question, project_id=project)


async def _reopen(kit: FlowKit) -> CallToolResult:
    state = await kit.reopen()
    step = "The jobs go on by themselves, one before the others; call wait()."
    return reply(Reopened(provider=state.provider, gate=state.gate.value, next=step))


TOOLS = (
    tool(wait, "Wait for jobs", READS),
    tool(list_jobs, "List jobs", READS),
    tool(cancel_job, "Cancel a job", DECIDES),
    spending(resolve_job, "Decide about a job", DECIDES),
)
