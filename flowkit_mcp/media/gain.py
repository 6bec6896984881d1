"""The gain that brings a mix to its loudness, and where a limiter has to work at it. Blocking."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from flowkit_mcp.domain.cut import Loudness
from flowkit_mcp.media.levels import BLOCK, Heard, Meter, integrated, measure
from flowkit_mcp.media.limit import in_blocks, limited, loud_spans, with_room
from flowkit_mcp.media.mix import Sound, mixed
from flowkit_mcp.media.sound import AAC_FRAME
from flowkit_mcp.media.threads import Stop

#: 1.6 s: a whole number of AAC frames and of loudness blocks.
GRID = 76_800
RUN_OUT = 4 * AAC_FRAME
_SHORTEST_PART = 10 * GRID
#: Gain is not raised beyond this: what is left then is noise.
_MOST_GAIN = 30.0
_CLOSE_ENOUGH = 0.05
ROUNDS = 3
#: `alimiter` takes no less than 1/16.
_LOWEST_CEILING = -24.0
#: Peaks between samples can be so many dB above those of the samples.
_BETWEEN_SAMPLES = 3.0
#: The gain may still rise so many dB before it is looked again where the limiter has to work.
_RESERVE = 2.0
#: Blocks of run-in before a loud span and behind it that hear it (a block is 400 ms long and ends where it is noted).
_BEFORE, _BEHIND = 8, 3


@dataclass(frozen=True)
class Settings:
    """`spans`: where the limiter works, as film samples from–to; `spans_to_db`: the gain up to which they hold.

    `rough` limits a third as slowly and almost as loud: good enough to look for the gain.
    """

    gain_db: float = 0.0
    ceiling_db: float | None = None
    spans: tuple[tuple[int, int], ...] = ()
    spans_to_db: float = -math.inf
    rough: bool = False

    @property
    def limit(self) -> bool:
        return self.ceiling_db is not None

    def moved(self, *, gain_db: float = 0.0, ceiling_db: float = 0.0) -> Settings:
        """Up or down by so many dB, the ceiling no lower than the limiter can."""
        ceiling = self.ceiling_db
        if ceiling is not None:
            ceiling = max(_LOWEST_CEILING, ceiling + ceiling_db)
        return replace(self, gain_db=self.gain_db + gain_db, ceiling_db=ceiling)

    @property
    def volume(self) -> list[tuple[str, str]]:
        return [("volume", f"{self.gain_db:.4f}dB")] if self.gain_db else []

    @property
    def limiter(self) -> list[tuple[str, str]]:
        # `level` would turn it up again.
        limiter = f"limit={self.ceiling_db:.3f}dB:attack=5:release=60:level=disabled:latency=1"
        if self.rough:
            return [("alimiter", limiter)]
        # Twice the rate, so that peaks between samples are seen.
        return [("aresample", "96000"), ("alimiter", limiter), ("aresample", "48000")]


@dataclass(frozen=True)
class Settled:
    """Settings, the film's loudness in LUFS before and after them (None for silence), its peak before."""

    settings: Settings
    before: float | None
    after: float | None
    peak: float = 0.0
    #: Momentary loudness, as far as it was listened to last, and that of the mix before all treatment.
    blocks: list[float] = field(default_factory=list[float])
    unlimited: list[float] = field(default_factory=list[float])


Treat = Callable[[Settings, int, int], Iterator[bytes]]


@dataclass
class Part:
    packets: list[Any] = field(default_factory=list[Any])
    blocks: list[float] = field(default_factory=list[float])
    peak: float = -120.0
    extradata: bytes | None = None
    loud: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


def joined_blocks(parts: Sequence[Heard] | Sequence[Part]) -> list[float]:
    return [block for part in parts for block in part.blocks]


def settle_gain(treat: Treat, samples: int, loudness: Loudness) -> Settled:
    """The gain that gives the loudness asked for, limited only where peaks need it."""
    heard = in_parts(samples, partial(_listen, treat, Settings()))
    blocks = joined_blocks(heard)
    before = integrated(blocks)
    if not loudness.on or before is None:
        return Settled(Settings(), before, before, blocks=blocks)
    up = max(-_MOST_GAIN, min(_MOST_GAIN, loudness.target_lufs - before))
    peak = max(part.peak for part in heard)
    if peak + up <= loudness.true_peak_db - _BETWEEN_SAMPLES:
        return Settled(Settings(up), before, before + up, peak, blocks)
    limit = Settings(up, loudness.true_peak_db - 0.5)
    settled = Settled(limit, before, None, peak, blocks, unlimited=blocks)
    return limit_anew(treat, samples, loudness, settled)


