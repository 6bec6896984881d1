"""Transactions survive cancellation; migrations run once, whoever starts; other processes are never locked out."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import random
import re
import sqlite3
from pathlib import Path

import pytest

from flowkit_mcp.domain.models import (
    Asset,
    Character,
    Job,
    JobEvent,
    Operation,
    Project,
    ProviderState,
    Render,
    Row,
    Take,
    Video,
)
from flowkit_mcp.errors import LibraryTooNew
from flowkit_mcp.store import migrate as migration
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock
from flowkit_mcp.store.migrate import migrate, migrations, newest, schema_version, statements


async def test_a_cancelled_transaction_is_never_left_open_nor_half_written(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    random.seed(7)
    async with Database.open(path) as db:
        async with db.transaction() as tx:
            await tx.run("CREATE TABLE t (x)")
            await tx.run("CREATE TABLE u (x)")

        async def write(number: int) -> int:
            async with db.transaction() as tx:
                await tx.run("INSERT INTO t VALUES (:n)", n=number)
                await tx.run("INSERT INTO u VALUES (:n)", n=number)
            return number

        reported: set[int] = set()
        cancelled = 0
        for number in range(500):
            task = asyncio.ensure_future(write(number))
            for _ in range(random.randrange(40)):
                await asyncio.sleep(0)
            task.cancel()
            try:
                reported.add(await task)
            except asyncio.CancelledError:
                cancelled += 1
        written = {row["x"] for row in await db.all("SELECT x FROM t")}
        assert written == {row["x"] for row in await db.all("SELECT x FROM u")}
        assert reported <= written
        assert cancelled > 50, "the test must really cancel"
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # raises if a transaction was left open
        other.execute("ROLLBACK")
        other.close()


async def test_an_error_inside_a_transaction_undoes_all_of_it(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        with pytest.raises(sqlite3.IntegrityError):
            async with db.transaction() as tx:
                await tx.insert(
                    "leader", one=1, generation=1, pid=1, version="x", started_at=1, heartbeat_at=1
                )
                await tx.insert(
                    "leader", one=2, generation=1, pid=1, version="x", started_at=1, heartbeat_at=1
                )
        assert await db.all("SELECT * FROM leader") == []


async def test_a_commit_elsewhere_is_noticed(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.db") as one, Database.open(tmp_path / "x.db") as two:
        await migrate(one)
        seen = await two.version()
        waiting = asyncio.create_task(two.changed(seen, 10))
        await asyncio.sleep(0)
        async with one.transaction() as tx:
            await tx.run("INSERT INTO provider_state (provider, updated_at) VALUES ('flow', 1)")
        assert await waiting != seen


def _start(path: Path, results: multiprocessing.Queue[list[int] | str]) -> None:
    """As a server begins: whoever has the lock sees to the schema (app.py)."""

    async def run() -> list[int]:
        lock = LeaderLock(path.with_name("leader.lock"))
        async with Database.open(path) as db:
            while not lock.try_acquire():  # noqa: ASYNC110 - another process frees it
                await asyncio.sleep(0.01)
            try:
                return await migrate(db)
            finally:
                lock.release()

    try:
        results.put(asyncio.run(run()))
    except Exception as error:
        results.put(repr(error))


@pytest.mark.crash
def test_eight_processes_starting_at_once_apply_each_migration_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[list[int] | str] = context.Queue()
    processes = [
        context.Process(target=_start, args=(tmp_path / "x.db", results)) for _ in range(8)
    ]
    for process in processes:
        process.start()
    answers = [results.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert not [answer for answer in answers if isinstance(answer, str)], answers
    everything = [version for version, _ in migrations()]
    assert sorted(answers, key=len) == [[]] * 7 + [everything], answers


async def test_a_newer_library_is_refused(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        async with db.transaction() as tx:
            await tx.run("PRAGMA user_version = 999")
        with pytest.raises(LibraryTooNew, match="999"):
            await migrate(db)


#: Libraries made with these exist. What is to be different is a migration more, whose SHA-256 is added here.
APPLIED = {
    1: "5e0383ad6c0616d6def2307a915a0e779ce972fdd8fa7a5ec09c8146ab131820",
    2: "7f5cdf631756188cc45b4a445369a30e496cd184e245f01291b96beeccba19e0",
    3: "1d5703fa174039c71df67e72ddca79f65ec2a326ecc02147deef9d40068b861a",
}


def test_a_migration_that_libraries_were_made_with_is_never_edited() -> None:
    found = {version: hashlib.sha256(sql.encode()).hexdigest() for version, sql in migrations()}
    assert {version: found[version] for version in APPLIED} == APPLIED


async def schema(db: Database) -> list[dict[str, object]]:
    return await db.all("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")


@pytest.mark.parametrize("version", [1, 2])
async def test_a_library_of_an_older_schema_becomes_what_a_new_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    """Whatever its views were: those of the first schema had once been changed in place."""
    async with Database.open(tmp_path / "new.db") as db:
        await migrate(db)
        new = await schema(db)
    assert "operation_settled" not in [item["name"] for item in new], "no query uses it"
    for name, changed in (("old", []), ("changed", CHANGED)):
        async with Database.open(tmp_path / f"{name}.db") as db:
            with monkeypatch.context() as older:
                older.setattr(migration, "migrations", lambda: migrations()[:version])
                await migrate(db)
            async with db.transaction() as tx:
                for statement in changed:
                    await tx.run(statement)
            await migrate(db)
            assert await schema(db) == new, name
            assert {"character_flat", "scene_flat", "ledger"} <= {str(i["name"]) for i in new}
            for view in [item["name"] for item in new if item["type"] == "view"]:
                await db.all(f"SELECT * FROM {view}")


#: Views as they may be in a library made in between.
CHANGED = [
    "DROP VIEW ledger",
    "CREATE VIEW ledger AS SELECT 1 AS id",
    "DROP VIEW IF EXISTS character_flat",
    "CREATE VIEW character_flat AS SELECT 1 AS id",
]


async def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        assert await migrate(db) == list(range(1, newest() + 1))
        before = await db.all("SELECT sql FROM sqlite_master ORDER BY name")
        assert await migrate(db) == []
        assert await db.all("SELECT sql FROM sqlite_master ORDER BY name") == before
        assert await schema_version(db) == newest()
        assert await db.quick_check() == "ok"


def test_statements_are_split_where_they_end() -> None:
    sql = """
    -- a comment; with a semicolon
    CREATE TABLE a (x TEXT DEFAULT ';'); -- more
    CREATE TRIGGER b AFTER INSERT ON a BEGIN
      UPDATE a SET x = ';';
    END;
    """
    found = statements(sql)
    assert len(found) == 2 and found[1].lstrip().startswith("CREATE TRIGGER")
    connection = sqlite3.connect(":memory:")
    for statement in found:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "model",
    [Project, Character, Video, Asset, Take, Job, Operation, JobEvent, Render, ProviderState],
)
async def test_a_models_fields_are_its_tables_columns_and_a_column_more_is_passed_over(
    tmp_path: Path, model: type[Row]
) -> None:
    """Models ignore what they do not know, so that an older process can read on; what they know must be there."""
    table = re.sub(r"(?<!^)(?=[A-Z])", "_", model.__name__).lower()
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        found = await db.all("SELECT name FROM pragma_table_info(:t)", t=table)
        assert {item["name"] for item in found} == set(model.model_fields)
    assert model.model_config["extra"] == "ignore"


async def test_a_copy_is_whole_or_not_there_and_an_earlier_one_stays_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "backup-v1.db"
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        await db.backup(copy)
        before = copy.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            await db.backup(copy)
        monkeypatch.undo()
        assert copy.read_bytes() == before
        assert {file.name for file in tmp_path.iterdir()} >= {"x.db", copy.name}
        assert not list(tmp_path.glob("*.part"))
    async with Database.open(copy) as db:
        assert await schema_version(db) == newest()
        assert await db.quick_check() == "ok"
