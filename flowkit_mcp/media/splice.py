"""Joins clips packet by packet: the picture bit for bit, the sound encoded once.

It writes one file and knows nothing of names, retries or encoding pictures; `merge.py` does.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import BugError, MediaError
from flowkit_mcp.media.avc import merged
from flowkit_mcp.media.probe import Clip, opened
from flowkit_mcp.media.sound import BIT_RATE
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import (
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    TICKS_PER_FRAME,
    TIMESCALE,
)

_MUXER = {
    "movflags": "+faststart",
    "video_track_timescale": str(TIMESCALE),
    # Edit lists count in these units; the default, milliseconds, cannot say 1/24 s.
    "movie_timescale": str(SAMPLE_RATE),
}


@dataclass(frozen=True)
class Strip:
    """Packets to copy: all of `clip`'s picture, shown from film frame `start`."""

    clip: Clip
    start: int

    @property
    def order(self) -> list[int]:
        """The place in the clip at which each packet, in file order, is shown."""
        times = self.clip.picture.times
        place = {time: index for index, time in enumerate(sorted(times))}
        return [place[time] for time in times]


@dataclass(frozen=True)
class Written:
    """What went into the file, to compare with what can be read back."""

    frames: int
    samples: int
    #: CRC-32 over all picture packets in file order.
    picture_crc: int


def splice(
    strips: Sequence[Strip],
    sound: Iterator[Any],
    to: Path,
    *,
    stop: Stop,
    progress: Callable[[float], None] | None = None,
) -> Written:
    """Write an MP4 of the strips' pictures and of `sound` (frames as `sound.pcm` gives them).

    Blocking. The strips' parameter sets must be equal or have ids of their own.

    Raises:
        MediaError: a clip cannot be read or the disk is full.
    """
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    import av
    from av.error import FFmpegError

    parameters = merged([strip.clip.picture.extradata for strip in strips])
    if parameters is None:
        raise BugError(f"clips for {to.name} have parameter sets that cannot share a track")
    total = sum(strip.clip.frames for strip in strips)
    try:
        with (
            opened(strips[0].clip.path) as model,
            av.open(
                f"file:{to.absolute()}",
                mode="w",
                format="mp4",
                options=_MUXER,
            ) as film,
        ):
            film_writer = _Writer(film, model.streams.video[0], parameters, sound)
            for packet in _packets(strips, stop):
                film_writer.add(packet)
                if progress is not None and film_writer.frames % 24 == 0:
                    progress(film_writer.frames / total)
            film_writer.finish()
        return Written(total, film_writer.samples, film_writer.crc)
    except (FFmpegError, OSError) as error:
        raise MediaError(f"the film cannot be written: {error.strerror or error}") from error


def _packets(strips: Sequence[Strip], stop: Stop) -> Iterator[Any]:
    """All picture packets, timed on the film's grid; a clip is open only while it is read."""
    orders = [strip.order for strip in strips]
    # Decoding starts this many frames before showing, so that no frame is shown before it is decoded.
    delay = max(place - shown for order in orders for place, shown in enumerate(order))
    decoded = 0
    for strip, order in zip(strips, orders, strict=True):
        with opened(strip.clip.path) as container:
            packets = (p for p in container.demux(container.streams.video[0]) if p.size)
            for shown, packet in zip(order, packets, strict=True):
                stop.check()
                packet.time_base = Fraction(1, TIMESCALE)
                packet.pts = (strip.start + shown) * TICKS_PER_FRAME
                packet.dts = (decoded - delay) * TICKS_PER_FRAME
                packet.duration = TICKS_PER_FRAME
                decoded += 1
                yield packet


class _Writer:
    """Interleaves picture packets with sound that is encoded as far as the picture has come."""

    def __init__(self, film: Any, model: Any, parameters: bytes, sound: Iterator[Any]) -> None:
        self._film = film
        # `opaque`: a copy needs no encoder, and opening one would replace the parameter sets.
        self._picture = film.add_stream_from_template(model, opaque=True)
        self._picture.codec_context.extradata = parameters
        self._picture.time_base = Fraction(1, TIMESCALE)
        self._sound = film.add_stream("aac", rate=SAMPLE_RATE)
        self._sound.codec_context.layout = "stereo"
        self._sound.codec_context.bit_rate = BIT_RATE
        self._pcm = sound
        self.frames = 0
        self.samples = 0
        self.crc = 0

    def add(self, packet: Any) -> None:
        self._sound_until((self.frames + 1) * SAMPLES_PER_FRAME)
        self.crc = zlib.crc32(bytes(packet), self.crc)
        packet.stream = self._picture
        self._film.mux_one(packet)
        self.frames += 1

    def finish(self) -> None:
        self._sound_until(None)
        self._film.mux(self._sound.encode(None))

    def _sound_until(self, sample: int | None) -> None:
        while sample is None or self.samples < sample:
            frame = next(self._pcm, None)
            if frame is None:
                return
            self.samples += frame.samples
            self._film.mux(self._sound.encode(frame))
