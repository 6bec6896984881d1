"""ffmpeg-python → argv. The only module that imports it, and it only compiles (media.md §6).

Text from people never becomes part of a filter, only numbers and names chosen here do (media.md §4);
words reach a film as pictures that `cards.py` has drawn.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from flowkit_mcp.media.plan import Format, Piece, Run
from flowkit_mcp.media.probe import COLOUR_NAMES, MP4_FORMATS, Clip, Colour
from flowkit_mcp.media.timeline import FPS, TICKS_PER_FRAME, TIMESCALE, is_on_grid

Node = Any  # ffmpeg-python has no types


@dataclass(frozen=True)
class Overlay:
    """A PNG with transparency over film frames `start` to `end`, its corner at `x`, `y`.

    `fade` frames at both ends let it come and go softly.
    """

    picture: Path
    x: int
    y: int
    start: int
    end: int
    fade: int = 0


def file_url(path: Path) -> str:
    """A name ffmpeg cannot take for an option, a protocol or a pattern."""
    return f"file:{path.absolute()}"


def clip_input(path: Path, **options: Any) -> Node:
    """An MP4 input that can open nothing but itself, even if it is a playlist in disguise."""
    return _builder().input(
        file_url(path), protocol_whitelist="file,pipe", format_whitelist=MP4_FORMATS, **options
    )


def picture_input(path: Path, **options: Any) -> Node:
    """A PNG of ours as a stream of one frame."""
    return _builder().input(file_url(path), protocol_whitelist="file,pipe", f="png_pipe", **options)


def compile_argv(output: Node, ffmpeg: Path | str) -> list[str]:
    """The argument list of a graph, for `run.run_ffmpeg`."""
    argv: list[str] = output.compile(cmd=str(ffmpeg), overwrite_output=True)
    return argv


def encode_piece(
    piece: Piece,
    to: Path,
    *,
    ffmpeg: Path | str,
    film: Format,
    overlays: Sequence[Overlay] = (),
    threads: int = 0,
) -> list[str]:
    """Encode a piece's picture so that it can stand beside copied ones: exact length, grid and size.

    Args:
        piece: what is shown, in film frames.
        to: where the picture goes, without sound.
        ffmpeg: the program.
        film: the format; its `parameter_id` keeps the H.264 parameter sets apart from those of copied
            clips (media.md §2.3, points 4 and 5).
        overlays: what is drawn over the film; those that miss the piece are left out.
        threads: for the encoder; 0 is as many as there are cores.
    """
    # ffmpeg-python takes equal inputs for one, so each gets a harmless number of its own.
    unique = itertools.count(8)
    parts = [
        _run(step, film, next(unique))
        if isinstance(step, Run)
        else _crossfaded(
            _run(step.out, film, next(unique)), _run(step.into, film, next(unique)), step.frames
        )
        for step in piece.steps
    ]
    picture = parts[0] if len(parts) == 1 else _builder().concat(*parts, v=1, a=0)
    for overlay in overlays:
        if overlay.start < piece.end and piece.start < overlay.end:
            picture = _drawn_over(picture, overlay, piece.start, film.colour, next(unique))
    picture = picture.filter("format", "yuv422p10le" if film.editor else "yuv420p")
    picture = picture.filter("setsar", "1").filter("setparams", **_tags(film.colour))
    output = picture.output(
        file_url(to),
        **{
            "frames:v": piece.frames,
            "threads": threads,
            **(_PRORES if film.editor else _h264(film)),
            "video_track_timescale": TIMESCALE,
            "map_metadata": -1,
        },
    )
    return compile_argv(output.global_args("-copyts"), ffmpeg)


#: Measured on noisy 720p beside veryfast at crf 14: better in the worst frame, as no bits are moved between frames, in
#: a third of its time, at twice its bytes.
_BESIDE_COPIES = {"preset": "ultrafast", "crf": 14}
#: As good in the mean, in two thirds of the time, at 1.2 to 1.7 times the bytes.
_WHOLE = {"preset": "superfast", "crf": 18}


def _h264(film: Format) -> Mapping[str, Any]:
    return {
        "c:v": "libx264",
        **(_BESIDE_COPIES if film.beside_copies else _WHOLE),
        "profile:v": "high",
        "g": 2 * FPS,
        "x264-params": f"sps-id={film.parameter_id}:stitchable=1",
        "f": "mp4",
    }


_PRORES = {"c:v": "prores_ks", "profile:v": 3, "vendor": "apl0", "f": "mov"}


def _builder() -> Any:
    # late: it costs 50 ms of a start-up that mostly never encodes.
    import ffmpeg as builder

    return builder


def _run(run: Run, film: Format, queue: int) -> Node:
    """A run's frames in the film's size and colour, timed from 0, exactly as many as it should be."""
    clip = run.shot.clip
    moving = run.frames - run.hold
    if clip.still:
        picture = picture_input(clip.path, thread_queue_size=queue).video.filter(
            "loop", loop=-1, size=1, start=0
        )
        picture = picture.filter("trim", end_frame=run.frames)
    elif is_on_grid(clip) and not clip.picture.hidden:
        # `-copyts` keeps the file's own times, so no version's idea of its start can shift the cut; half
        # a frame early, no rounding can lose the frame or let in the one before.
        zero = min(clip.picture.times) * clip.picture.time_base
        start = float(zero + Fraction(2 * run.source_first - 1, 2 * FPS))
        near = max(0.0, start - 0.2)
        options = {"ss": f"{near:.6f}", "noaccurate_seek": None} if run.source_first else {}
        picture = clip_input(clip.path, thread_queue_size=queue, **options).video
        if run.source_first:
            picture = picture.filter("trim", start=f"{start:.6f}")
        picture = picture.filter("trim", end_frame=moving)
    else:
        picture = clip_input(clip.path, thread_queue_size=queue).video
        picture = picture.filter("setpts", "PTS-STARTPTS").filter("fps", fps=FPS, start_time=0)
        picture = picture.filter("tpad", stop_mode="clone", stop=-1)
        picture = picture.filter(
            "trim", start_frame=run.source_first, end_frame=run.source_first + moving
        )
    picture = picture.filter("settb", f"1/{TIMESCALE}")
    picture = picture.filter("setpts", f"N*{TICKS_PER_FRAME}").filter("fps", fps=FPS)
    picture = _sized(picture, clip, film)
    if run.hold:
        picture = picture.filter("tpad", stop_mode="clone", stop=run.hold)
    shot = run.shot
    if run.first < shot.fade_in:
        picture = picture.filter("fade", t="in", start_frame=0, nb_frames=shot.fade_in)
    if run.first + run.frames > shot.frames - shot.fade_out:
        first = shot.frames - shot.fade_out - run.first
        picture = picture.filter("fade", t="out", start_frame=first, nb_frames=shot.fade_out)
    return picture


def _sized(picture: Node, clip: Clip, film: Format) -> Node:
    size = (film.width, film.height)
    matrix = _matrix(clip, film.colour)
    plain = clip.picture.sample_aspect == 1 and not clip.picture.rotation
    if plain and clip.picture.display_size == size and not matrix:
        return picture.filter("format", "yuv422p10le" if film.editor else "yuv420p")
    if not plain:
        # Anamorphic pixels count in their display size.
        picture = picture.filter("scale", w="trunc(iw*sar/2)*2", h="ih").filter("setsar", "1")
    picture = picture.filter(
        "scale",
        w=film.width,
        h=film.height,
        force_original_aspect_ratio="increase" if film.crop else "decrease",
        force_divisible_by=2,
        flags="lanczos",
        **matrix,
    )
    picture = picture.filter("format", "yuv422p10le" if film.editor else "yuv420p")
    if film.crop:
        picture = picture.filter("crop", film.width, film.height)
    else:
        picture = picture.filter("pad", film.width, film.height, "(ow-iw)/2", "(oh-ih)/2", "black")
    return picture.filter("setsar", "1")


def _crossfaded(out: Node, into: Node, frames: int) -> Node:
    # With nothing behind the last frame ffmpeg 5.1 loses the one before it.
    longer = [side.filter("tpad", stop_mode="clone", stop=2) for side in (out, into)]
    seconds = f"{frames / FPS:.6f}"
    mixed = _builder().filter(longer, "xfade", transition="fade", duration=seconds, offset=0)
    mixed = mixed.filter("trim", end_frame=frames).filter("settb", f"1/{TIMESCALE}")
    return mixed.filter("setpts", f"N*{TICKS_PER_FRAME}").filter("fps", fps=FPS)


def _drawn_over(
    picture: Node, overlay: Overlay, piece_start: int, colour: Colour, queue: int
) -> Node:
    frames = overlay.end - overlay.start
    drawn = picture_input(overlay.picture, thread_queue_size=queue).video
    # libswscale would take BT.601, which changes the colours of a logo.
    matrix = COLOUR_NAMES["matrix"].get(colour.matrix, "bt709")
    ranges = COLOUR_NAMES["range"].get(colour.range, "tv")
    drawn = drawn.filter("scale", out_color_matrix=matrix, out_range=ranges)
    drawn = drawn.filter("format", "yuva420p").filter("loop", loop=-1, size=1, start=0)
    drawn = drawn.filter("settb", f"1/{TIMESCALE}")
    skipped = max(0, piece_start - overlay.start)
    if not overlay.fade:
        frames, skipped, start = frames - skipped, 0, max(overlay.start, piece_start)
    else:
        start = overlay.start + skipped
    drawn = drawn.filter("setpts", f"N*{TICKS_PER_FRAME}")
    if overlay.fade:
        last = frames - overlay.fade
        drawn = drawn.filter("fade", t="in", alpha=1, start_frame=0, nb_frames=overlay.fade)
        drawn = drawn.filter("fade", t="out", alpha=1, start_frame=last, nb_frames=overlay.fade)
    drawn = drawn.filter("trim", start_frame=skipped, end_frame=frames)
    drawn = drawn.filter("setpts", f"(N+{start - piece_start})*{TICKS_PER_FRAME}")
    return _builder().filter(
        [picture, drawn], "overlay", overlay.x, overlay.y, eof_action="pass", format="yuv420"
    )


def _matrix(clip: Clip, target: Colour) -> Mapping[str, str]:
    """`scale` arguments where colours are coded differently; a picture is RGB and always is."""
    source = clip.picture.colour
    if not clip.still and (source.matrix, source.range) == (target.matrix, target.range):
        return {}
    matrix, ranges = COLOUR_NAMES["matrix"], COLOUR_NAMES["range"]
    out = {
        "out_color_matrix": matrix.get(target.matrix, "bt709"),
        "out_range": ranges.get(target.range, "tv"),
    }
    if clip.still:
        return out
    return out | {
        "in_color_matrix": matrix.get(source.matrix, "bt709"),
        "in_range": ranges.get(source.range, "tv"),
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
