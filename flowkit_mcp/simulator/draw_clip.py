"""From a `ClipSpec` to layer files and the ffmpeg arguments that move them.

One ffmpeg process per clip: still layers are overlaid at places that depend on the frame's number,
the camera is a growing scale with a crop, and the caption bar lies still on top. Only numbers enter
the filter graph; all text is drawn into layers beforehand. Blending in RGB makes steps of one pixel
possible (4:2:0 would round to two) and leaves one colour conversion, at the end.

Measured for 4 s of 720p on two busy cores: drawing the layers 0.4 s (0.9 s for two pictures),
ffmpeg 1.6–1.8 s of which the filters are 1.0–1.4 s; superfast is the fastest preset that still
writes High profile, and only a tenth slower than ultrafast.
"""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageStat

from flowkit_mcp.simulator import draw_text
from flowkit_mcp.simulator.draw_picture import draw_picture, fill
from flowkit_mcp.simulator.draw_recipe import Recipe, read_recipe
from flowkit_mcp.simulator.draw_shapes import Size, scaled
from flowkit_mcp.simulator.draw_specs import FPS, ClipSpec, PictureSpec
from flowkit_mcp.simulator.draw_stage import Layer, Motion, bar_height, build

_ENCODE = [
    "-c:v", "libx264", "-profile:v", "high", "-preset", "superfast", "-crf", "18", "-g", "48",
    "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709",
    "-color_trc", "bt709", "-color_range", "tv", "-flags:v", "+bitexact",
]  # fmt: skip
_SOUND = ["-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000", "-flags:a", "+bitexact"]
_FILE = ["-movflags", "+faststart", "-fflags", "+bitexact", "-map_metadata", "-1", "-f", "mp4"]
# The encoder believes the frames' own tags before its options.
_TAGS = "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
_PUSH = 0.07
_FADE_S = 1.0
# Mean difference (of 255) up to which a picture counts as drawn from its recipe; JPEG makes about 1.
_SAME = 5.0


@dataclass(frozen=True)
class _Shot:
    """One side of a clip, scaled to its size: the art that moves and the bar that does not."""

    backdrop: Image.Image
    layers: tuple[Layer, ...]
    bar: Image.Image | None


