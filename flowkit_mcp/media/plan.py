"""Which frames are copied bit for bit and which are encoded, and why. Pure.

A key frame may start a copy, and a copy may end almost anywhere: at every point where the packets so
far are exactly the frames so far (media.md §2.3). So a trim at the end is free, and only heads, blends
and what lies under titles is encoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar

from flowkit_mcp.domain.cut import Cut, Mixed, Profile
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.media.avc import ParameterSets
from flowkit_mcp.media.names import shown_name
from flowkit_mcp.media.probe import Clip, Colour
from flowkit_mcp.media.timeline import FPS, Shot, Timeline, is_on_grid

_K = TypeVar("_K", bound=Hashable)

#: Copying less than this saves less than another encoder's start costs.
_LEAST_COPY = 8
#: A longer piece would keep the other workers waiting at the end.
_LONGEST_PIECE = 10 * FPS
_SHORT_SIDE = {Profile.P720: 720, Profile.P1080: 1080, Profile.P2160: 2160}


@dataclass(frozen=True)
class Run:
    """Frames of one shot, shown straight: shot frames `first` to `first + frames`."""

    shot: Shot
    first: int
    frames: int

    @property
    def film_start(self) -> int:
        return self.shot.start + self.first

    @property
    def source_first(self) -> int:
        """The clip's own frame, at 24 fps."""
        return self.shot.first + min(self.first, self.shot.moving - 1)

    @property
    def hold(self) -> int:
        """How many of the frames repeat the clip's last one."""
        return min(max(0, self.first + self.frames - self.shot.moving), self.frames - 1)


@dataclass(frozen=True)
class Blend:
    """A crossfade: the end of one shot over the start of the next."""

    out: Run
    into: Run

    @property
    def film_start(self) -> int:
        return self.out.film_start

    @property
    def frames(self) -> int:
        return self.out.frames


Step = Run | Blend


@dataclass(frozen=True)
class Piece:
    """Consecutive film frames that are either copied from one clip or encoded together."""

    steps: tuple[Step, ...]
    copied: bool

    @property
    def start(self) -> int:
        return self.steps[0].film_start

    @property
    def frames(self) -> int:
        return sum(step.frames for step in self.steps)

    @property
    def end(self) -> int:
        return self.start + self.frames

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every use of a clip, blends taken apart."""
        runs: list[Run] = []
        for step in self.steps:
            runs += [step] if isinstance(step, Run) else [step.out, step.into]
        return tuple(runs)


@dataclass(frozen=True)
class Format:
    """What the film's picture is. `parameter_id` is free of those of the copied clips.

    `beside_copies`: part of the film is copied, and what is encoded must not be seen to differ from it.
    """

    width: int
    height: int
    colour: Colour
    parameter_id: int
    crop: bool = False
    editor: bool = False
    beside_copies: bool = False


@dataclass(frozen=True)
class Plan:
    """How a film is put together. `reasons` says per shot why its picture cannot all be copied."""

    format: Format
    timeline: Timeline
    pieces: tuple[Piece, ...]
    reasons: tuple[tuple[str, ...], ...]

    @property
    def shots(self) -> tuple[Shot, ...]:
        return self.timeline.shots

    @property
    def frames(self) -> int:
        return self.timeline.frames

    @property
    def encoded_frames(self) -> int:
        return sum(piece.frames for piece in self.pieces if not piece.copied)

    @property
    def copied(self) -> int:
        """Clips of which every shown frame is copied."""
        return sum(how == "copied" for how in map(self._how, self.shots))

    def as_json(self) -> dict[str, Any]:
        """What a render's recipe keeps: clips with frames and reasons, and the pieces."""
        return {
            "width": self.format.width,
            "height": self.format.height,
            "fps": FPS,
            "frames": self.frames,
            "encoded_frames": self.encoded_frames,
            "clips": [
                {
                    "file": shown_name(shot.clip.path),
                    "start_frame": shot.start,
                    "first": shot.first,
                    "frames": shot.frames,
                    **({"held": shot.hold} if shot.hold else {}),
                    "picture": self._how(shot),
                    "why": list(why),
                    "sound": "rebuilt" if shot.clip.sound else "silence",
                }
                for shot, why in zip(self.shots, self.reasons, strict=True)
            ],
            "pieces": [
                [piece.start, piece.frames, "copied" if piece.copied else "encoded"]
                for piece in self.pieces
            ],
            "notes": list(self.timeline.notes),
        }

    def _how(self, shot: Shot) -> str:
        ways = {piece.copied for piece in self.pieces for run in piece.runs if run.shot is shot}
        return "partly copied" if len(ways) == 2 else "copied" if True in ways else "encoded"


