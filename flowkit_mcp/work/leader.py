"""Who leads: campaign for the lock, lead until replaced or asked to resign, campaign again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Awaitable, Callable

from flowkit_mcp.clock import Clock
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock
from flowkit_mcp.store.migrate import migrate, newest, schema_version
from flowkit_mcp.work.workshop import Replaced, log

CAMPAIGN_EVERY_S = 0.5
HEARTBEAT_EVERY_S = 5.0
RESIGNED_PAUSE_S = 5.0
#: After a term that ended by itself; doubles while terms are short.
SHORTEST_REST_S, LONGEST_REST_S = 1.0, 30.0
SHORT_TERM_S = 60.0

Lead = Callable[[int, asyncio.Event], Awaitable[None]]


class Leadership:
    """Runs as long as the process lives. `lead(generation, stop)` does the work until `stop` is set."""

    def __init__(
        self, db: Database, clock: Clock, lock: LeaderLock, version: str, lead: Lead
    ) -> None:
        self._db = db
        self._clock = clock
        self._lock = lock
        self._version = version
        self._lead = lead
        self.generation: int | None = None

    async def run(self) -> None:
        """Until cancelled. The lock is released on the way out."""
        loop = asyncio.get_running_loop()
        rest = SHORTEST_REST_S
        try:
            while True:
                await self._win()
                since = loop.time()
                try:
                    if await schema_version(self._db) > newest():
                        log.error(
                            "the library was updated by a newer FlowKit; this process only serves tools"
                        )
                        return
                    resigned = await self._term()
                except Exception:  # a locked database, a full disk: the next term may go well
                    log.exception("the term ended")
                    resigned = False
                self.generation = None
                self._lock.release()
                if loop.time() - since > SHORT_TERM_S:
                    rest = SHORTEST_REST_S
                await asyncio.sleep(RESIGNED_PAUSE_S if resigned else rest)
                rest = min(LONGEST_REST_S, 2 * rest)
        finally:
            self.generation = None
            self._lock.release()

    async def _win(self) -> None:
        while not self._lock.try_acquire():  # noqa: ASYNC110 - another process frees it; no event can say so
            await asyncio.sleep(CAMPAIGN_EVERY_S * random.uniform(0.8, 1.2))

    async def _term(self) -> bool:
        """One term of office; returns whether it ended because we were asked to resign."""
        await migrate(self._db)
        await self._db.take_checkpoints()
        async with self._db.transaction() as tx:
            generation = await operations.begin_leadership(
                tx, pid=os.getpid(), version=self._version, now=self._clock.now()
            )
        self.generation = generation
        log.info("leading, generation %d", generation)
        stop = asyncio.Event()
        work = asyncio.create_task(self._work(generation, stop))
        beat = asyncio.create_task(self._beat(generation))
        try:
            await asyncio.wait({work, beat}, return_when=asyncio.FIRST_COMPLETED)
            stop.set()
            await work
            return beat.done() and beat.result()
        finally:
            stop.set()
            for task in (beat, work):
                if not task.done():
                    task.cancel()
            await asyncio.gather(beat, work, return_exceptions=True)
            await self._db.take_checkpoints(False)

    async def _work(self, generation: int, stop: asyncio.Event) -> None:
        with contextlib.suppress(Replaced):
            await self._lead(generation, stop)

    async def _beat(self, generation: int) -> bool:
        """True: asked to resign. False: somebody else leads."""
        version = await self._db.version()
        while True:
            version = await self._db.changed(version, HEARTBEAT_EVERY_S)
            leader = await operations.leader(self._db)
            if leader is None or leader.generation != generation:
                return False
            if leader.resign_requested:
                log.info("asked to resign by a newer FlowKit")
                return True
            if abs(self._clock.now() - leader.heartbeat_at) >= 1000 * HEARTBEAT_EVERY_S:
                async with self._db.transaction() as tx:
                    await operations.heartbeat(tx, generation, self._clock.now())
