"""Calls that outlive the socket they were sent on.

Each call is bound to the profile that was asked. When that profile comes back after a drop, its journal
says what became of the call; when it does not, the outcome is unknown and `sent` says so.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from flowkit_mcp.bridge.protocol import (
    Ack,
    Call,
    CallError,
    Found,
    Lookup,
    Phase,
    PhaseNote,
    Resend,
    Result,
    Standing,
    Withdraw,
)
from flowkit_mcp.bridge.session import Patience, Session
from flowkit_mcp.errors import BugError, NotConnected, Transient

#: Acks are remembered this far back, for profiles that were away when they were given.
ACKS_KEPT = 2000
#: The journal is asked once more when time is over; the caller has waited long enough by then.
LAST_WORD_S = 2.0


@dataclass
class _Pending:
    """A call without an outcome."""

    call: Call
    instance: str
    outcome: asyncio.Future[Result]
    limit: asyncio.Timeout
    phase: Phase = Phase.ACCEPTED


class Calls:
    """Every call and look-up that waits for an answer. `find` gives the open session of a profile."""

    def __init__(self, patience: Patience, find: Callable[[str], Session | None]) -> None:
        self._patience = patience
        self._find = find
        self._pending: dict[str, _Pending] = {}
        self._questions: dict[tuple[str, str], list[asyncio.Future[Found]]] = {}
        self._acked: OrderedDict[str, None] = OrderedDict()

    # ---- asking --------------------------------------------------------------------------

    async def run(self, session: Session, call: Call) -> Result:
        """Send a call and wait for its outcome, through reconnects of the same profile.

        A caller that gives up takes the call back, if the browser has not sent it yet.

        Raises:
            NotConnected: nothing was handed over.
        """
        if call.id in self._pending:
            raise BugError(f"call {call.id} is already under way")
        outcome: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        limit = asyncio.timeout(self._patience.before_sent_s + call.timeout_s)
        if not session.post(call):
            raise NotConnected("the browser has just disconnected")
        pending = self._pending[call.id] = _Pending(call, session.instance, outcome, limit)
        try:
            async with limit:
                return await outcome
        except TimeoutError:
            return await self._last_word(pending)
        except asyncio.CancelledError:
            self.withdraw(call.id)
            raise
        finally:
            del self._pending[call.id]

    def withdraw(self, call_id: str) -> None:
        """Have the browser let go of a call that it has not sent; its result then says `WITHDRAWN`."""
        pending = self._pending.get(call_id)
        session = self._find(pending.instance) if pending is not None else None
        if session is not None:
            session.post(Withdraw(id=call_id))

    async def ask(self, session: Session, call_id: str, limit_s: float) -> Found:
        """What this profile's journal says of an id.

        Raises:
            Transient: it did not answer in time, or left before it did.
        """
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        waiting = self._questions.setdefault((session.instance, call_id), [])
        waiting.append(answer)
        try:
            if not session.post(Lookup(id=call_id)):
                raise Transient("the browser has just disconnected")
            async with asyncio.timeout(limit_s):
                return await answer
        except TimeoutError:
            raise Transient(f"the browser did not answer within {limit_s:g} s") from None
        finally:
            waiting.remove(answer)
            if not waiting:
                self._questions.pop((session.instance, call_id), None)

    def ack(self, sessions: Iterable[Session], call_id: str) -> None:
        """Tell these that a result may be dropped; those that come later hear it from `entered`."""
        self._acked[call_id] = None
        self._acked.move_to_end(call_id)
        while len(self._acked) > ACKS_KEPT:
            self._acked.popitem(last=False)
        for session in sessions:
            session.post(Ack(id=call_id))

    async def _last_word(self, pending: _Pending) -> Result:
        """Time is over. Only the journal can still prove that nothing was sent."""
        session = self._find(pending.instance)
        if session is None:
            return _lost(pending.call.id, sent=True, message="the browser left and stayed away")
        if pending.phase != Phase.SENT:
            self.withdraw(pending.call.id)
        try:
            found = await self.ask(session, pending.call.id, LAST_WORD_S)
        except Transient:
            found = None
        if found is not None and found.result is not None:
            return found.result
        sent = found is None or found.standing != Standing.NEVER_RECEIVED
        return _lost(pending.call.id, sent=sent, code="TIMEOUT", message="no answer in time")

    # ---- what the sessions report --------------------------------------------------------

    def entered(self, session: Session) -> None:
        """A profile is (back) on the line: catch up on acks and on what it was asked before."""
        for call_id in session.journal:
            if call_id in self._acked:
                session.post(Ack(id=call_id))
        for instance, call_id in self._questions:
            if instance == session.instance:
                session.post(Lookup(id=call_id))
        for call_id, pending in self._pending.items():
            if pending.instance == session.instance:
                phase = session.journal.get(call_id)
                session.post(Resend(id=call_id) if phase == Phase.DONE else Lookup(id=call_id))
                if phase is not None:
                    self.noted(session, PhaseNote(id=call_id, phase=phase))

    def left(self, session: Session) -> None:
        """A socket is gone. Calls wait for the profile to come back; look-ups do not."""
        for (instance, _), waiting in self._questions.items():
            if instance == session.instance:
                for answer in waiting:
                    if not answer.done():
                        answer.set_exception(Transient("the browser left before it answered"))

    def noted(self, session: Session, note: PhaseNote) -> None:
        """From `sent` on, a call has its own limit; while the person is asked, and after that, its time begins anew."""
        pending = self._open_call(session, note.id)
        if pending is None or note.phase == pending.phase:
            return  # said again, it gives no more time
        before, pending.phase = pending.phase, note.phase
        if note.phase == Phase.SENT:
            within = pending.call.timeout_s + self._patience.grace_s
        elif note.phase == Phase.ASKING and pending.call.paid and before == Phase.ACCEPTED:
            within = self._patience.asking_s + self._patience.grace_s
        elif before == Phase.ASKING:
            within = self._patience.before_sent_s + pending.call.timeout_s
        else:
            return
        pending.limit.reschedule(asyncio.get_running_loop().time() + within)

    def settled(self, session: Session, result: Result) -> None:
        """A result came; one that nobody of this profile waits for is ignored."""
        pending = self._open_call(session, result.id)
        if pending is not None:
            pending.outcome.set_result(result)

    def found(self, session: Session, found: Found) -> None:
        """A look-up was answered; it may also settle a call that was waiting for its profile."""
        if found.result is not None and found.result.id != found.id:
            return
        for answer in self._questions.get((session.instance, found.id), []):
            if not answer.done():
                answer.set_result(found)
        pending = self._open_call(session, found.id)
        if pending is None or (found.result is None and found.standing == Standing.IN_FLIGHT):
            return
        sent = found.standing != Standing.NEVER_RECEIVED
        pending.outcome.set_result(
            found.result or _lost(found.id, sent=sent, message=f"its journal says {found.standing}")
        )

    def cancel_all(self) -> None:
        """The host closes: what became of these calls is for the next leader to ask."""
        for pending in self._pending.values():
            pending.outcome.cancel()

    def _open_call(self, session: Session, call_id: str) -> _Pending | None:
        """The open call of this id, if it is this profile's; others have no say in it."""
        pending = self._pending.get(call_id)
        if pending is None or pending.instance != session.instance or pending.outcome.done():
            return None
        return pending


def _lost(
    call_id: str, *, sent: bool, message: str, code: Literal["LOST", "TIMEOUT"] = "LOST"
) -> Result:
    return Result(id=call_id, ok=False, error=CallError(code=code, message=message, sent=sent))
