"""What the encoded clips promise: exact frames, size, sound, and ends that match their pictures."""

import array
import asyncio
import io
import os
import sys
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from flowkit_mcp.errors import MediaError
from flowkit_mcp.simulator.render import ClipSpec, PictureSpec, Reference, Renderer

HOSTILE = "';[0:v]drawtext=text=%{pts},movie=/etc/passwd\\' 🎬 灯台"


@pytest.fixture
async def renderer():
    renderer = Renderer()
    yield renderer
    await renderer.aclose()


class Clip:
    """A decoded clip."""

    def __init__(self, path):
        with av.open(str(path)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            context = video.codec_context
            self.size = (video.width, video.height)
            self.codec, self.profile = context.name, context.profile
            self.pixels = context.pix_fmt
            self.tags = (context.color_primaries, context.color_trc, context.colorspace)
            self.rate = float(video.average_rate.numerator / video.average_rate.denominator)
            self.sound = (audio.codec_context.name, audio.rate, audio.channels)
            base, long = audio.time_base, audio.duration
            self.sound_s = long * base.numerator / base.denominator
            self.start = (video.start_time, audio.start_time)
            self.frames = [frame.to_image() for frame in container.decode(video=0)]
        samples = array.array("f")
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                samples.frombytes(bytes(frame.planes[0])[: frame.samples * 4])
        self.samples = samples


def _apart(frame, picture):
    """Mean difference of a frame and a picture (or another frame) scaled to fill it."""
    if isinstance(picture, bytes):
        picture = Image.open(io.BytesIO(picture)).convert("RGB")
    filled = ImageOps.fit(picture, frame.size, Image.Resampling.LANCZOS)
    return max(ImageStat.Stat(ImageChops.difference(frame, filled)).mean)


async def _scenes(renderer, size):
    body = "full-body portrait, plain light background."
    mai = await renderer.picture(PictureSpec(f"Mai: a girl in a red coat. {body}", 768, 1376, 1))
    cast = (Reference("Mai", mai),)
    return [
        await renderer.picture(PictureSpec(prompt, *size, 2, cast))
        for prompt in ("Noon at the beach, Mai waves.", "Night in the snow, Mai rests.")
    ]


async def test_a_clip_is_exact_to_the_frame_and_starts_on_its_picture(renderer, tmp_path):
    start = await renderer.picture(PictureSpec("A fox in the forest at dawn.", 688, 384, 1))
    await renderer.clip(ClipSpec(HOSTILE, 640, 360, 1, 5, start, None), tmp_path / "clip.mp4")
    clip = Clip(tmp_path / "clip.mp4")
    assert (clip.codec, clip.profile, clip.pixels) == ("h264", "High", "yuv420p")
    assert (clip.size, clip.rate, len(clip.frames)) == ((640, 360), 24.0, 24)
    assert clip.tags == (1, 1, 1)
    assert clip.sound == ("aac", 48000, 2)
    assert clip.sound_s == pytest.approx(1.0, abs=0.001)
    assert clip.start == (0, 0)
    assert _apart(clip.frames[0], start) < 5
    assert _apart(clip.frames[-1], start) > 1
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    raw = (tmp_path / "clip.mp4").read_bytes()
    assert raw.index(b"moov") < raw.index(b"mdat")


@pytest.mark.media
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280)])
async def test_a_clip_goes_from_the_start_picture_to_the_end_picture(renderer, tmp_path, size):
    wide = size[0] > size[1]
    start, end = await _scenes(renderer, (1376, 768) if wide else (768, 1376))
    await renderer.clip(ClipSpec("Night falls.", *size, 4, 3, start, end), tmp_path / "clip.mp4")
    clip = Clip(tmp_path / "clip.mp4")
    assert (clip.size, len(clip.frames)) == (size, 96)
    assert clip.sound_s == pytest.approx(4.0, abs=0.001)
    assert _apart(clip.frames[0], start) < 3.5
    assert _apart(clip.frames[-1], end) < 3.5  # snow rests where the picture has it, too
    assert _apart(clip.frames[0], end) > 20
    moves = [_apart(one, other) for one, other in zip(clip.frames, clip.frames[1:], strict=False)]
    assert min(moves) > 0.02


