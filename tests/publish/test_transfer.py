"""A film's way to a local YouTube through Google's own client: one video at the end, whatever goes wrong."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.listing import Listing
from flowkit_mcp.errors import PublishError, PublishLater, PublishNeedsPerson
from flowkit_mcp.publish.auth import SignIns
from flowkit_mcp.publish.keys import FileKeys
from flowkit_mcp.publish.upload import (
    Stand,
    StandFile,
    Stop,
    Stopped,
    Transfer,
    fingerprint_of,
)
from flowkit_mcp.simulator.youtube import LocalYouTube

pytestmark = pytest.mark.e2e

CHUNK = 512 << 10
SIZE = 5 * CHUNK + 12_345
LISTING = Listing(title="The lamp", made_for_kids=False, notify_subscribers=False)


class World:
    """A film, a stand-in for YouTube, and a channel that is signed in there."""

    def __init__(self, folder: Path, youtube: LocalYouTube) -> None:
        self.folder = folder
        self.youtube = youtube
        self.film = folder / "film.mp4"
        self.film.write_bytes(random.Random(1).randbytes(SIZE))
        self.file = StandFile(folder / "uploads" / "7.json")
        self.stop = Stop()
        self.notes: list[tuple[int, int]] = []
        self.known: set[str] = set()
        self.signins = SignIns(folder / "keys", FileKeys(folder / "keys"), youtube.url)

    async def run(self, listing: Listing = LISTING) -> str:
        return await asyncio.to_thread(self._run, listing)

    def sign_in(self) -> None:
        self.signins.enter_stand_in(Clock().now(), "stand-in")

    def _run(self, listing: Listing) -> str:
        if not self.signins.channels():
            self.sign_in()
        with self.signins.youtube(self.signins.channel(None), Clock().now()) as youtube:
            return self._transfer(youtube, listing).run()

    def _transfer(self, youtube: Any, listing: Listing) -> Transfer:
        return Transfer(
            youtube,
            self.film,
            listing,
            self.file,
            clock=Clock(),
            stop=self.stop,
            note=lambda done, size: self.notes.append((done, size)),
            known=self.known,
            backoff_s=0.001,
            chunk=CHUNK,
        )

    def arrived_once(self) -> bool:
        (video,) = self.youtube.videos.values()
        return video.sha256 == hashlib.sha256(self.film.read_bytes()).hexdigest()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    async with LocalYouTube.run(tmp_path / "youtube") as youtube:
        yield World(tmp_path, youtube)


async def test_a_film_arrives_whole_with_its_listing_and_the_declarations(world: World) -> None:
    id = await world.run()
    video = world.youtube.videos[id]
    assert world.arrived_once()
    assert video.listing == LISTING.body()
    assert video.notify is False
    assert world.notes[-1] == (SIZE, SIZE)
    assert [done for done, _ in world.notes] == sorted(done for done, _ in world.notes)
    assert world.youtube.received == SIZE


async def test_a_finished_upload_is_never_repeated(world: World) -> None:
    id = await world.run()
    before = world.youtube.calls.total()
    assert await world.run() == id
    assert world.youtube.calls.total() == before


@pytest.mark.parametrize("kind", ["500", "503", "429", "rate", "drop", "drop_half", "partial"])
async def test_a_chunk_that_goes_wrong_is_sent_again_from_where_the_server_stands(
    world: World, kind: Any
) -> None:
    world.youtube.fault(kind, times=2)
    await world.run()
    assert world.arrived_once()
    assert len(world.youtube.sessions) == 1
    assert world.youtube.received <= SIZE + 3 * CHUNK


async def test_a_token_that_dies_on_the_way_is_renewed_and_the_chunk_sent_again(
    world: World,
) -> None:
    world.youtube.fault("401")
    await world.run()
    assert world.arrived_once()
    assert world.youtube.calls["token"] >= 1


@pytest.mark.parametrize("lost", ["drop_reply", "half_reply"])
async def test_the_answer_to_the_last_byte_may_be_lost(world: World, lost: Any) -> None:
    world.youtube.fault("slow", times=5)
    world.youtube.fault(lost)
    world.youtube.slow_s = 0
    await world.run()
    assert world.arrived_once()
    assert len(world.youtube.sessions) == 1


async def test_stopped_in_the_middle_it_goes_on_in_the_same_session_with_no_byte_twice(
    world: World,
) -> None:
    def stop_at_third(step: str) -> None:
        if step == "chunk" and world.youtube.calls["chunk"] == 3:
            world.stop.set()

    world.youtube.before = stop_at_third
    with pytest.raises(Stopped):
        await world.run()
    world.stop.clear()
    await world.run()
    assert world.arrived_once()
    assert world.youtube.received == SIZE
    assert len(world.youtube.sessions) == 1


async def test_an_opened_session_that_is_heard_of_too_late_does_not_take_the_place_of_the_next(
    world: World,
) -> None:
    """Its run was told to stop, nobody waited for it any more, and the next one is under way."""

    def overtaken(step: str) -> None:
        if step == "open":
            world.stop.set()
            world.file.write(
                Stand(fingerprint=fingerprint_of(world.film), session="the next one's")
            )

    world.youtube.before = overtaken
    with pytest.raises(Stopped):
        await world.run()
    stand = world.file.read()
    assert stand is not None
    assert stand.session == "the next one's"


async def test_a_stand_in_that_comes_back_on_another_port_goes_on_in_the_same_session(
    world: World, tmp_path: Path
) -> None:
    """As after a demo or a simulator that was started again: no token and no address of before is good."""

    def stop_at_third(step: str) -> None:
        if step == "chunk" and world.youtube.calls["chunk"] == 3:
            world.stop.set()

    await asyncio.to_thread(world.sign_in)
    world.youtube.before = stop_at_third
    with pytest.raises(Stopped):
        await world.run()
    async with LocalYouTube.run(tmp_path / "youtube") as moved:
        again = World(tmp_path, moved)
        await again.run()
        assert again.arrived_once()
        assert list(moved.sessions) == list(world.youtube.sessions)
        assert moved.calls["token"] == 1


async def test_a_session_that_expired_early_is_replaced(world: World) -> None:
    world.youtube.fault("gone")
    await world.run()
    assert world.arrived_once()
    assert len(world.youtube.sessions) == 2


async def test_a_session_gone_at_the_end_is_not_replaced_unless_a_person_says_so(
    world: World,
) -> None:
    world.youtube.fault("slow", times=5)
    world.youtube.fault("gone")
    world.youtube.slow_s = 0
    with pytest.raises(PublishNeedsPerson) as caught:
        await world.run()
    assert caught.value.reason == "SESSION_GONE"
    assert len(world.youtube.sessions) == 1
    with pytest.raises(PublishNeedsPerson):
        await world.run()
    assert len(world.youtube.sessions) == 1
    world.file.forget_session()
    await world.run()
    assert world.arrived_once()


async def test_a_film_that_arrived_before_its_session_went_is_found_in_the_channels_list(
    world: World,
) -> None:
    world.youtube.fault("slow", times=5)
    world.youtube.fault("drop_reply")
    world.youtube.slow_s = 0

    def forget(step: str) -> None:
        if step == "status" and world.youtube.videos:
            for session in world.youtube.sessions.values():
                session.gone = True

    world.youtube.before = forget
    id = await world.run()
    assert list(world.youtube.videos) == [id]


async def test_another_film_of_the_same_title_is_not_taken_for_it(world: World) -> None:
    """Upright and wide under one title: the one that arrived meanwhile is known, and is not this one."""
    other = await world.run()
    world.file = StandFile(world.folder / "uploads" / "8.json")
    world.known = {other}
    world.youtube.fault("slow", times=5)
    world.youtube.fault("gone")
    world.youtube.slow_s = 0
    with pytest.raises(PublishNeedsPerson) as caught:
        await world.run()
    assert caught.value.reason == "SESSION_GONE"


@pytest.mark.parametrize(
    ("kind", "error"),
    [("quota", PublishLater), ("upload_limit", PublishLater)],
)
async def test_a_used_up_quota_waits_and_keeps_what_was_sent(
    world: World, kind: Any, error: type[PublishError]
) -> None:
    world.youtube.fault("slow", times=2)
    world.youtube.slow_s = 0
    world.youtube.fault(kind)
    with pytest.raises(error) as caught:
        await world.run()
    assert 0 < caught.value.retry_after_s <= 25 * 3600  # type: ignore[attr-defined]
    await world.run()
    assert world.arrived_once()
    assert world.youtube.received <= SIZE + CHUNK


async def test_an_outage_ends_the_run_for_now_and_the_next_goes_on(world: World) -> None:
    world.youtube.fault("503", times=20)
    world.youtube.fault("503", at="status", times=20)
    with pytest.raises(PublishLater):
        await world.run()
    world.youtube.heal()
    await world.run()
    assert world.arrived_once()


async def test_a_listing_youtube_refuses_ends_at_once_with_its_reason(world: World) -> None:
    with pytest.raises(PublishError) as caught:
        await world.run(LISTING.model_copy(update={"tags": ("x" * 501,)}))
    assert caught.value.reason == "invalidTags"
    assert world.youtube.calls["open"] == 1
    assert not world.youtube.sessions


async def test_a_revoked_sign_in_asks_for_a_new_one(world: World) -> None:
    await asyncio.to_thread(world.sign_in)
    world.youtube.revoked.append("stand-in")
    world.youtube.tokens.clear()
    with pytest.raises(PublishNeedsPerson, match="7 days"):
        await world.run()


async def test_another_film_under_the_same_job_is_a_transfer_of_its_own(world: World) -> None:
    first = await world.run()
    world.film.write_bytes(random.Random(2).randbytes(SIZE))
    assert await world.run() != first
    assert len(world.youtube.videos) == 2


async def test_a_storm_of_faults_leaves_one_video(world: World) -> None:
    storm: tuple[Any, ...] = ("503", "drop", "partial", "500", "rate", "429", "drop_half", "drop")
    for kind in storm:
        world.youtube.fault(kind)
    world.youtube.fault("503", at="open")
    world.youtube.fault("drop_reply", at="open")
    world.youtube.fault("500", at="status", times=2)
    await world.run()
    assert world.arrived_once()


async def test_the_session_is_kept_where_only_its_owner_reads(world: World) -> None:
    world.youtube.fault("quota")
    with pytest.raises(PublishLater):
        await world.run()
    assert world.file.path.stat().st_mode & 0o077 == 0
    stand = world.file.read()
    assert stand is not None
    assert stand.session is not None
