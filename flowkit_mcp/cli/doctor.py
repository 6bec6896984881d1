"""The truth about an installation, as a list of checks that each say what to do next."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
from collections.abc import AsyncGenerator, AsyncIterator

import typer
from pydantic import BaseModel

from flowkit_mcp import __version__
from flowkit_mcp.app import Status
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.cli.doctor_check import Check, Verdict
from flowkit_mcp.cli.doctor_library import examine_contents
from flowkit_mcp.cli.library import network_share, synced_by
from flowkit_mcp.cli.ports import owner, taken
from flowkit_mcp.cli.status import is_led, looking, queue, self_check
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.errors import FlowKitError, LibraryTrouble
from flowkit_mcp.media.binaries import find_ffmpeg, lacking, version
from flowkit_mcp.simulator.chromium_find import NoChromium, chromium_version, find_chromium
from flowkit_mcp.store.engine import Damaged, has_wal_reset_bug, sqlite_version
from flowkit_mcp.store.migrate import newest, schema_version

ENOUGH_BYTES = 2 * 1024**3


async def report(checks: AsyncIterator[Check], *, as_json: bool) -> int:
    """Print the checks as they come, or as one JSON object; 1 if anything is broken."""
    marks = {"ok": "ok     ", "warning": "warning", "broken": "BROKEN "}
    done: list[Check] = []
    async for check in checks:
        done.append(check)
        if not as_json:
            typer.echo(f"{marks[check.verdict]}  {check.name}: {check.found}")
            if check.next:
                typer.echo(f"         -> {check.next}")
    broken = [check for check in done if check.verdict == "broken"]
    if as_json:
        typer.echo(_Report(ok=not broken, checks=done).model_dump_json(indent=2))
    else:
        typer.echo(f"\n{len(broken)} broken." if broken else "\nNothing is broken.")
    return 1 if broken else 0


async def examine(settings: Settings) -> AsyncGenerator[Check]:
    """All checks, the cheap ones first."""
    yield _program()
    yield _library(settings)
    yield await _ffmpeg(settings)
    yield await asyncio.to_thread(_chromium)
    led = is_led(settings)
    check, status, contents = await _database(settings, led)
    yield check
    for check in contents:
        yield check
    yield _leader(status, led)
    yield await asyncio.to_thread(_port, settings, status, led)
    for check in _flow(settings, status, led):
        yield check


def _program() -> Check:
    found = f"{__version__} on Python {platform.python_version()}, {platform.system()}"
    return Check(name="FlowKit", verdict="ok", found=found)


def _library(settings: Settings) -> Check:
    folder = settings.library
    kind = "simulated" if settings.simulated else "real"
    found = f"{folder} ({kind})"
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        return Check(
            name="library",
            verdict="broken",
            found=f"{found} cannot be written",
            next="Choose another folder with --library or FLOWKIT_LIBRARY.",
        )
    synced = synced_by(folder)
    if synced:
        return Check(
            name="library",
            verdict="warning",
            found=f"{found} lies in {synced!r}, which another program copies",
            next="A database must not be synced while it is open: move the library, set FLOWKIT_LIBRARY.",
        )
    share = network_share(there)
    if share:
        return Check(
            name="library",
            verdict="warning",
            found=f"{found} lies on a network drive ({share})",
            next="Locks do not hold there, and two programs may work at once: move it to a disk of this machine.",
        )
    free = shutil.disk_usage(there).free
    if free < ENOUGH_BYTES:
        return Check(
            name="library",
            verdict="warning",
            found=f"{found}, only {free / 1024**3:.1f} GB free",
            next="Clips are some MB each, upscales more: make room.",
        )
    return Check(name="library", verdict="ok", found=f"{found}, {free / 1024**3:.0f} GB free")


async def _ffmpeg(settings: Settings) -> Check:
    try:
        binary = find_ffmpeg(settings.ffmpeg)
        found = f"{await version(binary)} at {binary}"
        missing = await lacking(binary)
    except FlowKitError as error:
        return Check(name="ffmpeg", verdict="broken", found=error.message, next=error.hint)
    if missing:
        return Check(
            name="ffmpeg",
            verdict="warning",
            found=f"{found}, built without {', '.join(missing)}",
            next="The ffmpeg FlowKit brings is used instead where these are needed.",
        )
    return Check(name="ffmpeg", verdict="ok", found=found)


def _chromium() -> Check:
    """Only for the demo: real work goes through the person's own Chrome, whichever it is."""
    use = "for demo --browser"
    try:
        binary = find_chromium()
    except NoChromium as error:
        return Check(
            name="Chromium",
            verdict="ok",
            found=f"{error.message}; only {use}, which says how to get one",
        )
    named = chromium_version(binary) or "one"
    return Check(name="Chromium", verdict="ok", found=f"{named} at {binary}, {use}")


