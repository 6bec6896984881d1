"""What a clip is: read with PyAV, checked against what its header promises.

Owns the only way clips are opened (`opened`). It does not judge whether a clip fits a film: `plan.py`
does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.avc import is_clean_start
from flowkit_mcp.media.names import shown_name

#: The demuxer's names; anything else, a playlist above all, is refused (media.md §0.7).
MP4_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2"

UNKNOWN = 2
#: ffmpeg's names of the numbers in ITU-T H.273, as far as clips use them.
COLOUR_NAMES: dict[str, dict[int, str]] = {
    "primaries": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020"},
    "transfer": {
        1: "bt709",
        6: "smpte170m",
        13: "iec61966-2-1",
        16: "smpte2084",
        18: "arib-std-b67",
    },
    "matrix": {1: "bt709", 5: "bt470bg", 6: "smpte170m", 9: "bt2020nc"},
    "range": {1: "tv", 2: "pc"},
}


@dataclass(frozen=True)
class Colour:
    """Colour tags as H.273 numbers; 2 is "unknown" (for `range` 0)."""

    primaries: int = 1
    transfer: int = 1
    matrix: int = 1
    range: int = 1


@dataclass(frozen=True)
class Picture:
    """A clip's video track.

    `times` are presentation times in units of `time_base`, one per frame, in the order of the file
    (which is decoding order); `keys` are the positions of key frames in it; `places` is where in the file each
    packet begins and how many bytes it has.
    """

    codec: str
    tag: str
    profile: str | None
    level: int
    width: int
    height: int
    sample_aspect: Fraction
    pixel_format: str
    colour: Colour
    fps: Fraction
    time_base: Fraction
    extradata: bytes
    rotation: int
    interlaced: bool
    times: tuple[int, ...]
    keys: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    #: Frames in the file that an edit list hides.
    hidden: int
    #: Whether each key frame can be decoded with nothing but `extradata`.
    clean: bool

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as seen: turned, with square pixels, even."""
        width, height = int(self.width * self.sample_aspect + Fraction(1, 2)), self.height
        if self.rotation % 180:
            width, height = height, width
        return width + width % 2, height + height % 2


@dataclass(frozen=True)
class Sound:
    """A clip's first audio track."""

    codec: str
    rate: int
    channels: int
    #: Samples the header promises; 0 if it does not say.
    samples: int


@dataclass(frozen=True)
class Clip:
    """A video file that is complete, as far as its header and packets tell."""

    path: Path
    bytes: int
    #: When the file was last changed, in ns: packets are only copied out of what was looked at.
    changed_ns: int
    picture: Picture
    sound: Sound | None

    #: A picture that stands still, not an MP4.
    still: bool = False

    @property
    def frames(self) -> int:
        return len(self.picture.times)

    @cached_property
    def order(self) -> list[int]:
        """The place at which each packet, in the order of the file, is shown."""
        times = self.picture.times
        place = {time: index for index, time in enumerate(sorted(times))}
        return [place[time] for time in times]

    @property
    def seconds(self) -> Fraction:
        """From the first frame's start to the last frame's end."""
        times = self.picture.times
        span = (max(times) - min(times)) * self.picture.time_base
        last = span / (len(times) - 1) if len(times) > 1 else 1 / self.picture.fps
        return span + last

    @property
    def duration_ms(self) -> int:
        return round(self.seconds * 1000)


async def probe(path: Path) -> Clip:
    """Read a clip's header and packets.

    Raises:
        MediaError: it is missing, empty, no MP4, cut short, or its first frame does not decode.
    """
    return await asyncio.to_thread(read_clip, path)


def read_clip(path: Path) -> Clip:
    """`probe` for code that already runs in a thread."""
    with opened(path, look=False) as container:
        state = path.stat()
        if not container.streams.video:
            raise MediaError(f"{shown_name(path)} has no picture", hint="Use a video clip (MP4).")
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        rate = fraction(video.average_rate)  # the demuxer may revise it while reading
        track = _Track(video)
        heard = 0
        for packet in container.demux([video] if audio is None else [video, audio]):
            if packet.size == 0 or packet.is_corrupt:  # corrupt: the file ends in its middle
                continue
            if packet.stream_index == video.index:
                track.take(packet)
            else:
                heard += 1
        promised = max(len(video.index_entries), video.frames if not track.hidden else 0)
        if track.frames < promised:
            raise _cut_short(path, track.frames, promised, "frames")
        if audio is not None and heard < len(audio.index_entries):
            raise _cut_short(path, heard, len(audio.index_entries), "sound packets")
        return Clip(
            path=path,
            bytes=state.st_size,
            changed_ns=state.st_mtime_ns,
            picture=_picture(path, video, rate, track),
            sound=None if audio is None or not heard else _sound(audio),
        )


def still_clip(picture: Path, size: tuple[int, int], frames: int, fps: int) -> Clip:
    """A PNG of exactly this size as a clip without sound that shows it for `frames` frames."""
    state = picture.stat()
    return Clip(
        path=picture,
        bytes=state.st_size,
        changed_ns=state.st_mtime_ns,
        picture=Picture(
            codec="png",
            tag="",
            profile=None,
            level=0,
            width=size[0],
            height=size[1],
            sample_aspect=Fraction(1),
            pixel_format="yuv420p",
            colour=Colour(),
            fps=Fraction(fps),
            time_base=Fraction(1, fps),
            extradata=b"",
            rotation=0,
            interlaced=False,
            times=tuple(range(frames)),
            keys=(),
            places=(),
            hidden=0,
            clean=False,
        ),
        sound=None,
        still=True,
    )


