"""Walks through both lanes of the real stack: kills, cancels, faults and new work in any order; the books agree always.

By hand, for longer: `pytest tests/crash/test_lane_walk.py --seed 7 --kills 2000`.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL", allow_module_level=True)

from lane_world import Actor, LaneWorld, lane_world
from tally import TALLY

from flowkit_mcp import FlowKit
from flowkit_mcp.domain.models import Gate, JobState
from flowkit_mcp.errors import Conflict

pytestmark = pytest.mark.crash

MOST_OPEN = 8
MOST_SERVERS = 3
#: Rpcs of this walk's calls, and what may happen to the next one of them.
RPCS = ("eb1hJf", "ogiZ0b", "SPrCad", "jwpduf", "as29s", "nzlxg")
FAULTS = ("cut_before", "cut_after", "internal", "internal_after", "unavailable", "null_payload",
          "er_frame", "concurrent", "exhausted", "unauthenticated")  # fmt: skip
#: Seconds for all that is left when nobody is killed any more.
CALM_S = 120.0


class Walk:
    """One world, and a roll that decides what happens next to it."""

    def __init__(self, world: LaneWorld, seed: int) -> None:
        self._world = world
        self._roll = random.Random(seed)
        self._scene = world.film()
        self._servers: dict[str, Actor] = {}
        self._number = 0
        self._ordered: set[int] = set()
        self._cancelled: set[int] = set()
        self.kills = 0

    def go(self, kills: int) -> None:
        steps = (self._order, self._order, self._open_fire, self._open_fire, self._open_fire,
                 self._kill_server, self._kill_browser, self._fault, self._cancel, self._wait)  # fmt: skip
        while self.kills < kills:
            self._serve()
            self._roll.choice(steps)()
            self._reap()
            self._person()
            self._world.check_books()
        self._calm_down()
        self._settle()

    # ---- what happens ------------------------------------------------------------------------

    def _serve(self) -> None:
        """One to three servers; who leads is settled among them."""
        while not self._servers or (
            len(self._servers) < MOST_SERVERS and self._roll.random() < 0.2
        ):
            self._number += 1
            name = f"server{self._number}"
            self._servers[name] = self._world.start_server(name)

    def _order(self) -> None:
        if len(self._world.unfinished()) < MOST_OPEN:
            kind = self._roll.choices(("video", "image", "larger"), (5, 3, 2))[0]
            with contextlib.suppress(Conflict):  # the same thing is just being cancelled
                self._ordered.add(self._world.order(self._scene, kind))

    def _open_fire(self) -> None:
        """Whoever comes to the n-th step from now on ends there the leader, the browser or both."""
        leader = self._leader()
        if leader is None:
            self._wait()
            return
        victims = self._roll.choice(([leader], [leader], ["browser"], [leader, "browser"]))
        self._world.bomb.arm("*", victims, nth=self._roll.randrange(1, 12))
        deadline = time.monotonic() + 2
        while self._world.bomb.armed and time.monotonic() < deadline:
            if not self._world.unfinished():
                self._order()
            time.sleep(0.05)
        self._world.bomb.disarm()

    def _leader(self) -> str | None:
        rows = self._world.rows("SELECT pid FROM leader")
        for name in self._servers:
            file = self._world.folder / f"{name}.pid"
            if rows and file.exists() and file.read_text() == str(rows[0]["pid"]):
                return name
        return None

    def _kill_server(self) -> None:
        self._servers[self._roll.choice(list(self._servers))].kill()

    def _kill_browser(self) -> None:
        self._world.browser.kill()

    def _fault(self) -> None:
        self._world.fault(self._roll.choice(RPCS), self._roll.choice(FAULTS))

    def _cancel(self) -> None:
        left = self._world.unfinished()
        if not left or self._roll.random() < 0.5:
            return
        job = self._roll.choice(left)
        try:
            self._world.ask(lambda kit: kit.cancel(job.id))
        except Conflict:
            return  # it has ended meanwhile
        self._cancelled.add(job.id)

    def _wait(self) -> None:
        time.sleep(self._roll.uniform(0, 0.5))

    # ---- afterwards --------------------------------------------------------------------------

    def _reap(self) -> None:
        for name, server in list(self._servers.items()):
            if (code := server.exitcode) is not None:
                assert code == -9, f"a server ended by itself: {code}"
                del self._servers[name]
                self._world.bomb.buried(name)
                TALLY.add(kills=1)
                self.kills += 1
        if self._world.browser.exitcode is not None:
            self.kills += 1
            self._world.mend_browser()

    def _person(self) -> None:
        """Answers what is asked, now and then."""
        if self._roll.random() < 0.3:
            self._world.answer_questions()
            self._world.ask(_reopen)

    def _calm_down(self) -> None:
        """No more kills: all that was ordered ends."""
        deadline = time.monotonic() + CALM_S
        while left := self._world.unfinished():
            self._reap()  # a bomb that was taken before it could be disarmed may still kill
            self._serve()
            told = [(job.id, job.state, job.message) for job in left]
            alive = [name for name, server in self._servers.items() if server.exitcode is None]
            assert time.monotonic() < deadline, (told, alive, self._leader())
            self._world.answer_questions()
            self._world.ask(_reopen)
            time.sleep(0.2)
        for server in self._servers.values():
            server.kill()

    def _settle(self) -> None:
        self._world.check_books()
        self._world.check_files()
        cancelled = {
            id for id in self._cancelled if self._world.job(id).state is JobState.CANCELLED
        }
        self._world.check_nothing_lost(forgiven=cancelled)
        ends = {id: self._world.job(id) for id in self._ordered}
        for id, job in ends.items():
            assert job.state.final
            if job.state is JobState.FAILED:  # Flow itself said no, and kept nothing
                assert self._world.paid(id) == [], (job.reason, job.message)
            if job.state is JobState.SUCCEEDED:
                assert len(self._world.rows("SELECT 1 FROM take WHERE job_id = ?", id)) == 1


async def _reopen(kit: FlowKit) -> None:
    state = await kit.provider_state()
    if state is not None and state.gate is not Gate.OPEN and state.resume_at is None:
        await kit.reopen()


def test_no_order_of_kills_faults_and_cancels_pays_twice_or_loses_a_take_in_either_lane(
    tmp_path: Path, walk_seed: int, walk_kills: int
) -> None:
    worlds = [("batchexecute", walk_seed), ("labs", walk_seed)]
    worlds += [(lane, seed + 1000) for lane, seed in worlds]

    def walk(lane: str, seed: int) -> None:
        with lane_world(tmp_path / f"{lane}-{seed}", lane) as world:
            Walk(world, seed).go(-(-walk_kills // len(worlds)))

    with ThreadPoolExecutor(len(worlds)) as pool:
        for told in [pool.submit(walk, *world) for world in worlds]:
            told.result()
