"""Text in any script with whatever fonts there are: wrapped, shortened, never a crash."""

from __future__ import annotations

import functools
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int] | tuple[int, int, int, int]

# Looked for by file name; the first ones are preferred because they cover the most scripts well.
_WANTED = (
    "NotoSans-Regular.ttf", "DejaVuSans.ttf", "SegoeUI.ttf", "segoeui.ttf", "Arial Unicode.ttf",
    "Arial.ttf", "arial.ttf", "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc", "PingFang.ttc", "Hiragino Sans GB.ttc", "msyh.ttc", "YuGothM.ttc",
    "malgun.ttf", "AppleSDGothicNeo.ttc", "wqy-microhei.ttc", "DroidSansFallbackFull.ttf",
    "NotoSansThai-Regular.ttf", "NotoNaskhArabic-Regular.ttf", "NotoSansDevanagari-Regular.ttf",
    "NotoEmoji-Regular.ttf", "seguiemj.ttf", "Symbola.ttf",
)  # fmt: skip
_FOLDERS = {
    "win32": ("C:/Windows/Fonts",),
    "darwin": ("/System/Library/Fonts", "/System/Library/Fonts/Supplemental", "/Library/Fonts"),
}.get(sys.platform, ("/usr/share/fonts", "/usr/local/share/fonts"))
# Letters NFKD leaves alone, and signs a small font lacks.
_PLAIN = {"đ": "d", "Đ": "D", "ø": "o", "ł": "l", "ß": "ss", "→": "->", "—": "-", "–": "-"}
_NOTHING = "\U0010fffd"


@functools.cache
def _system_fonts() -> tuple[Path, ...]:
    found: dict[str, Path] = {}
    for folder in _FOLDERS:
        base = Path(folder)
        if base.is_dir():
            for path in sorted(base.rglob("*.tt[fc]")):
                found.setdefault(path.name, path)
    return tuple(found[name] for name in _WANTED if name in found)


@functools.lru_cache(maxsize=64)
def _fonts(size: int) -> tuple[Font, ...]:
    """Pillow's own font first: it looks the same everywhere."""
    fonts: list[Font] = [ImageFont.load_default(size)]
    for path in _system_fonts():
        try:
            fonts.append(ImageFont.truetype(str(path), size))
        except OSError:
            continue
    return tuple(fonts)


@functools.lru_cache(maxsize=8192)
def _has(index: int, letter: str) -> bool:
    """Whether font `index` draws `letter` as something else than its "missing" box."""
    pictures: list[bytes] = []
    for text in (_NOTHING, letter):
        image = Image.new("L", (48, 48))
        ImageDraw.Draw(image).text((8, 8), text, font=_fonts(20)[index], fill=255)
        pictures.append(image.tobytes())
    return pictures[0] != pictures[1]


@functools.lru_cache(maxsize=8192)
def _glyph(letter: str) -> tuple[str, int]:
    """What to draw for a letter and with which font; `▯` stands for what no font here knows."""
    for index in range(len(_fonts(20))):
        if _has(index, letter):
            return letter, index
    plain = _PLAIN.get(letter) or "".join(
        part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part)
    )
    if plain and all(_has(0, part) for part in plain):
        return plain, 0
    return "▯", -1


def clean(text: str) -> str:
    """One line, composed, without control characters, joiners and variation selectors."""
    composed = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join(
        " " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c
        for c in composed
        if unicodedata.category(c) not in {"Cf", "Cs", "Co", "Cn"} and not "\ufe00" <= c <= "\ufe0f"
    )
    return " ".join(kept.split())


def _runs(text: str, size: int) -> Iterator[tuple[str, int, float]]:
    """Pieces of one font: text, font index (-1: a box) and width in pixels."""
    run, font = "", 0
    for letter in text:
        drawn, index = _glyph(letter)
        if index == font and index >= 0:
            run += drawn
            continue
        if run:
            yield run, font, _fonts(size)[font].getlength(run)
        if index < 0:
            yield drawn, -1, size * (0.95 if unicodedata.east_asian_width(letter) in "WF" else 0.6)
            run, font = "", 0
        else:
            run, font = drawn, index
    if run:
        yield run, font, _fonts(size)[font].getlength(run)


def width(text: str, size: int) -> float:
    """Width of one line in pixels."""
    return sum(run[2] for run in _runs(text, size))


def draw(image: Image.Image, xy: tuple[float, float], text: str, size: int, fill: Colour) -> None:
    """Draw one line with its left end and baseline's top box at `xy`."""
    pen, (x, y) = ImageDraw.Draw(image), xy
    for run, font, advance in _runs(text, size):
        if font < 0:
            pen.rounded_rectangle(
                (x + 1, y + size * 0.15, x + advance - 2, y + size * 0.95), size * 0.2, outline=fill
            )
        else:
            pen.text((x, y + size), run, font=_fonts(size)[font], fill=fill, anchor="ls")
        x += advance


def shorten(text: str, size: int, room: float) -> str:
    """`text`, or as much of it as fits into `room` pixels with an ellipsis."""
    if width(text, size) <= room:
        return text
    low, high = 0, min(len(text), int(room) + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + "…", size) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


def wrap(text: str, size: int, room: float, lines: int) -> list[str]:
    """At most `lines` lines of `room` pixels; the last one is shortened."""
    out: list[str] = []
    rest = text[:2000]
    while rest and len(out) < lines - 1:
        if width(rest, size) <= room:
            break
        cut = len(shorten(rest, size, room).removesuffix("…"))
        space = rest.rfind(" ", 0, cut + 1)
        cut = space if space > cut * 0.5 else max(cut, 1)
        out.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*out, shorten(rest, size, room)] if rest else out
