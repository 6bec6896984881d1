"""A captcha refusal that may be the answer to a copy: the gate closes, and what was accepted is not lost."""

from __future__ import annotations

import pytest
from fake_provider import FakeProvider
from film import good, with_image

from flowkit_mcp import FlowKit, Job, Orientation
from flowkit_mcp.domain.models import Gate, JobState, OperationState
from flowkit_mcp.errors import HumanCheckRequired
from flowkit_mcp.providers.base import Brief, Submission
from flowkit_mcp.store.operations import operations

H = Orientation.HORIZONTAL


class Copied(FakeProvider):
    """Refuses the next clips; `accepts_first`: only their copies, after the first was taken."""

    refusals = 0
    accepts_first = True

    async def submit(self, brief: Brief, client_ref: str, via: str | None) -> Submission:
        if self.refusals == 0 or brief.credits == 0:
            return await super().submit(brief, client_ref, via)
        self.refusals -= 1
        if self.accepts_first:
            await super().submit(brief, client_ref, via)
        refusal = HumanCheckRequired("unusual activity")
        refusal.in_doubt = True
        raise refusal


@pytest.fixture
def provider() -> Copied:
    return Copied()


async def clip(kit: FlowKit, provider: Copied) -> Job:
    scene = await with_image(kit)
    provider.refusals = 1
    return await scene.generate_video(H)


async def paused(kit: FlowKit) -> None:
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.gate is not Gate.PAUSED:
        version = await kit.db.changed(version, 5)


async def test_a_clip_that_was_paid_before_its_copy_was_refused_arrives_and_is_paid_once(
    kit: FlowKit, provider: Copied
) -> None:
    job = await clip(kit, provider)
    result = good(await job.result(60))
    assert result.credits == provider.charged == 12
    assert [op.state for op in await operations(kit.db, job.id)] == [OperationState.DONE]
    await paused(kit)


async def test_a_clip_that_was_really_refused_goes_out_again_when_the_person_reopens(
    kit: FlowKit, provider: Copied
) -> None:
    provider.accepts_first = False
    job = await clip(kit, provider)
    await paused(kit)
    version = await kit.db.version()
    while (await job.state()).state is not JobState.QUEUED:
        version = await kit.db.changed(version, 5)
    assert provider.charged == 0
    await kit.reopen()
    good(await job.result(60))
    assert provider.charged == 12


async def test_while_nobody_can_tell_nothing_is_sent_and_the_person_is_asked(
    kit: FlowKit, provider: Copied
) -> None:
    provider.can_look_up = False
    job = await clip(kit, provider)
    row = await kit.wait(job.id, 10)
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "OUTCOME_UNKNOWN")
    assert len(await operations(kit.db, job.id)) == 1
    await paused(kit)
