"""What the leader works with, and how every failure is answered: one place for gates, retries and questions."""

from __future__ import annotations

import logging
import random
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import (
    Account,
    Gate,
    Job,
    JobState,
    Model,
    Operation,
    OperationState,
    ProviderState,
)
from flowkit_mcp.domain.policy import Ask, Decision, Retry, Stop, Verb, Wait, decide
from flowkit_mcp.errors import BugError, FlowKitError, OutcomeUnknown, SignInRequired, Transient
from flowkit_mcp.media.files import MediaStore
from flowkit_mcp.providers.base import Provider
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Database, Tx

log = logging.getLogger("flowkit.work")

FAILURES_BEFORE_PAUSE = 3
SHORTEST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 600_000


class Replaced(Exception):
    """Another process leads now: whatever this one was doing, it must not write any more."""


def no_step(step: str) -> None:
    """What production does at each step: nothing."""


@dataclass
class Workshop:
    """Passed to everything in `work`. `on_step` is the one hook of the crash tests; it does nothing here."""

    db: Database
    clock: Clock
    media: MediaStore
    ffmpeg: str
    providers: Mapping[str, Provider]
    generation: int
    on_step: Callable[[str], None] = no_step
    roll: Callable[[], float] = field(default=random.random)

    # ---- account -----------------------------------------------------------------------------

    async def account(self, provider: Provider) -> Account:
        """The account as last seen, or asked for now."""
        state = await operations.provider_state(self.db, provider.name)
        if state is not None and state.account is not None:
            return state.account
        return await self.refresh_account(provider)

    async def refresh_account(self, provider: Provider) -> Account:
        """Ask for credits, tier and catalogue. Raises ProviderError."""
        account = await provider.account()
        async with self.db.transaction() as tx:
            await operations.ensure_provider(tx, provider.name, self.clock.now())
            await operations.set_account(tx, provider.name, account, self.clock.now())
        return account

    @staticmethod
    def model(account: Account, key: str) -> Model | None:
        return next((model for model in account.models if model.key == key), None)

    # ---- moving jobs -------------------------------------------------------------------------

    async def move(self, tx: Tx, job: Job, to: JobState, event: str, **values: Any) -> None:
        """A transition that only the present leader may make. Raises Replaced."""
        data = values.pop("data", None)
        moved = await jobs.transition(
            tx,
            job.id,
            to,
            now=self.clock.now(),
            generation=self.generation,
            event=event,
            data=data,
            **values,
        )
        if not moved:
            raise Replaced

    async def fail(
        self, job: Job, error: BaseException, verb: Verb, *, ended: bool = False
    ) -> None:
        """Answer a failure of a running job as `domain/policy.py` says.

        `ended`: the provider itself says that the accepted call ended badly, so its operation is over.
        """
        known = self._understand(error, verb)
        now = self.clock.now()
        async with self.db.transaction() as tx:
            op = await operations.live_operation(tx, job.id)
            attempts = job.attempts
            if ended:
                attempts = sum(
                    o.state is OperationState.FAILED
                    for o in await operations.operations(tx, job.id)
                )
            decision = decide(known, verb, attempts, now, self.roll())
            reply = {"code": known.code, "reason": known.reason, "message": known.message}
            if op is not None and ended:
                await operations.settle(tx, op, OperationState.FAILED, now=now, reply=reply)
                op = None
            elif op is not None and op.state is OperationState.INTENDED and verb is Verb.SUBMIT:
                if isinstance(known, OutcomeUnknown):
                    # not the end yet: the browser's journal or the provider may still tell (recover.py)
                    await self.move(
                        tx,
                        job,
                        JobState.WAITING,
                        "reply_missing",
                        run_at=now + 500,
                        reason=known.code,
                        message=known.message,
                    )
                    return
                await operations.settle(tx, op, OperationState.REFUSED, now=now, reply=reply)
                op = None
            await self._decide(tx, job, op, known, decision, verb)

    async def _decide(
        self,
        tx: Tx,
        job: Job,
        op: Operation | None,
        error: FlowKitError,
        decision: Decision,
        verb: Verb,
    ) -> None:
        now = self.clock.now()
        back = JobState.QUEUED if op is None else JobState.WAITING
        why = {"reason": error.code, "message": f"{error.message}. {error.hint}"}
        data = {"code": error.code, "detail": error.reason, "verb": verb.value}
        match decision:
            case Retry(at=at):
                await self.move(
                    tx, job, back, "retry", run_at=at, attempts=job.attempts + 1, data=data, **why
                )
                if isinstance(error, Transient) and job.provider in self.providers:
                    await self._count_failure(tx, job.provider, error)
            case Wait(until=until, gate=gate):
                await self.move(
                    tx, job, back, "wait", run_at=until if gate is None else now, data=data, **why
                )
                if gate is not None:
                    await self._close(tx, job.provider, gate, error, resume_at=until)
            case Ask(scope="provider", gate=gate):
                await self.move(tx, job, back, "wait", run_at=now, data=data, **why)
                await self._close(tx, job.provider, gate or Gate.PAUSED, error, resume_at=None)
            case Ask():
                await self.move(
                    tx, job, JobState.NEEDS_ATTENTION, "needs_attention", data=data, **why
                )
            case Stop():
                if op is not None:
                    raise AssertionError("a job with a live operation must not end")
                await self.move(tx, job, JobState.FAILED, "failed", data=data, **why)

    def _understand(self, error: BaseException, verb: Verb) -> FlowKitError:
        """Unknown errors: never retried on a paying call, retried on a reading one, reported otherwise."""
        if isinstance(error, FlowKitError):
            return error
        log.error("unexpected error: %s", "".join(traceback.format_exception(error)))
        text = f"{type(error).__name__}: {error}"
        if verb is Verb.SUBMIT:
            return OutcomeUnknown(f"the submit ended with {text}")
        return Transient(text) if verb.reads else BugError(text)

    # ---- the gate ----------------------------------------------------------------------------

    async def _close(
        self, tx: Tx, provider: str, gate: Gate, error: FlowKitError, resume_at: int | None
    ) -> None:
        state = await operations.ensure_provider(tx, provider, self.clock.now())
        if state.gate is not Gate.OPEN and state.resume_at is None and not state.probing:
            return  # a person has been asked already; do not turn that into a timer
        await operations.set_gate(
            tx,
            provider,
            gate,
            now=self.clock.now(),
            reason=error.code,
            message=f"{error.message}. {error.hint}",
            resume_at=resume_at,
            failures=state.failures + 1,
        )

    async def _count_failure(self, tx: Tx, provider: str, error: FlowKitError) -> None:
        state = await operations.ensure_provider(tx, provider, self.clock.now())
        failures = state.failures + 1
        if failures < FAILURES_BEFORE_PAUSE or state.gate is Gate.BLOCKED:
            await operations.set_gate(
                tx,
                provider,
                state.gate,
                now=self.clock.now(),
                reason=state.reason,
                message=state.message,
                resume_at=state.resume_at,
                failures=failures,
            )
            return
        pause = min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** (failures - FAILURES_BEFORE_PAUSE))
        await operations.set_gate(
            tx,
            provider,
            Gate.PAUSED,
            now=self.clock.now(),
            reason=error.code,
            message=f"{error.message}. New work waits, running work goes on.",
            resume_at=self.clock.now() + pause,
            failures=failures,
        )

    async def note_account_error(self, provider: str, error: FlowKitError) -> None:
        """The free look at the account failed: a signed-out tab closes the gate for all jobs at once."""
        if isinstance(error, SignInRequired):
            async with self.db.transaction() as tx:
                await self._close(tx, provider, Gate.BLOCKED, error, resume_at=None)

    async def went_well(self, tx: Tx, provider: str) -> None:
        """A call was answered as it should: close the book on failures, and open after a good probe."""
        state = await operations.ensure_provider(tx, provider, self.clock.now())
        if state.gate is Gate.PAUSED and not state.probing:
            return
        if state.failures or state.gate is not Gate.OPEN:
            await operations.set_gate(tx, provider, Gate.OPEN, now=self.clock.now())

    def may_submit(self, state: ProviderState) -> bool:
        """Open, or due for one probe after a pause."""
        if state.gate is Gate.OPEN:
            return True
        due = state.resume_at is not None and state.resume_at <= self.clock.now()
        return state.gate is Gate.PAUSED and due and not state.probing