def limit_anew(treat: Treat, samples: int, loudness: Loudness, settled: Settled) -> Settled:
    """The gain in front of a limiter, found by trying: it takes some of the loudness away again."""
    settings, untouched = settled.settings, settled.unlimited
    up = settings.gain_db
    last: tuple[float, float] | None = None
    for _ in range(ROUNDS + 1):
        if up > settings.spans_to_db:
            settings = _found_loud(treat, samples, loudness, replace(settings, gain_db=up))
        settings = replace(settings, gain_db=up)
        rough = replace(settings, rough=True)
        parts = in_parts(samples, partial(_listen_limited, treat, rough, untouched))
        found = integrated(joined_blocks(parts))
        settled = replace(settled, settings=settings, after=found)
        if found is None or abs(loudness.target_lufs - found) <= _CLOSE_ENOUGH:
            break
        # The harder it limits, the less a dB of gain gives: learned from the step before, at first
        # reckoned from what the limiter has taken for each dB it was driven so far.
        if last is None or abs(up - last[0]) <= 0.05:
            lost = (settled.before or 0.0) + up - found
            slope = 1 - 0.9 * lost / max(1.0, settled.peak + up - (settings.ceiling_db or 0.0))
        else:
            slope = (found - last[1]) / (up - last[0])
        last = up, found
        step = (loudness.target_lufs - found) / max(0.25, min(1.0, slope))
        up = max(-_MOST_GAIN, min(_MOST_GAIN, up + step))
    return settled


def _found_loud(treat: Treat, samples: int, loudness: Loudness, settings: Settings) -> Settings:
    """With the spans that the limiter has to see at this gain and a little more."""
    up = settings.gain_db + _RESERVE
    above = loudness.true_peak_db - _BETWEEN_SAMPLES - up
    found = in_parts(samples, partial(_listen_for_loud, treat, above))
    spans = with_room((span for part in found for span in part.loud), samples)
    return replace(settings, spans=spans, spans_to_db=up)


def in_parts(samples: int, work: Callable[[int, int], Part]) -> list[Part]:
    count = max(1, min(os.cpu_count() or 1, samples // _SHORTEST_PART))
    each = -(-samples // count // GRID) * GRID
    edges = [*range(0, samples, max(each, GRID)), samples]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, edges[:-1], edges[1:]))


def in_turn(parts: Sequence[Part], work: Callable[[Part], Heard]) -> list[Heard]:
    with ThreadPoolExecutor(max(1, len(parts))) as pool:
        return list(pool.map(work, parts))


def treated(
    sounds: Sequence[Sound],
    samples: int,
    stop: Stop,
    settings: Settings,
    first: int,
    last: int,
) -> Iterator[bytes]:
    """Mixed and treated samples from before `first` to after `last`, in loudness blocks but for spans."""
    start, end = max(0, first - GRID), min(samples, last + RUN_OUT)
    parts = mixed(sounds, start, end, settings.volume)
    if settings.spans:
        parts = limited(parts, start, settings.spans, settings.limiter)
    for part in parts:
        stop.check()
        yield part


def _listen(treat: Treat, settings: Settings, first: int, last: int) -> Part:
    heard = measure(treat(settings, first, last))
    skipped = (first - max(0, first - GRID)) // BLOCK
    blocks = heard.blocks[skipped : skipped + -(-(last - first) // BLOCK)]
    return Part(blocks=blocks, peak=heard.peak)


def _listen_for_loud(treat: Treat, above_db: float, first: int, last: int) -> Part:
    """Where the mix is so loud, before any gain."""
    start = max(0, first - GRID)
    return Part(loud=loud_spans(treat(Settings(), first, last), above_db, start, last))


def _listen_limited(
    treat: Treat, settings: Settings, unlimited: Sequence[float], first: int, last: int
) -> Part:
    """Blocks of a part: reckoned from those of the mix, and heard where the limiter works."""
    start = max(0, first - GRID) // BLOCK
    blocks = [block + settings.gain_db for block in unlimited]
    spans = [(a // BLOCK, -(-b // BLOCK)) for a, b in settings.spans]
    meter: Meter | None = None
    since = 0
    for number, block in enumerate(in_blocks(treat(settings, first, last)), start):
        while spans and spans[0][1] + _BEHIND < number:
            spans.pop(0)
        near = [span for span in spans[:2] if span[0] - _BEFORE <= number < span[1] + _BEHIND]
        if not near:
            meter = None
            continue
        if meter is None:
            meter, since = Meter(), number
        meter.push(block)
        heard = meter.heard.blocks
        if near[0][0] <= number < len(blocks) and len(heard) > number - since:
            blocks[number] = heard[number - since]
    return Part(blocks=blocks[first // BLOCK : -(-last // BLOCK)])