def make_plan(
    timeline: Timeline,
    cut: Cut | None = None,
    *,
    covered: Sequence[tuple[int, int]] = (),
) -> Plan:
    """Decide the film's size and stream, and take every shot apart into copies and encodes.

    The film is as large as its largest clip and takes the exact stream of most frames of that size.

    Args:
        timeline: the film in frames.
        cut: its options; the profile and what happens to clips of the other orientation matter here.
        covered: film frames from–to under something drawn over the picture.

    Raises:
        InvalidSetting: clips of both orientations and no word on what to do with them.
    """
    cut = cut or Cut()
    shots = timeline.shots
    size = film_size([shot.clip for shot in shots if shot.number is not None], cut)
    faults = [_cannot_copy(shot.clip, size, cut) for shot in shots]
    fit = [shot for shot, found in zip(shots, faults, strict=True) if not found]
    if fit:
        streams = _weigh((_stream(shot.clip), shot.frames) for shot in fit)
        stream = max(streams, key=lambda stream: streams[stream])
        model = next(shot.clip.picture for shot in fit if _stream(shot.clip) == stream)
        taken = _ids(model.extradata)
        colour = model.colour
    else:
        stream, taken, colour = None, frozenset[int](), Colour()
    splitter = _Splitter(covered)
    reasons: list[tuple[str, ...]] = []
    for index, (shot, found) in enumerate(zip(shots, faults, strict=True)):
        found = found or _differs(shot.clip, stream)
        following = shots[index + 1] if index + 1 < len(shots) else None
        reasons.append((*found, *splitter.add(shot, following, whole=bool(found))))
    pieces = tuple(splitter.pieces())
    return Plan(
        format=Format(
            *size,
            colour,
            next(n for n in range(1, 32) if n not in taken),
            crop=cut.mixed is Mixed.CROP,
            editor=cut.profile is Profile.EDITOR,
            beside_copies=any(piece.copied for piece in pieces),
        ),
        timeline=timeline,
        pieces=pieces,
        reasons=tuple(reasons),
    )


class _Splitter:
    """Takes shots apart into steps and groups what is encoded into pieces."""

    def __init__(self, covered: Sequence[tuple[int, int]]) -> None:
        self._covered = sorted(covered)
        self._steps: list[tuple[Step, bool]] = []

    def add(self, shot: Shot, following: Shot | None, *, whole: bool) -> tuple[str, ...]:
        """One shot's steps; returns why some of its frames are encoded, if it could be copied."""
        why: list[str] = []
        head, end = (
            max(shot.blend_in, shot.fade_in),
            shot.frames - max(shot.blend_out, shot.fade_out, shot.hold),
        )
        if shot.fade_in:
            self._encode(Run(shot, 0, shot.fade_in))
        at = head
        spans = [] if whole else self._copies(shot, head, end)
        for first, last in spans:
            self._encode(Run(shot, at, first - at))
            self._steps.append((Run(shot, first, last - first), True))
            at = last
        out = shot.frames - shot.blend_out
        self._encode(Run(shot, at, out - max(shot.fade_out, 0) - at))
        if shot.fade_out:
            self._encode(Run(shot, out - shot.fade_out, shot.fade_out))
        if shot.blend_out and following is not None:
            over = shot.blend_out
            self._encode(Blend(Run(shot, out, over), Run(following, 0, over)))
        if whole:
            return ()
        if shot.blend_in or shot.blend_out:
            why.append("crossfade")
        if shot.fade_in or shot.fade_out:
            why.append("fade through black")
        if shot.hold:
            why.append("its last frame is held")
        if any(a < shot.end and shot.start < b for a, b in self._covered):
            why.append("something is drawn over it")
        if spans and spans[0][0] > head and not why:
            why.append("trimmed before a key frame")
        if not spans and not why:
            why.append("no key frame in what is shown")
        return tuple(why)

    def _encode(self, step: Step) -> None:
        if step.frames > 0:
            self._steps.append((step, False))

    def _copies(self, shot: Shot, head: int, end: int) -> list[tuple[int, int]]:
        """Shot frames from–to that can be copied out of `head`–`end`."""
        found: list[tuple[int, int]] = []
        at = head
        for first, last in [*self._covered, (shot.end, shot.end)]:
            first, last = first - shot.start, last - shot.start
            if last <= at and first < end:
                continue
            span = copy_span(shot.clip, shot.first + at, shot.first + min(first, end))
            if span is not None:
                found.append((span[0] - shot.first, span[1] - shot.first))
            at = max(at, last)
            if at >= end:
                break
        return found

    def pieces(self) -> list[Piece]:
        pieces: list[Piece] = []
        group: list[Step] = []

        def close() -> None:
            if group:
                pieces.append(Piece(tuple(group), copied=False))
                group.clear()

        for step, copied in self._steps:
            if copied:
                close()
                pieces.append(Piece((step,), copied=True))
                continue
            # Two clips in one encoder at most: memory stays small, and the work spreads (media.md §2.4).
            clips = {id(run.shot) for one in (*group, step) for run in Piece((one,), False).runs}
            if len(clips) > 2 or sum(one.frames for one in group) + step.frames > _LONGEST_PIECE:
                close()
            group.append(step)
        close()
        return pieces


