"""Which ffmpeg is used, and which version it is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.run import output_of


def find_ffmpeg(explicit: Path | None = None) -> Path:
    """The ffmpeg to run: the one named in the settings, else on PATH, else imageio-ffmpeg's own.

    Raises:
        InvalidSetting: the settings name a file that is not there.
        MediaError: there is no ffmpeg at all.
    """
    if explicit is not None:
        found = shutil.which(str(explicit.expanduser()))
        if found is None:
            raise InvalidSetting(
                f"setting 'ffmpeg' is {str(explicit)!r}, which is not a program",
                hint="Correct FLOWKIT_FFMPEG, or leave it out to use the ffmpeg FlowKit brings.",
            )
        return Path(found)
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        return Path(on_path)
    # late: only machines without an ffmpeg of their own need it.
    import imageio_ffmpeg

    try:
        return Path(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise MediaError(
            "no ffmpeg was found",
            hint="Install ffmpeg, or set FLOWKIT_FFMPEG to the program.",
        ) from error


async def version(ffmpeg: Path | str) -> str:
    """The version a binary gives itself, e.g. `9.0.2-static`.

    Raises:
        MediaError: it does not run, or is not ffmpeg.
    """
    words = (await output_of([str(ffmpeg), "-hide_banner", "-version"])).split(maxsplit=3)
    if words[:2] != ["ffmpeg", "version"] or len(words) < 3:
        raise MediaError(f"{ffmpeg} is not ffmpeg", hint="Correct FLOWKIT_FFMPEG.")
    return words[2]


#: What the graphs of `graph.py` are built from, and what they are written with.
FILTERS = frozenset(
    "crop fade format fps loop overlay pad scale setparams setpts setsar settb tpad trim xfade".split()
)
ENCODER, EDITOR_ENCODER = "libx264", "prores_ks"


async def lacking(ffmpeg: Path | str, encoders: Iterable[str] = (ENCODER,)) -> list[str]:
    """Filters and encoders that FlowKit needs and this ffmpeg was built without; by name.

    Raises:
        MediaError: it does not run.
    """
    filters, coders = await asyncio.gather(
        output_of([str(ffmpeg), "-hide_banner", "-filters"]),
        output_of([str(ffmpeg), "-hide_banner", "-encoders"]),
    )
    missing = [f"filter {name}" for name in sorted(FILTERS - _names(filters))]
    return missing + [f"encoder {name}" for name in encoders if name not in _names(coders)]


async def able(ffmpeg: Path | str, encoders: Iterable[str]) -> Path | str:
    """This ffmpeg if it has all that is needed, else the one that FlowKit brings.

    Raises:
        MediaError: neither has; names what is lacking.
    """
    missing = await lacking(ffmpeg, encoders)
    if not missing:
        return ffmpeg
    # late: only where the machine's own ffmpeg is a small one.
    import imageio_ffmpeg

    try:
        own = imageio_ffmpeg.get_ffmpeg_exe()
        if not await lacking(own, encoders):
            return own
    except (RuntimeError, MediaError):
        pass  # told below what is wrong with the one that was asked for
    raise MediaError(
        f"{ffmpeg} lacks {', '.join(missing)}, which this film needs",
        hint="Install a full ffmpeg or set FLOWKIT_FFMPEG to one. Plain cuts of alike clips need none.",
    )


def _names(listed: str) -> frozenset[str]:
    """The second word of each line: that is how ffmpeg lists what it has."""
    rows = (line.split() for line in listed.splitlines())
    return frozenset(row[1] for row in rows if len(row) > 1)
