"""Lane `labs` in tests: the document's own examples and shorthand for answers."""

from __future__ import annotations

import json
from typing import Any

from scripted_flow import GOLDEN, ScriptedChannel

from flowkit_mcp.bridge.protocol import RECAPTCHA

SCENE = "66666666-6666-4666-8666-666666666666"
OPERATION = "895377fb0691f831b227b996abfdd366"
REF = "seed-m.seed-w.labs"


def example(name: str) -> Any:
    return json.loads((GOLDEN.parent / "labs" / f"{name}.json").read_text(encoding="utf-8"))


def with_token(args: Any) -> Any:
    return json.loads(json.dumps(args).replace(RECAPTCHA, "RC"))


def served_labs() -> ScriptedChannel:
    channel = ScriptedChannel()
    channel.serves("labs")
    return channel


def refusal(code: int, message: str = "", reason: str | None = None) -> dict[str, Any]:
    """Google's error body (flow-wire §9.1)."""
    error: dict[str, Any] = {"code": code, "message": message, "status": "X"}
    if reason:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": kind, "reason": reason}]
    return {"error": error}
