"""What a picture file really is: decoded in full, whatever its name says."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.names import shown_name

#: What Flow takes for an upload and a model can be shown.
MAX_BYTES = 20_000_000
MAX_PIXELS = 60_000_000

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
}


@dataclass(frozen=True)
class PictureFile:
    """Size in pixels and the suffixes that tell its type, the usual one first."""

    width: int
    height: int
    suffixes: tuple[str, ...]


def check_picture(path: Path) -> PictureFile:
    """Decode a PNG, JPEG, WebP or GIF; blocking.

    Raises:
        MediaError: it is not one of these, damaged, over 20 MB or over 60 megapixels.
    """
    # late: Pillow is only needed once there is a picture.
    from PIL import Image

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise MediaError(f"{shown_name(path)} is {size / 1e6:.1f} MB; at most 20 MB can be used")
    head = _head(path)
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"avif"):
        raise MediaError(f"{shown_name(path)} is a HEIC or AVIF picture; save it as JPEG or PNG")
    try:
        with warnings.catch_warnings():
            # The limit here is stricter and has a message of its own.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=tuple(_SUFFIXES)) as picture:
                width, height = picture.size
                if width * height > MAX_PIXELS:
                    raise MediaError(
                        f"{shown_name(path)} is {width}×{height}; at most 60 megapixels"
                    )
                picture.load()
                kind = str(picture.format)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(
            f"{shown_name(path)} is damaged or not a PNG, JPEG, WebP or GIF picture"
        ) from error
    return PictureFile(width, height, _SUFFIXES[kind])


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)
