"""An upload that a person pauses or cancels, whatever it is doing: it is gone on with, and nothing is there twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from publish_world import CHUNK, LISTING, SIZE, PublishWorld

from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.publish.upload import StandFile
from flowkit_mcp.sdk.publication import pause
from flowkit_mcp.work import publish_line

pytestmark = pytest.mark.e2e

ALL = LISTING.model_copy(update={"playlist": "PLstandin"})
PATIENCE_S = 600  #: longer than any test waits


@pytest.fixture
def answered_when_stopped(publishing: PublishWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow answer of YouTube comes as soon as the upload has been told to stop, and not before."""
    end = publish_line._end

    async def answered(*told: Any) -> None:
        publishing.youtube.heal()
        await end(*told)

    monkeypatch.setattr(publish_line, "_end", answered)


async def _pause_and_go_on(publishing: PublishWorld, job: Job) -> None:
    await pause(publishing.kit, job.id)
    job = await publishing.rest(job.id)
    assert (job.state, job.reason) == (JobState.NEEDS_ATTENTION, "PAUSED")
    assert "resolve_job with action 'retry'" in (job.message or "")
    publishing.youtube.heal()
    await publishing.kit.resolve(job.id, "retry")
    assert (await publishing.rest(job.id)).state is JobState.SUCCEEDED
    assert publishing.arrived_once()


async def _the_next_job_goes_on(publishing: PublishWorld) -> None:
    assert (await publishing.run()).state is JobState.SUCCEEDED
    assert publishing.arrived_once()
    assert len(publishing.youtube.sessions) == 1


async def test_paused_it_sends_nothing_and_goes_on_from_there(publishing: PublishWorld) -> None:
    second_chunk = publishing.hold(2)
    job = await publishing.start()
    await second_chunk.wait()
    await _pause_and_go_on(publishing, job)
    assert len(publishing.youtube.sessions) == 1
    assert publishing.youtube.received <= SIZE + 2 * CHUNK


async def _opening(publishing: PublishWorld) -> Job:
    """YouTube has opened its session, and does not say so yet."""
    publishing.youtube.slow_s = PATIENCE_S
    publishing.youtube.fault("slow_reply", at="open")
    opened = asyncio.Event()
    publishing.youtube.before = lambda step: opened.set() if step == "answer" else None
    job = await publishing.start()
    await opened.wait()
    return job


@pytest.mark.usefixtures("answered_when_stopped")
async def test_paused_while_its_session_is_opened_it_hears_the_answer_and_goes_on_in_that_session(
    publishing: PublishWorld,
) -> None:
    await _pause_and_go_on(publishing, await _opening(publishing))
    assert len(publishing.youtube.sessions) == 1


@pytest.mark.usefixtures("answered_when_stopped")
async def test_cancelled_while_its_session_is_opened_it_leaves_that_to_the_next_job(
    publishing: PublishWorld,
) -> None:
    job = await _opening(publishing)
    await publishing.kit.cancel(job.id)
    assert (await publishing.rest(job.id)).reason == "CANCELLED"
    await _the_next_job_goes_on(publishing)


async def test_a_session_whose_answer_does_not_come_in_time_stays_empty(
    publishing: PublishWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_line, "ANSWER_S", 0)
    await _pause_and_go_on(publishing, await _opening(publishing))
    received = [session.received for session in publishing.youtube.sessions.values()]
    assert sorted(received)[:-1] == [0] * (len(received) - 1), "one session got the film's bytes"


@pytest.mark.usefixtures("answered_when_stopped")
async def test_cancelled_while_it_is_put_into_its_playlist_it_is_there_once(
    publishing: PublishWorld,
) -> None:
    publishing.youtube.slow_s = PATIENCE_S
    publishing.youtube.fault("slow_reply", at="playlist_add")
    added = asyncio.Event()
    publishing.youtube.before = lambda step: (
        added.set() if publishing.youtube.playlists["PLstandin"] else None
    )
    job = await publishing.start(ALL)
    await added.wait()
    await publishing.kit.cancel(job.id)
    job = await publishing.rest(job.id)
    (video,) = publishing.youtube.videos
    assert f"the film is up at {publishing.youtube.url}/watch/{video}" in (job.message or "")
    assert publishing.youtube.playlists["PLstandin"] == [video]


async def test_cancelled_with_all_of_it_sent_it_says_so_and_the_next_job_finds_the_film(
    publishing: PublishWorld,
) -> None:
    publishing.youtube.slow_s = 0
    publishing.youtube.fault("slow", times=5)
    publishing.youtube.fault("slow_reply")
    arrived = asyncio.Event()

    def keep_quiet(step: str) -> None:
        if publishing.youtube.videos:
            publishing.youtube.slow_s = PATIENCE_S
            arrived.set()

    publishing.youtube.before = keep_quiet
    job = await publishing.start()
    await arrived.wait()
    await publishing.kit.cancel(job.id)
    job = await publishing.rest(job.id)
    assert job.reason == "CANCELLED"
    assert "it may be on the channel" in (job.message or "")
    await _the_next_job_goes_on(publishing)


async def test_a_film_that_was_found_on_the_channel_is_the_next_jobs_too(
    publishing: PublishWorld,
) -> None:
    """The job was cancelled when it knew of the film, whose session is long gone, and had not written it down."""
    known = await publishing.run()
    video = (await publishing.publication(known.id)).remote_id
    async with publishing.kit.db.transaction() as tx:
        await tx.run("DELETE FROM publication")
    publishing.youtube.fault("forbidden", at="open")
    job = await publishing.run()
    await publishing.kit.cancel(job.id)
    StandFile(publishing.kit.settings.uploads / f"{job.id}.json").attach(video, publishing.file)
    job = await publishing.run()
    assert job.state is JobState.SUCCEEDED
    assert (await publishing.publication(job.id)).remote_id == video
    assert publishing.youtube.calls["open"] == 2


async def test_cancelled_it_stops_at_once_and_the_next_job_goes_on_with_the_same_session(
    publishing: PublishWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wait in ("STOP_S", "ANSWER_S"):  # whoever waits for the answer hangs
        monkeypatch.setattr(publish_line, wait, PATIENCE_S)
    first_chunk = publishing.hold(1)
    job = await publishing.start()
    await first_chunk.wait()
    await publishing.kit.cancel(job.id)
    job = await publishing.rest(job.id)
    assert (job.state, job.reason) == (JobState.CANCELLED, "CANCELLED")
    assert "not shown to anybody" in (job.message or "")
    publishing.youtube.heal()
    await _the_next_job_goes_on(publishing)
