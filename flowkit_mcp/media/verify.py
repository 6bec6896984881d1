"""Reads a film back and compares it with its plan, because a muxer's word is not enough (media.md §0.6)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.names import shown_name
from flowkit_mcp.media.probe import fraction, opened
from flowkit_mcp.media.splice import Written
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.media.timeline import SAMPLE_RATE, SAMPLES_PER_FRAME, TICKS_PER_FRAME, TIMESCALE


def verify_film(path: Path, written: Written, joins: Sequence[int], *, stop: Stop) -> None:
    """Check grid, count, payload, sound length, index first, and that each join decodes.

    Args:
        path: the finished film.
        written: what was put in.
        joins: the first film frame of each clip.
        stop: ends the check early.

    Raises:
        MediaError: something differs; the message says what.
    """
    boxes = [name for name, _ in top_boxes(path)]
    if "moov" not in boxes or boxes.index("moov") > boxes.index("mdat"):
        raise _differs(path, f"its parts are {', '.join(boxes)}")
    with ThreadPoolExecutor(1) as pool:
        decoding = pool.submit(_check_joins, path, joins, stop)
        with opened(path, look=False) as film:
            _check_packets(path, film, written, stop)
            audio = film.streams.audio[0]
            length = (audio.duration or 0) * fraction(audio.time_base) * SAMPLE_RATE
        if length != written.frames * SAMPLES_PER_FRAME:
            raise _differs(path, f"its sound has {length} samples")
        decoding.result()


def _check_joins(path: Path, joins: Sequence[int], stop: Stop) -> None:
    with opened(path, look=False) as film:
        video = film.streams.video[0]
        for join in joins:
            stop.check()
            film.seek(join * TICKS_PER_FRAME, stream=video)
            packet = next((one for one in film.demux(video) if one.size), None)
            # A key frame: with nothing behind it the decoder gives it away at once.
            frames = [] if packet is None else [*packet.decode(), *video.codec_context.decode(None)]
            if not frames or frames[0].pts != join * TICKS_PER_FRAME:
                raise _differs(path, f"frame {join}, the first of a clip, does not decode")


def _check_packets(path: Path, film: Any, written: Written, stop: Stop) -> None:
    video, audio = film.streams.video[0], film.streams.audio[0]
    if fraction(video.time_base) * TIMESCALE != 1 or fraction(audio.time_base) * SAMPLE_RATE != 1:
        raise _differs(path, "its time bases are not the film's")
    shown: list[int] = []
    crc, heard = 0, -written.priming
    for packet in film.demux([video, audio]):
        if packet.size == 0:
            continue
        stop.check()
        if packet.stream_index == video.index:
            shown.append(packet.pts)
            crc = zlib.crc32(bytes(packet), crc)
            continue
        if packet.pts != heard:
            raise _differs(path, f"its sound jumps from sample {heard} to {packet.pts}")
        heard += packet.duration
    if sorted(shown) != [index * TICKS_PER_FRAME for index in range(written.frames)]:
        raise _differs(path, f"it has {len(shown)} frames that are not one of each")
    if crc != written.picture_crc:
        raise _differs(path, "its picture is not what was written")
    if heard != written.frames * SAMPLES_PER_FRAME or heard != written.samples:
        raise _differs(path, f"its sound ends at sample {heard}")


def top_boxes(path: Path) -> list[tuple[str, int]]:
    """Name and size of an MP4's outermost boxes, in order (ISO/IEC 14496-12 §4.2)."""
    with path.open("rb") as file:
        return list(_boxes(file, path.stat().st_size))


def _boxes(file: BinaryIO, end: int) -> Iterator[tuple[str, int]]:
    at = 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        elif size == 0:
            size = end - at
        if size < 8:
            return
        yield head[4:8].decode("latin-1"), size
        at += size


def _differs(path: Path, what: str) -> MediaError:
    return MediaError(
        f"the film {shown_name(path)} is not as planned: {what}",
        hint="Merge again; report it if it stays.",
    )
