from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from flowkit_mcp.media.binaries import find_ffmpeg

MakeClip = Callable[..., Path]

#: A 1 kHz burst of 100 ms at the start, then silence: shows where sound lies.
BURST = "aevalsrc='if(lt(t,0.1),0.5*sin(2*PI*1000*t),0)'"


@pytest.fixture(scope="session")
def ffmpeg() -> Path:
    """The one on PATH; FLOWKIT_FFMPEG names another, so that the suite can be run with either build."""
    named = os.environ.get("FLOWKIT_FFMPEG")
    return find_ffmpeg(Path(named) if named else None)


@pytest.fixture(scope="session")
def make_clip(ffmpeg: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeClip:
    """Makes a clip once per session and recipe: `make_clip(seconds=1, size="320x180", …)`."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[object, Path] = {}

    def make(
        *,
        frames: int = 24,
        size: str = "320x180",
        fps: str = "24",
        sound: str | None = BURST,
        sound_s: float | None = None,
        channels: int = 2,
        rate: int = 48_000,
        picture: str = "testsrc2",
        video: tuple[str, ...] = ("-c:v", "libx264", "-preset", "veryfast", "-g", "24"),
        extra: tuple[str, ...] = (),
        tags: str = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv",
    ) -> Path:
        recipe = (frames, size, fps, sound, sound_s, channels, rate, picture, video, extra, tags)
        if recipe in made:
            return made[recipe]
        path = folder / f"clip-{len(made)}.mp4"
        numerator, _, denominator = fps.partition("/")
        length = frames * float(denominator or 1) / float(numerator)
        argv = [str(ffmpeg), "-v", "error", "-nostdin"]
        argv += [
            "-f",
            "lavfi",
            "-i",
            f"{picture}{':' if '=' in picture else '='}size={size}:rate={fps}",
        ]
        if sound is not None:
            heard = length if sound_s is None else sound_s
            argv += ["-f", "lavfi", "-t", f"{heard:.6f}", "-i", f"{sound}:s={rate}:c=stereo"]
            argv += ["-c:a", "aac", "-ac", str(channels)]
        # not -frames:v, which before ffmpeg 6 ends the sound's track as well
        argv += ["-vf", f"trim=end_frame={frames},{tags},format=yuv420p", *video]
        argv += ["-movflags", "+faststart", *extra, f"file:{path}"]
        subprocess.run(argv, check=True, capture_output=True)
        made[recipe] = path
        return path

    return make
