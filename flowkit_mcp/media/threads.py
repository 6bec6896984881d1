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


async def in_thread(work: Callable[[Stop], _T], *, undo: Callable[[_T], None] | None = None) -> _T:
    """Run `work` in a thread; on cancellation tell it to stop and leave only when it has.

    Without that wait the thread could still be writing a file the caller is about to remove. `undo` takes back, in the
    event loop's thread, what was done to its end although nobody waits for it any more.
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
        # asking for the exception also keeps asyncio from reporting it as lost
        if not thread.cancelled() and thread.exception() is None and undo is not None:
            undo(thread.result())
        raise
