"""Replies that carry more than an id: the media themselves, and what the provider did differently."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from film import good, with_image

from flowkit_mcp import FlowKit, Orientation, Scene, Settings
from flowkit_mcp.domain.models import JobState, OperationState, Stage
from flowkit_mcp.errors import LibraryTrouble
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Tx
from flowkit_mcp.work import replies

pytestmark = pytest.mark.media
H = Orientation.HORIZONTAL


@pytest.fixture
async def scene(kit: FlowKit, provider: FakeProvider) -> Scene:
    scene = await with_image(kit)
    provider.polled.clear()
    return scene


def kept(kit: FlowKit) -> list[Path]:
    folder = kit.settings.database.parent / "replies"
    return list(folder.iterdir()) if folder.is_dir() else []


async def test_a_picture_that_comes_with_the_reply_is_kept_and_nobody_is_asked_for_it(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    result = good(await scene.execute_upscale_image(H))
    (take,) = await scene.takes(H, Stage.IMAGE_UPSCALE)
    assert result.path is not None and result.path.is_file() and take.selected
    assert provider.polled == [] and kept(kit) == []
    assert result.media_id is None, "it has no id by which anybody could refer to it"
    (op,) = await operations.operations(kit.db, result.job_id)
    assert (op.state, op.credits_after) == (OperationState.DONE, 1000)


async def test_a_larger_clip_that_exists_already_comes_with_the_reply(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    good(await scene.execute_generate_video(H))
    provider.inline_clips = True
    provider.polled.clear()
    result = good(await scene.execute_upscale_video(H))
    assert provider.polled == [] and result.media_id == provider.ledger[-1].remote_id
    assert result.credits == 3, "the balance fell, so it was charged all the same"
    assert provider.charged == (await kit.status()).spent_credits == 15


async def test_credits_given_back_for_something_else_meanwhile_hide_no_charge(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    good(await scene.execute_generate_video(H))
    provider.inline_clips = True

    def refund(_: object) -> None:
        provider.credits += 50

    provider.on_accept = refund
    assert good(await scene.execute_upscale_video(H)).credits == 3
    assert (await kit.status()).spent_credits == provider.charged


async def test_the_media_are_on_disk_before_the_call_counts_as_submitted(
    kit: FlowKit, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted = operations.submitted
    seen: list[bytes] = []

    async def noted(*args: object, **values: object) -> None:
        seen.extend(file.read_bytes() for file in kept(kit))
        await submitted(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "submitted", noted)
    result = good(await scene.execute_upscale_image(H))
    assert result.path is not None
    (reply,) = seen
    assert reply.partition(b"\n")[2] == result.path.read_bytes()


async def test_a_reply_that_cannot_be_written_is_looked_up_and_paid_once(
    kit: FlowKit, provider: FakeProvider, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = replies._write

    def full(*args: object) -> None:
        monkeypatch.setattr(replies, "_write", write)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(replies, "_write", full)
    provider.keeps_inline = False
    result = good(await scene.execute_upscale_image(H))
    assert provider.submits == 2 and provider.looked_up == [], "this process still had it"
    state = await kit.provider_state()
    assert state is not None and state.failures == 0, "the disk is not the provider's fault"
    types = [event.type for event in await jobs.events(kit.db, result.job_id)]
    assert "reply_missing" in types


async def test_a_disk_too_full_even_to_say_so_loses_no_reply(
    kit: FlowKit, provider: FakeProvider, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be written, so the term ends; the next one of this process still has the media."""

    async def no_room(*args: object, **values: object) -> int:
        raise LibraryTrouble("the disk of the library is full")

    provider.keeps_inline = False
    with monkeypatch.context() as patch:

        def full(*args: object) -> None:
            patch.setattr(Tx, "run", no_room)
            raise OSError(errno.ENOSPC, "No space left on device")

        patch.setattr(replies, "_write", full)
        job = await scene.upscale_image(H)
        version = await kit.db.version()
        async with asyncio.timeout(60):
            while await term(kit) == 1:
                version = await kit.db.changed(version, 0.1)
    good(await job.result(60))
    assert provider.submits == 2 and provider.looked_up == [], "this process still had it"


async def test_a_full_disk_at_the_commit_loses_no_reply_and_ends_no_term(
    kit: FlowKit, provider: FakeProvider, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted, refusals = operations.submitted, [1, 2]

    async def full(*args: object, **values: object) -> None:
        if refusals:
            refusals.pop()
            raise LibraryTrouble("the disk of the library is full")
        await submitted(*args, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "submitted", full)
    monkeypatch.setattr("flowkit_mcp.domain.policy.LIBRARY_PAUSE_MS", 10)
    provider.keeps_inline = False
    good(await scene.execute_upscale_image(H))
    assert provider.submits == 2 and provider.looked_up == [] and refusals == []
    assert await term(kit) == 1


async def term(kit: FlowKit) -> int:
    leader = await operations.leader(kit.db)
    return leader.generation if leader else 0


async def test_a_lost_reply_that_nobody_can_look_up_asks_the_person_even_if_it_was_free(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    provider.keeps_inline, provider.script = False, [FakeProvider.LOSE]
    job = await scene.upscale_image(H)
    await job.result(60)
    row = await job.state()
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "OUTCOME_UNKNOWN")
    (call,) = provider.looked_up
    assert (call.source, call.resolution) == (provider.ledger[0].remote_id, "2K")
    assert call.project == "remote-project-1" and call.sent_at is not None


@pytest.mark.parametrize(("size", "price"), [("2K", 0), ("4K", 5)])
async def test_media_lost_from_disk_are_made_again_only_if_they_were_free(
    settings: Settings, size: str, price: int
) -> None:
    provider = FakeProvider()
    async with FlowKit.open(settings, provider=provider) as kit:
        scene = await with_image(kit)
        provider.hold = asyncio.Event()
        provider.submitted.clear()
        job = await scene.upscale_image(H, resolution=size)
        await provider.submitted.wait()
        losing = replies.Replies.has
        lost: list[int] = []

        def has(self: replies.Replies, op: object) -> bool:
            if not lost:
                for file in kept(kit):
                    file.unlink()
                lost.append(1)
            return losing(self, op)  # type: ignore[arg-type]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(replies.Replies, "has", has)
            provider.hold.set()
            await job.result(60)
        assert lost
        row = await job.state()
        states = [op.state for op in await operations.operations(kit.db, job.id)]
        if not price:
            assert row.state is JobState.SUCCEEDED
            assert states == [OperationState.FAILED, OperationState.DONE]
            return
        assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "REPLY_LOST")
        assert states == [OperationState.SUBMITTED] and provider.charged == price
        await kit.resolve(job.id, "submit_again")
        good(await job.result(60))
        states = [op.state for op in await operations.operations(kit.db, job.id)]
        assert states == [OperationState.ABANDONED, OperationState.DONE]
        assert (await kit.status()).spent_credits == provider.charged == 2 * price


async def test_what_the_provider_did_differently_is_told_with_the_take(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    provider.warnings = ("Flow drew it upright", "one of three references did not arrive")
    result = good(await scene.execute_generate_image(H, new_take=True))
    row = await kit.job(result.job_id)
    assert row.message == "Flow drew it upright. One of three references did not arrive."
    assert row.reason is None
    told = [e.data for e in await jobs.events(kit.db, row.id) if e.type == "warning"]
    assert [data and data["text"] for data in told] == list(provider.warnings)
