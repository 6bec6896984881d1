"""A model whose daily quota is used up is not asked again job by job; other models go on."""

from __future__ import annotations

import asyncio

import pytest
from fake_provider import FakeProvider
from film import account_seen, good, two_scenes

from flowkit_mcp import FlowKit, Orientation
from flowkit_mcp.domain.models import Gate, Job, JobEvent, JobState
from flowkit_mcp.errors import OutOfCredits, QuotaUsedUp
from flowkit_mcp.sdk.money import quota_holds
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.store import operations
from flowkit_mcp.store.jobs import events
from flowkit_mcp.work.panel import queue_shown

H = Orientation.HORIZONTAL
HOUR_MS = 3_600_000
FULL = QuotaUsedUp("the daily quota is used up")


@pytest.fixture
async def scenes(kit: FlowKit, provider: FakeProvider) -> list[Scene]:
    """One call at a time, so that each job has heard what the one before was told."""
    provider.capabilities = provider.capabilities.model_copy(update={"max_in_flight": 1})
    await account_seen(kit)
    _, video, *_ = await two_scenes(kit)
    return [await video.add_scene(f"Thing {n}") for n in range(4)]


async def held(kit: FlowKit, id: int) -> Job:
    version = await kit.db.version()
    while (job := await kit.job(id)).reason != "QUOTA_USED_UP":
        version = await kit.db.changed(version, 5)
    return job


async def all_held(kit: FlowKit, ids: list[int]) -> list[Job]:
    return [await held(kit, id) for id in ids]


async def test_one_answer_holds_all_jobs_of_the_model_and_no_others(
    kit: FlowKit, provider: FakeProvider, scenes: list[Scene]
) -> None:
    provider.script = [FULL]
    ids = [(await scene.generate_image(H)).id for scene in scenes]
    waiting = await all_held(kit, ids)
    assert provider.submits == 1, "the others were not sent"
    assert {job.state for job in waiting} == {JobState.QUEUED}
    assert min(job.run_at for job in waiting) > kit.clock.now() + 23 * HOUR_MS
    assert all("nothing was charged" in (job.message or "") for job in waiting)
    good(await scenes[0].execute_generate_video(H, mode="text"))

    (hold,) = await quota_holds(kit)
    assert (hold.model, hold.jobs) == ("PIC", 4)
    state = await kit.provider_state()
    assert state is not None and state.gate is Gate.OPEN
    panel = await queue_shown(kit.db, state, kit.clock.now())
    assert "quota of PIC" in (panel.paused_reason or "")


async def test_a_job_asked_for_later_waits_too_and_the_persons_word_lets_all_go_on(
    kit: FlowKit, provider: FakeProvider, scenes: list[Scene]
) -> None:
    provider.script = [FULL]
    ids = [(await scenes[0].generate_image(H)).id]
    await held(kit, ids[0])
    ids.append((await scenes[1].generate_image(H)).id)
    await held(kit, ids[1])
    assert provider.submits == 1
    await kit.reopen()
    assert {job.state for job in await kit.wait_all(ids, 20)} == {JobState.SUCCEEDED}
    assert await quota_holds(kit) == []


async def test_of_the_jobs_that_waited_one_tries_and_the_others_believe_its_answer(
    kit: FlowKit, provider: FakeProvider, scenes: list[Scene]
) -> None:
    provider.script = [FULL]
    ids = [(await scene.generate_image(H)).id for scene in scenes]
    await all_held(kit, ids)
    provider.script = [FULL] * 4
    await kit.reopen()  # from here on none of them waits for a day, until it is told so again
    version = await kit.db.version()
    while [hold.jobs for hold in await quota_holds(kit)] != [len(ids)]:
        version = await kit.db.changed(version, 5)
    assert provider.submits == 2


async def test_of_many_that_may_go_at_once_one_asks_first_and_the_others_history_says_so_once(
    kit: FlowKit, provider: FakeProvider, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.work.generate.BEHIND_PROBE_MS", 10)
    provider.script = [FULL]
    ids = [(await scene.generate_image(H)).id for scene in scenes]
    await all_held(kit, ids)
    provider.capabilities = provider.capabilities.model_copy(update={"max_in_flight": 4})
    provider.hold = asyncio.Event()
    await kit.reopen()
    version = await kit.db.version()
    while len(await behind(kit, ids)) < 3 + 3:  # once when it was used up, once behind the probe
        version = await kit.db.changed(version, 5)
    looks: set[tuple[int, int]] = set()
    while len(looks) < 20:
        looks |= {(id, (await kit.job(id)).run_at) for id in ids}
        version = await kit.db.changed(version, 5)
    assert len(await behind(kit, ids)) == 3 + 3
    assert provider.submits == 2, "one was refused, and one asks again"
    provider.hold.set()
    assert {job.state for job in await kit.wait_all(ids, 20)} == {JobState.SUCCEEDED}


async def test_the_quota_of_one_account_holds_up_no_other(
    kit: FlowKit, provider: FakeProvider, scenes: list[Scene]
) -> None:
    provider.script = [FULL]
    ids = [(await scene.generate_image(H)).id for scene in scenes]
    await all_held(kit, ids)
    provider.label = "another"
    ids.append((await scenes[0].generate_image(Orientation.VERTICAL)).id)  # also wakes the worker
    assert {job.state for job in await kit.wait_all(ids, 20)} == {JobState.SUCCEEDED}
    calls = [(await operations.operations(kit.db, id))[-1] for id in ids]
    assert {call.account for call in calls} == {"another"}


async def test_credits_that_are_used_up_are_those_of_one_account(
    kit: FlowKit, provider: FakeProvider, scenes: list[Scene]
) -> None:
    provider.script = [OutOfCredits("no credits are left")]
    job = await scenes[0].generate_image(H)
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.gate is Gate.OPEN:
        version = await kit.db.changed(version, 5)
    assert (state.reason, state.resume_at) == ("OUT_OF_CREDITS", None)
    provider.label = "another"
    await scenes[1].generate_image(H)  # wakes the worker
    assert (await kit.wait(job.id, 20)).state is JobState.SUCCEEDED


async def behind(kit: FlowKit, ids: list[int]) -> list[JobEvent]:
    """What was noted of these when they were held back behind another."""
    rows = [event for id in ids for event in await events(kit.db, id)]
    return [row for row in rows if row.type == "held_back" and (row.data or {}).get("behind")]
