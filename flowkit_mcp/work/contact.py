"""The leader's line to the browser: port, panel, and whether Flow really answers.

What is seen is written into the database, so that every process can show it. Nothing here may cost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol

from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import (
    Answer,
    BrowserSeen,
    CallCheck,
    Checks,
    Gate,
    OperationState,
    ProviderState,
    SelfCheck,
)
from flowkit_mcp.errors import Conflict, FlowKitError
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Database
from flowkit_mcp.work.panel import queue_shown
from flowkit_mcp.work.workshop import log

PORT_TAKEN = "PORT_TAKEN"
RETRY_S = 5.0
#: The shortest time between two looks at the database for the panel's sake.
LOOK_EVERY_S = 1.0
#: A self-check that could not be made is tried again after this, one that was is worth this long.
CHECK_RETRY_MS = 30_000
CHECK_GOOD_MS = 600_000


class Flow(Protocol):
    """What is asked of the provider here."""

    @property
    def name(self) -> str: ...

    @property
    def account_label(self) -> str | None: ...

    async def self_check(self) -> Sequence[Any]: ...


class Contact:
    """One per leadership; `run` until cancelled."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        host: BridgeHost,
        flow: Flow,
        *,
        probe: Callable[[], Awaitable[object]],
        version: str,
    ) -> None:
        """`probe` asks Flow something free that all work needs, as who is signed in; `version` is ours."""
        self._db = db
        self._clock = clock
        self._host = host
        self._flow = flow
        self._probe = probe
        self._version = version
        self._woken = asyncio.Event()
        self._calls: dict[str, asyncio.Task[None]] = {}
        self._check_after = 0
        self._checked_who: tuple[str | None, str | None] | None = None

    def wake(self) -> None:
        """The browser reported something."""
        self._woken.set()

    async def run(self) -> None:
        """Bind the port, and tell both sides about each other."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_at(self._bind))
                group.create_task(self._keep_at(self._watch))
        finally:
            for task in self._calls.values():
                task.cancel()
            await asyncio.gather(*self._calls.values(), return_exceptions=True)

    @staticmethod
    async def _keep_at(work: Callable[[], Awaitable[None]]) -> None:
        """The library may be full or held by somebody for a while; the queue has an answer of its own to that."""
        while True:
            try:
                return await work()
            except Exception:
                log.exception("the line to the browser stood still; it is taken up again")
                await asyncio.sleep(RETRY_S)

    # ---- the port ----------------------------------------------------------------------------

    async def _bind(self) -> None:
        """A port held by another program is reported, once, and waited for: never killed, never drifted from."""
        told = ""
        while True:
            state = await self._state()
            ours = state.reason == PORT_TAKEN
            try:
                await self._host.start()
            except Conflict as error:
                if state.gate is Gate.OPEN or ours:  # closed for another reason it stays as it is
                    await self._gate(Gate.BLOCKED, PORT_TAKEN, f"{error.message}. {error.hint}")
                trouble = str(error)
            except OSError as error:
                trouble = f"cannot listen on port {self._host.port}: {error}"
            else:
                if ours:
                    await self._gate(Gate.OPEN, None, None)
                return
            if trouble != told:
                log.warning("%s", trouble)
            told = trouble
            await asyncio.sleep(RETRY_S)

    async def _gate(self, gate: Gate, reason: str | None, message: str | None) -> None:
        async with self._db.transaction() as tx:
            await operations.set_gate(
                tx, self._flow.name, gate, now=self._clock.now(), reason=reason, message=message
            )

    async def _state(self) -> ProviderState:
        state = await operations.provider_state(self._db, self._flow.name)
        if state is not None:
            return state
        async with self._db.transaction() as tx:
            return await operations.ensure_provider(tx, self._flow.name, self._clock.now())

    # ---- looking -----------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            self._woken.clear()
            # One that ends during this look was not seen to end by it: it may not be made again before the next.
            self._calls = {name: call for name, call in self._calls.items() if not call.done()}
            version = await self._db.version()
            state = await self._state()
            self._host.show_queue(await queue_shown(self._db, state, self._clock.now()))
            await self._take_back()
            checks = state.checks or Checks()
            seen = self._seen(checks.browser)
            if seen != checks.browser:
                await self._note("browser", seen)
            if seen is not None:
                self._ask(checks, seen)
            await asyncio.sleep(LOOK_EVERY_S)
            await self._news(version)

    async def _news(self, version: int) -> None:
        """Until the database or the browser has something to tell."""
        news: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._db.changed(version)),
            asyncio.create_task(self._woken.wait()),
        ]
        try:
            await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in news:
                task.cancel()
            await asyncio.gather(*news, return_exceptions=True)

    async def _take_back(self) -> None:
        """A cancelled job whose call the browser has not sent yet need not be sent at all."""
        for job in await jobs.to_cancel(self._db):
            op = await operations.live_operation(self._db, job.id)
            if op is not None and op.state is OperationState.INTENDED:
                self._host.withdraw(op.client_ref)

    def _seen(self, before: BrowserSeen | None) -> BrowserSeen | None:
        """The browser now; the old row if nothing but the time would change."""
        profiles = self._host.profiles
        if not profiles:
            return None
        used, *others = profiles
        seen = BrowserSeen(
            at=self._clock.now(),
            label=used.label,
            standing_by=tuple(other.label for other in others),
            tab=used.flow.tab,
            signed_in=used.flow.signed_in,
            lane=used.flow.lane,
            account=self._flow.account_label,
            person_needed=used.flow.person_needed,
            paused=self._host.paused,
        )
        same = before is not None and seen.model_copy(update={"at": before.at}) == before
        return before if same else seen

    async def _note(self, what: str, found: BrowserSeen | Answer | SelfCheck | None) -> None:
        async with self._db.transaction() as tx:
            await operations.set_check(tx, self._flow.name, what, found, self._clock.now())

    # ---- asking Flow -------------------------------------------------------------------------

    def _ask(self, checks: Checks, seen: BrowserSeen) -> None:
        """Make the calls that are due, beside the looking."""
        now = self._clock.now()
        if checks.answer is None or checks.wanted_at > checks.answer.at:
            self._start("answer", self._answer())
        usable = seen.tab == "ready" and seen.signed_in and seen.lane is not None
        who = (seen.lane, seen.account)
        patient = who == self._checked_who and now < self._check_after
        if usable and not patient and self._check_due(checks, seen, now):
            if self._start("self_check", self._self_check(seen)):
                self._checked_who, self._check_after = who, now + CHECK_RETRY_MS

    def _check_due(self, checks: Checks, seen: BrowserSeen, now: int) -> bool:
        """At first contact with this account in this lane, by this version; later on request."""
        last = checks.self_check
        if last is None:
            return True
        if (last.version, last.lane, last.account) != (self._version, seen.lane, seen.account):
            return True
        fine = all(call.state == "ok" for call in last.calls)
        old = now - last.at > CHECK_GOOD_MS
        return checks.wanted_at > last.at and (old or not fine)

    def _start(self, name: str, call: Coroutine[Any, Any, None]) -> bool:
        """Unless one is under way; its end is looked at."""
        if name in self._calls:
            call.close()
            return False
        task = self._calls[name] = asyncio.create_task(call, name=name)
        task.add_done_callback(lambda _: self.wake())
        return True

    async def _answer(self) -> None:
        try:
            await self._probe()
        except FlowKitError as error:
            await self._note(
                "answer",
                Answer(at=self._clock.now(), ok=False, message=f"{error.message}. {error.hint}"),
            )
        else:
            await self._note("answer", Answer(at=self._clock.now(), ok=True))

    async def _self_check(self, seen: BrowserSeen) -> None:
        with contextlib.suppress(FlowKitError):  # the browser left: it is made when it is back
            found = await self._flow.self_check()
            if self._flow.account_label != seen.account:
                return  # it may have asked two accounts
            calls = tuple(
                CallCheck(call=one.call, state=one.state, message=one.message) for one in found
            )
            for call in calls:
                if call.state == "changed":
                    log.warning("Flow answers %s in a new form: %s", call.call, call.message)
            await self._note(
                "self_check",
                SelfCheck(
                    at=self._clock.now(),
                    version=self._version,
                    lane=seen.lane,
                    account=seen.account,
                    calls=calls,
                ),
            )
