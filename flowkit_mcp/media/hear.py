"""What a clip sounds like, measured once: its loudness, its level at every frame, and where it is clipped.

Measures only; what is a fault is judged in `doctor.py`.
"""

from __future__ import annotations

import array
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flowkit_mcp.media.levels import BLOCK, Meter, integrated
from flowkit_mcp.media.probe import Clip
from flowkit_mcp.media.sound import BYTES, clip_pcm
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import FPS, SAMPLES_PER_FRAME, film_frames

#: dBFS at which a stretch of sound counts as nothing.
NOTHING = -90.0
#: Decoded AAC that was clipped before it was encoded runs over full scale many times in a row.
_FULL, _IN_A_ROW = 0.9995, 4
_AT_A_TIME = SAMPLES_PER_FRAME * BYTES
_PART = BLOCK * BYTES


@dataclass(frozen=True)
class SoundFacts:
    """A clip's sound from its first picture to its last; everything empty where it has none.

    `blocks`: momentary loudness in LUFS every 100 ms. `levels`: RMS in dBFS of each 1/24 s. `clipped`: the 24ths of a
    second in which samples are clipped. `peak` in dBFS.
    """

    track: bool
    blocks: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()
    clipped: tuple[int, ...] = ()
    peak: float = NOTHING

    @property
    def loudness(self) -> float | None:
        """Integrated LUFS; None for silence."""
        return integrated(self.blocks)

    def between(self, first: int, frames: int) -> SoundFacts:
        """The same of a part, in 24ths of a second; `peak` stays that of the whole."""
        start, end = first / FPS, (first + frames) / FPS
        # a block ends where it is noted and is 400 ms long
        inside = [
            block
            for place, block in enumerate(self.blocks, 1)
            if start + 0.35 < place / 10 <= end + 0.05
        ]
        return SoundFacts(
            self.track,
            tuple(inside),
            self.levels[first : first + frames],
            tuple(at - first for at in self.clipped if first <= at < first + frames),
            self.peak,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "track": self.track,
            "blocks": self.blocks,
            "levels": self.levels,
            "clipped": self.clipped,
            "peak": self.peak,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> SoundFacts:
        """Raises KeyError, TypeError, ValueError for anything else than `as_json` gave."""
        return cls(
            bool(told["track"]),
            tuple(map(float, told["blocks"])),
            tuple(map(float, told["levels"])),
            tuple(map(int, told["clipped"])),
            float(told["peak"]),
        )


def hear(clip: Clip, stop: Stop) -> SoundFacts:
    """Listen to a clip. Blocking.

    Raises:
        MediaError: its sound does not decode.
    """
    if clip.sound is None:
        return SoundFacts(track=False)
    meter = Meter()
    levels: list[float] = []
    clipped: list[int] = []
    waiting = b""
    samples = film_frames(clip) * SAMPLES_PER_FRAME
    for number, part in enumerate(_cut_up(clip_pcm(clip, 0, samples), _AT_A_TIME)):
        stop.check()
        values = array.array("f", part)
        levels.append(_rms(values))
        if max(max(values), -min(values)) >= _FULL and _runs_over(values):
            clipped.append(number)
        waiting += part
        while len(waiting) >= _PART:
            meter.push(waiting[:_PART])
            waiting = waiting[_PART:]
    if waiting:
        meter.push(waiting)
    heard = meter.end()
    return SoundFacts(
        True,
        tuple(round(block, 2) for block in heard.blocks),
        tuple(round(level, 1) for level in levels),
        tuple(clipped),
        round(heard.peak, 2),
    )


def _cut_up(parts: Iterator[bytes], size: int) -> Iterator[bytes]:
    waiting = b""
    for part in parts:
        waiting += part
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


def _rms(values: Sequence[float]) -> float:
    power = sum(map(operator.mul, values, values)) / len(values) if values else 0.0
    return max(NOTHING, 10 * math.log10(power)) if power > 0 else NOTHING


def _runs_over(values: Sequence[float]) -> bool:
    """Whether one channel stays at or over full scale for several samples, twice at least."""
    runs = 0
    for channel in (values[0::2], values[1::2]):
        length = 0
        for value in channel:
            length = length + 1 if abs(value) >= _FULL else 0
            runs += length == _IN_A_ROW
    return runs >= 2
