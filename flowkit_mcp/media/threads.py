"""Blocking media work in a thread that a cancelled task waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class Stopped(Exception):
    """Raised inside the thread when its task was cancelled; never seen by callers."""


class Stop:
    """Tells the thread to end; `check` is called between packets."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def check(self) -> None:
        if self._event.is_set():
            raise Stopped


async def in_thread(work: Callable[[Stop], _T]) -> _T:
    """Run `work` in a thread; on cancellation tell it to stop and leave only when it has.

    Without that wait the thread could still be writing a file the caller is about to remove.
    """
    stop = Stop()
    thread = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.set()
        while not thread.done():
            try:
                await asyncio.wait([thread])
            except asyncio.CancelledError:
                continue  # asked twice; the thread is already ending
        if not thread.cancelled():
            thread.exception()  # seen, so that asyncio does not report it as lost
        raise
