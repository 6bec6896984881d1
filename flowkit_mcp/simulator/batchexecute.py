"""The batchexecute envelope: form body in, `)]}'` frames out (flow-wire §2.1). Knows no rpc."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

CONTENT_TYPE = "application/json; charset=utf-8"


class Malformed(Exception):
    """The body is not a batchexecute call."""


@dataclass(frozen=True)
class Envelope:
    """`calls` is a list of (rpc id, argument array); `at` the page's XSRF value."""

    calls: tuple[tuple[str, list[Any]], ...]
    at: str


def decode(body: bytes) -> Envelope:
    """Read `f.req=[[[rpc, "<args as JSON text>", null, "generic"], …]]&at=…`.

    Raises:
        Malformed: anything else.
    """
    try:
        form = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=16)
        outer = json.loads(form["f.req"][0])
        calls = tuple(_call(item) for item in outer[0])
    except (UnicodeDecodeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise Malformed(str(error)) from error
    if not calls:
        raise Malformed("no call")
    return Envelope(calls, form.get("at", [""])[0])


def _call(item: Any) -> tuple[str, list[Any]]:
    rpc, text = item[0], item[1]
    args = json.loads(text)
    if not isinstance(rpc, str) or not isinstance(args, list):
        raise TypeError("an rpc id and an array are wanted")
    return rpc, cast("list[Any]", args)


def answer(rpc: str, payload: Any) -> list[Any]:
    """A frame whose payload is a JSON text of its own; None = no data."""
    text = None if payload is None else compact(payload)
    return ["wrb.fr", rpc, text, None, None, None, "generic"]


def refusal(rpc: str, slot: list[Any]) -> list[Any]:
    return ["wrb.fr", rpc, None, None, None, slot, "generic"]


def whole_call_error(code: int) -> list[Any]:
    return ["er", None, None, None, None, code, None, None, None, 5]


def encode(frames: list[list[Any]], number: int, framing: str = "mixed") -> str:
    """The body of a reply; `number` counts replies, and varies how frames are cut into chunks.

    The length lines are wrong on purpose, as Flow's are: nothing may rely on them.
    """
    tail = [
        ["di", 400 + number % 300],
        ["af.httprm", 399 + number % 300, str(-(7**23) - number), 49],
    ]
    if framing == "split" or (framing == "mixed" and number % 3 == 1):
        chunks = [*([frame] for frame in frames), tail]
    else:
        chunks = [[*frames, *tail]]
    chunks.append([["e", 4, None, None, sum(len(compact(chunk)) for chunk in chunks)]])
    text = "".join(
        f"{len(compact(chunk)) - 3 - i}\n{compact(chunk)}\n" for i, chunk in enumerate(chunks)
    )
    return f")]}}'\n\n{text}"


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
