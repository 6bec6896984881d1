"""From a `PictureSpec` to JPEG bytes."""

from __future__ import annotations

import io

from PIL import Image, ImageOps

from flowkit_mcp.simulator.draw_recipe import Recipe, comment_of, recipe_for
from flowkit_mcp.simulator.draw_shapes import Size
from flowkit_mcp.simulator.draw_specs import PictureSpec
from flowkit_mcp.simulator.draw_stage import Stage, build

_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def draw_picture(spec: PictureSpec) -> bytes:
    """Draw one picture of exactly `spec.width` × `spec.height` as JPEG."""
    recipe = recipe_for(spec)
    image = draw_recipe(recipe, (spec.width, spec.height), spec.base)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=91, subsampling=0, comment=comment_of(recipe))
    return out.getvalue()


def draw_recipe(recipe: Recipe, size: Size, base: bytes | None = None) -> Image.Image:
    """The picture of a recipe; a photo that is edited stays visible as the backdrop."""
    stage = build(recipe, size)
    photo = None if recipe.drawn or base is None else fill(base, stage.backdrop.size)
    if photo is None:
        return stage.at_rest()
    kept = tuple(item for item in stage.layers if item.motion and item.motion.sway[1])
    return Stage(photo, kept, stage.bar, size).at_rest()


def fill(image: bytes, size: Size) -> Image.Image | None:
    """A picture scaled and cropped to fill `size`; None if it cannot be read."""
    try:
        with Image.open(io.BytesIO(image)) as opened:
            return ImageOps.fit(opened.convert("RGB"), size, Image.Resampling.LANCZOS)
    except _UNREADABLE:
        return None
