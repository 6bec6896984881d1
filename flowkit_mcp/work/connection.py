"""The browser's state in words, each with its next step; one place for the terminal, the tools and `doctor`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import BrowserSeen, Checks, ProviderState
from flowkit_mcp.errors import InvalidSetting, NotConnected
from flowkit_mcp.providers.flow.table import load
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database
from flowkit_mcp.work.contact import PORT_TAKEN

#: An answer of Flow older than this proves nothing about now.
FRESH_MS = 75_000
_PANEL = "Look into the FlowKit panel of the browser."

BrowserState = Literal[
    "no_server",
    "port_taken",
    "not_paired",
    "away",
    "no_tab",
    "tab_loading",
    "tab_asleep",
    "signed_out",
    "wrong_lane",
    "person_needed",
    "no_answer",
    "unproved",
    "paused",
    "ready",
]


class Connection(BaseModel):
    """How things stand between FlowKit and Flow. `next` is empty if there is nothing to do."""

    model_config = ConfigDict(frozen=True)

    state: BrowserState
    what: str
    next: str = ""

    @property
    def fine(self) -> bool:
        return self.state == "ready"

    def no_account(self) -> NotConnected:
        """What to say where no account has been seen yet."""
        why = "" if self.fine else f": {self.what}"
        return NotConnected(f"no Flow account has been seen yet{why}", hint=self.next)


async def look(db: Database, clock: Clock, provider: str, timeout_s: float) -> None:
    """Have the leader ask Flow something free, unless it has answered within the last minute; wait for that."""
    loop = asyncio.get_running_loop()
    asked, deadline = clock.now(), loop.time() + timeout_s
    wished = False
    version = await db.version()
    while True:
        state = await operations.provider_state(db, provider)
        checks = state.checks if state is not None else None
        if state is None or checks is None or checks.browser is None:
            return
        told = max(state.account_at or 0, checks.answer.at if checks.answer is not None else 0)
        left = deadline - loop.time()
        if left <= 0 or told >= asked or (not wished and asked - told < FRESH_MS):
            return
        if not wished:
            wished = True
            async with db.transaction() as tx:
                await operations.want_check(tx, provider, asked)
        version = await db.changed(version, left)


def facts_trouble(file: Path) -> str | None:
    """What is wrong with a library's own file of facts about Flow, if anything."""
    try:
        load(file)
    except InvalidSetting as error:
        return f"in {file.parent}: {error.message}. {error.hint}"
    return None


def paired(book: PairingBook) -> int | None:
    """How many browser profiles are paired; None: the file cannot be used."""
    try:
        return len(book.profiles())
    except InvalidSetting:
        return None


def connection(
    state: ProviderState | None, *, led: bool, paired: int | None, simulated: bool, now: int
) -> Connection:
    """What is so, by what the leader saw; `ready` only if Flow has answered within the last minute or so.

    `led`: a process works the library now. `paired`: number of paired profiles, None if unknown. `now` in ms.
    """
    if not led:
        return Connection(
            state="no_server",
            what="no FlowKit process works this library",
            next="Start your MCP client, or flowkit-mcp worker.",
        )
    if state is not None and state.reason == PORT_TAKEN:
        what, _, step = (state.message or "").partition(". ")
        return Connection(state="port_taken", what=what, next=step)
    checks = state.checks if state is not None else None
    if state is None or checks is None or checks.browser is None:
        return _nobody(paired, simulated)
    return _browser(checks.browser, simulated) or _answers(checks, checks.browser, state, now)


def _nobody(paired: int | None, simulated: bool) -> Connection:
    if simulated:
        return Connection(
            state="away",
            what="the simulator's browser is not connected",
            next="It comes within seconds of the server: ask again. If not, start flowkit-mcp simulate.",
        )
    if paired == 0:
        return Connection(
            state="not_paired",
            what="no browser is paired with this library",
            next="Run flowkit-mcp extension, then flowkit-mcp pair.",
        )
    return Connection(
        state="away",
        what="the paired browser is not connected",
        next="Open Chrome with the profile that has the FlowKit extension; its panel says why if it does not "
        "connect.",
    )


def _browser(seen: BrowserSeen, simulated: bool) -> Connection | None:
    """What the browser itself says is missing."""
    who = f"browser {seen.label!r} is connected"
    flow = "the simulator" if simulated else "flow.google.com"
    if seen.person_needed:
        what, _, step = seen.person_needed.partition("\n")
        return Connection(
            state="person_needed",
            what=f"{who}, a person is needed: {what.removesuffix('.')}",
            next=step or "Go to the Flow tab and do what it asks for.",
        )
    if seen.tab == "none":
        return Connection(
            state="no_tab", what=f"{who}, no Flow tab is open", next=f"Open {flow} in it."
        )
    if seen.tab == "loading":
        return Connection(
            state="tab_loading", what=f"{who}, its Flow tab is loading", next="Wait a moment."
        )
    if seen.tab != "ready":
        return Connection(
            state="tab_asleep", what=f"{who}, its Flow tab sleeps", next="Click the Flow tab once."
        )
    if not seen.signed_in:
        return Connection(
            state="signed_out",
            what=f"{who}, nobody is signed in to Flow",
            next="Sign in to Flow in its tab.",
        )
    if seen.lane is None:
        return Connection(
            state="wrong_lane",
            what=f"{who}, its Flow tab shows a page that FlowKit cannot work with",
            next=f"Open a project on {flow} in it.",
        )
    return None


def _answers(checks: Checks, seen: BrowserSeen, state: ProviderState, now: int) -> Connection:
    """The browser finds nothing missing: then Flow must answer."""
    others = f"; standing by: {', '.join(seen.standing_by)}" if seen.standing_by else ""
    where = f"{seen.label!r}, {seen.account}, lane {seen.lane}{others}"
    last = checks.answer
    answered = max(state.account_at or 0, last.at if last is not None and last.ok else 0)
    if last is not None and not last.ok and last.at >= answered:
        what, _, step = last.message.partition(". ")
        return Connection(
            state="no_answer",
            what=f"connected ({where}), but Flow says no: {what}",
            next=step or _PANEL,
        )
    if now - answered > FRESH_MS:
        return Connection(
            state="unproved",
            what=f"connected ({where}); Flow has not answered within the last minute",
            next=f"Ask again. {_PANEL}",
        )
    if seen.paused:
        return Connection(
            state="paused",
            what=f"connected ({where}); paused by the person: nothing paid is sent",
            next="Press Resume in the FlowKit panel.",
        )
    return Connection(state="ready", what=f"connected and answering ({where})")
