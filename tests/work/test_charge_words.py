"""Every message about a job says what became of its credits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from film import account_seen, good, scene_of, with_image

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.domain.models import Job, JobState, MediaKind
from flowkit_mcp.errors import FlowKitError, GenerationFailed, OutcomeUnknown, Rejected, Transient
from flowkit_mcp.providers.base import Found, Progress, RemoteMedia, SentCall

H = Orientation.HORIZONTAL
BROKE = Transient("the connection to Flow broke (NETWORK)")


class Unwell(FakeProvider):
    """Reading goes wrong where it is told to."""

    on_poll: FlowKitError | None = None
    on_fetch: FlowKitError | None = None
    on_look_up: FlowKitError | None = None
    on_upload: FlowKitError | None = None

    async def poll(
        self, remote_ids: Sequence[str], media: MediaKind, projects: Mapping[str, str] | None = None
    ) -> Mapping[str, Progress]:
        if self.on_poll is not None:
            raise self.on_poll
        return await super().poll(remote_ids, media, projects)

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        if self.on_fetch is not None:
            raise self.on_fetch
        await super().fetch(media, to)

    async def look_up(self, call: SentCall) -> Found:
        if self.on_look_up is not None:
            raise self.on_look_up
        return await super().look_up(call)

    async def upload_image(self, file: Path, project: str) -> str:
        if self.on_upload is not None:
            raise self.on_upload
        return await super().upload_image(file, project)


@pytest.fixture
def provider() -> Unwell:
    return Unwell()


async def told(kit: FlowKit, id: int, words: str) -> Job:
    """The job once its message has these words."""
    version = await kit.db.version()
    while words not in ((job := await kit.job(id)).message or ""):
        assert not job.state.final, job
        version = await kit.db.changed(version, 5)
    return job


async def test_a_look_or_a_download_that_fails_does_not_say_that_the_clip_was_free(
    kit: FlowKit, provider: Unwell
) -> None:
    scene = await with_image(kit)
    for where in ("on_poll", "on_fetch"):
        setattr(provider, where, BROKE)
        job = await scene.generate_video(H, mode="start", new_take=True)
        row = await told(kit, job.id, "the call counts as charged (12 credits)")
        assert "nothing was charged" not in (row.message or "")
        setattr(provider, where, None)
        good(await job.result(30))


async def test_a_look_up_that_fails_leaves_it_open_whether_it_was_charged(
    kit: FlowKit, provider: Unwell
) -> None:
    scene = await with_image(kit)
    provider.on_look_up, provider.script = BROKE, [FakeProvider.LOSE]
    job = await scene.generate_video(H, mode="start")
    row = await told(kit, job.id, "NETWORK")
    assert "it may have been charged" in (row.message or "")
    provider.on_look_up = None
    good(await job.result(30))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Rejected("the prompt was refused"), "the prompt was refused; nothing was charged"),
        (OutcomeUnknown("no answer came"), "whether this call arrived and was charged"),
        (GenerationFailed("gone", charged="unknown"), "gone; it may have been charged"),
    ],
)
async def test_a_submit_that_ends_badly_says_it_whatever_the_provider_said(
    kit: FlowKit, provider: Unwell, error: FlowKitError, words: str
) -> None:
    await account_seen(kit)
    scene = await scene_of(kit)
    provider.can_look_up = False
    provider.script = [error]
    job = await scene.generate_image(H)
    row = await kit.wait(job.id, 10)
    assert row.state in (JobState.FAILED, JobState.NEEDS_ATTENTION)
    assert words in (row.message or ""), row.message


async def test_a_picture_that_is_refused_on_its_way_says_that_nothing_was_charged(
    settings: Settings, provider: Unwell, kit: FlowKit
) -> None:
    scene = await with_image(kit)
    async with kit.db.transaction() as tx:
        await tx.run("UPDATE asset_remote SET gone_at = 1")
    provider.on_upload = Rejected("Flow refused the uploaded picture")
    job = await scene.generate_video(H, mode="start")
    row = await kit.wait(job.id, 10)
    assert row.state is JobState.FAILED
    assert "refused the uploaded picture; nothing was charged" in (row.message or "")
