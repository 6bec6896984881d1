"""A scripted provider whose ledger is a file of its own, so that it outlives the process that is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from fake_provider import Accepted, FakeProvider
from pydantic import TypeAdapter

from flowkit_mcp.providers.base import (
    Brief,
    ImageBrief,
    ImageUpscaleBrief,
    UpscaleBrief,
    VideoBrief,
)

_KINDS: dict[str, type[Brief]] = {
    kind.__name__: kind for kind in (ImageBrief, VideoBrief, UpscaleBrief, ImageUpscaleBrief)
}


class FiledProvider(FakeProvider):
    """`look_up` is `yes`, `no` or `in_flight` (busy at first, then yes); `stops`: yes, and a cancelled call is stopped;
    `away`: there is no browser.
    """

    def __init__(self, file: Path, look_up: str, on_step: Callable[[str], None]) -> None:
        super().__init__(
            can_look_up=look_up != "no", in_flight_looks=1 if look_up == "in_flight" else 0
        )
        self.ledger = charges(file)
        self.can_cancel = look_up == "stops"
        self.connected = look_up != "away"

        def accepted(line: Accepted) -> None:
            _append(file, line)
            on_step("sent_no_reply")

        self.on_accept = accepted


def charges(file: Path) -> list[Accepted]:
    """The provider's own account of what it accepted."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [
        Accepted(
            line["client_ref"],
            line["remote_id"],
            TypeAdapter(_KINDS[line["kind"]]).validate_python(line["brief"]),
            line["credits"],
        )
        for line in lines
    ]


def _append(file: Path, line: Accepted) -> None:
    text = json.dumps(
        {
            "client_ref": line.client_ref,
            "remote_id": line.remote_id,
            "kind": type(line.brief).__name__,
            "brief": line.brief.model_dump(mode="json"),
            "credits": line.credits,
        }
    )
    with file.open("a", encoding="utf-8") as out:
        out.write(text + "\n")
        out.flush()
        os.fsync(out.fileno())
