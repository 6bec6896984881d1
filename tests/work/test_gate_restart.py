"""A closed gate is in the library, not in a process: it outlives restarts, and every window and the panel show it."""

from __future__ import annotations

from fake_provider import FakeProvider
from film import account_seen, with_image

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.domain.models import Gate, JobState
from flowkit_mcp.errors import HumanCheckRequired
from flowkit_mcp.work.panel import queue_shown

H = Orientation.HORIZONTAL


async def gate_is(kit: FlowKit, gate: Gate) -> None:
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.gate is not gate:
        version = await kit.db.changed(version, 5)


async def test_a_pause_and_its_reason_survive_a_restart_and_are_shown_to_all(
    settings: Settings, provider: FakeProvider
) -> None:
    async with FlowKit.open(settings, provider=provider) as kit:
        scene = await with_image(kit)
        provider.script = [HumanCheckRequired("unusual activity")]
        job = await scene.generate_video(H)
        await gate_is(kit, Gate.PAUSED)
    async with (
        FlowKit.open(settings, provider=provider) as kit,
        FlowKit.open(settings, provider=FakeProvider()) as follower,
    ):
        await account_seen(kit)
        before = provider.submits
        for one in (kit, follower):
            state = (await one.status()).provider
            assert state is not None and state.gate is Gate.PAUSED and state.resume_at is None
            assert (state.reason, "unusual activity" in (state.message or "")) == (
                "HUMAN_CHECK_REQUIRED",
                True,
            )
            panel = await queue_shown(one.db, state, one.clock.now())
            assert panel.paused_reason is not None and "unusual activity" in panel.paused_reason
        assert (await kit.job(job.id)).state is JobState.QUEUED and provider.submits == before
        await follower.reopen()  # the person's word, given to whichever window
        assert (await kit.wait(job.id, 20)).state is JobState.SUCCEEDED
