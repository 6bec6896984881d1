"""What is known of clips, kept beside the library: each is looked at and listened to once, by its content's hash.

The folder is a cache: whoever deletes it loses nothing but the time to measure again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.hear import SoundFacts, hear
from flowkit_mcp.media.look import PictureFacts, look
from flowkit_mcp.media.probe import read_clip
from flowkit_mcp.media.stills import jpeg, save_bytes
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import FPS

_T = TypeVar("_T")

#: Another version measures differently; what older ones left is measured again.
VERSION = 1
#: How much of a clip lies at a join: a second.
EDGE = FPS
#: Frames on a clip's strip, and the longer side of each in pixels.
STRIP = 3
_STRIP_PX = 400
_STRIP_GAP = 3


@dataclass(frozen=True)
class Shown:
    """The part of a clip that is in the film, in its own frames."""

    path: Path
    sha256: str
    first: int
    frames: int
    total: int

    @property
    def last(self) -> int:
        return self.first + self.frames - 1


class FactsBook:
    """Measures of clips, in one folder. Its methods block; safe from several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def shown(
        self, path: Path, sha256: str, start_s: float = 0.0, end_s: float | None = None
    ) -> Shown:
        """The part from `start_s` to `end_s` in frames of the clip; at least one.

        Raises:
            MediaError: the clip is missing or damaged.
        """
        known = self._kept(f"{sha256}-frames", _count_from_json)
        if known is None:
            clip = read_clip(path)
            known = clip.frames, float(clip.picture.fps)
            self._keep(f"{sha256}-frames", {"frames": known[0], "fps": known[1]})
        total, fps = known
        first = min(total - 1, round(start_s * fps))
        end = total if end_s is None else max(first + 1, min(total, round(end_s * fps)))
        return Shown(path, sha256, first, end - first, total)

    def picture(self, shown: Shown, stop: Stop) -> PictureFacts:
        """What all of a clip shows; makes its strip, too. Raises MediaError."""
        known = self._kept(f"{shown.sha256}-picture", PictureFacts.from_json)
        if known is not None:
            return known
        clip = read_clip(shown.path)
        facts, kept = look(clip, stop, keep=_moments(shown))
        self._keep(f"{shown.sha256}-picture", facts.as_json())
        self._keep_strip(shown, kept)
        return facts

    def sound(self, shown: Shown, stop: Stop) -> SoundFacts:
        """What all of a clip sounds like. Raises MediaError."""
        known = self._kept(f"{shown.sha256}-sound", SoundFacts.from_json)
        if known is not None:
            return known
        facts = hear(read_clip(shown.path), stop)
        self._keep(f"{shown.sha256}-sound", facts.as_json())
        return facts

    def edges(
        self, shown: Shown, stop: Stop, beside: int = EDGE
    ) -> tuple[PictureFacts, PictureFacts]:
        """What the first and the last frames of the shown part show, without decoding the rest. Raises MediaError."""
        known = self._kept(f"{shown.sha256}-picture", PictureFacts.from_json)
        if known is not None:
            return known, known
        clip = read_clip(shown.path)
        head, _ = look(clip, stop, first=shown.first, frames=min(beside, shown.frames))
        tail, _ = look(clip, stop, first=max(shown.first, shown.last + 1 - beside), frames=beside)
        return head, tail

    def strip(self, shown: Shown, stop: Stop) -> Path:
        """First, middle and last frame of the shown part beside each other, as JPEG. Raises MediaError."""
        place = self._strip(shown)
        if not place.is_file():
            clip = read_clip(shown.path)
            kept: dict[int, Any] = {}
            for moment in _moments(shown):
                kept |= look(clip, stop, first=moment, frames=1, keep=(moment,))[1]
            self._keep_strip(shown, kept)
        return place

    def _strip(self, shown: Shown) -> Path:
        part = "" if shown.frames == shown.total else f"-{shown.first}-{shown.frames}"
        return self._folder / f"{shown.sha256}{part}-strip-v{VERSION}.jpg"

    def _keep_strip(self, shown: Shown, kept: dict[int, Any]) -> None:
        # late: Pillow is only needed once there is a picture.
        from PIL import Image

        pictures = [kept[moment] for moment in _moments(shown) if moment in kept]
        if not pictures:
            return
        for picture in pictures:
            picture.thumbnail((_STRIP_PX, _STRIP_PX))
        width, height = pictures[0].size
        across = STRIP * width + (STRIP - 1) * _STRIP_GAP
        strip = Image.new("RGB", (across, height), "#000000")
        for place in range(STRIP):
            picture = pictures[min(place, len(pictures) - 1)]
            strip.paste(picture, (place * (width + _STRIP_GAP), 0))
        save_bytes(jpeg(strip, 85), self._strip(shown))

    def _kept(self, name: str, read: Callable[[dict[str, Any]], _T]) -> _T | None:
        """None where nothing (whole) is kept."""
        try:
            told = json.loads((self._folder / f"{name}-v{VERSION}.json").read_bytes())
            return read(told)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def _keep(self, name: str, told: dict[str, Any]) -> None:
        """Whole or not at all; a full or read-only disk only means measuring again."""
        data = json.dumps(told, separators=(",", ":")).encode()
        with contextlib.suppress(MediaError):
            save_bytes(data, self._folder / f"{name}-v{VERSION}.json")


def _moments(shown: Shown) -> tuple[int, ...]:
    """The frames of a strip."""
    return tuple(dict.fromkeys((shown.first, shown.first + shown.frames // 2, shown.last)))


def _count_from_json(told: dict[str, Any]) -> tuple[int, float]:
    frames, fps = int(told["frames"]), float(told["fps"])
    if frames < 1 or fps <= 0:
        raise ValueError("no frames")
    return frames, fps
