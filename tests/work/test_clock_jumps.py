"""The machine's clock is set back and forth while work is under way: nothing waits for days, nothing is paid twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest
from fake_provider import FakeProvider
from film import good, scene_of, with_image

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Gate, JobState
from flowkit_mcp.errors import QuotaUsedUp, RateLimited
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.work.jumps import FARTHEST_MS, Back, Patience, Watched

H = Orientation.HORIZONTAL
HOUR_MS = 3_600_000


class SetClock(Clock):
    """A wall clock that somebody sets."""

    ahead_ms = 0

    def now(self) -> int:
        return super().now() + self.ahead_ms


async def the_answer(provider: FakeProvider, count: int = 1) -> None:
    async with asyncio.timeout(20):
        while len(provider.polled) < count:  # noqa: ASYNC110 - a scripted provider has no event for it
            await asyncio.sleep(0.01)


async def test_a_clock_set_back_while_a_clip_is_made_holds_nothing_up(
    settings: Settings, provider: FakeProvider
) -> None:
    clock = SetClock()
    provider.looks_until_done = 1_000_000
    async with FlowKit.open(settings, provider=provider, clock=clock) as kit:
        provider.looks_until_done = 1
        scene = await with_image(kit)
        provider.looks_until_done = 1_000_000
        job = await scene.generate_video(H)
        seen = len(provider.polled)
        await the_answer(provider, seen + 2)
        clock.ahead_ms -= 30_000  # the age of the call is then just below nothing
        await the_answer(provider, seen + 4)
        clock.ahead_ms -= 24 * HOUR_MS
        await the_answer(provider, len(provider.polled) + 2)
        provider.looks_until_done = 1
        assert (await kit.wait(job.id, 20)).state is JobState.SUCCEEDED
        status = await kit.status()
        assert status.leader is not None and status.leader.generation == 1, "no term ended over it"
    assert provider.submits == 2


async def test_a_pause_ends_no_later_because_the_clock_was_set_back(
    settings: Settings, provider: FakeProvider
) -> None:
    clock = SetClock()
    async with FlowKit.open(settings, provider=provider, clock=clock) as kit:
        scene = await with_image(kit)
        provider.script = [RateLimited("too fast", retry_after_s=2)]
        job = await scene.generate_video(H)
        version = await kit.db.version()
        while (state := await kit.provider_state()) is None or state.gate is Gate.OPEN:
            version = await kit.db.changed(version, 5)
        clock.ahead_ms -= 6 * HOUR_MS
        assert (await kit.wait(job.id, 30)).state is JobState.SUCCEEDED


async def test_a_clock_that_was_ahead_when_the_last_process_ended_holds_nothing_up(
    settings: Settings, provider: FakeProvider
) -> None:
    clock = SetClock()
    clock.ahead_ms = 48 * HOUR_MS
    provider.looks_until_done = 1
    async with FlowKit.open(settings, provider=provider, clock=clock) as kit:
        scene = await with_image(kit)
        provider.looks_until_done = 1_000_000
        job = await scene.generate_video(H)
        await the_answer(provider, 3)
    provider.looks_until_done = 1
    async with FlowKit.open(settings, provider=provider) as kit:  # the right time again
        assert (await kit.wait(job.id, 20)).state is JobState.SUCCEEDED


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whatever_the_clock_does_each_clip_is_paid_once_and_arrives(
    settings: Settings, provider: FakeProvider, seed: int
) -> None:
    clock, roll = SetClock(), random.Random(seed)

    def set_clock(step: str) -> None:
        if roll.random() < 0.3:
            clock.ahead_ms = roll.randrange(-30 * 24 * HOUR_MS, 30 * 24 * HOUR_MS)

    async with FlowKit.open(settings, provider=provider, clock=clock, on_step=set_clock) as kit:
        scene = await with_image(kit)
        provider.script = [None, FakeProvider.LOSE, None, FakeProvider.CUT]
        made = [await scene.generate_video(H, new_take=True, seed=n) for n in range(6)]
        for job in made:
            row = await kit.wait(job.id, 60)
            assert row.state is JobState.SUCCEEDED, (row.reason, row.message)
        assert [r["quick_check"] for r in await kit.db.all("PRAGMA quick_check")] == ["ok"]
    assert len({line.client_ref for line in provider.ledger}) == len(provider.ledger) == 7
    assert provider.charged == 6 * 12


async def test_a_clock_set_forward_is_no_proof_that_a_call_never_arrived(
    settings: Settings, provider: FakeProvider
) -> None:
    """Not found is proof only after a while; that while is not shortened by setting the clock."""
    clock = SetClock()
    async with FlowKit.open(settings, provider=provider, clock=clock) as kit:
        scene = await with_image(kit)
        provider.script = [FakeProvider.LOSE]
        provider.in_flight_looks = 1
        job = await scene.generate_video(H)
        async with asyncio.timeout(20):
            while not provider.looked_up:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        clock.ahead_ms += HOUR_MS
        assert (await kit.wait(job.id, 20)).state is JobState.SUCCEEDED
    assert len(provider.looked_up) > 1
    assert max(call.age_s for call in provider.looked_up) < 60


async def test_a_call_sent_while_the_clock_was_ahead_grows_older_all_the_same(
    settings: Settings, provider: FakeProvider
) -> None:
    """By its date it has not been sent yet; a look-up that waits for an age would go on for the whole jump."""
    clock = SetClock()
    clock.ahead_ms = 24 * HOUR_MS
    async with FlowKit.open(settings, provider=provider, clock=clock) as kit:
        scene = await with_image(kit)
        provider.script = [FakeProvider.LOSE]
        provider.in_flight_looks = 1_000_000
        job = await scene.generate_video(H)
        async with asyncio.timeout(20):
            while not provider.looked_up:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
    provider.looked_up.clear()
    provider.in_flight_looks = 2
    async with FlowKit.open(settings, provider=provider) as kit:  # the right time again
        assert (await kit.wait(job.id, 30)).state is JobState.SUCCEEDED
    ages = [call.age_s for call in provider.looked_up]
    assert ages[0] == 0 and ages == sorted(ages) and 0 < ages[-1] < 60


async def test_a_clock_set_forward_and_farther_back_between_two_looks_holds_nothing_up(
    settings: Settings, provider: FakeProvider
) -> None:
    """As a whole it went back by an hour; but what was noted in between was noted five hours ahead of that."""
    clock = SetClock()
    times = iter((4 * HOUR_MS, -1 * HOUR_MS))

    def set_clock(step: str) -> None:
        if step == "operation_saved" and provider.submits == 2:  # before the loop has looked again
            provider.connected = False  # and the clip does not end meanwhile
            clock.ahead_ms = next(times)

    async with FlowKit.open(settings, provider=provider, clock=clock, on_step=set_clock) as kit:
        scene = await with_image(kit)
        job = await scene.generate_video(H)
        async with asyncio.timeout(20):
            while clock.ahead_ms == 0:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)
        async with kit.db.transaction() as tx:  # as whoever was just writing
            noted = kit.clock.now() + 60_000
            await tx.run("UPDATE job SET run_at = :at WHERE id = :id", at=noted, id=job.id)
            clock.ahead_ms = next(times)
        kit._wake()
        async with asyncio.timeout(20):
            while (await jobs.job(kit.db, job.id)).run_at == noted:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert (await jobs.job(kit.db, job.id)).run_at <= kit.clock.now() + 60_000
        provider.connected = True
        kit._wake()


async def test_one_time_beyond_all_waits_is_due_now_and_the_others_stay(
    settings: Settings, provider: FakeProvider
) -> None:
    """Written by another process while its clock was ahead, of which this one knows nothing."""
    async with FlowKit.open(settings, provider=provider, clock=SetClock()) as kit:
        scene = await with_image(kit)
        provider.script = [QuotaUsedUp("tomorrow", retry_after_s=24 * 3600)]
        waiting = await scene.generate_video(H)
        await _until_it_waits(kit, waiting.id)
        before = await jobs.job(kit.db, waiting.id)
        # of another model: this one's quota holds all of its jobs
        stray = await scene.generate_image(H, new_take=True, seed=7)
        assert (await kit.wait(stray.id, 20)).state is JobState.SUCCEEDED
        far = kit.clock.now() + FARTHEST_MS + HOUR_MS
        pause = kit.clock.now() + HOUR_MS
        async with kit.db.transaction() as tx:
            await operations.set_gate(
                tx, "flow", Gate.PAUSED, now=kit.clock.now(), reason="RATE_LIMITED", resume_at=pause
            )
            await tx.run(
                "UPDATE provider_state SET next_submit_at = :far WHERE provider = 'flow'", far=far
            )
        async with asyncio.timeout(20):
            while (await kit.provider_state()).next_submit_at == far:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        state = await kit.provider_state()
        assert state is not None
        assert state.next_submit_at <= kit.clock.now() and state.resume_at == pause
        assert (await jobs.job(kit.db, waiting.id)).run_at == before.run_at


async def _until_it_waits(kit: FlowKit, id: int) -> None:
    version = await kit.db.version()
    while (await jobs.job(kit.db, id)).reason is None:
        version = await kit.db.changed(version, 5)


def test_what_waits_is_pulled_by_as_much_as_the_clock_was_ahead_when_it_was_noted() -> None:
    now, hour, minute = 1_790_000_000_000, HOUR_MS, 60_000
    back = Back(2 * hour, (2 * hour,))  # simply set back by two hours
    assert back.pull(now - 5, now) == now - 5, "due already"
    assert back.pull(now + 2 * hour + minute, now) == now + minute
    assert back.pull(now + hour, now) == now, "was due an hour ago"
    assert back.pull(now + 25 * hour, now) == now + 23 * hour
    glitch = Back(0, (5 * hour,))  # set forward by five hours, and back again
    assert glitch.pull(now + 5 * hour + minute, now) == now + minute, "noted in between"
    assert glitch.pull(now + 10 * minute, now) == now + 10 * minute, "a pause from before"
    both = Back(hour, (6 * hour, hour))  # forward by five, back by six
    assert both.pull(now + 6 * hour + minute, now) == now + minute
    assert both.pull(now + hour + minute, now) == now + minute
    assert Back(0, ()).pull(now + FARTHEST_MS + 1, now) == now
    assert Back(0, ()).pull(now + FARTHEST_MS, now) == now + FARTHEST_MS


def test_a_watched_clock_tells_how_far_it_was_ahead_at_any_reading() -> None:
    clock = SetClock()
    watched = Watched(clock)
    assert watched.back() is None
    clock.ahead_ms = HOUR_MS
    watched.now()
    assert watched.back() is None, "forward only: things are looked at early"
    clock.ahead_ms = 3 * HOUR_MS
    watched.now()
    clock.ahead_ms = 0
    back = watched.back()
    assert back is not None
    assert round(back.before / HOUR_MS, 3) == 1
    assert [round(by / HOUR_MS, 3) for by in back.seen] == [3, 1]
    assert watched.back() is None


def test_patience_believes_neither_clock_alone() -> None:
    now = 100.0
    steady: Callable[[], float] = lambda: now  # noqa: E731
    patience = Patience(steady)
    assert patience.age_s(7, 3600) == 0, "the first look of this process"
    now = 105.0
    assert patience.age_s(7, 3600) == 5
    assert patience.age_s(7, 2) == 2
    assert patience.age_s(8, 3600) == 0
    assert patience.age_s(7, -3600) == 5, "sent by a clock that was ahead: that one tells nothing"
    assert patience.age_s(9, -3600) == 0


async def test_what_the_clock_did_before_a_process_led_shortens_no_pause(
    settings: Settings, provider: FakeProvider
) -> None:
    """It went back by an hour while another process led, who pulled along what waited then."""
    clock = SetClock()
    clock.ahead_ms = HOUR_MS
    provider.script = []
    async with AsyncExitStack() as first:
        leader = await first.enter_async_context(FlowKit.open(settings, provider=provider))
        scene = await with_image(leader)
        async with FlowKit.open(settings, provider=provider, clock=clock) as follower:
            clock.ahead_ms = 0
            follower.clock.now()
            provider.script = [QuotaUsedUp("tomorrow", retry_after_s=20 * 3600)]
            job = await scene.generate_video(H)
            await _until_it_waits(leader, job.id)
            noted = (await jobs.job(leader.db, job.id)).run_at
            await first.aclose()
            other = await scene_of(follower)
            good(await other.execute_generate_image(H))  # it leads, and has looked
            assert (await jobs.job(follower.db, job.id)).run_at == noted
