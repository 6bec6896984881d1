"""A film of sixty scenes made of the demo's own clips, with music, narration and captions, watched frame by
frame."""

from __future__ import annotations

import array
import cmath
import math
import re
import subprocess

import pytest
from film_checks import grey_frames, left_channel, loudness, sound_samples
from PIL import Image, ImageChops

from flowkit_mcp.domain.cut import Captions, Cut, Ducking, JoinAt, JoinKind, Music, Narration
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.media.cards import safe_area
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.sheet import MAX_BYTES, SheetItem, contact_sheet
from flowkit_mcp.simulator.render import ClipSpec, Renderer

pytestmark = pytest.mark.media

WIDTH, HEIGHT = 320, 180
PROMPTS = (
    "A lighthouse on a cliff at dusk, waves below",
    "A fox in a snowy forest at dawn",
    "A market street in the rain at night, lanterns",
    "A red balloon over green hills at noon",
    "A desert road under a starry sky",
)
#: The music is one tone that neither clips nor voice have, so that it can be measured under both.
MUSIC_HZ = 11_000


def sound_file(ffmpeg, path, source, seconds):
    argv = [str(ffmpeg), "-v", "error", "-f", "lavfi", "-i", source, "-t", str(seconds)]
    subprocess.run([*argv, f"file:{path}"], check=True, capture_output=True)
    return str(path)


@pytest.fixture
def music(ffmpeg, tmp_path):
    return sound_file(ffmpeg, tmp_path / "music.wav", f"sine=frequency={MUSIC_HZ}:r=48000", 125)


@pytest.fixture
def voice(ffmpeg, tmp_path):
    said = "aevalsrc='0.4*sin(2*PI*250*t)*(0.6+0.4*sin(25*t))':s=24000"
    return sound_file(ffmpeg, tmp_path / "voice.wav", said, 1.2)


@pytest.fixture
async def clips(tmp_path):
    renderer = Renderer()
    made = []
    for seed, prompt in enumerate(PROMPTS):
        made.append(tmp_path / f"demo-{seed}.mp4")
        await renderer.clip(ClipSpec(prompt, WIDTH, HEIGHT, 2, seed, None, None), made[-1])
    return made * 12


def tone(samples: array.array[float], second: float, hertz: int = MUSIC_HZ) -> float:
    """The amplitude of one tone in 100 ms from `second` on."""
    part = samples[round(second * 48_000) :][:4_800]
    turn = -2j * math.pi * hertz / 48_000
    return abs(sum(value * cmath.exp(turn * at) for at, value in enumerate(part))) * 2 / 4_800


def cues_of(srt: str) -> list[tuple[int, int]]:
    """The frame at which each caption comes, and the first without it."""

    def frame(moment: str) -> int:
        hours, minutes, seconds = moment.replace(",", ".").split(":")
        return round((int(hours) * 3600 + int(minutes) * 60 + float(seconds)) * 24)

    times = re.findall(r"(\S+) --> (\S+)", srt)
    return [(frame(start), frame(end)) for start, end in times]


@pytest.mark.timeout(400)
async def test_a_film_of_sixty_scenes_of_the_demo_is_right_in_every_frame(
    clips, music, voice, ffmpeg, tmp_path
):
    told = tuple(range(2, 61, 6))
    cut = Cut(
        joins=tuple(JoinAt(after=n, kind=JoinKind.CROSSFADE, seconds=0.5) for n in (12, 36)),
        music=Music(file=music, volume_db=-6, fade_in_s=0, fade_out_s=1),
        narration=tuple(
            Narration(file=voice, clip=n, delay_s=0.3, tail_s=0, text=f"Scene {n} has begun.")
            for n in told
        ),
        ducking=Ducking(music_db=12),
        captions=Captions(burn=True),
    )
    out = tmp_path / "out"
    made = await merge(clips, out / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    film, shown = made.file.path, made.plan["clips"]
    assert made.frames == 60 * 48 - 2 * 12
    assert sorted(path.name for path in out.iterdir()) == ["film.mp4", "film.srt", "film.vtt"]
    assert sound_samples(film) == made.frames * 2000
    assert made.plan["encoded_frames"] < made.frames / 2

    cues = cues_of(made.sidecars[0].read_text(encoding="utf-8"))
    assert len(cues) == len(told)
    for (start, end), number in zip(cues, told, strict=True):
        begun = shown[number - 1]["start_frame"] + 0.3 * 24
        assert abs(start - begun) <= 1 and start < end

    frames = grey_frames(film)
    assert len(frames) == made.frames
    sources = {path: grey_frames(path) for path in set(clips)}
    safe = safe_area(WIDTH, HEIGHT)
    seen = []
    blended = {shown[n]["start_frame"] + at for n in (12, 36) for at in range(12)}
    for entry, clip in zip(shown, clips, strict=True):
        for at in range(entry["frames"]):
            place = entry["start_frame"] + at
            if place in blended:
                continue
            own, plain = (
                Image.frombytes("L", (WIDTH, HEIGHT), data)
                for data in (frames[place], sources[clip][entry["first"] + at])
            )
            changed = ImageChops.difference(own, plain).point(lambda value: 255 * (value > 70))
            box = changed.getbbox()
            if sum(changed.histogram()[255:]) > 60:
                seen.append(place)
                assert box is not None
                assert (
                    safe.left <= box[0] and box[2] <= safe.right + 1 and box[3] <= safe.bottom + 1
                )
    expected = [frame for start, end in cues for frame in range(start, end) if frame not in blended]
    assert seen == expected  # captions, and nothing else, in exactly their frames
    assert min(max(frame) for frame in frames) > 90  # never black

    heard = left_channel(film)
    spans = made.report["ducked"]
    assert len(spans) == len(told)
    full = sorted(tone(heard, end + 1.2) for _, end in spans)[len(spans) // 2]
    for start, end in spans:
        for second in (start + 0.01, (start + end) / 2, end - 0.15):
            down = 20 * math.log10(tone(heard, second) / full)
            assert down == pytest.approx(-12, abs=1.5), (start, second)
        assert tone(heard, start - 0.6) / full == pytest.approx(1, abs=0.15)
    lufs, peak = loudness(ffmpeg, film)
    assert lufs == pytest.approx(-14, abs=0.3) and peak <= -0.95

    items = [
        SheetItem(clip, f"Scene {n}", "take 1 · video", Orientation.HORIZONTAL)
        for n, clip in enumerate(clips, 1)
    ]
    sheet = await contact_sheet(items, out / "sheet.jpg", title="Sixty scenes")
    assert sheet.stat().st_size <= MAX_BYTES
    with Image.open(sheet) as picture:
        assert max(picture.size) <= 1568
        assert len(picture.convert("L").getcolors(256) or []) > 100
