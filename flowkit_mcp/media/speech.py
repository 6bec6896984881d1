"""Where somebody speaks in a sound file: how long a narration is, and when music must be down for it."""

from __future__ import annotations

import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowkit_mcp.media.sound import BYTES, file_pcm
from flowkit_mcp.media.timeline import SAMPLE_RATE

_WINDOW = SAMPLE_RATE // 50
#: Below this, or this far below the loudest moment, nobody speaks (amplitudes: −46 dBFS, −34 dB).
_FLOOR, _BELOW_PEAK = 0.005, 0.02
#: A shorter gap is a breath between words.
_BREATH = SAMPLE_RATE * 2 // 5


@dataclass(frozen=True)
class Spoken:
    """Speech from–to in samples at 48 kHz, in order, apart; `samples` is the whole file."""

    spans: tuple[tuple[int, int], ...]
    samples: int

    @property
    def seconds(self) -> float:
        """To the end of the last word."""
        return self.spans[-1][1] / SAMPLE_RATE if self.spans else 0.0


def listen(path: Path) -> Spoken:
    """Find the speech in a file. Blocking.

    Raises:
        MediaError: it is not there or no sound file.
    """
    loudest: list[float] = []
    samples, rest = 0, b""
    size = _WINDOW * BYTES
    for part in file_pcm(path):
        samples += len(part) // BYTES
        rest += part
        whole = len(rest) // size * size
        for at in range(0, whole, size):
            values = array.array("f", rest[at : at + size])
            loudest.append(max(max(values), -min(values)))
        rest = rest[whole:]
    if rest:
        values = array.array("f", rest)
        loudest.append(max(max(values), -min(values)))
    return Spoken(_spans(loudest, samples), samples)


def _spans(loudest: Sequence[float], samples: int) -> tuple[tuple[int, int], ...]:
    least = max(_FLOOR, _BELOW_PEAK * max(loudest, default=0.0))
    spans: list[tuple[int, int]] = []
    for number, peak in enumerate(loudest):
        if peak < least:
            continue
        start, end = number * _WINDOW, min(samples, (number + 1) * _WINDOW)
        if spans and start - spans[-1][1] <= _BREATH:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)
