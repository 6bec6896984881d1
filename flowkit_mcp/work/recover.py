"""After a takeover, and whenever a reply is missing: find out what became of a call. Nothing is ever sent here."""

from __future__ import annotations

from flowkit_mcp.domain.models import Job, JobState, Operation, OperationState
from flowkit_mcp.domain.policy import Verb, backoff
from flowkit_mcp.errors import LibraryTrouble, Transient
from flowkit_mcp.providers.base import (
    CannotTell,
    InFlight,
    NeverSent,
    Provider,
    Sent,
    SentCall,
    Submission,
)
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.work.charge import SAYS
from flowkit_mcp.work.generate import PaidPath
from flowkit_mcp.work.jumps import Patience
from flowkit_mcp.work.record import media_of_job
from flowkit_mcp.work.workshop import Workshop, log

LOOK_AGAIN_MS = 1500
NEVER_SENT_LIMIT = 5


async def adopt_orphans(shop: Workshop) -> int:
    """Jobs that ran under an earlier leadership: nobody runs them now. Returns how many.

    Without an operation nothing was sent: back to the queue. With one, only looking remains.
    """
    newest = await operations.newest_id(shop.db)
    for file in shop.replies.sweep(await operations.live_ids(shop.db), newest):
        log.warning(
            "%s: a reply that this library knows no call of; it was put back from a copy", file
        )
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
    shop: Workshop,
    path: PaidPath,
    provider: Provider,
    job: Job,
    op: Operation,
    patience: Patience,
) -> None:
    """A claimed job whose call was intended and whose reply is missing: ask what became of it."""
    kept = await shop.replies.read(op)
    if kept is not None:  # the answer came, and its media are here: only the commit is missing
        await _accepted(shop, path, provider, job, op, kept)
        return
    try:
        found = await provider.look_up(await _call(shop, job, op, patience))
    except Exception as error:  # a reading call: policy retries what nobody understands
        await shop.fail(job, error, Verb.POLL)
        return
    now = shop.clock.now()
    match found:
        case Sent(submission=submission):
            await _accepted(shop, path, provider, job, op, submission)
        case NeverSent(evidence=evidence):
            await _never_sent(shop, job, op, evidence)
            await path.forget(provider, op)
        case InFlight() | CannotTell(again=True):
            # in flight, the browser alone is asked; else Flow is, at the pace of polls
            pause = LOOK_AGAIN_MS
            if isinstance(found, CannotTell):
                pause = int(1000 * provider.capabilities.poll_s)
            async with shop.db.transaction() as tx:
                await shop.move(
                    tx,
                    job,
                    JobState.WAITING,
                    "looking",
                    run_at=now + pause,
                    reason="OUTCOME_UNKNOWN",
                    message="the reply is missing; FlowKit is finding out what became of the call",
                )
        case CannotTell(evidence=evidence):
            async with shop.db.transaction() as tx:
                await shop.doubt(tx, job, op, evidence)


async def _never_sent(shop: Workshop, job: Job, op: Operation, evidence: str) -> None:
    """Proof that it may be sent again, as a new operation; but not for ever."""
    now = shop.clock.now()
    async with shop.db.transaction() as tx:
        await operations.settle(tx, op, OperationState.VOID, now=now, reply={"evidence": evidence})
        if await jobs.is_put_back(tx, job.id):
            await shop.ask_put_back(tx, job, f"the call did not arrive ({evidence})")
            return
        earlier = await operations.operations(tx, job.id)
        times = sum(one.state is OperationState.VOID for one in earlier)
        if times % NEVER_SENT_LIMIT:
            later = now if times == 1 else now + backoff(times, shop.roll())
            await shop.move(tx, job, JobState.QUEUED, "never_sent", run_at=later)
            return
        await shop.ask(
            tx,
            job,
            "NEVER_SENT",
            f"the call did not arrive {times} times ({evidence}); {SAYS['no']}. Look at the browser, then call "
            "resolve_job with action 'retry' or 'give_up'",
        )


async def _accepted(
    shop: Workshop,
    path: PaidPath,
    provider: Provider,
    job: Job,
    op: Operation,
    submission: Submission,
) -> None:
    try:
        await path.accepted(job, op, submission)
    except (OSError, LibraryTrouble) as error:
        full = error
        if isinstance(error, OSError):
            full = Transient(f"the reply cannot be written down: {error.strerror or error}")
        await shop.fail(job, full, Verb.POLL, counts=False)
        return
    await path.forget(provider, op)


async def _call(shop: Workshop, job: Job, op: Operation, patience: Patience) -> SentCall:
    sent = op.brief
    by_wall_s = (shop.clock.now() - await operations.lost_at(shop.db, op)) / 1000
    proven = await operations.proven(shop.db, op.provider, op.account)
    return SentCall(
        client_ref=op.client_ref,
        via=op.via,
        age_s=patience.age_s(op.id, by_wall_s),
        media=media_of_job(job),
        proven=tuple((ref, remote) for ref, remote, _ in proven),
        proven_clips=frozenset(ref for ref, _, clip in proven if clip),
        source=sent.get("source"),
        resolution=sent.get("resolution"),
        credits=op.credits_estimate,
        project=sent.get("project"),
        prompt=sent.get("prompt"),
        seed=sent.get("seed"),
        sent_at=op.intended_at,
    )
