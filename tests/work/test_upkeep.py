"""What the leader does beside the work: daily copies, old history, files that are gone from the library."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sqlite3
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from film import account_seen, away, good, scene_of, with_image, workshop_of

from flowkit_mcp import FlowKit, Orientation, Scene, Settings, Video
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Asset, Gate
from flowkit_mcp.providers.base import RemoteMedia
from flowkit_mcp.store import jobs, operations, takes
from flowkit_mcp.work.restore import Restorer
from flowkit_mcp.work.upkeep import KEPT_COPIES, KEPT_EVENTS_MS, Upkeep

H = Orientation.HORIZONTAL
DAY_MS = 24 * 3600 * 1000


class MovedClock(Clock):
    """Wall-clock time that a test can move on, and back."""

    ahead_ms = 0

    def now(self) -> int:
        return super().now() + self.ahead_ms


def upkeep_of(kit: FlowKit, provider: FakeProvider, clock: Clock) -> Upkeep:
    return Upkeep(workshop_of(kit, provider, clock))


def copies(kit: FlowKit) -> list[Path]:
    return sorted(kit.settings.state_dir.glob("backup-*.db"))


async def file_of(kit: FlowKit, scene: Scene, stage: str) -> tuple[Asset, Path]:
    """The selected medium of a scene, and where it lies."""
    (asset,) = [
        await takes.asset(kit.db, slot.asset_id)
        for slot in await takes.slots(kit.db, scene_id=scene.id)
        if slot.stage == stage and slot.asset_id is not None
    ]
    return asset, kit.media.absolute(asset.path)


async def until_there(kit: FlowKit, file: Path) -> None:
    version = await kit.db.version()
    async with asyncio.timeout(60):
        while not file.exists():
            version = await kit.db.changed(version, 0.2)


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def test_each_day_has_one_sound_copy_and_the_newest_are_kept_however_the_clock_jumps(
    kit: FlowKit, provider: FakeProvider
) -> None:
    clock = MovedClock()
    upkeep = upkeep_of(kit, provider, clock)
    await account_seen(kit)
    assert await upkeep.copy_of_today() is None, "nobody has worked here yet"
    good(await (await scene_of(kit)).execute_generate_image(H))
    first = await upkeep.copy_of_today()
    assert first is not None and await upkeep.copy_of_today() is None
    with sqlite3.connect(first) as copy:
        assert copy.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert copy.execute("SELECT state FROM job").fetchall() == [("succeeded",)]
    copy.close()
    for _ in range(KEPT_COPIES + 2):
        clock.ahead_ms += DAY_MS
        assert await upkeep.copy_of_today() is not None
    assert len(copies(kit)) == KEPT_COPIES and first not in copies(kit)
    clock.ahead_ms = 0
    again = await upkeep.copy_of_today()
    assert again == first and again in copies(kit), "the copy just made is never the one to go"
    assert len(copies(kit)) == KEPT_COPIES


async def test_a_damaged_database_does_not_push_sound_copies_out(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovedClock()
    upkeep = upkeep_of(kit, provider, clock)
    await with_image(kit)
    await upkeep.copy_of_today()

    async def damaged() -> str:
        return "row 7 missing from index"

    monkeypatch.setattr(kit.db, "quick_check", damaged)
    before = copies(kit)
    for _ in range(KEPT_COPIES):
        clock.ahead_ms += DAY_MS
        assert await upkeep.copy_of_today() is None
    assert copies(kit) == before


async def test_history_is_forgotten_after_three_months_and_the_ledger_never(
    kit: FlowKit, provider: FakeProvider
) -> None:
    clock = MovedClock()
    await account_seen(kit)
    scene = await scene_of(kit)
    result = await scene.execute_generate_image(H)
    good(result)
    await away(kit, provider)
    waiting = await scene.generate_image(H, new_take=True)
    clock.ahead_ms = KEPT_EVENTS_MS + 60_000
    assert await upkeep_of(kit, provider, clock).prune() > 3
    assert await jobs.events(kit.db, result.job_id) == []
    assert await jobs.events(kit.db, waiting.id) != [], "its story is not over"
    assert await kit.db.all("SELECT state FROM operation") == [{"state": "done"}]


async def test_a_file_in_use_that_is_gone_is_fetched_again_and_what_is_not_in_use_stays_away(
    settings: Settings, provider: FakeProvider
) -> None:
    async with FlowKit.open(settings, provider=provider) as kit:
        scene = await with_image(kit)
        _, put_aside = await file_of(kit, scene, "image")
        good(await scene.execute_generate_image(H, new_take=True))
        good(await scene.execute_generate_video(H))
        (picture, in_use), (_, clip) = [await file_of(kit, scene, s) for s in ("image", "video")]
    provider.polled_in.clear()
    for file in (put_aside, in_use, clip):
        file.unlink()
    async with FlowKit.open(settings, provider=provider) as kit:
        await until_there(kit, in_use)
        await until_there(kit, clip)
        assert digest(in_use) == picture.sha256 and not put_aside.exists()
        take = await takes.take(kit.db, (await scene_slots(kit, scene))["image"])
        assert take.job_id is not None
        assert [e.data for e in await jobs.events(kit.db, take.job_id) if e.type == "fetched_again"]
    assert provider.submits == 3, "fetching is free"
    made = {accepted.remote_id for accepted in provider.ledger[1:]}
    assert provider.polled_in == dict.fromkeys(made, "remote-project-1"), "whoever asks names it"


@pytest.mark.parametrize("gate", [Gate.BLOCKED, Gate.PAUSED])
async def test_behind_a_closed_gate_nothing_is_fetched_in_spare_time(
    kit: FlowKit, provider: FakeProvider, gate: Gate
) -> None:
    scene = await with_image(kit)
    _, picture = await file_of(kit, scene, "image")
    picture.unlink()
    upkeep, now = upkeep_of(kit, provider, kit.clock), kit.clock.now()
    provider.polled.clear()
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, provider.name, gate, now=now, reason="HUMAN_CHECK_REQUIRED")
    assert await upkeep.fetch_missing() is None and provider.polled == []
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, provider.name, Gate.OPEN, now=now)
    provider.connected = False
    assert await upkeep.fetch_missing() is None and provider.polled == []
    provider.connected = True
    assert await upkeep.fetch_missing() == 1 and picture.is_file()


async def test_a_gate_that_closes_while_files_are_fetched_ends_it(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_video(H))
    files = [(await file_of(kit, scene, stage))[1] for stage in ("image", "video")]
    for file in files:
        file.unlink()
    fetch, now = provider.fetch, kit.clock.now()

    async def closing(media: RemoteMedia, to: Path) -> None:
        await fetch(media, to)
        async with kit.db.transaction() as tx:
            await operations.set_gate(tx, provider.name, Gate.BLOCKED, now=now)

    monkeypatch.setattr(provider, "fetch", closing)
    assert await upkeep_of(kit, provider, kit.clock).fetch_missing() == 1
    assert [file.is_file() for file in files].count(True) == 1


async def test_a_missing_file_that_two_need_at_once_is_fetched_once(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    asset, picture = await file_of(kit, scene, "image")
    picture.unlink()
    shop = workshop_of(kit, provider, kit.clock)
    provider.polled.clear()
    await asyncio.gather(Restorer(shop).here(asset), Restorer(shop).here(asset))
    assert len(provider.polled) == 1 and digest(picture) == asset.sha256


async def scene_slots(kit: FlowKit, scene: Scene) -> dict[str, str]:
    found = await takes.slots(kit.db, scene_id=scene.id)
    return {slot.stage.value: slot.take_id for slot in found if slot.take_id}


async def test_a_film_whose_clip_is_gone_is_joined_all_the_same(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_video(H))
    asset, clip = await file_of(kit, scene, "video")
    clip.unlink()
    good(await (await (await Video.get(kit, scene.video.id)).merge(H)).result(60))
    assert digest(clip) == asset.sha256


@pytest.mark.parametrize(("gate", "asked"), [(Gate.BLOCKED, False), (Gate.PAUSED, True)])
async def test_a_film_that_needs_a_lost_clip_asks_flow_only_where_it_may_be_read(
    kit: FlowKit, provider: FakeProvider, gate: Gate, asked: bool
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_video(H))
    _, clip = await file_of(kit, scene, "video")
    clip.unlink()
    async with kit.db.transaction() as tx:
        await operations.set_gate(
            tx, provider.name, gate, now=kit.clock.now(), reason="HUMAN_CHECK_REQUIRED"
        )
    provider.polled.clear()
    result = await (await (await Video.get(kit, scene.video.id)).merge(H)).result(60)
    assert bool(provider.polled) == result.success == clip.is_file() == asked
    if not asked:
        assert result.error is not None and "status says what has to be done" in result.error


async def test_what_nobody_has_any_more_is_named_with_what_to_do(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_video(H))
    asset, clip = await file_of(kit, scene, "video")
    clip.unlink()
    provider.ledger.clear()
    result = await (await (await Video.get(kit, scene.video.id)).merge(H)).result(60)
    assert result.error is not None and asset.path in result.error
    assert result.error.startswith("MEDIA_ERROR: ") and "generate it again" in result.error
    assert not clip.exists() and not list(clip.parent.glob(".*.part"))


def flip_a_bit(clip: Path) -> bytes:
    """In the middle of its picture, keeping size and time: nothing but its content tells."""
    data, times = bytearray(clip.read_bytes()), clip.stat()
    data[len(data) // 2] ^= 0x10
    clip.write_bytes(data)
    os.utime(clip, ns=(times.st_atime_ns, times.st_mtime_ns))
    return bytes(data)


async def test_a_clip_with_a_flipped_bit_is_fetched_again_before_it_is_joined(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_video(H))
    asset, clip = await file_of(kit, scene, "video")
    flipped = flip_a_bit(clip)
    good(await (await (await Video.get(kit, scene.video.id)).merge(H)).result(60))
    again, home = await file_of(kit, scene, "video")
    assert again.sha256 == asset.sha256 == digest(home) and home != clip
    assert clip.read_bytes() == flipped, "what lies there is left alone"
    assert not list(clip.parent.glob(".*.part"))


async def test_a_clip_with_a_flipped_bit_that_nobody_has_is_named_and_gives_no_film(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_video(H))
    asset, clip = await file_of(kit, scene, "video")
    flip_a_bit(clip)
    provider.ledger.clear()
    result = await (await (await Video.get(kit, scene.video.id)).merge(H)).result(60)
    assert result.error is not None and f"{asset.path} is not what was recorded" in result.error
    assert "generate it again" in result.error
    assert not list(clip.parent.parent.rglob("*film*.mp4")) and not result.render_id


async def test_a_picture_to_be_handed_over_is_fetched_again_first(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    _, picture = await file_of(kit, scene, "image")
    async with (
        kit.db.transaction() as tx
    ):  # another project of the account: it must be uploaded there
        await tx.run("UPDATE asset_remote SET remote_project_id = 'elsewhere'")
    picture.unlink()
    good(await scene.execute_generate_video(H))
    assert provider.uploads == [picture] and picture.is_file()
    assert "elsewhere" in provider.polled_in.values(), "it is looked for where it lies"
