"""Publishing from Python: an upload in queue or direct mode, its pause, and what became of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Job as JobRow
from flowkit_mcp.domain.models import JobState, Priority
from flowkit_mcp.domain.publication import Publication
from flowkit_mcp.errors import Conflict
from flowkit_mcp.publish import steps
from flowkit_mcp.publish.auth import signins_of
from flowkit_mcp.publish.client import translated
from flowkit_mcp.sdk.jobs import Job, Planned
from flowkit_mcp.sdk.publish_plan import UploadPlan
from flowkit_mcp.store import jobs, publications
from flowkit_mcp.work import publish_answers


@dataclass(frozen=True)
class PublishResult:
    """How an upload ended. `told`: what is not done, or not as it should be, though the film is up."""

    success: bool
    job_id: int
    video_id: str | None = None
    url: str | None = None
    told: str = ""
    error: str | None = None


async def publish(kit: FlowKit, plan: UploadPlan, priority: Priority | None = None) -> Job:
    """Put a planned upload into the queue. The person's yes is the caller's business.

    Raises:
        InvalidSetting: the preflight found errors.
        Conflict: the film is on its way there already, with another listing.
    """
    request = plan.ready()
    live = await jobs.live_job(kit.db, request.fingerprint)
    if live is not None and live.request != request.model_dump(mode="json"):
        raise Conflict(
            f"job {live.id} is already uploading this film there, with another listing",
            hint="Wait for it, or cancel it first.",
        )
    what = f"upload of the {request.orientation.value.lower()} film"
    return await Job.enqueue(kit, Planned(request, 0, what), priority)


async def execute_publish(kit: FlowKit, plan: UploadPlan) -> PublishResult:
    """The same, awaited. That it fails is told in the result, not raised."""
    job = await publish(kit, plan, Priority.DIRECT)
    return await result_of(kit, await kit.wait(job.id))


async def result_of(kit: FlowKit, row: JobRow) -> PublishResult:
    """What an upload job has come to."""
    done = await publications.of_job(kit.db, row.id)
    error = None
    if row.state is not JobState.SUCCEEDED:
        error = f"{row.reason or row.state.upper()}: {row.message or row.state}"
    return PublishResult(
        success=row.state is JobState.SUCCEEDED,
        job_id=row.id,
        video_id=done.remote_id if done else None,
        url=done.url if done else None,
        told=done.told() if done else "",
        error=error,
    )


async def pause(kit: FlowKit, id: int) -> JobRow:
    """Let an upload rest; `resolve` with `retry` lets it go on. Raises NotFound, Conflict."""
    async with kit.db.transaction() as tx:
        await publish_answers.pause(tx, id, kit.clock.now())
    return await kit.job(id)


async def published(kit: FlowKit, video_id: str | None = None) -> list[Publication]:
    """Films on YouTube, newest first: of a video, or of the whole library."""
    if video_id is None:
        return await publications.newest(kit.db, 20)
    return await publications.of_video(kit.db, video_id)


async def look(kit: FlowKit, done: Publication) -> Publication:
    """Ask YouTube how it is getting on with a film (1 unit); what it says is kept. Raises PublishError."""
    now = kit.clock.now()

    def ask() -> steps.Standing | None:
        signins = signins_of(kit.settings)
        with signins.youtube(signins.channel(done.channel_id), now) as youtube:
            return steps.standing(youtube, done.remote_id)

    try:
        found = await asyncio.to_thread(ask)
    except Exception as error:  # Google's libraries raise many kinds; `translated` knows them
        raise translated(error, datetime.fromtimestamp(now / 1000, UTC)) from None
    processing = "deleted" if found is None else found.state
    async with kit.db.transaction() as tx:
        if done.job_id is not None:
            await publications.spend(tx, done.job_id, "units", 1, now)
        return await publications.set_standing(
            tx,
            done.id,
            processing=processing,
            trouble=None if found is None else found.reason,
            privacy=done.privacy if found is None else found.privacy,
            now=now,
        )
