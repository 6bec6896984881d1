"""Skies, lands and rooms: everything behind and before the cast.

A backdrop's shapes come from its `Place.key` in relative coordinates, so that both orientations
and all scenes at one place show the same hills and houses; time and weather only colour them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageDraw

from flowkit_mcp.simulator import draw_landmarks, draw_lands
from flowkit_mcp.simulator.draw_recipe import Place, Recipe
from flowkit_mcp.simulator.draw_shapes import (
    Size,
    curve,
    darker,
    glow,
    gradient,
    layer,
    lighter,
    mix,
    place,
    ridge,
    scaled,
    turned,
)  # fmt: skip
from flowkit_mcp.simulator.draw_words import Rgb


@dataclass(frozen=True)
class Light:
    """The colours of an hour."""

    top: Rgb
    middle: Rgb
    low: Rgb
    lamp: Rgb
    dark: float


_LIGHTS = {
    "night": Light((14, 20, 58), (36, 48, 108), (84, 92, 160), (246, 240, 214), 0.62),
    "dawn": Light((96, 128, 196), (246, 176, 168), (255, 228, 184), (255, 240, 204), 0.12),
    "day": Light((64, 156, 230), (146, 208, 246), (232, 246, 244), (255, 246, 196), 0.0),
    "dusk": Light((58, 42, 116), (214, 94, 118), (255, 186, 104), (255, 216, 140), 0.3),
}
_GROUND: dict[str, Rgb] = {
    "meadow": (112, 172, 86), "sea": (226, 204, 150), "forest": (62, 124, 84),
    "city": (112, 116, 134), "desert": (234, 184, 112), "mountains": (104, 150, 104),
    "snow": (232, 240, 250), "village": (136, 178, 88), "space": (168, 152, 176),
    "room": (186, 132, 92),
}  # fmt: skip
HORIZON, FLOOR = 0.60, 0.76


def light_of(recipe: Recipe) -> Light:
    light = _LIGHTS.get(recipe.time, _LIGHTS["day"])
    hue = recipe.place.hue
    grey: Rgb = (150, 160, 176)
    dull = 0.0 if recipe.weather == "clear" else 0.4
    if recipe.place.motif == "space":
        light = _LIGHTS["night"]
    return Light(
        mix(turned(light.top, hue), darker(grey, light.dark), dull),
        mix(turned(light.middle, hue), darker(grey, light.dark), dull),
        mix(turned(light.low, hue), darker(grey, light.dark * 0.7), dull),
        light.lamp,
        light.dark,
    )


def lit(colour: Rgb, light: Light, haze: float = 0.0) -> Rgb:
    """A thing's colour at this hour, `haze` (0 … 1) far away."""
    return mix(mix(colour, light.top, light.dark), light.low, haze)


def draw_sky(recipe: Recipe, size: Size) -> Image.Image:
    """The opaque sky, with stars at night; behind everything."""
    light, (w, h) = light_of(recipe), size
    sky = gradient(
        size, [(0, light.top), (0.42, light.middle), (HORIZON + 0.04, light.low), (1, light.low)]
    )
    sky = sky.convert("RGBA")
    if recipe.time == "night" or recipe.place.motif == "space":
        dice = random.Random(f"stars {recipe.place.key}")

        def stars(pen: ImageDraw.ImageDraw, s: float) -> None:
            for _ in range(130 if recipe.place.motif != "space" else 280):
                x, y = dice.random() * w * s, dice.random() ** 1.4 * h * HORIZON * s
                r = dice.choice((0.8, 1, 1.2, 1.9)) * s * min(w, h) / 760
                pen.ellipse(
                    (x - r, y - r, x + r, y + r), fill=(255, 250, 226, dice.randrange(110, 250))
                )

        sky.alpha_composite(layer(size, stars))
    return sky


def draw_sun(recipe: Recipe, size: Size) -> tuple[Image.Image, int, int]:
    """Sun or moon with its glow, and where its corner is."""
    light, unit = light_of(recipe), min(size)
    radius = round(unit * (0.055 if recipe.time != "dusk" else 0.075))
    halo = glow(radius * 5, light.lamp, 0.62 if recipe.weather == "clear" else 0.35)

    def disc(pen: ImageDraw.ImageDraw, s: float) -> None:
        c, r = radius * 5 * s, radius * s
        pen.ellipse((c - r, c - r, c + r, c + r), fill=lighter(light.lamp, 0.5))
        if recipe.time == "night":
            for dx, dy, part in ((-0.3, -0.2, 0.22), (0.35, 0.3, 0.16), (0.1, -0.5, 0.1)):
                x, y, q = c + dx * r, c + dy * r, part * r
                pen.ellipse((x - q, y - q, x + q, y + q), fill=darker(light.lamp, 0.12))

    halo.alpha_composite(layer(halo.size, disc))
    dice = random.Random(f"sun {recipe.place.key}")
    across = dice.choice((dice.uniform(0.12, 0.3), dice.uniform(0.68, 0.86)))
    down = {"dawn": 0.44, "dusk": 0.47, "night": 0.17}.get(recipe.time, 0.16)
    return halo, round(size[0] * across - radius * 5), round(size[1] * down - radius * 5)


