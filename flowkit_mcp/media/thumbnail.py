"""The picture a film is chosen by: the best frame of a clip, or a given picture, with words on it."""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.cut import Title
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.cards import Artist
from flowkit_mcp.media.fonts import Fonts
from flowkit_mcp.media.probe import fraction, opened
from flowkit_mcp.media.stills import VIDEO_SUFFIXES, frame_at, jpeg, load_picture, save_bytes

#: YouTube's sizes, and the limit every account has (media.md §4).
SIZES = {Orientation.HORIZONTAL: (1280, 720), Orientation.VERTICAL: (1080, 1920)}
MAX_BYTES = 2_000_000
_LOOKED_AT = 24


@dataclass(frozen=True)
class Thumbnail:
    """Where it is, and where it is from: `at_s` None for a picture.

    `note`: which of its words no font here can write, and what to do.
    """

    path: Path
    source: Path
    at_s: float | None
    note: str = ""


async def thumbnail(
    sources: Sequence[Path],
    to: Path,
    orientation: Orientation,
    *,
    title: str = "",
    subtitle: str = "",
    at_s: float | None = None,
) -> Thumbnail:
    """Make a JPEG of 1280×720 or 1080×1920, under 2 MB.

    Args:
        sources: clips and pictures, of which the sharpest well-lit frame is taken.
        to: its place; what is there is replaced.
        orientation: its shape; a source of the other stands before a blurred one of itself.
        title: words, where they cover least of it.
        subtitle: smaller words below them.
        at_s: the second of the first source to take instead of choosing.

    Raises:
        InvalidSetting: there are no sources, or `at_s` of a picture.
        MediaError: a source is missing or damaged, or `to` cannot be written.
    """
    if not sources:
        raise InvalidSetting("a thumbnail needs a clip or a picture")
    return await asyncio.to_thread(_make, sources, to, orientation, title, subtitle, at_s)


def _make(
    sources: Sequence[Path],
    to: Path,
    orientation: Orientation,
    title: str,
    subtitle: str,
    at_s: float | None,
) -> Thumbnail:
    source, moment, image = _chosen(sources, at_s)
    fonts = Fonts()
    with tempfile.TemporaryDirectory(prefix="flowkit-thumbnail-") as name:
        folder = Path(name)
        artist = Artist(*SIZES[orientation], folder, fonts)
        frame = artist.filled(image)
        if title:
            card = artist.title(Title(text=title, subtitle=subtitle))
            words = load_picture(card.picture, transparent=True)
            frame.paste(words, (card.x, _calmest(frame, card.x, card.y, words)), words)
    for quality in (92, 86, 78, 68, 55):
        data = jpeg(frame, quality)
        if len(data) < MAX_BYTES:
            break
    else:
        raise MediaError(f"{to.name} stays above 2 MB", hint="Give another picture.")
    note = fonts.unwritable(f"{title} {subtitle}") if title else ""
    return Thumbnail(save_bytes(data, to), source, moment, note)


def _calmest(frame: Any, x: int, middle: int, words: Any) -> int:
    """The height at which words cover least: high up, in the middle, or low down, but clear of a player's clock."""
    # late: Pillow is only needed once there is a picture.
    from PIL import ImageFilter, ImageStat

    edges = frame.convert("L").filter(ImageFilter.FIND_EDGES)
    places = (middle, round(frame.height * 0.07), round(frame.height * 0.86) - words.height)
    fit = [y for y in places if 0 <= y <= frame.height - words.height]

    def covered(y: int) -> float:
        return ImageStat.Stat(edges.crop((x, y, x + words.width, y + words.height))).mean[0]

    return min(fit, key=covered, default=middle)


def _chosen(sources: Sequence[Path], at_s: float | None) -> tuple[Path, float | None, Any]:
    first = sources[0]
    if at_s is not None:
        if not _moves(first):
            raise InvalidSetting(f"{first.name} has no moments", hint="Leave at_s out.")
        return first, at_s, frame_at(first, at_s)
    each = max(2, _LOOKED_AT // len(sources))
    best: tuple[float, Path, float | None, Any] | None = None
    for source in sources:
        for moment, image in _samples(source, each):
            score = worth(image)
            if best is None or score > best[0]:
                best = score, source, moment, image
    assert best is not None  # each source has a sample
    return best[1:]


def _moves(source: Path) -> bool:
    return source.suffix.lower() in VIDEO_SUFFIXES


def _samples(source: Path, count: int) -> Iterator[tuple[float | None, Any]]:
    """Frames spread evenly over a clip, its very ends left out; a picture is itself."""
    if not _moves(source):
        yield None, load_picture(source)
        return
    with opened(source) as container:
        stream = container.streams.video[0]
        base = fraction(stream.time_base)
        length = float((stream.duration or 0) * base)
    for number in range(count):
        moment = round(length * (number + 0.5) / count, 3)
        yield moment, frame_at(source, moment)


def worth(image: Any) -> float:
    """How well a picture serves: sharp edges, light that is neither lost nor burnt, some colour."""
    # late: Pillow is only needed once there is a picture.
    from PIL import ImageFilter, ImageStat

    small = image.copy()
    small.thumbnail((480, 480))
    grey = small.convert("L")
    edges = ImageStat.Stat(grey.filter(ImageFilter.FIND_EDGES)).stddev[0]
    light = ImageStat.Stat(grey)
    histogram = grey.histogram()
    lost = (sum(histogram[:12]) + sum(histogram[244:])) / sum(histogram)
    exposure = math.exp(-(((light.mean[0] - 118) / 70) ** 2)) * (1 - min(0.9, lost))
    contrast = min(1.0, light.stddev[0] / 55)
    colour = ImageStat.Stat(small.convert("HSV").getchannel("S")).mean[0] / 255
    return edges * (0.2 + exposure) * (0.4 + contrast) * (0.8 + 0.4 * colour)
