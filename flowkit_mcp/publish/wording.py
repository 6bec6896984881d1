"""Help with a listing that needs no model: chapters from scenes, a description from a template. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Template

from pydantic import BaseModel, ConfigDict

#: YouTube shows chapters if there are at least three, the first at 0:00, each at least ten seconds long.
CHAPTER_S = 10.0
CHAPTERS = 3
CHAPTER_CHARACTERS = 60

DESCRIPTION = "$story\n\n$chapters\n\n$footer"


class Mark(BaseModel):
    """Where something begins in the film."""

    model_config = ConfigDict(frozen=True)

    start_s: float
    title: str


def chapters(marks: Sequence[Mark], film_s: float) -> tuple[Mark, ...]:
    """The marks YouTube would accept as chapters: short ones go into the one before. Empty if too few are left.

    Args:
        marks: where each scene begins, in order, with a title.
        film_s: length of the film in seconds.
    """
    kept: list[Mark] = []
    for mark in marks:
        if not kept:
            kept.append(mark.model_copy(update={"start_s": 0.0}))
        elif mark.start_s - kept[-1].start_s >= CHAPTER_S:
            kept.append(mark)
    if kept and film_s - kept[-1].start_s < CHAPTER_S:
        kept.pop()
    return tuple(kept) if len(kept) >= CHAPTERS else ()


def chapter_lines(marks: Sequence[Mark]) -> str:
    """One line each: `0:00 The gate`."""
    return "\n".join(f"{timestamp(mark.start_s)} {mark.title}" for mark in marks)


def chapter_title(prompt: str) -> str:
    """A short title from what a scene says: its first clause, cut at a word."""
    text = re.sub(r"[<>]", "", prompt).strip()
    clause = re.split(r"[.,;:!?…\n。、！？]", text, maxsplit=1)[0].strip() or text
    if len(clause) > CHAPTER_CHARACTERS:
        clause = clause[:CHAPTER_CHARACTERS].rsplit(" ", 1)[0].rstrip() + "…"
    return clause[:1].upper() + clause[1:]


def timestamp(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on; rounded down, so that a chapter never begins too late."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def description(template: str, *, story: str, chapters: str, footer: str) -> str:
    """Fill `$story`, `$chapters` and `$footer`; empty parts leave no gap, unknown words stay as they are."""
    text = Template(template).safe_substitute(story=story, chapters=chapters, footer=footer)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
