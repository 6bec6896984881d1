"""Captions as cues and files: from given times or the narration's text, readable, never overlapping. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flowkit_mcp.domain.cut import Captions
from flowkit_mcp.media.lines import clusters, units
from flowkit_mcp.media.speech import Spoken
from flowkit_mcp.media.timeline import FPS, SAMPLES_PER_FRAME, Timeline, Voice

_SHORTEST = 20  #: frames; under ⅚ s nobody has found the caption
_LONGEST = 7 * FPS
_FASTEST = 20.0  #: letters per second that can be read
_GLIMPSE = 8
_LINES = 2
_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"'”’»)\]]*\s*")
_PAUSE = re.compile(r"(?<=[,;:、，；：–—])\s*")


@dataclass(frozen=True)
class TimedText:
    """A caption over film frames `start` to `end`."""

    start: int
    end: int
    text: str


def settled(
    captions: Captions,
    timeline: Timeline,
    spoken: Mapping[str, Spoken],
    *,
    upright: bool,
) -> tuple[tuple[TimedText, ...], tuple[str, ...]]:
    """All captions of a film in order, none over another, and what could not be made readable.

    Raises:
        InvalidSetting: a cue names a clip that is not there.
    """
    if captions.cues:
        found = [
            TimedText(
                timeline.frame_at(cue.start_s, cue.clip),
                timeline.frame_at(cue.end_s, cue.clip),
                clean(cue.text),
            )
            for cue in captions.cues
        ]
    else:
        most = _LINES * (24 if upright else 42)
        found = [
            cue
            for voice in timeline.voices
            for cue in spread(voice, spoken[voice.narration.file], most)
        ]
    return _ordered([cue for cue in found if cue.text], timeline.frames)


def spread(voice: Voice, spoken: Spoken, most: int) -> list[TimedText]:
    """A narration's text over its speech: short pieces, each as long as its share of the letters.

    Pauses in the speech pass without a caption's clock running.
    """
    pieces = broken(clean(voice.narration.text), most)
    spans = [
        (voice.start + a / voice.fitted.speed, voice.start + b / voice.fitted.speed)
        for a, b in spoken.spans
    ]
    if not pieces or not spans:
        return []
    talked = sum(end - start for start, end in spans)
    letters = sum(_width(piece) for piece in pieces)
    cues: list[TimedText] = []
    said = 0
    for piece in pieces:
        start = _moment(spans, talked * said / letters, after=True)
        said += _width(piece)
        end = _moment(spans, talked * said / letters, after=False)
        cues.append(
            TimedText(int(start // SAMPLES_PER_FRAME), -int(-end // SAMPLES_PER_FRAME), piece)
        )
    return cues


def broken(text: str, most: int) -> list[str]:
    """Text in pieces of at most `most` letters (wide ones count twice), at sentences if it can be."""
    pieces: list[str] = []
    for sentence in _parts(" ".join(text.split()), most):
        joined = f"{pieces[-1]} {sentence}" if pieces else ""
        # Two very short sentences are one caption.
        if pieces and _width(joined) <= most // 2:
            pieces[-1] = joined
        else:
            pieces.append(sentence)
    return pieces


def _parts(text: str, most: int) -> list[str]:
    parts: list[str] = []
    for sentence in filter(None, (part.strip() for part in _SENTENCE.split(text))):
        count = -(-_width(sentence) // most)
        # Equal pieces read better than full ones and a rest.
        aim = most if count == 1 else max(most // 2, -(-_width(sentence) // count) + 6)
        parts += _packed(sentence, min(aim, most))
    return parts


def _packed(sentence: str, most: int) -> list[str]:
    if _width(sentence) <= most:
        return [sentence]
    words = sentence.split(" ")
    if len(words) == 1:
        words = list(filter(None, _PAUSE.split(sentence)))
    lines: list[str] = []
    glue = " " if " " in sentence else ""
    for word in words:
        joined = f"{lines[-1]}{glue}{word}" if lines else word
        if lines and _width(joined) <= most:
            lines[-1] = joined
            continue
        lines += _fitted(word, most) if _width(word) > most else [word]
    return lines


def _fitted(word: str, most: int) -> list[str]:
    """What has no spaces, or is no word at all, broken where its script allows it, else between letters."""
    parts = [""]
    for unit in units(word):
        for part in clusters(unit) if _width(unit) > most else (unit,):
            if parts[-1] and _width(parts[-1] + part) > most:
                parts.append("")
            parts[-1] += part
    return parts


def _moment(spans: Sequence[tuple[float, float]], talked: float, *, after: bool) -> float:
    """The sample at which so much has been said; at a pause its end, or with `after` off its start."""
    for start, end in spans:
        length = end - start
        if talked < length or (talked <= length + 0.5 and not after):
            return start + talked
        talked -= length
    return spans[-1][1]


def _ordered(
    cues: Sequence[TimedText], frames: int
) -> tuple[tuple[TimedText, ...], tuple[str, ...]]:
    notes: list[str] = []
    ordered: list[TimedText] = []
    for cue in sorted(cues, key=lambda cue: (cue.start, cue.end)):
        if cue.start >= frames:
            notes.append(f"the caption {_short(cue)} starts after the film's end and is left out")
        elif ordered and cue.start == ordered[-1].start:
            ordered[-1] = replace(
                ordered[-1],
                end=max(cue.end, ordered[-1].end),
                text=f"{ordered[-1].text}\n{cue.text}",
            )
        else:
            ordered.append(replace(cue, end=min(cue.end, frames)))
    for place, cue in enumerate(ordered):
        room = ordered[place + 1].start if place + 1 < len(ordered) else frames
        if cue.end > room:
            notes.append(f"the caption {_short(cue)} ends earlier: the next one starts")
        needed = max(_SHORTEST, round(_width(cue.text) / _FASTEST * FPS))
        end = min(room, max(cue.end, cue.start + needed))
        ordered[place] = cue = replace(cue, end=end)
        length = end - cue.start
        if length < _GLIMPSE:
            notes.append(f"the caption {_short(cue)} is shown for only {length} frames")
        elif _width(cue.text) / (length / FPS) > _FASTEST * 1.25:
            notes.append(
                f"the caption {_short(cue)} is too long for its {length / FPS:.1f} s to be read"
            )
        elif length > _LONGEST:
            notes.append(f"the caption {_short(cue)} stands for {length / FPS:.1f} s")
    return tuple(ordered), tuple(notes)


def clean(text: str) -> str:
    """Text that is valid everywhere: no control signs, no halves of letters, no empty lines."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    whole = unicodedata.normalize("NFC", whole.replace("\r\n", "\n").replace("\r", "\n"))
    kept = "".join(
        letter
        for letter in whole.replace("\t", " ")
        if letter == "\n" or unicodedata.category(letter) not in {"Cc", "Cs", "Co", "Cn"}
    )
    lines = (" ".join(line.split()) for line in kept.split("\n"))
    return "\n".join(line for line in lines if line)


def srt(cues: Sequence[TimedText]) -> str:
    """A SubRip file."""
    blocks = [
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{cue.text.replace('-->', '→')}\n"
        for number, cue in enumerate(cues, 1)
    ]
    return "\n".join(blocks)


def vtt(cues: Sequence[TimedText]) -> str:
    """A WebVTT file (W3C WebVTT §4)."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{text}\n")
    return "\n".join(blocks)


def _time(frame: int, point: str) -> str:
    ms = round(frame * 1000 / FPS)
    return (
        f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{point}{ms % 1000:03d}"
    )


def _width(text: str) -> int:
    """Letters, those of double width counted twice, marks not at all."""
    return sum(
        0
        if unicodedata.category(letter) in {"Mn", "Me", "Cf"}
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def _short(cue: TimedText) -> str:
    words = " ".join(cue.text.split())
    return f"“{words[:24]}{'…' if len(words) > 24 else ''}” at {cue.start / FPS:.1f} s"
