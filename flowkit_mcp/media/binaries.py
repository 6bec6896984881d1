"""Which ffmpeg is used, and which version it is."""

from __future__ import annotations

import shutil
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
