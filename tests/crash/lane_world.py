"""A library, a simulated Flow and a browser in processes of their own; servers come, work and are killed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import threading
import time
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, TypeVar

import lane_actors
from lane_actors import Bomb, settings_of
from tally import TALLY

from flowkit_mcp import FlowKit, Orientation, Project, Scene
from flowkit_mcp.cli.ports import HOST, free_ports
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.errors import Conflict
from flowkit_mcp.providers.flow.ids import Seeds
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock
from flowkit_mcp.store.migrate import newest

H = Orientation.HORIZONTAL
T = TypeVar("T")
PATIENCE_S = 60.0
_spawn = multiprocessing.get_context("forkserver")


def _preload() -> None:
    """Everything is imported once, in a process that starts no thread; each actor is a fork of it."""
    _spawn.set_forkserver_preload(["lane_actors"])
    before = os.environ.get("PYTHONPATH")
    here = Path(__file__).parent  # it knows no other paths
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (here, here.parent, here.parent / "stack")))
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


#: multiprocessing reaps everybody's children whenever one is started, and that is not for several threads at once.
_one_at_a_time = threading.Lock()


class Actor:
    """A process that can be started, watched and killed from any thread."""

    def __init__(self, work: Callable[..., None], args: tuple[Any, ...]) -> None:
        with _one_at_a_time:
            self._process = _spawn.Process(target=work, args=args, daemon=True)
            self._process.start()

    @property
    def exitcode(self) -> int | None:
        """None: it is alive."""
        with _one_at_a_time:
            return self._process.exitcode

    def ended(self, patience_s: float) -> int | None:
        """Its exit code once it has ended, None after `patience_s` without."""
        deadline = time.monotonic() + patience_s
        while (code := self.exitcode) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return code

    def kill(self) -> None:
        """Returns when it is gone."""
        with _one_at_a_time:
            self._process.kill()
        assert self.ended(PATIENCE_S) is not None


class LaneWorld:
    """Actors are started and killed from one thread. `charges()` is Flow's own account."""

    def __init__(self, folder: Path, lane: str, chaos: int | None = None) -> None:
        self.folder, self.lane, self._chaos = folder, lane, chaos
        self.port, sim_port = free_ports(2)
        self._kept = _keep(self.port)
        self.simulator = f"http://127.0.0.1:{sim_port}"
        self.bomb = Bomb(folder)
        self._numbers = itertools.count(1)
        self._ordered: set[int] = set()
        self._sim = Actor(lane_actors.simulate, (folder, sim_port, lane, chaos))
        _until((folder / "simulator.up").exists)
        self.start_browser()

    # ---- actors ------------------------------------------------------------------------------

    def start_browser(self) -> None:
        """A new life of the same browser profile."""
        self.browser = Actor(lane_actors.browse, (self.folder, self.port, self.simulator))

    def start_server(self, name: str = "server", ids: list[int] | None = None) -> Actor:
        """Without `ids` it works until it is killed."""
        return Actor(lane_actors.serve, (self.folder, self.port, self.simulator, name, ids))

    def work(self, *ids: int) -> int:
        """One server from start to end; its exit code."""
        server = self.start_server(ids=list(ids))
        code = server.ended(PATIENCE_S)
        if code is None:
            server.kill()
            raise AssertionError("the server hangs")
        if code == -signal.SIGKILL:
            TALLY.add(kills=1)
        return code

    def mend_browser(self, patience_s: float = 0) -> None:
        """Start it again if it was killed; if that is certain, wait until it is gone."""
        code = self.browser.ended(patience_s)
        if code is not None:
            assert code == -signal.SIGKILL, code
            TALLY.add(kills=1)
            self.bomb.buried("browser")
            self.start_browser()

    def close(self) -> None:
        for process in (self.browser, self._sim):
            process.kill()
        self._kept.close()
        met = self.folder / "faults"  # what was ordered may never have been met
        TALLY.add(faults=len(met.read_text(encoding="utf-8").splitlines()) if met.exists() else 0)

    # ---- Flow --------------------------------------------------------------------------------

    def charges(self) -> list[dict[str, Any]]:
        """What Flow took and did not give back; accepted work that is free counts 0."""
        with urllib.request.urlopen(f"{self.simulator}/sim/ledger", timeout=20) as reply:
            entries = json.load(reply)["entries"]
        back = {entry["media_id"] for entry in entries if entry["kind"] == "refund"}
        return [e for e in entries if e["kind"] == "charge" and e["media_id"] not in back]

    def switch(self, **values: Any) -> None:
        self._tell("switch", values)

    def fault(self, rpc: str, kind: str, times: int = 1) -> None:
        self._tell("fault", {"rpc": rpc, "kind": kind, "times": times})

    def _tell(self, what: str, values: dict[str, Any]) -> None:
        request = urllib.request.Request(
            f"{self.simulator}/sim/{what}",
            json.dumps(values).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            assert reply.status == 200

    # ---- the library -------------------------------------------------------------------------

    def ask(self, work: Callable[[FlowKit], Awaitable[T]]) -> T:
        """Do something as a process that never works the queue itself."""

        async def asked() -> T:
            async with self.client() as kit:
                return await work(kit)

        return asyncio.run(asked())

    @asynccontextmanager
    async def client(self) -> AsyncGenerator[FlowKit]:
        settings = settings_of(self.folder, self.port, self.simulator)
        async with Database.open(settings.database) as db:
            yield FlowKit(settings, db, Clock(), LeaderLock(settings.leader_lock))

    def film(self) -> str:
        """A scene with a picture; its id. The first server ever works here, so pairing is done after it."""
        first = self.start_server("first")
        try:

            async def made(kit: FlowKit) -> str:
                await kit.ready(PATIENCE_S)
                video = await (await Project.create(kit, "Harbour")).add_video("Harbour")
                scene = await video.add_scene("A harbour at dawn")
                result = await scene.execute_generate_image(H)
                assert result.success, result.error
                clip = await scene.execute_generate_video(H)  # proves the rule of derived ids
                assert clip.success, clip.error
                return scene.id

            file = settings_of(self.folder, self.port, self.simulator).database
            _until(
                lambda: (
                    file.exists()
                    and self.rows("PRAGMA user_version")[0]["user_version"] == newest()
                )
            )
            return self.ask(made)
        finally:
            first.kill()

    def order(self, scene: str, kind: str) -> int:
        """One more take of that scene: `video`, `image` or `larger`; the job's id."""

        number = next(self._numbers)

        async def ordered(kit: FlowKit) -> int:
            place = await Scene.get(kit, scene)
            if kind == "image":
                return (await place.generate_image(H, new_take=True, seed=number)).id
            if kind == "larger":  # without a seed: while one is made, this is the same job
                return (await place.upscale_image(H, resolution="4K", new_take=True)).id
            return (await place.generate_video(H, new_take=True, seed=number)).id

        job = self.ask(ordered)
        TALLY.add(jobs=job not in self._ordered)
        self._ordered.add(job)
        return job

    def rows(self, sql: str, *args: Any) -> list[dict[str, Any]]:
        """From the database as it is now."""
        file = self.folder / "library" / ".flowkit" / "flowkit.db"
        with contextlib.closing(sqlite3.connect(file, timeout=10)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql, args)]

    def job(self, id: int) -> Job:
        return Job.model_validate(self.rows("SELECT * FROM job WHERE id = ?", id)[0])

    def paid(self, id: int) -> list[dict[str, Any]]:
        """What Flow keeps charged for a job."""
        ours = {Seeds.parse(op["client_ref"]).media for op in self.calls(id)}
        return [entry for entry in self.charges() if entry["seed"] in ours]

    def calls(self, id: int) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM operation WHERE job_id = ? ORDER BY id", id)

    # ---- the books ---------------------------------------------------------------------------

    def check_books(self) -> None:
        """Both sides' accounts agree, at any moment, whoever is alive."""
        before = self.rows("SELECT * FROM operation WHERE state IN ('submitted','done')")
        charged = self.charges()
        calls = self.rows("SELECT * FROM operation")
        of_seed = {Seeds.parse(op["client_ref"]).media: op for op in calls}
        seeds = [entry["seed"] for entry in charged if entry["seed"] is not None]
        twice = len(seeds) - len(set(seeds))
        by_job: dict[int, int] = {}
        for seed in seeds:
            assert seed in of_seed, "Flow was asked for something that nobody wrote down"
            job = of_seed[seed]["job_id"]
            by_job[job] = by_job.get(job, 0) + 1
        twice += sum(number - 1 for number in by_job.values())
        TALLY.add(double=twice)
        assert twice == 0, {job: number for job, number in by_job.items() if number > 1}
        known = {entry["seed"] for entry in self._all_charges()}
        for op in before:
            seed = Seeds.parse(op["client_ref"]).media
            assert seed in known or None in known, (
                f"call {op['id']} counts as sent, Flow never saw it"
            )
        live = self.rows(
            "SELECT job_id FROM operation WHERE state IN ('intended','submitted','unknown') "
            "GROUP BY job_id HAVING count(*) > 1"
        )
        assert live == []
        assert self.rows("SELECT job_id FROM take GROUP BY job_id HAVING count(*) > 1") == []

    def _all_charges(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.simulator}/sim/ledger", timeout=20) as reply:
            return [e for e in json.load(reply)["entries"] if e["kind"] == "charge"]

    def check_files(self) -> None:
        """While nobody works: no unfinished file, none that no row knows, each is what its row says."""
        library = self.folder / "library"
        rows = {library / row["path"]: row["sha256"] for row in self.rows("SELECT * FROM asset")}
        files = {
            file for file in library.rglob("*") if file.is_file() and ".flowkit" not in file.parts
        }
        assert files == set(rows), files ^ set(rows)
        for file, digest in rows.items():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == digest

    def check_nothing_lost(self, forgiven: set[int] | None = None) -> None:
        """When all jobs have ended: each charge that Flow kept has its take, but for jobs that were cancelled."""
        of_seed = {
            Seeds.parse(op["client_ref"]).media: op for op in self.rows("SELECT * FROM operation")
        }
        took = {row["job_id"] for row in self.rows("SELECT job_id FROM take")}
        lost = {
            of_seed[entry["seed"]]["job_id"]
            for entry in self.charges()
            if entry["seed"] is not None
            and of_seed[entry["seed"]]["job_id"] not in took | (forgiven or set())
        }
        TALLY.add(lost=len(lost))
        assert lost == set(), [(id, self.job(id).state, self.job(id).message) for id in lost]

    def unfinished(self) -> list[Job]:
        rows = self.rows(
            "SELECT * FROM job WHERE state NOT IN ('succeeded','failed','cancelled') ORDER BY id"
        )
        return [Job.model_validate(row) for row in rows]

    def answer_questions(self) -> int:
        """As a person who looks into Flow first; how many there were. One may be cancelled meanwhile."""
        asked = [job for job in self.unfinished() if job.state is JobState.NEEDS_ATTENTION]
        charges = {entry["seed"]: entry["media_id"] for entry in self.charges()}
        for job in asked:
            with contextlib.suppress(Conflict):
                self._answer(job, charges)
        return len(asked)

    def _answer(self, job: Job, charges: dict[str, str]) -> None:
        live = [op for op in self.calls(job.id) if op["state"] == "unknown"]
        if not live:
            self.ask(lambda kit, id=job.id: kit.resolve(id, "retry"))
        elif seen := charges.get(Seeds.parse(live[0]["client_ref"]).media):
            self.ask(lambda kit, id=job.id, seen=seen: kit.resolve(id, "attach", seen))
        else:
            self.ask(lambda kit, id=job.id: kit.resolve(id, "submit_again"))


@contextmanager
def lane_world(folder: Path, lane: str, chaos: int | None = None) -> Generator[LaneWorld]:
    folder.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time:
        _preload()
    world = LaneWorld(folder, lane, chaos)
    try:
        yield world
    finally:
        world.close()


def _keep(port: int) -> socket.socket:
    """A server may listen there all the same; while none does, it is no other test's free port (`free_ports`)."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind((HOST, port))
    return kept


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
