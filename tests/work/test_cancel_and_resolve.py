"""A person stops a job, or decides about it, at the worst possible moment."""

from __future__ import annotations

import asyncio

import pytest
from fake_provider import FakeProvider
from film import account_seen, good, scene_of

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.domain.models import Job, JobState, OperationState, Stage
from flowkit_mcp.errors import Conflict, Transient
from flowkit_mcp.providers.base import Found, SentCall
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Reads
from flowkit_mcp.work.generate import PaidPath

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


@pytest.fixture(autouse=True)
async def _account(kit: FlowKit) -> None:
    await account_seen(kit)


async def test_a_submit_that_is_cancelled_and_loses_its_reply_ends_all_the_same(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    provider.hold, provider.script = asyncio.Event(), [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    await job.cancel()
    provider.hold.set()
    row = await kit.wait(job.id, 10)
    (op,) = await operations.operations(kit.db, job.id)
    assert (row.state, op.state) == (JobState.CANCELLED, OperationState.ABANDONED)


async def test_a_job_cancelled_while_it_waits_its_turn_is_not_sent(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    async with turn(kit):
        job = await scene.generate_image(V)
        await _reached(kit, job.id, JobState.RUNNING)
        await job.cancel()
    row = await kit.wait(job.id, 10)
    assert row.state is JobState.CANCELLED
    assert (provider.submits, await operations.operations(kit.db, job.id)) == (0, [])


async def test_a_job_that_ends_while_its_cancel_is_looked_at_keeps_its_end(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up, provider.script = False, [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    await job.result(60)
    real = jobs.to_cancel

    async def ended_just_then(reads: Reads) -> list[Job]:
        found = await real(reads)
        if found:
            monkeypatch.setattr(jobs, "to_cancel", real)
            await kit.resolve(job.id, "give_up")
        return found

    monkeypatch.setattr(jobs, "to_cancel", ended_just_then)
    await job.cancel()
    good(await scene.execute_generate_image(V))  # a round later
    assert (await job.state()).state is JobState.FAILED


async def test_two_answers_of_the_person_at_once_are_one_answer_and_a_refusal(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up, provider.script = False, [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    await job.result(60)
    answers = await asyncio.gather(
        *(kit.resolve(job.id, "submit_again") for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict", "Job"]
    good(await job.result(60))
    assert len(provider.ledger) == 2
    states = [op.state for op in await operations.operations(kit.db, job.id)]
    assert states == [OperationState.VOID, OperationState.DONE]


async def test_when_nobody_can_be_asked_about_a_lost_reply_the_person_can_still_decide(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)

    async def silent(call: SentCall) -> Found:
        raise Transient("the browser does not answer")

    monkeypatch.setattr(provider, "look_up", silent)
    scene = await scene_of(kit)
    provider.script = [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    await job.result(60)
    row = await job.state()
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "OUTCOME_UNKNOWN")
    await kit.resolve(job.id, "attach", provider.ledger[0].remote_id)
    good(await job.result(60))
    assert provider.submits == 1


async def test_a_slot_at_work_is_not_paid_for_a_second_time_with_other_words(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    await scene.update(image_prompt="A harbour in the rain")
    with pytest.raises(Conflict, match=f"job {job.id}"):
        await scene.generate_image(H)
    another = await scene.generate_image(H, new_take=True)
    provider.hold.set()
    for each in (job, another):
        good(await each.result(60))
    assert len(provider.ledger) == 2


async def test_the_same_request_after_its_end_is_the_job_that_filled_the_slot(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    first = good(await scene.execute_generate_image(H))
    again = good(await scene.execute_generate_image(H))
    assert (again.job_id, again.take_id) == (first.job_id, first.take_id)
    assert len(provider.ledger) == 1
    good(await scene.execute_generate_image(H, new_take=True))
    assert len(await scene.takes(H, Stage.IMAGE)) == len(provider.ledger) == 2


async def test_a_submit_waiting_its_turn_at_shutdown_is_not_sent(settings: Settings) -> None:
    other = Settings(library=settings.library.with_name("other"), port=settings.port)
    late = FakeProvider()
    async with FlowKit.open(other, provider=late) as leaving:
        await account_seen(leaving)
        scene = await scene_of(leaving)
        path = paid_path(leaving)
        await turn(leaving).acquire()
        job = await scene.generate_image(V)
        await _reached(leaving, job.id, JobState.RUNNING)

        async def its_turn() -> None:
            while not path.closing:  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
            path._pace.release()

        late_turn = asyncio.create_task(its_turn())
    await late_turn
    assert late.submits == 0


def paid_path(kit: FlowKit) -> PaidPath:
    assert kit._worker is not None
    return kit._worker._path


def turn(kit: FlowKit) -> asyncio.Lock:
    """Held, it is another call's turn: a submit waits as it does for the spacing of calls, for as long as is wanted."""
    return paid_path(kit)._pace


async def _reached(kit: FlowKit, id: int, state: JobState) -> None:
    version = await kit.db.version()
    while (await kit.job(id)).state is not state:
        version = await kit.db.changed(version, 5)
