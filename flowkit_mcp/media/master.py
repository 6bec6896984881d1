"""The mix brought to its loudness and encoded: a measured gain, a limiter where it must be, AAC once.

AAC is the slowest part of a merge, so the sound is encoded in parts side by side; each part runs in
before its beginning and out after its end, and the packets of the overlap are dropped (media.md §2.3.7).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

from flowkit_mcp.domain.cut import Loudness
from flowkit_mcp.media.levels import BLOCK, Heard, Meter, integrated, measure
from flowkit_mcp.media.limit import in_blocks, limited, loud_spans, with_room
from flowkit_mcp.media.mix import Sound, mixed
from flowkit_mcp.media.sound import BYTES, frame_of, packed
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import SAMPLE_RATE

BIT_RATE = 192_000
AAC_FRAME = 1024
#: 1.6 s: a whole number of AAC frames and of loudness blocks.
_GRID = 76_800
_RUN_OUT = 4 * AAC_FRAME
_SHORTEST_PART = 10 * _GRID
#: Gain is not raised beyond this: what is left then is noise.
_MOST_GAIN = 30.0
_CLOSE_ENOUGH = 0.05
#: Nearer than this is not worth encoding once more.
_AUDIBLE = 0.15
_ROUNDS = 3
#: `alimiter` takes no less than 1/16.
_LOWEST_CEILING = -24.0
#: Peaks between samples can be so many dB above those of the samples.
_BETWEEN_SAMPLES = 3.0
#: The gain may still rise so many dB before it is looked again where the limiter has to work.
_RESERVE = 2.0
#: Blocks of run-in before a loud span and behind it that hear it (a block is 400 ms long and ends where it is noted).
_BEFORE, _BEHIND = 8, 3


@dataclass
class Soundtrack:
    """Encoded sound: packets on the film's grid (of AAC the first is priming), and how it sounds.

    `blocks`: its momentary loudness in LUFS every 100 ms.
    """

    packets: list[Any]
    samples: int
    codec: str
    report: dict[str, Any]
    blocks: list[float] = field(default_factory=list[float])


def codec_of(editor: bool) -> str:
    """The sound's codec as ffmpeg calls it."""
    return "pcm_s16le" if editor else "aac"


def master(
    sounds: Sequence[Sound],
    samples: int,
    loudness: Loudness,
    *,
    stop: Stop,
    editor: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Soundtrack:
    """Mix, level and encode. Blocking.

    Args:
        sounds: what is heard, see `score.compose`.
        samples: the film's length.
        loudness: what to reach.
        stop: ends it early.
        editor: uncompressed instead of AAC.
        progress: called with the share done.
    """
    tell = progress or _nobody
    treat = partial(_treated, sounds, samples, stop)
    settled = _settle(treat, samples, loudness)
    tell(0.3)

    def encode(settled: _Settled) -> _Encoded:
        settings = settled.settings
        parts = _in_parts(samples, partial(_encode, treat, samples, settings, stop, editor, tell))
        if not loudness.on or settled.before is None or editor:
            return _Encoded(settled, parts)
        # A lossy encoder loses some noise, and its peaks are not those it was given: listen to it.
        coded = _in_turn(parts, partial(_decoded, stop, settings.spans))
        found = integrated(_joined(coded))
        missing = 0.0 if found is None else loudness.target_lufs - found
        over = max(part.peak for part in coded) - loudness.true_peak_db if settings.limit else 0.0
        heard = replace(settled, after=found, blocks=_joined(coded))
        return _Encoded(heard, parts, missing, max(0.0, over))

    made = best = encode(settled)
    aim = loudness
    for _ in range(_ROUNDS - 1):
        if made.good:
            break
        again = made.settled.settings.moved(gain_db=made.missing)
        if again.limit:
            again = again.moved(ceiling_db=-made.over - 0.1 if made.over else 0.0)
            aim = aim.model_copy(update={"target_lufs": aim.target_lufs + made.missing})
            made = encode(_limited(treat, samples, aim, replace(made.settled, settings=again)))
        else:
            made = encode(replace(made.settled, settings=again))
        best = min(best, made, key=_Encoded.fault)
    for _ in range(_ROUNDS):
        if not best.over:
            break
        # Noise that comes out of the encoder above its own peak however it is limited: the loudness gives way.
        down = -best.over - 0.1
        lower = best.settled.settings.moved(gain_db=down, ceiling_db=down)
        best = encode(replace(best.settled, settings=lower))
    settled, settings, parts = best.settled, best.settled.settings, best.parts
    before, after = settled.before, settled.after
    tell(1.0)
    return Soundtrack(
        [packet for part in parts for packet in part.packets],
        samples,
        codec_of(editor),
        {
            "before_lufs": None if before is None else round(before, 2),
            "gain_db": round(settings.gain_db, 2),
            "limited": settings.limit,
            "loudness_lufs": None if after is None else round(after, 2),
        },
        settled.blocks,
    )


def _joined(parts: Sequence[Heard] | Sequence[_Part]) -> list[float]:
    return [block for part in parts for block in part.blocks]


def _nobody(share: float) -> None:
    """Told when nobody asked."""


@dataclass(frozen=True)
class _Settings:
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

    def moved(self, *, gain_db: float = 0.0, ceiling_db: float = 0.0) -> _Settings:
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
class _Settled:
    """Settings, the film's loudness in LUFS before and after them (None for silence), its peak before."""

    settings: _Settings
    before: float | None
    after: float | None
    peak: float = 0.0
    #: Momentary loudness, as far as it was listened to last, and that of the mix before all treatment.
    blocks: list[float] = field(default_factory=list[float])
    unlimited: list[float] = field(default_factory=list[float])


_Treat = Callable[[_Settings, int, int], Iterator[bytes]]


@dataclass
class _Part:
    packets: list[Any] = field(default_factory=list[Any])
    blocks: list[float] = field(default_factory=list[float])
    peak: float = -120.0
    extradata: bytes | None = None
    loud: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])


