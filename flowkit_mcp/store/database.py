"""The connections: one that writes, one that reads, and a transaction that cancellation cannot leave open.

Why it is written like this is measured in design.md §3.8–3.9: aiosqlite runs a call to its end even when the
caller is cancelled, an undrained cursor holds locks, and two coroutines on one connection share a transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import aiosqlite

from flowkit_mcp.domain.models import Row
from flowkit_mcp.errors import NotFound
from flowkit_mcp.store.copies import disarm
from flowkit_mcp.store.engine import in_words, trouble_of

APPLICATION_ID = 0x464C4B54  # "FLKT"
WATCH_EVERY_S = 0.25

R = TypeVar("R", bound=Row)


class Reads(Protocol):
    """What can be read from: the database, or a transaction that sees its own writes."""

    async def all(self, sql: str, **args: Any) -> list[dict[str, Any]]: ...


async def rows(reads: Reads, model: type[R], sql: str, **args: Any) -> list[R]:
    """All rows of a query as `model`."""
    return [model.model_validate(row) for row in await reads.all(sql, **args)]


async def row(reads: Reads, model: type[R], sql: str, **args: Any) -> R | None:
    """The first row of a query as `model`, or None."""
    found = await reads.all(sql, **args)
    return model.model_validate(found[0]) if found else None


async def the_row(
    reads: Reads, model: type[R], what: str, sql: str, *, hint: str | None = None, **args: Any
) -> R:
    """The first row of a query; raises NotFound naming `what`."""
    found = await row(reads, model, sql, **args)
    if found is None:
        raise NotFound(f"no {what}", hint=hint)
    return found


async def _fetch(
    connection: aiosqlite.Connection, sql: str, args: dict[str, Any]
) -> list[dict[str, Any]]:
    # execute_fetchall drains in one hop: an open cursor would hold locks (design.md §3.9)
    with in_words():
        found = await connection.execute_fetchall(sql, args)
    return [dict(item) for item in found]


class Tx:
    """An open write transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def all(self, sql: str, **args: Any) -> list[dict[str, Any]]:
        return await _fetch(self._connection, sql, args)

    async def run(self, sql: str, **args: Any) -> int:
        """Run one writing statement; returns how many rows it changed."""
        with in_words():
            cursor = await self._connection.execute(sql, args)
        try:
            return cursor.rowcount
        finally:
            await cursor.close()

    async def insert(self, table: str, **values: Any) -> int:
        """Insert one row; returns its rowid. Table and column names come from code, never from users."""
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with in_words():
            cursor = await self._connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", values
            )
        try:
            return cursor.lastrowid or 0
        finally:
            await cursor.close()

    async def update(self, table: str, id: str | int, **values: Any) -> int:
        """Set columns of the row with this id; returns how many rows that were."""
        sets = ", ".join(f"{name} = :{name}" for name in values)
        return await self.run(f"UPDATE {table} SET {sets} WHERE id = :_id", **values, _id=id)


