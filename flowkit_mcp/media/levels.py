"""Loudness by EBU R128 (ITU-R BS.1770): measured in blocks, so that gains can be reckoned afterwards.

A block is the momentary loudness every 100 ms; turning sound up by some dB turns its blocks up by as
much, so the loudness of a film follows from its clips' blocks without listening again.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from flowkit_mcp.media.sound import BYTES, Chain
from flowkit_mcp.media.timeline import SAMPLE_RATE

SILENT = -70.0  #: LUFS below which BS.1770 hears nothing
BLOCK = SAMPLE_RATE // 10
_NEVER = -120.0


@dataclass
class Heard:
    """Blocks in LUFS, and the highest peak in dBFS (true peak in dBTP where that was asked for)."""

    blocks: list[float] = field(default_factory=list[float])
    peak: float = _NEVER

    @property
    def loudness(self) -> float | None:
        """Integrated LUFS; None for silence."""
        return integrated(self.blocks)


class Meter:
    """Measures what is pushed through it. One per stream, in one thread."""

    def __init__(self, *, true_peak: bool = False) -> None:
        self._key = "lavfi.r128.true_peaks_ch" if true_peak else "lavfi.r128.sample_peaks_ch"
        kind = "true" if true_peak else "sample"
        self._chain = Chain([("ebur128", f"metadata=1:peak={kind}")])
        self.heard = Heard()

    def push(self, data: bytes | memoryview) -> None:
        for frame in self._chain.push(data):
            self._note(frame.metadata)

    def end(self) -> Heard:
        """What was measured, the last samples included."""
        for frame in self._chain.end():
            self._note(frame.metadata)
        return self.heard

    def _note(self, found: dict[str, str]) -> None:
        block = found.get("lavfi.r128.M")
        if block is not None:
            self.heard.blocks.append(_number(block))
        for channel in "01":
            peak = float(found.get(self._key + channel) or 0)
            if peak > 0:
                self.heard.peak = max(self.heard.peak, 20 * math.log10(peak))


def measure(parts: Iterable[bytes], *, true_peak: bool = False) -> Heard:
    """Loudness and peak of packed samples. Blocking."""
    meter = Meter(true_peak=true_peak)
    for part in parts:
        for at in range(0, len(part), BLOCK * BYTES):
            meter.push(memoryview(part)[at : at + BLOCK * BYTES])
    return meter.end()


def integrated(blocks: Sequence[float]) -> float | None:
    """Gated loudness of momentary blocks (BS.1770-4 §2): first at −70 LUFS, then 10 LU below."""
    loud = [10 ** (block / 10) for block in blocks if block > SILENT]
    if not loud:
        return None
    gate = statistics.fmean(loud) / 10
    kept = [power for power in loud if power >= gate]
    return 10 * math.log10(statistics.fmean(kept))


def clip_gains(clips: Sequence[Heard | None], most_db: float) -> tuple[float | None, list[float]]:
    """The film's own level in LUFS, and the gain in dB that brings each clip to it.

    The level is the median of all that is heard; None, and no gains, if nothing is. Clips that are silent
    (None among them) or under 400 ms stay as they are.
    """
    found = [
        clip.loudness if clip is not None and len(clip.blocks) >= 4 else None for clip in clips
    ]
    heard = [loudness for loudness in found if loudness is not None]
    if not heard:
        return None, [0.0] * len(clips)
    level = statistics.median(heard)
    return level, [
        0.0 if loudness is None else max(-most_db, min(most_db, level - loudness))
        for loudness in found
    ]


def _number(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _NEVER
