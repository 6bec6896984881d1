"""Eight real servers on one library: one works, all answer; the one that works is killed, stopped, woken."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e.demo_run import environment, flowkit
from mcp import Client, StdioServerParameters

from flowkit_mcp import Character, FlowKit, Project, Settings
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock
from flowkit_mcp.store.migrate import newest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
    pytest.mark.timeout(300),
]

SERVERS = 8
PATIENCE_S = 60.0
#: The promise (issue D), kept by the middle one of so many. Time in which the next leader could have gone on and others
#: had the processors does not count: they may be at work on this machine, too.
TAKEOVER_S = 2.0
TAKEOVERS = 5
WORKS = "this process works the queue"


class Place:
    """A library, its simulator and the clients' processes."""

    def __init__(self, folder: Path) -> None:
        bridge, simulator = free_ports(2)
        self.library = folder / "library"
        self.bridge, self.simulator = bridge, simulator
        self.env = {
            "FLOWKIT_LIBRARY": str(self.library),
            "FLOWKIT_PORT": str(bridge),
            "FLOWKIT_SIMULATOR": f"http://127.0.0.1:{simulator}",
            "FLOWKIT_AUTO_APPROVE_CREDITS": "1000",
        }

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            flowkit(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=environment(**self.env),
            encoding="utf-8",
        )

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[Client]:
        server = StdioServerParameters(
            command=sys.executable, args=flowkit("serve")[1:], env=self.env
        )
        async with Client(server) as client:
            yield client

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self.database)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql)]

    @asynccontextmanager
    async def bystander(self) -> AsyncGenerator[FlowKit]:
        """This process, which never works the queue."""
        settings = Settings(
            library=self.library, port=self.bridge, simulator=self.env["FLOWKIT_SIMULATOR"]
        )
        await _until(
            lambda: (
                self.database.exists()
                and self.rows("PRAGMA user_version") == [{"user_version": newest()}]
            )
        )
        async with Database.open(self.database) as db:
            yield FlowKit(settings, db, Clock(), LeaderLock(settings.leader_lock))

    @property
    def database(self) -> Path:
        return self.library / ".flowkit" / "flowkit.db"

    def calls(self, job: int) -> int:
        """How often something was sent for it, or is about to be."""
        return int(self.rows(f"SELECT count(*) AS n FROM operation WHERE job_id = {job}")[0]["n"])

    def stop(self, process: subprocess.Popen[str]) -> None:
        """Between two things that it writes: stopped in the middle of one it would hold up all who write."""
        while True:
            os.kill(process.pid, signal.SIGSTOP)
            os.waitpid(process.pid, os.WUNTRACED)
            with contextlib.closing(sqlite3.connect(self.database, timeout=0.2)) as db:
                with contextlib.suppress(sqlite3.OperationalError):
                    db.execute("BEGIN IMMEDIATE")
                    return
            os.kill(process.pid, signal.SIGCONT)

    @property
    def leader(self) -> dict[str, Any]:
        return self.rows("SELECT * FROM leader")[0]


@pytest.fixture
def place(tmp_path: Path) -> Generator[Place]:
    place = Place(tmp_path)
    simulator = place.start("simulate", "--port", str(place.simulator), "--pace", "0.2")
    yield place
    simulator.terminate()
    simulator.communicate(timeout=20)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content or {}


async def ready(client: Client) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not (await call(client, "status"))["ready"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)


async def order(client: Client, name: str) -> int:
    """A picture of somebody new; the job's id."""
    await call(
        client,
        "add_character",
        project="Shared",
        characters=[{"name": name, "description": "a fox"}],
    )
    told = await call(client, "generate_image", project="Shared", characters=[name])
    return told["jobs"][0]["job"]


async def done(client: Client, job: int) -> None:
    told = await call(client, "wait", jobs=[job])
    assert told["jobs"][0]["state"] == "succeeded", told


