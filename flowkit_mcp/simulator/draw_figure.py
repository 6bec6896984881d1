"""The cast: small storybook figures, drawn from a `Figure` in any size.

All lengths below are in hundredths of the figure's height: x from −45 to 45 around its middle,
y from −8 above its head down to 100 at its feet.
"""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from flowkit_mcp.simulator.draw_recipe import Figure
from flowkit_mcp.simulator.draw_shapes import Point, darker, lighter, mix, outlined, shaded
from flowkit_mcp.simulator.draw_words import Rgb

_LEFT, _TOP, _WIDE, _TALL = -46, -12, 92, 116
_FEET = 100 - _TOP


class _Pen:
    """Draws in figure units on a larger canvas."""

    def __init__(self, height: int, scale: int) -> None:
        self.k = height * scale / 100
        self.image = Image.new("RGBA", (round(_WIDE * self.k), round(_TALL * self.k)), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self.image)

    def _at(self, points: tuple[Point, ...]) -> list[Point]:
        return [((x - _LEFT) * self.k, (y - _TOP) * self.k) for x, y in points]

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Rgb) -> None:
        self._draw.ellipse([*self._at(((x - rx, y - ry), (x + rx, y + ry)))], fill=fill)

    def shape(self, fill: Rgb, *points: Point) -> None:
        self._draw.polygon(self._at(points), fill=fill)

    def box(self, x: float, y: float, x2: float, y2: float, round_: float, fill: Rgb) -> None:
        self._draw.rounded_rectangle(self._at(((x, y), (x2, y2))), round_ * self.k, fill=fill)

    def line(self, fill: Rgb, width: float, *points: Point) -> None:
        """A line with round ends and joints."""
        at, half = self._at(points), width * self.k / 2
        self._draw.line(at, fill=fill, width=max(1, round(half * 2)), joint="curve")
        for x, y in at:
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=fill)

    def arc(
        self, x: float, y: float, rx: float, ry: float, a: int, b: int, fill: Rgb, w: float
    ) -> None:
        box = self._at(((x - rx, y - ry), (x + rx, y + ry)))
        self._draw.arc([*box], a, b, fill=fill, width=max(1, round(w * self.k)))

    def pie(self, x: float, y: float, rx: float, ry: float, a: int, b: int, fill: Rgb) -> None:
        box = self._at(((x - rx, y - ry), (x + rx, y + ry)))
        self._draw.pieslice([*box], a, b, fill=fill)


def draw_figure(
    figure: Figure, height: int, pose: str = "rest", *, flip: bool = False
) -> Image.Image:
    """A sprite of the figure; `feet` says where it stands."""
    scale = 3 if height < 260 else 2
    pen = _Pen(height, scale)
    if figure.thing:
        _thing(pen, figure)
    elif figure.species == "robot":
        _robot(pen, figure, pose)
    else:
        _person(pen, figure, pose)
    sprite = shaded(pen.image.reduce(scale), 0.26)
    sprite = outlined(sprite, (255, 250, 242), max(1, round(height * 0.0065)))
    return sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else sprite


def feet(height: int) -> Point:
    """Where the feet are in the sprite of a figure of `height`, in pixels from its corner."""
    return -_LEFT * height / 100, _FEET * height / 100


def _person(pen: _Pen, figure: Figure, pose: str) -> None:
    animal = figure.species != "human"
    fur = figure.body if animal else figure.skin
    coat = figure.accent if animal else figure.body
    cloth, trim = darker(coat, 0.12), figure.accent if not animal else lighter(coat, 0.45)
    if figure.extra == "cape":
        cape = darker(figure.accent, 0.15)
        pen.shape(cape, (-10, 44), (10, 44), (27, 90), (14, 93), (0, 89), (-14, 93), (-27, 90))
    if figure.extra == "backpack":
        pen.box(-25, 47, -6, 74, 6, darker(figure.accent, 0.25))
        pen.box(-25, 58, -12, 73, 4, figure.accent)
    if figure.species == "dragon":
        for s in (-1, 1):
            wing = darker(figure.accent, 0.2)
            pen.shape(
                wing,
                (s * 10, 50),
                (s * 40, 30),
                (s * 37, 48),
                (s * 30, 52),
                (s * 28, 62),
                (s * 12, 66),
            )
    if animal:
        _tail(pen, figure, fur)
    elif figure.style in (1, 3):  # long hair falls behind the body
        pen.box(-17, 24, 17, 62 if figure.style == 1 else 52, 12, darker(figure.hair, 0.2))
    legs = darker(figure.body if not animal else fur, 0.45)
    for x in (-7.5, 7.5):
        pen.line(legs, 7.5, (x, 80), (x, 95))
        pen.oval(x + 1.5, 97, 6, 3.4, darker(legs, 0.35))
    _body(pen, figure, coat, cloth, trim)
    _arms(pen, coat, fur, pose, figure)
    _head(pen, figure, fur, animal)
    if figure.extra == "scarf":
        knit = figure.accent
        pen.box(-13, 42.5, 13, 50.5, 4, knit)
        pen.box(4, 47, 11, 66, 3, darker(knit, 0.14))
        pen.line(lighter(knit, 0.5), 1.2, (4.6, 62), (10.4, 62))
    if figure.extra == "satchel":
        pen.line(darker(figure.accent, 0.45), 1.8, (-10, 47), (14, 72))
        pen.box(9, 69, 24, 81, 3, darker(figure.accent, 0.25))
        pen.box(9, 69, 24, 75, 3, figure.accent)


