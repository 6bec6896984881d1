"""Clips → film: probe, plan, encode what differs, splice, verify, and only then a name.

A film is either complete or not there: everything is written beside it under `.part` names that are
gone afterwards, also when the task is cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.files import free_bytes, part_beside, settle
from flowkit_mcp.media.graph import picture_piece
from flowkit_mcp.media.plan import Piece, Plan, make_plan
from flowkit_mcp.media.probe import Clip, probe
from flowkit_mcp.media.run import Progress, run_ffmpeg
from flowkit_mcp.media.sound import pcm
from flowkit_mcp.media.splice import Strip, Written, splice
from flowkit_mcp.media.threads import Stop, in_thread
from flowkit_mcp.media.timeline import FPS, lay_out
from flowkit_mcp.media.verify import verify_film

#: Encoding a frame costs about as much as copying this many.
_ENCODE_WEIGHT = 20
_SPLICE_SHARE = 0.9  # of splicing and verifying, in time


@dataclass(frozen=True)
class MergeResult:
    """A finished film. `copied` and `encoded` count clips; `plan` says why, ready for JSON."""

    file: MediaFile
    frames: int
    copied: int
    encoded: int
    plan: dict[str, Any]


async def merge(
    clips: Sequence[Path],
    to: Path,
    *,
    ffmpeg: Path | str,
    progress: Progress | None = None,
) -> MergeResult:
    """Join clips with hard cuts into an H.264/AAC MP4 at 24 fps, sound and picture in step.

    Clips that are alike are copied bit for bit; others are encoded to fit the majority. ffmpeg is run
    only for those. If `to` is taken by another file, the next free name is used.

    Args:
        clips: MP4 files in film order.
        to: the film's place.
        ffmpeg: the program, see `binaries.find_ffmpeg`.
        progress: called with the share done, 0 to 1, never falling; from the event loop's thread.

    Raises:
        InvalidSetting: no clips, or `to` is one of them.
        MediaError: a clip is damaged (the message names it), ffmpeg failed, the disk is full, or the
            outcome is not as planned.
    """
    if not clips:
        raise InvalidSetting("there are no clips to merge")
    if any(clip.resolve() == to.resolve() for clip in clips):
        raise InvalidSetting(f"{to.name} is one of the clips; the film needs a name of its own")
    plan = make_plan(lay_out([await probe(clip) for clip in clips]))
    _check_space(to, plan)
    report = _Report(plan, progress)
    with _parts() as new_part:
        strips = await _strips(plan, to, ffmpeg, new_part, report)
        part = new_part(to)
        written = await in_thread(lambda stop: _assemble(plan, strips, part, stop, report))
        path, digest = await in_thread(lambda stop: settle(part, to))
    report.end()
    return MergeResult(
        file=MediaFile(
            path=path,
            media=MediaKind.VIDEO,
            sha256=digest,
            bytes=path.stat().st_size,
            width=plan.width,
            height=plan.height,
            duration_ms=round(written.frames * 1000 / FPS),
        ),
        frames=written.frames,
        copied=plan.copied,
        encoded=len(plan.pieces) - plan.copied,
        plan=plan.as_json(),
    )


async def _strips(
    plan: Plan,
    to: Path,
    ffmpeg: Path | str,
    new_part: Callable[[Path], Path],
    report: _Report,
) -> list[Strip]:
    strips: list[Strip] = []
    for piece in plan.pieces:
        clip = piece.shot.clip
        if not piece.copied:
            clip = await _encoded(piece, plan, ffmpeg, new_part(to), report)
        strips.append(Strip(clip, piece.shot.start))
    return strips


async def _encoded(
    piece: Piece, plan: Plan, ffmpeg: Path | str, part: Path, report: _Report
) -> Clip:
    """One clip's picture in the film's format, checked to be exactly as long as planned."""
    shot = piece.shot
    argv = picture_piece(
        shot.clip.path,
        part,
        ffmpeg=ffmpeg,
        frames=shot.frames,
        width=plan.width,
        height=plan.height,
        source_colour=shot.clip.picture.colour,
        colour=plan.colour,
        parameter_id=plan.parameter_id,
    )
    await run_ffmpeg(
        argv,
        frames=shot.frames,
        progress=report.encoding(shot.frames),
        limit_s=60 + 0.5 * shot.frames * (1 + plan.width * plan.height / 1e6),
    )
    report.encoded(shot.frames)
    clip = await probe(part)
    if clip.frames != shot.frames:
        raise MediaError(
            f"encoding {shot.clip.path.name} gave {clip.frames} frames instead of {shot.frames}"
        )
    return clip


def _assemble(
    plan: Plan, strips: Sequence[Strip], part: Path, stop: Stop, report: _Report
) -> Written:
    sound = pcm([piece.shot for piece in plan.pieces])
    written = splice(strips, sound, part, stop=stop, progress=report.from_thread)
    verify_film(part, written, [strip.start for strip in strips], stop=stop)
    return written


def _check_space(to: Path, plan: Plan) -> None:
    needed = int(1.2 * sum(piece.shot.clip.bytes for piece in plan.pieces))
    free = free_bytes(to.parent)
    if free < needed:
        raise MediaError(
            f"the disk has {free / 1e6:.0f} MB free, the film needs about {needed / 1e6:.0f} MB",
            hint="Make room, then merge again.",
        )


@contextlib.contextmanager
def _parts() -> Generator[Callable[[Path], Path]]:
    """Hands out part names and removes what is left of them."""
    parts: list[Path] = []

    def new_part(final: Path) -> Path:
        parts.append(part_beside(final))
        return parts[-1]

    try:
        yield new_part
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


class _Report:
    """Turns the stages' own shares into one that only rises."""

    def __init__(self, plan: Plan, progress: Progress | None) -> None:
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._total = plan.frames + _ENCODE_WEIGHT * sum(
            piece.shot.frames for piece in plan.pieces if not piece.copied
        )
        self._splice = plan.frames
        self._done = 0.0
        self._told = 0.0

    def encoding(self, frames: int) -> Progress:
        return lambda share: self._tell(self._done + share * frames * _ENCODE_WEIGHT)

    def encoded(self, frames: int) -> None:
        self._done += frames * _ENCODE_WEIGHT
        self._tell(self._done)

    def from_thread(self, share: float) -> None:
        done = self._done + share * self._splice * _SPLICE_SHARE
        self._loop.call_soon_threadsafe(self._tell, done)

    def end(self) -> None:
        self._tell(self._total)

    def _tell(self, done: float) -> None:
        share = min(1.0, done / self._total)
        if self._progress is not None and share > self._told:
            self._told = share
            self._progress(share)
