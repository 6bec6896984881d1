"""The cut in frames: where each clip lies on the film's grid. Pure.

The film has 24 frames a second and 48 000 samples a second, so a frame is exactly 2 000 samples and
sound and picture can be counted instead of timed (media.md §2.3, point 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flowkit_mcp.domain.cut import Cut, Join, JoinKind, Narration, Trim
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.media.narrate import Fitted, fit_voice

if TYPE_CHECKING:
    from flowkit_mcp.media.probe import Clip

FPS = 24
SAMPLE_RATE = 48_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS
#: Ticks per second and per frame of the film's video track.
TIMESCALE = 12_288
TICKS_PER_FRAME = TIMESCALE // FPS


@dataclass(frozen=True)
class Shot:
    """A clip on the film's grid: `frames` frames from film frame `start`.

    It shows the clip's frames `first`, `first + 1` …, counted at 24 fps, and holds the last of them for
    `hold` more. `blend_in` frames at its start lie over the end of the shot before, whose `blend_out`
    they are. `fade_in` and `fade_out` frames come from and go to black. `number` is the clip's number
    in the cut, None for intro and outro.
    """

    clip: Clip
    start: int
    frames: int
    first: int = 0
    hold: int = 0
    blend_in: int = 0
    blend_out: int = 0
    fade_in: int = 0
    fade_out: int = 0
    number: int | None = None

    @property
    def end(self) -> int:
        return self.start + self.frames

    @property
    def moving(self) -> int:
        """Frames that come from the clip."""
        return self.frames - self.hold


@dataclass(frozen=True)
class Voice:
    """A narration where it is heard: from film sample `start` on."""

    narration: Narration
    fitted: Fitted
    start: int


@dataclass(frozen=True)
class Timeline:
    """The shots in film order, and what had to be changed to make them fit, in words."""

    shots: tuple[Shot, ...]
    voices: tuple[Voice, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> int:
        return self.shots[-1].end

    def start_of(self, clip: int | None) -> int:
        """The film frame at which a clip begins; 0 for None.

        Raises:
            InvalidSetting: there is no such clip.
        """
        if clip is None:
            return 0
        return self.shot_of(clip).start

    def shot_of(self, clip: int) -> Shot:
        """A clip's shot by its number. Raises InvalidSetting if there is none."""
        for shot in self.shots:
            if shot.number == clip:
                return shot
        raise no_such_clip(clip, sum(shot.number is not None for shot in self.shots))

    def frame_at(self, seconds: float, clip: int | None = None) -> int:
        """The film frame shown `seconds` after the start of the film or of a clip."""
        return self.start_of(clip) + to_frames(seconds)


def to_frames(seconds: float) -> int:
    """The nearest frame."""
    return int(Fraction(seconds).limit_denominator(100_000) * FPS + Fraction(1, 2))


def film_frames(clip: Clip) -> int:
    """How many film frames a clip fills: its own count at 24 fps, else its length to the nearest."""
    return max(1, int(clip.seconds * FPS + Fraction(1, 2)))


def trimmed(clip: Clip, trim: Trim) -> tuple[int, int]:
    """First frame and number of frames, at 24 fps, of the part of a clip that is shown.

    Raises:
        InvalidSetting: nothing of the clip would be left.
    """
    whole = film_frames(clip)
    first = to_frames(trim.start_s)
    end = whole if trim.end_s is None else min(whole, to_frames(trim.end_s))
    if first >= end:
        raise InvalidSetting(
            f"clip {trim.clip} is {whole / FPS:.2f} s long; trimmed to "
            f"{trim.start_s:g}–{'end' if trim.end_s is None else f'{trim.end_s:g}'} nothing is left",
            hint="Give a start before the clip's end, and an end after it.",
        )
    return first, end - first


