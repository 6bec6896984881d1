"""Which clips are copied bit for bit and which are encoded, and why. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from flowkit_mcp.media.avc import ParameterSets
from flowkit_mcp.media.probe import Clip, Colour
from flowkit_mcp.media.timeline import FPS, Shot, is_on_grid

_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True)
class Piece:
    """A shot and what is done with its picture; no reasons means copied."""

    shot: Shot
    reasons: tuple[str, ...]

    @property
    def copied(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class Plan:
    """How a film is put together.

    `parameter_id` is the H.264 parameter set id for encoded pieces, not used by any copied one.
    """

    width: int
    height: int
    colour: Colour
    parameter_id: int
    pieces: tuple[Piece, ...]

    @property
    def frames(self) -> int:
        return sum(piece.shot.frames for piece in self.pieces)

    @property
    def copied(self) -> int:
        return sum(piece.copied for piece in self.pieces)

    def as_json(self) -> dict[str, Any]:
        """What a render's recipe keeps: `copied`/`encoded` clips with frames and reasons."""
        return {
            "width": self.width,
            "height": self.height,
            "fps": FPS,
            "frames": self.frames,
            "encoded_frames": sum(p.shot.frames for p in self.pieces if not p.copied),
            "clips": [
                {
                    "file": piece.shot.clip.path.name,
                    "start_frame": piece.shot.start,
                    "frames": piece.shot.frames,
                    "picture": "copied" if piece.copied else "encoded",
                    "why": list(piece.reasons),
                    "sound": "rebuilt" if piece.shot.clip.sound else "silence",
                }
                for piece in self.pieces
            ],
        }


def make_plan(shots: Sequence[Shot]) -> Plan:
    """The film takes the size of most of its frames, and the exact stream of most that can be copied."""
    sizes = _weigh((shot.clip.picture.display_size, shot.frames) for shot in shots)
    size = max(sizes, key=lambda size: (sizes[size], size[0] * size[1]))
    faults = [_cannot_copy(shot.clip, size) for shot in shots]
    fit = [shot for shot, found in zip(shots, faults, strict=True) if not found]
    if fit:
        streams = _weigh((_stream(shot.clip), shot.frames) for shot in fit)
        stream = max(streams, key=lambda stream: streams[stream])
        model = next(shot.clip.picture for shot in fit if _stream(shot.clip) == stream)
        taken = _ids(model.extradata)
        colour = model.colour
    else:
        stream, taken, colour = None, frozenset[int](), Colour()
    pieces = tuple(
        Piece(shot, found or _differs(shot.clip, stream))
        for shot, found in zip(shots, faults, strict=True)
    )
    return Plan(
        width=size[0],
        height=size[1],
        colour=colour,
        parameter_id=next(n for n in range(1, 32) if n not in taken),
        pieces=pieces,
    )


def _weigh(keyed: Iterable[tuple[_K, int]]) -> Counter[_K]:
    """Frames by key; keys of equal weight keep the order in which they came."""
    weights: Counter[_K] = Counter()
    for key, frames in keyed:
        weights[key] += frames
    return weights


def _cannot_copy(clip: Clip, size: tuple[int, int]) -> tuple[str, ...]:
    """Why a clip's packets cannot stand in a film of this size, as whole short phrases."""
    picture = clip.picture
    checks = (
        (picture.display_size == size, _fitted(picture.display_size, size)),
        (picture.codec == "h264" and picture.tag == "avc1", f"codec {picture.codec}"),
        (picture.pixel_format in ("yuv420p", "yuvj420p"), f"pixels {picture.pixel_format}"),
        (is_on_grid(clip), f"{_rate(picture.fps)} fps to {FPS} fps"),
        (picture.rotation == 0, f"turned by {picture.rotation}°"),
        (picture.sample_aspect == 1, "pixels not square"),
        (not picture.interlaced, "interlaced"),
        (picture.hidden == 0, "an edit list hides frames"),
        (picture.clean, "does not start with a key frame of its own"),
    )
    return tuple(reason for holds, reason in checks if not holds)


def _differs(clip: Clip, stream: Hashable) -> tuple[str, ...]:
    if _stream(clip) == stream:
        return ()
    return ("other encoder settings than most clips",)


def _stream(clip: Clip) -> tuple[bytes, Colour, str]:
    """What must be equal for packets of two clips to share one track without a second parameter set."""
    return clip.picture.extradata, clip.picture.colour, clip.picture.pixel_format


def _ids(extradata: bytes) -> frozenset[int]:
    sets = ParameterSets.parse(extradata)
    return sets.ids if sets else frozenset()


def _fitted(found: tuple[int, int], size: tuple[int, int]) -> str:
    verb = "scaled down" if found[0] * found[1] > size[0] * size[1] else "fitted"
    return f"{found[0]}×{found[1]} {verb} to {size[0]}×{size[1]}"


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.3f}".rstrip("0").rstrip(".")
