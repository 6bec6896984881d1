"""Ending in good order: signals that stop a command, and children whose life hangs on their parent's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130


def run(main: Coroutine[Any, Any, int]) -> int:
    """Run to the end or until Ctrl-C or SIGTERM, which cancel it and let it clean up; its exit code."""

    async def watched() -> int:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(main)

        def stop() -> None:
            if not task.cancelling():  # a second Ctrl-C must not cut the cleaning up short
                task.cancel()

        if sys.platform != "win32":  # there is KeyboardInterrupt alone
            loop.add_signal_handler(signal.SIGINT, stop)
            loop.add_signal_handler(signal.SIGTERM, stop)
        try:
            return await task
        except asyncio.CancelledError:
            return INTERRUPTED

    try:
        return asyncio.run(watched())
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def child(arguments: Sequence[str], env: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """`flowkit-mcp <arguments>` as a child that sees end-of-file on stdin when this process is gone.

    However this process dies, the pipe closes with it. What the child says goes to our stderr.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "flowkit_mcp", *arguments],
        stdin=subprocess.PIPE,
        stdout=sys.stderr.fileno(),
        env=os.environ | env,
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def parent_gone() -> None:
    """Returns when stdin ends, which for such a child means that its parent is gone."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()

    def read() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(gone.set)

    # A daemon, because nothing can interrupt a thread that waits in read().
    threading.Thread(target=read, name="parent", daemon=True).start()
    await gone.wait()
