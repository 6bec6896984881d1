"""How fast an edited film is made, and how good it is: fades, trims, titles, loudness, contact sheet.

Run it with `python benchmarks/cut.py fade|trim|titles|sound|sheet [--clips 10] [--rounds 3]`. Ours and the
usual way work on the same fresh 720p clips; the usual one runs once, ours `--rounds` times (median). Goals: 0.5 s fades
on every cut and trims within a group of pictures at least 5 times as fast as one graph that encodes all,
60 clips with fades (`fade --clips 60 --alone`) in under 1.5 GB; title + logo + music in one call at least 5
times as fast as a chain of encodes and closer to the sources; loudness at least 3 times as fast as two-pass
loudnorm and closer to −14 LUFS; a contact sheet at least twice as fast as one ffmpeg a frame.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import tempfile
from collections.abc import Awaitable, Callable, Sequence
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
from PIL import Image, ImageDraw
from usual import (
    chain_of_encodes,
    frame_by_frame,
    one_xfade_graph,
    stream_copy,
    trimmed_graph,
    two_pass_loudnorm,
)

from flowkit_mcp.domain.cut import Cut, Join, JoinKind, Logo, Music, Title, Trim
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.media.binaries import find_ffmpeg
from flowkit_mcp.media.levels import measure
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.run import run_ffmpeg
from flowkit_mcp.media.sheet import SheetItem, contact_sheet
from flowkit_mcp.media.sound import file_pcm

GOALS = {"fade": 5.0, "trim": 5.0, "titles": 5.0, "sound": 3.0, "sheet": 2.0}
MOST_MEMORY = 1_500.0
#: Frames whose quality is looked at, and where nothing is drawn in the titled film.
LOOKED_AT = 20 * 24
MIDDLE = "crop=640:200:320:400"


@dataclasses.dataclass(frozen=True)
class Bench:
    """What one comparison works with."""

    ffmpeg: Path
    clips: Sequence[Path]
    seconds: float
    out: Path

    def merged(self, cut: Cut) -> Way:
        return lambda to: merge(self.clips, to, ffmpeg=self.ffmpeg, cut=cut)

    async def quality(self, film: Path, ideal: Path, *, first: int = 0, only: str = "null") -> str:
        frames = min(LOOKED_AT, round(len(self.clips) * (self.seconds - 1) * 24) - first)
        mean, worst = await psnr(self.ffmpeg, film, ideal, frames=frames, first=first, only=only)
        count, drift = await asyncio.to_thread(drift_ms, film)
        return f"{mean:.1f} dB, worst {worst:.1f}; {count} frames; last beep {drift:+.1f} ms"


async def fade(bench: Bench, given: argparse.Namespace) -> tuple[Cost, Cost | None]:
    cut = Cut(join=Join(kind=JoinKind.CROSSFADE, seconds=0.5))
    first = dataclasses.replace(bench, clips=bench.clips[:4])
    ideal = bench.out / "ideal.mp4"
    await one_xfade_graph(bench.ffmpeg, first.clips, bench.seconds, ideal, lossless=True)
    return await compared(
        bench,
        given,
        bench.merged(cut),
        lambda to: one_xfade_graph(bench.ffmpeg, bench.clips, bench.seconds, to),
        lambda film: bench.quality(film, ideal),
    )


async def trim(bench: Bench, given: argparse.Namespace) -> tuple[Cost, Cost | None]:
    trims = tuple(Trim(clip=n + 1, start_s=1, end_s=6.25) for n in range(len(bench.clips)))
    ideal = bench.out / "ideal.mp4"
    await trimmed_graph(bench.ffmpeg, bench.clips[:5], ideal, lossless=True)
    return await compared(
        bench,
        given,
        bench.merged(Cut(trims=trims)),
        lambda to: trimmed_graph(bench.ffmpeg, bench.clips, to),
        lambda film: bench.quality(film, ideal),
    )


async def titles(bench: Bench, given: argparse.Namespace) -> tuple[Cost, Cost | None]:
    logo, card, music = (bench.out / name for name in ("logo.png", "card.png", "music.wav"))
    Image.new("RGBA", (160, 80), "#ff4020").save(logo)
    words = Image.new("RGBA", (900, 120), (0, 0, 0, 0))
    ImageDraw.Draw(words).text((10, 10), "The Lighthouse", fill="white", font_size=80)
    words.save(card)
    tone = ["-f", "lavfi", "-i", "sine=frequency=220", "-t", "20"]
    await run_ffmpeg([str(bench.ffmpeg), *tone, f"file:{music}"])
    cut = Cut(
        titles=(Title(text="The Lighthouse", seconds=4),),
        logo=Logo(file=str(logo)),
        music=Music(file=str(music)),
    )
    ideal = clip_list(bench.clips, bench.out / "ideal.txt")
    return await compared(
        bench,
        given,
        bench.merged(cut),
        lambda to: chain_of_encodes(bench.ffmpeg, bench.clips, card, logo, music, to),
        lambda film: bench.quality(film, ideal, first=5 * 24, only=MIDDLE),
    )


async def sound(bench: Bench, given: argparse.Namespace) -> tuple[Cost, Cost | None]:
    """Ours joins, levels and verifies; loudnorm gets a film that is joined already."""
    joined = bench.out / "joined.mp4"
    await stream_copy(bench.ffmpeg, bench.clips, joined)

    async def heard(film: Path) -> str:
        found = await asyncio.to_thread(lambda: measure(file_pcm(film), true_peak=True))
        return f"{found.loudness or 0:.2f} LUFS, {found.peak:.2f} dBTP"

    return await compared(
        bench,
        given,
        bench.merged(Cut()),
        lambda to: two_pass_loudnorm(bench.ffmpeg, joined, to),
        heard,
    )


async def sheet(bench: Bench, given: argparse.Namespace) -> tuple[Cost, Cost | None]:
    items = [
        SheetItem(clip, f"Scene {number}", "take 1", Orientation.HORIZONTAL)
        for number, clip in enumerate(bench.clips, 1)
    ]

    async def size(picture: Path) -> str:
        return f"{picture.stat().st_size / 1e3:.0f} kB"

    return await compared(
        bench,
        given,
        lambda to: contact_sheet(items, to),
        lambda to: frame_by_frame(bench.ffmpeg, bench.clips, bench.seconds, to),
        size,
        suffix=".jpg",
    )


async def compared(
    bench: Bench,
    given: argparse.Namespace,
    ours: Way,
    usual: Way,
    quality: Callable[[Path], Awaitable[str]],
    suffix: str = ".mp4",
) -> tuple[Cost, Cost | None]:
    head()
    to = bench.out / f"ours{suffix}"
    mine = await timed(ours, to, given.rounds)
    row("merge" if suffix == ".mp4" else "ours", mine, mine, await quality(to))
    if given.alone:
        return mine, None
    to = bench.out / f"usual{suffix}"
    theirs = await timed(usual, to)
    row("usual way", theirs, mine, await quality(to))
    return mine, theirs


KINDS = {"fade": fade, "trim": trim, "titles": titles, "sound": sound, "sheet": sheet}


async def main(given: argparse.Namespace) -> None:
    ffmpeg = find_ffmpeg(given.ffmpeg)
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name, "clips"), Path(name, "out")
        folder.mkdir()
        out.mkdir()
        uneven = given.what == "sound"
        clips = await make_clips(ffmpeg, folder, given.clips, given.seconds, uneven=uneven)
        print(f"{await machine(ffmpeg)}\n{given.what}: {len(clips)} clips of {given.seconds:g} s\n")
        mine, theirs = await KINDS[given.what](Bench(ffmpeg, clips, given.seconds, out), given)
    met = True
    if theirs is not None:
        goal, found = GOALS[given.what], theirs.wall / mine.wall
        met = verdict(f"at least {goal:.0f} times as fast as the usual way", found, found >= goal)
    if given.what == "fade":
        met &= verdict(f"under {MOST_MEMORY:.0f} MB", mine.memory, mine.memory < MOST_MEMORY)
    raise SystemExit(not met)


if __name__ == "__main__":
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("what", choices=sorted(GOALS))
    options.add_argument("--clips", type=int, default=10)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--alone", action="store_true", help="leave the usual way out")
    options.add_argument("--ffmpeg", type=Path, help="by default the one FlowKit would use")
    asyncio.run(main(options.parse_args()))
