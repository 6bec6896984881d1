"""Joins clips packet by packet: the picture bit for bit, the sound as it was encoded.

It writes one file and knows nothing of names, retries or encoding pictures; `merge.py` does.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from flowkit_mcp.errors import BugError, MediaError
from flowkit_mcp.media.avc import merged
from flowkit_mcp.media.master import BIT_RATE, Soundtrack
from flowkit_mcp.media.names import shown_name
from flowkit_mcp.media.probe import Clip, opened
from flowkit_mcp.media.sound import AAC_FRAME
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import (
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    TICKS_PER_FRAME,
    TIMESCALE,
)

_TICK = Fraction(1, TIMESCALE)
_MUXER = {
    "movflags": "+faststart",
    "video_track_timescale": str(TIMESCALE),
    # Edit lists count in these units; the default, milliseconds, cannot say 1/24 s.
    "movie_timescale": str(SAMPLE_RATE),
}


@dataclass(frozen=True)
class Strip:
    """Packets to copy: `frames` frames of `clip` from its frame `first`, shown from film frame `start`.

    `first` must be a key frame and the packets must be exactly those frames (`plan.copy_span`).
    """

    clip: Clip
    start: int
    first: int
    frames: int

    @property
    def order(self) -> list[int]:
        """The place in the strip at which each packet, in file order, is shown."""
        return [place - self.first for place in self.clip.order[self.first :][: self.frames]]


@dataclass(frozen=True)
class Written:
    """What went into the file, to compare with what can be read back."""

    frames: int
    samples: int
    #: CRC-32 over all picture packets in file order.
    picture_crc: int
    #: Samples before the first one that is heard.
    priming: int


def splice(
    strips: Sequence[Strip],
    sound: Soundtrack,
    to: Path,
    *,
    stop: Stop,
    progress: Callable[[float], None] | None = None,
) -> Written:
    """Write an MP4 of the strips' pictures and the sound; blocking.

    Parameter sets of H.264 strips must be equal or have ids of their own. With uncompressed sound it
    is a MOV.

    Raises:
        MediaError: a clip cannot be read or the disk is full.
    """
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    import av
    from av.error import FFmpegError

    avc = strips[0].clip.picture.codec == "h264"
    parameters = merged([strip.clip.picture.extradata for strip in strips]) if avc else b""
    if parameters is None:
        raise BugError(f"clips for {to.name} have parameter sets that cannot share a track")
    total = sum(strip.frames for strip in strips)
    try:
        with (
            opened(strips[0].clip.path) as model,
            av.open(
                f"file:{to.absolute()}",
                mode="w",
                format="mp4" if sound.codec == "aac" else "mov",
                options=_MUXER,
            ) as film,
        ):
            film_writer = _Writer(film, model.streams.video[0], parameters, sound)
            for packet in _packets(strips, stop):
                film_writer.add(packet)
                if progress is not None and film_writer.frames % 24 == 0:
                    progress(film_writer.frames / total)
            film_writer.finish()
        return Written(total, sound.samples, film_writer.crc, priming=AAC_FRAME if avc else 0)
    except (FFmpegError, OSError) as error:
        raise MediaError(f"the film cannot be written: {error.strerror or error}") from error


def _packets(strips: Sequence[Strip], stop: Stop) -> Iterator[Any]:
    """All picture packets, timed on the film's grid; a clip is open only while it is read.

    They are read where the probe found them: opening a clip with libav again would take longer than all its packets.
    Side data is left behind: of a picture's packets only other parameter sets matter, and clips with such are encoded.
    """
    from av.packet import Packet  # late: as above

    orders = [strip.order for strip in strips]
    # Decoding starts this many frames before showing, so that no frame is shown before it is decoded.
    delay = max(place - shown for order in orders for place, shown in enumerate(order))
    decoded = 0
    for strip, order in zip(strips, orders, strict=True):
        picture, keys = strip.clip.picture, frozenset(strip.clip.picture.keys)
        places = picture.places[strip.first : strip.first + strip.frames]
        with _unchanged(strip.clip) as file:
            for number, (shown, (place, size)) in enumerate(zip(order, places, strict=True)):
                stop.check()
                file.seek(place)
                packet = Packet(file.read(size))
                packet.is_keyframe = strip.first + number in keys
                packet.time_base = _TICK
                packet.pts = (strip.start + shown) * TICKS_PER_FRAME
                packet.dts = (decoded - delay) * TICKS_PER_FRAME
                packet.duration = TICKS_PER_FRAME
                decoded += 1
                yield packet


@contextlib.contextmanager
def _unchanged(clip: Clip) -> Generator[BinaryIO]:
    """A clip's file, as it was when it was probed."""
    with clip.path.open("rb") as file:
        state = os.fstat(file.fileno())
        if (state.st_size, state.st_mtime_ns) != (clip.bytes, clip.changed_ns):
            raise MediaError(
                f"{shown_name(clip.path)} was changed while the film was made",
                hint="Merge again.",
            )
        yield file


class _Writer:
    """Interleaves picture packets with those of the sound."""

    def __init__(self, film: Any, model: Any, parameters: bytes, sound: Soundtrack) -> None:
        self._film = film
        # `opaque`: a copy needs no encoder, and opening one would replace the parameter sets.
        self._picture = film.add_stream_from_template(model, opaque=True)
        if parameters:
            self._picture.codec_context.extradata = parameters
        self._picture.time_base = Fraction(1, TIMESCALE)
        self._sound = film.add_stream(sound.codec, rate=SAMPLE_RATE)
        self._sound.codec_context.layout = "stereo"
        if sound.codec == "aac":
            self._sound.codec_context.bit_rate = BIT_RATE
        self._packets = sound.packets
        self._at = 0
        self.frames = 0
        self.crc = 0

    def add(self, packet: Any) -> None:
        self._sound_until((self.frames + 1) * SAMPLES_PER_FRAME)
        self.crc = zlib.crc32(bytes(packet), self.crc)
        packet.stream = self._picture
        self._film.mux_one(packet)
        self.frames += 1

    def finish(self) -> None:
        self._sound_until(None)

    def _sound_until(self, sample: int | None) -> None:
        while self._at < len(self._packets):
            packet = self._packets[self._at]
            if sample is not None and packet.pts >= sample:
                return
            packet.stream = self._sound
            self._film.mux_one(packet)
            self._at += 1
