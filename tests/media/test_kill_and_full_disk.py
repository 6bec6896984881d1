"""A merge killed at every step, an ffmpeg killed under it, a disk that is full at every size."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from coded import code, coded_clip, read_codes
from film_checks import picture_times, sound_samples

from flowkit_mcp.domain.cut import Cut, Join, JoinKind
from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.files import MediaStore
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.run import run_ffmpeg

pytestmark = [
    pytest.mark.media,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and limits as POSIX has them"),
]

CHILD = Path(__file__).with_name("merge_child.py")
FRAMES = 48
CROSS = Cut(join=Join(kind=JoinKind.CROSSFADE, seconds=0.5))
ALIKE = Cut()
STAGES = ["encoding", "reading the sound", "mixing", "joining", "checking", "done"]


@pytest.fixture(scope="module")
def clips(ffmpeg, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [coded_clip(ffmpeg, folder / f"{n}.mp4", n, FRAMES) for n in (1, 2, 3)]


def run(clips, film, *, cut=CROSS, stage="-", size=0, scratch="-"):
    argv = [sys.executable, str(CHILD), str(film), str(scratch), stage, str(size)]
    argv += [cut.model_dump_json(), *map(str, clips)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=150)


def seen(folder):
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def is_right(film, cut=CROSS):
    over = 12 if cut is CROSS else 0
    frames = 3 * FRAMES - 2 * over
    assert picture_times(film) == [frame * 512 for frame in range(frames)]
    assert sound_samples(film) == frames * 2000
    shown = read_codes(film)
    assert shown[: FRAMES - over] == [code(1, frame) for frame in range(FRAMES - over)]
    assert shown[frames - FRAMES + over :] == [code(3, frame) for frame in range(over, FRAMES)]


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_merge_leaves_no_half_film_and_the_next_one_makes_it_whole(clips, tmp_path, stage):
    library, scratch = tmp_path / "library", tmp_path / "library" / ".flowkit" / "job-1"
    library.mkdir()
    film = library / "film.mp4"
    killed = run(clips, film, stage=stage, scratch=scratch)
    assert killed.returncode == -signal.SIGKILL
    made_before = film.exists()
    assert made_before == (stage == "done")
    if made_before:
        is_right(film)
        return
    assert seen(library) == []
    again = run(clips, film, scratch=scratch)
    assert again.stdout.startswith("made:"), again
    is_right(film)
    assert seen(library) == ["film.mp4"]
    assert not scratch.exists()


@pytest.mark.parametrize("stage", ["encoding", "mixing", "joining"])
def test_what_a_killed_merge_left_beside_the_film_is_swept_by_the_next_start(
    clips, tmp_path, stage
):
    film = tmp_path / "film.mp4"
    assert run(clips, film, stage=stage).returncode == -signal.SIGKILL
    assert not film.exists()
    assert MediaStore(tmp_path).sweep_parts() == 1
    assert list(tmp_path.iterdir()) == []


def running(word):
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux does")
def test_the_encoder_of_a_killed_server_ends_with_it(ffmpeg, tmp_path):
    mark = f"comment={tmp_path.name}-{os.getpid()}"
    child = (
        "import asyncio, os, sys\n"
        "from flowkit_mcp.media.run import run_ffmpeg\n"
        "argv = [sys.argv[1], '-re', '-f', 'lavfi', '-i', 'testsrc2=size=64x64']\n"
        "argv += ['-metadata', sys.argv[2], '-f', 'null', '-']\n"
        "asyncio.run(run_ffmpeg(argv, frames=99999, progress=lambda share: os.kill(os.getpid(), 9)))\n"
    )
    argv = [sys.executable, "-c", child, str(ffmpeg), mark]
    ended = subprocess.run(argv, capture_output=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended
    until = time.monotonic() + 20
    while running(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert running(mark) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux does")
async def test_encoders_let_everything_else_go_first(ffmpeg, tmp_path):
    mark = f"comment={tmp_path.name}-{os.getpid()}"
    found = asyncio.get_running_loop().create_future()

    def look(share):
        if not found.done():
            (pid,) = running(mark)
            threads = [int(one.name) for one in Path(f"/proc/{pid}/task").iterdir()]
            found.set_result({os.getpriority(os.PRIO_PROCESS, thread) for thread in threads})

    argv = [str(ffmpeg), "-re", "-f", "lavfi", "-i", "testsrc2=size=64x64", "-metadata", mark]
    argv += ["-f", "null", "-"]
    endless = asyncio.create_task(run_ffmpeg(argv, frames=10**9, progress=look))
    await asyncio.wait({endless, found}, return_when="FIRST_COMPLETED")
    endless.cancel()
    await asyncio.wait({endless})
    assert found.result() == {os.getpriority(os.PRIO_PROCESS, 0) + 5}


async def test_an_encoder_that_is_killed_fails_the_merge_and_nothing_stays(clips, tmp_path, ffmpeg):
    stub = tmp_path / "ffmpeg"
    # Half of a piece and then a death, as the kernel gives it to the largest process.
    stub.write_text(
        f'#!/bin/sh\n"{ffmpeg}" "$@" &\nsleep 0.05\nkill -9 $!\nkill -9 $$\n', encoding="utf-8"
    )
    stub.chmod(0o755)
    out = tmp_path / "out"
    with pytest.raises(MediaError, match="ended by signal 9"):
        await merge(clips, out / "film.mp4", ffmpeg=stub, cut=CROSS)
    assert list(out.iterdir()) == []


async def test_an_encoder_that_says_all_is_well_is_not_believed(clips, tmp_path, ffmpeg):
    stub = tmp_path / "ffmpeg"
    # As ffmpeg does on SIGTERM or a full disk: a shorter file, status 0.
    stub.write_text(
        f'#!/bin/sh\nfor last; do :; done\n"{ffmpeg}" -v error -nostdin -f lavfi -i '
        'testsrc2=size=240x136:rate=24 -frames:v 3 -c:v libx264 -f mp4 -y "$last"\n'
        'for n in "$@"; do case "$n" in file:*.part*) out="$n";; esac; done\n'
        f'"{ffmpeg}" -v error -nostdin -f lavfi -i testsrc2=size=240x136:rate=24 -frames:v 3 '
        '-c:v libx264 -f mp4 -y "$out"\nexit 0\n',
        encoding="utf-8",
    )
    stub.chmod(0o755)
    out = tmp_path / "out"
    with pytest.raises(MediaError, match=r"gave 3 frames instead of"):
        await merge(clips, out / "film.mp4", ffmpeg=stub, cut=CROSS)
    assert list(out.iterdir()) == []


def sizes(whole):
    """Places to stop at: at once, in the pieces and the sound's spool, in the film, in its last bytes."""
    shares = (0.02, 0.2, 0.5, 0.8, 0.95)
    return [1, *(int(whole * share) for share in shares), whole - 2_000, whole - 1]


