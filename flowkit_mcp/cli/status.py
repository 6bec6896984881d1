"""A short look at a library from outside: nothing is opened for work, nobody is disturbed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import typer

from flowkit_mcp.app import FlowKit, Status
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.errors import NotFound
from flowkit_mcp.sdk.forecast import Forecast
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
            hint="Start your MCP client, or flowkit-mcp worker: they make it. flowkit-mcp demo makes one of its own.",
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
        if led:
            await kit.look()
        now = await kit.status(led=led)
        left = (await Forecast.now(kit)).of_all() if led else None
    if as_json:
        typer.echo(now.model_dump_json(exclude={"leading"}, indent=2))
        return 0
    kind = "simulated library" if now.simulated else "library"
    typer.echo(f"FlowKit {now.version}, {kind} {now.library}")
    if led and now.leader is not None:
        typer.echo(f"Process {now.leader.pid} works it.")
    for line in connection(now):
        typer.echo(line)
    typer.echo(queue(now) + (f" The last job ends in {left}." if left else ""))
    return 0


def connection(status: Status) -> list[str]:
    """The browser, the account, the gate and whether Flow answers as expected, a line each; next steps after `->`."""
    browser, state = status.browser, status.provider
    lines = [f"Browser: {browser.what}."]
    if browser.next:
        lines.append(f"  -> {browser.next}")
    account = state.account if state is not None else None
    if account is not None:
        credits = "unknown" if account.credits is None else str(account.credits)
        seen = "" if browser.fine else " when last seen"
        lines.append(f"Account: {account.label}, tier {account.tier}, {credits} credits{seen}.")
    if state is not None and state.closed(Clock().now()) and browser.state != "port_taken":
        lines.append(f"Flow is {state.gate}: {state.message or state.reason}")
    if (check := self_check(status)) is not None:
        lines.append(check[1])
    if status.facts_trouble is not None:
        lines.append(f"Ignored: {status.facts_trouble}")
    return lines


def self_check(status: Status) -> tuple[bool, str] | None:
    """Whether all is as expected, and the last self-check in a line; None if there was none."""
    checks = status.provider.checks if status.provider is not None else None
    found = checks.self_check if checks is not None else None
    if found is None:
        return None
    trouble = [call for call in found.calls if call.state != "ok"]
    if not trouble:
        return True, f"Flow answers as expected: {len(found.calls)} calls, lane {found.lane}."
    told = "; ".join(f"{call.call} {call.state}: {call.message}" for call in trouble)
    return False, f"Flow does not answer as this version expects, lane {found.lane}: {told}."


def queue(status: Status) -> str:
    """The jobs that have not ended, and the credits spent, in a line."""
    counts = [
        f"{status.jobs[state]} {state.replace('_', ' ')}"
        for state in JobState
        if not state.final and status.jobs.get(state)
    ]
    jobs = ", ".join(counts) if counts else "nothing to do"
    return f"Queue: {jobs}. Spent so far: {status.spent_credits} credits."