async def test_of_eight_servers_one_works_all_answer_and_a_killed_one_is_replaced(
    place: Place,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        worker = place.start("worker")
        stack.callback(worker.communicate, timeout=20)
        stack.callback(worker.kill)
        await _until_led_by(place, worker.pid)
        clients = [await stack.enter_async_context(place.client()) for _ in range(SERVERS)]
        await ready(clients[0])
        told = [(await call(client, "status"))["process"] for client in clients]
        assert all(text.startswith(f"process {worker.pid} works the queue") for text in told), told
        await call(clients[0], "create_project", name="Shared")
        await done(clients[0], await order(clients[0], "Ada"))

        generation = place.leader["generation"]
        place.stop(worker)  # else it may have ended the job before it is killed
        job = await order(clients[1], "Bea")
        worker.kill()
        await done(clients[2], job)
        assert place.leader["generation"] == generation + 1
        told = [(await call(client, "status"))["process"] for client in clients]
        assert [text for text in told].count(WORKS) == 1, told

        times = await _typical_answers(clients)
        leading = times.pop(told.index(WORKS))
        following = statistics.median(times)
        assert max(leading, following) < 5 * min(leading, following), (leading, times)


async def test_work_goes_on_within_two_seconds_of_a_kill(place: Place) -> None:
    """From the kill of the leader to the next call written down, over the bridge that its follower has opened."""
    async with contextlib.AsyncExitStack() as stack:
        workers: dict[int, subprocess.Popen[str]] = {}
        for _ in range(TAKEOVERS + 1):
            worker = place.start("worker")
            stack.callback(worker.communicate, timeout=20)
            stack.callback(worker.kill)
            workers[worker.pid] = worker
        client = await stack.enter_async_context(place.bystander())
        await client.ready(PATIENCE_S)
        project = await Project.create(client, "Shared")
        took: list[float] = []
        for number in range(TAKEOVERS):
            before = place.leader
            workers.pop(before["pid"]).kill()
            killed, held_up = time.monotonic(), {pid: _held_up(pid) for pid in workers}
            fox = await Character.create(client, f"Fox {number}", description="a fox")
            await project.add_character(fox)
            job = await fox.generate_image(project.id)
            await _until(lambda job=job: place.calls(job.id) > 0)
            after, seconds = place.leader, time.monotonic() - killed
            took.append(seconds - _held_up(after["pid"]) + held_up[after["pid"]])
            assert after["generation"] == before["generation"] + 1
            assert (await client.wait(job.id, PATIENCE_S)).state is JobState.SUCCEEDED
            assert place.calls(job.id) == 1
        assert statistics.median(took) < TAKEOVER_S, took  # docs/reliability.md


async def test_a_worker_that_was_stopped_is_not_replaced_and_goes_on_when_it_wakes(
    place: Place,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        worker = place.start("worker")
        stack.callback(worker.communicate, timeout=20)
        stack.callback(worker.kill)
        await _until_led_by(place, worker.pid)
        client = await stack.enter_async_context(place.client())
        other = await stack.enter_async_context(place.client())
        await ready(client)
        await call(client, "create_project", name="Shared")
        before = place.leader
        place.stop(worker)
        try:
            job = await order(client, "Ada")
            await asyncio.sleep(2)  # four campaigns of each of the others
            assert (place.leader["generation"], place.leader["pid"]) == (
                before["generation"],
                worker.pid,
            )
            for one in (client, other):
                assert (await call(one, "status"))["process"].startswith(f"process {worker.pid}")
            assert place.rows(f"SELECT state FROM job WHERE id = {job}") == [{"state": "queued"}]
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        await done(client, job)
        assert place.leader["generation"] == before["generation"]


async def _until(true: Callable[[], bool]) -> None:
    """Another process makes it so; no event of ours can tell."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.02)


def _held_up(pid: int) -> float:
    """Seconds for which a process's loop was ready to run and had no processor; 0 where the system does not tell."""
    told = Path(f"/proc/{pid}/schedstat")
    return int(told.read_text("ascii").split()[1]) / 1e9 if told.exists() else 0.0


async def _until_led_by(place: Place, pid: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(sqlite3.OperationalError, IndexError):
                if place.leader["pid"] == pid:
                    return
            await asyncio.sleep(0.1)


async def _typical_answers(clients: list[Client]) -> list[float]:
    """Seconds of each client: the median of twenty, taken in turns, since others may be at work on this machine."""
    took: list[list[float]] = [[] for _ in clients]
    for _ in range(20):
        for client, own in zip(clients, took, strict=True):
            before = time.perf_counter()
            await call(client, "list_projects")
            own.append(time.perf_counter() - before)
    return [statistics.median(own) for own in took]
