"""What tests read out of films, with PyAV and nothing of ours."""

from __future__ import annotations

import array
import hashlib
import itertools
import math
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import av


def picture_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(container.streams.video[0]) if p.size]


def picture_times(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return sorted(p.pts for p in container.demux(container.streams.video[0]) if p.size)


def frame_hashes(path: Path) -> list[str]:
    hashes: list[str] = []
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.video[0]):
            digest = hashlib.sha256()
            for plane in frame.planes:
                rows = bytes(plane)
                for row in range(plane.height):
                    digest.update(rows[row * plane.line_size :][: plane.width])
            hashes.append(digest.hexdigest())
    return hashes


def sound_samples(path: Path) -> int:
    """Samples a player plays: what the track's edit list shows."""
    with av.open(str(path)) as container:
        track = container.streams.audio[0]
        base = track.time_base
        return round(track.duration * base.numerator * 48_000 / base.denominator)


def left_channel(path: Path) -> array.array[float]:
    samples = array.array("f")
    with av.open(str(path)) as container:
        for frame in container.decode(container.streams.audio[0]):
            samples.frombytes(bytes(frame.planes[0])[: frame.samples * 4])
    return samples


def onsets(samples: array.array[float], level: float = 0.08, quiet: int = 12_000) -> list[int]:
    """Where sound starts after at least `quiet` samples of silence."""
    found: list[int] = []
    last_loud = -quiet
    for index, value in enumerate(samples):
        if abs(value) > level:
            if index - last_loud >= quiet:
                found.append(index)
            last_loud = index
    return found


def grey_frames(path: Path) -> list[bytes]:
    """The brightness of every frame, as it is decoded."""
    with av.open(str(path)) as container:
        frames: list[bytes] = []
        for frame in container.decode(container.streams.video[0]):
            plane = frame.planes[0]
            rows = bytes(plane)
            frames.append(
                b"".join(
                    rows[row * plane.line_size :][: plane.width] for row in range(plane.height)
                )
            )
        return frames


def psnr(one: bytes, other: bytes) -> float:
    """In dB; 99 for equal pictures."""
    assert len(one) == len(other)
    squares = sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    return 99.0 if squares == 0 else 10 * math.log10(255**2 * len(one) / squares)


def blended(one: bytes, other: bytes, share: float) -> bytes:
    return bytes(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))


def rms(samples: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in samples) / len(samples))


def steepest(samples: Sequence[float], at: int, around: int = 480) -> float:
    """The largest step from one sample to the next near a place."""
    part = samples[max(0, at - around) : at + around]
    return max(abs(b - a) for a, b in itertools.pairwise(part))


def loudness(ffmpeg: Path, film: Path) -> tuple[float, float]:
    """Integrated LUFS and true peak in dBTP, as ffmpeg's own summary has it."""
    argv = [str(ffmpeg), "-nostdin", "-hide_banner", "-i", f"file:{film}"]
    argv += ["-map", "0:a", "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, check=True).stderr.decode()
    summary = said[said.rindex("Summary:") :]
    integrated = re.search(r"I:\s+(-?[\d.]+|-inf) LUFS", summary)
    peak = re.search(r"Peak:\s+(-?[\d.]+|-inf) dBFS", summary)
    assert integrated and peak
    return float(integrated[1]), float(peak[1])
