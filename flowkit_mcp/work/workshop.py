"""What the leader works with, and how every failure is answered: one place for retries and questions."""

from __future__ import annotations

import asyncio
import datetime
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
)
from flowkit_mcp.domain.policy import Ask, Decision, Retry, Stop, Verb, Wait, decide
from flowkit_mcp.errors import (
    BugError,
    FlowKitError,
    LibraryTrouble,
    OutcomeUnknown,
    ProviderError,
    Transient,
)
from flowkit_mcp.media.files import MediaStore
from flowkit_mcp.providers.base import Provider
from flowkit_mcp.store import catalog, jobs, operations
from flowkit_mcp.store.copies import PUT_BACK
from flowkit_mcp.store.database import Database, Tx
from flowkit_mcp.work.accounts import Labels
from flowkit_mcp.work.charge import told
from flowkit_mcp.work.gate import Gatekeeper
from flowkit_mcp.work.replies import Replies

log = logging.getLogger("flowkit.work")

#: A job that is read goes on being read behind a closed gate, but not at once: the service has just objected.
READ_AGAIN_MS = 30_000
_PROMPT_SHOWN = 60
IN_DOUBT = (
    "It is unknown whether this call arrived and was charged ({credits} credits): {evidence}. Balance before: "
    "{before}, now: {balance}. Look into {project} in Flow around {when}{prompt}; then call resolve_job with action "
    "'look_again' (free), 'submit_again', 'attach' (and the media id) or 'give_up'"
)

