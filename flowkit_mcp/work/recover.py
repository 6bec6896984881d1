"""After a takeover, and whenever a reply is missing: find out what became of a call. Nothing is ever sent here."""

from __future__ import annotations

import datetime

from flowkit_mcp.domain.models import Job, JobState, Operation, OperationState
from flowkit_mcp.domain.policy import Verb
from flowkit_mcp.domain.requests import UpscaleVideo, paid_request_of
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.providers.base import CannotTell, InFlight, NeverSent, Provider, Sent, SentCall
from flowkit_mcp.store import jobs, operations, takes
from flowkit_mcp.work.generate import PaidPath, media_of_job
from flowkit_mcp.work.workshop import Workshop, log

LOOK_AGAIN_MS = 1500
EVIDENCE = (
    "It is unknown whether this call arrived: {evidence}. Credits before: {before}. Look into the Flow project "
    "around {when}; then call resolve_job with action 'submit_again', 'attach' (and the media id) or 'give_up'"
)


async def adopt_orphans(shop: Workshop) -> int:
    """Jobs that ran under an earlier leadership: nobody runs them now. Returns how many.

    Without an operation nothing was sent: back to the queue. With one, only looking remains.
    """
    found = await jobs.orphans(shop.db, shop.generation)
    for orphan in found:
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            op = await operations.live_operation(tx, orphan.id)
            to = JobState.QUEUED if op is None else JobState.WAITING
            await jobs.transition(
                tx,
                orphan.id,
                to,
                now=now,
                event="orphaned",
                run_at=now,
                data={"generation": orphan.generation, "operation": op.id if op else None},
            )
    if found:
        log.info("adopted %d job(s) of an earlier leader", len(found))
    return len(found)


async def reconcile(
    shop: Workshop, path: PaidPath, provider: Provider, job: Job, op: Operation
) -> None:
    """A claimed job whose call was intended and whose reply is missing: ask what became of it."""
    request = paid_request_of(job)
    source = None
    if isinstance(request, UpscaleVideo):
        clip = await takes.take(shop.db, request.source_take_id)
        source = await takes.remote_id(shop.db, clip.asset_id, op.provider, op.account, None)
    call = SentCall(
        client_ref=op.client_ref,
        via=op.via,
        age_s=(shop.clock.now() - op.intended_at) / 1000,
        media=media_of_job(job),
        proven=await operations.proven(shop.db, op.provider, op.account),
        source=source,
        resolution=request.resolution if isinstance(request, UpscaleVideo) else None,
    )
    try:
        found = await provider.look_up(call)
    except Exception as error:  # a reading call: policy retries what nobody understands
        await shop.fail(job, error, Verb.POLL)
        return
    now = shop.clock.now()
    match found:
        case Sent(submission=submission):
            await path.accepted(job, op, submission.remote_id, submission.credits_after)
            await _forget(provider, op)
        case NeverSent(evidence=evidence):
            async with shop.db.transaction() as tx:
                await operations.settle(
                    tx, op, OperationState.VOID, now=now, reply={"evidence": evidence}
                )
                await shop.move(tx, job, JobState.QUEUED, "never_sent", run_at=now)
        case InFlight() | CannotTell(again=True):
            async with shop.db.transaction() as tx:
                await shop.move(
                    tx,
                    job,
                    JobState.WAITING,
                    "looking",
                    run_at=now + LOOK_AGAIN_MS,
                    reason="OUTCOME_UNKNOWN",
                    message="the reply is missing; FlowKit is finding out what became of the call",
                )
        case CannotTell(evidence=evidence):
            message = EVIDENCE.format(
                evidence=evidence, before=op.credits_before, when=_utc(op.intended_at)
            )
            async with shop.db.transaction() as tx:
                await operations.settle(
                    tx, op, OperationState.UNKNOWN, now=now, reply={"evidence": evidence}
                )
                await shop.move(
                    tx,
                    job,
                    JobState.NEEDS_ATTENTION,
                    "needs_attention",
                    reason="OUTCOME_UNKNOWN",
                    message=message,
                )


async def _forget(provider: Provider, op: Operation) -> None:
    try:
        await provider.forget(op.client_ref)
    except FlowKitError as error:
        log.info("the extension could not be told that %d is saved: %s", op.id, error.code)


def _utc(ms: int) -> str:
    """`2026-11-23 14:05 UTC`; pure arithmetic on a stored time."""
    at = datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC)
    return f"{at:%Y-%m-%d %H:%M} UTC"
