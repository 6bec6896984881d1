"""What the leader does beside the work: a copy of the database each day, old history pruned, lost files fetched.

Nothing here may end a term: what goes wrong is logged and tried again later.
"""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from flowkit_mcp.store import jobs, operations
from flowkit_mcp.work.restore import Restorer
from flowkit_mcp.work.workshop import Workshop, log

T = TypeVar("T")

EVERY_S = 3600.0
KEPT_COPIES = 7
KEPT_EVENTS_MS = 90 * 24 * 3600 * 1000


class Upkeep:
    """Runs beside the worker of one term."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._restorer = Restorer(workshop)
        self._seen = asyncio.Event()

    def account_seen(self) -> None:
        """The provider has just answered, so it may be asked for what is missing."""
        self._seen.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tidy())
            group.create_task(self._fetch())

    async def _tidy(self) -> None:
        while True:
            await self._try("copy the database", self.copy_of_today)
            await self._try("prune the history", self.prune)
            await asyncio.sleep(EVERY_S)

    async def _fetch(self) -> None:
        while True:
            await self._seen.wait()
            self._seen.clear()
            if await self._try("fetch missing files", self.fetch_missing) is not None:
                await asyncio.sleep(EVERY_S)

    async def fetch_missing(self) -> int | None:
        """How many files came home; None: Flow may not be asked now, not even for what is free and in nobody's way."""
        return await self._restorer.in_use(self._may_ask) if await self._may_ask() else None

    async def _may_ask(self) -> bool:
        now = self._shop.clock.now()
        states = {s.provider: s for s in await operations.provider_states(self._shop.db)}
        return all(
            provider.connected
            and (state := states.get(provider.name)) is not None
            and not state.closed(now)
            for provider in self._shop.providers.values()
        )

    async def copy_of_today(self) -> Path | None:
        """One sound copy a day, of a library that was worked in; the newest are kept. None: there is one already."""
        shop = self._shop
        today = datetime.datetime.fromtimestamp(shop.clock.now() / 1000).date()
        copy = shop.db.path.with_name(f"backup-{today.isoformat()}.db")
        if copy.exists() or not await jobs.count_by_state(shop.db):
            return None
        if (verdict := await shop.db.quick_check()) != "ok":
            log.error("the database is damaged, so the copies stay as they are: %s", verdict)
            return None
        await shop.db.backup(copy)
        daily = sorted(copy.parent.glob("backup-[0-9]*-[0-9]*-[0-9]*.db"))
        for old in [file for file in daily if file != copy][: -(KEPT_COPIES - 1)]:
            old.unlink(missing_ok=True)
        return copy

    async def prune(self) -> int:
        """Events of jobs that ended three months ago; the ledger stays for ever."""
        async with self._shop.db.transaction() as tx:
            return await jobs.prune_events(tx, self._shop.clock.now() - KEPT_EVENTS_MS)

    @staticmethod
    async def _try(what: str, work: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await work()
        except Exception:
            log.exception("could not %s; it is tried again later", what)
            return None
