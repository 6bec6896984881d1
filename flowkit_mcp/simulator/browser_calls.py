"""Every call that the stand-in makes, in both lanes: docs/bridge-protocol.md as data, and the check against it.

`extension/lib/flow_api.js` holds the same two tables. Where a call goes is decided here, never by the server.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, NamedTuple, cast

from flowkit_mcp.bridge.protocol import RECAPTCHA, Call, CallError

IMAGE, VIDEO = "IMAGE_GENERATION", "VIDEO_GENERATION"
TRPC = "/fx/api/trpc/"
_VIDEO = "/v1/video:batchAsyncGenerateVideo"


class Row(NamedTuple):
    """Of lane `batchexecute`: the RPC it means today, the captcha it may mint, whether it costs, its limit."""

    rpc: str
    captcha: str | None
    paid: bool
    limit_s: float


class LabsRow(NamedTuple):
    """An allowed call of lane `labs`. `{…}` in the path is one id; `query`: the names it may have."""

    method: Literal["GET", "POST", "PATCH"]
    host: Literal["api", "site"]
    path: str
    query: tuple[str, ...]
    captcha: str | None
    paid: bool
    limit_s: float


AnyRow = Row | LabsRow

BATCHEXECUTE: dict[str, Row] = {
    "account.credits": Row("nzlxg", None, False, 20),
    "account.models": Row("HTrJv", None, False, 20),
    "project.create": Row("jHPbke", None, False, 20),
    "project.list": Row("UpteDb", None, False, 60),
    "project.contents": Row("Zzl0ze", None, False, 60),
    "project.rename": Row("o8DA4", None, False, 20),
    "project.delete": Row("QI2zvc", None, False, 20),
    "media.get": Row("as29s", None, False, 60),
    "media.delete": Row("cz8Z4b", None, False, 20),
    "workflow.update": Row("mYWVGd", None, False, 20),
    "workflow.archive": Row("pGCYOe", None, False, 20),
    "scene.create": Row("rqZuUc", None, False, 30),
    "character.create": Row("C4BZMd", None, False, 20),
    "character.update": Row("rzMKMb", None, False, 20),
    "character.portrait": Row("Sc7aEb", None, False, 30),
    "image.upload": Row("maseQ", IMAGE, False, 90),
    "image.generate": Row("ogiZ0b", IMAGE, True, 180),
    "image.upscale": Row("SPrCad", IMAGE, True, 300),
    "video.text": Row("YhhmEf", VIDEO, True, 90),
    "video.start": Row("eb1hJf", VIDEO, True, 90),
    "video.start_end": Row("nprQif", VIDEO, True, 90),
    "video.references": Row("MZZa6b", VIDEO, True, 90),
    "video.extend": Row("fZytfe", VIDEO, True, 90),
    "video.upscale": Row("p0UkFb", VIDEO, True, 90),
    "video.status": Row("jwpduf", None, False, 30),
}

# fmt: off
LABS: dict[str, LabsRow] = {
    "account.credits": LabsRow("GET", "api", "/v1/credits", (), None, False, 20),
    "account.models": LabsRow("GET", "site", f"{TRPC}flow.projectInitialData", ("input",), None, False, 60),
    "project.create": LabsRow("POST", "site", f"{TRPC}project.createProject", (), None, False, 20),
    "project.list": LabsRow("GET", "site", f"{TRPC}project.searchUserProjects", ("input",), None, False, 60),
    "project.contents": LabsRow("GET", "site", f"{TRPC}flow.projectInitialData", ("input",), None, False, 60),
    "project.rename": LabsRow("POST", "site", f"{TRPC}project.updateProject", (), None, False, 20),
    "project.delete": LabsRow("POST", "site", f"{TRPC}project.deleteProject", (), None, False, 20),
    "media.get": LabsRow("GET", "api", "/v1/media/{media}", ("clientContext.tool",), None, False, 60),
    "media.url": LabsRow("GET", "site", f"{TRPC}media.getMediaUrlRedirect", ("name",), None, False, 60),
    "media.delete": LabsRow("POST", "api", "/v1/flow:batchDeleteAssets", (), None, False, 20),
    "media.cancel": LabsRow("POST", "api", "/v1/flowMedia:cancelGeneration", (), None, False, 20),
    "workflow.update": LabsRow("PATCH", "api", "/v1/flowWorkflows/{workflow}", (), None, False, 20),
    "workflow.archive": LabsRow("PATCH", "api", "/v1/flowWorkflows/{workflow}", (), None, False, 20),
    "character.create": LabsRow("POST", "site", f"{TRPC}flow.createEntity", (), None, False, 20),
    "character.update": LabsRow("PATCH", "api", "/v1/flow/entities", (), None, False, 20),
    "character.portrait": LabsRow("POST", "api", "/v1/flow:copyProjectMedia", (), None, False, 30),
    "image.upload": LabsRow("POST", "api", "/v1/flow/uploadImage", (), None, False, 90),
    "image.generate": LabsRow(
        "POST", "api", "/v1/projects/{project}/flowMedia:batchGenerateImages", (), IMAGE, True, 180
    ),
    "image.upscale": LabsRow("POST", "api", "/v1/flow/upsampleImage", (), IMAGE, True, 300),
    "video.text": LabsRow("POST", "api", f"{_VIDEO}Text", (), VIDEO, True, 90),
    "video.start": LabsRow("POST", "api", f"{_VIDEO}StartImage", (), VIDEO, True, 90),
    "video.start_end": LabsRow("POST", "api", f"{_VIDEO}StartAndEndImage", (), VIDEO, True, 90),
    "video.references": LabsRow("POST", "api", f"{_VIDEO}ReferenceImages", (), VIDEO, True, 90),
    "video.extend": LabsRow("POST", "api", f"{_VIDEO}ExtendVideo", (), VIDEO, True, 90),
    "video.upscale": LabsRow("POST", "api", f"{_VIDEO}UpsampleVideo", (), VIDEO, True, 90),
    "video.status": LabsRow(
        "POST", "api", "/v1/video:batchCheckAsyncVideoGenerationStatus", (), None, False, 30
    ),
}
# fmt: on

_NAME_OF = {row.rpc: name for name, row in BATCHEXECUTE.items()}
_RPC = re.compile(r"[A-Za-z0-9]{5,6}")
_SOURCE_PATH = re.compile(r"/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")
_ID = "[A-Za-z0-9_-]{1,400}"
_LONGEST_QUERY = 4096


class CannotCall(Exception):
    """The call ends without an answer from Flow; `error` is what the server is told."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.code)
        self.error = error


