"""The cut in frames: where each clip lies on the film's grid. Pure.

The film has 24 frames a second and 48 000 samples a second, so a frame is exactly 2 000 samples and
sound and picture can be counted instead of timed (media.md §2.3, point 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

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
    """A clip on the film's grid: `frames` frames from film frame `start`."""

    clip: Clip
    start: int
    frames: int

    @property
    def end(self) -> int:
        return self.start + self.frames


def film_frames(clip: Clip) -> int:
    """How many film frames a clip fills: its own count at 24 fps, else its length to the nearest."""
    return max(1, int(clip.seconds * FPS + Fraction(1, 2)))


def lay_out(clips: Sequence[Clip]) -> tuple[Shot, ...]:
    """Clips one after the other, each whole, with hard cuts."""
    shots: list[Shot] = []
    at = 0
    for clip in clips:
        shots.append(Shot(clip, at, film_frames(clip)))
        at = shots[-1].end
    return tuple(shots)


def is_on_grid(clip: Clip) -> bool:
    """Whether its frames are 1/24 s apart (to a quarter of a frame), so that they can be copied."""
    if film_frames(clip) != clip.frames:
        return False
    step = clip.picture.time_base * FPS
    times = sorted(clip.picture.times)
    return all(
        abs((time - times[0]) * step - index) < Fraction(1, 4) for index, time in enumerate(times)
    )
