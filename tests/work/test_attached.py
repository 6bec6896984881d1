"""What a person attaches to a call in doubt: it is looked at, and a wrong id is no dead end."""

from __future__ import annotations

import pytest
from fake_provider import FakeProvider
from film import good, with_image

from flowkit_mcp import FlowKit, Orientation, Scene
from flowkit_mcp.domain.models import JobState, OperationState
from flowkit_mcp.errors import RequestError
from flowkit_mcp.store import operations

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


@pytest.fixture
async def scene(kit: FlowKit, provider: FakeProvider) -> Scene:
    """Its image is there; the next call loses its reply, and nobody can look it up."""
    scene = await with_image(kit)
    provider.can_look_up = False
    provider.script = [FakeProvider.LOSE]
    return scene


async def test_the_question_brings_all_that_helps_to_find_the_call(
    kit: FlowKit, scene: Scene
) -> None:
    job = await scene.generate_video(H, mode="start")
    row = await kit.wait(job.id, 10)
    assert row.state is JobState.NEEDS_ATTENTION
    for evidence in (
        "whether this call arrived and was charged (12 credits)",
        "Balance before: 1000, now: ",
        "the project 'Harbour film'",
        "A harbour at dawn",
        "UTC",
    ):
        assert evidence in (row.message or ""), row.message


async def test_an_id_that_flow_does_not_know_is_asked_for_again(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    job = await scene.generate_video(H, mode="start")
    await kit.wait(job.id, 10)
    await kit.resolve(job.id, "attach", "no-such-thing")
    row = await kit.wait(job.id, 10)
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "OUTCOME_UNKNOWN")
    assert "does not know media id 'no-such-thing'" in (row.message or "")
    op = await operations.live_operation(kit.db, job.id)
    assert op is not None and op.state is OperationState.UNKNOWN and op.remote_id is None
    await kit.resolve(job.id, "attach", provider.ledger[-1].remote_id)
    good(await job.result(20))
    assert (
        len(provider.ledger) == 2 and provider.charged == (await kit.status()).spent_credits == 12
    )


async def test_media_of_another_take_are_refused(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    job = await scene.generate_video(H, mode="start")
    await kit.wait(job.id, 10)
    with pytest.raises(RequestError, match=r"in the library already, as .*image-take-1"):
        await kit.resolve(job.id, "attach", provider.ledger[0].remote_id)
    assert (await job.state()).state is JobState.NEEDS_ATTENTION


async def test_giving_up_says_what_the_books_say(kit: FlowKit, scene: Scene) -> None:
    job = await scene.generate_video(H, mode="start")
    await kit.wait(job.id, 10)
    await kit.resolve(job.id, "give_up")
    row = await job.state()
    assert row.state is JobState.FAILED
    assert row.message == "given up on request; the call may have been charged (12 credits)"
    assert (await kit.status()).spent_credits == 12
    assert await operations.live_operation(kit.db, job.id) is None


async def test_of_an_accepted_call_a_wrong_id_makes_no_doubt(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    """What Flow accepted stays known, and in the books, whatever is attached to it."""
    provider.script, provider.can_look_up = [], True
    provider.looks_until_done, provider.stuck = 3, "it does not run"
    job = await scene.generate_video(H, mode="start")
    assert (await kit.wait(job.id, 10)).reason == "STUCK"
    accepted = provider.ledger[-1].remote_id
    for wrong in ("no-such-thing", "nor-this"):
        await kit.resolve(job.id, "attach", wrong)
        row = await kit.wait(job.id, 10)
        assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "STUCK")
        assert f"does not know media id {wrong!r}" in (row.message or "")
        assert "counts as charged (12 credits)" in (row.message or "")
        op = await operations.live_operation(kit.db, job.id)
        assert op is not None and (op.state, op.remote_id) == (OperationState.SUBMITTED, accepted)
    assert accepted in {remote for _, remote, _ in await operations.proven(kit.db, "flow", "fake")}
    provider.looks_until_done, provider.stuck = 1, None
    await kit.resolve(job.id, "look_again")
    good(await job.result(20))
    assert provider.submits == 2 and provider.charged == (await kit.status()).spent_credits == 12


async def test_what_is_paid_for_once_more_after_a_wrong_id_is_in_the_books_twice(
    kit: FlowKit, provider: FakeProvider, scene: Scene
) -> None:
    provider.script, provider.can_look_up = [], True
    provider.looks_until_done, provider.stuck = 3, "it does not run"
    job = await scene.generate_video(H, mode="start")
    await kit.wait(job.id, 10)
    await kit.resolve(job.id, "attach", "no-such-thing")
    await kit.wait(job.id, 10)
    provider.looks_until_done, provider.stuck = 1, None
    await kit.resolve(job.id, "submit_again")
    good(await job.result(20))
    assert provider.charged == (await kit.status()).spent_credits == 24
