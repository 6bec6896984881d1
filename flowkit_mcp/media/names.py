"""Names of people's things as names of files, on any system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

_LONGEST = 60
#: Letters that Unicode does not take apart into a plain letter and a mark.
_LETTERS = str.maketrans(
    {"đ": "d", "ð": "d", "ø": "o", "ł": "l", "ħ": "h", "ı": "i", "ß": "ss"}
    | {"æ": "ae", "œ": "oe", "þ": "th", "ŋ": "ng"}
)
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)


def slug(text: str) -> str:
    """A file name of a–z, 0–9 and hyphens, at most 60 long, never empty or reserved on Windows.

    Text in another script, or cut for length, ends in a short mark of its own, so that different names
    stay different. A slug's slug is itself.
    """
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    words = re.sub(r"[^a-z0-9]+", "-", kept).strip("-")
    lost = any(letter.isalnum() and not letter.isascii() for letter in kept)
    if lost or not words or len(words) > _LONGEST:
        mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
        words = f"{words[: _LONGEST - 7].strip('-') or 'untitled'}-{mark}"
    return f"{words}-1" if words in _RESERVED else words


def shown_name(path: Path) -> str:
    """A file's name as a person knows it: for an unfinished `.part` the name it will get."""
    part = re.fullmatch(r"\.(.+)\.\d+-[0-9a-f]+-[0-9a-f]+\.part", path.name, re.DOTALL)
    return part[1] if part else path.name
