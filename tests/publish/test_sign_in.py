"""Channels sign in with the user's own client, through the real installed-app flow, against a local YouTube."""

from __future__ import annotations

import asyncio
import json
import stat
import sys
import urllib.request
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flowkit_mcp.clock import Clock
from flowkit_mcp.errors import Conflict, InvalidSetting, NotFound, PublishNeedsPerson
from flowkit_mcp.publish.auth import MANAGE, READ, UPLOAD, Channel, SignIns
from flowkit_mcp.publish.keys import FileKeys
from flowkit_mcp.publish.steps import add_captions, add_to_playlist, set_thumbnail, standing
from flowkit_mcp.simulator.youtube import LocalYouTube, Video

pytestmark = pytest.mark.e2e
HOUR_MS = 3_600_000


class World:
    def __init__(self, folder: Path, youtube: LocalYouTube) -> None:
        self.youtube = youtube
        self.keys = FileKeys(folder / "keys")
        self.signins = SignIns(folder / "keys", self.keys, youtube.url)
        self.shown: list[str] = []

    def write_client(self) -> None:
        config = {
            "installed": {
                "client_id": "mine.apps",
                "client_secret": "not-secret-for-desktop",
                "auth_uri": f"{self.youtube.url}/auth",
                "token_uri": f"{self.youtube.url}/token",
                "redirect_uris": ["http://localhost"],
            }
        }
        self.signins.folder.mkdir(parents=True, exist_ok=True)
        self.signins.client_file.write_text(json.dumps(config), encoding="utf-8")

    def person(self, line: str) -> None:
        """What a person does with the address: opens it and agrees, in a browser of their own."""
        self.shown.append(line)
        address = line.split("agree: ")[1]
        loop = self.loop
        loop.call_soon_threadsafe(loop.run_in_executor, None, self._agree, address)

    @staticmethod
    def _agree(address: str) -> None:
        with urllib.request.urlopen(f"{address}&agree=1") as page:
            assert b"signed in" in page.read()

    async def login(self, name: str | None = None, *, manage: bool = False) -> Channel:
        self.loop = asyncio.get_running_loop()

        def run() -> Channel:
            return self.signins.login(
                Clock().now(),
                name=name,
                manage=manage,
                open_browser=False,
                show=self.person,
                timeout_s=20,
            )

        return await asyncio.to_thread(run)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # loopback has no certificate
    async with LocalYouTube.run(tmp_path / "youtube") as youtube:
        yield World(tmp_path, youtube)


async def test_the_person_agrees_in_their_browser_and_the_channel_is_known_by_name(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.write_client()
    channel = await world.login()
    assert (channel.name, channel.scopes) == ("Stand-in channel", (UPLOAD, READ))
    assert not channel.manages
    assert world.signins.channels() == [channel]
    assert "code_challenge" in world.shown[0]
    assert "state=" in world.shown[0]
    assert capsys.readouterr().out == ""


async def test_several_channels_live_side_by_side_and_one_must_be_named(world: World) -> None:
    world.write_client()
    await world.login()
    world.youtube.title, world.youtube.channel = "Second", "UCsecond"
    second = await world.login("mine", manage=True)
    assert second.manages
    assert MANAGE in second.scopes
    assert [one.name for one in world.signins.channels()] == ["Stand-in channel", "mine"]
    assert world.signins.channel("mine") == second
    with pytest.raises(Conflict, match="'mine'"):
        world.signins.channel(None)
    with pytest.raises(NotFound, match="'nobody'"):
        world.signins.channel("nobody")


async def test_tokens_are_nowhere_but_in_the_key_store(world: World) -> None:
    world.write_client()
    channel = await world.login()
    secret = json.loads(world.keys.get(channel.id) or "{}")
    listed = (world.signins.folder / "channels.json").read_text(encoding="utf-8")
    assert secret["refresh_token"] not in listed
    assert secret["token"] not in listed
    if sys.platform != "win32":
        kept = world.signins.folder / f"{channel.id}.json"
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
        assert stat.S_IMODE(world.signins.folder.stat().st_mode) == 0o700


async def test_a_token_about_to_end_is_renewed_before_it_is_used_and_kept(world: World) -> None:
    world.write_client()
    channel = await world.login()
    before = world.keys.get(channel.id)
    now = Clock().now()
    await asyncio.to_thread(world.signins.credentials, channel, now)
    assert world.keys.get(channel.id) == before
    await asyncio.to_thread(world.signins.credentials, channel, now + HOUR_MS)
    assert world.keys.get(channel.id) != before


async def test_signing_out_takes_the_grant_back_and_forgets(world: World) -> None:
    world.write_client()
    channel = await world.login()
    refresh = json.loads(world.keys.get(channel.id) or "{}")["refresh_token"]
    await asyncio.to_thread(world.signins.logout, None)
    assert world.youtube.revoked == [refresh]
    assert world.keys.get(channel.id) is None
    assert world.signins.channels() == []
    with pytest.raises(PublishNeedsPerson, match="youtube login"):
        world.signins.credentials(channel, Clock().now())


def test_without_a_client_file_the_five_steps_are_told(tmp_path: Path) -> None:
    signins = SignIns(tmp_path, FileKeys(tmp_path))
    with pytest.raises(InvalidSetting, match=r"1\. Open console(.|\n)*5\. Save it as"):
        signins.login(Clock().now())
    signins.client_file.write_text('{"web": {}}', encoding="utf-8")
    with pytest.raises(InvalidSetting, match="Desktop app"):
        signins.login(Clock().now())


def test_only_this_machine_may_stand_in_for_google(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="not on this machine"):
        SignIns(tmp_path, FileKeys(tmp_path), "http://youtube.evil.example")


async def test_thumbnail_captions_and_playlist_follow_the_film_and_none_of_them_twice(
    world: World, tmp_path: Path
) -> None:
    video = Video(
        "abc", {"snippet": {}, "status": {"privacyStatus": "private"}}, False, tmp_path, "", ""
    )
    world.youtube.videos["abc"] = video
    picture = tmp_path / "poster.jpg"
    picture.write_bytes(b"\xff\xd8" + bytes(100))
    captions = tmp_path / "film.srt"

    def run() -> None:
        channel = world.signins.enter_stand_in(Clock().now(), "stand-in")
        with world.signins.youtube(channel, Clock().now()) as youtube:
            set_thumbnail(youtube, "abc", picture)
            for text in ("1\n00:00:00,000 --> 00:00:01,000\nhi\n", "second"):
                captions.write_text(text, encoding="utf-8")
                add_captions(youtube, "abc", captions, "en")
            for _ in range(2):
                add_to_playlist(youtube, "abc", "PLstandin")
            first, then = standing(youtube, "abc"), standing(youtube, "abc")
            assert first is not None
            assert then is not None
            assert (first.processed, then.processed) == (False, True)
            assert standing(youtube, "nope") is None

    await asyncio.to_thread(run)
    assert video.thumbnail == picture.read_bytes()
    assert video.captions["en"][1] == b"second"
    assert world.youtube.playlists["PLstandin"] == ["abc"]
