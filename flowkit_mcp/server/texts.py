"""What no argument of any tool may hold: characters that no text has, and more of them than anybody writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import cast

#: Of one text, in characters: a long story has some ten thousand.
LONGEST = 40_000
#: Control characters but tab and line breaks, and halves of characters, which no file or database takes.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def unfit(arguments: object) -> str | None:
    """The first flaw, with the field it is in; None: every text is one."""
    return next(_flaws(arguments, ""), None)


def _flaws(value: object, at: str) -> Iterator[str]:
    if isinstance(value, str):
        where = repr(at or "arguments")
        if len(value) > LONGEST:
            yield f"{where} has {len(value)} characters, at most {LONGEST} are possible"
        elif found := _UNFIT.search(value):
            yield (
                f"{where} has a character that no text has (U+{ord(found[0]):04X}, "
                f"the {found.start() + 1}. of {len(value)})"
            )
    elif isinstance(value, dict):
        for name, inner in cast("dict[object, object]", value).items():
            if isinstance(name, str) and _UNFIT.search(name):
                yield f"{at or 'arguments'!r} has a field whose name is no text: {name!r}"
            yield from _flaws(inner, f"{at}.{name}" if at else str(name))
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[object]", value), 1):
            yield from _flaws(inner, f"{at}[{number}]")
