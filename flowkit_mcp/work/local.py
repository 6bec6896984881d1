"""Jobs that need no provider: the merge, and the last frame of a clip."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from flowkit_mcp.domain.models import Job, JobState, MediaKind
from flowkit_mcp.domain.policy import Verb
from flowkit_mcp.domain.requests import LastFrame, Merge, request_of
from flowkit_mcp.media.estimate import Stage
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.stills import last_frame
from flowkit_mcp.store import catalog, jobs, takes
from flowkit_mcp.work.joins import joins_of
from flowkit_mcp.work.record import sha256_of
from flowkit_mcp.work.restore import Restorer
from flowkit_mcp.work.workshop import Replaced, Workshop

REPORT_EVERY_S = 0.5


async def run_local(shop: Workshop, job: Job) -> None:
    """A claimed local job, to its end. Cancelling the task leaves no half file."""
    request = request_of(job)
    try:
        if isinstance(request, LastFrame):
            await _cut_frame(shop, job, request)
        else:
            assert isinstance(request, Merge)
            await _merge(shop, job, request)
    except Replaced:
        raise
    except Exception as error:  # local work costs nothing: any error ends the job with its reason
        await shop.fail(job, error, Verb.LOCAL)


async def _merge(shop: Workshop, job: Job, request: Merge) -> None:
    clips = [await takes.take(shop.db, id) for id in request.clip_take_ids]
    restorer = Restorer(shop)
    assets = [
        await restorer.here(await takes.asset(shop.db, clip.asset_id), as_recorded=True)
        for clip in clips
    ]
    project = await catalog.project(shop.db, request.project_id)
    video = await catalog.video(shop.db, request.video_id)
    number = await takes.next_render_number(shop.db, video.id, request.orientation)
    target = shop.media.render_path(
        project=project.slug, video=video.slug, orientation=request.orientation, number=number
    )
    stage = Stage("reading the clips", 0.0, 0.0)

    def note(now: Stage) -> None:
        nonlocal stage
        stage = now

    async def about_to_be_named(files: Mapping[str, str]) -> None:
        await _note(shop, job, target.parent, files)
        shop.on_step("film_noted")

    async def report() -> None:
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            async with shop.db.transaction() as tx:
                await jobs.set_progress(
                    tx, job.id, shop.generation, stage.share, message=_told(stage)
                )

    reporter = asyncio.create_task(report())
    async with AsyncExitStack() as unrecorded:
        try:
            shop.on_step("merging")
            result = await merge(
                [shop.media.absolute(asset.path) for asset in assets],
                target,
                ffmpeg=shop.ffmpeg,
                cut=request.cut,
                scratch=shop.media.library / ".flowkit" / "scratch" / f"job-{job.id}",
                stage=note,
                naming=about_to_be_named,
            )
            # the film has its name from here on, and no row yet
            await unrecorded.enter_async_context(
                _until_recorded(shop, result.file.path, *result.sidecars)
            )
            stage = Stage("looking at the joins", 0.99, 0.0)
            shop.on_step("looking_at_joins")
            joins = await joins_of(shop, request, clips, assets, result)
        finally:
            reporter.cancel()
            await asyncio.gather(reporter, return_exceptions=True)
        shop.on_step("merged")
        recipe = {
            **request.recipe(),
            "frames": result.frames,
            "plan": result.plan,
            "report": result.report,
            "captions": [shop.media.relative(file) for file in result.sidecars],
            "joins": joins,
        }
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            asset = await takes.add_asset(
                tx,
                result.file,
                id=shop.clock.new_id(),
                path=shop.media.relative(result.file.path),
                now=now,
            )
            render = await takes.add_render(
                tx,
                id=shop.clock.new_id(),
                video_id=video.id,
                orientation=request.orientation,
                number=number,
                asset_id=asset.id,
                recipe=recipe,
                job_id=job.id,
                now=now,
            )
            await shop.move(
                tx,
                job,
                JobState.SUCCEEDED,
                "succeeded",
                render_id=render.id,
                progress=1.0,
                data={"render": render.id, "media": MediaKind.VIDEO},
            )


async def _cut_frame(shop: Workshop, job: Job, request: LastFrame) -> None:
    """The picture is a take made from the clip; it is handed to Flow when something is made from it."""
    clip = await takes.take(shop.db, request.clip_take_id)
    source = await Restorer(shop).here(await takes.asset(shop.db, clip.asset_id), as_recorded=True)
    project = await catalog.project(shop.db, request.project_id)
    video = await catalog.kept_video(shop.db, request.video_id)
    scene = await catalog.scene(shop.db, request.scene_id)
    place: takes.Place = {
        "scene_id": scene.id,
        "character_id": None,
        "orientation": request.orientation,
        "stage": request.stage,
    }
    number = await takes.next_number(shop.db, **place)
    target = shop.media.take_path(
        project=project.slug,
        video=video.slug,
        scene_number=scene.number,
        orientation=request.orientation,
        stage=request.stage,
        number=number,
        suffix=".png",
    )
    part = shop.media.part_for(target)
    await last_frame(shop.media.absolute(source.path), part, request.end_s)
    digest = await asyncio.to_thread(sha256_of, part)
    await _note(shop, job, target.parent, {target.name: digest})
    file = await shop.media.keep(part, target, MediaKind.IMAGE)
    async with _until_recorded(shop, file.path):
        shop.on_step("frame_kept")
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            number = await takes.next_number(
                tx, **place
            )  # a person's picture may have come between
            asset = await takes.add_asset(
                tx, file, id=shop.clock.new_id(), path=shop.media.relative(file.path), now=now
            )
            take = await takes.add_take(
                tx,
                id=shop.clock.new_id(),
                number=number,
                now=now,
                select=True,
                asset_id=asset.id,
                job_id=job.id,
                made_from_id=clip.id,
                params={"end_s": request.end_s},
                credits=0,
                note="last frame of the clip it continues",
                **place,
            )
            await shop.move(
                tx,
                job,
                JobState.SUCCEEDED,
                "succeeded",
                take_id=take.id,
                credits=0,
                progress=1.0,
                data={"take": take.id},
            )


async def _note(shop: Workshop, job: Job, folder: Path, files: Mapping[str, str]) -> None:
    """Whose these will be (name and SHA-256), should this process end before their row: the next leader removes them
    (leftovers.py).
    """
    made = [{"name": name, "sha256": digest} for name, digest in files.items()]
    async with shop.db.transaction() as tx:
        await jobs.log(
            tx, job.id, "made", shop.clock.now(), folder=shop.media.relative(folder), files=made
        )


@asynccontextmanager
async def _until_recorded(shop: Workshop, *files: Path) -> AsyncGenerator[None]:
    """What the person stops between a file's name and its row leaves no file that nobody knows."""
    try:
        yield
    except asyncio.CancelledError:
        if not await takes.has_file(shop.db, shop.media.relative(files[0])):
            for file in files:
                file.unlink(missing_ok=True)
        raise


def _told(stage: Stage) -> str:
    """`encoding, about 12 s left`."""
    return f"{stage.name}, about {stage.left_s:.0f} s left" if stage.left_s >= 1 else stage.name
