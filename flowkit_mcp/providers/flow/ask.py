"""One call in one lane: what is sent, and how its answer is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from flowkit_mcp.providers.flow.labs import Request
from flowkit_mcp.providers.flow.table import CallRow, LabsRow, Table

Lane = Literal["batchexecute", "labs"]
T = TypeVar("T")


@dataclass(frozen=True)
class Ask(Generic[T]):
    """`args` are those of `call` in docs/bridge-protocol.md; `parse` gets the decoded answer."""

    name: str
    lane: Lane
    args: dict[str, Any]
    parse: Callable[[Any], T]


def batch(
    facts: Table,
    name: str,
    args: list[Any],
    parse: Callable[[Any], T],
    project: str | None = None,
) -> Ask[T]:
    """In lane `batchexecute`. Some image models refuse a call without the page it comes from (flow-wire §2.1)."""
    page = f"/project/{project}" if project else "/"
    body = {"rpc": facts.calls[name].rpc, "args": args, "source_path": page}
    return Ask(name, "batchexecute", body, parse)


def rest(facts: Table, name: str, request: Request, parse: Callable[[Any], T]) -> Ask[T]:
    """In lane `labs`."""
    row = facts.labs[name]
    args: dict[str, Any] = {
        "method": row.method,
        "host": row.host,
        "path": row.path.format_map(request.ids),
        "query": request.query,
    }
    if request.body is not None:
        args["body"] = request.body
    return Ask(name, "labs", args, parse)


def row_of(facts: Table, ask: Ask[Any]) -> CallRow | LabsRow:
    return (facts.labs if ask.lane == "labs" else facts.calls)[ask.name]
