"""Runs ffmpeg: progress, cancelling, a time limit, and no child left behind.

It owns processes and nothing else: what is run is compiled in `graph.py`, and whether the outcome is
right is checked by the caller, because ffmpeg's exit status proves nothing (media.md §0.6).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import MediaError

Progress = Callable[[float], None]

_TAIL = 4096
_NICE = 5
_GRACE_S = 3.0  # ffmpeg ends within 1 s of SIGINT (media.md §5)


async def run_ffmpeg(
    argv: Sequence[str],
    *,
    frames: int | None = None,
    progress: Progress | None = None,
    limit_s: float = 3600.0,
    cwd: Path | None = None,
) -> str:
    """Run ffmpeg to its end; cancelling the task ends it and its children within 3 s.

    Args:
        argv: the program and its arguments, as `graph.compile_argv` gives them.
        frames: how many frames the output will have, for `progress`.
        progress: called with the share done, 0 to 1, rising.
        limit_s: wall-clock seconds after which it is killed.
        cwd: where relative names of our own temporary files are looked up.

    Returns:
        What it said on stderr (warnings at most).

    Raises:
        MediaError: it could not start, failed, or took longer than `limit_s`.
    """
    program, *rest = argv
    command = [
        program,
        *("-nostdin", "-hide_banner", "-v", "error"),
        *("-nostats", "-stats_period", "0.2", "-progress", "pipe:1"),
        *rest,
    ]
    async with _process(command, cwd) as process:
        assert process.stdout is not None and process.stderr is not None
        tail = asyncio.create_task(_last_of(process.stderr))
        try:
            async with asyncio.timeout(limit_s):
                await _follow(process.stdout, frames, progress)
                status = await process.wait()
                said = await tail
        except TimeoutError as error:
            raise MediaError(f"ffmpeg was not done after {limit_s:.0f} s and was ended") from error
        finally:
            tail.cancel()
    if status < 0:
        raise MediaError(
            f"ffmpeg was ended by signal {-status} ({signal.strsignal(-status)})",
            hint="If the machine ran out of memory or disk, make room, then try again.",
        )
    if status != 0:
        raise MediaError(f"ffmpeg failed with status {status}: {said or 'it gave no reason'}")
    return said


async def output_of(argv: Sequence[str], *, limit_s: float = 20.0) -> str:
    """What a short command prints on stdout.

    Raises:
        MediaError: it could not start, failed, or took longer than `limit_s`.
    """
    async with _process(argv, None) as process:
        try:
            async with asyncio.timeout(limit_s):
                printed, said = await process.communicate()
        except TimeoutError as error:
            raise MediaError(f"{argv[0]} did not answer within {limit_s:.0f} s") from error
    if process.returncode != 0:
        raise MediaError(f"{argv[0]} failed: {said[-_TAIL:].decode(errors='replace').strip()}")
    return printed.decode(errors="replace")


async def _follow(
    stdout: asyncio.StreamReader, frames: int | None, progress: Progress | None
) -> None:
    """Read `key=value` lines until ffmpeg closes stdout."""
    best = 0.0
    while line := await stdout.readline():
        key, _, value = line.decode(errors="replace").strip().partition("=")
        if key != "frame" or not frames or progress is None or not value.strip().isdigit():
            continue
        done = min(1.0, int(value) / frames)
        if done > best:
            best = done
            progress(done)


async def _last_of(stream: asyncio.StreamReader) -> str:
    """Drain a stream, so that the child never blocks on it, and keep its end."""
    kept = b""
    while part := await stream.read(_TAIL):
        kept = (kept + part)[-_TAIL:]
    return kept.decode(errors="replace").strip()


@contextlib.asynccontextmanager
async def _process(
    command: Sequence[str], cwd: Path | None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A child of its own process group that is gone when the block is left, however it is left."""
    # Never inherit stdin: it is the JSON-RPC stream, and ffmpeg reads commands from it (media.md §5).
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "cwd": cwd}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        options["creationflags"] = flags
    else:
        options["start_new_session"] = True
        if sys.platform == "linux":
            options["preexec_fn"] = _stepping_back_and_dying_with(os.getpid())
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
        )
    except OSError as error:
        raise MediaError(
            f"{command[0]} does not start: {error.strerror or error}",
            hint="Set FLOWKIT_FFMPEG to a working ffmpeg, then run flowkit-mcp doctor.",
        ) from error

    if sys.platform not in ("win32", "linux"):
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _NICE)

    def kill_now() -> None:
        _signal(process, hard=True)

    atexit.register(kill_now)
    try:
        yield process
    finally:
        try:
            await _end(process)
        finally:
            atexit.unregister(kill_now)


def _stepping_back_and_dying_with(parent: int) -> Callable[[], None]:
    """Run in a new child: the kernel ends it with us, also when we are killed and can end nothing.

    Without that ffmpeg would go on writing what the next start takes for its own. Whatever the person does on this
    machine goes first: asked for here, as Linux counts by thread, and ffmpeg soon has many.
    """
    import ctypes  # late: Linux only

    prctl = ctypes.CDLL(None).prctl

    def child() -> None:
        prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)  # we were killed before it was asked for
        os.nice(_NICE)

    return child


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the group to stop, then insist; the child is reaped even if this task is cancelled again."""
    if process.returncode is not None:
        return
    _signal(process, hard=False)
    ended = asyncio.ensure_future(process.communicate())
    try:
        # not asyncio.timeout: before 3.11.3 it misfires in a task that is being cancelled (gh-102780)
        await asyncio.wait({ended}, timeout=_GRACE_S)
        if not ended.done():
            _signal(process, hard=True)
        await ended
    except asyncio.CancelledError:
        _signal(process, hard=True)
        raise


def _signal(process: asyncio.subprocess.Process, *, hard: bool) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL if hard else signal.SIGINT)