async def _database(settings: Settings, led: bool) -> tuple[Check, Status | None, list[Check]]:
    sqlite = f"SQLite {sqlite_version()}{_wal_note()}"
    contents: list[Check] = []
    if not settings.database.is_file():
        found = f"none yet, the first start makes it; {sqlite}"
        return Check(name="database", verdict="ok", found=found), None, contents
    broken = Check(name="database", verdict="broken", found="")
    status: Status | None = None
    try:
        async with looking(settings) as kit:
            schema, verdict = await schema_version(kit.db), await kit.db.quick_check()
            if schema == newest() and verdict == "ok":
                if led:
                    await kit.look()
                status = await kit.status(led=led)
                contents = await examine_contents(kit)
    except (Damaged, LibraryTrouble) as error:
        schema, verdict = 0, error.message if isinstance(error, LibraryTrouble) else str(error)
    if verdict != "ok":
        broken.found = f"damaged: {verdict}; {sqlite}"
        broken.next = _put_back(settings)
        return broken, None, contents
    if schema > newest():
        broken.found = f"schema {schema}, this FlowKit knows {newest()}; {sqlite}"
        broken.next = "Update FlowKit."
        return broken, None, contents
    note = "" if schema == newest() else f" (the next start brings it to {newest()})"
    found = f"sound, schema {schema}{note}; {sqlite}"
    return Check(name="database", verdict="ok", found=found), status, contents


def _put_back(settings: Settings) -> str:
    copies = sorted(settings.state_dir.glob("backup-*.db"), key=lambda file: file.stat().st_mtime)
    name = settings.database.name
    if not copies:
        return f"End all FlowKit processes and move {name} away: a new one is begun; the media stay where they are."
    return (
        f"End all FlowKit processes, copy {settings.state_dir} away, delete {name}-wal and {name}-shm in it, "
        f"and put {copies[-1].name} in place of {name}."
    )


def _wal_note() -> str:
    """Not worth a warning: it takes two writers that move the log at the same instant, and only the leader does."""
    if not has_wal_reset_bug(sqlite_version()):
        return ""
    return " (has the rare WAL-reset bug, mended in 3.51.3; only one process moves the log, and a copy is made daily)"


def _leader(status: Status | None, led: bool) -> Check:
    if not led or status is None or status.leader is None:
        return Check(
            name="worker",
            verdict="ok",
            found="no process works this library now; the next one to start will",
        )
    leader = status.leader
    found = f"process {leader.pid} works this library, FlowKit {leader.version}"
    if status.leader_silent:
        return Check(
            name="worker",
            verdict="warning",
            found=f"{found}, and has not answered for more than 30 s",
            next=f"If it does not recover, end process {leader.pid}; another one takes over at once.",
        )
    return Check(name="worker", verdict="ok", found=found)


def _port(settings: Settings, status: Status | None, led: bool) -> Check:
    in_use = taken(settings.port)
    waited_for = status is not None and status.browser.state == "port_taken"
    if in_use and (waited_for or not led):
        return Check(
            name="bridge",
            verdict="broken",
            found=f"port {settings.port} is in use by {owner(settings.port) or 'another program'}",
            next="Stop it, or set another port with FLOWKIT_PORT and pair again (the code names the port).",
        )
    if led and not in_use:
        return Check(
            name="bridge",
            verdict="warning",
            found=f"nobody listens on port {settings.port}",
            next="The process that works the library may use another port: give its FLOWKIT_PORT.",
        )
    found = f"port {settings.port} is " + ("listened on" if led else "free")
    return Check(name="bridge", verdict="ok", found=found)


def _flow(settings: Settings, status: Status | None, led: bool) -> list[Check]:
    checks = [_pairing(settings)]
    if status is None:
        return checks
    if led:
        checks += _browser(status)
    if status.facts_trouble is not None:
        checks.append(
            Check(
                name="flow.toml",
                verdict="broken",
                found=status.facts_trouble,
                next="Until then the facts about Flow of this version are used.",
            )
        )
    stuck = status.jobs.get(JobState.NEEDS_ATTENTION, 0)
    checks.append(
        Check(
            name="queue",
            verdict="warning" if stuck else "ok",
            found=queue(status),
            next="Ask your agent to call list_jobs with show='attention'." if stuck else "",
        )
    )
    return checks


def _browser(status: Status) -> list[Check]:
    """What a live answer of Flow says, not what was so once."""
    browser, state = status.browser, status.provider
    verdict: Verdict = "ok" if browser.fine else "warning"
    checks = [Check(name="browser", verdict=verdict, found=browser.what, next=browser.next)]
    if state is not None and state.closed(Clock().now()) and browser.state != "port_taken":
        what, _, step = (state.message or str(state.reason)).partition(". ")
        found = f"{state.gate}: {what}"
        checks.append(
            Check(name="Flow", verdict="warning", found=found, next=step or "It opens by itself.")
        )
    if (check := self_check(status)) is not None:
        fine, found = check
        step = "" if fine else "Update FlowKit, or correct flow.toml in the library."
        checks.append(
            Check(name="drift", verdict="ok" if fine else "warning", found=found, next=step)
        )
    return checks


def _pairing(settings: Settings) -> Check:
    try:
        paired = len(PairingBook(settings.pairing_file, Clock()).profiles())
    except FlowKitError as error:
        return Check(name="pairing", verdict="broken", found=error.message, next=error.hint)
    if paired:
        return Check(name="pairing", verdict="ok", found=f"{paired} browser profile(s) paired")
    return Check(
        name="pairing",
        verdict="warning",
        found="no browser is paired",
        next="The simulator pairs by itself." if settings.simulated else "Run flowkit-mcp pair.",
    )


class _Report(BaseModel):
    ok: bool
    checks: list[Check]