def lay_out(
    clips: Sequence[Clip],
    cut: Cut | None = None,
    *,
    intro: Clip | None = None,
    outro: Clip | None = None,
    spoken: Mapping[str, float] | None = None,
) -> Timeline:
    """Clips one after the other: trimmed, fitted to their narration, joined as the cut says.

    Args:
        clips: in film order; their numbers in the cut count from 1.
        cut: by default whole clips and hard cuts.
        intro: shown before them.
        outro: shown after them.
        spoken: seconds of speech in each narration file.

    Raises:
        InvalidSetting: an option names a clip that is not there, or leaves nothing of one.
    """
    cut = cut or Cut()
    for number in sorted(cut.clip_numbers):
        if number > len(clips):
            raise no_such_clip(number, len(clips))
    notes: list[str] = []
    shots: list[Shot] = []
    fits: dict[int | None, Fitted] = {}
    for number, clip in enumerate(clips, 1):
        first, frames = trimmed(clip, cut.trim_of(number))
        shot = Shot(clip, 0, frames, first=first, number=number)
        for one in cut.narration:
            if one.clip == number:
                fits[number] = fit_voice(one, (spoken or {}).get(one.file, 0.0), frames, FPS)
                shot = _fitted(shot, fits[number])
        shots.append(shot)
    joins = [cut.join_after(number) for number in range(1, len(clips))]
    if intro is not None and cut.intro is not None:
        shots.insert(0, Shot(intro, 0, film_frames(intro)))
        joins.insert(0, cut.intro.join)
    if outro is not None and cut.outro is not None:
        shots.append(Shot(outro, 0, film_frames(outro)))
        joins.append(cut.outro.join)
    placed = _place(shots, joins, notes)
    for one in cut.narration:
        if one.clip is None:
            seconds = (spoken or {}).get(one.file, 0.0)
            fits[None] = fit_voice(one, seconds, placed[-1].end, FPS, whole_film=True)
            placed[-1] = _fitted(placed[-1], fits[None])
    laid = Timeline(tuple(placed), (), tuple(notes))
    voices = tuple(
        Voice(
            one,
            fits[one.clip],
            laid.start_of(one.clip) * SAMPLES_PER_FRAME + round(one.delay_s * SAMPLE_RATE),
        )
        for one in cut.narration
    )
    return replace(laid, voices=voices)


def no_such_clip(number: int, count: int) -> InvalidSetting:
    """The error for an option that names a clip beyond the last."""
    return InvalidSetting(
        f"the cut names clip {number}, but the film has {count}",
        hint="Clips count from 1 in film order.",
    )


def _fitted(shot: Shot, fitted: Fitted) -> Shot:
    if fitted.shorten:
        return replace(shot, frames=shot.frames - fitted.shorten)
    return replace(shot, frames=shot.frames + fitted.hold, hold=shot.hold + fitted.hold)


def _place(shots: Sequence[Shot], joins: Sequence[Join], notes: list[str]) -> list[Shot]:
    placed = [shots[0]]
    for shot, join in zip(shots[1:], joins, strict=True):
        before = placed[-1]
        # Half of each shot at most, so that the join at its other end has room too.
        most = min(before.frames, shot.frames) // 2
        wanted = max(1, to_frames(join.seconds))
        if join.kind is JoinKind.CROSSFADE:
            over = min(wanted, most)
            placed[-1] = replace(before, blend_out=over)
            shot = replace(shot, blend_in=over, start=before.end - over)
            _note_shorter(notes, before, over, wanted)
        elif join.kind is JoinKind.FADE_BLACK:
            half = min(max(1, wanted // 2), most)
            placed[-1] = replace(before, fade_out=half)
            shot = replace(shot, fade_in=half, start=before.end)
            _note_shorter(notes, before, 2 * half, wanted // 2 * 2)
        else:
            shot = replace(shot, start=before.end)
        placed.append(shot)
    return placed


def _note_shorter(notes: list[str], before: Shot, frames: int, wanted: int) -> None:
    if frames < wanted:
        where = "the intro" if before.number is None else f"clip {before.number}"
        notes.append(
            f"the join after {where} is {frames / FPS:.2f} s instead of {wanted / FPS:.2f} s: "
            "the clips are too short"
        )


def is_on_grid(clip: Clip) -> bool:
    """Whether its frames are 1/24 s apart (to a quarter of a frame), so that they can be copied."""
    if film_frames(clip) != clip.frames:
        return False
    step = clip.picture.time_base * FPS
    times = sorted(clip.picture.times)
    return all(
        abs((time - times[0]) * step - index) < Fraction(1, 4) for index, time in enumerate(times)
    )
