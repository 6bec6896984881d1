"""The ways films are usually put together, as scripts and tools of the kind do it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import AAC, ENCODER, LOSSLESS, clip_list

from flowkit_mcp.media.run import run_ffmpeg

_MOVIEPY = """
import sys
from moviepy import VideoFileClip, concatenate_videoclips
to, *clips = sys.argv[1:]
film = concatenate_videoclips([VideoFileClip(clip) for clip in clips])
film.write_videofile(to, preset="fast", ffmpeg_params=["-crf", "18"], audio_bitrate="192k", logger=None)
"""


def _inputs(ffmpeg: Path, clips: Sequence[Path]) -> list[str]:
    return [str(ffmpeg), *(word for clip in clips for word in ("-i", f"file:{clip}"))]


async def byte_copy(clips: Sequence[Path], to: Path) -> None:
    """The bytes of all clips one after the other: no film, but the least work there is."""

    def copy() -> None:
        with to.open("wb") as film:
            for clip in clips:
                with clip.open("rb") as source:
                    shutil.copyfileobj(source, film, 1 << 20)
            film.flush()
            os.fsync(film.fileno())

    await asyncio.to_thread(copy)


async def stream_copy(ffmpeg: Path, clips: Sequence[Path], to: Path) -> None:
    """`concat -c copy`: looks right, and its sound drifts 21 ms a join (media.md §0.1)."""
    listing = clip_list(clips, to.with_suffix(".txt"))
    argv = [str(ffmpeg), "-f", "concat", "-safe", "0", "-i", f"file:{listing}", "-c", "copy"]
    await run_ffmpeg([*argv, "-movflags", "+faststart", f"file:{to}"])


async def concat_filter(ffmpeg: Path, clips: Sequence[Path], to: Path) -> None:
    names = "".join(f"[{n}:v:0][{n}:a:0]" for n in range(len(clips)))
    argv = [
        *_inputs(ffmpeg, clips),
        "-filter_complex",
        f"{names}concat=n={len(clips)}:v=1:a=1[v][a]",
    ]
    await run_ffmpeg(
        [*argv, "-map", "[v]", "-map", "[a]", *ENCODER, *AAC, f"file:{to}"], limit_s=14_400
    )


async def normalise_each(ffmpeg: Path, clips: Sequence[Path], to: Path) -> None:
    """Every clip through the encoder, one after the other, then `concat -c copy`."""
    folder = to.with_suffix(".parts")
    folder.mkdir()
    made: list[Path] = []
    for number, clip in enumerate(clips):
        made.append(folder / f"{number}.mp4")
        argv = [str(ffmpeg), "-i", f"file:{clip}", "-vf", "scale=1280:720,fps=24", *ENCODER]
        await run_ffmpeg([*argv, *AAC, "-ar", "48000", "-ac", "2", f"file:{made[-1]}"])
    await stream_copy(ffmpeg, made, to)
    shutil.rmtree(folder)


async def moviepy(python: Path, clips: Sequence[Path], to: Path) -> None:
    """moviepy in an environment of its own: it wants an older Pillow than FlowKit."""
    # It leaves a sound file in the folder it runs in while it works.
    program = python.absolute() if python.parent.name else python
    process = await asyncio.create_subprocess_exec(
        *(str(program), "-c", _MOVIEPY, str(to), *map(str, clips)),
        stdin=asyncio.subprocess.DEVNULL,
        cwd=to.parent,
    )
    if await process.wait() != 0:
        sys.exit("moviepy failed")


async def one_xfade_graph(
    ffmpeg: Path, clips: Sequence[Path], seconds: float, to: Path, *, lossless: bool = False
) -> None:
    parts: list[str] = []
    video, audio = "[0:v]", "[0:a]"
    for n in range(1, len(clips)):
        offset = n * (seconds - 0.5)
        parts.append(f"{video}[{n}:v]xfade=duration=0.5:offset={offset}[v{n}]")
        parts.append(f"{audio}[{n}:a]acrossfade=d=0.5[a{n}]")
        video, audio = f"[v{n}]", f"[a{n}]"
    argv = [
        *_inputs(ffmpeg, clips),
        "-filter_complex",
        ";".join(parts),
        "-map",
        video,
        "-map",
        audio,
    ]
    await run_ffmpeg([*argv, *(LOSSLESS if lossless else ENCODER), *AAC, f"file:{to}"])


async def trimmed_graph(
    ffmpeg: Path, clips: Sequence[Path], to: Path, *, lossless: bool = False
) -> None:
    parts: list[str] = []
    for n in range(len(clips)):
        parts.append(f"[{n}:v]trim=start_frame=24:end_frame=150,setpts=PTS-STARTPTS[v{n}]")
        parts.append(f"[{n}:a]atrim=1:6.25,asetpts=PTS-STARTPTS[a{n}]")
    names = "".join(f"[v{n}][a{n}]" for n in range(len(clips)))
    parts.append(f"{names}concat=n={len(clips)}:v=1:a=1[v][a]")
    argv = [
        *_inputs(ffmpeg, clips),
        "-filter_complex",
        ";".join(parts),
        "-map",
        "[v]",
        "-map",
        "[a]",
    ]
    await run_ffmpeg([*argv, *(LOSSLESS if lossless else ENCODER), *AAC, f"file:{to}"])


async def chain_of_encodes(
    ffmpeg: Path, clips: Sequence[Path], title: Path, logo: Path, music: Path, to: Path
) -> None:
    """Normalise each and join, then the title, then the logo, then the music: one encode a step."""
    steps = [to.with_name(f"{to.stem}-{n}.mp4") for n in range(3)]
    await normalise_each(ffmpeg, clips, steps[0])
    drawn = ("overlay=(W-w)/2:(H-h)/2:enable='lt(t,4)'", "overlay=W-w-20:20")
    for picture, how, source, result in zip(
        (title, logo), drawn, steps[:2], steps[1:], strict=True
    ):
        argv = [
            str(ffmpeg),
            "-i",
            f"file:{source}",
            "-i",
            f"file:{picture}",
            "-filter_complex",
            how,
        ]
        await run_ffmpeg([*argv, *ENCODER, "-c:a", "copy", f"file:{result}"])
    mixed = "[1:a]volume=0.3[m];[0:a][m]amix=normalize=0:duration=first[a]"
    argv = [str(ffmpeg), "-i", f"file:{steps[2]}", "-stream_loop", "-1", "-i", f"file:{music}"]
    argv += ["-filter_complex", mixed, "-map", "0:v", "-map", "[a]", "-c:v", "copy", "-shortest"]
    await run_ffmpeg([*argv, *AAC, f"file:{to}"])


async def two_pass_loudnorm(ffmpeg: Path, joined: Path, to: Path) -> None:
    """A film's sound measured by loudnorm, then brought to −14 LUFS by it; the picture is copied."""
    target = "loudnorm=I=-14:TP=-1:LRA=11"
    process = await asyncio.create_subprocess_exec(
        *(str(ffmpeg), "-nostdin", "-hide_banner", "-i", f"file:{joined}", "-map", "0:a"),
        *("-af", f"{target}:print_format=json", "-f", "null", "-"),
        stderr=asyncio.subprocess.PIPE,
    )
    said = (await process.communicate())[1].decode()
    found = json.loads(said[said.rindex("{") : said.rindex("}") + 1])
    known = ":".join(
        f"measured_{name}={found[f'input_{key}']}"
        for name, key in (("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh"))
    )
    argv = [
        str(ffmpeg),
        "-i",
        f"file:{joined}",
        "-af",
        f"{target}:{known}:linear=true",
        "-ar",
        "48000",
    ]
    await run_ffmpeg([*argv, "-c:v", "copy", *AAC, f"file:{to}"])


async def frame_by_frame(ffmpeg: Path, clips: Sequence[Path], seconds: float, to: Path) -> None:
    """A contact sheet of the middle frame of each clip: one ffmpeg a frame, then one that tiles them."""
    folder = to.with_suffix(".frames")
    folder.mkdir()
    for number, clip in enumerate(clips):
        argv = [str(ffmpeg), "-ss", f"{seconds / 2:.3f}", "-i", f"file:{clip}", "-frames:v", "1"]
        await run_ffmpeg([*argv, "-vf", "scale=320:-2", f"file:{folder}/{number:04d}.png"])
    argv = [str(ffmpeg), "-i", f"file:{folder}/%04d.png", "-vf", f"tile=6x{-(-len(clips) // 6)}"]
    await run_ffmpeg([*argv, "-frames:v", "1", "-update", "1", f"file:{to}"])
    shutil.rmtree(folder)
