"""A film on YouTube, as the library knows it."""

from __future__ import annotations

from typing import Any

from pydantic import Json

from flowkit_mcp.domain.models import Row

#: What comes after the film, in the order in which it is done.
STEPS = ("captions", "playlist", "thumbnail")
LEFT, DONE = "left", "done"


class Publication(Row):
    """A render on a channel. Rows are only made for films that arrived whole."""

    id: str
    render_id: str
    job_id: int | None
    platform: str
    channel_id: str
    channel: str
    remote_id: str
    url: str
    privacy: str
    publish_at: int | None  #: ms; made public then
    metadata: Json[dict[str, Any]]  #: what was sent, word for word
    steps: Json[dict[str, str]]  #: step -> `left`, `done`, or why it failed
    #: YouTube's `uploadStatus` when it was last looked at: uploaded, processed, failed, rejected, deleted.
    processing: str
    trouble: str | None  #: its reason, e.g. `duplicate`
    created_at: int
    updated_at: int

    @property
    def refused(self) -> bool:
        """Whether YouTube took it and later said no."""
        return self.processing in ("failed", "rejected", "deleted")

    def told(self) -> str:
        """Everything that is not as it should be, or not done yet, in a line; empty if all is well."""
        parts = [f"{name}: {state}" for name, state in self.steps.items() if state != DONE]
        if self.refused:
            parts.insert(
                0, f"YouTube has {self.processing} it ({self.trouble or 'no reason given'})"
            )
        elif self.processing != "processed":
            parts.append("YouTube is still processing it")
        return "; ".join(parts)
