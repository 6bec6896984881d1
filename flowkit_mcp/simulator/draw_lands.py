"""What lands are made of: pines, peaks, streets, cacti, tufts; and the inside of a room."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from flowkit_mcp.simulator.draw_shapes import darker, glow, gradient, layer, lighter, mix, place
from flowkit_mcp.simulator.draw_words import Rgb

Pen = ImageDraw.ImageDraw


def draw_pines(
    image: Image.Image, dice: random.Random, base: float, tall: float, fill: Rgb, count: int
) -> None:
    """A row of pines with their feet at `base`, `tall` high at most (shares of the height)."""
    w, h = image.size
    wide = min(w, h * 1.2)
    trees = [((i + dice.random()) / count, dice.uniform(0.55, 1.0)) for i in range(count)]

    def paint(pen: Pen, s: float) -> None:
        for x, size in trees:
            cx, foot, t = x * w * s, (base + 0.02) * h * s, tall * size * h * s * 0.8
            half = min(t * 0.24, wide * s * 0.06)
            pen.rectangle(
                (cx - half * 0.14, foot - t * 0.2, cx + half * 0.14, foot), fill=darker(fill, 0.3)
            )
            for k in range(3):
                y = foot - t * (0.12 + 0.27 * k)
                r = half * (1 - 0.24 * k)
                pen.polygon([(cx - r, y), (cx, y - t * 0.42), (cx + r, y)], fill=fill)
                pen.polygon([(cx, y), (cx, y - t * 0.42), (cx + r, y)], fill=darker(fill, 0.09))

    image.alpha_composite(layer(image.size, paint))


def draw_peaks(
    image: Image.Image,
    dice: random.Random,
    base: float,
    tall: float,
    fill: Rgb,
    snow: Rgb,
    count: int,
) -> None:
    """Pointed mountains with a shaded side and a white cap."""
    w, h = image.size
    peaks = [((i + dice.uniform(0.2, 0.8)) / count, dice.uniform(0.65, 1.0)) for i in range(count)]

    def paint(pen: Pen, s: float) -> None:
        for x, size in peaks:
            cx, foot, t = x * w * s, (base + 0.03) * h * s, tall * size * h * s
            r = t * 0.95
            top = (cx, foot - t)
            pen.polygon([(cx - r, foot), top, (cx + r, foot)], fill=fill)
            pen.polygon([top, (cx + r, foot), (cx + r * 0.12, foot)], fill=darker(fill, 0.14))
            cap = 0.3
            left, right = (cx - r * cap, foot - t * (1 - cap)), (cx + r * cap, foot - t * (1 - cap))
            zig = [
                (cx + r * cap * q, foot - t * (1 - cap) + t * d)
                for q, d in ((0.5, 0.07), (0.1, -0.02), (-0.4, 0.06))
            ]
            pen.polygon([left, top, right, *zig], fill=snow)

    image.alpha_composite(layer(image.size, paint))


def draw_blocks(
    image: Image.Image, dice: random.Random, base: float, tall: float, fill: Rgb, glass: Rgb,
    count: int, dark: bool,
) -> None:  # fmt: skip
    """A row of buildings with windows; many are lit when it is dark."""
    w, h = image.size
    houses = [
        (dice.uniform(0.5, 1.0), dice.uniform(0.8, 1.25), dice.random()) for _ in range(count)
    ]
    lights = random.Random(count)

    def paint(pen: Pen, s: float) -> None:
        for i, (size, wide, roof) in enumerate(houses):
            x, bw = (i - 0.1) / count * w * s, wide * w * s / count
            top, foot = (base - tall * size) * h * s, base * h * s + 2
            pen.rectangle((x, top, x + bw, foot), fill=fill)
            pen.rectangle((x + bw * 0.8, top, x + bw, foot), fill=darker(fill, 0.14))
            if roof > 0.7:
                pen.polygon(
                    [(x, top), (x + bw / 2, top - bw * 0.35), (x + bw, top)], fill=darker(fill, 0.1)
                )
            elif roof < 0.25:
                pen.line(
                    [(x + bw / 2, top), (x + bw / 2, top - 0.04 * h * s)],
                    fill=fill,
                    width=round(3 * s),
                )
            step = min(w, h) * s * 0.03
            cy = top + step * 0.6
            while cy < foot - step:
                cx = x + step * 0.5
                while cx < x + bw * 0.8 - step * 0.6:
                    if lights.random() < (0.5 if dark else 0.85):
                        shade = mix(fill, glass, lights.uniform(0.55, 1.0) if dark else 0.6)
                        pen.rectangle((cx, cy, cx + step * 0.42, cy + step * 0.55), fill=shade)
                    cx += step * 0.9
                cy += step * 1.15

    image.alpha_composite(layer(image.size, paint))


def draw_cacti(image: Image.Image, dice: random.Random, fill: Rgb) -> None:
    w, h = image.size
    spots = [(dice.uniform(0.04, 0.96), dice.uniform(0.08, 0.16)) for _ in range(4)]

    def paint(pen: Pen, s: float) -> None:
        for x, tall in spots:
            cx, foot, t = x * w * s, 0.765 * h * s, tall * h * s
            r = t * 0.11
            pen.rounded_rectangle((cx - r, foot - t, cx + r, foot), r, fill=fill)
            for side, up in ((-1, 0.35), (1, 0.5)):
                far, y = cx + side * r * 3.1, foot - t * up
                pen.rounded_rectangle(
                    (min(cx, far), y - r * 0.7, max(cx, far), y + r * 0.7), r * 0.7, fill=fill
                )
                pen.rounded_rectangle(
                    (far - r * 0.7, y - t * 0.3, far + r * 0.7, y + r * 0.7), r * 0.7, fill=fill
                )

    image.alpha_composite(layer(image.size, paint))


def draw_litter(
    image: Image.Image, dice: random.Random, motif: str, ground: Rgb, top: float, snowy: bool
) -> None:
    """Tufts, flowers, pebbles or a road: what the near ground is strewn with."""
    w, h = image.size
    unit = min(w, h)

    def paint(pen: Pen, s: float) -> None:
        if motif == "city":
            pen.rectangle(
                (0, (top + 0.03) * h * s, w * s, (top + 0.036) * h * s), fill=darker(ground, 0.3)
            )
            for i in range(9):
                x = (i + 0.2) / 9 * w * s
                pen.rectangle(
                    (x, 0.93 * h * s, x + w * s * 0.06, 0.938 * h * s), fill=lighter(ground, 0.55)
                )
            return
        for _ in range(60):
            deep = dice.random()
            x, y = dice.random() * w * s, (top + deep * (0.98 - top)) * h * s
            q = (0.004 + 0.007 * deep) * unit * s
            pick = dice.random()
            if motif in ("meadow", "village", "forest", "mountains") and not snowy:
                blade = darker(ground, 0.14)
                for lean in (-0.8, 0, 0.8):
                    pen.line(
                        [(x, y), (x + lean * q, y - 2.2 * q)],
                        fill=blade,
                        width=max(2, round(q * 0.45)),
                    )
                if pick < 0.28 and motif != "forest":
                    petal = ((255, 244, 214), (250, 170, 180), (250, 210, 110))[
                        round(pick * 100) % 3
                    ]
                    pen.ellipse(
                        (x - q * 0.7, y - 3.1 * q, x + q * 0.7, y - 1.7 * q),
                        fill=mix(petal, ground, 0.15),
                    )
            else:
                shade = lighter(ground, 0.3) if pick < 0.5 else darker(ground, 0.1)
                pen.ellipse((x - 1.6 * q, y - 0.5 * q, x + 1.6 * q, y + 0.5 * q), fill=shade)

    image.alpha_composite(layer(image.size, paint))


def draw_room(image: Image.Image, key: str, dark: float, outside: Rgb, sky: Rgb) -> None:
    """A wall with a window on the sky of the hour, a shelf, a lamp, a rug."""
    w, h = image.size
    unit = min(w, h)
    dice = random.Random(f"room {key}")
    wall: Rgb = dice.choice(
        ((226, 190, 160), (176, 202, 196), (214, 186, 204), (232, 212, 160), (172, 188, 214))
    )
    wall = darker(wall, dark * 0.55)
    floor = darker((178, 122, 84), dark * 0.5)
    image.paste(
        gradient(image.size, [(0, darker(wall, 0.16)), (0.7, lighter(wall, 0.12)), (1, wall)])
    )
    left = dice.random() < 0.5
    wx, sx = (0.12, 0.66) if left else (0.62, 0.08)
    pane = gradient((round(w * 0.26), round(h * 0.34)), [(0, sky), (1, outside)])
    image.paste(pane, (round(w * wx), round(h * 0.16)))
    books = [
        (
            dice.uniform(0.4, 0.95),
            dice.choice(
                ((196, 84, 76), (84, 132, 168), (226, 178, 92), (110, 150, 110), (150, 110, 160))
            ),
        )
        for _ in range(36)
    ]

    def paint(pen: Pen, s: float) -> None:
        def box(x: float, y: float, x2: float, y2: float, fill: Rgb, r: float = 0) -> None:
            pen.rounded_rectangle(
                (x * w * s, y * h * s, x2 * w * s, y2 * h * s), r * unit * s, fill=fill
            )

        frame, t = lighter(wall, 0.55), 0.012 * unit
        tx, ty = t / w, t / h
        for x, y, x2, y2 in (
            (wx - tx, 0.16 - ty, wx + 0.26 + tx, 0.16), (wx - tx, 0.5, wx + 0.26 + tx, 0.5 + ty * 1.6),
            (wx - tx, 0.16, wx, 0.5), (wx + 0.26, 0.16, wx + 0.26 + tx, 0.5),
            (wx + 0.13 - tx / 2, 0.16, wx + 0.13 + tx / 2, 0.5), (wx, 0.32, wx + 0.26, 0.32 + ty),
        ):  # fmt: skip
            box(x, y, x2, y2, frame)
        wood = darker((150, 100, 70), dark * 0.5)
        for row in range(3):
            y = 0.26 + row * 0.13
            box(sx, y + 0.098, sx + 0.27, y + 0.112, wood)
            for i in range(12):
                tall, colour = books[row * 12 + i]
                x = sx + 0.008 + i * 0.0215
                box(
                    x,
                    y + 0.098 - tall * 0.09,
                    x + 0.018,
                    y + 0.098,
                    darker(colour, dark * 0.4),
                    0.002,
                )
        box(0, 0.74, 1, 1, floor)
        box(0, 0.735, 1, 0.75, darker(wall, 0.3))
        for i in range(1, 6):
            y = 0.74 + 0.26 * (i / 6) ** 1.5
            pen.line(
                [(0, y * h * s), (w * s, y * h * s)], fill=darker(floor, 0.14), width=round(2 * s)
            )
        rug = darker((176, 74, 84), dark * 0.4)
        pen.ellipse((0.2 * w * s, 0.82 * h * s, 0.8 * w * s, 0.98 * h * s), fill=lighter(rug, 0.45))
        pen.ellipse((0.22 * w * s, 0.828 * h * s, 0.78 * w * s, 0.972 * h * s), fill=rug)
        lx = (sx + 0.3 if left is False else sx - 0.05) * w * s
        pen.line([(lx, 0.46 * h * s), (lx, 0.8 * h * s)], fill=wood, width=round(0.01 * unit * s))
        q = 0.07 * unit * s
        pen.polygon(
            [
                (lx - q, 0.47 * h * s),
                (lx - q * 0.55, 0.38 * h * s),
                (lx + q * 0.55, 0.38 * h * s),
                (lx + q, 0.47 * h * s),
            ],
            fill=(255, 228, 160),
        )

    image.alpha_composite(layer(image.size, paint))
    lamp = glow(round(unit * 0.34), (255, 214, 140), 0.35 + dark * 0.4)
    place(
        image,
        lamp,
        (sx + 0.3 if not left else sx - 0.05) * w - lamp.width / 2,
        h * 0.43 - lamp.height / 2,
    )
