"""Errors of lane labs: HTTP status and the standard JSON body (flow-wire §1.2, §9.1)."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

from pydantic import ValidationError
from starlette.responses import JSONResponse

from flowkit_mcp.simulator.faults import ERROR_INFO, Grpc, Refusal
from flowkit_mcp.simulator.switches import Switches

BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
HTTP = {
    Grpc.INVALID_ARGUMENT: 400,
    Grpc.NOT_FOUND: 404,
    Grpc.PERMISSION_DENIED: 403,
    Grpc.RESOURCE_EXHAUSTED: 429,
    Grpc.INTERNAL: 500,
    Grpc.UNAVAILABLE: 503,
    Grpc.UNAUTHENTICATED: 401,
}
MESSAGES = {
    Grpc.INVALID_ARGUMENT: "Request contains an invalid argument.",
    Grpc.NOT_FOUND: "Requested entity was not found.",
    Grpc.PERMISSION_DENIED: "The caller does not have permission",
    Grpc.RESOURCE_EXHAUSTED: "Resource has been exhausted (e.g. check quota).",
    Grpc.INTERNAL: "Internal error encountered.",
    Grpc.UNAVAILABLE: "The service is currently unavailable.",
    Grpc.UNAUTHENTICATED: "Request had invalid authentication credentials.",
}


def body(refusal: Refusal) -> dict[str, Any]:
    """`{"error": {"code", "message", "status", "details"?}}`."""
    error: dict[str, Any] = {
        "code": HTTP[refusal.code],
        "message": refusal.message or MESSAGES[refusal.code],
        "status": refusal.code.name,
    }
    info: dict[str, Any] = {"@type": ERROR_INFO}
    if refusal.code is Grpc.UNAUTHENTICATED:
        error["details"] = [info | {"reason": "CREDENTIALS_MISSING", "domain": "googleapis.com"}]
    elif refusal.reason is not None:
        error["details"] = [info | {"reason": f"PUBLIC_ERROR_{refusal.reason}"}]
    return {"error": error}


def reply(refusal: Refusal, switches: Switches, now_ms: int) -> JSONResponse:
    """A 429 says when to come back if the switch has it so."""
    headers: dict[str, str] = {}
    if refusal.code is Grpc.RESOURCE_EXHAUSTED and switches.retry_after != "none":
        at_date = formatdate(now_ms / 1000 + switches.retry_after_s, usegmt=True)
        seconds = str(switches.retry_after_s)
        headers["retry-after"] = seconds if switches.retry_after == "seconds" else at_date
    return JSONResponse(body(refusal), HTTP[refusal.code], headers)


def bad_shape(error: ValidationError) -> JSONResponse:
    """400 that names every wrong field."""
    violations: list[dict[str, str]] = []
    for problem in error.errors(include_url=False, include_input=False):
        *path, name = problem["loc"] or ("",)
        place = _dotted(tuple(path))
        if problem["type"] == "extra_forbidden":
            at = f" at '{place}'" if place else ""
            text = f'Unknown name "{name}"{at}: Cannot find field.'
        else:
            place = _dotted(problem["loc"])
            text = f"Invalid value at '{place}': {problem['msg']}"
        violations.append({"field": place, "description": f"Invalid JSON payload received. {text}"})
    told = {
        "code": 400,
        "message": "\n".join(one["description"] for one in violations),
        "status": "INVALID_ARGUMENT",
        "details": [{"@type": BAD_REQUEST, "fieldViolations": violations}],
    }
    return JSONResponse({"error": told}, 400)


def _dotted(path: tuple[int | str, ...]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
