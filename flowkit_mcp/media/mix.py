"""Many sounds, each with its own course of loudness, into one. Sounds lie on buses where none overlap.

Every gain is a curve over the film's samples that is multiplied in, so nothing can step or click.
"""

from __future__ import annotations

import array
import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from flowkit_mcp.errors import BugError
from flowkit_mcp.media.sound import BYTES, Chain, packed, silence

#: Points that approximate a curved fade by straight lines.
_STEPS = 12
#: Samples that are mixed at a time.
_AT_A_TIME = 48_000


@dataclass(frozen=True)
class Curve:
    """Amplitude over film samples: straight lines between points, level before and after them."""

    points: tuple[tuple[int, float], ...] = ((0, 1.0),)

    def at(self, sample: int) -> float:
        points = self.points
        place = bisect.bisect_right(points, sample, key=lambda point: point[0])
        if place == 0:
            return points[0][1]
        if place == len(points):
            return points[-1][1]
        (start, low), (end, high) = points[place - 1], points[place]
        return low + (high - low) * (sample - start) / (end - start)

    def times(self, *others: Curve) -> Curve:
        """The product of curves."""
        samples = sorted({point[0] for curve in (self, *others) for point in curve.points})
        product = [
            (sample, self.at(sample) * math.prod(curve.at(sample) for curve in others))
            for sample in samples
        ]
        return Curve(tuple(product))

    def block(self, first: int, samples: int) -> bytes:
        """The curve as packed stereo samples."""
        last = first + samples - 1
        points = self.points
        place = bisect.bisect_right(points, first, key=lambda point: point[0])
        following = points[place][0] if place < len(points) else None
        if (following is None or following > last) and self.at(first) == self.at(last):
            return array.array("f", (self.at(first),)).tobytes() * (2 * samples)
        values = array.array("f")
        at = first
        while at <= last:
            place = bisect.bisect_right(points, at, key=lambda point: point[0])
            end = min(last + 1, points[place][0] if place < len(points) else last + 1)
            start, slope = self.at(at), self.at(end) - self.at(at)
            length = end - at
            if slope:
                steps = (start + slope * index / length for index in range(length))
                values.extend(value for step in steps for value in (step, step))
            else:
                values.extend(array.array("f", (start,)) * (2 * length))
            at = end
        return values.tobytes()


def gain(db: float) -> float:
    """Decibels as an amplitude."""
    return 10 ** (db / 20)


def level(db: float) -> Curve:
    """The same gain throughout."""
    return Curve(((0, gain(db)),))


def fade(start: int, samples: int, *, into: bool, equal_power: bool = False) -> Curve:
    """From nothing to full over `samples` from sample `start`, or the other way round.

    `equal_power` keeps the loudness of two unlike sounds that cross.
    """
    if samples <= 0:
        return Curve()
    steps = _STEPS if equal_power else 1
    points: list[tuple[int, float]] = []
    for step in range(steps + 1):
        share = step / steps
        part = share if into else 1 - share
        amplitude = math.sin(part * math.pi / 2) if equal_power else part
        points.append((start + round(samples * share), amplitude))
    return Curve(tuple(dict(points).items()))


def ducked(spans: Sequence[tuple[int, int]], db: float, before: int, after: int) -> Curve:
    """Down by `db` in all of `spans`, reached `before` samples' ramp earlier, left over `after` samples."""
    low = gain(-db)
    merged: list[list[int]] = []
    for start, end in sorted(spans):
        # Not up and down again between two words.
        if merged and start - before <= merged[-1][1] + after:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    points: list[tuple[int, float]] = []
    for start, end in merged:
        for step in range(_STEPS + 1):
            share = step / _STEPS
            points.append((start - round(before * (1 - share)), low**share))
        for step in range(_STEPS + 1):
            share = step / _STEPS
            points.append((end + round(after * share), low ** (1 - share)))
    return Curve(tuple(sorted(dict(points).items()))) if points else Curve()


@dataclass(frozen=True)
class Sound:
    """`samples` of a spool file from its sample `first`, heard from film sample `start`."""

    spool: Path
    first: int
    start: int
    samples: int
    curve: Curve = Curve()

    @property
    def end(self) -> int:
        return self.start + self.samples


def mixed(
    sounds: Sequence[Sound],
    first: int,
    last: int,
    filters: Sequence[tuple[str, str]] = (),
) -> Iterator[bytes]:
    """The sum of all sounds from film sample `first` to `last`, through `filters` that keep its length, without a gap.

    Blocking; spool files are open while it runs.
    """
    buses = _buses([sound for sound in sounds if sound.start < last and sound.end > first])
    if not buses:
        yield from silence(last - first)
        return
    chain = Chain([], sources=2 * len(buses))
    products = [
        chain.add("amultiply", "", chain.sources[2 * number], chain.sources[2 * number + 1])
        for number in range(len(buses))
    ]
    total = products[0]
    if len(products) > 1:
        total = chain.add("amix", f"inputs={len(products)}:normalize=0", *products)
    chain.finish(total, list(filters))
    readers = [_Reader(bus) for bus in buses]
    given = 0
    try:
        for at in range(first, last, _AT_A_TIME):
            length = min(_AT_A_TIME, last - at)
            for number, reader in enumerate(readers):
                for place, data in enumerate((reader.pcm(at, length), reader.gains(at, length))):
                    for frame in chain.push(data, 2 * number + place):
                        given += frame.samples
                        yield packed(frame)
        for frame in chain.end():
            given += frame.samples
            yield packed(frame)
    finally:
        for reader in readers:
            reader.close()
    if given != last - first:
        raise BugError(f"mixing gave {given} of {last - first} samples")


def _buses(sounds: Sequence[Sound]) -> list[list[Sound]]:
    buses: list[list[Sound]] = []
    for sound in sorted(sounds, key=lambda sound: sound.start):
        for bus in buses:
            if bus[-1].end <= sound.start:
                bus.append(sound)
                break
        else:
            buses.append([sound])
    return buses


class _Reader:
    """One bus, read from left to right."""

    def __init__(self, sounds: Sequence[Sound]) -> None:
        self._waiting = list(sounds)
        self._file: BinaryIO | None = None
        self._open: Sound | None = None

    def pcm(self, at: int, samples: int) -> bytes:
        parts: list[bytes] = []
        for sound, first, last in self._parts(at, samples):
            if sound is None:
                parts.append(bytes((last - first) * BYTES))
                continue
            file = self._file_of(sound)
            file.seek((sound.first + first - sound.start) * BYTES)
            data = file.read((last - first) * BYTES)
            parts.append(data + bytes((last - first) * BYTES - len(data)))
        return b"".join(parts)

    def gains(self, at: int, samples: int) -> bytes:
        return b"".join(
            Curve(((0, 0.0),)).block(first, last - first)
            if sound is None
            else sound.curve.block(first, last - first)
            for sound, first, last in self._parts(at, samples)
        )

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _parts(self, at: int, samples: int) -> Iterator[tuple[Sound | None, int, int]]:
        end = at + samples
        while self._waiting and self._waiting[0].end <= at:
            self._waiting.pop(0)
        for sound in self._waiting:
            if sound.start >= end:
                break
            if sound.start > at:
                yield None, at, sound.start
            first = max(at, sound.start)
            at = min(end, sound.end)
            yield sound, first, at
        if at < end:
            yield None, at, end

    def _file_of(self, sound: Sound) -> BinaryIO:
        if self._open is None or self._open.spool != sound.spool or self._file is None:
            self.close()
            self._file = sound.spool.open("rb")
        self._open = sound
        return self._file
