"""What tests read out of films, with PyAV and nothing of ours."""

from __future__ import annotations

import array
import hashlib
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


def onsets(samples: array.array[float], level: float = 0.15, quiet: int = 12_000) -> list[int]:
    """Where sound starts after at least `quiet` samples of silence."""
    found: list[int] = []
    last_loud = -quiet
    for index, value in enumerate(samples):
        if abs(value) > level:
            if index - last_loud >= quiet:
                found.append(index)
            last_loud = index
    return found
