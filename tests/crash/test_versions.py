"""A newer FlowKit beside an older one: the older lets go, a copy is made, the library is brought up, work goes on.

And whoever is killed while that happens: the library is the old one or the new one, never half of each.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from crash_world import World, build
from tally import TALLY
from version_child import HERE, NEXT

from flowkit_mcp.domain.models import JobState
from flowkit_mcp.store.copies import PUT_BACK
from flowkit_mcp.store.migrate import statements

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

CHILD = Path(__file__).with_name("version_child.py")
OLD, NEW = HERE[-1][0], NEXT[0]
PATIENCE_S = 60.0
#: Each statement of the migration, and the two marks at its end.
STEPS = range(1, len(statements(NEXT[1])) + 3)


class Program:
    """A process of one version."""

    def __init__(self, world: World, version: str, die_at: str = "-", hold: str = "-") -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), str(world.library), str(world.ledger), version, die_at, hold],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip

    def opened(self) -> None:
        assert self._line() == "open"

    def ask(self, word: str) -> str:
        self.say(word)
        return self._line()

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        """As at end-of-file."""
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build(tmp_path_factory.mktemp("versions"), "video")


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    folder = tmp_path / "world"
    shutil.copytree(original.folder, folder)
    return World(folder, original.jobs)


@pytest.fixture
def start(world: World) -> Generator[Callable[..., Program]]:
    with contextlib.ExitStack() as stack:

        def started(*args: str) -> Program:
            program = Program(world, *args)
            stack.callback(program.process.communicate)
            stack.callback(program.process.kill)
            return program

        yield started


def rows(file: Path, sql: str) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(file, timeout=10)) as db:
        return db.execute(sql).fetchall()


def told(file: Path, job: int) -> list[tuple[object, ...]]:
    """All jobs; of the unfinished one everything but how it stands, which a copy changes (store/copies.py)."""
    stands = ("state", "generation", "reason", "message")
    columns = [str(name) for (name,) in rows(file, "SELECT name FROM pragma_table_info('job')")]
    wanted = [f"CASE id WHEN {job} THEN 0 ELSE {n} END" if n in stands else n for n in columns]
    return rows(file, f"SELECT {', '.join(wanted)} FROM job ORDER BY id")


def asks(file: Path) -> list[object]:
    found = rows(
        file, f"SELECT id FROM job WHERE state = 'needs_attention' AND reason = '{PUT_BACK}'"
    )
    return [id for (id,) in found]


def database(world: World) -> Path:
    return world.library / ".flowkit" / "flowkit.db"


def leader(world: World) -> tuple[object, ...]:
    return rows(database(world), "SELECT generation, pid FROM leader")[0]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_statement_of_a_migration_the_library_is_as_before_and_the_next_start_goes_on(
    world: World, start: Callable[..., Program], step: int
) -> None:
    file = database(world)
    before = rows(file, "SELECT sql FROM sqlite_master ORDER BY name")
    program = start("new", str(step))
    assert program.process.wait(PATIENCE_S) == -signal.SIGKILL, "the migration has fewer statements"
    TALLY.add(kills=1)
    assert rows(file, "PRAGMA user_version") == [(OLD,)]
    assert rows(file, "SELECT sql FROM sqlite_master ORDER BY name") == before
    copy = file.with_name(f"backup-v{OLD}.db")
    assert rows(copy, "PRAGMA quick_check") == [("ok",)]
    assert told(copy, world.job) == told(file, world.job) and asks(copy) == [world.job]

    again = start("new")
    again.opened()
    until(lambda: world.left(world.job).job.state is JobState.SUCCEEDED)
    assert again.end() == 0
    assert rows(file, "PRAGMA user_version") == [(NEW,)]
    assert rows(file, "SELECT count(*) FROM mood") == [(2,)]
    assert len(world.charges) == 1


def test_beside_an_older_one_at_work_the_newer_waits_for_its_submit_copies_migrates_and_goes_on(
    world: World, start: Callable[..., Program]
) -> None:
    old = start("old", "-", "hold")
    old.opened()
    until(lambda: len(world.charges) == 1)  # its call has left, and its answer is missing
    second = start("old")  # the client's other window, of the older version, too
    second.opened()
    generation, pid = leader(world)
    assert pid == old.process.pid

    new = start("new")
    new.opened()
    file = database(world)
    assert rows(file, "PRAGMA user_version") == [(NEW,)]
    assert rows(file.with_name(f"backup-v{OLD}.db"), "PRAGMA user_version") == [(OLD,)]
    until(lambda: leader(world)[1] == new.process.pid)
    until(lambda: world.left(world.job).job.state is JobState.SUCCEEDED)
    assert len(world.charges) == 1, "what the older one had sent was looked up and not sent again"
    assert isinstance(generation, int) and leader(world)[0] in range(generation + 1, generation + 3)

    for program in (old, second):  # they still answer, and never work a library they do not know
        assert f"{world.job}:succeeded" in program.ask("jobs")
        assert program.ask("leading") == "False"
    assert new.end() == 0
    time.sleep(1.5)  # three campaigns of each
    for program in (old, second):
        assert program.ask("leading") == "False"
        assert f"{world.job}:succeeded" in program.ask("jobs")
        assert program.end() == 0
    assert rows(file, "PRAGMA quick_check") == [("ok",)]


def test_a_copy_is_made_before_the_library_is_touched_and_is_what_it_was(
    world: World, start: Callable[..., Program]
) -> None:
    file = database(world)
    (file.with_name(f"backup-v{OLD}.db")).write_text("left of an attempt that was cut off")
    before = told(file, world.job)
    new = start("new")
    new.opened()
    assert new.end() == 0
    copy = file.with_name(f"backup-v{OLD}.db")
    assert told(copy, world.job) == before
    assert asks(copy) == [world.job], "put back, it asks before it pays"
    assert not list(file.parent.glob("*.part"))
