"""Fonts of this machine by what they can write: the nicest that has all letters, else one per stretch.

FlowKit brings no font of its own. What none of the machine's fonts can write is told to the person.
"""

from __future__ import annotations

import functools
import os
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import InvalidSetting

_REGULAR = (
    *("NotoSans-Regular.ttf", "Inter-Regular.ttf", "SegoeUI.ttf", "segoeui.ttf", "Helvetica.ttc"),
    *("DejaVuSans.ttf", "LiberationSans-Regular.ttf", "Arial.ttf", "arial.ttf"),
)
_BOLD = (
    *("NotoSans-Bold.ttf", "Inter-Bold.ttf", "segoeuib.ttf", "HelveticaNeue.ttc"),
    *("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf", "arialbd.ttf"),
)
#: Fonts that write what the plain ones lack, by what systems call them.
_OTHERS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJK-Bold.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc"),
    *(
        "msyh.ttc",
        "YuGothM.ttc",
        "meiryo.ttc",
        "malgun.ttf",
        "AppleSDGothicNeo.ttc",
        "wqy-microhei.ttc",
    ),
    *("NotoNaskhArabic-Regular.ttf", "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf"),
    *("NotoSansDevanagari-Regular.ttf", "Nirmala.ttf", "NotoSansThai-Regular.ttf", "leelawui.ttf"),
    *("NotoEmoji-Regular.ttf", "seguisym.ttf", "Symbola.ttf", "Arial Unicode.ttf"),
)
_SUFFIXES = (".ttf", ".otf", ".ttc")
_MOST_FILES = 800
#: Marks, joiners and direction signs take their font from the letter before them.
_FOLLOWS = frozenset({"Mn", "Me", "Mc", "Cf", "Zs", "Cc"})


class Fonts:
    """Writes with the person's font if there is one, then with those of the machine."""

    def __init__(self, own: Path | None = None) -> None:
        self._own = own
        if own is not None and _load(str(own), 20) is None:
            raise InvalidSetting(
                f"{own.name} is not a font that can be used", hint="Give a TTF, OTF or TTC file."
            )

    def runs(self, text: str, size: int, *, bold: bool = False) -> list[tuple[str, Any]]:
        """A line as stretches with a Pillow font each; one stretch where one font has every letter."""
        first = self._first(bold)
        whole = next((name for name in first if _has_all(name, text)), None)
        if whole is not None:
            return [(text, _load(whole, size))]
        runs: list[tuple[str, Any]] = []
        last = ""
        for letter in text:
            name = last
            if not (last and unicodedata.category(letter) in _FOLLOWS):
                name = self._font_for(letter, first, last)
            if runs and name == last:
                runs[-1] = (runs[-1][0] + letter, runs[-1][1])
            else:
                runs.append((letter, _load(name, size) if name else _plain(size)))
            last = name
        return runs

    def missing(self, text: str) -> list[str]:
        """What no font here can write, as names of scripts (`CJK`, `THAI`), in order."""
        scripts: dict[str, None] = {}
        first = self._first(False)
        for letter in dict.fromkeys(text):
            if unicodedata.category(letter) in _FOLLOWS or self._font_for(letter, first, ""):
                continue
            scripts[unicodedata.name(letter, "UNKNOWN").split()[0]] = None
        return list(scripts)

    def width(self, text: str, size: int, *, bold: bool = False) -> float:
        """Pixels a line takes."""
        return sum(font.getlength(part) for part, font in self.runs(text, size, bold=bold))

    def _first(self, bold: bool) -> list[str]:
        own = [str(self._own)] if self._own is not None else []
        return own + [name for name in (_BOLD if bold else _REGULAR) if _load(name, 20)]

    def _font_for(self, letter: str, first: Sequence[str], last: str) -> str:
        """The font for a letter: the one in use, a plain one, a special one, any; empty if none."""
        for name in (last, *first):
            if name and _has(name, letter):
                return name
        return _other_font(letter)


@functools.cache
def _other_font(letter: str) -> str:
    for name in _OTHERS:
        if _load(name, 20) is not None and _has(name, letter):
            return name
    return next((name for name in _installed() if _has(name, letter)), "")


@functools.cache
def _load(name: str, size: int) -> Any:
    # late: Pillow is only needed once there is a picture.
    from PIL import ImageFont

    try:
        return ImageFont.truetype(name, size)
    except (OSError, ValueError):
        return None  # not on this machine, or not a font


@functools.cache
def _plain(size: int) -> Any:
    from PIL import ImageFont  # late: as above

    return ImageFont.load_default(size)


@functools.lru_cache(maxsize=20_000)
def _has(name: str, letter: str) -> bool:
    """Whether a font draws a letter as something else than its sign for "missing"."""
    font = _load(name, 20)
    if font is None:
        return False
    if letter.isspace():
        return True
    drawn = font.getmask(letter)
    lacking = font.getmask("\U0010fffe")
    return (drawn.size, bytes(drawn)) != (
        lacking.size,
        bytes(lacking),
    ) and drawn.getbbox() is not None


def _has_all(name: str, text: str) -> bool:
    return all(
        _has(name, letter) or unicodedata.category(letter) in {"Cf", "Cc"} for letter in set(text)
    )


@functools.cache
def _installed() -> tuple[str, ...]:
    """Font files of this machine."""
    return tuple(_walk())


def _walk() -> Iterator[str]:
    seen = 0
    for folder in _folders():
        for root, _, names in os.walk(folder):
            for name in sorted(names):
                if name.lower().endswith(_SUFFIXES):
                    seen += 1
                    if seen > _MOST_FILES:
                        return
                    yield str(Path(root, name))


def _folders() -> list[Path]:
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", "")) / "Microsoft" / "Windows" / "Fonts"
        return [Path(os.environ.get("WINDIR", "C:\\Windows")) / "Fonts", local]
    home = Path.home()
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts"]
    shared = os.environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    return [
        *(Path(folder) / "fonts" for folder in shared if folder),
        home / ".local" / "share" / "fonts",
        home / ".fonts",
    ]
