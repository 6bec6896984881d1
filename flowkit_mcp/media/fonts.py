"""Lines of any script on a picture: each stretch in a font that has its letters, in the order it is read.

One font draws the whole line where one has all its letters. Blocking.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path
from typing import Any

from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.media.faces import BUILT_IN, Face, first_faces, missing, other_face, remedy
from flowkit_mcp.media.lines import DIRECTION_SIGNS, clusters, is_emoji, needs_shaping, stretches

_OUTLINE = "#000000"
#: What makes letters of a font that has no bold as heavy as those beside them, by their size.
_HEAVIER = 0.035


class Fonts:
    """Writes with the person's font if there is one, then with those of the machine."""

    def __init__(self, own: Path | None = None) -> None:
        self._own = [Face(str(own))] if own is not None else []
        if own is not None and not self._own[0].usable:
            raise InvalidSetting(
                f"{own.name} is not a font that can be used", hint="Give a TTF, OTF or TTC file."
            )
        self._pieces = functools.lru_cache(maxsize=2_000)(self._chosen)

    def width(self, text: str, size: int, *, bold: bool = False) -> float:
        """Pixels a line takes."""
        return sum(
            _advance(piece, face, size, way) for piece, face, way in self._pieces(text, bold)
        )

    def faces(self, text: str, *, bold: bool = False) -> list[tuple[str, str]]:
        """A line's stretches from left to right, each with the file of its font; empty where boxes stand."""
        return [(piece, face.file if face else "") for piece, face, _ in self._pieces(text, bold)]

    def draw(
        self,
        image: Any,
        at: tuple[float, float],
        text: str,
        size: int,
        colour: str,
        *,
        bold: bool = False,
        outline: int = 0,
    ) -> None:
        """Write a line onto a picture; `at` is where its baseline begins on the left."""
        from PIL import ImageDraw  # late: Pillow is only needed once there is a picture

        pen = ImageDraw.Draw(image)
        for border in (outline, 0) if outline else (0,):
            x, y = at
            for piece, face, way in self._pieces(text, bold):
                if face is not None and face.coloured:
                    if not border:
                        _paint(image, (x, y), piece, face, size)
                else:
                    heavier = size * _HEAVIER / 2 if bold and face and not face.bold else 0
                    fill = _OUTLINE if border else colour
                    pen.text(
                        (x, y),
                        piece,
                        fill=fill,
                        font=_font(face, size),
                        anchor="ls",
                        direction=way,
                        stroke_width=border + heavier,
                        stroke_fill=fill,
                    )
                x += _advance(piece, face, size, way)

    def unwritable(self, text: str) -> str:
        """What to tell a person of letters that cannot be written rightly here; empty if all can."""
        told: list[str] = []
        scripts = missing(text, [*self._own, *first_faces(False), BUILT_IN])
        if scripts:
            told.append(
                f"no font on this machine writes {', '.join(scripts)}: boxes stand for those letters in "
                f"the picture; {remedy(scripts)}"
            )
        if not _is_shaped() and needs_shaping(text):
            told.append(
                "letters are neither joined nor put in their order here, which this script needs; "
                "install FriBiDi (libfribidi0 on Debian, fribidi for Homebrew, fribidi.dll on Windows)"
            )
        return "; ".join(told)

    def _chosen(self, text: str, bold: bool) -> list[tuple[str, Face | None, str | None]]:
        """A line as (stretch, font, direction) from left to right."""
        first = [*self._own, *first_faces(bold)]
        if not (first and _is_shaped()):
            text = text.translate(dict.fromkeys(map(ord, DIRECTION_SIGNS)))  # they would be drawn
        parts = clusters(text)
        if not any(is_emoji(part) for part in parts):
            whole = next((face for face in first if all(map(face.has, parts))), None)
            if whole is not None:
                return [(text, whole, None)]
        style = _style(text)
        chosen: list[tuple[str, Face | None, str | None]] = []
        for way, stretch in stretches(text):
            runs: list[tuple[str, Face | None, str | None]] = []
            for part in clusters(stretch):
                face = _face_for(part, first, runs[-1][1] if runs else None, bold, style)
                if runs and runs[-1][1] == face:
                    runs[-1] = (runs[-1][0] + part, *runs[-1][1:])
                else:
                    # Only what Raqm shapes can be told a direction, and Pillow's own font is not.
                    runs.append((part, face, way if face and _is_shaped() else None))
            chosen += runs if way == "ltr" else runs[::-1]
        return chosen


def _face_for(
    part: str, first: list[Face], last: Face | None, bold: bool, style: str
) -> Face | None:
    """The font for a cluster: spaces and signs in the one in use, letters in a plain one, else another."""
    if is_emoji(part):
        pictures = other_face(part, bold, style)
        if pictures is not None and pictures.coloured:
            return pictures
    elif last is not None and not last.coloured and not part[0].isalpha() and last.has(part):
        return last
    # One font for all that China, Japan and Korea write, also where a plain one has some of it.
    asked = [last, *first] if last is not None and part[0] >= "\u2e80" else first
    for face in asked:
        if not face.coloured and face.has(part):
            return face
    return other_face(part, bold, style)


def _style(text: str) -> str:
    """Whose shapes a line's Chinese letters have: Japan's beside its kana, Korea's beside Hangul."""
    names = {unicodedata.name(letter, "").split(" ")[0] for letter in text if letter >= "\u3040"}
    return "ja" if names & {"HIRAGANA", "KATAKANA"} else "ko" if "HANGUL" in names else "zh"


@functools.cache
def _is_shaped() -> bool:
    from PIL import features  # late: as above

    return bool(features.check("raqm"))


def _font(face: Face | None, size: int) -> Any:
    return (face or BUILT_IN).font(size)


def _advance(text: str, face: Face | None, size: int, way: str | None) -> float:
    if face is not None and face.strike:
        return face.font(face.strike).getlength(text) * size / face.strike
    return _font(face, size).getlength(text, direction=way)


def _paint(image: Any, at: tuple[float, float], text: str, face: Face, size: int) -> None:
    """Letters that are pictures of their own, in the size of those beside them."""
    from PIL import Image, ImageDraw  # late: as above

    drawn = face.strike or size
    font = face.font(drawn)
    left, top, right, bottom = font.getbbox(text, mode="RGBA", anchor="ls")
    if right <= left or bottom <= top:
        return
    picture: Any = Image.new("RGBA", (int(right - left) + 2, int(bottom - top) + 2), (0, 0, 0, 0))
    ImageDraw.Draw(picture).text((-left, -top), text, font=font, anchor="ls", embedded_color=True)
    scale = size / drawn
    if drawn != size:
        wanted = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(wanted, Image.Resampling.LANCZOS)
    place = (round(at[0] + left * scale), round(at[1] + top * scale))
    image.paste(picture.convert("RGB"), place, picture.getchannel("A"))
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        alpha.paste(255, place, picture.getchannel("A"))
        image.putalpha(alpha)
