"""An MP4 whose second half has parameter sets of its own, in a second sample description: ffmpeg writes none."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def found(data: bytes, *path: bytes) -> bytes:
    """The body of a box by the kinds of its parents and its own."""
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == path[0]:
            inside = data[at + 8 : at + size]
            return inside if len(path) == 1 else found(inside, *path[1:])
        at += size
    raise AssertionError(path)


def replaced(data: bytes, new: dict[bytes, bytes]) -> bytes:
    made, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        inside = data[at + 8 : at + size]
        if kind in _PARENTS:
            inside = replaced(inside, new)
        made += box(kind, new.get(kind, inside))
        at += size
    return made


def joined(ffmpeg: Path, halves: Sequence[Path], to: Path) -> Path:
    """Two clips of equal length, picture only, one behind the other in one track."""
    listed, naive = to.with_suffix(".list"), to.with_suffix(".naive.mp4")
    listed.write_text("".join(f"file 'file:{half}'\n" for half in halves))
    argv = [str(ffmpeg), "-v", "error", "-f", "concat", "-safe", "0", "-auto_convert", "0"]
    argv += ["-i", f"file:{listed}", "-c", "copy", f"file:{naive}"]
    subprocess.run(argv, check=True, capture_output=True)
    film = naive.read_bytes()
    table, other = (found(data, *_PARENTS, b"stsd") for data in (film, halves[1].read_bytes()))
    sizes = found(film, *_PARENTS, b"stsz")
    each = struct.unpack_from(f">{struct.unpack_from('>I', sizes, 8)[0]}I", sizes, 12)
    (start,) = struct.unpack_from(">I", found(film, *_PARENTS, b"stco"), 8)
    half = len(each) // 2
    new = {
        b"stsd": table[:4] + struct.pack(">I", 2) + table[8:] + other[8:],
        b"stco": struct.pack(">IIII", 0, 2, start, start + sum(each[:half])),
        b"stsc": struct.pack(">II6I", 0, 2, 1, half, 1, 2, half, 2),
    }
    to.write_bytes(replaced(film, new))
    return to