@contextlib.contextmanager
def opened(path: Path, *, look: bool = True) -> Generator[Any]:
    """A clip as a PyAV container: MP4 only, local only; libav's errors become `MediaError`.

    look: whether libav may decode a picture to learn its pixels' form, which takes three times as long as all the
        rest of opening; without, it is known once a frame has been decoded.
    """
    # late: PyAV costs 0.1 s of a start-up that mostly never touches media.
    from av.error import FFmpegError

    try:
        if not path.is_file():
            raise MediaError(f"{shown_name(path)} is not there", hint="Fetch or generate it again.")
        if path.stat().st_size == 0:
            raise MediaError(f"{shown_name(path)} is empty", hint="Fetch or generate it again.")
        with _opened(path, look) as container:
            yield container
    except FFmpegError as error:
        raise MediaError(
            f"{shown_name(path)} is damaged or not an MP4 video: {error.strerror or error}",
            hint="Fetch or generate it again.",
        ) from error


def _opened(path: Path, look: bool) -> Any:
    import av  # late: as above

    more = _lenient(av.__version__)
    if not look and av.__version__.startswith("18."):  # 19 dropped this argument, too
        # Of the first stream only: a sound track's form cannot be learned this way.
        more["stream_options"] = [{"skip_frame": "all"}]
    with contextlib.suppress(ValueError):  # PyAV's, for a header without any stream
        return _open(path, more)
    return _open(path, _lenient(av.__version__))


def _open(path: Path, more: dict[str, Any]) -> Any:
    import av  # late: as above

    return av.open(
        f"file:{path.absolute()}",
        mode="r",
        format="mp4",
        options={"protocol_whitelist": "file", "format_whitelist": MP4_FORMATS},
        **more,
    )


def _lenient(version: str) -> dict[str, Any]:
    """PyAV 18 refuses a file for one odd byte in its title unless told; 19 dropped the argument."""
    return {"metadata_errors": "replace"} if version.startswith("18.") else {}


def fraction(value: Any) -> Fraction:
    """A rational of PyAV 18 (`Fraction`) or 19 (`AVRational`); 0 for none (media.md §1)."""
    if not value or not value.denominator:
        return Fraction(0)
    return Fraction(value.numerator, value.denominator)


class _Track:
    """Collects what the packets of a video track tell."""

    def __init__(self, video: Any) -> None:
        self.extradata = bytes(video.codec_context.extradata or b"")
        self.avc: bool = video.codec_context.name == "h264"
        self.times: list[int] = []
        self.keys: list[int] = []
        self.places: list[tuple[int, int]] = []
        self.hidden = 0
        self.clean = True
        self.first_frame: Any = None
        self._video = video.codec_context
        video.codec_context.thread_count = 1  # one frame is decoded; threads would only add delay

    @property
    def frames(self) -> int:
        return len(self.times) + self.hidden

    def take(self, packet: Any) -> None:
        if packet.is_discard:
            self.hidden += 1
        else:
            if packet.is_keyframe:
                self.keys.append(len(self.times))
                # A second sample description brings other parameter sets than the track's.
                told = self.avc and not packet.has_sidedata("new_extradata")
                self.clean &= told and is_clean_start(bytes(packet), self.extradata)
            self.times.append(packet.dts if packet.pts is None else packet.pts)
            self.places.append((packet.pos, packet.size))
        if self.first_frame is None:
            self.first_frame = next(iter(packet.decode()), None)
            if self.first_frame is None and self.frames == 1:
                # A decoder holds frames back; a key frame is all there when nothing more comes.
                self.first_frame = next(iter(self._video.decode(None)), None)
                self._video.flush_buffers()


def _picture(path: Path, video: Any, rate: Fraction, track: _Track) -> Picture:
    frame = track.first_frame
    if frame is None:
        frame = next(iter(video.decode(None)), None)
    if frame is None or not track.times or not rate:
        raise MediaError(f"{shown_name(path)} has no frame that decodes", hint="Fetch it again.")
    context = video.codec_context
    return Picture(
        codec=context.name,
        tag=str(context.codec_tag).strip("\0"),
        profile=context.profile,
        level=int(getattr(context, "level", 0) or 0),
        width=context.width,
        height=context.height,
        sample_aspect=fraction(video.sample_aspect_ratio) or Fraction(1),
        pixel_format=str(context.pix_fmt),
        colour=Colour(
            int(context.color_primaries),
            int(context.color_trc),
            int(context.colorspace),
            int(context.color_range),
        ),
        fps=rate,
        time_base=fraction(video.time_base),
        extradata=track.extradata,
        rotation=int(frame.rotation) % 360,
        interlaced=bool(frame.interlaced_frame),
        times=tuple(track.times),
        keys=tuple(track.keys),
        places=tuple(track.places),
        hidden=track.hidden,
        clean=track.clean and bool(track.keys) and track.keys[0] == 0,
    )


def _sound(audio: Any) -> Sound:
    context = audio.codec_context
    length = (audio.duration or 0) * fraction(audio.time_base)
    return Sound(
        codec=context.name,
        rate=context.sample_rate,
        channels=context.layout.nb_channels,
        samples=round(length * context.sample_rate),
    )


def _cut_short(path: Path, found: int, promised: int, what: str) -> MediaError:
    return MediaError(
        f"{shown_name(path)} is cut short: {found} of {promised} {what}",
        hint="Fetch or generate it again.",
    )
