"""A picture as a stack of layers, each with the way it moves in a clip.

Composed at rest the layers are the picture; `draw_clip` moves the same layers.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFilter, ImageOps

from flowkit_mcp.simulator import draw_backdrop, draw_text
from flowkit_mcp.simulator.draw_figure import draw_figure, feet
from flowkit_mcp.simulator.draw_recipe import Figure, Recipe
from flowkit_mcp.simulator.draw_shapes import (
    Size,
    darker,
    glow,
    gradient,
    layer,
    lighter,
    mix,
    place,
)  # fmt: skip


@dataclass(frozen=True)
class Motion:
    """How far a layer is from its place at frame n, in 720ths of the picture's short side.

    `drift` per second; `sway` is (reach across, reach up, seconds per swing); at n = 0 all is zero.
    `scroll` per second: downwards and round again, for a sheet whose halves are alike.
    """

    drift: tuple[float, float] = (0.0, 0.0)
    sway: tuple[float, float, float] = (0.0, 0.0, 1.0)
    scroll: float = 0.0


@dataclass(frozen=True)
class Layer:
    """A sprite with its corner in picture pixels."""

    image: Image.Image
    x: int
    y: int
    motion: Motion | None = None


@dataclass(frozen=True)
class Stage:
    """The opaque backdrop, what moves before it, and the caption bar, which never moves."""

    backdrop: Image.Image
    layers: tuple[Layer, ...]
    bar: Image.Image
    size: Size

    def at_rest(self) -> Image.Image:
        """The picture."""
        art = self.backdrop.convert("RGBA")
        for item in self.layers:
            place(art, item.image, item.x, item.y)
        out = Image.new("RGB", self.size)
        out.paste(art.convert("RGB"), (0, 0))
        out.paste(self.bar, (0, self.size[1] - self.bar.height))
        return out


def bar_height(size: Size) -> int:
    """Height of the caption bar; even, so that clips can be cut along it."""
    return 2 * round((0.088 if size[0] >= size[1] else 0.095) * size[1] / 2)


def build(recipe: Recipe, size: Size, photo: Image.Image | None = None) -> Stage:
    """Draw all layers of a recipe for a picture of `size`; a `photo` replaces the drawn backdrop."""
    bar = draw_bar(recipe, size)
    art = (size[0], size[1] - bar.height)
    if photo is not None:
        backdrop, layers = ImageOps.fit(photo, art).convert("RGBA"), _cast(recipe, art)
    elif recipe.kind in ("character", "object"):
        backdrop, layers = _studio(recipe, art)
    else:
        backdrop, layers = _scene(recipe, art)
    if recipe.tint is not None:
        wash = Image.new("RGBA", art, (*recipe.tint, 70))
        layers.append(Layer(wash, 0, 0))
    if recipe.edits:
        layers.append(_sparkles(recipe, art))
    return Stage(backdrop, tuple(layers), bar, size)


def _studio(recipe: Recipe, art: Size) -> tuple[Image.Image, list[Layer]]:
    """A full-length portrait on a plain backdrop, the name beneath."""
    w, h = art
    figure = recipe.figures[0]
    soft = lighter(mix(figure.body, (236, 232, 228), 0.62), 0.2)
    backdrop = gradient(
        art,
        [(0, lighter(soft, 0.35)), (0.72, soft), (0.76, darker(soft, 0.1)), (1, darker(soft, 0.2))],
    )
    backdrop = backdrop.convert("RGBA")
    tall = round(min(h * 0.66, w * 0.92))
    halo = glow(round(tall * 0.75), (255, 255, 255), 0.55)
    place(backdrop, halo, w / 2 - halo.width / 2, h * 0.42 - halo.height / 2)
    foot = h * 0.83
    place(backdrop, _shadow(round(tall * 0.26), soft), w / 2 - tall * 0.31, foot - tall * 0.05)
    _swatches(backdrop, figure)
    size = round(min(w, h) * 0.06)
    name = draw_text.shorten(figure.name, size, w * 0.86)
    draw_text.draw(
        backdrop,
        ((w - draw_text.width(name, size)) / 2, h * 0.885),
        name,
        size,
        darker(figure.body, 0.62),
    )
    layers = [_standing(figure, tall, w / 2, foot, "rest", 0, flip=False)]
    return backdrop, layers


def _swatches(image: Image.Image, figure: Figure) -> None:
    """Three dots of the character's colours: what to compare in the scenes."""
    w, h = image.size
    r = round(min(w, h) * 0.024)

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        for i, colour in enumerate((figure.body, figure.accent, figure.hair)):
            y = (i * 2.7 + 1.2) * r * s
            pen.ellipse((0.1 * r * s, y - r * s, 2.1 * r * s, y + r * s), fill=(255, 255, 255))
            pen.ellipse((0.3 * r * s, y - 0.8 * r * s, 1.9 * r * s, y + 0.8 * r * s), fill=colour)

    place(image, layer((round(2.3 * r), round(8 * r)), paint), w * 0.05, h * 0.045)


