"""What tools answer: one small model, as JSON text and as structured content, each complete in itself.

Some clients show the model the text, others only the structured half (mcp.md §0.4).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from pathlib import Path

from mcp.types import CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent
from pydantic import BaseModel, ConfigDict

MOST_LINKS = 20
MOST_JOB_LINKS = 3
#: Where in a result's `_meta` all jobs stand that a call has started or found at work; the text shows some of them.
JOBS = "flowkit/jobs"


class Result(BaseModel):
    """Base of all results; what is None is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def reply(
    result: Result,
    files: Iterable[tuple[str, Path]] = (),
    jobs: Sequence[int] = (),
    picture: bytes | None = None,
) -> CallToolResult:
    """The result with links to (title, file) of what was made and to the jobs that were started.

    `picture`: a JPEG for the model to look at.
    """
    content: list[ContentBlock] = [
        TextContent(type="text", text=result.model_dump_json(exclude_none=True))
    ]
    if picture is not None:
        data = base64.b64encode(picture).decode()
        content.append(ImageContent(type="image", data=data, mime_type="image/jpeg"))
    content += [_link(title, path) for title, path in list(files)[:MOST_LINKS]]
    content += [_job_link(id) for id in jobs[:MOST_JOB_LINKS]]
    return CallToolResult(
        content=content,
        structured_content=result.model_dump(mode="json", exclude_none=True),
        _meta={JOBS: list(jobs)} if jobs else None,
    )


_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".mp4": "video/mp4"}


def _link(title: str, path: Path) -> ResourceLink:
    return ResourceLink(
        type="resource_link",
        uri=path.as_uri(),
        name=path.name,
        title=title,
        mime_type=_TYPES.get(path.suffix.lower()),
    )


def _job_link(id: int) -> ResourceLink:
    return ResourceLink(type="resource_link", uri=f"flowkit://job/{id}", name=f"job {id}")


def cut(text: str, length: int = 90) -> str:
    """One line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


class Skipped(Result):
    """Something asked for that is not started; `why` says what to do about it."""

    what: str
    why: str


class JobLine(Result):
    """A job in a list. `credits`: agreed price before it ends, then what was charged. `left`: until it has ended,
    as such work took so far. `warnings`: what Flow was seen
    to do otherwise than asked.
    """

    job: int
    what: str
    state: str
    credits: int | None = None
    progress: str | None = None
    left: str | None = None
    take: int | None = None
    path: str | None = None
    size: str | None = None
    url: str | None = None
    why: str | None = None
    warnings: list[str] | None = None


class Film(Result):
    """`joins`: what a viewer may notice at them, and what mends it."""

    orientation: str
    path: str
    duration_s: float | None = None
    size: str | None = None
    joins: list[str] | None = None