def _body(pen: _Pen, figure: Figure, coat: Rgb, cloth: Rgb, trim: Rgb) -> None:
    hem = 84 if figure.style % 2 else 80
    wide = 21 if figure.style in (1, 3, 4) else 17
    outline: list[Point] = [(-10, 43), (10, 43), (14, 48)]
    outline += [(14 + (wide - 14) * s * s, 48 + (hem - 48) * s) for s in (0.3, 0.6, 0.85, 1)]
    outline += [(wide * c, hem + 3.2 * (1 - c * c)) for c in (0.6, 0.2, -0.2, -0.6)]
    outline += [(-(14 + (wide - 14) * s * s), 48 + (hem - 48) * s) for s in (1, 0.85, 0.6, 0.3)]
    pen.shape(coat, *outline, (-14, 48))
    pen.shape(cloth, (0, 46), (1.6, 46), (2.4, hem + 2.6), (0, hem + 3))
    for y in (55, 63, 71):
        pen.oval(-3, y, 1.3, 1.3, trim)
    pen.line(trim, 2.4, (-wide + 1, hem - 1.5), (-wide * 0.5, hem + 0.6), (0, hem + 1.3),
             (wide * 0.5, hem + 0.6), (wide - 1, hem - 1.5))  # fmt: skip
    pen.shape(lighter(coat, 0.25), (-9, 43), (0, 50), (9, 43))


def _arms(pen: _Pen, coat: Rgb, hand: Rgb, pose: str, figure: Figure) -> None:
    right: tuple[Point, ...] = {
        "wave": ((13, 50), (25, 43), (29, 29)),
        "point": ((13, 50), (25, 52), (36, 48)),
        "up": ((13, 50), (24, 42), (27, 28)),
    }.get(pose, ((13, 50), (20, 60), (20, 70)))
    left: tuple[Point, ...] = ((-13, 50), (-20, 60), (-20, 70))
    if pose == "up":
        left = ((-13, 50), (-24, 42), (-27, 28))
    for arm in (left, right):
        pen.line(darker(coat, 0.16), 8, *arm[:-1], arm[-1])
        pen.oval(*arm[-1], 4.6, 4.6, hand)
    if figure.extra == "lantern":
        x, y = left[-1]
        pen.arc(x, y + 5, 4, 5, 180, 360, (70, 60, 60), 1.2)
        pen.box(x - 5, y + 5, x + 5, y + 18, 2, (70, 60, 60))
        pen.box(x - 3.6, y + 7, x + 3.6, y + 16, 1.5, (255, 222, 120))
        pen.oval(x, y + 12, 2, 3, (255, 250, 220))


def _head(pen: _Pen, figure: Figure, skin: Rgb, animal: bool) -> None:
    if animal:
        _ears(pen, figure, skin)
        pen.oval(0, 27, 16.8, 16.4, skin)
        _muzzle(pen, figure, skin)
    else:
        _hair_behind(pen, figure)
        pen.oval(0, 27, 16.8, 16.4, skin)
        pen.pie(0, 26, 18, 18.6, 180, 360, figure.hair)
        part = -3.2 if figure.style % 2 else 2.6
        pen.pie(part, 28, 13.6, 10.5, 180, 360, skin)
        pen.box(-15, 25.9, 15, 28.5, 1.2, skin)
        for x in (-16.5, 16.5):
            pen.oval(x, 29, 2.6, 3.4, skin)
    _face(pen, figure, skin, animal)
    _hat(pen, figure)


