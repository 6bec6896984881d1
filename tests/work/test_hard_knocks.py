"""Odd things happen around the paid path: other accounts, removed videos, broken rows, clocks, failing disks."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from fake_provider import FakeProvider
from film import account_seen, away, good, scene_of, with_image

from flowkit_mcp import FlowKit, Orientation, Settings, Video
from flowkit_mcp.domain.models import Account, Gate, JobState, OperationState
from flowkit_mcp.errors import GenerationFailed
from flowkit_mcp.providers.base import RemoteMedia
from flowkit_mcp.store import operations
from flowkit_mcp.store.jobs import events

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


async def _generation(kit: FlowKit) -> int:
    leader = (await kit.status()).leader
    assert leader is not None
    return leader.generation


# ---- accounts ------------------------------------------------------------------------------------


async def test_nothing_is_sent_for_the_account_of_last_time(settings: Settings) -> None:
    yesterday = FakeProvider(label="mai")
    async with FlowKit.open(settings, provider=yesterday) as kit:
        scene = await with_image(kit)
        await away(kit, yesterday)
        job = await scene.generate_image(V)
    today = SlowToTell(label="minh")
    async with FlowKit.open(settings, provider=today) as kit:
        await kit.wait(job.id, 0.3)
        assert today.submits == 0, "it is not known yet who is signed in"
        today.told.set()
        assert (await kit.wait(job.id, 10)).state is JobState.SUCCEEDED
        (op,) = await operations.operations(kit.db, job.id)
        assert op.account == "minh"
    assert today.projects, "the account of today has a project of its own"


async def test_another_profile_is_asked_who_it_is_before_it_sends(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    provider.via, provider.label = "profile-b", "minh"
    result = good(await scene.execute_generate_image(V))
    (op,) = await operations.operations(kit.db, result.job_id)
    assert (op.via, op.account) == ("profile-b", "minh")


@pytest.mark.parametrize("other", [{"label": "minh"}, {"via": "profile-b"}])
async def test_who_has_changed_while_a_job_waited_its_turn_is_not_sent_it_unprepared(
    kit: FlowKit, provider: FakeProvider, other: dict[str, str]
) -> None:
    """Its ids were looked up for another account, or for another profile's."""
    await account_seen(kit)
    scene = await scene_of(kit)
    pace = {"submit_spacing_s": (0.3, 0.3)}
    provider.capabilities = provider.capabilities.model_copy(update=pace)
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.PAUSED, now=1)
    for orientation in (H, V):
        await scene.generate_image(orientation)
    async with kit.db.transaction() as tx:  # both are claimed at once, and one waits for its turn
        await operations.set_gate(tx, "flow", Gate.OPEN, now=1)
    await provider.submitted.wait()
    for name, value in other.items():
        setattr(provider, name, value)
    (done,) = [job for job in await kit.wait_all([1, 2], 20) if job.orientation is V]
    (op,) = await operations.operations(kit.db, done.id)
    now = {"label": op.account, "via": op.via}
    assert {name: now[name] for name in other} == other
    assert "held_back" in [event.type for event in await events(kit.db, done.id)]


class SlowToTell(FakeProvider):
    """Says who is signed in only when `told` is set."""

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.told = asyncio.Event()

    async def account(self) -> Account:
        await self.told.wait()
        return await super().account()


# ---- what became of things meanwhile --------------------------------------------------------------


async def test_a_clip_whose_video_was_removed_meanwhile_is_kept(
    kit: FlowKit, provider: FakeProvider
) -> None:
    await account_seen(kit)
    scene = await scene_of(kit)
    generation = await _generation(kit)
    provider.hold = asyncio.Event()
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    await (await Video.get(kit, scene.video.id)).remove()
    provider.hold.set()
    result = good(await job.result(60))
    assert result.path is not None and result.path.is_file()
    assert await _generation(kit) == generation


async def test_a_job_that_cannot_be_read_ends_alone(kit: FlowKit, provider: FakeProvider) -> None:
    await account_seen(kit)
    scene = await scene_of(kit)
    generation = await _generation(kit)
    await away(kit, provider)
    broken = await scene.generate_image(H)
    async with kit.db.transaction() as tx:
        await tx.run("UPDATE job SET request = '{}'")
    provider.connected = True
    good(await scene.execute_generate_image(V))
    row = await kit.wait(broken.id, 10)
    assert (row.state, row.reason) == (JobState.FAILED, "BUG")
    assert await _generation(kit) == generation


