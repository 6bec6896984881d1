"""Words and logos as pictures with transparency, placed inside the safe area. Blocking.

A film's words are drawn here and never reach ffmpeg as text, so no text can be taken for a filter, and
every script that a font of the machine has is shaped and ordered as it should be (Pillow with Raqm).
"""

from __future__ import annotations

import bisect
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.cut import CaptionStyle, Corner, Logo, TextSize, Title, TitleKind
from flowkit_mcp.media.captions import clean
from flowkit_mcp.media.fonts import Fonts
from flowkit_mcp.media.lines import clusters, led, units
from flowkit_mcp.media.stills import load_picture, save_bytes

_CAPTION_SIZE = {TextSize.SMALL: 0.85, TextSize.MEDIUM: 1.0, TextSize.LARGE: 1.25}


@dataclass(frozen=True)
class Safe:
    """The part of a frame that no player, phone or app covers, in pixels.

    Upright films keep clear of what Shorts and its like draw at the bottom and on the right.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def middle(self) -> int:
        return (self.left + self.right) // 2


@dataclass(frozen=True)
class Card:
    """A PNG and where its upper left corner goes."""

    picture: Path
    x: int
    y: int
    width: int
    height: int


def safe_area(width: int, height: int) -> Safe:
    """5 % at the sides of a lying film, 12 % of an upright one, whose lowest 22 % stay free too."""
    if height > width:
        return Safe(
            round(width * 0.12), round(height * 0.10), round(width * 0.88), round(height * 0.78)
        )
    return Safe(
        round(width * 0.05), round(height * 0.06), round(width * 0.95), round(height * 0.92)
    )


class Artist:
    """Draws for films of one size; each picture goes into `folder` once, named after its content."""

    def __init__(self, width: int, height: int, folder: Path, fonts: Fonts) -> None:
        self.width, self.height = width, height
        self.safe = safe_area(width, height)
        self._folder, self._fonts = folder, fonts
        #: What sizes follow: lying films are read from farther away.
        self._unit = width / 18 if height > width else height / 20

    def caption(self, text: str, style: CaptionStyle) -> Card:
        """A caption in at most two or three lines, smaller if it must be."""
        size = self._unit * 0.95 * _CAPTION_SIZE[style.size]
        room = self.safe.width * (0.96 if self.height > self.width else 0.82)
        most = 3 if self.height > self.width else 2
        lines, size = self._fitting(text, size, room, most, bold=True)
        image = self._text(
            [(line, size, True) for line in lines],
            style.colour,
            outline=0 if style.box else max(2, size // 11),
            box=style.box,
        )
        top = self.safe.top if style.top else self.safe.bottom - image.height
        return self._keep(image, self.safe.middle - image.width // 2, top)

    def title(self, title: Title) -> Card:
        """Big words in the middle, or a name above the captions on the left."""
        if title.kind is TitleKind.LOWER_THIRD:
            return self._lower_third(title)
        image = self._title_text(title.text, title.subtitle, title.colour)
        return self._keep(
            image, self.safe.middle - image.width // 2, (self.height - image.height) // 2
        )

    def full(self, text: str, subtitle: str, ground: str, to: Path) -> Path:
        """A whole frame with words on a plain ground, as PNG."""
        from PIL import Image  # late: Pillow is only needed once there is a picture

        frame = Image.new("RGB", (self.width, self.height), ground)
        dark = sum(int(ground[at : at + 2], 16) for at in (1, 3, 5)) < 384
        words = self._title_text(text, subtitle, "#F5F5F5" if dark else "#161616", shadow=False)
        place = ((self.width - words.width) // 2, (self.height - words.height) // 2)
        frame.paste(words, place, words)
        return _save(frame, to)

    def picture(self, source: Path, to: Path) -> Path:
        """A picture file as a whole frame, as PNG.

        Raises:
            MediaError: it is missing or damaged.
        """
        return _save(self.filled(load_picture(source)), to)

    def filled(self, image: Any) -> Any:
        """All of an image as a whole frame, before a blurred and darker one of itself."""
        from PIL import Image, ImageEnhance, ImageFilter, ImageOps  # late: as above

        size = (self.width, self.height)
        if abs(image.width * size[1] / (image.height * size[0]) - 1) < 0.03:
            return ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        frame = ImageOps.fit(image, size, Image.Resampling.BICUBIC)
        frame = frame.filter(ImageFilter.GaussianBlur(max(size) / 40))
        frame = ImageEnhance.Brightness(frame).enhance(0.55)
        whole = ImageOps.contain(image, size, Image.Resampling.LANCZOS)
        frame.paste(whole, ((size[0] - whole.width) // 2, (size[1] - whole.height) // 2))
        return frame

    def logo(self, logo: Logo) -> Card:
        """The person's logo in its corner of the safe area.

        Raises:
            MediaError: the file is missing or damaged.
        """
        from PIL import Image  # late: as above

        given = load_picture(Path(logo.file), transparent=True)
        width = max(2, round(min(self.width, self.height) * logo.width))
        height = max(2, round(given.height * width / given.width))
        image = given.resize((width, height), Image.Resampling.LANCZOS)
        alpha = image.getchannel("A").point([round(value * logo.opacity) for value in range(256)])
        image.putalpha(alpha)
        right = logo.corner in (Corner.TOP_RIGHT, Corner.BOTTOM_RIGHT)
        low = logo.corner in (Corner.BOTTOM_LEFT, Corner.BOTTOM_RIGHT)
        return self._keep(
            image,
            self.safe.right - width if right else self.safe.left,
            self.safe.bottom - height if low else self.safe.top,
        )

    def unwritable(self, text: str) -> str:
        """What to tell a person of letters that no font here has; empty if all can be written."""
        return self._fonts.unwritable(text)

    def _title_text(self, text: str, subtitle: str, colour: str, *, shadow: bool = True) -> Any:
        room = self.safe.width * 0.92
        lines, size = self._fitting(text, self._unit * 2.0, room, 3, bold=True)
        below: list[tuple[str, int, bool]] = []
        if clean(subtitle):
            rest, small = self._fitting(subtitle, self._unit * 0.95, room, 3, bold=False)
            below = [(line, small, False) for line in rest]
        return self._text([(line, size, True) for line in lines] + below, colour, shadow=shadow)

    def _lower_third(self, title: Title) -> Card:
        from PIL import Image, ImageDraw  # late: as above

        room = self.safe.width * (0.8 if self.height > self.width else 0.5)
        lines, size = self._fitting(title.text, self._unit * 1.15, room, 2, bold=True)
        rows = [(line, size, True) for line in lines]
        if clean(title.subtitle):
            rest, small = self._fitting(title.subtitle, self._unit * 0.8, room, 2, bold=False)
            rows += [(line, small, False) for line in rest]
        words = self._text(rows, title.colour, left=True)
        pad, bar = round(self._unit * 0.5), max(3, round(self._unit * 0.14))
        size_of = (words.width + 2 * pad + bar, words.height + pad)
        image: Any = Image.new("RGBA", size_of, (0, 0, 0, 0))
        pen = ImageDraw.Draw(image)
        pen.rounded_rectangle((0, 0, size_of[0] - 1, size_of[1] - 1), bar * 2, (10, 12, 16, 165))
        pen.rounded_rectangle((0, 0, bar - 1, size_of[1] - 1), bar // 2, title.colour)
        image.alpha_composite(words, (bar + pad, pad // 2))
        # Above the place of the captions: three large lines of an upright film, else two.
        bottom = self.safe.bottom - round(self._unit * (4.9 if self.height > self.width else 3.4))
        return self._keep(image, self.safe.left, bottom - image.height)

    def _fitting(
        self, text: str, size: float, room: float, most: int, *, bold: bool
    ) -> tuple[list[str], int]:
        """Lines that fit, and the size of letters at which they do; smaller before a word is broken."""
        smallest = size * 0.6
        text = clean(text) or " "
        while True:
            whole = size <= smallest or self._widest_word(text, round(size), bold) <= room
            lines = self._wrapped(text, round(size), room, bold=bold)
            if (whole and len(lines) <= most) or size <= smallest:
                return lines, round(size)
            size *= 0.93

    def _wrapped(self, text: str, size: int, room: float, *, bold: bool) -> list[str]:
        lines: list[str] = []
        for paragraph in text.split("\n"):
            found = _greedy(paragraph, self._wider_than(room, size, bold))
            if len(found) > 1:
                found = self._balanced(paragraph, size, room, len(found), bold)
            lines += [led(line, paragraph) for line in found]
        return lines

    def _balanced(self, text: str, size: int, room: float, count: int, bold: bool) -> list[str]:
        """The narrowest column that needs no more lines and breaks no word: lines of equal length."""
        high = room
        low = min(room, max(room / count / 2, self._widest_word(text, size, bold)))
        for width in (low + (high - low) * step / 8 for step in range(9)):
            found = _greedy(text, self._wider_than(width, size, bold))
            if len(found) <= count:
                return found
        return _greedy(text, self._wider_than(room, size, bold))

    def _widest_word(self, text: str, size: int, bold: bool) -> float:
        words = (word.rstrip() for line in text.split("\n") for word in units(line))
        return max((self._fonts.width(word, size, bold=bold) for word in words), default=0.0)

    def _wider_than(self, width: float, size: int, bold: bool) -> Callable[[str], bool]:
        return lambda line: self._fonts.width(line, size, bold=bold) > width + 0.5

    def _text(
        self,
        rows: Sequence[tuple[str, int, bool]],
        colour: str,
        *,
        outline: int = 0,
        box: bool = False,
        shadow: bool = True,
        left: bool = False,
    ) -> Any:
        """Rows of (text, size, bold) under each other, cropped to what is drawn."""
        from PIL import Image, ImageDraw, ImageFilter  # late: as above

        widths = [self._fonts.width(text, size, bold=bold) for text, size, bold in rows]
        tallest = max(size for _, size, _ in rows)
        pad = round(tallest * 0.45)
        width = round(max(widths)) + 2 * pad
        height = round(sum(size * 1.28 for _, size, _ in rows)) + 2 * pad
        words: Any = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        y = float(pad)
        for (text, size, bold), across in zip(rows, widths, strict=True):
            x = float(pad) if left else (width - across) / 2
            place = (x, y + size)
            self._fonts.draw(words, place, text, size, colour, bold=bold, outline=outline)
            y += size * 1.28
        if box:
            ground: Any = Image.new("RGBA", words.size, (0, 0, 0, 0))
            edge = pad // 3
            ImageDraw.Draw(ground).rounded_rectangle(
                (edge, edge, width - edge, height - edge), pad // 2, (0, 0, 0, 190)
            )
            return Image.alpha_composite(ground, words)
        if shadow:
            soft: Any = Image.new("RGBA", words.size, (0, 0, 0, 0))
            dark = words.getchannel("A").filter(ImageFilter.GaussianBlur(tallest / 10))
            soft.putalpha(dark.point([min(255, round(value * 1.1)) for value in range(256)]))
            words = Image.alpha_composite(soft, words)
        cropped = words.getbbox()
        return words.crop(cropped) if cropped else words

    def _keep(self, image: Any, x: int, y: int) -> Card:
        # Even places and sizes, so that colours, which have half the resolution, stay in place.
        x, y = max(0, x) // 2 * 2, max(0, y) // 2 * 2
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=4)
        data = buffer.getvalue()
        path = self._folder / f"card-{hashlib.sha256(data).hexdigest()[:24]}.png"
        if not path.exists():
            save_bytes(data, path)
        return Card(path, x, y, image.width, image.height)


def _greedy(text: str, wide: Callable[[str], bool]) -> list[str]:
    """A line in lines, each as full as it can be; what may not be broken is, where it is too wide alone."""
    lines: list[str] = []
    line = ""
    for unit in units(text):
        if not wide((line + unit).rstrip()):
            line += unit
            continue
        if line:
            lines.append(line.rstrip())
        letters = clusters(unit.rstrip())
        while len(letters) > 1 and wide("".join(letters)):
            # Wider with every letter, so the place to break is found by halving.
            fits = bisect.bisect_left(
                range(1, len(letters)), True, key=lambda n, of=letters: wide("".join(of[:n]))
            )
            lines.append("".join(letters[: max(1, fits)]))
            letters = letters[max(1, fits) :]
        line = "".join(letters) + unit[len(unit.rstrip()) :]
    return [*lines, line.rstrip()] if line else lines


def _save(image: Any, to: Path) -> Path:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4)
    return save_bytes(buffer.getvalue(), to)
