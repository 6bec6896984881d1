"""From the extension's `Result` to the payload of one RPC, or to the error that it means."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.errors import ProviderError
from flowkit_mcp.providers.flow import envelope, errors


class Answered(Exception):
    """Slot 5 of a frame, for callers that can make sense of some codes. `error` is what it means else."""

    def __init__(self, slot: list[Any], error: ProviderError) -> None:
        self.slot = slot
        self.error = error
        super().__init__(str(error))


def payload(result: Result, rpcs: Collection[str], *, paying: bool, now: int) -> Any:
    """The decoded payload; None where Flow answered without data.

    Args:
        result: what came over the bridge.
        rpcs: the RPC ids whose frame counts.
        paying: whether a missing proof means `OutcomeUnknown` (design §3.4).
        now: milliseconds, for a `Retry-After` that is a date.

    Raises:
        Answered: Flow refused this RPC in slot 5.
        ProviderError: anything else.
    """
    if result.error is not None:
        raise errors.from_bridge(result.error, paying=paying)
    body, status = result.body or "", result.status or 0
    try:
        frame = envelope.read(body, rpcs)
    except envelope.Unreadable as unreadable:
        if status != 200:
            raise errors.from_whole(
                status, result.headers, body, paying=paying, now=now
            ) from unreadable
        raise errors.from_unreadable(unreadable.kind, paying=paying) from None
    if frame.payload is not None and status == 200:
        return frame.payload
    if frame.error is not None and status < 500:
        raise Answered(frame.error, errors.from_slot(frame.error, paying=paying))
    if frame.whole is not None or status != 200:
        code = status if status != 200 else frame.whole or 0
        raise errors.from_whole(code, result.headers, body, paying=paying, now=now)
    return None
