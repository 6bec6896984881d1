"""What comes after the film is up: thumbnail, captions, playlist. Each fails alone; the film stays published.

Blocking, in a thread. Costs in quota: media.md §7.3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.publish.client import reason_of

_IMAGES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}


class Standing(BaseModel):
    """How YouTube is getting on with a video."""

    model_config = ConfigDict(frozen=True)

    upload: str  #: uploaded, processed, failed, rejected, deleted
    processing: str | None  #: processing, succeeded, failed, terminated
    reason: str | None  #: why it failed or was rejected, e.g. `duplicate`
    privacy: str
    publish_at: str | None

    @property
    def processed(self) -> bool:
        return self.upload == "processed" or self.processing == "succeeded"

    @property
    def state(self) -> str:
        """`uploadStatus`, and `processed` as soon as it is; a rejection may come after that and counts."""
        return "processed" if self.processed and not self.refused else self.upload

    @property
    def refused(self) -> bool:
        return self.upload in ("failed", "rejected", "deleted")


def standing(youtube: Any, video_id: str) -> Standing | None:
    """None if YouTube knows no such video."""
    items = (
        youtube.videos().list(part="status,processingDetails", id=video_id).execute().get("items")
    )
    if not items:
        return None
    status = items[0]["status"]
    return Standing(
        upload=status["uploadStatus"],
        processing=items[0].get("processingDetails", {}).get("processingStatus"),
        reason=status.get("failureReason") or status.get("rejectionReason"),
        privacy=status["privacyStatus"],
        publish_at=status.get("publishAt"),
    )


def set_thumbnail(youtube: Any, video_id: str, picture: Path) -> None:
    """JPEG or PNG. Of a Short only once it is processed."""
    from googleapiclient.http import MediaFileUpload  # late: only to publish

    media: Any = MediaFileUpload(str(picture), mimetype=_IMAGES[picture.suffix.lower()])
    youtube.thumbnails().set(videoId=video_id, media_body=media).execute()


def add_captions(youtube: Any, video_id: str, captions: Path, language: str) -> None:
    """SRT or VTT; replaces the ones of that language that are there already."""
    from googleapiclient.errors import HttpError  # late: only to publish
    from googleapiclient.http import MediaFileUpload  # late: as above

    def media() -> Any:
        return MediaFileUpload(str(captions), mimetype="application/octet-stream")

    snippet = {"videoId": video_id, "language": language, "name": ""}
    try:
        youtube.captions().insert(
            part="snippet", body={"snippet": snippet}, media_body=media()
        ).execute()
    except HttpError as error:
        if reason_of(error) != "captionExists":
            raise
        listed = youtube.captions().list(part="snippet", videoId=video_id).execute()["items"]
        mine = next(one for one in listed if one["snippet"]["language"] == language)
        youtube.captions().update(
            part="snippet", body={"id": mine["id"]}, media_body=media()
        ).execute()


def add_to_playlist(youtube: Any, video_id: str, playlist: str) -> None:
    """At its end; not twice."""
    there = (
        youtube.playlistItems()
        .list(part="snippet", playlistId=playlist, videoId=video_id)
        .execute()
        .get("items")
    )
    if there:
        return
    resource = {"kind": "youtube#video", "videoId": video_id}
    body = {"snippet": {"playlistId": playlist, "resourceId": resource}}
    youtube.playlistItems().insert(part="snippet", body=body).execute()
