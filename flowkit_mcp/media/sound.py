"""Sound of clips and of people's own files, decoded to one form and counted in samples.

The form everywhere in `media` is raw bytes: 32-bit float, left and right in turn, 48 kHz. Copying the
clips' AAC instead would add 1 024 priming samples per join (media.md §0.1).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.names import shown_name
from flowkit_mcp.media.probe import Clip, fraction, opened
from flowkit_mcp.media.timeline import SAMPLE_RATE

#: Two channels of four bytes.
BYTES = 8
#: Samples of one packet of AAC.
AAC_FRAME = 1024
BLOCK = 9_600
_SILENCE = bytes(BLOCK * BYTES)
#: A gap or overlap in a clip's own sound larger than this is corrected, in samples (1 ms).
_TOLERANCE = SAMPLE_RATE // 1000
#: How far a rate converter may lag behind what it was fed, in samples (10 ms).
_LAG = SAMPLE_RATE // 100
#: Demuxers for a person's own sound: no playlist among them (media.md §0.7).
_SOUND_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,wav,w64,mp3,flac,ogg,aac,aiff,caf,matroska,webm"


def clip_pcm(clip: Clip, first: int, samples: int) -> Iterator[bytes]:
    """A clip's sound from sample `first` after its first picture, exactly `samples` long.

    Where it has none, and where it has gaps, there is silence.

    Raises:
        MediaError: it does not decode; the message names the clip.
    """
    at, end = first, first + samples
    if clip.sound is not None:
        for start, data in _decoded_clip(clip):
            if start > at + _TOLERANCE:
                gap = min(start, end) - at
                yield from silence(gap)
                at += gap
            skip = at - start if at > start + _TOLERANCE else 0
            last = min(len(data) // BYTES, skip + end - at)
            if skip < last:
                yield data[skip * BYTES : last * BYTES]
                at += last - skip
            if at >= end:
                return
    yield from silence(end - at)


def file_pcm(path: Path, *, speed: float = 1.0) -> Iterator[bytes]:
    """A sound file (or a video's sound) from its beginning to its end, at `speed` times its tempo.

    Raises:
        MediaError: it is not there, holds no sound, or is no sound file; the message names it.
    """
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    from av.audio.resampler import AudioResampler

    with _opened_sound(path) as container:
        resampler = AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
        parts = _frames(container, resampler)
        if speed != 1:
            parts = filtered(parts, [("atempo", f"{speed:.6f}")])
        yield from parts


def _frames(container: Any, resampler: Any) -> Iterator[bytes]:
    for decoded in container.decode(container.streams.audio[0]):
        decoded.pts = None
        for frame in resampler.resample(decoded):
            yield packed(frame)
    for frame in resampler.resample(None):
        yield packed(frame)


@contextlib.contextmanager
def _opened_sound(path: Path) -> Generator[Any]:
    import av  # late: as above
    from av.error import FFmpegError

    try:
        if not path.is_file():
            raise MediaError(
                f"the sound file {shown_name(path)} is not there", hint="Give another file."
            )
        options = {"protocol_whitelist": "file", "format_whitelist": _SOUND_FORMATS}
        with av.open(f"file:{path.absolute()}", mode="r", options=options) as container:
            if not container.streams.audio:
                raise MediaError(f"{shown_name(path)} has no sound", hint="Give another file.")
            yield container
    except FFmpegError as error:
        raise MediaError(
            f"{shown_name(path)} is damaged or no sound file: {error.strerror or error}",
            hint="Give a WAV, MP3, M4A, FLAC or OGG file.",
        ) from error


def silence(samples: int) -> Iterator[bytes]:
    """So many samples of nothing."""
    while samples > 0:
        part = min(samples, BLOCK)
        yield _SILENCE[: part * BYTES]
        samples -= part


def packed(frame: Any) -> bytes:
    """The bytes of a `flt` stereo frame, without the padding behind them."""
    return bytes(frame.planes[0])[: frame.samples * BYTES]


def frame_of(data: bytes | memoryview, at: int) -> Any:
    """A PyAV frame of packed samples whose first one is sample `at`."""
    from av.audio.frame import AudioFrame  # late: as above

    samples = len(data) // BYTES
    frame = AudioFrame("flt", "stereo", samples, align=1)
    frame.sample_rate = SAMPLE_RATE
    frame.pts, frame.time_base = at, Fraction(1, SAMPLE_RATE)
    frame.planes[0].update(bytes(data))
    return frame


class Chain:
    """Audio filters one after the other, fed with packed samples; gives packed frames."""

    def __init__(self, filters: list[tuple[str, str]], sources: int = 1) -> None:
        import av.error  # late: as above
        from av.filter import Graph

        self._nothing_yet = (av.error.BlockingIOError, av.error.EOFError)
        self._graph = Graph()
        self.sources = [self.source() for _ in range(sources)]
        self._fed = [0] * sources
        self._sink: Any = None
        if sources == 1:
            self.finish(self.sources[0], filters)

    def source(self) -> Any:
        return self._graph.add_abuffer(
            format="flt",
            sample_rate=SAMPLE_RATE,
            layout="stereo",
            time_base=Fraction(1, SAMPLE_RATE),
        )

    def add(self, name: str, arguments: str, *inputs: Any) -> Any:
        """A filter behind others; returns it."""
        node = self._graph.add(name, arguments)
        for place, one in enumerate(inputs):
            one.link_to(node, 0, place)
        return node

    def finish(self, last: Any, filters: list[tuple[str, str]]) -> None:
        """Put `filters` and the way out behind `last`."""
        for name, arguments in (*filters, ("aformat", "sample_fmts=flt:channel_layouts=stereo")):
            last = self.add(name, arguments, last)
        self._sink = self.add("abuffersink", "", last)
        self._graph.configure()

    def push(self, data: bytes | memoryview, source: int = 0) -> Iterator[Any]:
        """Feed one source; gives what comes out."""
        self.sources[source].push(frame_of(data, self._fed[source]))
        self._fed[source] += len(data) // BYTES
        return self._out()

    def end(self) -> Iterator[Any]:
        """No more input; gives the rest."""
        for source in self.sources:
            source.push(None)
        return self._out()

    def _out(self) -> Iterator[Any]:
        while True:
            try:
                yield self._sink.pull()
            except self._nothing_yet:
                return


def filtered(parts: Iterable[bytes], filters: list[tuple[str, str]]) -> Iterator[bytes]:
    """Packed samples through audio filters."""
    chain = Chain(filters)
    for part in parts:
        yield from (packed(frame) for frame in chain.push(part))
    yield from (packed(frame) for frame in chain.end())


def _decoded_clip(clip: Clip) -> Iterator[tuple[int, bytes]]:
    """Packed sound with its start in samples after the clip's first picture."""
    from av.audio.resampler import AudioResampler  # late: as above

    picture = clip.picture
    zero = float(min(picture.times) * picture.time_base * SAMPLE_RATE)
    with opened(clip.path, look=False) as container:
        audio = container.streams.audio[0]
        base = fraction(audio.time_base)
        # Reckoned in floats, exact far beyond any clip's length: this runs 47 times a second of sound.
        at_film_rate = float(base * SAMPLE_RATE)
        # PyAV 18 hands out the encoder's padding behind the last sample; the header knows better.
        promised = (audio.start_time or 0) + audio.duration if audio.duration else None
        end = sys.maxsize if promised is None else round(promised * at_film_rate - zero)
        resampler = AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
        start: int | None = None
        for decoded in container.decode(audio):
            heard = round((decoded.pts or 0) * at_film_rate - zero)
            if heard >= end:
                break
            # A rate converter holds samples back, so frames are counted on unless they really jump.
            allowed = _TOLERANCE if decoded.sample_rate == SAMPLE_RATE else _LAG
            if start is None or abs(heard - start) > allowed:
                start = heard
            for frame in resampler.resample(decoded):
                yield start, packed(frame)[: max(0, end - start) * BYTES]
                start += frame.samples
        for frame in resampler.resample(None) if start is not None else ():
            yield start or 0, packed(frame)[: max(0, end - (start or 0)) * BYTES]
            start = (start or 0) + frame.samples
