"""A library put back from a copy does not know what was paid since: nothing of it is sent without the person's word."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from film import account_seen, away, good, with_image

from flowkit_mcp import FlowKit, Orientation, Scene, Settings
from flowkit_mcp.domain.models import JobState, OperationState
from flowkit_mcp.errors import GenerationFailed
from flowkit_mcp.sdk.jobs import Job
from flowkit_mcp.sdk.money import set_day_budget
from flowkit_mcp.store import jobs, operations

H = Orientation.HORIZONTAL


@pytest.fixture
async def scene(kit: FlowKit) -> Scene:
    return await with_image(kit)


async def copied(kit: FlowKit) -> Path:
    copy = kit.settings.state_dir / "backup-2026-11-27.db"
    await kit.db.backup(copy)
    return copy


def put_back(kit: FlowKit, copy: Path, to: Path) -> Settings:
    """The library as it is after the steps that `doctor` tells, in a folder of its own."""
    shutil.copytree(kit.settings.library, to)
    settings = kit.settings.model_copy(update={"library": to})
    for suffix in ("-wal", "-shm"):
        settings.database.with_name(f"{settings.database.name}{suffix}").unlink(missing_ok=True)
    shutil.copy(copy, settings.database)
    return settings


async def asks(kit: FlowKit, job: Job) -> str:
    """Waits until the job asks what to do; returns its question."""
    row = await kit.wait(job.id, 20)
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "PUT_BACK"), row.message
    assert row.message is not None
    return row.message


async def last_state(kit: FlowKit, job: Job) -> OperationState:
    return (await operations.operations(kit.db, job.id))[-1].state


async def test_what_was_queued_in_the_copy_and_paid_since_is_not_paid_again(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    await away(kit, provider)
    job = await scene.generate_video(H)
    copy = await copied(kit)
    assert (await kit.job(job.id)).state is JobState.QUEUED, "only the copy is disarmed"
    provider.connected = True
    good(await job.result(20))
    paid = provider.submits
    async with FlowKit.open(put_back(kit, copy, tmp_path / "again"), provider=provider) as again:
        await account_seen(again)
        assert "retry" in await asks(again, job) and provider.submits == paid
        assert "put_back" in [event.type for event in await jobs.events(again.db, job.id)]
        await again.resolve(job.id, "retry")
        assert (await again.wait(job.id, 20)).state is JobState.SUCCEEDED
    assert provider.submits == paid + 1, "the person said so"


async def test_a_call_under_way_in_the_copy_is_only_looked_up(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    provider.hold = asyncio.Event()
    provider.submitted.clear()
    job = await scene.generate_video(H)
    await provider.submitted.wait()
    copy = await copied(kit)
    provider.hold.set()
    good(await job.result(20))
    paid = provider.submits
    async with FlowKit.open(put_back(kit, copy, tmp_path / "again"), provider=provider) as again:
        await account_seen(again)
        assert "look_again" in await asks(again, job)
        assert await last_state(again, job) is OperationState.UNKNOWN
        await again.resolve(job.id, "look_again")
        assert (await again.wait(job.id, 20)).state is JobState.SUCCEEDED
    assert provider.submits == paid


async def test_a_call_that_never_arrived_may_have_been_made_again_since_the_copy(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    provider.script, provider.in_flight_looks = [FakeProvider.CUT], 1_000_000
    job = await scene.generate_video(H)
    version = await kit.db.version()
    while not provider.looked_up:
        version = await kit.db.changed(version, 0.05)
    copy = await copied(kit)
    provider.in_flight_looks = 0
    good(await job.result(20))
    paid = provider.submits
    async with FlowKit.open(put_back(kit, copy, tmp_path / "again"), provider=provider) as again:
        await account_seen(again)
        await asks(again, job)
        await again.resolve(job.id, "look_again")
        version = await again.db.version()
        while await last_state(again, job) is not OperationState.VOID:
            version = await again.db.changed(version, 0.05)
        assert "retry" in await asks(again, job)
        assert provider.submits == paid, "looking sends nothing"


async def test_a_clip_that_failed_may_have_been_made_again_since_the_copy(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    provider.looks_until_done = 1_000_000
    provider.submitted.clear()
    job = await scene.generate_video(H)
    version = await kit.db.version()
    while (await kit.job(job.id)).state is not JobState.WAITING:
        version = await kit.db.changed(version, 0.05)
    copy = await copied(kit)
    provider.ledger[-1].error = GenerationFailed("it failed", charged="refunded", again=1)
    provider.looks_until_done = 1
    good(await job.result(20))
    paid = provider.submits
    async with FlowKit.open(put_back(kit, copy, tmp_path / "again"), provider=provider) as again:
        await account_seen(again)
        assert "retry" in await asks(again, job) and provider.submits == paid
        assert await last_state(again, job) is OperationState.FAILED


async def test_an_accepted_clip_in_the_copy_comes_home_by_itself(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    provider.looks_until_done = 1_000_000
    job = await scene.generate_video(H)
    version = await kit.db.version()
    while (await kit.job(job.id)).state is not JobState.WAITING:
        version = await kit.db.changed(version, 0.05)
    copy = await copied(kit)
    paid = provider.submits
    async with FlowKit.open(put_back(kit, copy, tmp_path / "again"), provider=provider) as again:
        provider.looks_until_done = 1
        assert (await again.wait(job.id, 20)).state is JobState.SUCCEEDED
    assert provider.submits == paid


async def test_what_waits_for_a_budget_in_the_copy_does_not_go_on_when_it_is_raised(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    await away(kit, provider)
    job = await scene.generate_video(H)
    await set_day_budget(kit, 5)
    provider.connected = True
    assert (await kit.wait(job.id, 20)).reason == "BUDGET"
    copy, paid = await copied(kit), provider.submits
    async with FlowKit.open(put_back(kit, copy, tmp_path / "again"), provider=provider) as again:
        await account_seen(again)
        await set_day_budget(again, 500)
        await asks(again, job)
    assert provider.submits == paid


async def test_a_reply_kept_after_the_copy_is_neither_lost_nor_taken_for_a_later_call(
    kit: FlowKit, provider: FakeProvider, scene: Scene, tmp_path: Path
) -> None:
    copy = await copied(kit)
    settings = put_back(kit, copy, tmp_path / "again")
    folder = settings.database.parent / "replies"
    folder.mkdir(exist_ok=True)
    newest = max(row["id"] for row in await kit.db.all("SELECT id FROM operation"))
    (folder / f"operation-{newest + 1}.reply").write_bytes(b'{"remote_id": "media-x"}\nmedia')
    (folder / f"operation-{newest}.reply").write_bytes(b'{"remote_id": "media-y"}\nold')
    async with FlowKit.open(settings, provider=provider) as again:
        await account_seen(again)
        async with asyncio.timeout(20):
            while (folder / f"operation-{newest}.reply").exists():  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
        left = [file.read_bytes() for file in folder.iterdir()]
        assert left == [b'{"remote_id": "media-x"}\nmedia']
        assert not (folder / f"operation-{newest + 1}.reply").exists(), "that number is given anew"
