"""What slots hold, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import JobState, Slot
from flowkit_mcp.store import takes

AssetStatus = Literal["PENDING", "PROCESSING", "COMPLETED", "FAILED"]


@dataclass(frozen=True)
class MediaAsset:
    """What one slot holds.

    Attributes:
        status: COMPLETED if something valid is in use; PROCESSING while a job is at it; FAILED while one needs a
            person; else PENDING. A take that is stale counts as nothing.
        take_id: the take in use.
        media_id: under which id an account knows it; None for a picture that was never handed over.
        path: the file in the library.
    """

    status: AssetStatus = "PENDING"
    take_id: str | None = None
    media_id: str | None = None
    path: Path | None = None

    @property
    def url(self) -> str | None:
        """`file:…`, for programs that want an address."""
        return None if self.path is None else self.path.as_uri()


@dataclass(frozen=True)
class OrientationSlot:
    """What one orientation of a scene holds; `upscale` is the clip's, `image_upscale` the picture's."""

    image: MediaAsset
    video: MediaAsset
    upscale: MediaAsset
    image_upscale: MediaAsset = MediaAsset()


async def asset_of(kit: FlowKit, slot: Slot) -> MediaAsset:
    """The value of a slot."""
    status: AssetStatus = "COMPLETED" if slot.filled else "PENDING"
    if slot.job_state in (JobState.RUNNING, JobState.WAITING):
        status = "PROCESSING"
    elif slot.job_state is JobState.NEEDS_ATTENTION:
        status = "FAILED"
    if not slot.filled or slot.asset_id is None or slot.path is None:
        return MediaAsset(status)
    remote = await takes.any_remote_id(kit.db, slot.asset_id)
    return MediaAsset(status, slot.take_id, remote, kit.media.absolute(slot.path))
