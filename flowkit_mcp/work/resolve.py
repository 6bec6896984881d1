"""What a person says about a job: stop it, or decide what nobody else can (docs/states.md)."""

from __future__ import annotations

from flowkit_mcp.domain.models import (
    Gate,
    Job,
    JobKind,
    JobState,
    Operation,
    OperationState,
    ProviderState,
)
from flowkit_mcp.errors import Conflict, RequestError
from flowkit_mcp.store import jobs, operations, takes
from flowkit_mcp.store.database import Tx
from flowkit_mcp.work import publish_answers
from flowkit_mcp.work.charge import counts
from flowkit_mcp.work.stop import NOTHING_SENT

#: Reasons of a job whose call was accepted, and will bring nothing as far as anybody can tell.
PAID_AND_LOST = ("STUCK", "REPLY_LOST")


async def cancel(tx: Tx, id: int, now: int) -> None:
    """At once if nothing is under way, else by the leader. Raises NotFound, Conflict."""
    job = await jobs.job(tx, id)
    if job.state.final:
        raise Conflict(f"job {id} has already {job.state}", hint="There is nothing to cancel.")
    op = await operations.live_operation(tx, id)
    idle = job.state in (JobState.QUEUED, JobState.NEEDS_ATTENTION)
    if not idle or op is not None:
        await jobs.request_cancel(tx, id, now)
        return
    await jobs.transition(
        tx,
        id,
        JobState.CANCELLED,
        now=now,
        event="cancelled",
        reason="CANCELLED",
        message=NOTHING_SENT,
    )


async def reopen(tx: Tx, provider: str, now: int) -> ProviderState:
    """The provider may be used again, models whose daily quota was used up too. Returns how it then stands.

    Of what was closed the pause is over: one call goes ahead as a probe, and opens it when it is accepted.
    """
    state = await operations.ensure_provider(tx, provider, now)
    if state.closed(now):
        await operations.set_gate(
            tx,
            provider,
            Gate.PAUSED,
            now=now,
            reason=state.reason,
            message="it may be used again, says the person; the next call goes ahead of all others as a probe",
            resume_at=now,
        )
    await jobs.end_quota_waits(tx, provider, now)
    return await operations.ensure_provider(tx, provider, now)


async def resolve(tx: Tx, id: int, action: str, media_id: str | None, now: int) -> None:
    """One answer to one question: of two answers at once, the second finds nothing to decide.

    `look_again` (free): ask once more what became of the call. `submit_again`: a new call, which may be charged a
    second time. `attach`: it is there, under `media_id`. `retry`: go on. `give_up`: the job fails.

    Raises:
        NotFound: no such job. Conflict: it waits for nobody. RequestError: the action does not fit.
    """
    job = await jobs.job(tx, id)
    if job.kind is JobKind.PUBLISH and job.state is JobState.NEEDS_ATTENTION:
        await publish_answers.answer(tx, job, action, media_id, now)
        return
    slow = job.state is JobState.WAITING and job.reason == "SLOW"
    if job.state is not JobState.NEEDS_ATTENTION and not (slow and action == "give_up"):
        raise Conflict(
            f"job {id} is {job.state} and waits for nobody's decision",
            hint="Call list_jobs to see which job needs attention.",
        )
    await _carry_out(tx, job, await operations.live_operation(tx, id), action, media_id, now)


async def _carry_out(
    tx: Tx, job: Job, op: Operation | None, action: str, media_id: str | None, now: int
) -> None:
    # what was noted of the call stays: whether it was charged is in it
    reply = {**((op.reply if op is not None else None) or {}), "resolved": action}
    if action == "give_up":
        if op is not None:
            await operations.settle(tx, op, OperationState.ABANDONED, now=now, reply=reply)
        await jobs.give_up(tx, job.id, now, counts(op))
    elif action == "attach" and op is not None and media_id:
        await _not_known_already(tx, op, media_id)
        if op.state is OperationState.SUBMITTED:  # no doubt about this one, whatever is attached
            reply.setdefault("accepted_as", op.remote_id)
        await operations.submitted(
            tx, op, remote_id=media_id, credits_after=op.credits_after, now=now, reply=reply
        )
        await jobs.transition(
            tx, job.id, JobState.WAITING, now=now, event="attached", run_at=now, attempts=0
        )
    elif action == "submit_again" and op is not None and op.state is OperationState.UNKNOWN:
        await operations.settle(tx, op, OperationState.VOID, now=now, reply=reply)
        await jobs.transition(
            tx, job.id, JobState.QUEUED, now=now, event="submit_again", run_at=now
        )
    elif action == "submit_again" and op is not None and job.reason in PAID_AND_LOST:
        # it was accepted: the first stays in the books as spent
        await operations.settle(tx, op, OperationState.ABANDONED, now=now, reply=reply)
        await jobs.transition(
            tx, job.id, JobState.QUEUED, now=now, event="submit_again", run_at=now
        )
    elif action == "look_again" and op is not None and op.state is OperationState.UNKNOWN:
        await operations.look_again(tx, op, now)
        await jobs.transition(
            tx, job.id, JobState.WAITING, now=now, event="look_again", run_at=now, attempts=0
        )
    elif action in ("retry", "look_again") and _goes_on(op, action):
        to = JobState.QUEUED if op is None else JobState.WAITING
        await jobs.transition(tx, job.id, to, now=now, event="retried", run_at=now, attempts=0)
    else:
        raise RequestError(
            f"action {action!r} does not fit job {job.id} ({job.reason})",
            hint=f"What fits: {_fitting(job, op)}.",
        )


async def _not_known_already(tx: Tx, op: Operation, media_id: str) -> None:
    """Media that fill another slot already are not what this call made."""
    asset = await takes.known_as(tx, op.provider, media_id)
    if asset is not None:
        raise RequestError(
            f"media id {media_id!r} is in the library already, as {asset.path}",
            hint="Look for the one that this call made; or resolve_job with 'give_up'.",
        )


def _goes_on(op: Operation | None, action: str) -> bool:
    """Whether the job can go on where it stands: nothing was sent, or what was sent is known."""
    if op is None:
        return action == "retry"
    return op.state is OperationState.SUBMITTED


def _fitting(job: Job, op: Operation | None) -> str:
    if op is None:
        return "retry or give_up"
    known = op.state is OperationState.SUBMITTED
    again = "" if known and job.reason not in PAID_AND_LOST else "submit_again, "
    return f"{'retry' if known else 'look_again'}, {again}attach (with media_id) or give_up"
