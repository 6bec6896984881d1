"""What the local YouTube says when it refuses, and how it reads what it is sent."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse, Response


def refusal_of(listing: dict[str, Any]) -> str | None:
    """The reason that YouTube gives for a listing it does not take."""
    snippet = listing["snippet"]
    title = snippet.get("title", "")
    tags = snippet.get("tags", [])
    length = sum(len(tag) + 2 * (" " in tag) for tag in tags) + max(0, len(tags) - 1)
    if not title or len(title) > 100 or "<" in title:
        return "invalidTitle"
    if len(snippet.get("description", "").encode()) > 5000:
        return "invalidDescription"
    if length > 500:
        return "invalidTags"
    if not str(snippet.get("categoryId", "")).isdigit():
        return "invalidCategoryId"
    if "publishAt" in listing["status"] and listing["status"]["privacyStatus"] != "private":
        return "invalidPublishAt"
    return None


def error(status: int, reason: str) -> Response:
    """An error as Google's APIs write it."""
    told = {"domain": "youtube", "reason": reason, "message": reason}
    return JSONResponse(
        {"error": {"code": status, "message": reason, "errors": [told]}}, status_code=status
    )


def multipart(kind: str, body: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of a `multipart/related` upload: JSON, then the file."""
    boundary = (
        kind.split('boundary="')[-1].rstrip('"') if '"' in kind else kind.split("boundary=")[-1]
    )
    parts = [
        part.split(b"\n\n", 1)
        for part in body.replace(b"\r\n", b"\n").split(f"--{boundary}".encode())
    ]
    whole = [part[1] for part in parts if len(part) == 2]
    return json.loads(whole[0]), whole[1].removesuffix(b"\n")
