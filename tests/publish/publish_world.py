"""A library with a film ready to be published, and a local YouTube where one channel is signed in."""

from __future__ import annotations

import asyncio
import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp import FlowKit, Project, Video
from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.listing import Attachment, Listing
from flowkit_mcp.domain.models import Job, MediaKind, Orientation, Render
from flowkit_mcp.domain.publication import Publication
from flowkit_mcp.domain.requests import Publish
from flowkit_mcp.simulator.youtube import LocalYouTube
from flowkit_mcp.store import jobs, publications, takes
from flowkit_mcp.work import publish

CHUNK = 512 << 10
SIZE = 5 * CHUNK + 12_345
FAST = publish.Pace(backoff_s=0.002, chunk=CHUNK, look_s=0.01, looks=5)
LISTING = Listing(title="The lamp", made_for_kids=False, channel="Stand-in channel")


@dataclass
class PublishWorld:
    """One film in one library."""

    kit: FlowKit
    youtube: LocalYouTube
    video: Video
    render: Render
    channel_id: str
    file: Path

    async def start(self, listing: Listing = LISTING, **more: object) -> Job:
        job, _ = await self.kit.enqueue(self.request(listing, **more))
        return job

    def request(self, listing: Listing = LISTING, **more: object) -> Publish:
        return Publish(
            project_id=self.video.project.id,
            video_id=self.video.id,
            orientation=self.render.orientation,
            render_id=self.render.id,
            channel_id=self.channel_id,
            listing=listing,
            **more,  # type: ignore[arg-type]
        )

    async def run(self, listing: Listing = LISTING, **more: object) -> Job:
        return await self.rest((await self.start(listing, **more)).id)

    async def rest(self, id: int) -> Job:
        """Until it has ended or needs a person."""
        return await self.kit.wait(id, 30)

    async def until(self, id: int, state: str, reason: str | None = None) -> Job:
        """Until it is in this state."""
        version = await self.kit.db.version()
        while True:
            job = await self.kit.job(id)
            if job.state == state and reason in (None, job.reason):
                return job
            version = await self.kit.db.changed(version, 5)

    def hold(self, nth: int) -> asyncio.Event:
        """Set when the nth chunk is on its way; neither it nor a later one arrives until `youtube.heal()`."""
        youtube, reached = self.youtube, asyncio.Event()
        youtube.slow_s = 0
        youtube.fault("slow", times=100)

        def before(step: str) -> None:
            if step == "chunk" and youtube.calls[step] >= nth:
                youtube.slow_s = 60
                reached.set()

        youtube.before = before
        return reached

    async def publication(self, id: int) -> Publication:
        found = await publications.of_job(self.kit.db, id)
        assert found is not None
        return found

    async def events(self, id: int) -> list[str]:
        return [event.type for event in await jobs.events(self.kit.db, id)]

    def arrived_once(self) -> bool:
        (video,) = self.youtube.videos.values()
        return video.sha256 == hashlib.sha256(self.file.read_bytes()).hexdigest()

    def attachment(self, name: str, data: bytes) -> Attachment:
        path = self.kit.settings.library.parent / name
        path.write_bytes(data)
        return Attachment(path=str(path), sha256=hashlib.sha256(data).hexdigest())


async def film_in(
    kit: FlowKit, *, orientation: Orientation = Orientation.HORIZONTAL, seconds: float = 24
) -> tuple[Video, Render, Path]:
    """A project "Lamp" with video "The lamp" of three scenes, and a render of random bytes."""
    project = await Project.create(kit, "Lamp", description="A story of light.", language="en")
    video = await project.add_video("The lamp", orientation=orientation)
    for prompt in ("A lamp is lit. Night falls", "A boat turns", "Morning"):
        await video.add_scene(prompt)
    render, path = await another_render(kit, video, orientation, seconds)
    return video, render, path


async def another_render(
    kit: FlowKit, video: Video, orientation: Orientation, seconds: float
) -> tuple[Render, Path]:
    number = len(await video.renders()) + 1
    path = kit.media.render_path(
        project=video.project.slug, video=video.row.slug, orientation=orientation, number=number
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.Random(number).randbytes(SIZE))
    wide = orientation is Orientation.HORIZONTAL
    file = MediaFile(
        path=path,
        media=MediaKind.VIDEO,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        bytes=SIZE,
        width=1280 if wide else 720,
        height=720 if wide else 1280,
        duration_ms=int(seconds * 1000),
    )
    now = kit.clock.now()
    async with kit.db.transaction() as tx:
        asset = await takes.add_asset(
            tx, file, id=kit.clock.new_id(), path=kit.media.relative(path), now=now
        )
        render = await takes.add_render(
            tx,
            id=kit.clock.new_id(),
            video_id=video.id,
            orientation=orientation,
            number=number,
            asset_id=asset.id,
            recipe={"clips": []},
            job_id=None,  # type: ignore[arg-type]
            now=now,
        )
    return render, path
