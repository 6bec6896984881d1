"""An upload killed with SIGKILL at eleven points: the next process goes on, and there is one video, byte for byte."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
from pathlib import Path

import pytest
from tally import TALLY

from flowkit_mcp.simulator.youtube import LocalYouTube

pytestmark = pytest.mark.crash
CHILD = Path(__file__).with_name("upload_child.py")
SIZE = 5 * (512 << 10) + 999  # six chunks


@pytest.mark.parametrize(
    ("step", "nth", "lost_reply"),
    [
        ("channels", 1, False),
        ("open", 1, False),
        ("open", 1, True),
        ("status", 1, False),
        ("chunk", 1, False),
        ("chunk", 2, True),
        ("chunk", 3, False),
        ("chunk", 5, False),
        ("chunk", 6, False),
        ("chunk", 6, True),
    ],
)
async def test_killed_in_an_upload_the_next_process_ends_it_with_one_video(
    tmp_path: Path, step: str, nth: int, lost_reply: bool
) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(random.Random(nth).randbytes(SIZE))
    async with LocalYouTube.run(tmp_path / "youtube") as youtube:
        child = await start(tmp_path, youtube)
        killed: list[str] = []

        def kill(at: str) -> None:
            if at == step and youtube.calls[step] == nth and not killed:
                killed.append(at)
                child.kill()

        youtube.before = kill
        if lost_reply:  # what arrived counts, and nobody hears of it
            for _ in range(nth - 1):
                youtube.fault("slow", at=step)
            youtube.slow_s = 0
            youtube.fault("drop_reply", at=step)
        assert await child.wait() != 0
        assert killed == [step]
        TALLY.add(kills=1)
        again = await start(tmp_path, youtube)
        out, _ = await again.communicate()
        assert again.returncode == 0
        (video,) = youtube.videos.values()
        assert out.decode().strip() == video.id
        assert video.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
        assert youtube.received <= SIZE + (512 << 10)


async def test_a_session_that_a_kill_kept_it_from_hearing_of_stays_without_a_byte(
    tmp_path: Path,
) -> None:
    """Nobody can know its address, so a second one is opened: only one of them makes a video."""
    (tmp_path / "film.mp4").write_bytes(random.Random(0).randbytes(SIZE))
    async with LocalYouTube.run(tmp_path / "youtube") as youtube:
        child = await start(tmp_path, youtube)
        youtube.before = lambda step: child.kill() if youtube.sessions else None
        assert await child.wait() != 0
        youtube.before = lambda step: None
        TALLY.add(kills=1)
        assert await (await start(tmp_path, youtube)).wait() == 0
        lost, used = youtube.sessions.values()
        assert (lost.received, lost.video_id) == (0, None)
        assert list(youtube.videos) == [used.video_id]


async def start(folder: Path, youtube: LocalYouTube) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), str(folder), youtube.url, stdout=asyncio.subprocess.PIPE
    )
