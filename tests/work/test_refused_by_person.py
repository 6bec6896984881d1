"""A paid call that the person did not allow in the browser: nothing is sent, and the job asks what to do."""

from __future__ import annotations

from fake_provider import FakeProvider
from film import account_seen, scene_of

from flowkit_mcp import FlowKit, Orientation
from flowkit_mcp.domain.models import Gate, JobState, OperationState
from flowkit_mcp.errors import RefusedByPerson
from flowkit_mcp.store import operations

H = Orientation.HORIZONTAL


async def test_the_job_asks_once_costs_nothing_and_is_asked_for_again_on_request(
    kit: FlowKit, provider: FakeProvider
) -> None:
    await account_seen(kit)
    scene = await scene_of(kit)
    provider.script = [RefusedByPerson("the person did not agree in the FlowKit panel")]
    job = await scene.generate_image(H)
    row = await kit.wait(job.id, 10)
    (op,) = await operations.operations(kit.db, job.id)
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "REFUSED_BY_PERSON")
    assert (op.state, provider.ledger) == (OperationState.REFUSED, [])
    state = await kit.provider_state()
    assert state is not None and state.gate is Gate.OPEN, "other jobs go on"
    await kit.resolve(job.id, "retry")
    assert (await kit.wait(job.id, 10)).state is JobState.SUCCEEDED
    assert len(provider.ledger) == 1
