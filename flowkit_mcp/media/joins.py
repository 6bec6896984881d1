"""The join doctor after a merge: each cut of a film that has just been made, judged from clips and film together.

Only the frames beside the cuts are decoded, so that a long film is not kept waiting. What is found belongs to the
render; it never makes a merge fail.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.cut import Cut, JoinKind
from flowkit_mcp.media.doctor import (
    FROZEN_AT_JOIN,
    JoinFacts,
    Side,
    end_of,
    film_steps,
    join_faults,
    start_of,
)
from flowkit_mcp.media.facts import FactsBook, Shown
from flowkit_mcp.media.threads import Stop

#: Frames looked at beside a cut: enough to see that the picture stands still.
_BESIDE = FROZEN_AT_JOIN + 2


@dataclass(frozen=True)
class JoinedClip:
    """A clip of the film; `goes_on`: it continues the one before; `spoken`: somebody says something in it."""

    path: Path
    sha256: str
    goes_on: bool = False
    spoken: bool = False


@dataclass(frozen=True)
class FilmJoin:
    """The cut after clip `after`, numbered from 1."""

    after: int
    facts: JoinFacts

    def as_json(self) -> dict[str, Any]:
        return {"after": self.after, **self.facts.as_json()}


def look_at_joins(
    book: FactsBook,
    clips: Sequence[JoinedClip],
    cut: Cut,
    starts: Sequence[int],
    blocks: Sequence[float],
    stop: Stop,
) -> list[FilmJoin]:
    """Judge every cut between clips. Blocking.

    Args:
        book: where measures are kept.
        clips: in film order.
        cut: how they were joined.
        starts: the film frame at which each clip begins.
        blocks: the film's momentary loudness, as measured in it.
        stop: ends it early.

    Raises:
        MediaError: a clip is missing or damaged.
    """
    if len(clips) < 2:
        return []

    def sides(numbered: tuple[int, JoinedClip]) -> tuple[Side, Side]:
        number, clip = numbered
        stop.check()
        trim = cut.trim_of(number)
        shown = book.shown(clip.path, clip.sha256, trim.start_s, trim.end_s)
        return _sides(book, shown, stop)

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        found = list(pool.map(sides, enumerate(clips, 1)))
    steps = film_steps(blocks, starts[1:]) if blocks else [None] * (len(clips) - 1)
    joins: list[FilmJoin] = []
    for number in range(1, len(clips)):
        before, after = found[number - 1][1], found[number][0]
        facts = join_faults(
            before,
            after,
            goes_on=clips[number].goes_on,
            spoken=(clips[number - 1].spoken, clips[number].spoken),
            blended=cut.join_after(number).kind is not JoinKind.CUT,
            film_step_lu=steps[number - 1],
        )
        joins.append(FilmJoin(number, facts))
    return joins


def _sides(book: FactsBook, shown: Shown, stop: Stop) -> tuple[Side, Side]:
    """Start and end of what is shown of a clip."""
    head, tail = book.edges(shown, stop, _BESIDE)
    sound = book.sound(shown, stop)
    return (
        start_of(head, sound, shown.first, shown.frames),
        end_of(tail, sound, shown.first, shown.frames),
    )


def starts_of(plan: dict[str, Any], cut: Cut) -> list[int]:
    """The film frame at which each clip begins, from a plan as `merge` tells it; intro and outro left out."""
    shots = plan["clips"]
    shots = shots[1:] if cut.intro is not None else shots
    shots = shots[:-1] if cut.outro is not None else shots
    return [int(shot["start_frame"]) for shot in shots]