@dataclass(frozen=True)
class _Encoded:
    """The film's sound encoded, and what is wrong with it: LU short of the loudness, dB above the peak."""

    settled: _Settled
    parts: list[_Part]
    missing: float = 0.0
    over: float = 0.0

    @property
    def good(self) -> bool:
        return abs(self.missing) <= _AUDIBLE and not self.over

    def fault(self) -> tuple[bool, float]:
        """Less is better: the peak comes before the loudness."""
        return self.over > 0, abs(self.missing)


def _settle(treat: _Treat, samples: int, loudness: Loudness) -> _Settled:
    """The gain that gives the loudness asked for, limited only where peaks need it."""
    heard = _in_parts(samples, partial(_listen, treat, _Settings()))
    blocks = _joined(heard)
    before = integrated(blocks)
    if not loudness.on or before is None:
        return _Settled(_Settings(), before, before, blocks=blocks)
    up = max(-_MOST_GAIN, min(_MOST_GAIN, loudness.target_lufs - before))
    peak = max(part.peak for part in heard)
    if peak + up <= loudness.true_peak_db - _BETWEEN_SAMPLES:
        return _Settled(_Settings(up), before, before + up, peak, blocks)
    limit = _Settings(up, loudness.true_peak_db - 0.5)
    settled = _Settled(limit, before, None, peak, blocks, unlimited=blocks)
    return _limited(treat, samples, loudness, settled)


def _limited(treat: _Treat, samples: int, loudness: Loudness, settled: _Settled) -> _Settled:
    """The gain in front of a limiter, found by trying: it takes some of the loudness away again."""
    settings, untouched = settled.settings, settled.unlimited
    up = settings.gain_db
    last: tuple[float, float] | None = None
    for _ in range(_ROUNDS + 1):
        if up > settings.spans_to_db:
            settings = _found_loud(treat, samples, loudness, replace(settings, gain_db=up))
        settings = replace(settings, gain_db=up)
        rough = replace(settings, rough=True)
        parts = _in_parts(samples, partial(_listen_limited, treat, rough, untouched))
        found = integrated(_joined(parts))
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


def _found_loud(treat: _Treat, samples: int, loudness: Loudness, settings: _Settings) -> _Settings:
    """With the spans that the limiter has to see at this gain and a little more."""
    up = settings.gain_db + _RESERVE
    above = loudness.true_peak_db - _BETWEEN_SAMPLES - up
    found = _in_parts(samples, partial(_listen_for_loud, treat, above))
    spans = with_room((span for part in found for span in part.loud), samples)
    return replace(settings, spans=spans, spans_to_db=up)


