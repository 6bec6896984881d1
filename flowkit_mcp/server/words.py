"""Slots, jobs and files in the words that tools answer with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Asset, Job, JobKind, JobState, Render, Slot, Stage
from flowkit_mcp.sdk.film_joins import join_notes
from flowkit_mcp.sdk.forecast import Forecast
from flowkit_mcp.sdk.jobs import warnings_of
from flowkit_mcp.sdk.overview import Made, describe, film, made
from flowkit_mcp.sdk.publication import result_of
from flowkit_mcp.server.results import Film, JobLine, cut

#: Things to be said of one film's joins; review tells all.
_NOTES = 8


def slot_state(slot: Slot) -> str:
    """`done take 2`, `stale take 1`, `job 41 waiting`, `empty`; a new take under way is told too."""
    if slot.take_id is None:
        state = "empty"
    else:
        state = f"{'stale' if slot.stale else 'done'} take {slot.take_number}"
    if slot.job_id is not None:
        job = f"job {slot.job_id} {slot.job_state}"
        return job if slot.take_id is None else f"{state}, {job}"
    return state


def worth_telling(slot: Slot) -> bool:
    """Whether a slot is told of though it is empty: nobody misses a larger picture that was never asked for."""
    return slot.stage is not Stage.IMAGE_UPSCALE or slot.take_id is not None or bool(slot.job_id)


def size_of(asset: Asset) -> str | None:
    """`1280x720 8.0s`."""
    if asset.width is None:
        return None
    length = "" if asset.duration_ms is None else f" {asset.duration_ms / 1000:.1f}s"
    return f"{asset.width}x{asset.height}{length}"


async def job_line(
    kit: FlowKit, job: Job, forecast: Forecast | None = None
) -> tuple[JobLine, list[tuple[str, Path]]]:
    """A job in one line, and its file if it made one; with a `forecast`, when it will have ended."""
    what = await describe(kit, job)
    done: Made | None = None
    if job.state is JobState.SUCCEEDED:
        done = await made(kit, job)
    moving = not job.state.final and job.state is not JobState.NEEDS_ATTENTION
    why = f"{job.reason}: {job.message}" if job.reason else None
    if job.cancel_requested and not job.state.final:
        why = "CANCELLING: it stops as soon as it can"
    told = [*await warnings_of(kit, job)]
    upload = await result_of(kit, job) if job.kind is JobKind.PUBLISH else None
    says = job.kind in (JobKind.PUBLISH, JobKind.MERGE) and job.state is JobState.RUNNING
    sent = f", {job.message}" if says and job.message else ""
    if job.render_id is not None and job.kind is JobKind.MERGE:
        told += await join_notes(kit, job.render_id)
    if upload and upload.success and upload.told:
        told = [f"the film is up; {upload.told}"]
    line = JobLine(
        job=job.id,
        what=what,
        state=job.state.value,
        credits=job.credits if job.state.final else job.credits_estimate,
        progress=f"{job.progress:.0%}{sent}" if moving and job.progress else None,
        left=forecast.of(job.id) if moving and forecast is not None else None,
        take=done.take if done else None,
        path=str(done.path) if done else None,
        size=size_of(done.asset) if done else None,
        url=upload.url if upload else None,
        why=None if why is None else cut(why, 600),
        warnings=[cut(text, 300) for text in told][:3] or None,
    )
    return line, [(what, done.path)] if done else []


async def job_lines(
    kit: FlowKit, jobs: Sequence[Job]
) -> tuple[list[JobLine], list[tuple[str, Path]]]:
    """Several jobs, and the files of those that made one."""
    lines: list[JobLine] = []
    files: list[tuple[str, Path]] = []
    moving = any(not job.state.final for job in jobs)
    forecast = await Forecast.now(kit) if moving else None
    for job in jobs:
        line, more = await job_line(kit, job, forecast)
        lines.append(line)
        files += more
    return lines, files


async def film_of(kit: FlowKit, render: Render, *, joins: bool = False) -> tuple[Film, Path]:
    """A render as tools show it; `joins`: with what was found at them."""
    file = await film(kit, render)
    notes = (await join_notes(kit, render.id))[:_NOTES] if joins else []
    length = file.asset.duration_ms
    shown = Film(
        orientation=render.orientation.value,
        path=str(file.path),
        duration_s=None if length is None else length / 1000,
        size=size_of(file.asset),
        joins=[cut(note, 300) for note in notes] or None,
    )
    return shown, file.path


def jobs_call(ids: Sequence[int]) -> str:
    """How to wait for these."""
    return f"wait(jobs={list(ids)})"