def _hair_behind(pen: _Pen, figure: Figure) -> None:
    hooded = figure.headgear == "hood"
    if hooded:
        pen.oval(0, 24.5, 22, 22.5, darker(figure.body, 0.1))
        pen.oval(0, 26, 19.4, 19.6, darker(figure.body, 0.4))
    elif figure.style == 4:  # curls
        dice = random.Random(figure.key)
        for _ in range(16):
            x, y = dice.uniform(-15, 15), dice.uniform(9, 32)
            pen.oval(x, y, 6.5, 6.5, darker(figure.hair, 0.1))
    elif figure.style == 2:  # a bun
        pen.oval(0, 3, 7, 7, darker(figure.hair, 0.12))
    pen.oval(0, 24, 18.6, 17 if hooded else 18.4, figure.hair)


def _muzzle(pen: _Pen, figure: Figure, fur: Rgb) -> None:
    if figure.species == "bird":
        for x in (-7, 7):
            pen.oval(x, 28.5, 8, 9, lighter(fur, 0.72))
        pen.shape((244, 170, 60), (-5.5, 31), (0, 29), (5.5, 31), (0, 38.5))
        pen.line((206, 128, 44), 0.9, (-4.6, 31.6), (0, 32.8), (4.6, 31.6))
        return
    pen.oval(0, 33, 8.5, 6.6, lighter(fur, 0.62))
    pen.oval(0, 30, 2.6, 2, (60, 44, 50))


def _face(pen: _Pen, figure: Figure, skin: Rgb, animal: bool) -> None:
    for x in (-6.4, 6.4):
        if sum(skin) < 500 and not animal:
            pen.oval(x, 28.5, 3.1, 3.6, (250, 246, 240))
        pen.oval(x, 28.5, 2.1, 2.9, (46, 36, 52))
        pen.oval(x + 0.7, 27.4, 0.8, 0.9, (255, 255, 255))
        blush = lighter(skin, 0.3) if animal else mix(skin, (236, 112, 108), 0.5)
        pen.oval(x * 1.6, 33.4, 2.7, 1.7, blush)
    if figure.extra == "beard" and not animal:
        pen.pie(0, 32, 15.4, 17, 0, 180, figure.hair)
        for x in (-4.4, 4.4):
            pen.oval(x, 33.5, 5.4, 2.8, lighter(figure.hair, 0.35))
        pen.oval(0, 31, 2.2, 1.7, darker(skin, 0.12))
    elif figure.species != "bird":
        pen.arc(0, 33, 3.6, 3.4, 20, 160, (140, 62, 62), 1.1)
    if figure.extra == "glasses":
        for x in (-6.6, 6.6):
            pen.arc(x, 28.5, 5.2, 5.2, 0, 360, darker(figure.accent, 0.35), 1.3)
        pen.line(darker(figure.accent, 0.35), 1.1, (-1.6, 28), (1.6, 28))


def _ears(pen: _Pen, figure: Figure, fur: Rgb) -> None:
    inner = lighter(fur, 0.45)
    for s in (-1, 1):
        match figure.species:
            case "rabbit":
                pen.line(fur, 8, (s * 8, 14), (s * 10, -5))
                pen.line(inner, 3.4, (s * 8.4, 12), (s * 10, -3))
            case "bear":
                pen.oval(s * 13, 12, 6.5, 6.5, fur)
                pen.oval(s * 13, 12, 3.4, 3.4, inner)
            case "dog":
                pen.oval(s * 16.5, 26, 5.6, 11, darker(fur, 0.3))
            case "bird":
                pen.oval(s * 3, 10, 3, 6, darker(fur, 0.15))
            case "dragon":
                pen.shape(lighter(fur, 0.7), (s * 11, 15), (s * 16, -3), (s * 4, 11))
                pen.shape(darker(fur, 0.2), (-3.5, 12), (0, 3), (3.5, 12))
            case _:
                pen.shape(fur, (s * 16, 24), (s * 15.5, 1), (s * 3, 12))
                pen.shape(inner, (s * 13.6, 17), (s * 13.6, 6), (s * 7, 12))


def _tail(pen: _Pen, figure: Figure, fur: Rgb) -> None:
    if figure.species in ("cat", "dragon"):
        pen.line(darker(fur, 0.1), 5.5, (12, 80), (26, 80), (32, 70), (30, 58))
    elif figure.species in ("fox", "dog"):
        pen.line(darker(fur, 0.1), 11, (14, 80), (26, 74), (30, 62))
        pen.oval(30.4, 58.5, 5.2, 6.4, lighter(fur, 0.75))
    elif figure.species == "rabbit":
        pen.oval(18, 79, 6, 6, lighter(fur, 0.6))