class Database:
    """One library's database. Open with `async with Database.open(path)`: an unclosed connection keeps
    the process from exiting.
    """

    def __init__(self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection):
        self.path = path
        self._writer = writer
        self._reader = reader
        self._lock = asyncio.Lock()
        self._committed = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncGenerator[Database]:
        """Raises LibraryTrouble: the disk is full, the file is damaged, or neither can be written."""
        async with contextlib.AsyncExitStack() as stack:
            with in_words():
                opened = await cls._connect(path, stack)
            yield opened

    @classmethod
    async def _connect(cls, path: Path, stack: contextlib.AsyncExitStack) -> Database:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise trouble_of(error) or error from error
        connections: list[aiosqlite.Connection] = []
        for _ in range(2):
            connection = await stack.enter_async_context(
                aiosqlite.connect(path, isolation_level=None, timeout=5.0)
            )
            connection.row_factory = sqlite3.Row
            connections.append(connection)
        writer, reader = connections
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "busy_timeout = 5000",
            "wal_autocheckpoint = 0",
        ):
            await writer.execute_fetchall(f"PRAGMA {pragma}")
        for pragma in ("busy_timeout = 5000", "query_only = ON", "wal_autocheckpoint = 0"):
            await reader.execute_fetchall(f"PRAGMA {pragma}")
        return cls(path, writer, reader)

    async def all(self, sql: str, **args: Any) -> list[dict[str, Any]]:
        """All rows, from the reading connection."""
        return await _fetch(self._reader, sql, args)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Tx]:
        """`BEGIN IMMEDIATE` … `COMMIT`, or `ROLLBACK` on any exception, cancellation included.

        A task cancelled inside finishes the commit or the rollback before it gives way, so that no other
        process ever finds the database locked by a transaction nobody owns.
        """
        async with self._lock:
            begin = asyncio.ensure_future(self._run("BEGIN IMMEDIATE"))
            try:
                with in_words():
                    await asyncio.shield(begin)
                yield Tx(self._writer)
            except BaseException:
                await self._finish("ROLLBACK", begin)
                raise
            with in_words():
                await self._finish("COMMIT", begin)
        self._committed.set()

    async def _run(self, sql: str) -> None:
        await self._writer.execute_fetchall(sql)

    async def _finish(self, verb: str, begin: asyncio.Future[None]) -> None:
        async def end() -> None:
            with contextlib.suppress(sqlite3.Error):
                await begin  # a cancelled BEGIN still runs on the connection's thread
            if self._writer.in_transaction:
                try:
                    await self._run(verb)
                except sqlite3.Error:
                    if self._writer.in_transaction:
                        await self._run("ROLLBACK")
                    raise

        task = asyncio.ensure_future(end())
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError as error:
                cancelled = error
            except sqlite3.Error:
                break
        task.result()
        if cancelled is not None:
            raise cancelled

    async def version(self) -> int:
        """A number that is different after any other connection has committed."""
        return int((await self.all("PRAGMA data_version"))[0]["data_version"])

    async def changed(self, since: int, timeout: float | None = None) -> int:
        """Wait until something was committed after `since` (a `version()`), or `timeout` seconds.

        Commits of this process are seen at once, those of others within 250 ms. Returns the new version.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            self._committed.clear()
            version = await self.version()
            if version != since or (deadline is not None and loop.time() >= deadline):
                return version
            wait = WATCH_EVERY_S if deadline is None else min(WATCH_EVERY_S, deadline - loop.time())
            with contextlib.suppress(TimeoutError):  # wait_for of 3.11 can swallow a cancellation
                async with asyncio.timeout(max(wait, 0.001)):
                    await self._committed.wait()

    async def take_checkpoints(self, leading: bool = True) -> None:
        """The leader alone moves the log into the database (design.md §3.8: the WAL-reset bug)."""
        await self._writer.execute_fetchall(f"PRAGMA wal_autocheckpoint = {1000 if leading else 0}")

    async def backup(self, to: Path) -> None:
        """A consistent copy in one file, which is whole and synced before it gets the name `to`.

        Put back, it asks the person about each call under way (`copies.py`). An earlier copy of that name stays
        until this one is whole. Raises sqlite3.Error, OSError.
        """
        part = to.with_name(f"{to.name}.part")
        part.unlink(missing_ok=True)
        try:
            async with self._lock:
                await self._writer.execute_fetchall("VACUUM INTO :to", {"to": str(part)})
            await asyncio.to_thread(disarm, part)
            await asyncio.to_thread(_sync, part)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    async def quick_check(self) -> str:
        """`ok`, or what SQLite found wrong."""
        return str(next(iter((await self.all("PRAGMA quick_check"))[0].values())))


def _sync(file: Path) -> None:
    with file.open("r+b") as written:
        os.fsync(written.fileno())


def marks(values: Sequence[Any], prefix: str) -> tuple[str, dict[str, Any]]:
    """`:p0, :p1, …` and its arguments, for an IN list."""
    args = {f"{prefix}{index}": value for index, value in enumerate(values)}
    return ", ".join(f":{name}" for name in args), args
