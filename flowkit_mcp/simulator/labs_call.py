"""One call of lane labs, and what all of its handlers need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flowkit_mcp.simulator import long_ids
from flowkit_mcp.simulator.counter import Counter
from flowkit_mcp.simulator.faults import Grpc, Refusal
from flowkit_mcp.simulator.labs_records import LabsRecords
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.shelf import Shelf
from flowkit_mcp.simulator.state import Account


@dataclass(frozen=True)
class LabsCall:
    """`twin` is the rpc id of the same service method in lane batchexecute (flow-wire §2.3)."""

    twin: str
    account: Account
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    hide_url: bool = False  #: a fault has it that the address is not there yet
    lose_one: bool = False  #: a fault has it that a poll leaves its first id out


@dataclass(frozen=True)
class Moved:
    """A redirect to an address, or the bytes of a thumbnail."""

    to: str
    thumbnail: bytes | None = None


Reply = dict[str, Any] | Moved
Handler = Callable[[LabsCall], Awaitable[Reply]]


@dataclass(frozen=True)
class Labs:
    """The service as the handlers of lane labs see it."""

    service: FlowService
    counter: Counter
    shelf: Shelf
    records: LabsRecords

    def check_captcha(self, call: LabsCall, actions: tuple[str, ...]) -> None:
        """
        Raises:
            Refusal: UNUSUAL_ACTIVITY.
        """
        context = call.body.client_context.recaptcha_context
        token = context.token if context is not None else None
        self.service.check_captcha(token, call.account.name, actions)

    def media_id(self, text: str) -> str:
        """The id in either spelling; with the switch on a long one is refused.

        Raises:
            Refusal: INVALID_ARGUMENT.
        """
        found = long_ids.decode(text)
        if found is None:
            return text
        if self.service.state.switches.long_ids == "refuse":
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return found

    def balance(self, call: LabsCall) -> int:
        return self.service.shown_balance(call.account)


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def as_dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
