"""Calls of Google's blocking client in threads of their own, which a cancel or a pause can cut."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import Job
from flowkit_mcp.errors import NotFound, PublishNeedsPerson
from flowkit_mcp.publish.auth import SignIns, signins_of
from flowkit_mcp.publish.client import hang_up
from flowkit_mcp.publish.upload import Stop
from flowkit_mcp.store import jobs, publications
from flowkit_mcp.work.publish_answers import PAUSING
from flowkit_mcp.work.workshop import Workshop

REPORT_EVERY_S = 0.5
#: A call that is told to stop has so long to end. What it sends of the film is cut at once; any other request has so
#: long to be answered: a session that was opened, or a film in a playlist, must be known of.
STOP_S, ANSWER_S, CUT_EVERY_S = 5.0, 4.0, 0.1
#: Steps are shown as done with the last few hundredths.
SENT_SHARE = 0.97

T = TypeVar("T")


class Line:
    """The line to YouTube, for one call after the other."""

    def __init__(self, workshop: Workshop, settings: Settings) -> None:
        self._shop = workshop
        self._settings = settings

    async def call(
        self,
        channel_id: str,
        work: Callable[[Any, Stop], T],
        *,
        watch: tuple[Job, Gauge] | None = None,
    ) -> T:
        """Run `work` with the channel's client in a thread of its own, which a cancel or a pause ends."""
        stop = Stop()
        lines: list[Any] = []
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()

        def run() -> None:
            try:
                signins = signins_of(self._settings)
                with _client(signins, channel_id, self._shop.clock.now()) as youtube:
                    lines.append(youtube)
                    made = work(youtube, stop)
            except BaseException as error:
                _tell(loop, outcome, error=error)
            else:
                _tell(loop, outcome, made=made)

        # a daemon, since a send to a dead network may outlive this process's patience
        threading.Thread(target=run, name="youtube", daemon=True).start()
        try:
            while not outcome.done():
                await asyncio.wait({outcome}, timeout=REPORT_EVERY_S)
                if watch is not None and await self._report(*watch):
                    await _end(outcome, stop, lines)
            return outcome.result()
        except BaseException:
            await _end(outcome, stop, lines)
            if outcome.done():
                outcome.exception()  # seen, so that asyncio does not report it as lost
            raise

    async def _report(self, job: Job, gauge: Gauge) -> bool:
        """Write down how far it is; whether the person wants it to pause."""
        told = gauge.told()
        if told is not None:
            async with self._shop.db.transaction() as tx:
                await publications.set_progress(tx, job.id, self._shop.generation, *told)
        return (await jobs.job(self._shop.db, job.id)).reason == PAUSING


def _client(signins: SignIns, channel_id: str, now: int) -> Any:
    """The client of the channel that was agreed to. Raises PublishNeedsPerson."""
    try:
        channel = signins.channel(channel_id)
    except NotFound as error:
        raise PublishNeedsPerson(error.message, hint="Run: flowkit-mcp youtube login") from None
    return signins.youtube(channel, now)


async def _end(outcome: asyncio.Future[Any], stop: Stop, lines: list[Any]) -> None:
    """Tell the thread to stop, and wait until it has or `STOP_S` are over."""
    stop.set()
    now = asyncio.get_running_loop().time
    told = now()
    while not outcome.done() and now() - told < STOP_S:
        if stop.sending or now() - told >= ANSWER_S:
            for youtube in lines:  # each time: the library opens its line once more when it breaks
                hang_up(youtube)
        await asyncio.wait({outcome}, timeout=CUT_EVERY_S)


def _tell(
    loop: asyncio.AbstractEventLoop,
    outcome: asyncio.Future[Any],
    *,
    made: Any = None,
    error: BaseException | None = None,
) -> None:
    def settle() -> None:
        if outcome.done():
            return
        if error is None:
            outcome.set_result(made)
        else:
            outcome.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


class Gauge:
    """How far a transfer is, and how long it still takes at the speed of this run."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._begun: tuple[int, int] | None = None
        self._at = (0, 0, 0)
        self._shown: tuple[int, int, int] | None = None

    def note(self, sent: int, size: int) -> None:
        """Called in the thread of the transfer."""
        now = self._now()
        if self._begun is None:
            self._begun = (now, sent)
        self._at = (now, sent, size)

    def told(self) -> tuple[float, str] | None:
        """Share and words; None if nothing is new."""
        at = self._at
        if self._begun is None or at == self._shown:
            return None
        self._shown = at
        now, sent, size = at
        text = f"{sent / 1e6:.1f} of {size / 1e6:.1f} MB sent"
        took, done = now - self._begun[0], sent - self._begun[1]
        if took > 0 and done > 0 and sent < size:
            text += f", about {(size - sent) * took / done / 1000:.0f} s left"
        return SENT_SHARE * sent / max(1, size), text
