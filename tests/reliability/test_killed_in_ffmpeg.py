"""A real stdio server is killed while its ffmpeg runs: ffmpeg does not live on, and the next server ends the film."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import av
import pytest
from e2e.demo_run import alive, flowkit
from fake_provider import FakeProvider
from mcp import Client, StdioServerParameters
from tally import TALLY
from work.film import account_seen, good

from flowkit_mcp import FlowKit, Orientation, Project, Settings
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

H = Orientation.HORIZONTAL
PATIENCE_S = 60.0
CUT = {"video": "Harbour", "join": "crossfade", "options": {"join": {"seconds": 0.25}}}
#: The real ffmpeg, so slow that it is still at work when it is looked for.
SLOW = """#!/bin/sh
case "$*" in *-progress*) echo $$ > "{pid}.new"; mv "{pid}.new" "{pid}"; exec "{ffmpeg}" -readrate 0.005 "$@" ;; esac
exec "{ffmpeg}" "$@"
"""


async def test_a_server_killed_in_the_middle_of_ffmpeg_leaves_nothing_running_and_the_next_ends_the_film(
    tmp_path: Path,
) -> None:
    ffmpeg = shutil.which("ffmpeg")
    assert ffmpeg is not None
    library, pid_file, slow = tmp_path / "library", tmp_path / "ffmpeg.pid", tmp_path / "slow"
    await _clips(library)
    before = _media(library)
    slow.write_text(SLOW.format(pid=pid_file, ffmpeg=ffmpeg), encoding="utf-8")
    slow.chmod(0o755)

    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(_server(library, slow))
        job = (await _call(client, "merge", **CUT))["jobs"][0]["job"]
        await _until(pid_file.exists)
        encoder = int(pid_file.read_text(encoding="utf-8"))
        assert alive(encoder) and _media(library) == before
        os.kill(await _leader(library), signal.SIGKILL)
        TALLY.add(kills=1)
        await _until(lambda: not alive(encoder))
    assert _media(library) == before, "no half film under a name that a person sees"

    async with _server(library, Path(ffmpeg)) as client:
        told = await _call(client, "wait", jobs=[job])
        assert told["jobs"][0]["state"] == "succeeded", told
    (film,) = _media(library) - before
    with av.open(film) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        frames = [frame.pts for frame in container.decode(picture)]
        assert len(frames) == 2 * 12 - 6 and frames == sorted(set(frames))
        assert sound.duration is not None and sound.time_base is not None
        assert float(sound.duration * sound.time_base) == pytest.approx(len(frames) / 24, abs=0.03)
    scratch = library / ".flowkit" / "scratch"
    assert not scratch.exists() or not list(scratch.iterdir())


async def _clips(library: Path) -> None:
    """Two scenes with a clip of half a second each, and nobody at work any more."""
    settings = Settings(library=library, port=free_ports(1)[0])
    async with FlowKit.open(settings, provider=FakeProvider()) as kit:
        await account_seen(kit)
        video = await (await Project.create(kit, "Harbour")).add_video("Harbour", orientation=H)
        for what in ("A harbour at dawn", "The harbour wakes"):
            scene = await video.add_scene(what)
            good(await scene.execute_generate_image(H))
            good(await scene.execute_generate_video(H))


@asynccontextmanager
async def _server(library: Path, ffmpeg: Path) -> AsyncGenerator[Client]:
    server = StdioServerParameters(
        command=sys.executable,
        args=flowkit("serve")[1:],
        env={
            "FLOWKIT_LIBRARY": str(library),
            "FLOWKIT_PORT": str(free_ports(1)[0]),
            "FLOWKIT_FFMPEG": str(ffmpeg),
        },
    )
    async with Client(server) as client:
        yield client


async def _call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content or {}


async def _leader(library: Path) -> int:
    settings = Settings(library=library)
    async with Database.open(settings.database) as db:
        leader = await operations.leader(db)
    assert leader is not None
    return leader.pid


def _media(library: Path) -> set[Path]:
    files = (file for file in library.rglob("*") if file.is_file())
    return {
        file
        for file in files
        if not any(p.startswith(".") for p in file.relative_to(library).parts)
    }


async def _until(true: Any) -> None:
    """Another process makes it so; no event of ours can tell."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)
