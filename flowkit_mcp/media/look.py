"""What a clip shows, frame by frame: how light it is, how much moves, and what it looks like in miniature.

Measures only; what is a fault is judged in `doctor.py`. A frame is looked at in 160 × 90 pixels, in which grain
averages out and a frozen picture stands still to a tenth of a brightness level.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.names import shown_name
from flowkit_mcp.media.probe import Clip, opened
from flowkit_mcp.media.stills import as_seen, source_colours
from flowkit_mcp.media.threads import Stop

_SMALL = (160, 90)
#: The miniature of a frame that is kept: RGB, 144 pixels.
TINY = (16, 9)
TINY_BYTES = 3 * TINY[0] * TINY[1]
#: Share of a frame's pixels that may be lighter than what is noted as its `bright`.
_HIGHLIGHTS = 0.02


@dataclass(frozen=True)
class PictureFacts:
    """Frames `first`, `first + 1` … of a clip, in its own frames.

    `light` is the mean brightness and `bright` the brightness that 98 % of the pixels stay below, both 0 to 255;
    `moved` is the mean change of brightness since the frame before (0 for the first one looked at). `tiny` holds
    16 × 9 RGB pixels of each.
    """

    width: int
    height: int
    fps: float
    first: int
    light: tuple[int, ...]
    bright: tuple[int, ...]
    moved: tuple[float, ...]
    tiny: bytes

    @property
    def frames(self) -> int:
        return len(self.light)

    def miniature(self, frame: int) -> bytes:
        """16 × 9 RGB pixels of a frame of the clip."""
        at = (frame - self.first) * TINY_BYTES
        return self.tiny[at : at + TINY_BYTES]

    def as_json(self) -> dict[str, Any]:
        return {
            "size": [self.width, self.height],
            "fps": self.fps,
            "first": self.first,
            "light": self.light,
            "bright": self.bright,
            "moved": self.moved,
            "tiny": base64.b64encode(self.tiny).decode(),
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> PictureFacts:
        """Raises KeyError, TypeError, ValueError for anything else than `as_json` gave."""
        found = cls(
            *map(int, told["size"]),
            fps=float(told["fps"]),
            first=int(told["first"]),
            light=tuple(map(int, told["light"])),
            bright=tuple(map(int, told["bright"])),
            moved=tuple(map(float, told["moved"])),
            tiny=base64.b64decode(told["tiny"], validate=True),
        )
        if not len(found.light) == len(found.bright) == len(found.moved):
            raise ValueError("facts of different length")
        if len(found.tiny) != TINY_BYTES * found.frames:
            raise ValueError("miniatures are missing")
        return found


@dataclass
class _Notes:
    light: list[int] = field(default_factory=list[int])
    bright: list[int] = field(default_factory=list[int])
    moved: list[float] = field(default_factory=list[float])
    tiny: bytearray = field(default_factory=bytearray)
    before: Any = None

    def take(self, small: Any) -> None:
        # late: Pillow is only needed once there is a picture.
        from PIL import Image, ImageChops, ImageStat

        grey = small.convert("L")
        histogram = grey.histogram()
        self.light.append(round(ImageStat.Stat(grey).mean[0]))
        self.bright.append(_below(histogram))
        difference = 0.0
        if self.before is not None:
            difference = ImageStat.Stat(ImageChops.difference(grey, self.before)).mean[0]
        self.moved.append(round(difference, 3))
        self.tiny += small.resize(TINY, Image.Resampling.BOX).tobytes()
        self.before = grey


def look(
    clip: Clip,
    stop: Stop,
    *,
    first: int = 0,
    frames: int | None = None,
    keep: Collection[int] = (),
) -> tuple[PictureFacts, dict[int, Any]]:
    """Look at `frames` frames from frame `first` on (all by default). Blocking.

    Also gives the frames in `keep`, by their number in the clip, as Pillow images as they are meant to be seen.

    Raises:
        MediaError: nothing of it decodes.
    """
    last = clip.frames if frames is None else min(clip.frames, first + frames)
    notes, kept = _Notes(), dict[int, Any]()
    begun = first
    for place, frame in _decoded(clip, first, few=frames is not None):
        stop.check()
        if place >= last:
            break
        if not notes.light:
            begun = place
        notes.take(_small(frame))
        if place in keep:
            kept[place] = as_seen(frame, clip.picture.sample_aspect)
    if not notes.light:
        raise MediaError(
            f"{shown_name(clip.path)} has no frame that decodes", hint="Fetch it again."
        )
    width, height = clip.picture.display_size
    facts = PictureFacts(
        width,
        height,
        round(float(clip.picture.fps), 3),
        begun,
        tuple(notes.light),
        tuple(notes.bright),
        tuple(notes.moved),
        bytes(notes.tiny),
    )
    return facts, kept


def _decoded(clip: Clip, first: int, *, few: bool) -> Iterator[tuple[int, Any]]:
    """Frames from `first` on, each with its number in the clip; of `few`, none is decoded ahead."""
    times = sorted(clip.picture.times)
    place = {time: index for index, time in enumerate(times)}
    with opened(clip.path) as container:
        video = container.streams.video[0]
        if few:
            video.codec_context.thread_count = 1
        else:
            video.thread_type = "AUTO"
        if first:
            container.seek(times[first], stream=video)
        for frame in container.decode(video):
            number = place.get(frame.pts)
            if number is not None and number >= first:
                yield number, frame


def _small(frame: Any) -> Any:
    from PIL import Image  # late: as above

    size = _SMALL if frame.width >= frame.height else (_SMALL[1], _SMALL[0])
    small = frame.reformat(*size, "rgb24", interpolation="AREA", **source_colours(frame))
    plane = small.planes[0]
    image = Image.frombytes("RGB", size, bytes(plane), "raw", "RGB", plane.line_size)
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _below(histogram: list[int]) -> int:
    """The brightness that all but the highlights stay below."""
    left = sum(histogram) * _HIGHLIGHTS
    for level in range(255, -1, -1):
        left -= histogram[level]
        if left < 0:
            return level
    return 0
