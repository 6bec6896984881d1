"""The mix brought to its loudness and encoded: a measured gain, a limiter where it must be, AAC once.

AAC is the slowest part of a merge, so the sound is encoded in parts side by side; each part runs in
before its beginning and out after its end, and the packets of the overlap are dropped (media.md §2.3.7).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.cut import Loudness
from flowkit_mcp.media.levels import BLOCK, Heard, Meter, integrated
from flowkit_mcp.media.mix import Sound, mixed
from flowkit_mcp.media.sound import BYTES, Chain, frame_of, packed
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
_CLOSE_ENOUGH = 0.1
_ROUNDS = 3


@dataclass
class Soundtrack:
    """Encoded sound: packets on the film's grid (of AAC the first is priming), and how it sounds."""

    packets: list[Any]
    samples: int
    codec: str
    report: dict[str, Any]


def codec_of(editor: bool) -> str:
    """The sound's codec as ffmpeg calls it."""
    return "pcm_s16le" if editor else "aac"


def master(
    sounds: Sequence[Sound],
    samples: int,
    loudness: Loudness,
    folder: Path,
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
        folder: an existing folder for one more spool file.
        stop: ends it early.
        editor: uncompressed instead of AAC.
        progress: called with the share done.
    """
    spool = folder / "mix.f32"
    heard = _mix(sounds, samples, spool, stop, progress)
    settings = _settle(spool, samples, heard, loudness, stop)
    rounds = 0
    while True:
        parts = _in_parts(
            samples,
            lambda a, b, now=settings: _encode(spool, samples, a, b, now, stop, editor=editor),
        )
        rounds += 1
        # A lossy encoder's peaks are not quite those it was given.
        peak = max(part.peak for part in parts)
        if settings.ceiling_db is None or peak <= loudness.true_peak_db or rounds == _ROUNDS:
            break
        settings = _Settings(
            settings.gain_db, settings.ceiling_db - (peak - loudness.true_peak_db) - 0.1
        )
    if progress is not None:
        progress(1.0)
    blocks = [block for part in parts for block in part.blocks]
    final = integrated(blocks)
    return Soundtrack(
        [packet for part in parts for packet in part.packets],
        samples,
        codec_of(editor),
        {
            "before_lufs": None if heard.loudness is None else round(heard.loudness, 2),
            "gain_db": round(settings.gain_db, 2),
            "limited": settings.limit,
            "loudness_lufs": None if final is None else round(final, 2),
        },
    )


@dataclass(frozen=True)
class _Settings:
    gain_db: float = 0.0
    ceiling_db: float | None = None

    @property
    def limit(self) -> bool:
        return self.ceiling_db is not None

    @property
    def filters(self) -> list[tuple[str, str]]:
        filters = [("volume", f"{self.gain_db:.4f}dB")] if self.gain_db else []
        if self.ceiling_db is not None:
            # Twice the rate, so that peaks between samples are seen. `level` would turn it up again.
            limiter = f"limit={self.ceiling_db:.3f}dB:attack=5:release=60:level=disabled:latency=1"
            filters += [("aresample", "96000"), ("alimiter", limiter), ("aresample", "48000")]
        return filters


@dataclass
class _Part:
    packets: list[Any] = field(default_factory=list[Any])
    blocks: list[float] = field(default_factory=list[float])
    peak: float = -120.0


def _mix(
    sounds: Sequence[Sound],
    samples: int,
    spool: Path,
    stop: Stop,
    progress: Callable[[float], None] | None,
) -> Heard:
    meter, written = Meter(), 0
    with spool.open("wb") as file:
        for part in mixed(sounds, samples):
            stop.check()
            file.write(part)
            for at in range(0, len(part), BLOCK * BYTES):
                meter.push(part[at : at + BLOCK * BYTES])
            written += len(part) // BYTES
            if progress is not None and written % (20 * BLOCK) < BLOCK:
                progress(0.4 * written / samples)
    return meter.end()


def _settle(spool: Path, samples: int, heard: Heard, loudness: Loudness, stop: Stop) -> _Settings:
    """The gain that gives the loudness asked for, found by trying where a limiter takes some away."""
    if not loudness.on or heard.loudness is None:
        return _Settings()
    up = max(-_MOST_GAIN, min(_MOST_GAIN, loudness.target_lufs - heard.loudness))
    # Peaks between samples can be 3 dB above those of the samples.
    if heard.peak + up <= loudness.true_peak_db - 3:
        return _Settings(up)
    settings = _Settings(up, loudness.true_peak_db - 0.5)
    for _ in range(_ROUNDS):
        parts = _in_parts(
            samples, lambda a, b, tried=settings: _listen(spool, samples, a, b, tried, stop)
        )
        found = integrated([block for part in parts for block in part.blocks])
        if found is None or abs(found - loudness.target_lufs) <= _CLOSE_ENOUGH:
            break
        up = max(-_MOST_GAIN, min(_MOST_GAIN, up + loudness.target_lufs - found))
        settings = _Settings(up, settings.ceiling_db)
    return settings


def _in_parts(samples: int, work: Callable[[int, int], _Part]) -> list[_Part]:
    count = max(1, min(os.cpu_count() or 1, samples // _SHORTEST_PART))
    each = -(-samples // count // _GRID) * _GRID
    edges = [*range(0, samples, max(each, _GRID)), samples]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, edges[:-1], edges[1:]))


def _treated(
    spool: Path, samples: int, first: int, last: int, settings: _Settings, meter: Meter, stop: Stop
) -> Any:
    """Packed samples from before `first` to after `last`, treated and measured."""
    start, end = max(0, first - _GRID), min(samples, last + _RUN_OUT)
    chain = Chain(settings.filters) if settings.filters else None
    waiting = b""
    with spool.open("rb") as file:
        file.seek(start * BYTES)
        for at in range(start, end, BLOCK):
            stop.check()
            data = file.read(min(BLOCK, end - at) * BYTES)
            out = [data] if chain is None else [packed(frame) for frame in chain.push(data)]
            if chain is not None and at + BLOCK >= end:
                out += [packed(frame) for frame in chain.end()]
            waiting += b"".join(out)
            size = BLOCK * BYTES
            while len(waiting) >= size:
                meter.push(waiting[:size])
                yield waiting[:size]
                waiting = waiting[size:]
    if waiting:
        meter.push(waiting)
        yield waiting


def _own(part: _Part, heard: Heard, first: int, last: int) -> None:
    """Keep the blocks that lie in the part itself."""
    skipped = (first - max(0, first - _GRID)) // BLOCK
    part.blocks = heard.blocks[skipped : skipped + -(-(last - first) // BLOCK)]


def _listen(
    spool: Path, samples: int, first: int, last: int, settings: _Settings, stop: Stop
) -> _Part:
    part, meter = _Part(), Meter()
    for _ in _treated(spool, samples, first, last, settings, meter, stop):
        pass
    _own(part, meter.end(), first, last)
    return part


def _encode(
    spool: Path,
    samples: int,
    first: int,
    last: int,
    settings: _Settings,
    stop: Stop,
    *,
    editor: bool,
) -> _Part:
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    from av import CodecContext

    encoder: Any = CodecContext.create(codec_of(editor), "w")
    encoder.sample_rate, encoder.layout = SAMPLE_RATE, "stereo"
    encoder.format = "s16" if editor else "fltp"
    encoder.time_base = Fraction(1, SAMPLE_RATE)
    if not editor:
        encoder.bit_rate = BIT_RATE
    start = max(0, first - _GRID)
    end = last if last < samples else None
    part, meter, at = _Part(), Meter(), start
    kept: list[Any] = []

    def keep(packets: Sequence[Any]) -> None:
        for packet in packets:
            # The encoder is a frame ahead: its first packet only primes the decoder.
            begin = packet.pts + (0 if editor else AAC_FRAME)
            if begin >= first and (end is None or begin < end):
                kept.append(packet)

    for data in _treated(spool, samples, first, last, settings, meter, stop):
        keep(encoder.encode(frame_of(data, at)))
        at += len(data) // BYTES
    keep(encoder.encode(None))
    part.packets = kept
    _own(part, meter.end(), first, last)
    if settings.limit and not editor:
        part.peak = _decoded_peak(kept, encoder, stop)
    return part


def _decoded_peak(packets: Sequence[Any], encoder: Any, stop: Stop) -> float:
    """The true peak of encoded sound, in dBTP."""
    from av import CodecContext  # late: as above

    decoder: Any = CodecContext.create("aac", "r")
    decoder.extradata = encoder.extradata
    chain_meter = Meter(true_peak=True)
    from av.audio.resampler import AudioResampler  # late: as above

    resampler = AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
    for packet in packets:
        stop.check()
        for frame in decoder.decode(packet):
            for even in resampler.resample(frame):
                chain_meter.push(packed(even))
    return chain_meter.end().peak
