"""Single pictures out of clips: posters, the exact last frame, thumbnails for a model to look at.

Sheets of many pictures are drawn in `sheet.py`.
"""

from __future__ import annotations

import asyncio
import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.files import part_beside
from flowkit_mcp.media.probe import fraction, opened

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v"})
_BT709 = 1
_UNKNOWN_COLOUR = 2
#: Half a frame of Flow's clips: where a clip is trimmed is rounded to the nearest frame (media/timeline.py).
_HALF_FRAME_S = 0.5 / 24


async def poster(video: Path, to: Path, at_s: float = 0.5, width: int | None = None) -> Path:
    """Save the frame shown `at_s` seconds into a clip (its last one if it is shorter).

    PNG if a suffix of `to` says so, else JPEG; at most `width` pixels wide, never enlarged.

    Raises:
        MediaError: the clip is damaged or `to` cannot be written.
    """

    def work() -> Path:
        image = frame_at(video, at_s)
        if width is not None and width < image.width:
            image = image.resize((width, max(1, round(image.height * width / image.width))))
        return save(image, to)

    return await asyncio.to_thread(work)


async def last_frame(video: Path, to: Path, end_s: float | None = None) -> Path:
    """Save exactly the last frame of a clip in full size, for the next scene to start from.

    With `end_s` the clip is taken to end there, and the frame is the last one shown before.

    PNG if a suffix of `to` says so, else JPEG of the highest quality.

    Raises:
        MediaError: the clip is damaged or `to` cannot be written.
    """

    def work() -> Path:
        at_s = None if end_s is None else end_s - _HALF_FRAME_S
        return save(frame_at(video, at_s), to, quality=97)

    return await asyncio.to_thread(work)


async def thumbnail_bytes(path: Path, max_px: int = 768) -> bytes:
    """A JPEG of a picture, or of the frame half a second into a clip, at most `max_px` on a side.

    Raises:
        MediaError: the file is missing or damaged.
    """

    def work() -> bytes:
        image = load_picture(path)
        image.thumbnail((max_px, max_px))
        return jpeg(image, 82)

    return await asyncio.to_thread(work)


def load_picture(path: Path, *, transparent: bool = False) -> Any:
    """A picture file, or a clip's poster, as a Pillow image in RGB (or RGBA); blocking.

    Raises:
        MediaError: the file is missing or damaged.
    """
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return frame_at(path, 0.5)
    # late: Pillow is only needed once there is a picture.
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP", "GIF")) as picture:
            turned = ImageOps.exif_transpose(picture)
            if transparent:
                return turned.convert("RGBA")
            if turned.mode in ("RGBA", "LA", "PA", "P"):
                turned = turned.convert("RGBA")
                white = Image.new("RGBA", turned.size, "white")
                turned = Image.alpha_composite(white, turned)
            return turned.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise MediaError(f"{path.name} is missing or no picture", hint="Fetch it again.") from error


def frame_at(video: Path, at_s: float | None) -> Any:
    """A frame of a clip as a Pillow image, as it is meant to be seen; None is the last; blocking.

    Raises:
        MediaError: the clip is damaged.
    """
    with opened(video) as container:
        if not container.streams.video:
            raise MediaError(f"{video.name} has no picture")
        stream = container.streams.video[0]
        base = fraction(stream.time_base)
        first = stream.start_time or 0
        end = first + (stream.duration or 0)
        wanted = end if at_s is None else min(end, first + int(max(0.0, at_s) / base))
        container.seek(wanted, stream=stream)
        shown = None
        for frame in container.decode(stream):
            # Frames come in the order they are shown: the last one not after the moment is on screen.
            if shown is not None and at_s is not None and frame.pts > wanted:
                break
            shown = frame
        if shown is None:
            raise MediaError(f"{video.name} has no frame that decodes", hint="Fetch it again.")
        return as_seen(shown, fraction(stream.sample_aspect_ratio) or Fraction(1))


def save(image: Any, to: Path, *, quality: int = 90) -> Path:
    """Write a picture whole or not at all; replaces what is there; blocking."""
    if ".png" not in (suffix.lower() for suffix in to.suffixes):
        return save_bytes(jpeg(image, quality), to)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return save_bytes(buffer.getvalue(), to)


def save_bytes(data: bytes, to: Path) -> Path:
    """Write a small file whole or not at all; replaces what is there; blocking.

    Raises:
        MediaError: `to` cannot be written.
    """
    part: Path | None = None
    try:
        part = part_beside(to)
        part.write_bytes(data)
        os.replace(part, to)
    except OSError as error:
        raise MediaError(f"{to.name} cannot be written: {error.strerror or error}") from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)
    return to


def jpeg(image: Any, quality: int) -> bytes:
    """A picture as JPEG bytes."""
    buffer = io.BytesIO()
    # Above 95 the point is the finest detail, so colour is not halved either.
    subsampling = 0 if quality > 95 else 2
    image.save(buffer, "JPEG", quality=quality, optimize=True, subsampling=subsampling)
    return buffer.getvalue()


def source_colours(frame: Any) -> dict[str, int]:
    """What `reformat` has to be told of a frame that does not say how its colours are coded."""
    if frame.colorspace == _UNKNOWN_COLOUR and frame.height >= 720:
        return {"src_colorspace": _BT709}  # what players assume; libswscale assumes BT.601
    return {}


def as_seen(frame: Any, sample_aspect: Fraction) -> Any:
    """A decoded frame as a Pillow image, upright and with square pixels."""
    image = frame.to_image(**source_colours(frame))
    if sample_aspect != 1:
        image = image.resize((round(image.width * sample_aspect), image.height))
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image