def copy_span(clip: Clip, first: int, last: int) -> tuple[int, int] | None:
    """The longest run of frames within `first`–`last` that can be taken out of a clip undecoded.

    It starts at a key frame and ends where the packets so far are exactly the frames so far.
    """
    order = clip.order
    start = next((key for key in clip.picture.keys if key >= first), None)
    if start is None or order[start] != start:
        return None
    end, newest = start, start - 1
    for place in range(start, min(last, len(order))):
        newest = max(newest, order[place])
        if newest >= last:
            break
        if newest == place:
            end = place + 1
    return (start, end) if end - start >= min(_LEAST_COPY, clip.frames) else None


def film_size(clips: Sequence[Clip], cut: Cut) -> tuple[int, int]:
    """Of the orientation most frames have: the size of the largest clip, or what the profile says.

    Raises:
        InvalidSetting: clips of both orientations and no word on what to do with them.
    """
    shapes = _weigh((_shape(clip), clip.frames) for clip in clips)
    shape = max(shapes, key=lambda shape: shapes[shape])
    for number, clip in enumerate(clips, 1):
        if cut.mixed is Mixed.REFUSE and {_shape(clip), shape} == {"upright", "lying"}:
            width, height = clip.picture.display_size
            raise InvalidSetting(
                f"clip {number} ({shown_name(clip.path)}) is {width}×{height}, most are {shape}",
                hint="Leave it out, or say mixed 'pad' (bars beside it) or 'crop' (filled and cut off).",
            )
    sizes = _weigh(
        (clip.picture.display_size, clip.frames) for clip in clips if _shape(clip) == shape
    )
    width, height = max(sizes, key=lambda size: (size[0] * size[1], sizes[size]))
    side = _SHORT_SIDE.get(cut.profile)
    if side is not None:
        scale = Fraction(side, min(width, height))
        width, height = (round(value * scale / 2) * 2 for value in (width, height))
    return width, height


def _shape(clip: Clip) -> str:
    width, height = clip.picture.display_size
    return "lying" if width > height else "upright" if height > width else "square"


def _weigh(keyed: Iterable[tuple[_K, int]]) -> Counter[_K]:
    """Frames by key; keys of equal weight keep the order in which they came."""
    weights: Counter[_K] = Counter()
    for key, frames in keyed:
        weights[key] += frames
    return weights


def _cannot_copy(clip: Clip, size: tuple[int, int], cut: Cut) -> tuple[str, ...]:
    """Why a clip's packets cannot stand in a film of this size, as whole short phrases."""
    picture = clip.picture
    checks = (
        (cut.profile is not Profile.EDITOR, "ProRes is asked for"),
        (picture.display_size == size, _fitted(picture.display_size, size)),
        (not clip.still, "a picture, not a clip"),
        (
            (picture.codec == "h264" and picture.tag == "avc1") or clip.still,
            f"codec {picture.codec}",
        ),
        (picture.pixel_format in ("yuv420p", "yuvj420p"), f"pixels {picture.pixel_format}"),
        (is_on_grid(clip), f"{_rate(picture.fps)} fps to {FPS} fps"),
        (picture.rotation == 0, f"turned by {picture.rotation}°"),
        (picture.sample_aspect == 1, "pixels not square"),
        (not picture.interlaced, "interlaced"),
        (picture.hidden == 0, "an edit list hides frames"),
        (picture.clean or clip.still, "does not start with a key frame of its own"),
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
    more = found[0] * found[1] - size[0] * size[1]
    same_shape = abs(found[0] * size[1] / (found[1] * size[0]) - 1) < 0.02
    verb = ("scaled down" if more > 0 else "scaled up") if same_shape else "fitted"
    return f"{found[0]}×{found[1]} {verb} to {size[0]}×{size[1]}"


def _rate(fps: Fraction) -> str:
    return f"{float(fps):.3f}".rstrip("0").rstrip(".")