class _Graph:
    """Collects inputs and filters; names are numbered, so nothing foreign gets in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.inputs: list[str] = []
        self.chains: list[str] = []
        self._labels = 0

    def still(self, image: Image.Image) -> str:
        """Add a picture as an input; returns its label."""
        number = len(self.inputs) // 2
        path = self._folder / f"{number}.png"
        image.save(path, compress_level=1)
        self.inputs += ["-i", str(path)]
        return f"{number}:v"

    def chain(self, *labels: str, filters: str) -> str:
        """Add a filter chain over labelled inputs; returns the label of its output."""
        self._labels += 1
        out = f"l{self._labels}"
        self.chains.append("".join(f"[{label}]" for label in labels) + f"{filters}[{out}]")
        return out


def stage_clip(spec: ClipSpec, folder: Path) -> list[str]:
    """Write the layers of a clip into `folder`; returns ffmpeg's arguments without the output."""
    size, frames = (spec.width, spec.height), spec.duration_s * FPS
    first = spec.start if spec.start is not None else draw_picture(_as_picture(spec))
    graph = _Graph(folder)
    start = _shot(first, size)
    if spec.end is None:
        picture = _film(graph, start, spec, 0, frames, towards_end=False)
    else:
        fade = min(round(_FADE_S * FPS), frames // 2)
        cut = (frames - fade) // 2
        one = _film(graph, start, spec, 0, cut + fade, towards_end=False)
        other = _film(graph, _shot(spec.end, size), spec, cut, frames, towards_end=True)
        picture = graph.chain(
            one,
            other,
            filters=f"xfade=transition=fade:duration={fade / FPS:.6f}:offset={cut / FPS:.6f}",
        )
    picture = _counter(graph, picture, size, frames, framed=start.bar is not None)
    picture = graph.chain(
        picture,
        # trimmed here: before ffmpeg 6, `-frames:v` ends the sound's track as well, three packets early
        filters=f"trim=end_frame={frames},scale=out_color_matrix=bt709:out_range=tv,"
        f"format=yuv420p,setsar=1,{_TAGS}",
    )
    sound = graph.chain(filters=_chord(spec.seed, spec.duration_s))
    return [
        *graph.inputs, "-filter_complex", ";".join(graph.chains), "-map", f"[{picture}]",
        "-map", f"[{sound}]", "-r", str(FPS), *_ENCODE, *_SOUND, *_FILE,
    ]  # fmt: skip


def upscale_arguments(source: Path, width: int, height: int) -> list[str]:
    """Ffmpeg's arguments, without the output, that enlarge `source` and copy its sound."""
    return [
        "-i", str(source), "-map", "0:v:0", "-map", "0:a:0?",
        "-vf", f"scale={int(width)}:{int(height)}:flags=bicubic,setsar=1,{_TAGS}",
        *_ENCODE, "-c:a", "copy", *_FILE,
    ]  # fmt: skip


def _as_picture(spec: ClipSpec) -> PictureSpec:
    return PictureSpec(spec.prompt, spec.width, spec.height, spec.seed)


def _shot(picture: bytes, size: Size) -> _Shot:
    """A picture's layers at the clip's size, or the picture alone where it has none."""
    whole = fill(picture, size) or Image.new("RGB", size, (60, 60, 80))
    recipe = read_recipe(picture)
    if recipe is None:
        return _Shot(whole, (), None)
    with Image.open(io.BytesIO(picture)) as opened:
        original = opened.size
    scale = max(size[0] / original[0], size[1] / original[1])
    left, top = (original[0] * scale - size[0]) / 2, (original[1] * scale - size[1]) / 2
    # Even, because some filters work on pairs of lines.
    art = size[0], 2 * round(((original[1] - bar_height(original)) * scale - top) / 2)
    bar = whole.crop((0, art[1], *size))
    plain = _Shot(whole.crop((0, 0, *art)), (), bar)
    if not recipe.drawn:
        return plain
    return _layered(recipe, picture, original, (scale, left, top), art, bar) or plain


def _layered(
    recipe: Recipe, picture: bytes, original: Size, fit: tuple[float, float, float], art: Size,
    bar: Image.Image,
) -> _Shot | None:  # fmt: skip
    """The layers of a drawn picture; None if drawing it again gives another picture."""
    stage = build(recipe, original)
    with Image.open(io.BytesIO(picture)) as opened:
        difference = ImageChops.difference(stage.at_rest(), opened.convert("RGB"))
    if max(ImageStat.Stat(difference.reduce(8)).mean) > _SAME:
        return None
    scale, left, top = fit
    layers = tuple(
        Layer(
            scaled(
                item.image,
                (
                    max(1, round(item.image.width * scale)),
                    2 * max(1, round(item.image.height * scale / 2)),
                ),
            ),
            round(item.x * scale - left),
            round(item.y * scale - top),
            item.motion,
        )
        for item in stage.layers
    )
    tall = round(stage.backdrop.height * scale)
    backdrop = scaled(stage.backdrop, (round(stage.backdrop.width * scale), tall))
    backdrop = backdrop.crop((round(left), round(top), round(left) + art[0], round(top) + art[1]))
    return _Shot(backdrop.convert("RGB"), layers, bar)


def _film(
    graph: _Graph, shot: _Shot, spec: ClipSpec, begin: int, end: int, *, towards_end: bool
) -> str:
    """One shot in motion from frame `begin` to `end`; at rest at its outer end."""
    frames = end - begin
    w, h = shot.backdrop.size
    # Filters count from 0; motion is counted from the frame at rest.
    n = f"(n-{frames - 1})" if towards_end else "n"
    label = graph.chain(
        graph.still(shot.backdrop),
        filters=f"format=gbrp,loop=loop=-1:size=1,setpts=N/{FPS}/TB,fps={FPS},trim=end_frame={frames}",
    )
    unit = min(spec.width, spec.height) / 720
    # Neighbours that do not move become one layer, so that fewer are blended per frame.
    for item in _merged(shot.layers, (w, h)):
        x, y = _way(item, n, unit)
        label = graph.chain(
            label, graph.still(item.image), filters=f"overlay=x='{x}':y='{y}':format=gbrp"
        )
    dice = random.Random(f"camera {spec.seed} {towards_end}")
    share = f"min(1,abs{n if towards_end else '(n)'}/{max(1, frames - 1)})"
    eased = f"(1+{_PUSH}*{share}*{share}*(3-2*{share}))"
    across, down = dice.uniform(0.25, 0.75), dice.uniform(0.94, 1.0)
    label = graph.chain(
        label,
        filters=(
            f"scale=w='2*round({w / 2}*{eased})':h='2*round({h / 2}*{eased})':eval=frame:flags=bilinear,"
            f"crop={w}:{h}:(iw-ow)*{across:.3f}:(ih-oh)*{down:.3f}"
        ),
    )
    if shot.bar is not None:
        label = graph.chain(label, filters=f"pad={w}:{spec.height}:0:0")
        label = graph.chain(label, graph.still(shot.bar), filters=f"overlay=0:{h}:format=gbrp")
    return label


def _merged(layers: tuple[Layer, ...], size: Size) -> list[Layer]:
    """The layers cut to where they can be seen, still neighbours pasted together."""
    out: list[Layer] = []
    for item in layers:
        still = item.motion is None
        if still and out and out[-1].motion is None:
            canvas = Image.new("RGBA", size, (0, 0, 0, 0))
            for part in (out.pop(), item):
                sheet = Image.new("RGBA", size, (0, 0, 0, 0))
                sheet.paste(part.image, (part.x, part.y))
                canvas.alpha_composite(sheet)
            item = Layer(canvas, 0, 0)
        if item.motion is None or not item.motion.scroll:
            box = item.image.getbbox()
            if box is None:
                continue
            item = Layer(item.image.crop(box), item.x + box[0], item.y + box[1], item.motion)
        out.append(item)
    return out


def _way(item: Layer, n: str, unit: float) -> tuple[str, str]:
    """Where a layer's corner is at frame `n`, as expressions for ffmpeg made of numbers only."""
    move = item.motion or Motion()
    x, y = f"{item.x}", f"{item.y}"
    if move.drift[0]:
        x += f"+{move.drift[0] * unit / FPS:.4f}*{n}"
    if move.drift[1]:
        y += f"+{move.drift[1] * unit / FPS:.4f}*{n}"
    across, up, seconds = move.sway
    turn = f"PI*{n}/{seconds * FPS:.4f}"
    if across:
        x += f"+{across * unit:.3f}*sin({turn})"
    if up:
        y += f"-{up * unit:.3f}*abs(sin({turn}))"
    if move.scroll:
        # From where it rests: a picture of another shape was cut, so that is not half a sheet above the edge.
        half = item.image.height // 2
        y = f"{item.y}+mod(mod({move.scroll * unit / FPS:.4f}*{n},{half})+{half},{half})"
    return x, y


def _counter(graph: _Graph, picture: str, size: Size, frames: int, *, framed: bool) -> str:
    """A small running time and frame number: cuts can be seen to be exact to the frame."""
    short = min(size)
    text = max(9, round(short * 0.021))
    labels = [f"{n // FPS:02d}:{n % FPS:02d}  {n:03d}" for n in range(frames)]
    wide = 2 * round((max(draw_text.width(label, text) for label in labels) + text) / 2)
    tall = 2 * round(text * 0.75)
    sheet = Image.new("RGB", (wide, tall * frames), (24, 23, 38))
    for n, label in enumerate(labels):
        draw_text.draw(sheet, (text * 0.5, n * tall + text * 0.06), label, text, (150, 148, 170))
    strip = graph.chain(
        graph.still(sheet),
        filters=f"format=gbrp,loop=loop=-1:size=1,setpts=N/{FPS}/TB,fps={FPS},crop={wide}:{tall}:0:'n*{tall}'",
    )
    tag_wide = 0
    if not framed:
        tag = Image.new(
            "RGB", (round(draw_text.width("SIMULATED", text) + text), tall), (24, 23, 38)
        )
        draw_text.draw(tag, (text * 0.5, text * 0.06), "SIMULATED", text, (255, 196, 92))
        tag_wide = tag.width
        picture = graph.chain(
            picture,
            graph.still(tag),
            filters=f"overlay={size[0] - tag_wide}:{size[1] - tall}:format=gbrp",
        )
    x, y = size[0] - tag_wide - wide, size[1] - tall
    if framed:
        x, y = size[0] - wide - round(short * 0.11), size[1] - tall - round(short * 0.012)
    return graph.chain(picture, strip, filters=f"overlay={x}:{y}:format=gbrp:shortest=0")


def _chord(seed: int, seconds: int) -> str:
    """A soft chord whose key follows the seed over a breath of noise; silent at both ends."""
    dice = random.Random(f"chord {seed}")
    root = 110 * 2 ** (dice.choice((0, 2, 3, 5, 7, 8, 10, 12)) / 12)
    third = dice.choice((1.25, 1.2, 4 / 3))
    swell = f"(0.75+0.25*sin(PI*t/{seconds}*{dice.choice((1, 2, 3))}))"

    def voice(*tones: tuple[float, float]) -> str:
        return f"{swell}*(" + "+".join(f"{a}*sin(2*PI*{root * f:.3f}*t)" for f, a in tones) + ")"

    left = voice((1, 0.05), (1.5, 0.028), (2 * third, 0.022), (4.01, 0.006))
    right = voice((1, 0.05), (third, 0.028), (3, 0.016), (3.99, 0.006))
    noise = (
        f"anoisesrc=c=pink:a=0.035:r=48000:d={seconds}:seed={dice.randrange(1 << 30)},lowpass=f=700"
    )
    fades = f"afade=t=in:d=0.08,afade=t=out:st={seconds - 0.15:.3f}:d=0.15"
    return (
        f"aevalsrc='{left}|{right}':s=48000:d={seconds}[tone];{noise},aformat=channel_layouts=stereo[air];"
        f"[tone][air]amix=inputs=2:normalize=0,{fades},atrim=end_sample={seconds * 48000}"
    )