def _hat(pen: _Pen, figure: Figure) -> None:
    hat, shade = figure.accent, darker(figure.accent, 0.22)
    match figure.headgear:
        case "beanie":
            pen.pie(0, 19, 18.6, 19, 180, 360, hat)
            pen.box(-19.4, 15.5, 19.4, 21.5, 3, shade)
            pen.oval(0, -1, 4.6, 4.6, lighter(hat, 0.5))
        case "brim":
            pen.box(-12.5, -3, 12.5, 17, 7, hat)
            pen.box(-12.5, 9.5, 12.5, 14.5, 0.5, darker(hat, 0.45))
            pen.oval(0, 16, 24.5, 4.2, shade)
        case "cap":
            pen.pie(0, 18, 18.4, 18.4, 180, 360, hat)
            pen.box(-2, 14.5, 26, 18.8, 2.2, shade)
        case "crown":
            pen.shape(
                (244, 200, 80), (-13, 14), (-15, -2), (-7, 6), (0, -5), (7, 6), (15, -2), (13, 14)
            )
            pen.oval(0, 8, 2, 2, hat)
        case "bow":
            pen.shape(hat, (9, 7), (-1, 1), (-1, 13))
            pen.shape(hat, (9, 7), (19, 1), (19, 13))
            pen.oval(9, 7, 3, 3, shade)
        case _:
            pass


def _robot(pen: _Pen, figure: Figure, pose: str) -> None:
    shell, dark = lighter(figure.body, 0.12), darker(figure.body, 0.42)
    for x in (-9, 9):
        pen.line(dark, 6, (x, 78), (x, 93))
        pen.box(x - 8, 92, x + 9, 100, 3, darker(figure.body, 0.25))
    _arms(pen, dark, shell, pose, figure)
    pen.box(-19, 46, 19, 82, 8, shell)
    pen.box(-12, 53, 12, 70, 4, darker(shell, 0.5))
    for i, x in enumerate((-7, 0, 7)):
        pen.oval(x, 61.5, 2.4, 2.4, figure.accent if i != 1 else lighter(figure.accent, 0.6))
    pen.box(-5, 40, 5, 48, 1, dark)
    pen.line(dark, 1.8, (0, 10), (0, -3))
    pen.oval(0, -4, 3.8, 3.8, figure.accent)
    pen.box(-21, 8, 21, 42, 10, shell)
    pen.box(-16, 14, 16, 35, 7, (36, 40, 62))
    for x in (-7, 7):
        pen.oval(x, 23.5, 3.6, 3.9, lighter(figure.accent, 0.55))
        pen.oval(x + 1, 22.4, 1.2, 1.3, (255, 255, 255))
    pen.arc(0, 27, 4, 4, 25, 155, lighter(figure.accent, 0.55), 1.4)
    for s in (-1, 1):
        pen.box(s * 23 - 2.5, 20, s * 23 + 2.5, 31, 2, figure.accent)


def _thing(pen: _Pen, figure: Figure) -> None:
    body, accent = figure.body, figure.accent
    match figure.style % 3:
        case 0:  # a chest
            pen.box(-30, 62, 30, 99, 4, darker(body, 0.1))
            pen.pie(0, 63, 30, 20, 180, 360, body)
            pen.box(-30, 62, 30, 66, 1, darker(body, 0.4))
            pen.box(-6, 59, 6, 74, 2, accent)
            pen.oval(0, 67, 2, 2, darker(accent, 0.6))
        case 1:  # a gem
            pen.shape(body, (-26, 62), (-14, 46), (14, 46), (26, 62), (0, 99))
            pen.shape(lighter(body, 0.4), (-14, 46), (-8, 62), (8, 62), (14, 46))
            pen.shape(lighter(body, 0.2), (-26, 62), (-14, 46), (-8, 62))
            pen.shape(darker(body, 0.2), (26, 62), (8, 62), (0, 99))
        case _:  # a lamp
            pen.arc(0, 46, 12, 14, 180, 360, darker(body, 0.4), 3)
            pen.shape(body, (-20, 56), (0, 42), (20, 56))
            pen.box(-16, 55, 16, 92, 3, darker(body, 0.35))
            pen.box(-12, 59, 12, 88, 3, lighter(accent, 0.65))
            pen.oval(0, 76, 4, 7, (255, 252, 230))
            pen.box(-20, 90, 20, 99, 3, body)
