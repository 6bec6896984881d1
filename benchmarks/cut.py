"""How fast an edited film is made: fades, trims, titles and loudness beside the usual ways.

Run it with `python benchmarks/cut.py fade|trim|titles|sound [--clips 10] [--rounds 3]`. Both ways work in
turn on the same fresh clips; only the ratios mean anything on another machine. The goals are: 0.5 s fades
on every cut and trims within a group of pictures at least 5 times faster than one graph that encodes all,
title + logo + music at least 5 times faster than a chain of encodes, loudness at least 3 times faster than
two-pass loudnorm and nearer to −14 LUFS.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from merge import make_clips, stream_copy, timed
from PIL import Image, ImageDraw

from flowkit_mcp.domain.cut import Cut, Join, JoinKind, Logo, Music, Title, Trim
from flowkit_mcp.media.binaries import find_ffmpeg, version
from flowkit_mcp.media.levels import measure
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.run import run_ffmpeg
from flowkit_mcp.media.sound import file_pcm

GOALS = {"fade": 5.0, "trim": 5.0, "titles": 5.0, "sound": 3.0}
ENCODER = ["-c:v", "libx264", "-preset", "fast", "-crf", "18", "-pix_fmt", "yuv420p"]
Way = Callable[[Path], Awaitable[object]]


async def one_xfade_graph(ffmpeg: Path, clips: list[Path], seconds: float, to: Path) -> None:
    argv, parts = [str(ffmpeg)], []
    for clip in clips:
        argv += ["-i", str(clip)]
    video, audio = "[0:v]", "[0:a]"
    for n in range(1, len(clips)):
        offset = n * (seconds - 0.5)
        parts.append(f"{video}[{n}:v]xfade=duration=0.5:offset={offset}[v{n}]")
        parts.append(f"{audio}[{n}:a]acrossfade=d=0.5[a{n}]")
        video, audio = f"[v{n}]", f"[a{n}]"
    argv += ["-filter_complex", ";".join(parts), "-map", video, "-map", audio, *ENCODER]
    await run_ffmpeg([*argv, "-c:a", "aac", str(to)])


async def trimmed_graph(ffmpeg: Path, clips: list[Path], to: Path) -> None:
    argv, parts = [str(ffmpeg)], []
    for n, clip in enumerate(clips):
        argv += ["-i", str(clip)]
        parts.append(f"[{n}:v]trim=start_frame=24:end_frame=150,setpts=PTS-STARTPTS[v{n}]")
        parts.append(f"[{n}:a]atrim=1:6.25,asetpts=PTS-STARTPTS[a{n}]")
    names = "".join(f"[v{n}][a{n}]" for n in range(len(clips)))
    parts.append(f"{names}concat=n={len(clips)}:v=1:a=1[v][a]")
    argv += ["-filter_complex", ";".join(parts), "-map", "[v]", "-map", "[a]", *ENCODER]
    await run_ffmpeg([*argv, "-c:a", "aac", str(to)])


async def chain_of_encodes(
    ffmpeg: Path, clips: list[Path], title: Path, logo: Path, music: Path, to: Path
) -> None:
    """Join by encoding, then the title, then the logo, then the music: as scripts of the kind do."""
    steps = [to.with_suffix(f".{n}.mp4") for n in range(3)]
    argv = [str(ffmpeg)]
    for clip in clips:
        argv += ["-i", str(clip)]
    names = "".join(f"[{n}:v][{n}:a]" for n in range(len(clips)))
    joined = f"{names}concat=n={len(clips)}:v=1:a=1[v][a]"
    await run_ffmpeg(
        [*argv, "-filter_complex", joined, "-map", "[v]", "-map", "[a]", *ENCODER, str(steps[0])]
    )
    for picture, source, result in ((title, *steps[:2]), (logo, *steps[1:])):
        over = ["-i", str(source), "-i", str(picture), "-filter_complex", "overlay=20:20"]
        await run_ffmpeg([str(ffmpeg), *over, *ENCODER, "-c:a", "copy", str(result)])
    mixed = "[1:a]volume=0.3[m];[0:a][m]amix=normalize=0:duration=first[a]"
    argv = [str(ffmpeg), "-i", str(steps[2]), "-stream_loop", "-1", "-i", str(music)]
    argv += ["-filter_complex", mixed, "-map", "0:v", "-map", "[a]", "-c:v", "copy", "-shortest"]
    await run_ffmpeg([*argv, "-c:a", "aac", str(to)])


async def two_pass_loudnorm(ffmpeg: Path, clips: list[Path], to: Path) -> None:
    """A (wrong) copy of the pictures first, so that only the sound is compared."""
    joined = to.with_suffix(".joined.mp4")
    await stream_copy(ffmpeg, clips, joined)
    target = "loudnorm=I=-14:TP=-1:LRA=11"
    stats = to.with_suffix(".json")
    measured = f"{target}:print_format=json"
    process = await asyncio.create_subprocess_exec(
        *(str(ffmpeg), "-nostdin", "-i", str(joined), "-af", measured, "-f", "null", "-"),
        stderr=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[1].decode()
    stats.write_text(said[said.rindex("{") : said.rindex("}") + 1], encoding="utf-8")
    found = json.loads(stats.read_text(encoding="utf-8"))
    known = ":".join(
        f"measured_{name}={found[f'input_{key}']}"
        for name, key in (("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh"))
    )
    argv = [str(ffmpeg), "-i", str(joined), "-af", f"{target}:{known}:linear=true", "-ar", "48000"]
    await run_ffmpeg([*argv, "-c:v", "copy", "-c:a", "aac", "-b:a", "192k", str(to)])


async def ways(
    what: str, ffmpeg: Path, clips: list[Path], seconds: float, folder: Path
) -> tuple[Way, Way]:
    """Ours, and the usual one."""

    def ours(cut: Cut) -> Way:
        return lambda to: merge(clips, to, ffmpeg=ffmpeg, cut=cut)

    if what == "fade":
        cut = Cut(join=Join(kind=JoinKind.CROSSFADE, seconds=0.5))
        return ours(cut), lambda to: one_xfade_graph(ffmpeg, clips, seconds, to)
    if what == "trim":
        trims = tuple(Trim(clip=n + 1, start_s=1, end_s=6.25) for n in range(len(clips)))
        return ours(Cut(trims=trims)), lambda to: trimmed_graph(ffmpeg, clips, to)
    if what == "sound":
        return ours(Cut()), lambda to: two_pass_loudnorm(ffmpeg, clips, to)
    logo, title, music = folder / "logo.png", folder / "title.png", folder / "music.wav"
    Image.new("RGBA", (160, 80), "#ff4020").save(logo)
    card = Image.new("RGBA", (900, 120), (0, 0, 0, 0))
    ImageDraw.Draw(card).text((10, 10), "The Lighthouse", fill="white", font_size=80)
    card.save(title)
    await run_ffmpeg(
        [str(ffmpeg), "-f", "lavfi", "-i", "sine=frequency=220", "-t", "20", str(music)]
    )
    cut = Cut(
        titles=(Title(text="The Lighthouse", seconds=4),),
        logo=Logo(file=str(logo)),
        music=Music(file=str(music)),
    )
    return ours(cut), lambda to: chain_of_encodes(ffmpeg, clips, title, logo, music, to)


async def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("what", choices=sorted(GOALS))
    options.add_argument("--clips", type=int, default=10)
    options.add_argument("--seconds", type=float, default=8.0)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    ffmpeg = find_ffmpeg()
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name, "out")
        out.mkdir()
        clips = await make_clips(ffmpeg, folder, given.clips, given.seconds)
        print(f"ffmpeg {await version(ffmpeg)}; {given.clips} clips, {given.what}")
        ours, usual = await ways(given.what, ffmpeg, clips, given.seconds, folder)
        mine = await timed(ours, out, given.rounds)
        theirs = await timed(usual, out, 1)
        print(f"merge      {mine:8.2f} s\nusual way  {theirs:8.2f} s   {theirs / mine:.2f} × merge")
        if given.what == "sound":
            for label, way in (("merge", ours), ("loudnorm", usual)):
                to = out / f"{label}.mp4"
                await way(to)
                heard = await asyncio.to_thread(
                    lambda film=to: measure(file_pcm(film), true_peak=True)
                )
                print(f"{label:10} {heard.loudness:8.2f} LUFS {heard.peak:8.2f} dBTP")
        goal = GOALS[given.what]
        print(f"goal ≥ {goal:.0f}×: " + ("met" if theirs / mine >= goal else "NOT met"))


if __name__ == "__main__":
    asyncio.run(main())