def _in_parts(samples: int, work: Callable[[int, int], _Part]) -> list[_Part]:
    count = max(1, min(os.cpu_count() or 1, samples // _SHORTEST_PART))
    each = -(-samples // count // _GRID) * _GRID
    edges = [*range(0, samples, max(each, _GRID)), samples]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, edges[:-1], edges[1:]))


def _in_turn(parts: Sequence[_Part], work: Callable[[_Part], Heard]) -> list[Heard]:
    with ThreadPoolExecutor(max(1, len(parts))) as pool:
        return list(pool.map(work, parts))


def _treated(
    sounds: Sequence[Sound],
    samples: int,
    stop: Stop,
    settings: _Settings,
    first: int,
    last: int,
) -> Iterator[bytes]:
    """Mixed and treated samples from before `first` to after `last`, in loudness blocks but for spans."""
    start, end = max(0, first - _GRID), min(samples, last + _RUN_OUT)
    parts = mixed(sounds, start, end, settings.volume)
    if settings.spans:
        parts = limited(parts, start, settings.spans, settings.limiter)
    for part in parts:
        stop.check()
        yield part


def _listen(treat: _Treat, settings: _Settings, first: int, last: int) -> _Part:
    heard = measure(treat(settings, first, last))
    skipped = (first - max(0, first - _GRID)) // BLOCK
    blocks = heard.blocks[skipped : skipped + -(-(last - first) // BLOCK)]
    return _Part(blocks=blocks, peak=heard.peak)


def _listen_for_loud(treat: _Treat, above_db: float, first: int, last: int) -> _Part:
    """Where the mix is so loud, before any gain."""
    start = max(0, first - _GRID)
    return _Part(loud=loud_spans(treat(_Settings(), first, last), above_db, start, last))


def _listen_limited(
    treat: _Treat, settings: _Settings, unlimited: Sequence[float], first: int, last: int
) -> _Part:
    """Blocks of a part: reckoned from those of the mix, and heard where the limiter works."""
    start = max(0, first - _GRID) // BLOCK
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
    return _Part(blocks=blocks[first // BLOCK : -(-last // BLOCK)])


def _encode(
    treat: _Treat,
    samples: int,
    settings: _Settings,
    stop: Stop,
    editor: bool,
    tell: Callable[[float], None],
    first: int,
    last: int,
) -> _Part:
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    from av import CodecContext

    encoder: Any = CodecContext.create(codec_of(editor), "w")
    encoder.sample_rate, encoder.layout = SAMPLE_RATE, "stereo"
    encoder.format = "s16" if editor else "fltp"
    encoder.time_base = Fraction(1, SAMPLE_RATE)
    if not editor:
        encoder.bit_rate = BIT_RATE
        # At this rate three times as fast as the default on speech and noise, at 1 dB less to 30 dB more
        # signal to noise (measured; only pure chords take longer).
        encoder.options = {"aac_coder": "fast"}
    start = at = max(0, first - _GRID)
    end = last if last < samples else None
    part = _Part()

    def keep(packets: Sequence[Any]) -> None:
        for packet in packets:
            # The encoder is a frame ahead: its first packet only primes the decoder.
            begin = packet.pts + (0 if editor else AAC_FRAME)
            if begin >= first and (end is None or begin < end):
                part.packets.append(packet)

    for data in treat(settings, first, last):
        keep(encoder.encode(frame_of(data, at)))
        at += len(data) // BYTES
        tell(0.3 + 0.65 * (at - start) / (last - start + _RUN_OUT))
    keep(encoder.encode(None))
    part.extradata = encoder.extradata
    return part


def _decoded(stop: Stop, spans: Sequence[tuple[int, int]], part: _Part) -> Heard:
    """How encoded sound really sounds; its peak is that between samples (dBTP) where the limiter worked."""
    from av import CodecContext  # late: as above
    from av.audio.resampler import AudioResampler

    decoder: Any = CodecContext.create("aac", "r")
    decoder.extradata = part.extradata
    resampler = AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)

    def sound() -> Iterator[bytes]:
        for packet in part.packets:
            stop.check()
            for frame in decoder.decode(packet):
                yield from (packed(even) for even in resampler.resample(frame))

    meter, between = Meter(), Meter(true_peak=True)
    waiting = list(spans)
    at: int = part.packets[0].pts if part.packets else 0
    for block in in_blocks(sound()):
        meter.push(block)
        end = at + len(block) // BYTES
        while waiting and waiting[0][1] <= at:
            waiting.pop(0)
        if waiting and waiting[0][0] < end:
            between.push(block)
        at = end
    heard = meter.end()
    heard.peak = max(heard.peak, between.end().peak)
    return heard