@pytest.mark.media
async def test_the_sound_is_soft_begins_and_ends_silent_and_follows_the_seed(renderer, tmp_path):
    start = await renderer.picture(PictureSpec("At sea.", 640, 360, 1))
    clips = []
    for seed in (1, 2):
        path = tmp_path / f"{seed}.mp4"
        await renderer.clip(ClipSpec("At sea.", 640, 360, 2, seed, start, None), path)
        clips.append(Clip(path))
    for clip in clips:
        assert 0.02 < max(abs(v) for v in clip.samples) < 0.3
        edge = [*clip.samples[:96], *clip.samples[95_904:96_000]]
        assert max(abs(v) for v in edge) < 0.01
    assert clips[0].samples != clips[1].samples


@pytest.mark.media
async def test_a_clip_without_a_start_picture_is_drawn_and_a_photo_is_filmed(renderer, tmp_path):
    photo = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(photo, "PNG")
    for start in (None, photo.getvalue(), b"damaged"):
        path = tmp_path / "clip.mp4"
        await renderer.clip(ClipSpec("", 640, 360, 1, 3, start, photo.getvalue()), path)
        clip = Clip(path)
        assert len(clip.frames) == 24
        assert _apart(clip.frames[-1], photo.getvalue()) < 5


@pytest.mark.media
async def test_an_upscale_keeps_every_frame_and_the_sound(renderer, tmp_path):
    await renderer.clip(ClipSpec("A city.", 640, 360, 2, 3, None, None), tmp_path / "clip.mp4")
    await renderer.upscale(tmp_path / "clip.mp4", tmp_path / "large.mp4", 1920, 1080)
    small, large = Clip(tmp_path / "clip.mp4"), Clip(tmp_path / "large.mp4")
    assert (large.size, large.profile, large.tags) == ((1920, 1080), "High", (1, 1, 1))
    assert len(large.frames) == len(small.frames) == 48
    assert large.samples == small.samples
    assert _apart(large.frames[20], small.frames[20]) < 3


async def test_a_failure_says_what_ffmpeg_said_and_leaves_nothing(renderer, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    with pytest.raises(MediaError, match="ffmpeg ended with"):
        await renderer.upscale(tmp_path / "broken.mp4", tmp_path / "large.mp4", 1920, 1080)
    assert [path.name for path in tmp_path.iterdir()] == ["broken.mp4"]


async def test_a_missing_ffmpeg_is_named(tmp_path):
    renderer = Renderer(ffmpeg=str(tmp_path / "no-ffmpeg"))
    with pytest.raises(MediaError, match="could not be started"):
        await renderer.upscale(tmp_path / "a.mp4", tmp_path / "b.mp4", 1920, 1080)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for ffmpeg is a shell script")
@pytest.mark.parametrize("way", ["cancel", "close"])
async def test_stopping_kills_ffmpeg_and_leaves_nothing(tmp_path, way):
    folder = tmp_path / "out"
    folder.mkdir()
    started = tmp_path / "started"
    os.mkfifo(started)
    binary = tmp_path / "ffmpeg"
    binary.write_text(f"#!/bin/sh\necho $$ > '{started}'\nexec sleep 60\n", encoding="utf-8")
    binary.chmod(0o755)
    renderer = Renderer(ffmpeg=str(binary))
    running = asyncio.create_task(
        renderer.upscale(tmp_path / "a.mp4", folder / "b.mp4", 1920, 1080)
    )
    # Reading a pipe waits for the process to have started.
    pid = int(await asyncio.to_thread(Path(started).read_text, "utf-8"))
    if way == "cancel":
        running.cancel()
    else:
        await renderer.aclose()
    with pytest.raises((asyncio.CancelledError, MediaError)):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(folder.iterdir()) == []
    await renderer.aclose()
    with pytest.raises(MediaError, match="closed"):
        await renderer.upscale(tmp_path / "a.mp4", folder / "b.mp4", 1920, 1080)
