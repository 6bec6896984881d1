"""Jobs whose call is at the provider: cancelled, stuck, looked for again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from film import account_seen, good, scene_of, with_image

from flowkit_mcp import FlowKit, Orientation
from flowkit_mcp.domain.models import JobState, OperationState, Stage
from flowkit_mcp.errors import Conflict, NotConnected, Transient
from flowkit_mcp.providers.base import RemoteMedia
from flowkit_mcp.store import jobs, operations

pytestmark = pytest.mark.e2e
H = Orientation.HORIZONTAL


@pytest.fixture(autouse=True)
async def _account(kit: FlowKit) -> None:
    await account_seen(kit)


# ---- at the provider -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (True, "stopped at the provider"),
        (False, "it may still finish there, and it counts as charged (12 credits)"),
        (Transient("no answer"), "it may still finish there"),
    ],
)
async def test_a_cancel_asks_the_provider_once_and_says_what_may_still_be_charged(
    kit: FlowKit, provider: FakeProvider, answer: bool | Transient, words: str
) -> None:
    scene = await with_image(kit)
    provider.looks_until_done, provider.can_cancel = 10_000, answer
    job = await scene.generate_video(H)
    await _reached(kit, job.id, JobState.WAITING)
    await job.cancel()
    row = await kit.wait(job.id, 10)
    assert row.state is JobState.CANCELLED and words in (row.message or "")
    assert provider.cancelled == [provider.ledger[-1].remote_id]
    (asked,) = [e.data for e in await jobs.events(kit.db, job.id) if e.type == "cancel_asked"]
    assert asked is not None and asked["stopped"] is (answer is True)
    (op,) = await operations.operations(kit.db, job.id)
    assert op.state is OperationState.ABANDONED
    assert (await kit.status()).spent_credits == 12


async def test_without_a_browser_a_cancel_ends_at_once_and_says_that_nobody_was_asked(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    job = await scene.generate_image(H)
    await _reached(kit, job.id, JobState.WAITING)
    provider.connected = False
    await job.cancel()
    row = await kit.wait(job.id, 10)
    assert row.state is JobState.CANCELLED and "could not be asked" in (row.message or "")
    assert provider.cancelled == []


async def test_what_had_finished_before_the_cancel_is_kept_and_pushes_nothing_aside(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    first = good(await scene.execute_generate_image(H))
    provider.hold = asyncio.Event()
    provider.submitted.clear()
    other = await scene.generate_image(H, new_take=True)
    await provider.submitted.wait()
    await other.cancel()
    provider.hold.set()
    row = await kit.wait(other.id, 10)
    assert row.state is JobState.SUCCEEDED and "before it could be stopped" in (row.message or "")
    takes = await scene.takes(H, Stage.IMAGE)
    assert [(take.id, take.selected) for take in takes] == [
        (first.take_id, True),
        (row.take_id, False),
    ]


async def test_a_call_that_will_never_run_asks_the_person_and_is_not_looked_at_any_more(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    provider.looks_until_done = 10_000
    provider.stuck = "Flow has had this on its list for 70 s and will probably never run it"
    job = await scene.generate_video(H)
    await job.result(60)
    row = await job.state()
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "STUCK")
    assert provider.stuck in (row.message or "") and "12 credits" in (row.message or "")
    looked = len(provider.polled)
    kit._wake()
    await kit.wait(job.id, 0.2)
    assert len(provider.polled) == looked
    provider.stuck, provider.looks_until_done = None, 1
    await kit.resolve(job.id, "look_again")
    good(await job.result(60))
    assert provider.charged == 12


async def test_a_stuck_call_can_be_paid_for_again_and_the_first_stays_in_the_books(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    provider.looks_until_done, provider.stuck = 2, "it does not run"
    job = await scene.generate_video(H)
    await job.result(60)
    provider.looks_until_done = 1
    await kit.resolve(job.id, "submit_again")
    good(await job.result(60))
    states = [op.state for op in await operations.operations(kit.db, job.id)]
    assert states == [OperationState.ABANDONED, OperationState.DONE]
    assert (await kit.status()).spent_credits == provider.charged == 24


# ---- once more -----------------------------------------------------------------------------------


async def test_looking_again_finds_what_was_not_to_be_seen_before_and_sends_nothing(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up, provider.script = False, [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    await job.result(60)
    await kit.resolve(job.id, "look_again")
    await job.result(60)
    assert (await job.state()).reason == "OUTCOME_UNKNOWN", "still nobody knows"
    provider.can_look_up = True
    await kit.resolve(job.id, "look_again")
    good(await job.result(60))
    (op,) = await operations.operations(kit.db, job.id)
    assert (op.state, provider.submits) == (OperationState.DONE, 1)


async def test_a_look_up_is_told_everything_that_was_sent(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [FakeProvider.LOSE]
    good(await scene.execute_generate_image(H))
    (call,) = provider.looked_up
    brief = provider.ledger[0].brief
    assert (call.project, call.prompt, call.seed) == (brief.project, brief.prompt, brief.seed)  # type: ignore[union-attr]
    assert call.sent_at is not None and call.source is call.resolution is None


async def test_asking_for_what_is_just_being_cancelled_is_refused(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    await job.cancel()
    with pytest.raises(Conflict, match="being cancelled"):
        await scene.generate_image(H)
    provider.hold.set()
    await kit.wait(job.id, 10)


async def _reached(kit: FlowKit, id: int, state: JobState) -> None:
    version = await kit.db.version()
    while (await kit.job(id)).state is not state:
        version = await kit.db.changed(version, 5)


async def test_media_that_cannot_be_fetched_at_once_do_not_hold_a_cancel_up(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    tried: list[RemoteMedia] = []

    async def away(media: RemoteMedia, to: Path) -> None:
        tried.append(media)
        raise NotConnected("the browser went away just now")

    monkeypatch.setattr(provider, "fetch", away)
    await job.cancel()
    provider.hold.set()
    row = await kit.wait(job.id, 10)
    assert (row.state, len(tried)) == (JobState.CANCELLED, 1)
    assert list(kit.settings.library.rglob("*.part")) == []
