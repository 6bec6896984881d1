"""Clips in which every frame carries its number, and every clip a flash with a beep: what a film shows can
then be read out of it, however it was scaled or encoded."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import av

#: 12 bits of number beside each other; the lower half is noise that changes, so that encoders have work.
BITS = 12
BEEP_HZ = 2_000


def code(clip: int, frame: int) -> int:
    return clip * 64 + frame


def draw(number: int, width: int, height: int) -> bytes:
    """A grey picture whose upper half shows a number in black and white bars."""
    row = bytes(0xEB if number >> (x * BITS // width) & 1 else 0x10 for x in range(width))
    lower = bytearray()
    for line in range(height - height // 2):
        shift = (number * 7 + line * 3) % 97
        lower += bytes(60 + (x * 5 + shift * 11) % 120 for x in range(width))
    return row * (height // 2) + bytes(lower)


def coded_clip(
    ffmpeg: Path | str,
    to: Path,
    clip: int,
    frames: int,
    *,
    size: str = "240x136",
    beep_frame: int = 6,
    sound: bool = True,
    fps: str = "24",
    sound_options: Sequence[str] = (),
    options: Sequence[str] = ("-c:v", "libx264", "-preset", "veryfast", "-g", "12"),
) -> Path:
    """Frames `code(clip, 0)` to `code(clip, frames - 1)`, with a beep that begins with `beep_frame`."""
    width, height = map(int, size.split("x"))
    numerator, _, denominator = fps.partition("/")
    rate = float(numerator) / float(denominator or 1)
    at = beep_frame / rate
    argv = [str(ffmpeg), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "gray", "-s", size]
    argv += ["-r", fps, "-i", "pipe:0"]
    if sound:
        beep = f"aevalsrc='if(between(t,{at:.6f},{at + 0.05:.6f}),0.6*sin(2*PI*{BEEP_HZ}*(t-{at:.6f})),0)'"
        argv += ["-f", "lavfi", "-t", f"{frames / rate:.6f}", "-i", f"{beep}:s=48000:c=stereo"]
        argv += ["-c:a", "aac", *sound_options]
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    argv += ["-vf", f"scale=in_range=tv:out_range=tv,format=yuv420p,{tags}", *options]
    data = b"".join(draw(code(clip, frame), width, height) for frame in range(frames))
    subprocess.run([*argv, f"file:{to}"], input=data, check=True, capture_output=True)
    return to


def read_codes(film: Path, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> list[int]:
    """The numbers in the film's frames, in the order in which they are shown.

    box: left, top, right and bottom of the coded picture, as shares of the film's.
    """
    codes: list[int] = []
    with av.open(str(film)) as container:
        for frame in container.decode(container.streams.video[0]):
            codes.append(read_code(frame.reformat(format="gray"), box))
    return codes


def read_code(frame: av.VideoFrame, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> int:
    plane = frame.planes[0]
    rows = bytes(plane)
    left, top, right, bottom = box
    number = 0
    for bit in range(BITS):
        x = round((left + (right - left) * (bit + 0.5) / BITS) * frame.width)
        y = round((top + (bottom - top) * 0.25) * frame.height)
        spot = [rows[(y + dy) * plane.line_size + x + dx] for dy in (-3, 0, 3) for dx in (-1, 0, 1)]
        number |= (sum(spot) / 9 > 128) << bit
    return number
