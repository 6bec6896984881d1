"""A damaged file, a full disk, a clock that jumps: a clear error each, nothing lost, nothing paid twice."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
from fake_provider import FakeProvider

from flowkit_mcp import FlowKit, Settings
from flowkit_mcp.domain.policy import LIBRARY_PAUSE_MS, Verb, Wait, decide
from flowkit_mcp.errors import LibraryTrouble
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.engine import trouble_of


@pytest.mark.parametrize("content", [b"no database at all, only words " * 300, bytes(9000)])
async def test_a_file_that_is_no_database_is_told_and_left_as_it_is(
    settings: Settings, provider: FakeProvider, content: bytes
) -> None:
    settings.state_dir.mkdir(parents=True)
    settings.database.write_bytes(content)
    with pytest.raises(LibraryTrouble, match="damaged") as told:
        async with FlowKit.open(settings, provider=provider):
            pass
    assert "doctor" in told.value.hint
    assert settings.database.read_bytes() == content


async def test_pages_that_are_damaged_are_told_where_they_are_read_and_written(
    tmp_path: Path,
) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        async with db.transaction() as tx:
            await tx.run("CREATE TABLE t (x)")
            await tx.run("INSERT INTO t VALUES (:x)", x="more " * 4000)
        await db._writer.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
    file = tmp_path / "x.db"
    whole = bytearray(file.read_bytes())
    whole[4096:] = bytes(b ^ 0xA5 for b in whole[4096:])
    file.write_bytes(bytes(whole))
    async with Database.open(file) as db:
        with pytest.raises(LibraryTrouble, match="damaged"):
            await db.all("SELECT * FROM t")
        with pytest.raises(LibraryTrouble, match="damaged"):
            async with db.transaction() as tx:
                await tx.run("INSERT INTO t VALUES ('x')")


async def test_a_full_disk_is_told_and_what_was_written_before_stays(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        async with db.transaction() as tx:
            await tx.run("CREATE TABLE t (x)")
            await tx.run("INSERT INTO t VALUES ('before')")
        size = (await db.all("PRAGMA page_count"))[0]["page_count"]
        await db._writer.execute_fetchall(f"PRAGMA max_page_count = {size}")
        with pytest.raises(LibraryTrouble, match="disk of the library is full") as told:
            async with db.transaction() as tx:
                await tx.run("INSERT INTO t VALUES (:x)", x="more " * 10_000)
        assert "Make room" in told.value.hint
        assert await db.all("SELECT x FROM t") == [{"x": "before"}]
        await db._writer.execute_fetchall("PRAGMA max_page_count = 100000")
        async with db.transaction() as tx:
            await tx.run("INSERT INTO t VALUES ('after')")
        assert [row["x"] for row in await db.all("SELECT x FROM t")] == ["before", "after"]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "full"),
        (errno.EROFS, "cannot be written"),
        (errno.EACCES, "cannot be written"),
    ],
)
def test_what_the_system_says_about_the_disk_is_no_bug_of_ours(number: int, words: str) -> None:
    told = trouble_of(OSError(number, "what the system says"))
    assert told is not None and words in told.message and told.hint
    assert trouble_of(OSError(errno.ENOENT, "no such file")) is None
    assert trouble_of(sqlite3.IntegrityError("UNIQUE constraint failed")) is None
    assert trouble_of(ValueError("x")) is None


@pytest.mark.parametrize("verb", [Verb.LOCAL, Verb.POLL, Verb.FETCH, Verb.HOUSE])
def test_trouble_of_the_library_is_no_fault_of_a_job_and_pauses_no_provider(verb: Verb) -> None:
    assert decide(LibraryTrouble("full"), verb, 99, 5, 0.5) == Wait(5 + LIBRARY_PAUSE_MS, gate=None)
