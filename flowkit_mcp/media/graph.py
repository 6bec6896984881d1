"""ffmpeg-python → argv. The only module that imports it, and it only compiles (media.md §6).

Text from people never becomes part of a filter, only numbers and names chosen here do (media.md §4).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowkit_mcp.media.probe import COLOUR_NAMES, MP4_FORMATS, Colour
from flowkit_mcp.media.timeline import FPS, TIMESCALE

Node = Any  # ffmpeg-python has no types


def file_url(path: Path) -> str:
    """A name ffmpeg cannot take for an option, a protocol or a pattern."""
    return f"file:{path.absolute()}"


def clip_input(path: Path) -> Node:
    """An MP4 input that can open nothing but itself, even if it is a playlist in disguise."""
    # late: it costs 50 ms of a start-up that mostly never encodes.
    import ffmpeg as builder

    module: Any = builder
    return module.input(
        file_url(path), protocol_whitelist="file,pipe", format_whitelist=MP4_FORMATS
    )


def compile_argv(output: Node, ffmpeg: Path | str) -> list[str]:
    """The argument list of a graph, for `run.run_ffmpeg`."""
    argv: list[str] = output.compile(cmd=str(ffmpeg), overwrite_output=True)
    return argv


def picture_piece(
    source: Path,
    to: Path,
    *,
    ffmpeg: Path | str,
    frames: int,
    width: int,
    height: int,
    source_colour: Colour,
    colour: Colour,
    parameter_id: int,
) -> list[str]:
    """Encode a clip's picture so that it can stand beside copied ones: exact length, grid and size.

    The picture is fitted inside `width` × `height` and padded; its last frame is held if the source
    is short. `parameter_id` keeps its H.264 parameter sets apart from those of copied clips
    (media.md §2.3, points 4 and 5).
    """
    picture = clip_input(source).video
    picture = picture.filter("setpts", "PTS-STARTPTS").filter("fps", fps=FPS, start_time=0)
    picture = picture.filter(
        "scale",
        w=width,
        h=height,
        force_original_aspect_ratio="decrease",
        force_divisible_by=2,
        flags="lanczos",
        **_matrix(source_colour, colour),
    )
    picture = picture.filter("pad", width, height, "(ow-iw)/2", "(oh-ih)/2", "black")
    picture = picture.filter("setsar", "1").filter("setparams", **_tags(colour))
    picture = picture.filter("tpad", stop_mode="clone", stop=-1).filter("trim", end_frame=frames)
    output = picture.output(
        file_url(to),
        **{
            "frames:v": frames,
            "c:v": "libx264",
            "preset": "veryfast",
            "crf": 15,
            "pix_fmt": "yuv420p",
            "profile:v": "high",
            "g": 2 * FPS,
            "x264-params": f"sps-id={parameter_id}:stitchable=1",
            "video_track_timescale": TIMESCALE,
            "map_metadata": -1,
            "f": "mp4",
        },
    )
    return compile_argv(output, ffmpeg)


def _matrix(source: Colour, target: Colour) -> Mapping[str, str]:
    if (source.matrix, source.range) == (target.matrix, target.range):
        return {}
    matrix, ranges = COLOUR_NAMES["matrix"], COLOUR_NAMES["range"]
    return {
        "in_color_matrix": matrix.get(source.matrix, "bt709"),
        "out_color_matrix": matrix.get(target.matrix, "bt709"),
        "in_range": ranges.get(source.range, "tv"),
        "out_range": ranges.get(target.range, "tv"),
    }


def _tags(colour: Colour) -> Mapping[str, str]:
    """`setparams` arguments; the encoder takes its tags from the frames since ffmpeg 7."""
    tags = {
        "range": COLOUR_NAMES["range"].get(colour.range),
        "color_primaries": COLOUR_NAMES["primaries"].get(colour.primaries),
        "color_trc": COLOUR_NAMES["transfer"].get(colour.transfer),
        "colorspace": COLOUR_NAMES["matrix"].get(colour.matrix),
    }
    return {name: value for name, value in tags.items() if value} or {"range": "unknown"}
