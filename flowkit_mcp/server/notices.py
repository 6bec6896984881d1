"""Change notices: a client that listens to a resource is told when what it would read is different.

Nobody has to say that something changed: while somebody listens, the database is watched, and what is listened to is
read again after each change and compared. So changes by other processes are noticed as well, and a client is only
told of what it can see. While nobody listens nothing runs.

Two eras, two ways (mcp.md §1.3): 2026-07-28 opens a stream (`subscriptions/listen`, served by the SDK from a bus),
older clients subscribe to one address after another.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from typing import Any, cast

from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourcesListChanged, ResourceUpdated

from flowkit_mcp.app import FlowKit

#: At most this often what is listened to is read again, however much is written.
PAUSE_S = 0.25
#: Stands for the list of resources among the addresses.
LIST = "resources/list"
log = logging.getLogger("flowkit.server")

Look = Callable[[FlowKit, str], Awaitable[str | bytes | None]]
Tell = Callable[[str], Awaitable[None]]


class Notices:
    """Who listens to what, and the task that watches for them.

    `look` gives what a client would read now, None if there is nothing.
    """

    def __init__(self, look: Look) -> None:
        self.bus = InMemorySubscriptionBus()
        self._look = look
        self._wanted: Counter[str] = Counter()
        self._seen: dict[str, bytes | None] = {}
        self._subscribed: dict[int, dict[str, Tell]] = {}
        self._watching: asyncio.Task[None] | None = None

    @property
    def watching(self) -> bool:
        """Whether the database is being watched."""
        return self._watching is not None and not self._watching.done()

    @asynccontextmanager
    async def listening(self, kit: FlowKit, addresses: Iterable[str]) -> AsyncGenerator[None]:
        """While this is open, changes of these addresses are published on the bus."""
        with ExitStack() as wanted:
            for address in dict.fromkeys(addresses):
                await self._want(kit, address)
                wanted.callback(self._drop, address)
            yield

    async def subscribe(self, kit: FlowKit, connection: int, address: str, tell: Tell) -> None:
        """An older client wants to be told; once is enough for each address."""
        mine = self._subscribed.setdefault(connection, {})
        if address not in mine:
            await self._want(kit, address)
        mine[address] = tell

    def unsubscribe(self, connection: int, address: str | None = None) -> None:
        """The client does not care for this address any more, or is gone (`None`: for all of them)."""
        mine = self._subscribed.get(connection, {})
        for one in [address] if address is not None else list(mine):
            if mine.pop(one, None) is not None:
                self._drop(one)
        if not mine:
            self._subscribed.pop(connection, None)

    async def aclose(self) -> None:
        """Stop watching; the library is about to be closed."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    # ---- watching ----------------------------------------------------------------------------

    async def _want(self, kit: FlowKit, address: str) -> None:
        self._wanted[address] += 1
        try:
            if address not in self._seen:
                self._seen[address] = await self._digest(kit, address)
        except BaseException:  # also who leaves in the middle is not listened for
            self._drop(address)
            raise
        if not self.watching:
            self._watching = asyncio.create_task(self._watch(kit), name="notices")

    def _drop(self, address: str) -> None:
        self._wanted[address] -= 1
        if self._wanted[address] <= 0:
            del self._wanted[address]
            self._seen.pop(address, None)
        if not self._wanted and self._watching is not None:
            self._watching.cancel()
            self._watching = None  # whoever comes next needs another

    async def _watch(self, kit: FlowKit) -> None:
        version: int | None = None
        well = True
        while True:
            try:
                # the first round also catches what was written between the reading and the start of this task
                version = await (kit.db.version() if version is None else kit.db.changed(version))
                await self._compare(kit)
                well = True
            except Exception:
                version = None  # what could not be read is read again without another change
                if well:  # once, not four times a second
                    log.exception("what is listened to cannot be read; it is tried again")
                well = False
            await asyncio.sleep(PAUSE_S)

    async def _compare(self, kit: FlowKit) -> None:
        """Tell of what is different. Raises ExceptionGroup, after all others: some could not be read."""
        failed: list[Exception] = []
        for address in list(self._wanted):
            try:
                digest = await self._digest(kit, address)
            except Exception as error:
                failed.append(error)
                continue
            if address in self._seen and self._seen[address] != digest:
                self._seen[address] = digest
                await self._tell(address)
        if failed:
            raise ExceptionGroup("looks", failed)

    async def _digest(self, kit: FlowKit, address: str) -> bytes | None:
        held = await self._look(kit, address)
        if held is None:
            return None
        return hashlib.sha256(held.encode() if isinstance(held, str) else held).digest()

    async def _tell(self, address: str) -> None:
        event = ResourcesListChanged() if address == LIST else ResourceUpdated(uri=address)
        await self.bus.publish(event)
        for connection, mine in list(self._subscribed.items()):
            tell = mine.get(address)
            if tell is None:
                continue
            try:
                await tell(address)
            except Exception:  # whatever the transport raises once its client is gone
                self.unsubscribe(connection)


def addresses_of(ctx: ServerRequestContext[Any, Any]) -> list[str]:
    """What a `subscriptions/listen` request asks to be told of; what is malformed the SDK refuses afterwards."""
    asked: Any = (ctx.params or {}).get("notifications")
    if not isinstance(asked, dict):
        return []
    filters = cast("dict[str, Any]", asked)
    wanted: Any = filters.get("resourceSubscriptions")
    found = cast("list[Any]", wanted) if isinstance(wanted, list) else []
    return [str(one) for one in found] + ([LIST] if filters.get("resourcesListChanged") else [])
