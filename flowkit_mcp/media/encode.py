"""Encodes the pieces of a film that cannot be copied, several side by side, each checked for its length."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.graph import Overlay, encode_piece
from flowkit_mcp.media.plan import Piece, Plan
from flowkit_mcp.media.probe import Clip, probe
from flowkit_mcp.media.run import run_ffmpeg

#: Told how many frames a piece has gained.
Gained = Callable[[float], None]


@dataclass
class _Work:
    """What one ffmpeg does: `final` is named after all that it is made of, `part` is its name until it is whole."""

    piece: Piece
    final: Path
    part: Path
    argv: list[str]
    places: list[int] = field(default_factory=list[int])  #: in the plan's pieces


async def encode_pieces(
    plan: Plan,
    overlays: Sequence[Overlay],
    folder: Path,
    *,
    ffmpeg: Path | str,
    gained: Gained,
) -> dict[int, Clip]:
    """Every encoded piece of a plan as a clip, by its place in the plan.

    A piece that an earlier, interrupted run has finished in the same folder is used again.

    Raises:
        MediaError: ffmpeg failed, or a piece is not as long as planned.
    """
    for left in folder.glob("piece-*.part.*"):
        left.unlink()
    side_by_side = _side_by_side(plan)
    turn = asyncio.Semaphore(side_by_side)
    made: dict[int, Clip] = {}
    # Alike pieces, as of a clip that comes again and again, are one file: encoded once, never by two at a time.
    alike: dict[Path, _Work] = {}
    for place, piece in enumerate(plan.pieces):
        if not piece.copied:
            work = _work(plan, piece, overlays, folder, ffmpeg, side_by_side)
            alike.setdefault(work.final, work).places.append(place)

    async def one(work: _Work) -> None:
        async with turn:
            made.update(dict.fromkeys(work.places, await _encode(plan, work, gained)))

    tasks = [asyncio.create_task(one(work)) for work in alike.values()]
    try:
        for task in tasks:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return made


def _side_by_side(plan: Plan) -> int:
    pieces = sum(not piece.copied for piece in plan.pieces)
    return max(1, min(os.cpu_count() or 1, pieces, 4))


def _work(
    plan: Plan,
    piece: Piece,
    overlays: Sequence[Overlay],
    folder: Path,
    ffmpeg: Path | str,
    side_by_side: int,
) -> _Work:
    argv = encode_piece(
        piece,
        folder / "piece",
        ffmpeg=ffmpeg,
        film=plan.format,
        overlays=overlays,
        threads=1 if side_by_side > 1 else 0,
    )
    suffix = ".mov" if plan.format.editor else ".mp4"
    final = folder / f"piece-{_key(argv, piece)}{suffix}"
    # A name of this run's own: what a killed one left may still be written to for a moment.
    part = final.with_name(f"{final.stem}.{secrets.token_hex(3)}.part{suffix}")
    nameless = f"file:{(folder / 'piece').absolute()}"
    named = [f"file:{part.absolute()}" if a == nameless else a for a in argv]
    return _Work(piece, final, part, named)


async def _encode(plan: Plan, work: _Work, gained: Gained) -> Clip:
    piece, times = work.piece, len(work.places)
    if work.final.exists():
        clip = await probe(work.final)
        gained(times * piece.frames)
        return clip
    done = 0.0

    def note(share: float) -> None:
        nonlocal done
        gained(times * (share * piece.frames - done))
        done = share * piece.frames

    pixels = plan.format.width * plan.format.height
    await run_ffmpeg(
        work.argv,
        frames=piece.frames,
        progress=note,
        limit_s=60 + 0.5 * (piece.frames + 2 * 24) * (1 + pixels / 1e6),
    )
    names = ", ".join(sorted({run.shot.clip.path.name for run in piece.runs}))
    try:
        clip = await probe(work.part)
    except MediaError as error:  # ffmpeg's status says nothing of a disk that was full at its end
        raise MediaError(
            f"encoding {names} did not give a whole file: {error.message}",
            hint="Make room on the disk, then merge again.",
        ) from error
    if clip.frames != piece.frames:
        raise MediaError(
            f"encoding {names} gave {clip.frames} frames instead of {piece.frames}",
            hint="Fetch or generate the clip again.",
        )
    gained(times * (piece.frames - done))
    work.part.replace(work.final)
    return await probe(work.final)


def _key(argv: Sequence[str], piece: Piece) -> str:
    """What the piece is made of: the same arguments on files that have not changed."""
    files = {run.shot.clip.path for run in piece.runs}
    states = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    text = json.dumps([list(argv[1:]), states], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
