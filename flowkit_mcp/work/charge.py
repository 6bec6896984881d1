"""What a message about a job says of its credits: charged, not charged, given back, or unknown. The one place for it:
errors say it by their field `charged`, never in their words.
"""

from __future__ import annotations

from flowkit_mcp.domain.models import Job, JobKind, Operation, OperationState
from flowkit_mcp.errors import Charged, FlowKitError

_FREE_PROVIDERS = ("local", "youtube")
SAYS: dict[Charged, str] = {
    "no": "nothing was charged",
    "yes": "it was charged",
    "refunded": "the credits were given back",
    "unknown": "it may have been charged",
}


def told(error: FlowKitError, job: Job, op: Operation | None) -> str:
    """The error's message, with what became of the credits. `op`: the job's live call, if there is one.

    An error of a look or a download says nothing about the call that it follows: that one is paid, or is looked for.
    """
    if job.provider in _FREE_PROVIDERS or job.kind is JobKind.HOUSEKEEPING:
        return error.message
    if op is None:
        return f"{error.message}; {SAYS[error.charged]}"
    known = op.state is OperationState.SUBMITTED
    return f"{error.message}; {counts(op) if known else SAYS['unknown']}"


def counts(op: Operation | None) -> str:
    """`the call counts as charged (12 credits)`; without a call nothing was charged."""
    if op is None:
        return SAYS["no"]
    if op.credits_estimate == 0:
        return "the call costs nothing"
    if (op.reply or {}).get("charged") == "no":
        return "the call was seen to cost nothing"
    may = "may have been" if op.state is OperationState.UNKNOWN else "counts as"
    return f"the call {may} charged ({op.credits_estimate} credits)"
