"""The three programs of a real stack, each in a process of its own, and the bomb that kills them at a named point.

A bomb is a file: whoever comes to its point takes it (one rename, so only one can) and kills its victims, itself last.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from whole import QuickRenderer

from flowkit_mcp.app import FlowKit
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.bridge.protocol import Phase
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain import policy
from flowkit_mcp.providers.base import RemoteMedia
from flowkit_mcp.providers.flow import lookup
from flowkit_mcp.providers.flow.provider import FlowProvider
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator import browser as stand_in
from flowkit_mcp.simulator.browser import StandInBrowser
from flowkit_mcp.work import gate, workshop

CREDITS = 10_000_000
#: Where a browser's part of a paid call can be killed, in order, as bombs name it.
BROWSER_POINTS = tuple(f"browser_{name}" for name in ("accepted", "minting", "sent", "done"))
#: Exit code of a server whose jobs did not come to rest.
RESTLESS = 3


class Bomb:
    """One process's view of the world's bomb."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "bomb.json"
        self._counts: dict[str, itertools.count[int]] = {}

    def arm(self, point: str, victims: list[str], nth: int = 1) -> None:
        """`point` `*` is any; `nth` counts what one process comes to from now on."""
        text = json.dumps({"id": time.time_ns(), "point": point, "victims": victims, "nth": nth})
        new = self._file.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self._file)

    @property
    def armed(self) -> bool:
        return self._file.exists()

    def disarm(self) -> bool:
        """True: it had not gone off."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True

    def at(self, point: str) -> None:
        """A process is at `point` now; perhaps this is its end."""
        try:
            told: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            if told["point"] not in (point, "*"):
                return
            if next(self._counts.setdefault(str(told["id"]), itertools.count(1))) < told["nth"]:
                return
            self._file.rename(self._folder / "exploded.json")
        except (FileNotFoundError, ValueError):
            return
        for pid in sorted(map(self._pid, told["victims"]), key=lambda pid: pid == os.getpid()):
            with contextlib.suppress(ProcessLookupError):  # it has died of something else meanwhile
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)

    def _pid(self, name: str) -> int | None:
        """None: it is gone (`buried`)."""
        try:
            return int((self._folder / f"{name}.pid").read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None

    def buried(self, name: str) -> None:
        """This process is gone, and its number may soon be another's."""
        (self._folder / f"{name}.pid").unlink(missing_ok=True)

    def hold(self, seconds: float) -> None:
        """The next accepted call is answered so much later."""
        (self._folder / "hold").write_text(str(seconds), encoding="utf-8")

    def held(self) -> float:
        try:
            seconds = float((self._folder / "hold").read_text(encoding="utf-8"))
            (self._folder / "hold").unlink()
        except FileNotFoundError:
            return 0.0
        return seconds


def _end_with_the_tests() -> None:
    """However pytest ends, nobody is left behind."""
    tests = multiprocessing.parent_process()
    assert tests is not None

    def watch() -> None:
        tests.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def simulate(folder: Path, port: int, lane: str, chaos: int | None) -> None:
    """Flow itself; it is at `charged` when it has taken a call and not answered it yet."""
    _end_with_the_tests()
    bomb = Bomb(folder)

    async def run() -> None:
        async with Simulator.run(
            folder / "simulator",
            port=port,
            pace=0.02,
            tier="ultra",
            credits=CREDITS,
            renderer=QuickRenderer(),
            lane=lane,  # type: ignore[arg-type]
            chaos=chaos,
        ) as sim:
            service = sim.service
            account = service.account().name
            if not service.projects(account):  # without one, lane labs shows no prices
                service.create_project(account, "My first project")
            book = service._book

            def booked(kind: Any, media: Any, reason: str) -> None:
                book(kind, media, reason)
                if kind == "charge":
                    service.save()
                    bomb.at("charged")
                    time.sleep(bomb.held())  # nobody is answered meanwhile, which is the point

            service._book = booked  # type: ignore[method-assign]
            take_fault = service.take_fault

            def met(rpc: str) -> Any:
                kind = take_fault(rpc)
                if kind is not None:
                    with (folder / "faults").open("a", encoding="utf-8") as file:
                        file.write(f"{rpc} {kind}\n")
                return kind

            service.take_fault = met  # type: ignore[method-assign]
            (folder / "simulator.up").touch()
            await asyncio.Event().wait()

    asyncio.run(run())


def browse(folder: Path, port: int, simulator: str) -> None:
    """The stand-in browser; it is at `browser_<phase>` when a paid call's phase is on its disk."""
    _end_with_the_tests()
    bomb = Bomb(folder)
    (folder / "browser.pid").write_text(str(os.getpid()))
    stand_in.BACKOFF_S = (0.1, 0.4)

    def on_phase(call_id: str, phase: Phase) -> None:
        if "." in call_id:  # a client_ref: the call may cost
            bomb.at(f"browser_{phase.value}")

    async def run() -> None:
        paired = (folder / "profile" / "profile.json").exists()
        settings = settings_of(folder, port, simulator)
        code = None
        if not paired:
            code = PairingBook(settings.pairing_file, Clock()).issue_code(port)
        await StandInBrowser(
            simulator=simulator,
            code=code,
            port=port,
            profile=folder / "profile",
            on_phase=on_phase,
        ).run()

    asyncio.run(run())


def serve(folder: Path, port: int, simulator: str, name: str, ids: list[int] | None) -> None:
    """A server: until these jobs rest, or for ever; it is at each step that the worker announces."""
    _end_with_the_tests()
    bomb = Bomb(folder)
    (folder / f"{name}.pid").write_text(str(os.getpid()))
    _hurry()
    fetch = FlowProvider.fetch

    async def half_then_all(self: FlowProvider, media: RemoteMedia, to: Path) -> None:
        await fetch(self, media, to)
        whole = to.read_bytes()
        to.write_bytes(whole[: len(whole) // 2])
        bomb.at("downloading")
        to.write_bytes(whole)

    FlowProvider.fetch = half_then_all  # type: ignore[method-assign]

    async def work() -> int:
        async with FlowKit.open(settings_of(folder, port, simulator), on_step=bomb.at) as kit:
            if ids is None:
                await asyncio.Event().wait()
            rows = await kit.wait_all(ids or [], timeout=45)
            rest = all(row.state.final or row.state.value == "needs_attention" for row in rows)
            return 0 if rest else RESTLESS

    sys.exit(asyncio.run(work()))


def settings_of(folder: Path, port: int, simulator: str) -> Settings:
    return Settings(library=folder / "library", port=port, simulator=simulator)


def _hurry() -> None:
    """Waits are short here; what is waited for, and who is asked, stays as it is."""
    policy.LONGEST_BACKOFF_MS = 100
    gate.SHORTEST_PAUSE_MS = gate.LONGEST_PAUSE_MS = 200
    workshop.READ_AGAIN_MS = 200
    lookup._longest_limit_s = lambda _facts: (
        5.0
    )  # how long a browser that is gone may still be busy
    real = policy.decide

    def hasty(error: Any, verb: Any, attempts: int, now: int, roll: float) -> policy.Decision:
        decision = real(error, verb, attempts, now, roll)
        if isinstance(decision, policy.Wait):
            return policy.Wait(min(decision.until, now + 200), decision.gate)
        return decision

    workshop.decide = hasty
