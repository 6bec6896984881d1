"""Wording that Flow is likely to refuse, as a warning before anything is sent. Pure.

A hint to rewrite, never a way around a filter: nothing here changes a prompt. English only, and short on purpose:
Flow alone decides, and its refusals cost nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CAUSES: tuple[tuple[str, str, str], ...] = (
    (
        "SEXUAL",
        "sexual content",
        r"nude|naked|nudity|topless|erotic|porn\w*|lingerie|striptease|having sex|sexual\w*",
    ),
    (
        "VIOLENCE",
        "graphic violence",
        r"gore|gory|behead\w*|decapitat\w*|dismember\w*|disembowel\w*|mutilat\w*|tortur\w+|massacre\w*"
        r"|suicide|self-harm|hanging himself|hanging herself|execution-style",
    ),
    (
        "MINOR",
        "a child in a dangerous or intimate situation",
        r"(?:child|kid|boy|girl|toddler|baby|infant|teen\w*)\b[^.]{0,60}\b"
        r"(?:blood\w*|gun|knife|drunk|smoking|bikini|swimsuit|bath(?:ing|tub)|undress\w*|kiss(?:es|ing))",
    ),
    (
        "PROMINENT_PEOPLE",
        "a real, known person",
        r"donald trump|joe biden|barack obama|vladimir putin|xi jinping|elon musk|taylor swift|beyonc[eé]"
        r"|tom cruise|leonardo dicaprio|scarlett johansson|cristiano ronaldo|lionel messi|pope francis"
        r"|celebrity look-?alike|in the likeness of|deep-?fake",
    ),
    (
        "IP",
        "a protected character or brand",
        r"mickey mouse|disney|pixar|marvel|spider-?man|batman|superman|star wars|darth vader|yoda"
        r"|harry potter|hogwarts|pok[eé]mon|pikachu|super mario|hello kitty|simpsons|barbie",
    ),
)
_PATTERNS = [
    (code, what, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for code, what, words in _CAUSES
]


def likely_refused(prompt: str) -> Iterator[tuple[str, str, str]]:
    """(reason, what it is about, the words in question) for each cause found; reasons as Flow names them."""
    for code, what, pattern in _PATTERNS:
        found = pattern.search(prompt)
        if found:
            yield code, what, found[0]
