"""An event loop whose hours pass in seconds: when nothing is left to do but wait, its clock jumps to the next timer.

What runs in a thread (SQLite, files) takes no time of this clock, and it never jumps while such a call is under way.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import aiosqlite
import pytest
from anyio._backends._asyncio import AsyncIOBackend

from flowkit_mcp.clock import Clock

T = TypeVar("T")
#: Bytes in the queue that are not sent yet, of linux/sockios.h.
SIOCOUTQNSD = 0x894B


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Does not wait, unless a thread is at work, bytes are on their way or something outside the loop must answer."""

    jumped = 0.0
    in_threads = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        while not ready and timeout != 0:
            if self.in_threads == 0 and timeout is not None and not self._bytes_under_way():
                ready = super().select(0)  # what has arrived while we asked
                if not ready:
                    self.jumped += timeout
                return ready
            ready = super().select(0.001 if self.in_threads == 0 else 1.0)
        return ready

    def _bytes_under_way(self) -> bool:
        """Given to one of our sockets and not yet sent to the other end, which is ours, too."""
        return any(_unsent(key.fd) for key in self.get_map().values())


def _unsent(fd: int) -> int:
    if sys.platform != "linux":
        return 0
    import fcntl  # late: there is none on Windows

    try:
        return int.from_bytes(fcntl.ioctl(fd, SIOCOUTQNSD, b"\0\0\0\0"), sys.byteorder)
    except OSError:  # not a connection
        return 0


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual: only waiting takes any, so that a busy machine changes nothing."""

    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.jumped

    def run_in_executor(self, *args: Any) -> Any:
        self.selector.in_threads += 1
        future = super().run_in_executor(*args)
        future.add_done_callback(self._back)
        return future

    def _back(self, _: object) -> None:
        self.selector.in_threads -= 1


class VirtualClock(Clock):
    """Wall-clock time that goes with the loop's."""

    BEGIN_MS = 1_790_000_000_000

    def now(self) -> int:
        return self.BEGIN_MS + int(1000 * self.steady())

    def steady(self) -> float:
        return asyncio.get_running_loop().time()


def run(work: Callable[[], Coroutine[Any, Any, T]], patch: pytest.MonkeyPatch) -> T:
    """Run on a virtual loop; calls of aiosqlite and anyio count as threads at work."""
    loop = VirtualLoop()
    real = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, *args: Any, **more: Any) -> Any:
        loop.selector.in_threads += 1
        try:
            return await real(self, *args, **more)
        finally:
            loop.selector.in_threads -= 1

    by_anyio = AsyncIOBackend.run_sync_in_worker_thread

    async def counted_too(*args: Any, **more: Any) -> Any:
        loop.selector.in_threads += 1
        try:
            return await by_anyio(*args, **more)
        finally:
            loop.selector.in_threads -= 1

    patch.setattr(aiosqlite.Connection, "_execute", counted)
    patch.setattr(AsyncIOBackend, "run_sync_in_worker_thread", counted_too)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work())
