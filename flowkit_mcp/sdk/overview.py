"""Reading across the library: jobs in words, files with their measures, what is already at work.

`Project`, `Scene` and the others know themselves; this is what a list of jobs or a page of results needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Asset, JobKind, JobState, Render, Slot, Stage, Take
from flowkit_mcp.domain.models import Job as JobRow
from flowkit_mcp.errors import NotFound
from flowkit_mcp.sdk.jobs import Planned, warnings_of
from flowkit_mcp.store import catalog, jobs, takes

#: Jobs that go on by themselves.
MOVING = (JobState.QUEUED, JobState.RUNNING, JobState.WAITING)

#: What people call what a stage makes.
NOUNS = {
    Stage.REFERENCE: "reference image",
    Stage.IMAGE: "image",
    Stage.VIDEO: "clip",
    Stage.UPSCALE: "upscale",
    Stage.IMAGE_UPSCALE: "image upscale",
}


@dataclass(frozen=True)
class Made:
    """What an ended job left: the file, and the take's number where it is a take."""

    path: Path
    take: int | None
    asset: Asset


async def find_jobs(
    kit: FlowKit,
    *,
    states: Sequence[JobState] = (),
    project_id: str | None = None,
    video_id: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[JobRow]:
    """Newest first; `before` is the last id of the page before."""
    return await jobs.jobs(
        kit.db,
        states=states,
        project_id=project_id,
        video_id=video_id,
        before=before,
        limit=limit,
    )


async def live_job(kit: FlowKit, planned: Planned) -> JobRow | None:
    """The job that is already at work on exactly this; enqueueing it again would return that one."""
    return await jobs.live_job(kit.db, planned.request.fingerprint)


async def describe(kit: FlowKit, job: JobRow) -> str:
    """`scene 3 VERTICAL clip`, `reference image of Mai`, `VERTICAL film`, `list projects in Flow`."""
    if job.kind is JobKind.HOUSEKEEPING:
        return f"{str(job.request['action']).replace('_', ' ')} in Flow"
    if job.kind is JobKind.PUBLISH:
        return f"upload of the {job.orientation} film"
    if job.character_id is not None:
        character = await catalog.character(kit.db, job.character_id)
        return f"reference image of {character.name}"
    if job.scene_id is not None and job.stage is not None:
        try:
            scene = await catalog.scene(kit.db, job.scene_id)
        except NotFound:
            return f"{job.orientation} {NOUNS[job.stage]}"
        removed = " (removed)" if scene.removed_at else ""
        return f"scene {scene.number}{removed} {job.orientation} {NOUNS[job.stage]}"
    return f"{job.orientation} film"


async def made(kit: FlowKit, job: JobRow) -> Made | None:
    """The file of a job that succeeded."""
    number: int | None = None
    if job.take_id is not None:
        take = await takes.take(kit.db, job.take_id)
        number, asset_id = take.number, take.asset_id
    elif job.render_id is not None:
        asset_id = (await takes.render(kit.db, job.render_id)).asset_id
    else:
        return None
    asset = await takes.asset(kit.db, asset_id)
    return Made(kit.media.absolute(asset.path), number, asset)


async def film(kit: FlowKit, render: Render) -> Made:
    """The file of a render."""
    asset = await takes.asset(kit.db, render.asset_id)
    return Made(kit.media.absolute(asset.path), None, asset)


async def picture(kit: FlowKit, take: Take) -> Made:
    """The file of a take."""
    asset = await takes.asset(kit.db, take.asset_id)
    return Made(kit.media.absolute(asset.path), take.number, asset)


async def find_take(kit: FlowKit, id: str) -> Take:
    """Raises NotFound."""
    return await takes.take(kit.db, id)


async def newest_takes(kit: FlowKit, beginning: str = "", limit: int = 100) -> list[str]:
    """Ids of takes that begin so, newest first."""
    return await takes.newest(kit.db, beginning, limit)


async def small_picture(file: Made) -> bytes:
    """A JPEG of at most 768 px of a picture, or of a clip half a second in. Raises MediaError."""
    # late: pictures are looked at long after the start
    from flowkit_mcp.media.stills import thumbnail_bytes

    return await thumbnail_bytes(file.path)


async def told_of(kit: FlowKit, slot: Slot) -> tuple[str, ...]:
    """What Flow was seen to do otherwise than asked when it made what this slot holds."""
    if not slot.filled or slot.take_id is None:
        return ()
    take = await takes.take(kit.db, slot.take_id)
    if take.job_id is None:
        return ()
    return await warnings_of(kit, await jobs.job(kit.db, take.job_id))
