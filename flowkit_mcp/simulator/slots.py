"""Positional arrays: read a slot that may not be there, trim trailing nulls, write a time (flow-wire §0.3)."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from flowkit_mcp.simulator.faults import Grpc, Refusal

T = TypeVar("T")


def slot(value: Any, *path: int) -> Any:
    """The value at a path of indices, or None where an array is too short or no array at all."""
    for index in path:
        if not isinstance(value, list):
            return None
        items = cast("list[Any]", value)
        if index >= len(items):
            return None
        value = items[index]
    return value


def items(value: Any) -> list[Any]:
    """An array, or an empty one in its place."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def wanted(value: Any, kind: type[T]) -> T:
    """
    Raises:
        Refusal: INVALID_ARGUMENT: the shape of the call is wrong.
    """
    if not isinstance(value, kind) or isinstance(value, bool):
        raise Refusal(Grpc.INVALID_ARGUMENT)
    return value


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...]:
    """Every text in an array and the arrays inside it, in order."""
    if isinstance(value, str):
        return (value,)
    return tuple(text for item in items(value) for text in texts(item))


def trim(values: list[Any]) -> list[Any]:
    """Without nulls at the end."""
    end = len(values)
    while end and values[end - 1] is None:
        end -= 1
    return values[:end]


def stamp(at_ms: int) -> list[int]:
    """`[seconds, nanos]`; nanos of zero are dropped."""
    seconds, rest = divmod(at_ms, 1000)
    return [seconds, rest * 1_000_000] if rest else [seconds]


def prompt_text(block: Any) -> str:
    """The text of a prompt block `[[part, …]]`; a part is `[text]` or a mention `[null, …]`.

    Raises:
        Refusal: INVALID_ARGUMENT: no text in it.
    """
    parts = items(slot(block, 0))
    text = " ".join(part for part in (slot(part, 0) for part in parts) if isinstance(part, str))
    if not text.strip():
        raise Refusal(Grpc.INVALID_ARGUMENT)
    return text
