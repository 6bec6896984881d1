"""One picture of many: a contact sheet that a person likes and a model can read.

One card per label (a scene), its vertical and horizontal pictures side by side, what is missing drawn
as a dashed frame. By default at most 1568 px on a side, the size up to which models see every pixel, and 200 kB;
people are given larger ones.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.captions import clean
from flowkit_mcp.media.fonts import Fonts
from flowkit_mcp.media.lines import clusters
from flowkit_mcp.media.stills import jpeg, load_picture, save_bytes

LONGEST = 1568
MAX_BYTES = 200_000

_PAPER, _CARD, _EDGE = "#14161a", "#1d2026", "#2c313a"
_TEXT, _DIM, _FAINT, _ACCENT, _ALARM = "#f1f3f5", "#a2a9b4", "#7d8592", "#f0b445", "#ff8a6b"
_MARGIN, _GAP, _PAD = 24, 14, 14
_LABEL, _CAPTION, _TITLE = 34, 26, 56  # heights of the lines of text
_SMALLEST = 10  # size of letters
_BESIDE = 100  # width of a label that stands beside its pictures
_SHORTEST_TILE = 96
_ASPECTS = {Orientation.VERTICAL: 9 / 16, Orientation.HORIZONTAL: 16 / 9}


@dataclass(frozen=True)
class SheetItem:
    """One picture of the sheet.

    Items with the same `label` share a card, whose heading it is (`Scene 3`). `caption` stands below the
    picture (`take 2 · video`), in another colour if `alarm`. `path` is a picture or a clip; None is drawn as
    missing, with the caption as the reason. `frames`: how many of its orientation stand beside each other in it.
    """

    path: Path | None
    label: str
    caption: str
    orientation: Orientation
    frames: int = 1
    alarm: bool = False

    @property
    def aspect(self) -> float:
        return _ASPECTS[self.orientation] * self.frames


async def contact_sheet(
    items: Sequence[SheetItem],
    to: Path,
    *,
    columns: int | None = None,
    title: str = "",
    longest: int = LONGEST,
    most_bytes: int = MAX_BYTES,
    beside: bool = False,
) -> Path:
    """Draw a JPEG of at most `longest` × `longest` px and `most_bytes`.

    Files that are missing or damaged are drawn as missing.

    Args:
        items: what is shown; cards come in the order in which labels first appear.
        to: the JPEG's place; what is there is replaced.
        columns: cards beside each other; by default what makes the pictures largest.
        title: a heading, left out if empty.
        longest: its longer side in pixels.
        most_bytes: its size as a file.
        beside: labels stand beside the pictures instead of above them, so that many rows have room.

    Raises:
        InvalidSetting: there are no items.
        MediaError: `to` cannot be written.
    """
    if not items:
        raise InvalidSetting("a contact sheet needs at least one picture")
    return await asyncio.to_thread(_make, items, to, columns, title, longest, most_bytes, beside)


@dataclass(frozen=True)
class _Layout:
    columns: int
    rows: int
    tile: int  #: height of a picture
    card_width: int
    header: int
    beside: bool = False

    @property
    def card_height(self) -> int:
        return _around(self.beside) + self.tile

    @property
    def size(self) -> tuple[int, int]:
        width = 2 * _MARGIN + self.columns * self.card_width + (self.columns - 1) * _GAP
        height = 2 * _MARGIN + self.header + self.rows * self.card_height + (self.rows - 1) * _GAP
        return width, height


def _make(
    items: Sequence[SheetItem],
    to: Path,
    columns: int | None,
    title: str,
    longest: int,
    most_bytes: int,
    beside: bool,
) -> Path:
    cards = _cards(items)
    while True:
        image = _draw(cards, _lay_out(cards, columns, bool(title), longest, beside), title, longest)
        for quality in (88, 82, 76, 70, 62):
            data = jpeg(image, quality)
            if len(data) <= most_bytes:
                return save_bytes(data, to)
        longest = int(longest * 0.88)


def _cards(items: Sequence[SheetItem]) -> list[list[SheetItem]]:
    """Items by label; an orientation that others have and a card lacks is missing there."""
    shown = [o for o in Orientation if any(item.orientation is o for item in items)]
    by_label: dict[str, list[SheetItem]] = {}
    for item in items:
        by_label.setdefault(item.label, []).append(item)
    for label, card in by_label.items():
        there = {item.orientation for item in card}
        frames = max(item.frames for item in items)
        card.extend(SheetItem(None, label, "none", o, frames) for o in shown if o not in there)
        card.sort(key=lambda item: shown.index(item.orientation))
    return list(by_label.values())


def _lay_out(
    cards: Sequence[Sequence[SheetItem]],
    columns: int | None,
    titled: bool,
    longest: int,
    beside: bool,
) -> _Layout:
    """The number of columns that makes the pictures largest within `longest` × `longest`."""
    aspect = max(sum(item.aspect for item in card) for card in cards)
    gaps = 2 * _PAD + _GAP * (max(len(card) for card in cards) - 1) + _BESIDE * beside
    header = _TITLE if titled else 0

    def tile(number: int) -> float:
        rows = math.ceil(len(cards) / number)
        across = (longest - 2 * _MARGIN - _GAP * (number - 1)) / number - gaps
        down = (longest - 2 * _MARGIN - header - _GAP * (rows - 1)) / rows
        return min(across / aspect, down - _around(beside), 720)

    number = columns or max(range(1, len(cards) + 1), key=tile)
    height = max(int(tile(number)), _SHORTEST_TILE)
    rows = math.ceil(len(cards) / number)
    return _Layout(number, rows, height, math.ceil(height * aspect) + gaps, header, beside)


def _around(beside: bool) -> int:
    """What a card is higher than its pictures."""
    return _PAD + (0 if beside else _LABEL) + _CAPTION + _PAD // 2


def _draw(cards: Sequence[Sequence[SheetItem]], layout: _Layout, title: str, longest: int) -> Any:
    # late: Pillow is only needed once there is a picture.
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", layout.size, _PAPER)
    pen = ImageDraw.Draw(sheet)
    write = _Writing(sheet)
    shown = [item for card in cards for item in card]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        sizes = [(round(layout.tile * item.aspect), layout.tile) for item in shown]
        tiles = iter(list(pool.map(_tile, shown, sizes)))
    if title:
        width = layout.size[0] - 2 * _MARGIN
        write.line((_MARGIN, _MARGIN - 4), title, 30, width, _TEXT, bold=True)
    for number, card in enumerate(cards):
        row, column = divmod(number, layout.columns)
        x = _MARGIN + column * (layout.card_width + _GAP)
        y = _MARGIN + layout.header + row * (layout.card_height + _GAP)
        box = (x, y, x + layout.card_width - 1, y + layout.card_height - 1)
        pen.rounded_rectangle(box, 12, _CARD, _EDGE)
        if layout.beside:
            room = _BESIDE - _PAD // 2
            write.line((x + _PAD, y + _PAD - 2), card[0].label, 16, room, _ACCENT, bold=True)
            left, top = x + _PAD + _BESIDE, y + _PAD
        else:
            room = layout.card_width - 2 * _PAD
            write.line((x + _PAD, y + _PAD - 5), card[0].label, 20, room, _ACCENT, bold=True)
            left, top = x + _PAD, y + _PAD + _LABEL - 4
        for item in card:
            width = round(layout.tile * item.aspect)
            tile = next(tiles)
            if tile is None:
                _missing(pen, write, item, (left, top, width, layout.tile))
            else:
                sheet.paste(tile, (left, top), _round(tile.size))
            at = (left + 1, top + layout.tile + 4)
            colour = _ALARM if item.alarm else _FAINT if tile is None else _DIM
            write.line(at, item.caption, 15, width - 2, colour)
            left += width + _GAP
    if max(sheet.size) > longest:  # very many cards, whose pictures are as small as they may get
        sheet.thumbnail((longest, longest))
    return sheet


def _tile(item: SheetItem, size: tuple[int, int]) -> Any:
    """An item's picture in the size of its place; None if there is none to show."""
    from PIL import Image, ImageOps  # late: as above

    if item.path is None:
        return None
    width, height = size
    try:
        picture = load_picture(item.path)
    except MediaError:
        return None
    sampling = Image.Resampling.LANCZOS
    if abs(picture.width * height / (picture.height * width) - 1) < 0.03:
        return ImageOps.fit(picture, size, sampling)  # Flow's 1376x768 is a little wider than 16:9
    return ImageOps.pad(picture, size, sampling, color="#000000")