def _scene(recipe: Recipe, art: Size) -> tuple[Image.Image, list[Layer]]:
    w, h = art
    sky = draw_backdrop.draw_sky(recipe, art)
    layers: list[Layer] = []
    indoors = recipe.place.motif == "room"
    if not indoors and recipe.place.motif != "space":
        sun, x, y = draw_backdrop.draw_sun(recipe, art)
        sinks = -4.0 if recipe.time in ("dawn", "day") else 4.0
        layers.append(Layer(sun, x, y, Motion(drift=(3.0, sinks))))
    for number, (cloud, x, y) in enumerate(draw_backdrop.draw_clouds(recipe, art)):
        layers.append(Layer(cloud, x, y, Motion(drift=(18.0 + 8 * (number % 3), 0))))
    if recipe.time != "night" and recipe.place.motif not in ("room", "space", "city"):
        layers.append(_flock(recipe, art))
    land = draw_backdrop.draw_land(recipe, art)
    for _, x, tall in _places(recipe.figures, recipe, art):
        place(
            land,
            _shadow(round(tall * 0.24), (40, 40, 60)),
            x - tall * 0.29,
            _foot(art) - tall * 0.045,
        )
    if indoors:
        sky.alpha_composite(land)
    else:
        box = land.getbbox() or (0, 0, w, h)
        layers.append(Layer(land.crop(box), box[0], box[1]))
    layers += _cast(recipe, art) + _front(recipe, art)
    return sky, layers


def _cast(recipe: Recipe, art: Size) -> list[Layer]:
    """The figures with their name tags; those on the right face left."""
    layers: list[Layer] = []
    for number, (figure, x, tall) in enumerate(_places(recipe.figures, recipe, art)):
        pose = recipe.pose if number == 0 or recipe.pose == "up" else "rest"
        layers.append(_standing(figure, tall, x, _foot(art), pose, number, flip=x > art[0] / 2 + 1))
        if figure.name:
            layers.append(_name_tag(figure, x, _foot(art), art))
    return layers


def _flock(recipe: Recipe, art: Size) -> Layer:
    """A few far birds that cross the sky."""
    dice = random.Random(f"flock {recipe.place.key} {recipe.seed}")
    r = min(art) * 0.012
    spots = [
        (dice.uniform(1, 11) * r, dice.uniform(1, 5) * r, dice.uniform(0.6, 1)) for _ in range(4)
    ]

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        for x, y, size in spots:
            q = r * size * s
            for side in (-1, 1):
                cx = x * s + side * q
                box = (cx - q, y * s - q * 0.7, cx + q, y * s + q * 0.9)
                pen.arc(box, 195, 345, fill=(60, 62, 92, 210), width=max(2, round(q * 0.3)))

    sprite = layer((round(13 * r), round(7 * r)), paint)
    x, y = dice.uniform(0.1, 0.5) * art[0], dice.uniform(0.2, 0.34) * art[1]
    return Layer(sprite, round(x), round(y), Motion(drift=(46.0, -6.0), sway=(0.0, 5.0, 1.4)))


