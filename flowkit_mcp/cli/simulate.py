"""The simulator as a program of its own, with a stand-in browser that connects it to its library."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from flowkit_mcp.bridge.pairing import CODE_LIFE_MS, PairingBook
from flowkit_mcp.cli.library import simulator_folder
from flowkit_mcp.cli.ports import taken
from flowkit_mcp.cli.stopping import parent_gone
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.browser import StandInBrowser
from flowkit_mcp.simulator.browser_profile import BrowserProfile
from flowkit_mcp.simulator.chaos import Mix
from flowkit_mcp.simulator.state import Lane, Tier

STANDBY_EVERY_S = 0.5
#: A code not taken by then is replaced, so that FlowKit may start long after the simulator.
CODE_PATIENCE_S = CODE_LIFE_MS / 1000 * 0.9

log = logging.getLogger("flowkit.simulator")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Kind:
    """What kind of Flow is simulated, as `Simulator.run` takes it; `lane` None: each account keeps its own."""

    tier: Tier = "pro"
    credits: int | None = None
    pace: float = 1.0
    lane: Lane | None = None
    chaos: int | None = None
    chaos_mix: Mix = "honest"


async def simulate(
    settings: Settings,
    *,
    port: int,
    kind: Kind,
    browser: bool,
    standby: bool,
    until_parent_is_gone: bool,
    say: Say,
) -> int:
    """Run until cancelled; with `standby` wait first while another simulator has the port.

    Raises:
        Conflict: the port is taken.
    """
    work = asyncio.create_task(
        _work(settings, port, kind, browser=browser, standby=standby, say=say)
    )
    waits: set[asyncio.Task[None]] = {work}
    if until_parent_is_gone:
        waits.add(asyncio.create_task(parent_gone()))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
        return 0
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _work(
    settings: Settings,
    port: int,
    kind: Kind,
    *,
    browser: bool,
    standby: bool,
    say: Say,
) -> None:
    if standby:
        await _until_free(port, say)
    while True:
        try:
            async with simulator(
                settings, port=port, kind=kind, browser=browser, say=say
            ) as service:
                say(f"Simulator      {service.url}  (SIMULATED credits: {service.balance})")
                say(f"What it made   {service.url}/made")
                say(f"YouTube        {service.youtube.url} (local: nothing leaves this machine)")
                say(f"Library        {settings.library}")
                if kind.chaos is not None:
                    say(f"Chaos          seed {kind.chaos}, mix {kind.chaos_mix}")
                say("Ctrl-C ends it.")
                await asyncio.Event().wait()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if standby:  # somebody else was quicker
                await _until_free(port, say)
                continue
            raise await _taken(port) from error


@asynccontextmanager
async def simulator(
    settings: Settings,
    *,
    port: int = 0,
    kind: Kind | None = None,
    browser: bool = True,
    say: Say = lambda _: None,
) -> AsyncGenerator[Simulator]:
    """The simulator of a library; with a stand-in browser that keeps itself connected to its bridge.

    Raises:
        OSError: the port is taken.
    """
    kind = kind or Kind()
    async with Simulator.run(
        simulator_folder(settings) / "flow",
        port=port,
        tier=kind.tier,
        credits=kind.credits,
        pace=kind.pace,
        chaos=kind.chaos,
        chaos_mix=kind.chaos_mix,
    ) as service:
        if kind.lane is not None:
            service.switch(lane=kind.lane)  # also of an account that is there already
            first_project(service)
        if not browser:
            yield service
            return
        task = asyncio.create_task(_browse(settings, service.url, say), name="stand-in browser")
        task.add_done_callback(_complain)
        try:
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def first_project(service: Simulator) -> None:
    """What a person does first in Flow; an account without a project is shown no prices in lane labs."""
    flow = service.service
    account = flow.account().name
    if not flow.projects(account):
        flow.create_project(account, "My first project")


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the stand-in browser ended", exc_info=error)


async def _browse(settings: Settings, url: str, say: Say) -> None:
    book = PairingBook(settings.pairing_file, Clock())
    profile = simulator_folder(settings) / "browser"
    while True:
        instance = BrowserProfile(profile).identity.instance
        paired = any(known.instance == instance for known in book.profiles())
        code = None if paired else book.issue_code(settings.port)
        browser = StandInBrowser(simulator=url, code=code, port=settings.port, profile=profile)
        say(f"Stand-in browser: looking for FlowKit on port {settings.port}")
        running = asyncio.create_task(browser.run())
        connected = asyncio.create_task(browser.connected.wait())
        try:
            await asyncio.wait(
                {running, connected},
                timeout=None if paired else CODE_PATIENCE_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if connected.done():
                say(f"Stand-in browser: connected to FlowKit on port {settings.port}")
                await running
            if running.done():
                await running
        finally:
            for task in (running, connected):
                task.cancel()
            await asyncio.gather(running, connected, return_exceptions=True)


async def _until_free(port: int, say: Say) -> None:
    waiting = False
    while taken(port):
        if not waiting:
            waiting = True
            here = await is_simulator(port)
            what = "the simulator there is used" if here else "ANOTHER PROGRAM has it"
            say(f"Port {port} is taken: {what}; standing by")
        await asyncio.sleep(STANDBY_EVERY_S)


async def _taken(port: int) -> Conflict:
    if await is_simulator(port):
        return Conflict(
            f"a simulator already runs on port {port}",
            hint=f"Look at http://127.0.0.1:{port}/made, or choose another --port.",
        )
    return Conflict(
        f"port {port} is in use by another program", hint="Choose another one with --port."
    )


async def is_simulator(port: int) -> bool:
    """Whether a simulator answers on a loopback port."""
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=2) as client:
            reply = await client.get(f"http://127.0.0.1:{port}/sim/ledger")
            told: Any = reply.json()
    except (httpx2.HTTPError, ValueError):
        return False
    return isinstance(told, dict) and "charged" in told
