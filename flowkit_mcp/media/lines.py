"""What a line of any script consists of: where it may be broken, and in what order it is read. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_JOINER, _EMOJI_SIGN, _BREAK_HERE = "\u200d", "\ufe0f", "\u200b"
#: Marks, joiners and direction signs belong to the letter before them.
_MARKS = frozenset({"Mn", "Me", "Mc", "Cf"})
#: Signs of Chinese and Japanese that no line begins with, beside closing punctuation.
_NEVER_FIRST = frozenset(
    "。、，．・：；！？‥…‼⁇ー～々〻ゝゞヽヾぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶ!?,.:;%％‰℃¢°′″"
)
_CLOSING, _OPENING = frozenset({"Pe", "Pf"}), frozenset({"Ps", "Pi"})
_LEFT, _RIGHT = "ltr", "rtl"
DIRECTION_SIGNS = "\u200e\u200f"


def clusters(text: str) -> list[str]:
    """A text as what a reader takes for letters: marks, joined signs, flags and emoji stay whole."""
    found: list[str] = []
    for letter in text:
        if found and _belongs(letter, found[-1]):
            found[-1] += letter
        else:
            found.append(letter)
    return found


def _belongs(letter: str, before: str) -> bool:
    if before.isspace() or before == _BREAK_HERE:
        return False
    if letter == _BREAK_HERE:
        return False
    shade = "\U0001f3fb" <= letter <= "\U0001f3ff"  # of a skin
    if shade or unicodedata.category(letter) in _MARKS:
        return True
    if before.endswith(_JOINER) or _is_virama(before[-1]):
        return True
    return _is_flag(letter) and len(before) == 1 and _is_flag(before)


def _is_virama(letter: str) -> bool:
    return unicodedata.combining(letter) == 9


def _is_flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def is_emoji(cluster: str) -> bool:
    """Whether it is meant as a small picture."""
    return _EMOJI_SIGN in cluster or "\U0001f000" <= cluster[0] <= "\U0001faff"


def units(text: str) -> list[str]:
    """A line's parts between which it may be broken: words with the space behind them.

    Chinese and Japanese are broken between their letters, but no line begins with a full stop or
    ends with an opening bracket. Korean keeps its words.
    """
    found: list[str] = []
    last = ""
    for cluster in clusters(text):
        if found and not _parts(last, cluster):
            found[-1] += cluster
        else:
            found.append(cluster)
        last = cluster
    return found


def _parts(one: str, two: str) -> bool:
    """Whether a line may end between two clusters."""
    if two.isspace():
        return False
    if one.isspace() or one == _BREAK_HERE:
        return True
    if two[0] in _NEVER_FIRST or unicodedata.category(two[0]) in _CLOSING:
        return False
    if unicodedata.category(one[0]) in _OPENING:
        return False
    return _is_ideograph(one) or _is_ideograph(two)


def _is_ideograph(cluster: str) -> bool:
    wide = unicodedata.east_asian_width(cluster[0]) in "WF"
    return wide and not "가" <= cluster[0] <= "힣"


def led(line: str, paragraph: str) -> str:
    """A line of a broken paragraph, with a sign before it where alone it would be read the other way."""
    base = _base(paragraph)
    if _base(line) == base:
        return line
    return DIRECTION_SIGNS[base == _RIGHT] + line


def needs_shaping(text: str) -> bool:
    """Whether its letters must be joined, stacked or read from the right, which takes more than a font."""
    return any(
        _strong(one) == _RIGHT or unicodedata.category(one) == "Mc" or _is_virama(one)
        for one in text
    )


def stretches(text: str) -> list[tuple[str, str]]:
    """A line as (`ltr` or `rtl`, text) in the order they stand from left to right.

    The Unicode Bidirectional Algorithm (UAX 9) without explicit embeddings: enough to order what
    different fonts write, each of which orders its own letters.
    """
    base = _base(text)
    parts = clusters(text)
    ways = _ways(parts, base)
    joined: list[tuple[str, str]] = []
    for way, part in zip(ways, parts, strict=True):
        if joined and joined[-1][0] == way:
            joined[-1] = (way, joined[-1][1] + part)
        else:
            joined.append((way, part))
    return joined if base == _LEFT else joined[::-1]


def _base(text: str) -> str:
    return next((found for letter in text if (found := _strong(letter))), _LEFT)


def _ways(parts: Sequence[str], base: str) -> list[str]:
    """Each cluster's direction; numbers go with what is before them, the rest with its neighbours."""
    found: list[str | None] = []
    last = base
    for part in parts:
        way = _strong(part[0])
        if way is None and unicodedata.bidirectional(part[0]) in {"EN", "AN"}:
            way = last
        last = way or last
        found.append(way)
    after = base
    following: list[str] = []
    for way in reversed(found):
        after = way or after
        following.append(after)
    ways: list[str] = []
    before = base
    for way, later in zip(found, reversed(following), strict=True):
        before = way or before
        ways.append(way or (before if before == later else base))
    return ways


def _strong(letter: str) -> str | None:
    kind = unicodedata.bidirectional(letter)
    return _LEFT if kind == "L" else _RIGHT if kind in {"R", "AL"} else None
