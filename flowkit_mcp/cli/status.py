"""A short look at a library from outside: nothing is opened for work, nobody is disturbed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import typer

from flowkit_mcp.app import FlowKit, Status
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import Gate, JobState
from flowkit_mcp.errors import NotFound
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock


@asynccontextmanager
async def looking(settings: Settings) -> AsyncGenerator[FlowKit]:
    """The library for reading. It does not stand for leadership and makes nothing.

    Raises:
        NotFound: there is no library yet.
    """
    if not settings.database.is_file():
        raise NotFound(
            f"there is no library in {settings.library} yet",
            hint="It is made when a client starts FlowKit for the first time, or by flowkit-mcp demo.",
        )
    async with Database.open(settings.database) as db:
        yield FlowKit(settings, db, Clock(), LeaderLock(settings.leader_lock))


def is_led(settings: Settings) -> bool:
    """Whether a living process works this library; the lock says so, not a row."""
    if not settings.leader_lock.exists():
        return False
    lock = LeaderLock(settings.leader_lock)
    try:
        return not lock.try_acquire()
    finally:
        lock.release()


async def status(settings: Settings, *, as_json: bool) -> int:
    """Print it."""
    led = is_led(settings)
    async with looking(settings) as kit:
        now = await kit.status()
    if as_json:
        typer.echo(now.model_dump_json(exclude={"leading"}, indent=2))
        return 0
    kind = "simulated library" if now.simulated else "library"
    typer.echo(f"FlowKit {now.version}, {kind} {now.library}")
    if led and now.leader is not None:
        typer.echo(f"Process {now.leader.pid} works it.")
        typer.echo(connection(now))
    else:
        typer.echo("No process works it: start your MCP client, or flowkit-mcp worker.")
    typer.echo(queue(now))
    return 0


def connection(status: Status) -> str:
    """The browser, the account and the gate, in a line."""
    state = status.provider
    if state is not None and state.gate is not Gate.OPEN and state.message:
        return f"Flow is {state.gate}: {state.message}"
    if state is None or not state.connected:
        return "No browser is connected."
    account = state.account
    if account is None:
        return "A browser is connected; Flow has not told the account yet."
    credits = "unknown" if account.credits is None else str(account.credits)
    return f"Connected: {account.label}, tier {account.tier}, {credits} credits."


def queue(status: Status) -> str:
    """The jobs that have not ended, and the credits spent, in a line."""
    counts = [
        f"{status.jobs[state]} {state.replace('_', ' ')}"
        for state in JobState
        if not state.final and status.jobs.get(state)
    ]
    jobs = ", ".join(counts) if counts else "nothing to do"
    return f"Queue: {jobs}. Spent so far: {status.spent_credits} credits."
