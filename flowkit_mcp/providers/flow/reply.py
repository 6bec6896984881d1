"""From the extension's `Result` to the decoded answer of one call, in either lane, or to the error that it means."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Literal

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.errors import ProviderError
from flowkit_mcp.providers.flow import envelope, errors
from flowkit_mcp.providers.flow.labs_payloads import get

_NUMBERED = {code: number for number, code in {
    401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 400: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}.items()}  # fmt: skip


class Answered(Exception):
    """Flow's own refusal of one call, for callers that can make sense of some codes: `slot` starts with the gRPC code.

    `error` is what it means else.
    """

    def __init__(self, slot: list[Any], error: ProviderError) -> None:
        self.slot = slot
        self.error = error
        super().__init__(str(error))


def lane_of(result: Result) -> Literal["batchexecute", "labs"] | None:
    """In which lane's form this answer is written; None where it could be either's."""
    body = (result.body or "").lstrip()
    if body.startswith(")]}'") or '"wrb.fr"' in body[:4096] or body.startswith('[["er"'):
        return "batchexecute"
    return "labs" if body.startswith("{") else None


def payload(result: Result, rpcs: Collection[str], *, paying: bool, now: int) -> Any:
    """Lane `batchexecute`: the decoded payload; None where Flow answered without data. Like `framed`."""
    return framed(result, rpcs, paying=paying, now=now)[1]


def framed(
    result: Result, rpcs: Collection[str], *, paying: bool, now: int
) -> tuple[str | None, Any]:
    """Lane `batchexecute`: which RPC answered, and its decoded payload.

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
        return frame.rpc, frame.payload
    if frame.error is not None and status < 500:
        raise Answered(frame.error, errors.from_slot(frame.error, paying=paying))
    if frame.whole is not None or status != 200:
        code = status if status != 200 else frame.whole or 0
        raise errors.from_whole(code, result.headers, body, paying=paying, now=now)
    return frame.rpc, None


def decoded(result: Result, *, paying: bool, now: int) -> Any:
    """Lane `labs`: the JSON of the answer, without the wrapping of tRPC (flow-wire §2.5, §9.1).

    Raises:
        Answered: Flow refused with an error object, or with the inner status of tRPC while HTTP says 200.
        ProviderError: anything else.
    """
    if result.error is not None:
        raise errors.from_bridge(result.error, paying=paying)
    body, status = result.body or "", result.status or 0
    try:
        value: Any = None if envelope.is_html(body) else json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if value is None:
        if status == 200:
            kind = "html" if envelope.is_html(body) else "payload" if body.strip() else "empty"
            raise errors.from_unreadable(kind, paying=paying)
        if status in (400, 404, 429) and not envelope.is_html(body):
            _refuse(status, result, None, paying, now)
        raise errors.from_whole(status, result.headers, body, paying=paying, now=now)
    if len(envelope.rows(value)) == 1:
        value = envelope.at(
            value, 0
        )  # Google's streaming form of an error, tRPC's batch form of an answer
    wrapped = get(value, "error", "json")
    if wrapped is not None:
        told = envelope.number(get(wrapped, "data", "httpStatus"))
        _refuse(told or status, result, wrapped, paying, now)
    if status != 200 or get(value, "error") is not None:
        code = envelope.number(get(value, "error", "code"))
        _refuse(status if status != 200 else code or 0, result, get(value, "error"), paying, now)
    inner = get(value, "result", "data", "json")
    if inner is None:
        return value
    said = get(inner, "status")
    number = _NUMBERED.get(said) if isinstance(said, str) else envelope.number(said)
    if number is not None and number >= 400:
        _refuse(number, result, get(inner, "error") or inner, paying, now)
    useful = get(inner, "result")
    return inner if useful is None else useful


def _refuse(status: int, result: Result, error: Any, paying: bool, now: int) -> None:
    code, meaning = errors.from_google(status, result.headers, error, paying=paying, now=now)
    raise Answered([code, get(error, "message"), error], meaning)
