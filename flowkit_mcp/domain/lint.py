"""Plan checks before money is spent: what would be refused, come out wrong or cut speech short. Pure.

An `error` would be refused by FlowKit or Flow as the plan stands; a `warning` is likely to disappoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.domain.refusals import likely_refused
from flowkit_mcp.domain.requests import VideoMode
from flowkit_mcp.domain.speech import COMFORTABLE, HURRIED, spoken, words
from flowkit_mcp.domain.subclips import subclips

Severity = Literal["error", "warning"]
SLACK_S = 0.05
#: What Google says that Veo reads of a prompt; what Flow itself refuses as too long nobody has measured.
READ_TOKENS = 1024


class ScenePlan(BaseModel):
    """A scene as it stands, with what its clip would be made by."""

    model_config = ConfigDict(frozen=True)

    number: int
    prompt: str  #: what happens, as the clip's prompt has it
    image_prompt: str | None = None
    narration: str | None = None
    cast: tuple[str, ...] = ()
    #: Of the cast: who has no reference image.
    unpictured: tuple[str, ...] = ()
    #: Orientations whose first frame is missing or stale; empty where the clip needs none.
    frameless: tuple[str, ...] = ()
    mode: VideoMode = "start"
    clip_s: float | None = None  #: seconds; None where no model is known yet
    model: str | None = None
    #: How many reference images the picture (or, in mode `references`, the clip) may have; None: not known.
    max_references: int | None = None
    #: Pictures passed beside the cast: 1 for a scene that goes on from its parent's image.
    other_references: int = 0


class Finding(BaseModel):
    """One thing about a plan, and what to do about it."""

    model_config = ConfigDict(frozen=True)

    severity: Severity
    code: str
    scene: int | None
    message: str
    remedy: str


def lint(scenes: Sequence[ScenePlan], known: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Everything about a video's scenes that a machine can see; errors first, then by scene.

    Args:
        scenes: in order.
        known: the names of all characters of the library, for names that a scene mentions and does not cast.
    """
    names = tuple(known)
    if not scenes:
        return (_finding("error", "NO_SCENES", None, "the video has no scenes", "Call add_scene."),)
    found = [finding for scene in scenes for finding in _scene(scene, names)]
    return tuple(sorted(found, key=lambda one: (one.severity != "error", one.scene or 0)))


def _scene(scene: ScenePlan, known: Sequence[str]) -> Iterator[Finding]:
    yield from _references(scene)
    yield from _frames(scene)
    yield from _names(scene, known)
    yield from _timing(scene)
    yield from _speech(scene)
    yield from _wording(scene)
    yield from _length(scene)


def _references(scene: ScenePlan) -> Iterator[Finding]:
    if scene.unpictured:
        names = ", ".join(scene.unpictured)
        yield _finding(
            "error",
            "MISSING_REFERENCE",
            scene.number,
            f"no reference image of {names}",
            f"Call generate_image with characters={list(scene.unpictured)!r}.",
        )
    many = len(scene.cast) + scene.other_references
    if scene.max_references is not None and many > scene.max_references:
        yield _finding(
            "error",
            "TOO_MANY_REFERENCES",
            scene.number,
            f"{many} reference images, {scene.model or 'the model'} takes {scene.max_references}",
            "Take characters out of the scene, or choose a model that takes more.",
        )
    if scene.mode == "references" and not scene.cast:
        yield _finding(
            "error",
            "NO_REFERENCES",
            scene.number,
            "mode 'references' needs somebody in the scene",
            "Cast characters with update_scene, or use mode 'text'.",
        )


def _frames(scene: ScenePlan) -> Iterator[Finding]:
    if scene.frameless and scene.mode in ("start", "start_end"):
        yield _finding(
            "error",
            "NO_START_IMAGE",
            scene.number,
            f"no {' or '.join(scene.frameless)} image to start from",
            f"Call generate_image with scenes=['{scene.number}'].",
        )


