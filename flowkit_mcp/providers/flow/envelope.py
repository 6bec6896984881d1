"""The reply envelope of batchexecute (flow-wire §2.1): from the body's text to the frame of one RPC. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

_decoder = json.JSONDecoder()
_PREFIX = ")]}'"
_LENGTH_LINE = re.compile(r"^\s*\d+\s*$")
_HTML = re.compile(r"^\s*(<!doctype|<html|<head|<body|<\w)", re.IGNORECASE)
_START = re.compile(r"[\[{]")


class Unreadable(Exception):
    """The body is not an answer to this RPC. It may still have been carried out."""

    def __init__(self, kind: Literal["html", "empty", "no_frame", "payload", "shape"]) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True)
class Frame:
    """What one RPC answered.

    `payload` None with `error` None means "no data". `error` is slot 5, `[grpc code, message, details]`.
    `whole` is the HTTP-like code of an `er` frame, which speaks for the whole call. `rpc` is whose frame it is.
    """

    payload: Any = None
    error: list[Any] | None = None
    whole: int | None = None
    rpc: str | None = field(default=None, compare=False)


def at(value: Any, *path: int) -> Any:
    """The value at this path of slots; None where an array ends earlier (trailing nulls are trimmed)."""
    for index in path:
        here = rows(value)
        if index >= len(here):
            return None
        value = here[index]
    return value


def number(value: Any) -> int | None:
    """An integer that may be spelled as text (flow-wire §0.3); None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return None


def text(value: Any) -> str | None:
    """Text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def rows(value: Any) -> list[Any]:
    """A list, or an empty one where there is none."""
    return value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]


def is_html(body: str) -> bool:
    return _HTML.match(body) is not None


def read(body: str, rpcs: Collection[str]) -> Frame:
    """The frame of the first of these RPCs that has something to say.

    Raises:
        Unreadable: HTML, nothing, no such frame, or a payload that is not JSON.
    """
    if is_html(body):
        raise Unreadable("html")
    if not body.strip():
        raise Unreadable("empty")
    frames = list(_frames(body, rpcs))
    if not frames:
        # A value cut in two by a length line in its middle: compact JSON has no line breaks of its own.
        lines = body.removeprefix(_PREFIX).splitlines()
        joined = "".join(line for line in lines if not _LENGTH_LINE.match(line))
        frames = list(_frames(joined, rpcs))
    if not frames:
        raise Unreadable("no_frame")
    telling = [frame for frame in frames if frame.payload is not None]
    telling += [frame for frame in frames if frame.error or frame.whole is not None]
    return (telling or frames)[0]


def _frames(body: str, rpcs: Collection[str]) -> Iterator[Frame]:
    for value in _values(body.removeprefix(_PREFIX)):
        for frame in rows(value):
            head = at(frame, 0)
            if head == "er":
                yield Frame(whole=number(at(frame, 5)) or 0)
            elif head == "wrb.fr" and at(frame, 1) in rpcs:
                payload, error = _payload(at(frame, 2)), rows(at(frame, 5)) or None
                yield Frame(payload=payload, error=error, rpc=at(frame, 1))


def _values(body: str) -> Iterator[Any]:
    """All JSON arrays in the text. The length lines between them are often wrong, so they are not read."""
    position = 0
    while match := _START.search(body, position):
        try:
            value, position = _decoder.raw_decode(body, match.start())
        except (ValueError, RecursionError):
            position = body.find("\n", match.start()) + 1  # a broken value ends with its line
            if position == 0:
                return
            continue
        yield value


def _payload(nested: Any) -> Any:
    if nested is None or not isinstance(nested, str):
        return nested
    try:
        return json.loads(nested)
    except (ValueError, RecursionError):
        if nested[:1] in "[{":
            raise Unreadable("payload") from None
        return nested  # `as29s` sometimes answers just an id while the job runs (flow-wire §7.3)
