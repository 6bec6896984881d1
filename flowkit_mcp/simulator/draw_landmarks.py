"""Landmarks: the one or two things by which a place is known again."""

from __future__ import annotations

import random
from collections.abc import Callable

from PIL import Image, ImageDraw

from flowkit_mcp.simulator.draw_recipe import Recipe
from flowkit_mcp.simulator.draw_shapes import glow, layer, place
from flowkit_mcp.simulator.draw_words import Rgb

Lit = Callable[[Rgb, float], Rgb]
Pen = ImageDraw.ImageDraw


def draw_landmarks(image: Image.Image, recipe: Recipe, lit: Lit, horizon: float) -> None:
    """The place's landmarks, side by side in the distance, at spots that belong to the place."""
    dice = random.Random(f"marks {recipe.place.key}")
    # The cast stands in the middle: a wide picture has room beside it, an upright one above its heads.
    beside = image.width > image.height
    if dice.random() < 0.5:
        spots = [0.78, 0.2, 0.28 if beside else 0.5, 0.92]
    else:
        spots = [0.2, 0.8, 0.7 if beside else 0.52, 0.08]
    dark = recipe.time in ("night", "dusk")
    for spot, mark in zip(spots, recipe.place.landmarks, strict=False):
        _landmark(image, mark, spot, lit, horizon, dark)


def _landmark(
    image: Image.Image, mark: str, spot: float, lit: Lit, horizon: float, dark: bool
) -> None:
    w, h = image.size
    tall = round(min(h * 0.42, w * 0.5))
    size = (tall, tall)
    k = tall / 100
    window: Rgb = (255, 220, 130) if dark else lit((92, 120, 150), 0)
    paint = _PAINTERS.get(mark)
    if paint is None:
        return

    def scaled(pen: Pen, s: float) -> None:
        paint(_Hand(pen, k * s), lambda colour: lit(colour, 0.08), window)

    x, foot = w * spot - tall / 2, h * (horizon + 0.175)
    if mark in ("balloon", "rainbow", "birds"):
        foot = h * 0.46
    elif mark == "boat":
        foot = h * (horizon + 0.075)
    if dark and mark in ("lighthouse", "campfire"):
        light = glow(round(tall * 0.42), (255, 214, 120), 0.75)
        up = 86 if mark == "lighthouse" else 12
        place(image, light, x + tall / 2 - light.width / 2, foot - up * k - light.height / 2)
    place(image, layer(size, scaled), x, foot - tall)


class _Hand:
    """A pen in hundredths of the landmark's height, y down from its top."""

    def __init__(self, pen: Pen, k: float) -> None:
        self._pen, self._k = pen, k

    def shape(self, fill: Rgb, *points: tuple[float, float]) -> None:
        self._pen.polygon([(x * self._k, y * self._k) for x, y in points], fill=fill)

    def box(self, fill: Rgb, x: float, y: float, x2: float, y2: float, r: float = 0) -> None:
        k = self._k
        self._pen.rounded_rectangle((x * k, y * k, x2 * k, y2 * k), r * k, fill=fill)

    def oval(self, fill: Rgb, x: float, y: float, rx: float, ry: float) -> None:
        k = self._k
        self._pen.ellipse(((x - rx) * k, (y - ry) * k, (x + rx) * k, (y + ry) * k), fill=fill)

    def arc(self, fill: Rgb, x: float, y: float, r: float, a: int, b: int, width: float) -> None:
        k = self._k
        box = ((x - r) * k, (y - r) * k, (x + r) * k, (y + r) * k)
        self._pen.arc(box, a, b, fill=fill, width=max(1, round(width * k)))


Paint = Callable[[_Hand, Callable[[Rgb], Rgb], Rgb], None]


