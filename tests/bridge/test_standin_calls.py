"""The stand-in's table of calls: true to the document, and nothing beside it gets through."""

import re
from pathlib import Path
from typing import Any

import pytest

from flowkit_mcp.bridge.protocol import RECAPTCHA, Call
from flowkit_mcp.simulator.browser_calls import (
    BATCHEXECUTE,
    LABS,
    CannotCall,
    check,
    with_token,
)

DOCUMENT = Path(__file__).parents[2] / "docs/bridge-protocol.md"
MID = "22222222-2222-4222-8222-222222222222"


def documented(columns: int) -> dict[str, tuple[str, ...]]:
    """The rows of the document's table with so many columns."""
    rows = re.findall(
        r"^\| `([\w.]+)` \|(.*)\|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )
    found = [(name, tuple(c.strip().strip("`") for c in rest.split("|"))) for name, rest in rows]
    return {name: cells for name, cells in found if len(cells) == columns - 1}


def shown(value: str | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value or "–"


def test_the_document_has_the_calls_of_lane_batchexecute() -> None:
    ours = {
        name: (row.rpc, shown(row.captcha), shown(row.paid), str(row.limit_s))
        for name, row in BATCHEXECUTE.items()
    }
    assert documented(5) == ours


def test_the_document_has_the_calls_of_lane_labs() -> None:
    ours = {
        name: (
            row.method,
            row.host,
            row.path,
            shown(", ".join(row.query)),
            shown(row.captcha),
            shown(row.paid),
            str(row.limit_s),
        )
        for name, row in LABS.items()
    }
    assert documented(8) == ours


def call(name: str, args: dict[str, Any], **changed: Any) -> Call:
    fields: dict[str, Any] = {"id": "x", "generation": 1, "lane": "labs", "timeout_s": 5}
    return Call.model_validate({**fields, "name": name, "args": args, **changed})


GOOD: dict[str, Any] = {
    "method": "GET",
    "host": "api",
    "path": f"/v1/media/{MID}_4k_upsampled",
    "query": {"clientContext.tool": "PINHOLE"},
}


def test_a_call_as_the_table_has_it_is_let_through() -> None:
    assert check(call("media.get", GOOD)) is LABS["media.get"]
    body: dict[str, Any] = {"workflow": {}, "updateMask": "metadata.archived"}
    args: dict[str, Any] = {
        "method": "PATCH",
        "host": "api",
        "path": f"/v1/flowWorkflows/{MID}",
        "body": body,
    }
    assert check(call("workflow.archive", args)) is LABS["workflow.archive"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"headers": {"x-goog-api-key": "k"}}, "args"),
        ({"method": "POST", "body": {}}, "method"),
        ({"host": "site"}, "host"),
        ({"host": "elsewhere.example"}, "host"),
        ({"path": "/v1/credits"}, "path"),
        ({"path": f"/v1/media/{MID}/../../credits"}, "path"),
        ({"path": "/v1/media/"}, "path"),
        ({"path": f"/v1/media/{MID}?key=1"}, "path"),
        ({"path": f"/v1/media/{MID}%2f"}, "path"),
        ({"query": {"key": "AIza"}}, "query"),
        ({"query": {"clientContext.tool": ["PINHOLE"]}}, "query"),
        ({"query": "clientContext.tool=PINHOLE"}, "query"),
        ({"body": {}}, "body"),
    ],
)
def test_anything_else_is_refused_and_the_field_is_named(
    changed: dict[str, Any], field: str
) -> None:
    with pytest.raises(CannotCall) as refused:
        check(call("media.get", GOOD | changed))
    assert refused.value.error.code == "BAD_ARGUMENTS" and not refused.value.error.sent
    assert refused.value.error.message.startswith(field)


def test_a_paying_call_cannot_pass_as_free_nor_mint_for_something_else() -> None:
    path = LABS["video.text"].path
    body: dict[str, Any] = {"method": "POST", "host": "api", "path": path, "body": {}}
    assert check(call("video.text", body, paid=True, captcha="VIDEO_GENERATION"))
    for wrong in ({"paid": False}, {"paid": True, "captcha": "IMAGE_GENERATION"}):
        with pytest.raises(CannotCall, match="BAD_ARGUMENTS"):
            check(call("video.text", body, **wrong))


def test_a_name_without_a_row_in_the_calls_lane_is_unknown() -> None:
    for name, lane in (("scene.create", "labs"), ("media.url", "batchexecute"), ("x", "labs")):
        with pytest.raises(CannotCall, match="UNKNOWN_CALL"):
            check(call(name, {}, lane=lane))


def test_the_token_goes_wherever_its_place_is_marked_and_nowhere_else() -> None:
    body = {"a": [{"token": RECAPTCHA}, RECAPTCHA], "prompt": f"say {RECAPTCHA}", RECAPTCHA: 1}
    told = with_token(body, "T")
    assert told == {"a": [{"token": "T"}, "T"], "prompt": f"say {RECAPTCHA}", RECAPTCHA: 1}