async def test_a_fault_while_fetching_is_tried_again_without_a_new_leadership(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    await account_seen(kit)
    scene = await scene_of(kit)
    generation = await _generation(kit)
    fetch = provider.fetch

    async def fault(media: RemoteMedia, to: Path) -> None:
        monkeypatch.setattr(provider, "fetch", fetch)
        raise KeyError("something nobody thought of")

    monkeypatch.setattr(provider, "fetch", fault)
    good(await scene.execute_generate_image(H))
    assert (len(provider.ledger), await _generation(kit)) == (1, generation)


async def test_a_full_disk_keeps_what_is_paid_for_until_there_is_room(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    await account_seen(kit)
    scene = await scene_of(kit)
    fetch = provider.fetch

    async def full(media: RemoteMedia, to: Path) -> None:
        to.write_bytes(b"half a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(provider, "fetch", full)
    job = await scene.generate_image(H)
    await job.result(60)
    assert (await job.state()).state is JobState.NEEDS_ATTENTION
    assert list(kit.settings.library.rglob("*.part")) == []
    state = await kit.provider_state()
    assert state is not None and state.failures == 0, "the disk is not the provider's fault"
    monkeypatch.setattr(provider, "fetch", fetch)
    await kit.resolve(job.id, "retry")
    good(await job.result(60))
    assert len(provider.ledger) == 1


async def test_a_call_that_never_arrives_is_not_repeated_for_ever(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    monkeypatch.setattr("flowkit_mcp.work.gate.SHORTEST_PAUSE_MS", 10)
    await account_seen(kit)
    scene = await scene_of(kit)
    provider.script = [FakeProvider.CUT] * 50
    job = await scene.generate_image(H)
    await job.result(20)
    row = await job.state()
    assert row.state is JobState.NEEDS_ATTENTION and "nothing was charged" in (row.message or "")
    assert provider.submits < 10
    provider.script = []
    await kit.resolve(job.id, "retry")
    good(await job.result(60))


async def test_not_found_is_no_proof_until_the_call_has_been_over_for_a_while(
    settings: Settings,
) -> None:
    """The age that look-ups go by starts when the reply went missing, not when the call was intended."""
    provider = FakeProvider(connected=True)
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        scene = await scene_of(kit)
        provider.hold = asyncio.Event()
        job = await scene.generate_image(H)
        await provider.submitted.wait()
    async with FlowKit.open(settings, provider=FakeProvider(connected=False)) as kit:
        async with kit.db.transaction() as tx:
            await tx.run("UPDATE operation SET intended_at = intended_at - 600000")
    ages: list[float] = []
    heir = FakeProvider(ledger=provider.ledger)
    look_up = heir.look_up

    async def noted(call: Any) -> Any:
        ages.append(call.age_s)
        return await look_up(call)

    heir.look_up = noted  # type: ignore[method-assign]
    async with FlowKit.open(settings, provider=heir) as kit:
        assert (await kit.wait(job.id, 10)).state is JobState.SUCCEEDED
    assert ages and ages[0] < 60


# ---- books ---------------------------------------------------------------------------------------


async def test_what_was_paid_and_then_given_up_is_still_spent(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    provider.looks_until_done = 10_000
    provider.submitted.clear()
    job = await scene.generate_video(H)
    await provider.submitted.wait()
    await job.cancel()
    await job.result(60)
    (op,) = await operations.operations(kit.db, job.id)
    assert op.state is OperationState.ABANDONED
    assert (await kit.status()).spent_credits == provider.charged == 12


async def test_a_failure_without_a_refund_is_spent(kit: FlowKit, provider: FakeProvider) -> None:
    scene = await with_image(kit)
    provider.on_accept = lambda line: setattr(
        line, "error", GenerationFailed("cancelled in Flow", charged="unknown")
    )
    assert not (await scene.execute_generate_video(H)).success
    assert (await kit.status()).spent_credits == provider.charged == 12


# ---- the process itself --------------------------------------------------------------------------


async def test_a_clock_that_was_ahead_does_not_hold_submits_up(
    kit: FlowKit, provider: FakeProvider
) -> None:
    await account_seen(kit)
    scene = await scene_of(kit)
    async with kit.db.transaction() as tx:
        await tx.run(
            "UPDATE provider_state SET next_submit_at = next_submit_at + :year", year=3 * 10**13
        )
    good(await scene.execute_generate_image(H))


async def test_a_term_that_fails_to_begin_is_followed_by_another(
    settings: Settings, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.work.leader.SHORTEST_REST_S", 0.05)
    begin = operations.begin_leadership

    async def locked(*args: Any, **values: Any) -> int:
        monkeypatch.setattr(operations, "begin_leadership", begin)
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(operations, "begin_leadership", locked)
    async with FlowKit.open(settings, provider=provider) as kit:
        await with_image(kit)


async def test_jobs_that_need_a_person_do_not_take_the_place_of_others(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    await account_seen(kit)
    scene = await scene_of(kit)
    fetch = provider.fetch

    async def full(media: RemoteMedia, to: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(provider, "fetch", full)
    batch = [await scene.generate_image(H, new_take=n > 0, seed=n) for n in range(4)]
    for job in batch:
        await job.result(60)
    monkeypatch.setattr(provider, "fetch", fetch)
    good(await scene.execute_generate_image(V))
