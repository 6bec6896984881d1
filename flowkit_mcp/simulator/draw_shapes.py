"""Small tools of the drawing: colours, gradients, glows, outlines, curves."""

from __future__ import annotations

import colorsys
import itertools
import math
import random
from collections.abc import Callable

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from flowkit_mcp.simulator.draw_words import Rgb

Point = tuple[float, float]
Size = tuple[int, int]


def mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    """`one` with `share` (0 … 1) of `other`."""
    r, g, b = (round(a + (c - a) * share) for a, c in zip(one, other, strict=True))
    return r, g, b


def darker(colour: Rgb, share: float) -> Rgb:
    return mix(colour, (24, 20, 48), share)


def lighter(colour: Rgb, share: float) -> Rgb:
    return mix(colour, (255, 250, 240), share)


def turned(colour: Rgb, hue: float) -> Rgb:
    """The colour with its hue moved by `hue` (1 is the full circle)."""
    h, light, s = colorsys.rgb_to_hls(*(c / 255 for c in colour))
    r, g, b = (round(c * 255) for c in colorsys.hls_to_rgb((h + hue) % 1, light, s))
    return r, g, b


def scaled(image: Image.Image, size: Size) -> Image.Image:
    """The image in another size, smoothly."""
    # Pillow's types name numpy, which is not installed here.
    return image.resize(size, Image.Resampling.BICUBIC)  # pyright: ignore[reportUnknownMemberType]


def curve(image: Image.Image, to: Callable[[int], float]) -> Image.Image:
    """A one-band image with every value 0 … 255 replaced by `to(value)`."""
    table = [min(255, max(0, round(to(value)))) for value in range(256)]
    return image.point(table)  # pyright: ignore[reportUnknownMemberType]  # numpy again


def gradient(size: Size, stops: list[tuple[float, Rgb]]) -> Image.Image:
    """A vertical gradient through `stops` (place 0 … 1, colour)."""
    column = Image.new("RGB", (1, 256))
    for y in range(256):
        at = y / 255
        for (a, one), (b, other) in itertools.pairwise(stops):
            if a <= at <= b or (b, other) == stops[-1]:
                share = min(1.0, max(0.0, (at - a) / (b - a or 1)))
                column.putpixel((0, y), mix(one, other, share * share * (3 - 2 * share)))
                break
    return scaled(column, size)


def glow(radius: int, colour: Rgb, strength: float) -> Image.Image:
    """A soft round light, `2 × radius` pixels wide."""
    light = scaled(Image.radial_gradient("L"), (radius * 2, radius * 2))
    light = curve(light, lambda v: max(0, 1 - v / 181) ** 2.2 * 255 * strength)
    image = Image.new("RGBA", light.size, (*colour, 0))
    image.putalpha(light)
    return image


def layer(
    size: Size, paint: Callable[[ImageDraw.ImageDraw, float], None], scale: int = 2
) -> Image.Image:
    """A transparent layer painted `scale` times larger and reduced, for smooth edges."""
    image = Image.new("RGBA", (size[0] * scale, size[1] * scale), (0, 0, 0, 0))
    paint(ImageDraw.Draw(image), float(scale))
    return image.reduce(scale)


def ridge(dice: random.Random, roughness: float, waves: int = 4) -> Callable[[float], float]:
    """A hilly line: place 0 … 1 from left to right → height about −1 … 1."""
    parts = [
        (dice.uniform(0.6, 1.1) / (k + 1) ** (1.6 - roughness), (k + 1) * dice.uniform(0.8, 1.3),
         dice.uniform(0, math.tau))
        for k in range(waves)
    ]  # fmt: skip
    return lambda x: sum(a * math.sin(math.tau * f * x + p) for a, f, p in parts) / 1.6


def outlined(sprite: Image.Image, colour: Rgb, width: int) -> Image.Image:
    """The sprite on a soft rim of `colour`, which sets it off from any background."""
    alpha = sprite.getchannel("A")
    rim = alpha.filter(ImageFilter.MaxFilter(width * 2 + 1)).filter(
        ImageFilter.GaussianBlur(width / 2)
    )
    out = Image.new("RGBA", sprite.size, (*colour, 0))
    out.putalpha(rim)
    return Image.alpha_composite(out, sprite)


def shaded(sprite: Image.Image, strength: float) -> Image.Image:
    """The sprite with its right side in shade."""
    w, h = sprite.size
    side = scaled(Image.linear_gradient("L").rotate(90), (w, h))
    side = curve(side, lambda v: (v - 110) / 145 * 255 * strength)
    dark = Image.new("RGBA", (w, h), (30, 20, 60, 0))
    dark.putalpha(ImageChops.multiply(side, sprite.getchannel("A")))
    return Image.alpha_composite(sprite, dark)


def place(canvas: Image.Image, sprite: Image.Image, x: float, y: float) -> None:
    """Put a sprite on an RGBA canvas; parts outside are cut off."""
    left, top = round(x), round(y)
    box = (max(0, left), max(0, top), min(canvas.width, left + sprite.width),
           min(canvas.height, top + sprite.height))  # fmt: skip
    if box[0] < box[2] and box[1] < box[3]:
        part = sprite.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
        canvas.alpha_composite(part, (box[0], box[1]))
