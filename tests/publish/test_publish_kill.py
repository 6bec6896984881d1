"""The process that works an upload is killed with SIGKILL; the next leader ends the job: one film, nothing twice."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from publish_world import CHUNK, LISTING, SIZE, PublishWorld, film_in

from flowkit_mcp.app import FlowKit
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.publish.auth import signins_of
from flowkit_mcp.simulator.youtube import LocalYouTube
from flowkit_mcp.store import publications
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.jobs import job as job_of
from flowkit_mcp.store.lock import LeaderLock

pytestmark = [pytest.mark.crash, pytest.mark.e2e]
CHILD = Path(__file__).with_name("publish_child.py")
ALL = LISTING.model_copy(update={"playlist": "PLstandin"})
#: Steps of the job, `step` of YouTube with the number of the call, and whether the answer is lost as well.
POINTS = [
    "film_sent",
    "film_recorded",
    "captions_done",
    "playlist_done",
    "thumbnail_done",
    ("open", 1, False),
    ("chunk", 1, False),
    ("chunk", 3, True),
    ("chunk", 6, False),
    ("chunk", 6, True),
    ("captions", 1, False),
    ("playlist_add", 1, False),
    ("thumbnail", 1, False),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
async def test_killed_anywhere_the_next_leader_ends_it_with_one_film(
    tmp_path: Path, point: str | tuple[str, int, bool]
) -> None:
    async with LocalYouTube.run(tmp_path / "youtube") as youtube:
        settings = Settings(library=tmp_path / "library", port=47998, youtube=youtube.url)
        id, film = await _queued(settings, youtube)
        step = point if isinstance(point, str) else "-"
        child = await _start(settings, youtube, step, id)
        if isinstance(point, tuple):
            _kill_at(youtube, child, *point)
        assert await child.wait() == -9, "nobody came to that point"
        youtube.before = lambda step: None
        youtube.heal()
        assert await (await _start(settings, youtube, "-", id)).wait() == 0

        job = await _job(settings, id)
        assert (job.state, job.message) == (JobState.SUCCEEDED, None)
        (video,) = youtube.videos.values()
        assert video.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
        assert youtube.received <= SIZE + CHUNK
        assert youtube.playlists["PLstandin"] == [video.id]
        assert video.thumbnail is not None
        assert list(video.captions) == ["en"]
        async with Database.open(settings.database) as db:
            (row,) = await publications.newest(db, 5)
        assert (row.remote_id, set(row.steps.values())) == (video.id, {"done"})


def _kill_at(
    youtube: LocalYouTube, child: asyncio.subprocess.Process, step: str, nth: int, lost: bool
) -> None:
    def kill(at: str) -> None:
        if at == step and youtube.calls[step] == nth and child.returncode is None:
            child.kill()

    youtube.before = kill
    if lost:  # what arrived counts, and nobody hears of it
        youtube.slow_s = 0
        youtube.fault("slow", at=step, times=nth - 1)
        youtube.fault("drop_reply", at=step)


async def _queued(settings: Settings, youtube: LocalYouTube) -> tuple[int, Path]:
    """A job that nobody works yet: somebody else has the lock."""
    channel = await asyncio.to_thread(
        signins_of(settings).enter_stand_in, Clock().now(), "stand-in"
    )
    async with FlowKit.open(settings, provider=FakeProvider()):
        pass  # the schema
    lock = LeaderLock(settings.leader_lock)
    assert lock.try_acquire()
    try:
        async with FlowKit.open(settings, provider=FakeProvider()) as kit:
            video, render, path = await film_in(kit)
            world = PublishWorld(kit, youtube, video, render, channel.id, path)
            job = await world.start(
                ALL,
                thumbnail=world.attachment("poster.jpg", b"\xff\xd8\xff" + bytes(99)),
                captions=world.attachment("film.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhi\n"),
            )
    finally:
        lock.release()
    return job.id, path


async def _start(
    settings: Settings, youtube: LocalYouTube, step: str, id: int
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), str(settings.library), youtube.url, step, str(id)
    )


async def _job(settings: Settings, id: int) -> Job:
    async with Database.open(settings.database) as db:
        return await job_of(db, id)