def draw_clouds(recipe: Recipe, size: Size) -> list[tuple[Image.Image, int, int]]:
    """Soft clouds and where their corners are; none in a room or in space."""
    if recipe.place.motif in ("room", "space"):
        return []
    light, unit = light_of(recipe), min(size)
    dice = random.Random(f"clouds {recipe.place.key} {recipe.seed}")
    colour = mix(lighter(light.middle, 0.74), light.lamp, 0.3 if recipe.time != "day" else 0.0)
    if recipe.time == "night":
        colour = lighter(light.middle, 0.18)
    out: list[tuple[Image.Image, int, int]] = []
    for number in range(3 if recipe.weather == "clear" else 5):
        wide = round(unit * dice.uniform(0.26, 0.46))
        tall = round(wide * 0.36)
        puffs = [
            (0.14 + 0.12 * i + dice.uniform(-0.03, 0.03), 0.8 - 0.1 * (3 - abs(i - 3)) * dice.uniform(0.6, 1.4),
             0.07 + 0.03 * (3 - abs(i - 3)) * dice.uniform(0.7, 1.3))
            for i in range(7)
        ]  # fmt: skip

        def paint(pen: ImageDraw.ImageDraw, s: float, wide: int = wide, tall: int = tall,
                  puffs: list[tuple[float, float, float]] = puffs) -> None:  # fmt: skip
            for x, y, r in puffs:
                box = (
                    (x - r) * wide * s,
                    y * tall * s - r * wide * s,
                    (x + r) * wide * s,
                    y * tall * s + r * wide * s,
                )
                pen.ellipse(box, fill=(*colour, 255))
            pen.rectangle((0, tall * 0.8 * s, wide * s, tall * s), fill=(0, 0, 0, 0))

        cloud = layer((wide, tall), paint)
        cloud.putalpha(curve(cloud.getchannel("A"), lambda v: v * 0.78))
        x = round((number + dice.uniform(0.1, 0.7)) / 3 % 1 * size[0] - wide * 0.4)
        out.append((cloud, x, round(size[1] * dice.uniform(0.05, 0.34))))
    return out


def draw_land(recipe: Recipe, size: Size) -> Image.Image:
    """The land with its landmarks on a transparent sky; a room fills it all."""
    light, motif = light_of(recipe), recipe.place.motif
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    if motif == "room":
        draw_lands.draw_room(image, recipe.place.key, light.dark, light.low, light.middle)
        return image
    dice = random.Random(f"land {recipe.place.key}")
    _BACK.get(motif, _hills)(image, recipe.place, light, dice)
    draw_landmarks.draw_landmarks(
        image, recipe, lambda colour, haze: lit(colour, light, haze), HORIZON
    )
    _ground(image, recipe, light, dice)
    if recipe.weather == "fog":
        fog = gradient(size, [(0, light.low), (1, light.low)]).convert("RGBA")
        veil = scaled(Image.linear_gradient("L"), size)
        veil = curve(veil, lambda v: 170 * max(0, 1 - abs(v / 255 - HORIZON) * 3.2))
        fog.putalpha(veil)
        image.alpha_composite(fog)
    return image


def _band(
    image: Image.Image, line: Callable[[float], float], base: float, swing: float, fill: Rgb
) -> None:
    """Fill below a hilly line at `base` (0 … 1 from above), `swing` high."""
    w, h = image.size

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        top = [(x / 64 * w * s, (base - swing * line(x / 64)) * h * s) for x in range(65)]
        pen.polygon([*top, (w * s, h * s), (0, h * s)], fill=fill)

    image.alpha_composite(layer(image.size, paint))