def _round(size: tuple[int, int]) -> Any:
    """A mask with round corners."""
    from PIL import Image, ImageDraw  # late: as above

    width, height = size
    mask: Any = Image.new("L", (width * 2, height * 2), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 2 - 1, height * 2 - 1), 16, 255)
    return mask.resize(size, Image.Resampling.LANCZOS)


def _missing(pen: Any, write: _Writing, item: SheetItem, box: tuple[int, int, int, int]) -> None:
    """A dashed frame with the orientation's name in it."""
    x, y, width, height = box
    dash = 9
    for offset in range(0, width - dash, 2 * dash):
        pen.line((x + offset, y, x + offset + dash, y), _FAINT, 2)
        pen.line((x + offset, y + height - 1, x + offset + dash, y + height - 1), _FAINT, 2)
    for offset in range(0, height - dash, 2 * dash):
        pen.line((x, y + offset, x, y + offset + dash), _FAINT, 2)
        pen.line((x + width - 1, y + offset, x + width - 1, y + offset + dash), _FAINT, 2)
    words = "missing" if item.path is None else "cannot be read"
    write.centred(
        (x + width / 2, y + height / 2), (item.orientation.lower(), words), 15, width - 12
    )


class _Writing:
    """Draws single lines that never run over."""

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet
        self._fonts = Fonts()

    def line(
        self,
        at: tuple[float, float],
        text: str,
        size: int,
        width: float,
        colour: str,
        *,
        bold: bool = False,
    ) -> None:
        text = _one_line(text)
        baseline = at[1] + size
        # Smaller letters before a scene's number is cut off.
        while size > _SMALLEST and self._fonts.width(text, size, bold=bold) > width:
            size -= 1
        shown = self._cut(text, size, width, bold)
        self._fonts.draw(self._sheet, (at[0], baseline), shown, size, colour, bold=bold)

    def centred(
        self, middle: tuple[float, float], lines: Sequence[str], size: int, width: float
    ) -> None:
        x, y = middle
        y -= (len(lines) - 1) * size * 0.7 - size * 0.36
        for text in map(_one_line, lines):
            shown = self._cut(text, size, width, False)
            left = x - self._fonts.width(shown, size) / 2
            self._fonts.draw(self._sheet, (left, y), shown, size, _FAINT)
            y += size * 1.4

    def _cut(self, text: str, size: int, width: float, bold: bool) -> str:
        if self._fonts.width(text, size, bold=bold) <= width:
            return text
        letters = clusters(text)
        while letters and self._fonts.width("".join(letters) + "…", size, bold=bold) > width:
            letters.pop()
        return "".join(letters).rstrip() + "…"


def _one_line(text: str) -> str:
    return " ".join(clean(text).split())
