"""The person wants a job to stop that is at the provider: ask there, once, and take what is done already."""

from __future__ import annotations

from flowkit_mcp.domain.models import Job, JobState, Operation, OperationState
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.providers.base import Provider
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Tx
from flowkit_mcp.work.charge import SAYS
from flowkit_mcp.work.record import Recorder
from flowkit_mcp.work.workshop import Workshop, log

NOTHING_SENT = f"cancelled on request; {SAYS['no']}"
STOPPED = (
    "cancelled on request and stopped at the provider; the balance shows whether credits came back"
)
MAY_FINISH = (
    "cancelled on request, but {why}: it may still finish there, and it counts as charged "
    "({credits} credits)"
)
UNKNOWN = "cancelled on request; it is unknown whether the call arrived, so it counts as charged ({credits} credits)"


async def stop_at_provider(
    shop: Workshop, recorder: Recorder, provider: Provider, job: Job, op: Operation
) -> None:
    """A parked job whose call was accepted. What is done already is brought home, if that succeeds at once; otherwise
    nobody cares any more.
    """
    stopped = await _ask(shop, provider, job, op)
    if not stopped:
        async with shop.db.transaction() as tx:
            claimed = await jobs.claim_one(tx, job.id, shop.generation)
        if claimed is not None:
            await recorder.last_look(provider, claimed, op)
    why = "the provider cannot stop it any more"
    async with shop.db.transaction() as tx:
        await let_go(tx, job.id, shop.clock.now(), why, stopped=stopped)


async def let_go(tx: Tx, id: int, now: int, why: str, *, stopped: bool = False) -> None:
    """The end of a job that was to be cancelled, unless it ended otherwise or it must still be found out whether it
    was paid. `why` it was not stopped where it runs.
    """
    if (await jobs.job(tx, id)).state.final:
        return
    op = await operations.live_operation(tx, id)
    message = NOTHING_SENT
    if op is not None:
        if op.state is OperationState.INTENDED:
            return
        text = STOPPED if stopped else UNKNOWN if op.remote_id is None else MAY_FINISH
        message = text.format(why=why, credits=op.credits_estimate)
        await operations.settle(tx, op, OperationState.ABANDONED, now=now)
    await jobs.transition(
        tx, id, JobState.CANCELLED, now=now, event="cancelled", reason="CANCELLED", message=message
    )


async def _ask(shop: Workshop, provider: Provider, job: Job, op: Operation) -> bool:
    """Once for each call: the answer is noted in the job's history."""
    for event in await jobs.events(shop.db, job.id):
        data = event.data or {}
        if event.type == "cancel_asked" and data.get("operation") == op.id:
            return bool(data.get("stopped"))
    error: str | None = None
    stopped = False
    try:
        stopped = await provider.cancel(op.remote_id or "")
    except Exception as trouble:  # free, and the job is cancelled here whatever the answer is
        error = trouble.code if isinstance(trouble, FlowKitError) else repr(trouble)
        log.info("the provider could not be asked to stop job %d: %s", job.id, error)
    async with shop.db.transaction() as tx:
        await jobs.log(
            tx,
            job.id,
            "cancel_asked",
            shop.clock.now(),
            operation=op.id,
            stopped=stopped,
            error=error,
        )
    return stopped