def _hills(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    green = turned((96, 160, 110), spot.hue)
    for step, (base, swing) in enumerate(((0.50, 0.06), (0.56, 0.05), (0.64, 0.035))):
        _band(
            image,
            ridge(dice, 0.3, 3),
            base,
            swing,
            lit(darker(green, step * 0.08), light, 0.55 - step * 0.2),
        )


def _forest(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    green = turned((52, 118, 92), spot.hue)
    _band(image, ridge(dice, 0.3), 0.46, 0.05, lit(green, light, 0.62))
    for step, (base, tall) in enumerate(((0.58, 0.20), (0.66, 0.27), (0.76, 0.36))):
        colour = lit(darker(green, 0.1 + step * 0.12), light, 0.42 - step * 0.16)
        draw_lands.draw_pines(image, dice, base, tall, colour, 15 - step * 3)
        _band(image, ridge(dice, 0.2), base - 0.005, 0.012, colour)


def _mountains(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    rock = turned((108, 120, 158), spot.hue)
    for step in range(2):
        draw_lands.draw_peaks(
            image, dice, 0.62, 0.38 - step * 0.14, lit(rock, light, 0.5 - step * 0.22),
            lit((250, 252, 255), light, 0.12), 3 + step)  # fmt: skip
    cold = spot.motif == "snow"
    tree = lit((70, 120, 104) if not cold else (120, 156, 168), light, 0.2)
    _band(
        image,
        ridge(dice, 0.3),
        0.62,
        0.02,
        lit((230, 238, 250) if cold else (98, 146, 104), light, 0.2),
    )
    draw_lands.draw_pines(image, dice, 0.68, 0.12, tree, 14)


def _sea(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    w, h = image.size
    water = mix(turned((48, 132, 176), spot.hue), light.top, 0.25 + light.dark * 0.5)
    _band(image, ridge(dice, 0.2), HORIZON - 0.045, 0.03, lit((120, 142, 150), light, 0.6))
    sea = gradient(
        (w, round(h * (1 - HORIZON))),
        [(0, mix(water, light.low, 0.55)), (0.4, water), (1, darker(water, 0.25))],
    )
    image.paste(sea, (0, round(h * HORIZON)))

    def waves(pen: ImageDraw.ImageDraw, s: float) -> None:
        for _ in range(70):
            deep = dice.random()
            y = (HORIZON + 0.01 + deep * 0.19) * h * s
            x, long = dice.random() * w * s, (0.012 + 0.05 * deep) * w * s
            pen.rounded_rectangle((x, y, x + long, y + max(2, (1 + 2.2 * deep) * s * h / 760)), 3 * s,
                                  fill=(*light.lamp, round(70 + 90 * (1 - deep))))  # fmt: skip

    image.alpha_composite(layer(image.size, waves))


def _city(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    wall = turned((120, 124, 168), spot.hue)
    for step, (tall, count) in enumerate(((0.42, 15), (0.33, 12), (0.24, 9))):
        colour = lit(darker(wall, step * 0.16), light, 0.5 - step * 0.2)
        glass = (255, 216, 130) if light.dark > 0.2 else lighter(colour, 0.35)
        draw_lands.draw_blocks(
            image, dice, 0.78, tall + 0.16, colour, glass, count, light.dark > 0.2
        )


def _desert(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    sand = turned((236, 178, 108), spot.hue)
    for step, (base, swing) in enumerate(((0.52, 0.05), (0.59, 0.06), (0.68, 0.05))):
        _band(
            image,
            ridge(dice, 0.1, 2),
            base,
            swing,
            lit(darker(sand, 0.22 - step * 0.07), light, 0.42 - step * 0.16),
        )
    draw_lands.draw_cacti(image, dice, lit((86, 146, 98), light, 0.12))


def _space(image: Image.Image, spot: Place, light: Light, dice: random.Random) -> None:
    w, h = image.size
    planet, r = turned((226, 150, 120), dice.uniform(-0.2, 0.2)), round(min(w, h) * 0.17)

    def paint(pen: ImageDraw.ImageDraw, s: float) -> None:
        pen.ellipse((r * s, r * s, 3 * r * s, 3 * r * s), fill=planet)
        for y, half in ((1.45, 0.83), (2.25, 0.96), (2.6, 0.79)):
            pen.rounded_rectangle(((2 - half) * r * s, y * r * s, (2 + half) * r * s, (y + 0.12) * r * s),
                                  0.06 * r * s, fill=darker(planet, 0.13))  # fmt: skip
        pen.arc(
            (0.2 * r * s, 1.6 * r * s, 3.8 * r * s, 2.5 * r * s),
            -20,
            200,
            fill=(*lighter(planet, 0.5), 220),
            width=round(r * 0.09 * s),
        )

    place(
        image, layer((4 * r, 4 * r), paint), w * dice.choice((0.2, 0.72)) - 2 * r, h * 0.3 - 2 * r
    )
    _band(image, ridge(dice, 0.5), 0.66, 0.04, lit((150, 132, 168), light, 0.12))


_BACK: dict[str, Callable[[Image.Image, Place, Light, random.Random], None]] = {
    "meadow": _hills, "village": _hills, "forest": _forest, "mountains": _mountains,
    "snow": _mountains, "sea": _sea, "city": _city, "desert": _desert, "space": _space,
}  # fmt: skip


def _level(_: float) -> float:
    return 0.0


def _ground(image: Image.Image, recipe: Recipe, light: Light, dice: random.Random) -> None:
    """What the cast stands on, with small things that suit it."""
    motif = recipe.place.motif
    colour = turned(_GROUND[motif], recipe.place.hue)
    if recipe.weather == "snow":
        colour = mix(colour, (236, 242, 252), 0.8)
    near = lit(colour, light, 0.0)
    flat = motif in ("city",)
    line = _level if flat else ridge(dice, 0.15, 2)
    _band(image, line, FLOOR + 0.012, 0.016, lighter(near, 0.2))
    _band(image, line, FLOOR + 0.024, 0.016, near)
    draw_lands.draw_litter(image, dice, motif, near, FLOOR + 0.05, recipe.weather == "snow")