def _foot(art: Size) -> float:
    return art[1] * (0.925 if art[0] >= art[1] else 0.90)


def _places(
    figures: tuple[Figure, ...], recipe: Recipe, art: Size
) -> list[tuple[Figure, float, int]]:
    """Each figure with the place of its feet and its height; the seed moves them a little."""
    w, h = art
    dice = random.Random(f"cast {recipe.seed} {recipe.place.key}")
    count = len(figures)
    if not count:
        return []
    tall = min(h * 0.56, w * (0.62 if count == 1 else 0.54 if count == 2 else 1.34 / count))
    gap = min(tall * 0.66, w * 0.84 / count)
    start = w * dice.uniform(0.42, 0.58) - gap * (count - 1) / 2
    start = min(max(start, tall * 0.36), w - tall * 0.36 - gap * (count - 1))
    return [(f, start + gap * i, round(tall * f.size)) for i, f in enumerate(figures)]


def _standing(
    figure: Figure, tall: int, x: float, foot: float, pose: str, number: int, *, flip: bool
) -> Layer:
    sprite = draw_figure(figure, tall, pose, flip=flip)
    fx, fy = feet(tall)
    lively = pose in ("up", "wave")
    motion = Motion(sway=(2.0, 13.0 if lively else 7.0, 1.0 + 0.13 * (number % 3)))
    return Layer(
        sprite,
        round(x - (sprite.width - fx if flip else fx)),
        round(foot - fy),
        None if figure.thing else motion,
    )


def _name_tag(figure: Figure, x: float, foot: float, art: Size) -> Layer:
    """A small pill with the character's name at its feet."""
    size = max(11, round(min(art) * 0.026))
    name = draw_text.shorten(figure.name, size, min(art) * 0.3)
    wide, tall = round(draw_text.width(name, size) + size * 1.9), round(size * 1.7)
    pill = layer((wide, tall), lambda pen, s: pen.rounded_rectangle(
        (0, 0, wide * s - 1, tall * s - 1), tall * s / 2, fill=(24, 22, 40, 165)))  # fmt: skip
    dot = layer((tall, tall), lambda pen, s: pen.ellipse(
        (tall * 0.3 * s, tall * 0.3 * s, tall * 0.7 * s, tall * 0.7 * s), fill=figure.body))  # fmt: skip
    pill.alpha_composite(dot)
    draw_text.draw(pill, (size * 1.35, size * 0.24), name, size, (255, 252, 244))
    left = min(max(round(x - wide / 2), 4), art[0] - wide - 4)
    return Layer(pill, left, round(min(foot + art[1] * 0.012, art[1] - tall - 3)))


def _shadow(radius: int, colour: tuple[int, int, int]) -> Image.Image:
    wide, tall = round(radius * 2.4), round(radius * 0.42)
    fill = (*darker(colour, 0.7), 120)

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        w, h = wide * s, tall * s
        pen.ellipse((w * 0.1, h * 0.15, w * 0.9, h * 0.85), fill=fill)

    blot = layer((wide, tall), paint)
    return blot.filter(ImageFilter.GaussianBlur(max(1, tall * 0.09)))