def stop(code: str, message: str, *, sent: bool = False) -> CannotCall:
    """The exception for one of the codes of `CallError`."""
    return CannotCall(CallError.model_validate({"code": code, "message": message, "sent": sent}))


def check(call: Call) -> AnyRow:
    """Raises CannotCall unless a row of the call's lane allows exactly this."""
    row = (BATCHEXECUTE if call.lane == "batchexecute" else LABS).get(call.name)
    if row is None:
        raise stop("UNKNOWN_CALL", "this browser knows no such call")
    faults = {
        **(_of_batch(call) if isinstance(row, Row) else _of_labs(row, call.args)),
        "captcha": call.captcha in {None, row.captcha},
        "paid": call.paid == row.paid,
    }
    for field, good in faults.items():
        if not good:
            raise stop("BAD_ARGUMENTS", f"{field} is not what {call.name} allows")
    return row


def with_token(value: Any, token: str) -> Any:
    """The same arguments with the token wherever its place is marked."""
    if isinstance(value, list):
        return [with_token(item, token) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: with_token(item, token) for name, item in fields.items()}
    return token if value == RECAPTCHA else value


def _of_batch(call: Call) -> dict[str, bool]:
    rpc, path = call.args.get("rpc"), call.args.get("source_path", "/")
    return {
        "args": call.args.keys() <= {"rpc", "args", "source_path"}
        and isinstance(call.args.get("args"), list),
        "rpc": isinstance(rpc, str)
        and _RPC.fullmatch(rpc) is not None
        and _NAME_OF.get(rpc, call.name) == call.name,
        "source_path": isinstance(path, str) and _SOURCE_PATH.fullmatch(path) is not None,
    }


def _of_labs(row: LabsRow, args: dict[str, Any]) -> dict[str, bool]:
    path, query, body = args.get("path"), args.get("query", {}), args.get("body")
    return {
        "args": args.keys() <= {"method", "host", "path", "query", "body"},
        "method": args.get("method") == row.method,
        "host": args.get("host") == row.host,
        "path": isinstance(path, str) and _path_of(row.path).fullmatch(path) is not None,
        "query": isinstance(query, dict)
        and all(
            name in row.query and isinstance(text, str) and len(text) <= _LONGEST_QUERY
            for name, text in cast("dict[str, Any]", query).items()
        ),
        "body": ("body" not in args) if row.method == "GET" else isinstance(body, dict),
    }


@cache
def _path_of(path: str) -> re.Pattern[str]:
    fixed = re.split(r"\{[a-z]+\}", path)
    return re.compile(_ID.join(re.escape(part) for part in fixed))
