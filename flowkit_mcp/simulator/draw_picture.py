"""From a `PictureSpec` to JPEG bytes."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from flowkit_mcp.simulator.draw_recipe import Recipe, comment_of, read_recipe, recipe_for
from flowkit_mcp.simulator.draw_shapes import Size
from flowkit_mcp.simulator.draw_specs import PictureSpec
from flowkit_mcp.simulator.draw_stage import bar_height, build

_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def draw_picture(spec: PictureSpec) -> bytes:
    """Draw one picture of exactly `spec.width` × `spec.height` as JPEG."""
    if spec.base is not None and not spec.prompt.strip():
        return _resized(spec.base, (spec.width, spec.height))
    recipe = recipe_for(spec)
    image = draw_recipe(recipe, (spec.width, spec.height), spec.base)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=91, subsampling=0, comment=comment_of(recipe))
    return out.getvalue()


def _resized(base: bytes, size: Size) -> bytes:
    """The base itself in another size: an edit that asks for nothing changes nothing."""
    out = io.BytesIO()
    recipe = read_recipe(base)
    image = fill(base, size) or Image.new("RGB", size, (60, 60, 80))
    image.save(
        out, "JPEG", quality=91, subsampling=0, comment=comment_of(recipe) if recipe else b""
    )
    return out.getvalue()


def draw_recipe(recipe: Recipe, size: Size, base: bytes | None = None) -> Image.Image:
    """The picture of a recipe; a photo that is edited stays visible as the backdrop."""
    photo = None if recipe.drawn or base is None else fill(base, size)
    if photo is not None and read_recipe(base or b"") is not None:
        # Edited before: what is kept is the picture, not its old caption.
        photo = photo.crop((0, 0, size[0], size[1] - bar_height(size)))
    return build(recipe, size, photo).at_rest()


def fill(image: bytes, size: Size) -> Image.Image | None:
    """A picture scaled and cropped to fill `size`; None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            return ImageOps.fit(opened.convert("RGB"), size, Image.Resampling.LANCZOS)
    except _UNREADABLE:
        return None
