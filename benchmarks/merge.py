"""How fast clips become a film: our merge beside a plain (and wrong) `concat -c copy` and a full encode.

Run it with `python benchmarks/merge.py [--clips 10] [--rounds 3]`. All ways run in turn on the same
fresh clips, and the medians are compared, so only the ratios mean anything on another machine. The goals
are: at least 30 times faster than encoding everything, at most 8 times a stream copy.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from flowkit_mcp.media.binaries import find_ffmpeg, version
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.run import run_ffmpeg

PICTURES = ("mandelbrot=size=1280x720:rate=24", "testsrc2=size=1280x720:rate=24")
SOUND = (
    "sine=frequency=330:sample_rate=48000,tremolo=f=3[tone];"
    "anoisesrc=color=pink:amplitude=0.05:r=48000[noise];[tone][noise]amix=normalize=0"
)
FASTER_THAN_ENCODING, SLOWER_THAN_COPYING = 30.0, 8.0


async def make_clips(ffmpeg: Path, folder: Path, count: int, seconds: float) -> list[Path]:
    """Two different clips with grain and sound, each used in turn under names of their own."""
    clips: list[Path] = []
    for number in range(count):
        clip = folder / f"clip-{number:02d}.mp4"
        if number >= len(PICTURES):
            clip.write_bytes(clips[number % len(PICTURES)].read_bytes())
        else:
            argv = [str(ffmpeg), "-f", "lavfi", "-i", PICTURES[number]]
            argv += ["-f", "lavfi", "-i", SOUND]
            argv += ["-vf", "noise=alls=4:allf=t,format=yuv420p", "-t", f"{seconds}", "-ac", "2"]
            argv += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", "48"]
            await run_ffmpeg([*argv, "-c:a", "aac", f"file:{clip}"])
        clips.append(clip)
    return clips


async def stream_copy(ffmpeg: Path, clips: list[Path], to: Path) -> None:
    listing = to.with_suffix(".txt")
    listing.write_text("".join(f"file 'file:{clip}'\n" for clip in clips), encoding="utf-8")
    argv = [str(ffmpeg), "-f", "concat", "-safe", "0", "-i", str(listing), "-c", "copy"]
    await run_ffmpeg([*argv, "-movflags", "+faststart", str(to)])


async def encode_everything(ffmpeg: Path, clips: list[Path], to: Path) -> None:
    argv = [str(ffmpeg)]
    for clip in clips:
        argv += ["-i", str(clip)]
    inputs = "".join(f"[{n}:v:0][{n}:a:0]" for n in range(len(clips)))
    argv += ["-filter_complex", f"{inputs}concat=n={len(clips)}:v=1:a=1[v][a]"]
    argv += ["-map", "[v]", "-map", "[a]", "-c:v", "libx264", "-preset", "fast", "-crf", "18"]
    await run_ffmpeg([*argv, "-c:a", "aac", "-b:a", "192k", str(to)])


async def timed(work: Callable[[Path], Awaitable[object]], folder: Path, rounds: int) -> float:
    """Median seconds."""
    took: list[float] = []
    for round_ in range(rounds):
        to = folder / f"film-{round_}.mp4"
        start = time.perf_counter()
        await work(to)
        took.append(time.perf_counter() - start)
        for left in folder.iterdir():
            left.unlink()
    return statistics.median(took)


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--clips", type=int, default=10)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    ffmpeg = find_ffmpeg()
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name, "out")
        out.mkdir()
        clips = await make_clips(ffmpeg, folder, given.clips, given.seconds)
        size = sum(clip.stat().st_size for clip in clips) / 1e6
        print(f"ffmpeg {await version(ffmpeg)}; {given.clips} clips, {size:.0f} MB")
        ours = await timed(lambda to: merge(clips, to, ffmpeg=ffmpeg), out, given.rounds)
        copy = await timed(lambda to: stream_copy(ffmpeg, clips, to), out, given.rounds)
        full = await timed(lambda to: encode_everything(ffmpeg, clips, to), out, 1)
    rows = (("merge", ours), ("concat -c copy", copy), ("encode everything", full))
    for label, seconds in rows:
        print(f"{label:20} {seconds:8.2f} s   {seconds / ours:6.2f} × merge")
    good = full / ours >= FASTER_THAN_ENCODING and ours / copy <= SLOWER_THAN_COPYING
    print(
        f"goals: ≥ {FASTER_THAN_ENCODING:.0f}× faster than encoding, ≤ {SLOWER_THAN_COPYING:.0f}× a copy: "
        + ("met" if good else "NOT met")
    )


if __name__ == "__main__":
    asyncio.run(main())
