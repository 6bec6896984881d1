"""How fast clips become a film, and how good it is, beside the usual ways.

Run it with `python benchmarks/merge.py [--clips 10] [--rounds 3] [--moviepy PYTHON]`: fresh uniform 720p
clips with sound are joined by (a) a raw copy of their bytes, (b) ffmpeg's concat filter, (c) moviepy and
(d) normalising each clip and joining the results, beside our merge and its picture alone. moviepy wants an
older Pillow than FlowKit, so it needs an environment of its own:

    python -m venv build/moviepy && build/moviepy/bin/pip install moviepy
    python benchmarks/merge.py --clips 60 --moviepy build/moviepy/bin/python

Ways that encode run once, all others `--rounds` times, and medians are compared. Goals (60 clips): at least
40 times as fast as (b), 60 times as (c); the picture alone at most 8 times (a).
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import (
    Cost,
    Way,
    clip_list,
    drift_ms,
    head,
    machine,
    make_clips,
    psnr,
    row,
    timed,
    verdict,
)
from usual import byte_copy, concat_filter, moviepy, normalise_each, stream_copy

from flowkit_mcp.domain.cut import Cut, Loudness
from flowkit_mcp.media.binaries import find_ffmpeg
from flowkit_mcp.media.master import Soundtrack
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.plan import make_plan
from flowkit_mcp.media.probe import read_clip
from flowkit_mcp.media.splice import Strip, splice
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import lay_out

FASTER_THAN_ENCODING, FASTER_THAN_MOVIEPY, PICTURE_TO_BYTES = 40.0, 60.0, 8.0
#: Frames whose quality is looked at: the first 20 s of a film.
LOOKED_AT = 24 * 20


async def picture_alone(clips: Sequence[Path], to: Path) -> None:
    """Our merge without its sound: probe, plan and splice."""

    def work() -> None:
        plan = make_plan(lay_out([read_clip(clip) for clip in clips], Cut()))
        strips = [
            Strip(piece.runs[0].shot.clip, piece.start, piece.runs[0].source_first, piece.frames)
            for piece in plan.pieces
        ]
        splice(strips, Soundtrack([], 0, "aac", {}), to, stop=Stop())

    await asyncio.to_thread(work)


async def main(given: argparse.Namespace) -> None:
    ffmpeg = find_ffmpeg(given.ffmpeg)
    python: Path | None = given.moviepy
    if python is not None and shutil.which(str(python)) is None:
        raise SystemExit(f"--moviepy {python} is no Python; how to make one stands in --help")
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name, "clips"), Path(name, "out")
        folder.mkdir()
        out.mkdir()
        clips = await make_clips(ffmpeg, folder, given.clips, given.seconds)
        size = sum(clip.stat().st_size for clip in clips) / 1e6
        print(
            f"{await machine(ffmpeg)}\n{len(clips)} clips of {given.seconds:g} s, {size:.0f} MB\n"
        )
        head()
        ideal = clip_list(clips, out / "ideal.txt")
        frames = min(LOOKED_AT, round(given.clips * given.seconds * 24))

        async def measured(
            label: str, way: Way, rounds: int, base: Cost | None = None, film: bool = True
        ) -> Cost:
            to = out / "film.mp4"
            cost = await timed(way, to, rounds)
            note = ""
            if film:
                mean, worst = await psnr(ffmpeg, to, ideal, frames=frames)
                count, drift = await asyncio.to_thread(drift_ms, to)
                note = (
                    f"{mean:.1f} dB, worst {worst:.1f}; {count} frames; last beep {drift:+.1f} ms"
                )
            row(label, cost, base or cost, note)
            to.unlink()
            return cost

        rounds: int = given.rounds
        ours = await measured("merge", lambda to: merge(clips, to, ffmpeg=ffmpeg), rounds)
        plain = Cut(loudness=Loudness(on=False))
        equal = await measured(
            "merge, levels left alone",
            lambda to: merge(clips, to, ffmpeg=ffmpeg, cut=plain),
            rounds,
            ours,
        )
        picture = await measured(
            "picture of it alone", lambda to: picture_alone(clips, to), rounds, ours, film=False
        )
        copy = await measured(
            "(a) byte copy", lambda to: byte_copy(clips, to), rounds, ours, film=False
        )
        await measured(
            "concat -c copy (drifts)", lambda to: stream_copy(ffmpeg, clips, to), rounds, ours
        )
        full = movie = None
        if "b" in given.ways:
            full = await measured(
                "(b) concat filter", lambda to: concat_filter(ffmpeg, clips, to), 1, ours
            )
        if "c" in given.ways and python is not None:
            movie = await measured("(c) moviepy", lambda to: moviepy(python, clips, to), 1, ours)
        if "d" in given.ways:
            await measured(
                "(d) each normalised", lambda to: normalise_each(ffmpeg, clips, to), 1, ours
            )
    print()
    met = True
    if full is not None:
        met &= _verdict("(b) concat filter", FASTER_THAN_ENCODING, full, ours, equal)
    if movie is not None:
        met &= _verdict("(c) moviepy", FASTER_THAN_MOVIEPY, movie, ours, equal)
    ratio = picture.wall / copy.wall
    met &= verdict(
        f"the picture at most {PICTURE_TO_BYTES:.0f}× the bytes", ratio, ratio <= PICTURE_TO_BYTES
    )
    raise SystemExit(not met)


def _verdict(what: str, goal: float, theirs: Cost, ours: Cost, equal: Cost) -> bool:
    """The others leave levels alone, so the equal work decides; the whole merge is told beside it."""
    met = verdict(
        f"at least {goal:.0f} times as fast as {what}",
        theirs.wall / equal.wall,
        theirs.wall / equal.wall >= goal,
    )
    print(
        f"      by processor time {theirs.cpu / equal.cpu:.2f}; with clips levelled and the film brought to "
        f"−14 LUFS {theirs.wall / ours.wall:.2f}, by processor time {theirs.cpu / ours.cpu:.2f}"
    )
    return met


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--clips", type=int, default=10)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--moviepy", type=Path, help="a Python that has moviepy; left out without")
    options.add_argument("--ffmpeg", type=Path, help="by default the one FlowKit would use")
    options.add_argument(
        "--ways", default="bcd", help="which of the slow ways (b), (c) and (d) run; by default all"
    )
    asyncio.run(main(options.parse_args()))
