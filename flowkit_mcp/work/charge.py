"""What a message about a job says of its credits: charged, not charged, given back, or unknown."""

from __future__ import annotations

from flowkit_mcp.domain.models import Job, JobKind, Operation, OperationState
from flowkit_mcp.errors import Charged, FlowKitError

_FREE_PROVIDERS = ("local", "youtube")
_NOT_CHARGED = "; nothing was charged"
_SAYS: dict[Charged, str] = {
    "no": _NOT_CHARGED,
    "yes": "; it was charged",
    "refunded": "; the credits were given back",
    "unknown": "; it may have been charged",
}


def told(error: FlowKitError, job: Job, op: Operation | None) -> str:
    """The error's message, with what became of the credits. `op`: the job's live call, if there is one.

    An error of a look or a download says nothing about the call that it follows: that one is paid, or is looked for.
    """
    if job.provider in _FREE_PROVIDERS or job.kind is JobKind.HOUSEKEEPING:
        return error.message
    if op is None:
        says = any(word in error.message for word in ("charged", "given back", "costs nothing"))
        return error.message if says else error.message + _SAYS[error.charged]
    text = error.message.removesuffix(_NOT_CHARGED)
    if op.state is OperationState.SUBMITTED:
        return f"{text}; {counts(op)}"
    return text if "charged" in text else text + _SAYS["unknown"]


def counts(op: Operation | None) -> str:
    """`the call counts as charged (12 credits)`; without a call nothing was charged."""
    if op is None:
        return "nothing was charged"
    if op.credits_estimate == 0:
        return "the call costs nothing"
    if (op.reply or {}).get("charged") == "no":
        return "the call was seen to cost nothing"
    may = "may have been" if op.state is OperationState.UNKNOWN else "counts as"
    return f"the call {may} charged ({op.credits_estimate} credits)"