AGAIN_SINCE = (
    "{evidence}; but this library was put back from a copy, and it may have been made again and paid since. Look into "
    "Flow; then call resolve_job with action 'retry' or 'give_up'"
)


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
    #: Of the process, not of the term: what a full disk could not take must outlive the term that this ends.
    replies: Replies
    on_step: Callable[[str], None] = no_step
    roll: Callable[[], float] = field(default=random.random)
    gate: Gatekeeper = field(init=False)
    labels: Labels = field(init=False)
    #: Held while a missing file is fetched: whoever needs the same one finds it there.
    fetching: asyncio.Lock = field(init=False, default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.gate = Gatekeeper(self.db, self.clock)
        self.labels = Labels(self.db)

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
        await self.labels.settle(provider, account)
        now = self.clock.now()
        async with self.db.transaction() as tx:
            state = await operations.ensure_provider(tx, provider.name, now)
            if state.account is not None and state.account.label != account.label:
                await jobs.end_quota_waits(tx, provider.name, now)
                await self.gate.other_account(tx, provider.name)
            await operations.set_account(tx, provider.name, account, now)
        return account

    @staticmethod
    def model(account: Account, key: str) -> Model | None:
        return next((model for model in account.models if model.key == key), None)

    # ---- moving jobs -------------------------------------------------------------------------

    async def move(self, tx: Tx, job: Job, to: JobState, event: str | None, **values: Any) -> None:
        """A transition (`store.jobs`) that only the present leader may make. Raises Replaced."""
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

    async def ask(
        self,
        tx: Tx,
        job: Job,
        reason: str,
        message: str,
        data: dict[str, Any] | None = None,
    ) -> None:
        """Only a person can say how this job goes on; until then it rests. Raises Replaced."""
        await self.move(
            tx,
            job,
            JobState.NEEDS_ATTENTION,
            "needs_attention",
            reason=reason,
            message=message,
            data=data,
        )

    async def doubt(self, tx: Tx, job: Job, op: Operation, evidence: str) -> None:
        """Nobody knows whether the call arrived: only the person can say."""
        await operations.settle(
            tx, op, OperationState.UNKNOWN, now=self.clock.now(), reply={"evidence": evidence}
        )
        message = await self._evidence(tx, job, op, evidence)
        await self.ask(tx, job, OutcomeUnknown.code, message)

    @staticmethod
    async def _evidence(tx: Tx, job: Job, op: Operation, found: str) -> str:
        """All that can help a person to find the call in Flow."""
        state = await operations.provider_state(tx, op.provider)
        balance = state.account.credits if state is not None and state.account is not None else None
        project = f"the project {op.brief.get('project')}"
        if job.project_id is not None:
            project = f"the project {(await catalog.project(tx, job.project_id)).name!r}"
        prompt = str(op.brief.get("prompt") or "")
        short = prompt if len(prompt) <= _PROMPT_SHOWN else f"{prompt[:_PROMPT_SHOWN]}…"
        return IN_DOUBT.format(
            credits=op.credits_estimate,
            evidence=found,
            before="unknown" if op.credits_before is None else op.credits_before,
            balance="unknown" if balance is None else balance,
            project=project,
            when=_utc(op.intended_at),
            prompt=f" for “{short}”" if short else "",
        )

    async def ask_put_back(self, tx: Tx, job: Job, evidence: str) -> None:
        """The call came to nothing; what followed from that, a lost part of the history knows."""
        await self.ask(tx, job, PUT_BACK, AGAIN_SINCE.format(evidence=evidence))

    async def fail(
        self,
        job: Job,
        error: BaseException,
        verb: Verb,
        *,
        ended: bool = False,
        counts: bool = True,
    ) -> None:
        """Answer a failure of a running job as `domain/policy.py` says.

        `ended`: the provider itself says that the accepted call ended badly, so its operation is over.
        `counts`: towards the failures in a row that pause the provider.
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
            reply = {
                "code": known.code,
                "reason": known.reason,
                "message": known.message,
                "charged": known.charged,
            }
            if op is not None and ended:
                await operations.settle(tx, op, OperationState.FAILED, now=now, reply=reply)
                op = None
                if isinstance(decision, Retry) and await jobs.is_put_back(tx, job.id):
                    await self.ask_put_back(tx, job, known.message)
                    return
            elif op is not None and op.state is OperationState.INTENDED and verb is Verb.SUBMIT:
                if isinstance(known, OutcomeUnknown) or _in_doubt(known):
                    # not the end yet: the browser's journal or the provider may still tell (recover.py)
                    await self.move(
                        tx,
                        job,
                        JobState.WAITING,
                        "reply_missing",
                        run_at=now + 500,
                        reason=known.code,
                        message=told(known, job, op),
                    )
                    if isinstance(decision, Ask) and decision.gate is not None:
                        await self.gate.close(tx, job.provider, decision.gate, known, None)
                    elif counts:
                        await self.gate.count_failure(tx, job.provider, known)
                    return
                await operations.settle(tx, op, OperationState.REFUSED, now=now, reply=reply)
                op = None
            await self._decide(tx, job, op, known, decision, verb)
            transient = isinstance(decision, Retry) and isinstance(known, Transient)
            if transient and counts and job.provider in self.providers:
                await self.gate.count_failure(tx, job.provider, known, reading=verb.reads)

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
        why = {"reason": error.code, "message": f"{told(error, job, op)}. {error.hint}"}
        data = {"code": error.code, "detail": error.reason, "verb": verb.value}
        match decision:
            case Retry(at=at):
                await self.move(
                    tx, job, back, "retry", run_at=at, attempts=job.attempts + 1, data=data, **why
                )
            case Wait(until=until, gate=gate):
                # the gate decides when it goes on; but what is free goes on behind a pause
                held = gate is not None and op is None and verb is not Verb.HOUSE
                await self.move(
                    tx, job, back, "wait", run_at=now if held else until, data=data, **why
                )
                if gate is not None:
                    await self.gate.close(tx, job.provider, gate, error, until)
            case Ask(scope="provider", gate=gate):
                gated = op is None and verb is not Verb.HOUSE
                later = now if gated else now + READ_AGAIN_MS
                await self.move(tx, job, back, "wait", run_at=later, data=data, **why)
                await self.gate.close(tx, job.provider, gate or Gate.PAUSED, error, None)
            case Ask() | Stop() if op is not None and op.state is OperationState.INTENDED:
                await self.doubt(tx, job, op, error.message)
            case Stop() if op is None:
                await self.move(tx, job, JobState.FAILED, "failed", data=data, **why)
            case Ask() | Stop():  # what is paid for ends only by the person's word
                await self.ask(tx, job, data=data, **why)

    def _understand(self, error: BaseException, verb: Verb) -> FlowKitError:
        """Unknown errors: never retried on a paying call, retried on a reading one, reported otherwise."""
        if isinstance(error, LibraryTrouble) and verb is Verb.SUBMIT:
            return OutcomeUnknown(f"the reply could not be written down: {error.message}")
        if isinstance(error, FlowKitError):
            return error
        log.error("unexpected error: %s", "".join(traceback.format_exception(error)))
        text = f"{type(error).__name__}: {error}"
        if verb is Verb.SUBMIT:
            return OutcomeUnknown(f"the submit ended with {text}")
        return Transient(text) if verb.repeatable else BugError(text)


def _in_doubt(error: FlowKitError) -> bool:
    return isinstance(error, ProviderError) and error.in_doubt


def _utc(ms: int) -> str:
    """`2026-11-23 14:05 UTC`; pure arithmetic on a stored time."""
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M} UTC"