@pytest.mark.parametrize("cut", [ALIKE, CROSS], ids=["alike", "crossfades"])
def test_a_disk_full_at_any_moment_is_said_and_leaves_nothing(clips, tmp_path, cut):
    whole = tmp_path / "whole" / "film.mp4"
    assert run(clips, whole, cut=cut).stdout.startswith("made:")
    largest = max(whole.stat().st_size, 2 * FRAMES * 2000 * 4)  # a clip's sound as it is spooled
    refused: list[int] = []
    for size in sizes(largest):
        out = tmp_path / f"out-{size}"
        ended = run(clips, out / "film.mp4", cut=cut, size=size)
        if ended.stdout.startswith("made:"):
            is_right(out / "film.mp4", cut)
            continue
        assert ended.stdout.startswith("refused: "), (size, ended)
        refused.append(size)
        assert "disk" in ended.stdout or "cannot be written" in ended.stdout, ended.stdout
        assert not out.exists() or list(out.iterdir()) == []
    # where the limit bites it bites at every size below, and the first byte is always too many
    assert refused == sizes(largest)[: len(refused)] and len(refused) >= 3, refused


def test_a_folder_that_cannot_be_written_is_named(clips, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    ended = run(clips, tmp_path / "file" / "film.mp4")
    assert ended.stdout.startswith("refused: "), ended
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"