def _lighthouse(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    rock, white, red = lit((116, 110, 120)), lit((246, 242, 236)), lit((208, 66, 62))
    hand.oval(rock, 50, 97, 30, 10)
    hand.oval(lit((134, 128, 136)), 42, 95, 18, 8)
    hand.shape(white, (40, 92), (44.5, 22), (55.5, 22), (60, 92))
    for y in (34, 56, 78):
        a, b = 4.5 * (92 - y) / 70, 4.5 * (82 - y) / 70
        hand.shape(red, (40 + a, y), (60 - a, y), (60 - b, y + 10), (40 + b, y + 10))
    hand.shape(lit((206, 200, 204)), (53, 22), (55.5, 22), (60, 92), (55, 92))
    hand.box(lit((70, 72, 92)), 41, 19, 59, 22.5, 1)
    hand.box((255, 236, 160), 45, 9, 55, 19)
    hand.shape(red, (42.5, 9.5), (50, 1), (57.5, 9.5))
    hand.box(window, 48, 48, 52, 53, 2)
    hand.box(lit((110, 70, 58)), 46.5, 82, 53.5, 92, 3)


def _house(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    wall, roof = lit((244, 226, 198)), lit((186, 88, 70))
    hand.box(lit((132, 92, 78)), 64, 44, 71, 62)
    hand.box(wall, 28, 66, 74, 98)
    hand.box(lit((224, 202, 174)), 58, 66, 74, 98)
    hand.shape(roof, (22, 68), (34, 48), (68, 48), (80, 68))
    hand.box(lit((128, 84, 64)), 45, 80, 54, 98, 3)
    hand.box(window, 33, 76, 41, 85, 1)
    hand.box(window, 61, 76, 69, 85, 1)


def _castle(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    stone, roof = lit((186, 180, 196)), lit((96, 98, 168))
    for x, top, wide in ((14, 46, 14), (72, 46, 14), (40, 28, 20)):
        hand.box(stone, x, top, x + wide, 98)
        hand.box(lit((160, 152, 174)), x + wide * 0.7, top, x + wide, 98)
        hand.shape(roof, (x - 2, top), (x + wide / 2, top - wide * 1.3), (x + wide + 2, top))
        hand.box(window, x + wide / 2 - 1.6, top + 9, x + wide / 2 + 1.6, top + 15, 1.5)
    hand.box(stone, 22, 66, 80, 98)
    for x in range(24, 80, 8):
        hand.box(stone, x, 62, x + 4, 67)
    hand.box(lit((110, 78, 70)), 44, 80, 56, 99, 6)


def _windmill(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.shape(lit((240, 228, 208)), (36, 98), (42, 44), (58, 44), (64, 98))
    hand.shape(lit((172, 92, 74)), (40, 45), (50, 32), (60, 45))
    hand.box(window, 47, 62, 53, 70, 2)
    hand.box(lit((128, 84, 64)), 45.5, 84, 54.5, 98, 3)
    sail = lit((250, 246, 236))
    for dx, dy in ((1, 0.45), (-0.45, 1), (-1, -0.45), (0.45, -1)):
        nx, ny = -dy, dx
        hand.shape(
            sail, (50, 44), (50 + dx * 30, 44 + dy * 30),
            (50 + dx * 30 + nx * 8, 44 + dy * 30 + ny * 8), (50 + dx * 8 + nx * 8, 44 + dy * 8 + ny * 8),
        )  # fmt: skip
    hand.oval(lit((110, 80, 70)), 50, 44, 2.6, 2.6)


def _boat(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.box(lit((110, 80, 66)), 49, 56, 50.6, 90)
    hand.shape(lit((252, 246, 234)), (51.5, 57), (51.5, 86), (68, 86))
    hand.shape(lit((236, 112, 96)), (48, 62), (48, 86), (36, 86))
    hand.shape(lit((148, 84, 70)), (30, 88), (72, 88), (65, 97), (37, 97))
    hand.box(lit((246, 236, 216)), 31, 87.4, 71, 89.4)


def _tent(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.shape(lit((232, 142, 76)), (26, 98), (50, 62), (74, 98))
    hand.shape(lit((200, 112, 62)), (50, 62), (74, 98), (58, 98))
    hand.shape(window, (50, 70), (43, 98), (57, 98))


def _tree(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.shape(lit((122, 84, 66)), (45, 98), (47.5, 60), (52.5, 60), (56, 98))
    for x, y, r, c in (
        (36, 54, 16, 0),
        (64, 54, 16, 2),
        (50, 42, 20, 0),
        (44, 60, 14, 1),
        (58, 62, 13, 2),
    ):
        hand.oval(lit(((104, 168, 92), (124, 184, 102), (86, 146, 84))[c]), x, y, r, r * 0.86)


def _pagoda(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    for i, y in enumerate((74, 54, 36)):
        half = 22 - i * 5
        hand.box(lit((238, 214, 180)), 50 - half * 0.7, y, 50 + half * 0.7, y + 24)
        hand.box(window, 47.5, y + 9, 52.5, y + 18, 1)
        hand.shape(
            lit((176, 64, 62)),
            (50 - half * 1.25, y + 4),
            (50 - half * 0.6, y - 5),
            (50 + half * 0.6, y - 5),
            (50 + half * 1.25, y + 4),
        )
    hand.box(lit((226, 178, 80)), 49, 20, 51, 32)


def _campfire(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.shape((240, 120, 50), (42, 95), (46, 80), (50, 70), (55, 81), (58, 95))
    hand.shape((255, 208, 90), (45, 95), (50, 79), (55, 95))
    hand.box((110, 76, 58), 38, 93, 62, 97, 2)


def _rocket(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.shape(lit((208, 70, 66)), (38, 96), (44, 70), (56, 70), (62, 96))
    hand.shape(lit((240, 240, 246)), (42, 88), (42, 50), (50, 28), (58, 50), (58, 88))
    hand.shape(lit((208, 70, 66)), (44, 44), (50, 28), (56, 44))
    hand.oval(window, 50, 57, 4.4, 4.4)


def _balloon(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.oval(lit((226, 78, 74)), 50, 36, 22, 25)
    hand.oval(lit((248, 196, 96)), 50, 36, 11, 25)
    hand.shape(lit((150, 106, 74)), (44, 72), (56, 72), (54, 82), (46, 82))
    hand.shape(lit((226, 78, 74)), (42, 58), (58, 58), (54, 66), (46, 66))


def _rainbow(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    for i, c in enumerate(
        ((240, 110, 110), (246, 180, 100), (246, 228, 120), (130, 206, 140), (120, 170, 240))
    ):
        hand.arc(c, 50, 96, 48 - i * 4, 180, 360, 4)


def _birds(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    for x, y, r in ((22, 44, 6), (38, 32, 8), (56, 46, 5), (72, 34, 7), (86, 50, 5)):
        hand.arc(lit((70, 74, 104)), x - r, y, r, 200, 350, 1.6)
        hand.arc(lit((70, 74, 104)), x + r, y, r, 190, 340, 1.6)


def _flowers(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    for i, x in enumerate((26, 36, 46, 56, 66, 75)):
        y = 86 - (i * 7) % 9
        hand.box(lit((86, 146, 84)), x - 0.7, y, x + 0.7, 99)
        for dx, dy in ((-3, 0), (3, 0), (0, -3), (0, 3)):
            hand.oval(
                lit(((240, 120, 140), (250, 200, 90), (180, 130, 220))[i % 3]), x + dx, y + dy, 3, 3
            )
        hand.oval(lit((255, 246, 214)), x, y, 2, 2)


def _umbrella(hand: _Hand, lit: Callable[[Rgb], Rgb], window: Rgb) -> None:
    hand.box(lit((120, 90, 76)), 49.2, 60, 50.8, 98)
    hand.shape(lit((222, 80, 84)), (24, 72), (32, 58), (50, 50), (68, 58), (76, 72))
    hand.shape(lit((250, 238, 220)), (41, 72), (44, 56), (50, 50), (56, 56), (59, 72))


_PAINTERS: dict[str, Paint] = {
    "lighthouse": _lighthouse, "house": _house, "castle": _castle, "windmill": _windmill,
    "boat": _boat, "tent": _tent, "tree": _tree, "pagoda": _pagoda, "campfire": _campfire,
    "rocket": _rocket, "balloon": _balloon, "rainbow": _rainbow, "birds": _birds,
    "flowers": _flowers, "umbrella": _umbrella,
}  # fmt: skip
