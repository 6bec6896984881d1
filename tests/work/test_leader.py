"""One leads, the others follow; a takeover loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio

import pytest
from fake_provider import Accepted, FakeProvider
from film import account_seen, away, good, scene_of

from flowkit_mcp import FlowKit, Orientation, Scene, Settings
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.providers.base import ImageBrief
from flowkit_mcp.store import migrate, operations
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock

H = Orientation.HORIZONTAL


async def test_a_second_server_follows_and_its_jobs_are_worked_by_the_leader(
    settings: Settings, provider: FakeProvider
) -> None:
    idle = FakeProvider()
    async with (
        FlowKit.open(settings, provider=provider) as leader,
        FlowKit.open(settings, provider=idle) as follower,
    ):
        await account_seen(follower)
        assert leader.leading and not follower.leading
        scene = await scene_of(follower)
        good(await scene.execute_generate_image(H))
        assert (provider.submits, idle.submits) == (1, 0)
        assert (await follower.status()).leader == (await leader.status()).leader


async def test_when_the_leader_closes_the_follower_takes_over_with_a_higher_generation(
    settings: Settings, provider: FakeProvider
) -> None:
    async with FlowKit.open(settings, provider=FakeProvider()) as leader:
        follower_context = FlowKit.open(settings, provider=provider)
        follower = await follower_context.__aenter__()
        await account_seen(follower)
        before = (await leader.status()).leader
    try:
        await account_seen(follower)
        scene = await scene_of(follower)
        good(await scene.execute_generate_image(H))
        after = (await follower.status()).leader
        assert before is not None and after is not None
        assert after.generation == before.generation + 1 and follower.leading
    finally:
        await follower_context.__aexit__(None, None, None)


async def test_a_submit_in_flight_at_shutdown_is_looked_up_by_the_next_leader_not_sent_again(
    settings: Settings, provider: FakeProvider
) -> None:
    provider.hold = asyncio.Event()
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        scene = await scene_of(kit)
        job = await scene.generate_image(H)
        await provider.submitted.wait()
    provider.hold.set()
    async with FlowKit.open(settings, provider=provider) as kit:
        row = await kit.wait(job.id, 10)
        assert row.state is JobState.SUCCEEDED
    assert provider.submits == len(provider.ledger) == 1
    (sent,) = provider.ledger
    assert provider.polled_in == {sent.remote_id: "remote-project-1"}, "who polls did not send it"


async def test_jobs_left_running_by_a_dead_leader_are_orphans_at_once(
    settings: Settings, provider: FakeProvider
) -> None:
    """The rows look as after `kill -9`: running under an old generation, with and without an intent."""
    provider.connected = False
    async with FlowKit.open(settings, provider=provider) as kit:
        scene = await scene_of(kit)
        provider.connected = True
        kit._wake()
        await account_seen(kit)
        await away(kit, provider)
        unsent = await scene.generate_image(H)
        sent = await scene.generate_image(Orientation.VERTICAL)
    accepted = FakeProvider(ledger=provider.ledger)
    async with FlowKit.open(settings, provider=FakeProvider(connected=False)) as kit:
        async with kit.db.transaction() as tx:
            await tx.run("UPDATE job SET state = 'running', generation = 1")
            op = await operations.intend(
                tx, await kit.job(sent.id), account="fake", client_ref="ref-of-the-dead", brief={},
            via="profile-a",
                estimate=0, before=None, now=1, next_submit_at=0,
            )  # fmt: skip
    brief = ImageBrief(project="p", model="PIC", orientation=H, seed=1, prompt="x")
    accepted.ledger.append(Accepted(op.client_ref, "media-of-the-dead", brief, 0))
    async with FlowKit.open(settings, provider=accepted) as kit:
        for job in (unsent, sent):
            assert (await kit.wait(job.id, 10)).state is JobState.SUCCEEDED
        scene = await Scene.get(kit, scene.id)
        slot = await scene.orientation_slot(Orientation.VERTICAL)
        assert slot.image.media_id == "media-of-the-dead"
    assert accepted.submits == 1, "only the job without an intent was sent"


async def test_a_leader_that_has_been_replaced_writes_nothing_any_more(
    kit: FlowKit, provider: FakeProvider
) -> None:
    """The reply of its submit arrives when the job is another generation's: only that one writes it down."""
    await account_seen(kit)
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    async with kit.db.transaction() as tx:
        await tx.run("UPDATE job SET generation = 2 WHERE state = 'running'")
        await operations.begin_leadership(tx, pid=1, version="other", now=1)
    provider.hold.set()
    good(await job.result(60))  # by a later term of the same process
    types = [event.type for event in await job.events()]
    assert types.index("orphaned") < types.index("submitted")
    assert (provider.submits, len(provider.looked_up)) == (1, 1)


async def test_a_newer_version_asks_every_older_leader_that_follows_to_let_go(
    settings: Settings, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = migrate.migrations()
    lock = LeaderLock(settings.leader_lock)
    assert lock.try_acquire()
    async with Database.open(settings.database) as db:
        with monkeypatch.context() as older:
            older.setattr(migrate, "migrations", lambda: whole[:1])
            await migrate.migrate(db)

        async def term(pid: int) -> None:
            async with db.transaction() as tx:
                await operations.begin_leadership(tx, pid=pid, version="older", now=1)

        async def opened() -> int:
            async with FlowKit.open(settings, provider=provider) as kit:
                return await migrate.schema_version(kit.db)

        await term(1)
        newer = asyncio.create_task(opened())
        try:
            for pid in (2, 3):  # as if one older window after the other had won the lock
                await _asked_to_resign(db)
                await term(pid)
            await _asked_to_resign(db)
        finally:
            lock.release()
        assert await newer == whole[-1][0]


async def _asked_to_resign(db: Database) -> None:
    version = await db.version()
    async with asyncio.timeout(60):
        while (leader := await operations.leader(db)) is None or not leader.resign_requested:
            version = await db.changed(version, 5)
