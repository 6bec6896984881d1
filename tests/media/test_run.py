from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.binaries import ENCODER, able, find_ffmpeg, lacking, version
from flowkit_mcp.media.run import run_ffmpeg

ENDLESS = ["-f", "lavfi", "-i", "testsrc2=size=64x64", "-f", "null", "-"]


async def test_progress_rises_to_the_end(ffmpeg):
    shares: list[float] = []
    argv = [str(ffmpeg), "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=24", "-frames:v", "48"]
    await run_ffmpeg([*argv, "-f", "null", "-"], frames=48, progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1.0


async def test_a_failure_carries_what_ffmpeg_said(ffmpeg):
    with pytest.raises(MediaError, match="no-such-filter"):
        await run_ffmpeg([str(ffmpeg), "-f", "lavfi", "-i", "no-such-filter", "-f", "null", "-"])


async def test_a_run_over_its_limit_is_ended(ffmpeg):
    with pytest.raises(MediaError, match="not done after"):
        await run_ffmpeg([str(ffmpeg), *ENDLESS], limit_s=0.3)


@pytest.mark.skipif(sys.platform == "win32", reason="looks at processes as POSIX does")
async def test_cancelling_ends_the_process(ffmpeg, tmp_path):
    started = asyncio.Event()
    task = asyncio.create_task(
        run_ffmpeg([str(ffmpeg), *ENDLESS], frames=10**9, progress=lambda share: started.set())
    )
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children_named("ffmpeg") == []


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
async def test_a_process_that_ignores_the_request_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("flowkit_mcp.media.run._GRACE_S", 0.2)
    stubborn = tmp_path / "stubborn"
    stubborn.write_text(
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "print('frame=1', flush=True)\ntime.sleep(600)\n",
        encoding="utf-8",
    )
    program = tmp_path / "ffmpeg"  # a first line cannot name an interpreter whose path has a space
    program.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{stubborn}'\n", encoding="utf-8")
    program.chmod(0o755)
    started = asyncio.Event()
    task = asyncio.create_task(
        run_ffmpeg([str(program)], frames=10, progress=lambda share: started.set())
    )
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children_named("stubborn") == []


async def test_ffmpeg_never_reads_our_stdin(ffmpeg):
    reading, writing = os.pipe()
    os.write(writing, b"q" * 500)
    saved = os.dup(0)
    os.dup2(reading, 0)
    try:
        argv = [str(ffmpeg), "-f", "lavfi", "-i", "testsrc2=size=64x64", "-frames:v", "5"]
        await run_ffmpeg([*argv, "-f", "null", "-"])
        assert os.read(0, 600) == b"q" * 500
    finally:
        os.dup2(saved, 0)
        for handle in (saved, reading, writing):
            os.close(handle)


async def test_a_program_that_does_not_start_says_so(tmp_path):
    with pytest.raises(MediaError, match="does not start"):
        await run_ffmpeg([str(tmp_path / "none")])


async def test_ffmpeg_is_found_and_knows_its_version(ffmpeg, tmp_path, monkeypatch):
    assert await version(ffmpeg)
    assert find_ffmpeg(ffmpeg) == ffmpeg
    with pytest.raises(InvalidSetting, match="ffmpeg"):
        find_ffmpeg(tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_ffmpeg().is_file()
    with pytest.raises(MediaError):
        await version(sys.executable)


def test_where_there_is_no_ffmpeg_at_all_it_is_said_what_to_install(tmp_path, monkeypatch):
    def none() -> str:
        raise RuntimeError("none")

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(MediaError, match="no ffmpeg") as told:
        find_ffmpeg()
    assert "Install ffmpeg" in str(told.value) and "FLOWKIT_FFMPEG" in str(told.value)


def children_named(word: str) -> list[int]:
    found: list[int] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid() and word in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except (OSError, IndexError):
            continue
    return found


async def test_what_an_ffmpeg_was_built_without_is_named(ffmpeg):
    assert await lacking(ffmpeg) == []
    assert await lacking(ffmpeg, ["no_such_coder"]) == ["encoder no_such_coder"]
    with pytest.raises(MediaError, match="lacks encoder no_such_coder"):
        await able(ffmpeg, ["no_such_coder"])


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
async def test_where_a_small_ffmpeg_lacks_something_the_one_that_is_brought_is_used(tmp_path):
    small = tmp_path / "ffmpeg"
    small.write_text("#!/bin/sh\necho ' T.. trim V->V cuts'\n", encoding="utf-8")
    small.chmod(0o755)
    assert "filter xfade" in await lacking(small)
    assert "imageio_ffmpeg" in str(await able(small, (ENCODER,)))
