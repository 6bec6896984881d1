"""Draw the icons: a clapperboard with a play mark, in the four sizes that Chrome asks for and the one of catalogues.

Run it after a change here; the PNGs are kept in git. Drawn eight times as large
and reduced, so that edges are smooth; every line lies on a whole pixel of the smallest size, which has fewer stripes.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageChops, ImageDraw

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "extension" / "icons"
#: Shown by catalogues of plugins and by Claude Desktop.
CATALOGUE = ROOT / ".claude-plugin" / "icon.png"
INK = (27, 28, 29, 255)
PAPER = (250, 250, 248, 255)
TUNGSTEN = (240, 182, 91, 255)
SCALE = 8
#: Size in pixels: stripes on the arm.
SIZES = {16: 2, 32: 3, 48: 4, 128: 4}


def icon(size: int, stripes: int) -> Image.Image:
    """One icon, RGBA. It carries its own light edge, so it reads on a dark toolbar too."""
    side, pixel = size * SCALE, side_of_a_pixel(size)
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)

    def at(x: float, y: float) -> tuple[float, float]:
        return x * side, y * side

    top, bottom = at(0, 1 / 16), at(1, 15 / 16)
    inner_top = (top[0] + pixel, top[1] + pixel)
    inner_bottom = (bottom[0] - pixel - 1, bottom[1] - pixel - 1)
    inner = [inner_top, inner_bottom]
    draw.rounded_rectangle([top, (bottom[0] - 1, bottom[1] - 1)], side / 8, PAPER)
    draw.rounded_rectangle(inner, side / 8 - pixel, INK)
    draw.polygon([at(6 / 16, 7 / 16), at(6 / 16, 13 / 16), at(11 / 16, 10 / 16)], TUNGSTEN)

    # The arm: slanted stripes, cut to the board's shape.
    arm = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(arm)
    for number in range(-1, stripes + 1):
        left, width, lean = number / stripes + 2 / 16, 1 / stripes / 2, 2 / 16
        corners = [
            (left + lean, 0),
            (left + lean + width, 0),
            (left + width, 6 / 16),
            (left, 6 / 16),
        ]
        pen.polygon([at(x, y) for x, y in corners], 255)
    board = Image.new("L", (side, side), 0)
    ImageDraw.Draw(board).rounded_rectangle(inner, side / 8 - pixel, 255)
    ImageDraw.Draw(board).rectangle([at(0, 6 / 16), at(1, 1)], 0)
    image.paste(PAPER, (0, 0), ImageChops.darker(arm, board))
    return image.resize((size, size), Image.Resampling.BOX)


def side_of_a_pixel(size: int) -> int:
    """The width of the light edge in the large drawing: whole pixels of the icon."""
    return max(1, size // 40) * SCALE


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for size, stripes in SIZES.items():
        icon(size, stripes).save(FOLDER / f"{size}.png", optimize=True)
    icon(512, SIZES[128]).save(CATALOGUE, optimize=True)


if __name__ == "__main__":
    main()
