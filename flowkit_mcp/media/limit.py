"""A limiter that works only where sound is loud: elsewhere it would change nothing and cost as much.

Spans are film samples from–to on the grid of loudness blocks, apart by a block at least.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from flowkit_mcp.media.levels import BLOCK
from flowkit_mcp.media.sound import BYTES, Chain, packed
from flowkit_mcp.media.timeline import SAMPLE_RATE

Spans = Sequence[tuple[int, int]]
Filters = list[tuple[str, str]]

#: Blocks before and after a loud moment: the limiter looks 5 ms ahead and lets go within 60 ms.
_AROUND = 2
#: Quieter for less than this lies within a loud moment, in seconds.
_MOMENT_S = 0.1
_SIZE = BLOCK * BYTES


def loud_spans(
    parts: Iterable[bytes], above_db: float, start: int, end: int
) -> list[tuple[int, int]]:
    """Where samples reach `above_db` dBFS in the sound from film sample `start` to `end`, with room around."""
    chain = Chain([("silencedetect", f"noise={above_db:.3f}dB:duration={_MOMENT_S}")])
    edges: list[tuple[float, str]] = []

    def note(frames: Iterable[Any]) -> None:
        for frame in frames:
            told: dict[str, str] = frame.metadata
            of_frame = [
                (float(told[key]), kind)
                for kind in ("start", "end")
                if (key := f"lavfi.silence_{kind}") in told
            ]
            # One frame can tell of a silence that it ends, too; it is too short for two of a kind.
            edges.extend(sorted(of_frame))

    for part in parts:
        for at in range(0, len(part), _SIZE):
            note(chain.push(part[at : at + _SIZE]))
    note(chain.end())
    found: list[tuple[int, int]] = []
    loud_from: float | None = 0.0
    for moment, kind in edges:
        if kind == "end":
            loud_from = moment
        elif loud_from is not None:
            found.append(
                (start + round(loud_from * SAMPLE_RATE), start + round(moment * SAMPLE_RATE))
            )
            loud_from = None
    if loud_from is not None:
        found.append((start + round(loud_from * SAMPLE_RATE), end))
    return [span for span in found if span[0] < span[1]]


def with_room(spans: Iterable[tuple[int, int]], samples: int) -> tuple[tuple[int, int], ...]:
    """Loud moments as spans in which a limiter begins and ends at rest."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        first = max(0, first // BLOCK - _AROUND) * BLOCK
        last = min(samples, (-(-last // BLOCK) + _AROUND) * BLOCK)
        if joined and first <= joined[-1][1] + _AROUND * BLOCK:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return tuple(joined)


def in_blocks(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same sound in loudness blocks; the last may be shorter."""
    waiting = b""
    for part in parts:
        waiting = waiting + part if waiting else part
        whole = len(waiting) // _SIZE * _SIZE
        for at in range(0, whole, _SIZE):
            yield waiting[at : at + _SIZE]
        waiting = waiting[whole:]
    if waiting:
        yield waiting


def limited(parts: Iterable[bytes], start: int, spans: Spans, filters: Filters) -> Iterator[bytes]:
    """Sound from film sample `start` on, with `filters` in the spans; as long as it was.

    Filters hear a block before and after each span, so that nothing begins or ends within them.
    """
    waiting = [span for span in spans if span[1] > start]
    span: _Span | None = None
    at = start
    for block in in_blocks(parts):
        end = at + len(block) // BYTES
        if span is not None:
            yield from span.push(block)
            if at >= span.last:
                yield from span.end()
                span = None
        if span is None and waiting and waiting[0][0] <= end:
            first, last = waiting.pop(0)
            # At the film's beginning, or where a part's run-in begins, there is nothing before it.
            span = _Span(Chain(filters), max(0, first - at), last, last - max(first, at))
            yield from span.push(block)
            if first > at:
                yield block
        elif span is None:
            yield block
        at = end
    if span is not None:
        yield from span.end()


@dataclass
class _Span:
    """Gives `left` samples out of a chain, the first `skip` it gives left out."""

    chain: Chain
    skip: int
    last: int
    left: int

    def push(self, block: bytes) -> Iterator[bytes]:
        for frame in self.chain.push(block):
            yield from self._kept(packed(frame))

    def end(self) -> Iterator[bytes]:
        for frame in self.chain.end():
            yield from self._kept(packed(frame))

    def _kept(self, data: bytes) -> Iterator[bytes]:
        samples = len(data) // BYTES
        skipped = min(self.skip, samples)
        self.skip -= skipped
        kept = min(self.left, samples - skipped)
        self.left -= kept
        if kept:
            yield data[skipped * BYTES : (skipped + kept) * BYTES]