def _names(scene: ScenePlan, known: Sequence[str]) -> Iterator[Finding]:
    text = " ".join(filter(None, (scene.prompt, scene.image_prompt)))
    cast = {name.casefold() for name in scene.cast}
    for name in known:
        if name.casefold() not in cast and _mentions(text, name):
            yield _finding(
                "warning",
                "NOT_CAST",
                scene.number,
                f"{name} is named and not cast, so no reference image goes along",
                f"Call update_scene with characters including {name!r}.",
            )
    everybody = {name.casefold() for name in known} | cast
    for name in dict.fromkeys(re.findall(r"(?<!\w)@([\w'’-]+)", text)):
        if name.casefold() not in everybody:
            yield _finding(
                "error",
                "UNKNOWN_CHARACTER",
                scene.number,
                f"@{name} is nobody this library knows",
                "Call add_character, or correct the name.",
            )


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _timing(scene: ScenePlan) -> Iterator[Finding]:
    before = 0.0
    for beat in subclips(scene.prompt):
        span = f"{beat.start_s:g}-{beat.end_s:g}s"
        if beat.end_s <= beat.start_s:
            yield _finding(
                "error",
                "SUBCLIP_BACKWARDS",
                scene.number,
                f"the beat {span} ends before it begins",
                "Give each beat as start-end, in seconds.",
            )
        elif scene.clip_s is not None and beat.end_s > scene.clip_s + SLACK_S:
            yield _finding(
                "error",
                "SUBCLIP_OUTSIDE",
                scene.number,
                f"the beat {span} lies outside the clip of {scene.clip_s:g} s",
                "Shorten the beats, choose a longer duration_s, or split the scene.",
            )
        elif beat.start_s < before - SLACK_S:
            yield _finding(
                "warning",
                "SUBCLIP_OVERLAP",
                scene.number,
                f"the beat {span} begins before the one ahead of it has ended ({before:g} s)",
                "Let the beats follow each other.",
            )
        before = max(before, beat.end_s)


def _speech(scene: ScenePlan) -> Iterator[Finding]:
    if scene.clip_s is None:
        return
    for what, text in (("speech", spoken(scene.prompt)), ("narration", scene.narration or "")):
        count = words(text)
        pace = count / scene.clip_s
        if pace <= COMFORTABLE * 1.05:
            continue
        need = count / COMFORTABLE
        yield _finding(
            "error" if what == "speech" and pace > HURRIED else "warning",
            "TOO_MANY_WORDS",
            scene.number,
            f"{what} of about {round(count)} words takes {need:.0f} s, the clip is {scene.clip_s:g} s",
            f"Cut it to {int(scene.clip_s * COMFORTABLE)} words, or split the scene.",
        )


def _wording(scene: ScenePlan) -> Iterator[Finding]:
    seen: set[str] = set()
    for prompt in (scene.prompt, scene.image_prompt or ""):
        for reason, what, found in likely_refused(prompt):
            if reason in seen:
                continue
            seen.add(reason)
            yield _finding(
                "warning",
                "LIKELY_REFUSED",
                scene.number,
                f"{found!r} reads like {what}; Flow may refuse it ({reason})",
                "Say what is seen in other words; a refusal costs nothing.",
            )


def _length(scene: ScenePlan) -> Iterator[Finding]:
    longest = max((scene.prompt, scene.image_prompt or ""), key=_tokens)
    if _tokens(longest) > READ_TOKENS:
        yield _finding(
            "warning",
            "LONG_PROMPT",
            scene.number,
            f"a prompt of {len(longest)} letters is about {_tokens(longest):.0f} tokens; clips are made of the first "
            f"{READ_TOKENS} or so",
            "Say what is seen and heard in a few sentences, or split the scene.",
        )


def _tokens(text: str) -> float:
    """About: four letters of an alphabet, or one sign that stands for a word or syllable."""
    return sum(0.25 if letter < "\u2e80" else 1.0 for letter in text)


def _finding(
    severity: Severity, code: str, scene: int | None, message: str, remedy: str
) -> Finding:
    return Finding(severity=severity, code=code, scene=scene, message=message, remedy=remedy)