def _front(recipe: Recipe, art: Size) -> list[Layer]:
    """What flies, falls or glows before the cast; a tall sheet that scrolls through."""
    w, h = art
    unit = min(art) / 720
    dice = random.Random(f"front {recipe.place.key} {recipe.seed}")
    dark = recipe.time in ("night", "dusk")
    if recipe.weather == "snow":
        count, rise, kind = 170, 46.0, "flake"
    elif recipe.weather == "rain":
        count, rise, kind = 190, 300.0, "drop"
    elif recipe.place.motif in ("forest", "meadow", "village") and dark:
        count, rise, kind = 34, -14.0, "firefly"
    elif recipe.place.motif in ("city", "space", "sea"):
        return []
    else:
        count, rise, kind = 40, -9.0, "mote"
    dots = [(dice.random() * w, dice.random() * h, dice.uniform(0.5, 1.3)) for _ in range(count)]

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        for x, y, size in dots:
            r = size * unit * s * {"flake": 3.2, "firefly": 2.6}.get(kind, 1.7)
            at = (x * s, y * s)
            if kind == "drop":
                pen.line(
                    [at, (at[0] - 4 * unit * s, at[1] + 26 * unit * s * size)],
                    fill=(226, 238, 255, 165),
                    width=max(1, round(2 * unit * s)),
                )
                continue
            colour = {"flake": (255, 255, 255, 225), "firefly": (255, 240, 140, 240)}.get(
                kind, (255, 250, 224, 120)
            )
            if kind == "firefly":
                pen.ellipse(
                    (at[0] - 3 * r, at[1] - 3 * r, at[0] + 3 * r, at[1] + 3 * r),
                    fill=(255, 236, 130, 46),
                )
            pen.ellipse((at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=colour)

    half = layer((w, h), paint, 1 if kind == "drop" else 2)
    sheet = Image.new("RGBA", (w, h * 2), (0, 0, 0, 0))
    sheet.paste(half, (0, 0))
    sheet.paste(half, (0, h))
    return [Layer(sheet, 0, -h, Motion(sway=(6.0, 0.0, 3.0), scroll=rise))]


def _sparkles(recipe: Recipe, art: Size) -> Layer:
    """A handful of bright stars: the sign that this picture was edited."""
    w, h = art
    dice = random.Random(f"edit {recipe.edits[-1]}")
    spots = [
        (dice.uniform(0.06, 0.94) * w, dice.uniform(0.05, 0.4) * h, dice.uniform(0.5, 1))
        for _ in range(9)
    ]

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        for x, y, size in spots:
            r = min(w, h) * 0.026 * size
            star = [
                ((x + math.cos(i * math.pi / 4) * r * (1, 0.26)[i % 2]) * s,
                 (y + math.sin(i * math.pi / 4) * r * (1, 0.26)[i % 2]) * s)
                for i in range(8)
            ]  # fmt: skip
            pen.polygon(star, fill=(255, 248, 214, 240))

    return Layer(layer(art, paint), 0, 0, Motion(sway=(0, 5.0, 1.6)))


def draw_bar(recipe: Recipe, size: Size) -> Image.Image:
    """The caption bar: cast, prompt, orientation, and the SIMULATED mark."""
    w, tall = size[0], bar_height(size)
    wide = w >= size[1]
    bar = Image.new("RGB", (w, tall), (24, 23, 38))
    pen = ImageDraw.Draw(bar)
    pen.rectangle((0, 0, w, max(1, tall // 34)), fill=(255, 196, 92))
    big, small = round(tall * (0.34 if wide else 0.21)), round(tall * (0.27 if wide else 0.175))
    pad = round(tall * 0.24)
    mark = "SIMULATED"
    right = w - pad - draw_text.width(mark, small)
    draw_text.draw(bar, (right, tall * (0.2 if wide else 0.16)), mark, small, (255, 196, 92))
    shape = "16:9" if wide else "9:16"
    draw_text.draw(
        bar,
        (w - pad - draw_text.width(shape, small), tall * (0.56 if wide else 0.42)),
        shape,
        small,
        (190, 188, 206),
    )
    room = right - 2 * pad
    caption = recipe.caption or "no prompt"
    names = (
        "  ·  ".join(dict.fromkeys(name for name in recipe.cast if name))
        or f"{recipe.place.motif}, {recipe.time}"
    )
    if wide:
        draw_text.draw(
            bar, (pad, tall * 0.14), draw_text.shorten(caption, big, room), big, (250, 248, 242)
        )
        draw_text.draw(
            bar,
            (pad, tall * 0.56),
            draw_text.shorten(names, small, room * 0.9),
            small,
            (156, 200, 226),
        )
        return bar
    lines = draw_text.wrap(caption, big, room, 2)
    for i, line in enumerate(lines):
        draw_text.draw(bar, (pad, tall * (0.1 + 0.25 * i)), line, big, (250, 248, 242))
    draw_text.draw(
        bar, (pad, tall * 0.66), draw_text.shorten(names, small, room), small, (156, 200, 226)
    )
    return bar
