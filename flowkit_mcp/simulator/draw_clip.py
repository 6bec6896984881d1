"""From a `ClipSpec` to layer files and the ffmpeg arguments that move them."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, ImageOps

from flowkit_mcp.simulator.draw_picture import draw_picture
from flowkit_mcp.simulator.draw_specs import FPS, ClipSpec, PictureSpec

_ENCODE = [
    "-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-crf", "20", "-g", "48",
    "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709",
    "-color_trc", "bt709", "-color_range", "tv",
]  # fmt: skip
_FILE = ["-movflags", "+faststart", "-fflags", "+bitexact", "-map_metadata", "-1", "-f", "mp4"]


def stage_clip(spec: ClipSpec, folder: Path) -> list[str]:
    """Write the layers of a clip into `folder`; returns ffmpeg's arguments without the output."""
    size = (spec.width, spec.height)
    first = spec.start if spec.start is not None else draw_picture(_as_picture(spec))
    _fill(first, size).save(folder / "start.png", compress_level=1)
    frames = spec.duration_s * FPS
    inputs = ["-i", str(folder / "start.png")]
    graph = (
        f"[0]format=gbrp,loop=-1:1,setpts=N/{FPS}/TB,fps={FPS},"
        f"scale=w='2*trunc({spec.width // 2}*(1+0.1*n/{frames}))'"
        f":h='2*trunc({spec.height // 2}*(1+0.1*n/{frames}))':eval=frame:flags=bilinear,"
        f"crop={spec.width}:{spec.height}[a]"
    )
    if spec.end is not None:
        _fill(spec.end, size).save(folder / "end.png", compress_level=1)
        inputs += ["-i", str(folder / "end.png")]
        graph += (
            f";[1]format=gbrp,loop=-1:1,setpts=N/{FPS}/TB,fps={FPS}[b];"
            f"[a][b]xfade=duration=1:offset={spec.duration_s - 1.25}[v0]"
        )
    else:
        graph += ";[a]null[v0]"
    graph += ";[v0]scale=out_color_matrix=bt709:out_range=tv,format=yuv420p[v]"
    note = 220 * 2 ** ((spec.seed % 12) / 12)
    sound = (
        f"aevalsrc='0.05*sin(2*PI*{note:.3f}*t)|0.05*sin(2*PI*{note * 1.5:.3f}*t)'"
        f":s=48000:d={spec.duration_s},afade=d=0.1,afade=t=out:st={spec.duration_s - 0.2}:d=0.2[s]"
    )
    return [
        *inputs, "-filter_complex", f"{graph};{sound}", "-map", "[v]", "-map", "[s]",
        "-frames:v", str(frames), "-r", str(FPS), *_ENCODE,
        "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-ar", "48000", *_FILE,
    ]  # fmt: skip


def upscale_arguments(source: Path, width: int, height: int) -> list[str]:
    """Ffmpeg's arguments, without the output, that enlarge `source` and copy its sound."""
    return [
        "-i", str(source), "-map", "0:v:0", "-map", "0:a:0?", "-vf",
        f"scale={width}:{height}:flags=bicubic,setsar=1",
        *_ENCODE, "-c:a", "copy", *_FILE,
    ]  # fmt: skip


def _fill(image: bytes, size: tuple[int, int]) -> Image.Image:
    return ImageOps.fit(Image.open(io.BytesIO(image)).convert("RGB"), size)


def _as_picture(spec: ClipSpec) -> PictureSpec:
    return PictureSpec(spec.prompt, spec.width, spec.height, spec.seed)
