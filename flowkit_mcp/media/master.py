"""The mix brought to its loudness and encoded: a measured gain, a limiter where it must be, AAC once.

AAC is the slowest part of a merge, so the sound is encoded in parts side by side; each part runs in
before its beginning and out after its end, and the packets of the overlap are dropped (media.md §2.3.7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from typing import Any

from flowkit_mcp.domain.cut import Loudness
from flowkit_mcp.media.gain import (
    GRID,
    ROUNDS,
    RUN_OUT,
    Part,
    Settings,
    Settled,
    Treat,
    in_parts,
    in_turn,
    joined_blocks,
    limit_anew,
    settle_gain,
    treated,
)
from flowkit_mcp.media.levels import Heard, Meter, integrated
from flowkit_mcp.media.limit import in_blocks
from flowkit_mcp.media.mix import Sound
from flowkit_mcp.media.sound import AAC_FRAME, BYTES, frame_of, packed
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import SAMPLE_RATE

BIT_RATE = 192_000
#: Nearer than this is not worth encoding once more.
_AUDIBLE = 0.15


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
    treat = partial(treated, sounds, samples, stop)
    settled = settle_gain(treat, samples, loudness)
    tell(0.3)

    def encode(settled: Settled) -> _Encoded:
        settings = settled.settings
        parts = in_parts(samples, partial(_encode, treat, samples, settings, stop, editor, tell))
        if not loudness.on or settled.before is None or editor:
            return _Encoded(settled, parts)
        # A lossy encoder loses some noise, and its peaks are not those it was given: listen to it.
        coded = in_turn(parts, partial(_decoded, stop, settings.spans))
        found = integrated(joined_blocks(coded))
        missing = 0.0 if found is None else loudness.target_lufs - found
        over = max(part.peak for part in coded) - loudness.true_peak_db if settings.limit else 0.0
        heard = replace(settled, after=found, blocks=joined_blocks(coded))
        return _Encoded(heard, parts, missing, max(0.0, over))

    made = best = encode(settled)
    aim = loudness
    for _ in range(ROUNDS - 1):
        if made.good:
            break
        again = made.settled.settings.moved(gain_db=made.missing)
        if again.limit:
            again = again.moved(ceiling_db=-made.over - 0.1 if made.over else 0.0)
            aim = aim.model_copy(update={"target_lufs": aim.target_lufs + made.missing})
            made = encode(limit_anew(treat, samples, aim, replace(made.settled, settings=again)))
        else:
            made = encode(replace(made.settled, settings=again))
        best = min(best, made, key=_Encoded.fault)
    for _ in range(ROUNDS):
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


def _nobody(share: float) -> None:
    """Told when nobody asked."""


@dataclass(frozen=True)
class _Encoded:
    """The film's sound encoded, and what is wrong with it: LU short of the loudness, dB above the peak."""

    settled: Settled
    parts: list[Part]
    missing: float = 0.0
    over: float = 0.0

    @property
    def good(self) -> bool:
        return abs(self.missing) <= _AUDIBLE and not self.over

    def fault(self) -> tuple[bool, float]:
        """Less is better: the peak comes before the loudness."""
        return self.over > 0, abs(self.missing)


def _encode(
    treat: Treat,
    samples: int,
    settings: Settings,
    stop: Stop,
    editor: bool,
    tell: Callable[[float], None],
    first: int,
    last: int,
) -> Part:
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
    start = at = max(0, first - GRID)
    end = last if last < samples else None
    part = Part()

    def keep(packets: Sequence[Any]) -> None:
        for packet in packets:
            # The encoder is a frame ahead: its first packet only primes the decoder.
            begin = packet.pts + (0 if editor else AAC_FRAME)
            if begin >= first and (end is None or begin < end):
                part.packets.append(packet)

    for data in treat(settings, first, last):
        keep(encoder.encode(frame_of(data, at)))
        at += len(data) // BYTES
        tell(0.3 + 0.65 * (at - start) / (last - start + RUN_OUT))
    keep(encoder.encode(None))
    part.extradata = encoder.extradata
    return part


def _decoded(stop: Stop, spans: Sequence[tuple[int, int]], part: Part) -> Heard:
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
