"""`flowkit-mcp youtube` as a person runs it: sign in, see who is, see what became of films, sign out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import urllib.request
from pathlib import Path

import pytest
from publish_world import PublishWorld

pytestmark = pytest.mark.e2e


async def command(
    library: Path, *arguments: str, **env: str
) -> tuple[asyncio.subprocess.Process, dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWKIT_")}
    kept |= {"PYTHONUNBUFFERED": "1", "OAUTHLIB_INSECURE_TRANSPORT": "1", **env}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flowkit_mcp", "youtube", *arguments, "--library", str(library)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=kept,
    )
    return process, kept


async def run(library: Path, *arguments: str, **env: str) -> tuple[int | None, str, str]:
    process, _ = await command(library, *arguments, **env)
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()


async def test_signing_in_looking_and_signing_out(publishing: PublishWorld, tmp_path: Path) -> None:
    youtube, library = publishing.youtube, tmp_path / "another"
    env = {"FLOWKIT_YOUTUBE": youtube.url}
    code, out, _ = await run(library, "channels", **env)
    assert (code, out.startswith("No channel is signed in.")) == (0, True)
    client = library / ".flowkit" / "youtube" / "client.json"
    client.parent.mkdir(parents=True)
    uris = {"auth_uri": f"{youtube.url}/auth", "token_uri": f"{youtube.url}/token"}
    config = {"client_id": "mine.apps", "client_secret": "no secret", **uris}
    client.write_text(
        json.dumps({"installed": {**config, "redirect_uris": ["http://localhost"]}}),
        encoding="utf-8",
    )
    arguments = ("login", "--channel", "mine", "--captions", "--no-browser")
    process, _ = await command(library, *arguments, **env)
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    address = line.split("agree: ")[1].strip()
    await asyncio.to_thread(_agree, address)
    out, errors = await process.communicate()
    assert process.returncode == 0, errors
    assert "Signed in: mine (Stand-in channel), UCstandin" in out.decode()
    assert "films, captions, playlists" in out.decode()
    _, listed, _ = await run(library, "channels", **env)
    assert listed.startswith("mine (Stand-in channel)")
    kept = json.loads(next(client.parent.glob("keys/*.json")).read_text(encoding="utf-8"))
    said = line + out.decode() + errors.decode() + listed
    for secret in (kept["token"], kept["refresh_token"], kept["client_secret"]):
        assert secret not in said
    code, out, _ = await run(library, "logout", **env)
    assert (code, out) == (0, "Signed out: mine\n")
    assert youtube.revoked == [kept["refresh_token"]]
    code, _, errors = await run(library, "logout", **env)
    assert (code, errors.startswith("NOT_FOUND: no YouTube channel")) == (1, True)


def _agree(address: str) -> None:
    with urllib.request.urlopen(f"{address}&agree=1") as page:
        assert b"signed in" in page.read()


async def test_without_a_client_of_ones_own_five_steps_are_told(tmp_path: Path) -> None:
    code, _, errors = await run(tmp_path, "login")
    assert code == 1
    assert errors.startswith("INVALID_SETTING: there is no OAuth client yet. ")
    assert all(f"\n{step}. " in errors for step in range(1, 6))


async def test_what_became_of_films_is_asked_and_told(publishing: PublishWorld) -> None:
    await publishing.run()
    (video,) = publishing.youtube.videos.values()
    video.refusal = ("rejected", "duplicate")
    library, url = publishing.kit.settings.library, publishing.youtube.url
    _, out, _ = await run(library, "status", FLOWKIT_YOUTUBE=url)
    assert f"The lamp  {url}/watch/{video.id}  private, Stand-in channel" in out
    assert "YouTube has rejected it (duplicate)" in out
    row = (await publishing.video.publications())[0]
    assert row.processing == "rejected", "and it is remembered"


async def test_an_address_elsewhere_is_refused(tmp_path: Path) -> None:
    code, _, errors = await run(tmp_path, "channels", FLOWKIT_YOUTUBE="http://youtube.evil.example")
    assert (code, "FLOWKIT_YOUTUBE" in errors) == (1, True)
