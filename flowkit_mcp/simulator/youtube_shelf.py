"""What the local YouTube keeps on disk: films and unfinished uploads outlive the process, as they would at Google."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter


@dataclass
class Session:
    """One resumable upload."""

    listing: dict[str, Any]
    notify: bool
    size: int
    file: Path
    kept: int = 0
    received: int = 0  #: bytes that came in, kept or not
    video_id: str | None = None
    gone: bool = False


@dataclass
class Video:
    """A film that arrived whole."""

    id: str
    listing: dict[str, Any]
    notify: bool
    file: Path
    sha256: str
    at: str
    thumbnail: bytes | None = None
    captions: dict[str, tuple[str, bytes]] = field(
        default_factory=dict[str, tuple[str, bytes]]
    )  #: language → (id, file)
    looks: int = 0
    #: `failed` or `rejected`, and why: what YouTube may say after it took a film.
    refusal: tuple[str, str] | None = None


_session: TypeAdapter[Session] = TypeAdapter(Session)
_video: TypeAdapter[Video] = TypeAdapter(Video)
#: Beside the film; thumbnails and captions are for this run alone.
_PASSING = {"thumbnail", "captions", "looks"}


class Shelf:
    """One JSON file for each session and each video."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> tuple[dict[str, Video], dict[str, Session]]:
        """Videos in the order in which they arrived, and sessions."""
        videos = [_video.validate_json(file.read_bytes()) for file in self._folder.glob("*.video")]
        sessions: dict[str, Session] = {}
        for file in self._folder.glob("*.session"):
            session = _session.validate_json(file.read_bytes())
            if session.video_id is None and session.file.is_file():
                session.kept = session.file.stat().st_size
            sessions[file.stem] = session
        return {video.id: video for video in sorted(videos, key=lambda one: one.at)}, sessions

    def write(self, id: str, what: Session | Video) -> None:
        if isinstance(what, Video):
            file, data = f"{id}.video", _video.dump_json(what, exclude=_PASSING)
        else:
            file, data = f"{id}.session", _session.dump_json(what)
        part = self._folder / f"{file}.part"
        part.write_bytes(data)
        part.replace(self._folder / file)
