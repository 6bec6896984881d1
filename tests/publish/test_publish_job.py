"""An upload as a job: the film, what comes after it, and what a person hears when something is in the way."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from publish_world import LISTING, SIZE, PublishWorld, another_render

from flowkit_mcp import Wishes
from flowkit_mcp.domain.models import JobState, Orientation
from flowkit_mcp.errors import Conflict, InvalidSetting, RequestError
from flowkit_mcp.simulator.youtube import Fault
from flowkit_mcp.store import publications

pytestmark = pytest.mark.e2e

ALL = LISTING.model_copy(update={"playlist": "PLstandin"})
JPEG = b"\xff\xd8" + bytes(500)
SRT = b"1\n00:00:00,000 --> 00:00:01,000\nhi\n"


async def test_the_film_its_captions_playlist_and_thumbnail_and_the_row_of_all_that(
    publishing: PublishWorld,
) -> None:
    job = await publishing.run(
        ALL,
        thumbnail=publishing.attachment("poster.jpg", JPEG),
        captions=publishing.attachment("film.srt", SRT),
    )
    assert (job.state, job.message, job.progress) == (JobState.SUCCEEDED, None, 1.0)
    (video,) = publishing.youtube.videos.values()
    assert publishing.arrived_once()
    assert publishing.youtube.received == SIZE
    assert video.thumbnail == JPEG
    assert video.captions["en"][1] == SRT
    assert publishing.youtube.playlists["PLstandin"] == [video.id]
    row = await publishing.publication(job.id)
    assert (row.remote_id, row.url) == (video.id, f"{publishing.youtube.url}/watch/{video.id}")
    assert (
        row.metadata
        == {**ALL.body(), "notifySubscribers": False}
        == {
            **video.listing,
            "notifySubscribers": False,
        }
    )
    assert row.steps == {"captions": "done", "playlist": "done", "thumbnail": "done"}
    assert job.render_id == publishing.render.id
    kit = publishing.kit
    assert await publications.spent(kit.db, "uploads", 0) == 1
    assert await publications.spent(kit.db, "units", 0) == 400 + 51 + 50 + 1
    flat = await kit.db.all("SELECT youtube_id FROM video_flat")
    assert flat == [{"youtube_id": video.id}]
    assert await kit.db.all("SELECT * FROM request") == [], "nothing that an earlier tool knew"


async def test_progress_is_told_with_the_time_it_still_takes(publishing: PublishWorld) -> None:
    publishing.hold(4)
    job = await publishing.start()
    version = await publishing.kit.db.version()
    while not re.search(r"of 2.6 MB sent, about \d+ s left", (job.message or "")):
        version = await publishing.kit.db.changed(version, 5)
        job = await publishing.kit.job(job.id)
    assert job.state is JobState.RUNNING and 0 < job.progress < 1


@pytest.mark.parametrize("kind", ["500", "429", "rate", "drop", "drop_half", "partial", "401"])
async def test_a_fault_on_the_way_is_nobodys_business(publishing: PublishWorld, kind: Any) -> None:
    publishing.youtube.fault(kind, times=1 if kind == "401" else 2)
    job = await publishing.run()
    assert job.state is JobState.SUCCEEDED
    assert publishing.arrived_once()
    assert len(publishing.youtube.sessions) == 1


@pytest.mark.parametrize(
    ("kind", "at", "state", "reason", "says"),
    [
        ("quota", "open", "queued", "PUBLISH_LATER", "quota for today is used up"),
        ("quota", "chunk", "queued", "PUBLISH_LATER", "quota for today is used up"),
        ("upload_limit", "open", "queued", "PUBLISH_LATER", "as many films as YouTube allows"),
        ("forbidden", "open", "needs_attention", "PUBLISH_NEEDS_PERSON", "youtube login"),
        ("forbidden", "chunk", "needs_attention", "PUBLISH_NEEDS_PERSON", "youtube login"),
        ("invalid_tags", "open", "failed", "PUBLISH_ERROR", "YouTube refused: invalidTags"),
    ],
)
async def test_what_stops_an_upload_says_why_and_what_to_do(
    publishing: PublishWorld, kind: Fault, at: str, state: str, reason: str, says: str
) -> None:
    publishing.youtube.fault(kind, at=at)
    job = await publishing.start()
    job = await publishing.until(job.id, state, reason)
    assert says in (job.message or "")
    if state == "queued":
        assert job.run_at > publishing.kit.clock.now() + 30_000
    assert not publishing.youtube.videos


async def test_a_quota_keeps_the_session_and_the_upload_goes_on_where_it_stood(
    publishing: PublishWorld,
) -> None:
    publishing.youtube.fault("slow", times=2)
    publishing.youtube.slow_s = 0
    publishing.youtube.fault("quota")
    job = await publishing.start()
    await publishing.until(job.id, "queued", "PUBLISH_LATER")
    async with publishing.kit.db.transaction() as tx:  # midnight comes
        await tx.update("job", job.id, run_at=0)
    publishing.kit._wake()
    job = await publishing.rest(job.id)
    assert job.state is JobState.SUCCEEDED
    assert publishing.arrived_once()
    assert (len(publishing.youtube.sessions), publishing.youtube.received) == (1, SIZE)
    assert await publications.spent(publishing.kit.db, "uploads", 0) == 1


async def test_a_lost_sign_in_waits_for_the_person_and_goes_on_after_it(
    publishing: PublishWorld,
) -> None:
    publishing.youtube.fault("slow", times=2)
    publishing.youtube.slow_s = 0
    publishing.youtube.fault("forbidden")
    job = await publishing.run()
    assert job.state is JobState.NEEDS_ATTENTION
    await publishing.kit.resolve(job.id, "retry")
    assert (await publishing.rest(job.id)).state is JobState.SUCCEEDED
    assert (len(publishing.youtube.sessions), publishing.youtube.received) == (1, SIZE)


async def test_a_session_lost_with_everything_sent_asks_and_never_opens_a_second(
    publishing: PublishWorld,
) -> None:
    job = await _lost(publishing)
    assert "attach" in (job.message or "") and "submit_again" in (job.message or "")
    await publishing.kit.resolve(job.id, "retry")  # no decision: it may only look again
    job = await publishing.rest(job.id)
    assert job.state is JobState.NEEDS_ATTENTION
    assert publishing.youtube.calls["open"] == 1
    with pytest.raises(RequestError, match="is no id of a video"):
        await publishing.kit.resolve(job.id, "attach", "no such thing")
    await publishing.kit.resolve(job.id, "attach", "wrongwrong1")
    job = await publishing.rest(job.id)
    assert "sees no video 'wrongwrong1'" in (job.message or "")
    assert publishing.youtube.calls["open"] == 1
    (hidden,) = _hidden
    publishing.youtube.videos[hidden.id] = hidden
    await publishing.kit.resolve(job.id, "attach", f"https://youtu.be/{hidden.id}")
    job = await publishing.rest(job.id)
    assert job.state is JobState.SUCCEEDED
    assert (await publishing.publication(job.id)).remote_id == hidden.id
    assert publishing.youtube.calls["open"] == 1


async def test_the_person_may_say_that_it_is_to_be_sent_again(publishing: PublishWorld) -> None:
    job = await _lost(publishing)
    await publishing.kit.resolve(job.id, "submit_again")
    assert (await publishing.rest(job.id)).state is JobState.SUCCEEDED
    assert publishing.youtube.calls["open"] == 2
    assert len(publishing.youtube.videos) == 1


_hidden: list[Any] = []


async def _lost(publishing: PublishWorld) -> Any:
    """All was sent and became a video; then YouTube forgot session and video both."""
    _hidden.clear()

    def forget(step: str) -> None:
        if publishing.youtube.videos and not _hidden:
            _hidden.extend(publishing.youtube.videos.values())
            publishing.youtube.videos.clear()
            for session in publishing.youtube.sessions.values():
                session.gone = True

    publishing.youtube.before = forget
    publishing.youtube.fault("slow", times=5)
    publishing.youtube.slow_s = 0
    publishing.youtube.fault("drop_reply")
    job = await publishing.run()
    assert job.state is JobState.NEEDS_ATTENTION, job.message
    return job


async def test_a_finished_upload_is_never_repeated_but_on_purpose(publishing: PublishWorld) -> None:
    await publishing.run()
    again = await publishing.run(LISTING.model_copy(update={"title": "Another name"}))
    assert (again.state, again.reason) == (JobState.FAILED, "CONFLICT")
    assert "is on that channel already" in (again.message or "")
    assert len(publishing.youtube.videos) == 1
    assert (await publishing.run(take_number=2)).state is JobState.SUCCEEDED
    assert len(publishing.youtube.videos) == 2


async def test_the_same_film_is_on_its_way_once(publishing: PublishWorld) -> None:
    publishing.youtube.slow_s = 0.3
    publishing.youtube.fault("slow")
    first = await publishing.start()
    second = await publishing.start(LISTING.model_copy(update={"title": "Another name"}))
    assert second.id == first.id
    await publishing.rest(first.id)
    assert len(publishing.youtube.videos) == 1


@pytest.mark.parametrize(
    ("step", "at", "kind"),
    [
        ("captions", "captions", "forbidden"),
        ("playlist", "playlist_items", "forbidden"),
        ("thumbnail", "thumbnail", "invalid_image"),
        ("thumbnail", "thumbnail", "503"),
    ],
)
async def test_a_step_that_fails_leaves_the_film_published_and_is_said(
    publishing: PublishWorld, step: str, at: str, kind: Fault
) -> None:
    publishing.youtube.fault(kind, at=at, times=5)
    job = await publishing.run(
        ALL,
        thumbnail=publishing.attachment("poster.jpg", JPEG),
        captions=publishing.attachment("film.srt", SRT),
    )
    assert job.state is JobState.SUCCEEDED
    assert f"the film is up, but {step}: failed" in (job.message or "")
    row = await publishing.publication(job.id)
    assert {name for name, state in row.steps.items() if state != "done"} == {step}
    assert publishing.arrived_once()
    assert publishing.youtube.calls["open"] == 1


async def test_a_step_is_tried_again_while_youtube_is_busy(publishing: PublishWorld) -> None:
    publishing.youtube.fault("503", at="thumbnail", times=3)
    job = await publishing.run(thumbnail=publishing.attachment("poster.jpg", JPEG))
    assert (job.state, job.message) == (JobState.SUCCEEDED, None)
    assert publishing.youtube.calls["thumbnail"] == 4


async def test_a_quota_that_is_used_up_after_the_film_makes_its_captions_wait(
    publishing: PublishWorld,
) -> None:
    publishing.youtube.fault("quota", at="captions")
    job = await publishing.start(captions=publishing.attachment("film.srt", SRT))
    await publishing.until(job.id, "queued", "PUBLISH_LATER")
    assert publishing.arrived_once()
    assert (await publishing.publication(job.id)).steps == {"captions": "left"}
    async with publishing.kit.db.transaction() as tx:
        await tx.update("job", job.id, run_at=0)
    publishing.kit._wake()
    assert (await publishing.rest(job.id)).state is JobState.SUCCEEDED
    assert publishing.youtube.calls["open"] == 1


async def test_a_changed_thumbnail_is_not_what_was_agreed_to(publishing: PublishWorld) -> None:
    poster = publishing.attachment("poster.jpg", JPEG)
    publishing.attachment("poster.jpg", JPEG + b"other")
    job = await publishing.run(thumbnail=poster)
    assert "not what the person agreed to" in (job.message or "")
    assert publishing.youtube.calls["thumbnail"] == 0


async def test_of_a_short_the_thumbnail_waits_until_it_is_processed(
    publishing: PublishWorld,
) -> None:
    upright = Orientation.VERTICAL
    publishing.render, publishing.file = await another_render(
        publishing.kit, publishing.video, upright, 30
    )
    publishing.youtube.processing_looks = 3
    looks: list[int] = []

    def note(step: str) -> None:
        if step == "thumbnail":
            looks.append(publishing.youtube.calls["videos"])

    publishing.youtube.before = note
    job = await publishing.run(thumbnail=publishing.attachment("poster.jpg", JPEG))
    assert (job.state, job.message) == (JobState.SUCCEEDED, None)
    assert looks == [4]
    assert (await publishing.events(job.id)).count("processing") == 3


async def test_a_film_that_youtube_rejects_afterwards_is_told(publishing: PublishWorld) -> None:
    def reject(step: str) -> None:
        for video in publishing.youtube.videos.values():
            video.refusal = ("rejected", "duplicate")

    publishing.youtube.before = reject
    job = await publishing.run()
    row = await publishing.publication(job.id)
    assert (row.processing, row.trouble) == ("rejected", "duplicate")
    assert row.told() == "YouTube has rejected it (duplicate)"
    publishing.youtube.before = lambda step: None
    # what YouTube threw out does not stand in the way of a new one
    assert (await publishing.run()).state is JobState.SUCCEEDED


async def test_nothing_secret_is_in_the_database_or_the_history(
    publishing: PublishWorld, caplog: pytest.LogCaptureFixture
) -> None:
    publishing.youtube.fault("drop")
    publishing.youtube.fault("503")
    job = await publishing.run()
    kit = publishing.kit
    signin = json.loads(next(kit.settings.youtube_folder.glob("keys/*.json")).read_text("utf-8"))
    stand = json.loads((kit.settings.uploads / f"{job.id}.json").read_text("utf-8"))
    session = stand["session"]
    assert session.startswith("http")
    assert (kit.settings.uploads / f"{job.id}.json").stat().st_mode & 0o077 == 0
    secrets = [signin["token"].encode(), session.encode(), session.rsplit("/", 1)[-1].encode()]
    files = [kit.settings.database, kit.settings.database.with_name("flowkit.db-wal")]
    held = b"".join(file.read_bytes() for file in files if file.is_file())
    assert b"The lamp" in held
    for secret in secrets:
        assert secret not in held
        assert secret.decode() not in caplog.text


async def test_a_script_publishes_in_queue_and_in_direct_mode(publishing: PublishWorld) -> None:
    video = publishing.video
    with pytest.raises(InvalidSetting, match="made_for_kids"):
        await video.publish(Wishes())
    plan = await video.plan_publish(Wishes(made_for_kids=False))
    assert plan.request is not None
    assert plan.listing.title == "The lamp"
    job = await video.publish(Wishes(made_for_kids=False))
    with pytest.raises(Conflict, match="with another listing"):
        await video.publish(Wishes(made_for_kids=False, title="Other"))
    assert (await publishing.rest(job.id)).state is JobState.SUCCEEDED
    render, _ = await another_render(publishing.kit, video, Orientation.VERTICAL, 20)
    result = await video.execute_publish(Wishes(made_for_kids=True, title="Upright"), render)
    assert (result.success, result.error) == (True, None)
    assert result.url == f"{publishing.youtube.url}/watch/{result.video_id}"
    assert [one.remote_id for one in await video.publications()] == [
        *reversed(publishing.youtube.videos)
    ]
