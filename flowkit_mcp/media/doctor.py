"""What is wrong with clips and with the joins between them, judged from measures. Pure.

Clips are judged as they were made, joins as they are shown. A fault says what mends it: the merge does so by itself
(`merge`), a call that is free (`free`), only another take (`take`), or nothing need be done (`note`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from flowkit_mcp.media.facts import EDGE
from flowkit_mcp.media.hear import SoundFacts
from flowkit_mcp.media.look import PictureFacts
from flowkit_mcp.media.timeline import FPS

#: Brightness below which nothing is seen; that of video black is 16 and less.
BLACK = 24
#: A frame moves less than this (brightness levels, mean) for long only if it is the one before; film moves by 0.2.
STILL = 0.06
#: A picture that stands still this long is frozen: in the middle of a clip, and at a join.
FROZEN_S, FROZEN_AT_JOIN = 0.5, FPS // 4
#: LU between the second before and the one after a join: audible, and noted as levelled if it was more than that.
STEP_LU, LEVELLED_LU = 6.0, 3.0
#: Quieter than this (LUFS) is silence, and a step is counted from here.
QUIET = -50.0
#: Where a scene goes on from another: mean difference of the pictures in %, of brightness and of colour in levels.
JUMP, LIGHT_SHIFT, COLOUR_SHIFT = 9.0, 14.0, 7.0
#: A voice stands so far above the quietest tenth of its clip (dB) and above this level (dBFS).
_VOICE_DB, _VOICE_LEVEL = 12.0, -42.0
#: A clip may differ from its plan by this.
_LENGTH_S = 0.3


class Remedy(StrEnum):
    MERGE = "merge"
    FREE = "free"
    TAKE = "take"
    NOTE = "note"


@dataclass(frozen=True)
class Fault:
    """`code` for programs, `what` in words.

    `trim` is the part to keep where that mends it, `span` where it is: both from–to in seconds of the clip. `late`: of
    a join's fault, whether it is the second clip's.
    """

    code: str
    what: str
    remedy: Remedy
    trim: tuple[float, float | None] | None = None
    span: tuple[float, float] | None = None
    late: bool = False


# ---- clips -------------------------------------------------------------------------------------


def clip_faults(
    picture: PictureFacts,
    sound: SoundFacts,
    *,
    planned_s: float | None = None,
    spoken: bool = False,
) -> list[Fault]:
    """What is wrong with a whole clip; `spoken`: its prompt has somebody say something."""
    seconds = picture.frames / picture.fps
    faults = [
        *_stretches("BLACK", "black", runs(picture.bright, _is_black), picture, least=1),
        *_stretches(
            "FROZEN",
            "stands still",
            _frozen(picture),
            picture,
            least=round(FROZEN_S * picture.fps),
        ),
    ]
    if planned_s is not None and abs(seconds - planned_s) > _LENGTH_S:
        faults.append(Fault("LENGTH", f"{seconds:.1f} s instead of {planned_s:g} s", Remedy.NOTE))
    if not sound.track:
        faults.append(Fault("NO_SOUND", "no sound track", Remedy.TAKE if spoken else Remedy.NOTE))
    elif sound.loudness is None:
        faults.append(Fault("SILENT", "silent", Remedy.TAKE if spoken else Remedy.NOTE))
    if sound.clipped:
        where = ", ".join(f"{at / FPS:.1f}" for at in _apart(sound.clipped)[:3])
        faults.append(Fault("CLIPPED", f"sound clipped at {where} s", Remedy.TAKE))
    return faults


def _is_black(bright: float) -> bool:
    return bright <= BLACK


def _frozen(picture: PictureFacts) -> list[tuple[int, int]]:
    """Stretches of one and the same frame, from the one that is repeated.

    A key frame refreshes a picture that stands still without moving it: what was frozen before goes on after it.
    """
    long = round(FROZEN_S * picture.fps)
    found: list[tuple[int, int]] = []
    start: int | None = None
    moved = picture.moved
    for place in range(1, picture.frames):
        black = picture.bright[place] <= BLACK
        refreshed = start is not None and place - start >= long and moved[place] < 1
        goes_on = refreshed and place + 1 < picture.frames and moved[place + 1] < STILL
        if not black and (moved[place] < STILL or goes_on):
            start = place - 1 if start is None else start
        elif start is not None:
            found.append((start, place))
            start = None
    if start is not None:
        found.append((start, picture.frames))
    return found


def _stretches(
    code: str, word: str, found: Sequence[tuple[int, int]], picture: PictureFacts, *, least: int
) -> list[Fault]:
    """Each run from–to in frames; what touches an end of the clip can be trimmed off."""
    faults: list[Fault] = []
    fps, count = picture.fps, picture.frames
    for start, end in found:
        if end - start < least:
            continue
        trim: tuple[float, float | None] | None = None
        if start == 0 and end < count / 2:
            trim = (_up(end / fps), None)
        elif end == count and start > count / 2:
            trim = (0.0, _down(start / fps))
        remedy = Remedy.FREE if trim else Remedy.TAKE
        what = f"{word} {start / fps:.2f}-{end / fps:.2f} s"
        faults.append(Fault(code, what, remedy, trim, (start / fps, end / fps)))
    return faults


def runs(values: Sequence[Any], is_so: Callable[[Any], bool]) -> list[tuple[int, int]]:
    """From–to of each stretch of values that are so."""
    found: list[tuple[int, int]] = []
    for place, value in enumerate(values):
        if not is_so(value):
            continue
        if found and found[-1][1] == place:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def _apart(places: Sequence[int]) -> list[int]:
    """Only the first of places that follow each other within half a second."""
    kept: list[int] = []
    last = -FPS
    for place in places:
        if place - last > FPS // 2:
            kept.append(place)
        last = place
    return kept


# ---- joins -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """One side of a join: how what is next to it looks and sounds. Frames count from the join away."""

    picture: bytes
    black: int
    frozen: int
    loudness: float
    #: Whether the sound is at its height at the cut, as it is when a voice is cut off.
    loud_edge: bool
    fps: float


@dataclass(frozen=True)
class JoinFacts:
    """Between two clips: what was measured, and what is wrong with it.

    `step_lu` as the clips were made, `film_step_lu` as the film has it (None where there is none or it is not
    measured). `difference` in % of the picture's range, `light` and `colour` in levels of 255.
    """

    step_lu: float
    film_step_lu: float | None
    difference: float
    light: float
    colour: float
    faults: tuple[Fault, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        return {
            "step_lu": round(self.step_lu, 1),
            "film_step_lu": None if self.film_step_lu is None else round(self.film_step_lu, 1),
            "difference": round(self.difference, 1),
            "light": round(self.light, 1),
            "colour": round(self.colour, 1),
        }


def end_of(picture: PictureFacts, sound: SoundFacts, first: int, frames: int) -> Side:
    """The last second that is shown of a clip: `frames` from its frame `first` on."""
    return _side(picture, sound, first, frames, at_end=True)


def start_of(picture: PictureFacts, sound: SoundFacts, first: int, frames: int) -> Side:
    """The first second of what is shown of a clip."""
    return _side(picture, sound, first, frames, at_end=False)


def _side(
    picture: PictureFacts, sound: SoundFacts, first: int, frames: int, *, at_end: bool
) -> Side:
    last = first + frames - 1
    count = min(EDGE, frames)
    places = [last - n if at_end else first + n for n in range(count)]
    places = [p for p in places if picture.first <= p < picture.first + picture.frames]
    # what a frame moved since the one before: for the start, the frame after it tells
    moves = [p if at_end else p + 1 for p in places]
    moves = [m for m in moves if first < m <= last and m - picture.first < picture.frames]
    own = round(first * FPS / picture.fps), max(1, round(frames * FPS / picture.fps))
    heard = sound.between(*own)
    return Side(
        picture=picture.miniature(places[0]),
        black=_leading(picture.bright[p - picture.first] <= BLACK for p in places),
        frozen=_leading(picture.moved[m - picture.first] < STILL for m in moves),
        loudness=_level(heard.blocks[-6:] if at_end else heard.blocks[:6]),
        loud_edge=_is_loud_edge(heard.levels, at_end=at_end),
        fps=picture.fps,
    )


def join_faults(
    before: Side,
    after: Side,
    *,
    goes_on: bool,
    spoken: tuple[bool, bool] = (False, False),
    blended: bool = False,
    film_step_lu: float | None = None,
) -> JoinFacts:
    """Judge a join.

    Args:
        before: the end of the one clip.
        after: the start of the next.
        goes_on: whether the next scene continues this one, so that the pictures should meet.
        spoken: whether somebody says something in the one and in the other.
        blended: a crossfade or a fade through black lies over it.
        film_step_lu: the step that was measured in the film.
    """
    step = after.loudness - before.loudness
    difference, light, colour = compared(before.picture, after.picture)
    faults: list[Fault] = [
        *_sound_faults(before, after, step, film_step_lu, spoken, blended),
        *_edge_faults(before, after),
    ]
    dark = before.black or after.black
    if goes_on and not dark:
        if difference >= JUMP and not blended:
            what = f"the picture jumps ({difference:.0f} % different) though the scene goes on"
            faults.append(Fault("JUMP", what, Remedy.TAKE))
        elif abs(light) >= LIGHT_SHIFT or colour >= COLOUR_SHIFT:
            turn = "lighter" if light > 0 else "darker"
            words = [f"{abs(light):.0f} levels {turn}"] if abs(light) >= LIGHT_SHIFT else []
            words += [f"colours shift by {colour:.0f}"] if colour >= COLOUR_SHIFT else []
            faults.append(Fault("COLOUR", " and ".join(words), Remedy.TAKE))
    return JoinFacts(step, film_step_lu, difference, light, colour, tuple(faults))


def _sound_faults(
    before: Side,
    after: Side,
    step: float,
    film_step: float | None,
    spoken: tuple[bool, bool],
    blended: bool,
) -> list[Fault]:
    faults: list[Fault] = []
    left = step if film_step is None else film_step
    if abs(left) >= STEP_LU:
        turn = "louder" if left > 0 else "quieter"
        remedy = Remedy.NOTE if blended else Remedy.FREE
        faults.append(Fault("STEP", f"{abs(left):.0f} LU {turn} at once", remedy))
    elif film_step is not None and abs(step) >= LEVELLED_LU and abs(film_step) < abs(step) - 1:
        what = f"levelled: a step of {abs(step):.0f} LU is now {abs(film_step):.0f}"
        faults.append(Fault("LEVELLED", what, Remedy.MERGE))
    for side, says, late in ((before, spoken[0], False), (after, spoken[1], True)):
        if side.loud_edge and not blended:
            where = "the start of the clip after" if late else "the end of the clip before"
            if says:
                what = f"words are cut off at {where}"
                faults.append(Fault("SPEECH", what, Remedy.TAKE, late=late))
            else:
                what = f"the sound breaks off at {where}; faded over 5 ms, it does not click"
                faults.append(Fault("BREAK", what, Remedy.MERGE, late=late))
    return faults


def _edge_faults(before: Side, after: Side) -> list[Fault]:
    faults: list[Fault] = []
    for side, late in ((before, False), (after, True)):
        where = "after it" if late else "before it"
        if side.black:
            words = f"{side.black} black frame{'s' if side.black > 1 else ''} {where}"
            faults.append(Fault("BLACK", words, Remedy.FREE, late=late))
        elif side.frozen >= FROZEN_AT_JOIN:
            words = f"the picture stands still for {side.frozen / side.fps:.2f} s {where}"
            faults.append(Fault("FROZEN", words, Remedy.FREE, late=late))
    return faults


def at_fault(code: str, late: bool, ends_on_next: bool) -> bool:
    """Whether it is the second clip of a join that must be made again, not the first.

    Pictures that do not meet are mended by a first clip that ends on the next picture; one that was made to end
    there has done its part.
    """
    return late or (code in ("JUMP", "COLOUR") and ends_on_next)


def compared(one: bytes, other: bytes) -> tuple[float, float, float]:
    """Difference of two miniatures in %, the second's gain of light, and how far its colour is off, in levels.

    The difference is that of the pictures: light and colour that have changed all over are taken out of it.
    """
    means = [
        [sum(pixels[channel::3]) / (len(pixels) // 3) for channel in range(3)]
        for pixels in (one, other)
    ]
    shift = [b - a for a, b in zip(*means, strict=True)]
    off = sum(
        abs(b - a - shift[place % 3]) for place, (a, b) in enumerate(zip(one, other, strict=True))
    )
    difference = off / len(one) / 2.55
    (y1, b1, r1), (y2, b2, r2) = (_ycbcr(mean) for mean in means)
    return difference, y2 - y1, math.hypot(b2 - b1, r2 - r1)


def _ycbcr(rgb: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = rgb
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return light, (blue - light) / 1.8556, (red - light) / 1.5748


def film_steps(blocks: Sequence[float], joins: Sequence[int]) -> list[float]:
    """The step in LU at each join of a film, from its momentary loudness; `joins` in film frames."""
    steps: list[float] = []
    for join in joins:
        at = join / FPS * 10  # blocks end each 100 ms and are 400 ms long
        before = [b for n, b in enumerate(blocks, 1) if at - 6.5 < n <= at + 0.5]
        after = [b for n, b in enumerate(blocks, 1) if at + 3.5 < n <= at + 10.5]
        steps.append(_level(after) - _level(before))
    return steps


def _level(blocks: Sequence[float]) -> float:
    """Mean loudness, not below silence."""
    if not blocks:
        return QUIET
    power = sum(10 ** (block / 10) for block in blocks) / len(blocks)
    return max(QUIET, 10 * math.log10(power)) if power > 0 else QUIET


def _is_loud_edge(levels: Sequence[float], *, at_end: bool) -> bool:
    """Whether the last (or first) 80 ms are as loud as a voice in a clip that has quiet moments, too."""
    if len(levels) < FPS:
        return False
    edge = levels[-2:] if at_end else levels[:2]
    floor = sorted(levels)[len(levels) // 10]
    return min(edge) >= max(_VOICE_LEVEL, floor + _VOICE_DB)


def _leading(found: Any) -> int:
    count = 0
    for one in found:
        if not one:
            break
        count += 1
    return count


def _up(seconds: float) -> float:
    return math.ceil(seconds * 100 - 1e-6) / 100


def _down(seconds: float) -> float:
    return math.floor(seconds * 100 + 1e-6) / 100
