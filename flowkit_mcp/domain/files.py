"""What is known of a file once it is in the library and checked. Pure: nothing here opens one."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from flowkit_mcp.domain.models import MediaKind


class MediaFile(BaseModel):
    """A file just written to the library and checked: what an `Asset` row needs."""

    model_config = ConfigDict(frozen=True)

    path: Path
    media: MediaKind
    sha256: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = Field(default=None, description="None for pictures")
