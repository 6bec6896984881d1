"""The film's sound as one PCM timeline, exactly 2 000 samples for each frame.

Copying the clips' AAC would add 1 024 priming samples per join (media.md §0.1), so sound is decoded,
placed on the grid and encoded once, in `splice.py`. Levels, ducking and music belong between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from flowkit_mcp.media.probe import fraction, opened
from flowkit_mcp.media.timeline import SAMPLE_RATE, SAMPLES_PER_FRAME, Shot

BIT_RATE = 192_000
_BLOCK = 4_000
_BYTES_PER_SAMPLE = 4
#: A gap or overlap in a clip's own sound larger than this is corrected, in samples (1 ms).
_TOLERANCE = SAMPLE_RATE // 1000
#: How far a rate converter may lag behind what it was fed, in samples (10 ms).
_LAG = SAMPLE_RATE // 100


def pcm(shots: Sequence[Shot]) -> Iterator[Any]:
    """PyAV audio frames (planar float, stereo, 48 kHz) that follow each other without a gap.

    Raises:
        MediaError: a clip's sound does not decode; the message names the clip.
    """
    at = 0
    for shot in shots:
        for frame in _shot_pcm(shot):
            frame.pts = at
            frame.time_base = Fraction(1, SAMPLE_RATE)
            at += frame.samples
            yield frame


def _shot_pcm(shot: Shot) -> Iterator[Any]:
    """A clip's sound, cut or filled with silence to the length of its picture."""
    length = shot.frames * SAMPLES_PER_FRAME
    at = 0
    if shot.clip.sound is not None:
        for start, frame in _decoded(shot):
            if start > at + _TOLERANCE:
                yield from _silence(min(start, length) - at)
                at = min(start, length)
            first = at - start if at > start + _TOLERANCE else 0
            last = min(frame.samples, first + length - at)
            if first < last:
                yield _part(frame, first, last)
                at += last - first
            if at >= length:
                return
    yield from _silence(length - at)


def _decoded(shot: Shot) -> Iterator[tuple[int, Any]]:
    """Sound frames at the film's rate with their start in samples after the clip's first picture."""
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    from av.audio.resampler import AudioResampler

    picture = shot.clip.picture
    zero = min(picture.times) * picture.time_base
    with opened(shot.clip.path) as container:
        audio = container.streams.audio[0]
        base = fraction(audio.time_base)
        # PyAV 18 hands out the encoder's padding behind the last sample; the header knows better.
        end = ((audio.start_time or 0) + audio.duration) * base if audio.duration else None
        resampler = AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE)
        start: int | None = None
        for decoded in container.decode(audio):
            time = (decoded.pts or 0) * fraction(decoded.time_base)
            if end is not None:
                left = int((end - time) * decoded.sample_rate)
                if left <= 0:
                    break
                if left < decoded.samples:
                    decoded = _part(decoded, 0, left)
            heard = round((time - zero) * SAMPLE_RATE)
            # A rate converter holds samples back, so frames are counted on unless they really jump.
            allowed = _TOLERANCE if decoded.sample_rate == SAMPLE_RATE else _LAG
            if start is None or abs(heard - start) > allowed:
                start = heard
            for frame in resampler.resample(decoded):
                yield start, frame
                start += frame.samples
        for frame in resampler.resample(None) if start is not None else ():
            yield start or 0, frame
            start = (start or 0) + frame.samples


def _part(frame: Any, first: int, last: int) -> Any:
    """Samples `first` to `last` of a frame, as a frame of its own."""
    from av.audio.frame import AudioFrame  # late: as above

    if (first, last) == (0, frame.samples):
        return frame
    part = AudioFrame(frame.format.name, frame.layout.name, last - first)
    part.sample_rate = frame.sample_rate
    part.pts, part.time_base = frame.pts, frame.time_base
    size = frame.format.bytes
    if not frame.format.is_planar:
        size *= frame.layout.nb_channels
    for source, target in zip(frame.planes, part.planes, strict=True):
        target.update(bytes(source)[first * size : last * size])
    return part


def _silence(samples: int) -> Iterator[Any]:
    from av.audio.frame import AudioFrame  # late: as above

    while samples > 0:
        frame = AudioFrame("fltp", "stereo", min(samples, _BLOCK))
        frame.sample_rate = SAMPLE_RATE
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        samples -= frame.samples
        yield frame
