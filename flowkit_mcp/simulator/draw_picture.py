"""From a `PictureSpec` to JPEG bytes."""

from __future__ import annotations

import hashlib
import io

from PIL import Image, ImageDraw, ImageOps

from flowkit_mcp.simulator import draw_text
from flowkit_mcp.simulator.draw_specs import PictureSpec


def draw_picture(spec: PictureSpec) -> bytes:
    """Draw one picture of exactly `spec.width` × `spec.height` as JPEG."""
    image = Image.linear_gradient("L").resize((spec.width, spec.height))
    image = ImageOps.colorize(image, _colour(spec.prompt), "white")
    if spec.base is not None:
        image = ImageOps.fit(Image.open(io.BytesIO(spec.base)).convert("RGB"), image.size)
    pen = ImageDraw.Draw(image)
    for index, reference in enumerate(spec.references):
        x, y = (index + 1) * spec.width // (len(spec.references) + 1), spec.height // 2
        pen.ellipse((x - 60, y - 60, x + 60, y + 60), fill=_colour(reference.label))
    text = draw_text.shorten(draw_text.clean(f"SIMULATED {spec.prompt}"), 24, spec.width - 40)
    draw_text.draw(image, (20, spec.height - 50), text, 24, (0, 0, 0))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def _colour(text: str) -> tuple[int, int, int]:
    digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
    return digest[0], digest[1], digest[2]
