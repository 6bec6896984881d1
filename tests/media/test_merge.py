from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import av
import pytest
from film_checks import (
    frame_hashes,
    left_channel,
    onsets,
    picture_packets,
    picture_times,
    sound_samples,
)

from flowkit_mcp.domain.cut import Cut, Mixed
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.estimate import Stage
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.run import run_ffmpeg
from flowkit_mcp.media.verify import top_boxes

NO_FFMPEG = "/there/is/no/ffmpeg"


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_alike_clips_are_copied_bit_for_bit_without_running_ffmpeg(make_clip, tmp_path):
    clips = [make_clip(frames=36), make_clip(frames=24), make_clip(frames=41)]
    shares: list[float] = []
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG, progress=shares.append)

    film = result.file.path
    assert (result.frames, result.copied, result.encoded) == (101, 3, 0)
    assert picture_packets(film) == [p for clip in clips for p in picture_packets(clip)]
    assert frame_hashes(film) == [h for clip in clips for h in frame_hashes(clip)]
    assert picture_times(film) == [frame * 512 for frame in range(101)]
    assert sound_samples(film) == 101 * 2000
    assert result.file.duration_ms == round(101 / 24 * 1000)
    assert left_in(tmp_path) == ["film.mp4"]
    assert shares == sorted(shares) and shares[-1] == 1.0
    json.dumps(result.plan)


async def test_a_film_says_what_it_is(make_clip, tmp_path):
    result = await merge([make_clip(frames=24)], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    with av.open(str(result.file.path)) as film:
        video, sound = film.streams.video[0], film.streams.audio[0]
        assert (video.codec_context.name, sound.codec_context.name) == ("h264", "aac")
        rate = video.average_rate
        assert (rate.numerator, rate.denominator) == (24, 1)
        assert (sound.codec_context.sample_rate, sound.codec_context.layout.name) == (
            48_000,
            "stereo",
        )
        context = video.codec_context
        tags = (context.color_primaries, context.color_trc, context.colorspace)
        assert [int(tag) for tag in tags] == [1, 1, 1]
    names = [name for name, _ in top_boxes(result.file.path)]
    assert names.index("moov") < names.index("mdat")


@pytest.mark.parametrize("sound_s", [None, 0.7, 1.3])
async def test_sound_stays_within_two_milliseconds_of_its_picture(make_clip, tmp_path, sound_s):
    clips = [make_clip(frames=frames, sound_s=sound_s) for frames in (24, 31, 24, 31, 24)]
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    expected = [frame * 2000 for frame in (0, 24, 55, 79, 110)]
    heard = onsets(left_channel(result.file.path))
    assert len(heard) == len(expected)
    assert max(abs(a - b) for a, b in zip(heard, expected, strict=True)) <= 96
    assert sound_samples(result.file.path) == 134 * 2000


async def test_only_clips_that_differ_are_encoded_and_the_plan_says_why(
    make_clip, ffmpeg, tmp_path
):
    usual = make_clip(frames=36)
    odd = {
        make_clip(frames=24, size="160x90"): "160×90 scaled up to 320×180",
        make_clip(frames=24, size="180x320"): "180×320 fitted to 320×180",
        make_clip(frames=30, fps="30"): "30 fps to 24 fps",
        make_clip(frames=24, video=("-c:v", "libx264", "-bf", "0")): "other encoder settings",
        make_clip(frames=24, video=("-c:v", "libx264", "-g", "24", "-flags", "+ildct")): "interl",
    }
    clips = [usual, *odd, usual]
    pad = Cut(mixed=Mixed.PAD)
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=pad)

    assert (result.frames, result.copied, result.encoded) == (36 + 5 * 24 + 36, 2, 5)
    reasons = {entry["file"]: " ".join(entry["why"]) for entry in result.plan["clips"]}
    for clip, reason in odd.items():
        assert reason in reasons[clip.name]
    hashes = frame_hashes(result.file.path)
    assert hashes[:36] == hashes[-36:] == frame_hashes(usual)
    assert len(hashes) == result.frames
    assert picture_times(result.file.path) == [frame * 512 for frame in range(result.frames)]
    assert (result.file.width, result.file.height) == (320, 180)
    assert left_in(tmp_path) == ["film.mp4"]
    strict = [str(ffmpeg), "-xerror", "-err_detect", "explode", "-i", str(result.file.path)]
    assert await run_ffmpeg([*strict, "-f", "null", "-"]) == ""
    with av.open(str(result.file.path)) as film:
        colours = {(f.color_primaries, f.color_trc, f.colorspace) for f in film.decode(video=0)}
    assert {tuple(int(tag) for tag in colour) for colour in colours} == {(1, 1, 1)}


async def test_a_clip_that_changes_while_the_film_is_made_is_named(make_clip, ffmpeg, tmp_path):
    kept, other = make_clip(frames=36), make_clip(frames=24).read_bytes()
    changed, out = tmp_path / "changed.mp4", tmp_path / "out"
    changed.write_bytes(kept.read_bytes())
    out.mkdir()

    def change(now: Stage) -> None:
        if now.name == "mixing":
            changed.write_bytes(other)

    with pytest.raises(MediaError, match=r"changed\.mp4 was changed while the film was made"):
        await merge([kept, changed], out / "film.mp4", ffmpeg=ffmpeg, stage=change)
    assert left_in(out) == []


async def test_seeking_to_any_join_of_a_mixed_film_shows_the_right_frame(
    make_clip, ffmpeg, tmp_path
):
    usual, other = make_clip(frames=36), make_clip(frames=24, size="160x90")
    result = await merge([usual, other, usual], tmp_path / "film.mp4", ffmpeg=ffmpeg)
    with av.open(str(result.file.path)) as film:
        track = film.streams.video[0]
        for start in (60, 36, 0, 95):
            film.seek(start * 512, stream=track)
            assert any(frame.pts == start * 512 for frame in film.decode(track))


async def test_missing_mono_and_44100_sound_all_end_in_step(make_clip, tmp_path):
    clips = [
        make_clip(frames=24),
        make_clip(frames=24, sound=None),
        make_clip(frames=24, channels=1),
        make_clip(frames=24, rate=44_100),
        make_clip(frames=24),
    ]
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    heard = onsets(left_channel(result.file.path))
    assert len(heard) == 4
    expected = (0, 48, 72, 96)
    assert all(abs(a - b * 2000) <= 96 for a, b in zip(heard, expected, strict=True))
    assert sound_samples(result.file.path) == 120 * 2000
    assert [entry["sound"] for entry in result.plan["clips"]][1] == "silence"


async def test_sound_that_starts_late_in_its_clip_stays_late(make_clip, ffmpeg, tmp_path):
    late = tmp_path / "late.mp4"
    clip = str(make_clip(frames=24))
    argv = [str(ffmpeg), "-i", clip, "-itsoffset", "0.25", "-i", clip]
    await run_ffmpeg([*argv, "-map", "0:v", "-map", "1:a", "-c", "copy", f"file:{late}"])
    result = await merge([late, late], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    heard = onsets(left_channel(result.file.path))
    assert len(heard) == 2
    assert all(abs(a - b) <= 96 for a, b in zip(heard, (12_000, 60_000), strict=True))


async def test_clips_none_of_which_can_be_copied_still_make_a_film(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=25, fps="25")
    result = await merge([clip, clip], tmp_path / "film.mp4", ffmpeg=ffmpeg)
    assert (result.frames, result.encoded) == (48, 2)
    assert len(frame_hashes(result.file.path)) == 48


async def test_the_film_is_as_large_as_its_largest_clip(make_clip, ffmpeg, tmp_path):
    clips = [make_clip(frames=24), make_clip(frames=24), make_clip(frames=24, size="480x270")]
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=ffmpeg)
    assert (result.file.width, result.file.height) == (480, 270)


async def test_a_damaged_clip_is_named_and_leaves_nothing(make_clip, tmp_path):
    whole = make_clip(frames=36)
    broken = tmp_path / "in" / "broken.mp4"
    broken.parent.mkdir()
    data = whole.read_bytes()
    for content in (data[: len(data) // 2], b"", b"not a video at all" * 100, data[:40]):
        broken.write_bytes(content)
        out = tmp_path / "out" / "film.mp4"
        with pytest.raises(MediaError, match=r"broken\.mp4"):
            await merge([whole, broken], out, ffmpeg=NO_FFMPEG)
        assert not out.parent.exists() or left_in(out.parent) == []


async def test_no_clips_and_a_film_over_its_own_clip_are_refused(make_clip, tmp_path):
    with pytest.raises(InvalidSetting):
        await merge([], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(make_clip(frames=24).read_bytes())
    with pytest.raises(InvalidSetting, match="one of the files"):
        await merge([clip], clip, ffmpeg=NO_FFMPEG)


async def test_an_existing_film_is_never_overwritten(make_clip, tmp_path):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"an earlier film")
    result = await merge([make_clip(frames=24)], film, ffmpeg=NO_FFMPEG)
    assert film.read_bytes() == b"an earlier film"
    assert result.file.path.name == "film (2).mp4"


async def test_cancelling_while_splicing_leaves_no_file(make_clip, tmp_path):
    clips = [make_clip(frames=36)] * 60
    started = asyncio.Event()
    task = asyncio.create_task(
        merge(clips, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG, progress=lambda share: started.set())
    )
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_in(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
async def test_cancelling_while_encoding_ends_ffmpeg_and_leaves_no_file(make_clip, tmp_path):
    script = tmp_path / "stuck.py"
    script.write_text(
        "import os, sys, time\n"
        "files = [one.removeprefix('file:') for one in sys.argv if one.startswith('file:')]\n"
        "made = [file for file in files if not os.path.exists(file)]\n"
        "for file in made:\n    open(file, 'wb').write(b'half')\n"
        f"open({str(tmp_path / 'made')!r}, 'a').write(''.join(made))\n"
        "print('frame=1', flush=True)\ntime.sleep(600)\n",
        encoding="utf-8",
    )
    stuck = tmp_path / "ffmpeg"  # a first line cannot name an interpreter whose path has a space
    stuck.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{script}' \"$@\"\n", encoding="utf-8")
    stuck.chmod(0o755)
    started = asyncio.Event()
    out = tmp_path / "out" / "film.mp4"
    clips = [make_clip(frames=36), make_clip(frames=24, size="480x270")]
    task = asyncio.create_task(
        merge(clips, out, ffmpeg=stuck, progress=lambda share: started.set())
    )
    async with asyncio.timeout(30):
        await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "made").read_text(encoding="utf-8"), "half a file was there"
    assert left_in(out.parent) == []


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
async def test_an_ffmpeg_that_lacks_something_is_replaced_and_the_film_is_made(make_clip, tmp_path):
    small = tmp_path / "ffmpeg"
    small.write_text(
        "#!/bin/sh\ncase \"$*\" in *-filters|*-encoders) echo ' T.. trim V->V cuts';; *) exit 1;; esac\n",
        encoding="utf-8",
    )
    small.chmod(0o755)
    clips = [make_clip(frames=36), make_clip(frames=24, size="480x270")]
    film = await merge(clips, tmp_path / "out" / "film.mp4", ffmpeg=small)
    assert film.frames == 60


HOSTILE = [
    "two words.mp4",
    'it\'s "quoted".mp4',
    "%03d.mp4",
    "-y.mp4",
    "Đêm 夜 🌙.mp4",
    "a;b|c&d$(e).mp4",
] + ([] if sys.platform == "win32" else ["http:x.mp4", "concat:a|b.mp4", "new\nline.mp4"])


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_only_names(make_clip, ffmpeg, tmp_path, monkeypatch, name):
    if sys.platform == "win32" and '"' in name:
        pytest.skip("not a name on Windows")
    monkeypatch.chdir(tmp_path)
    usual, odd = Path(name), Path("odd " + name)
    usual.write_bytes(make_clip(frames=24).read_bytes())
    odd.write_bytes(make_clip(frames=24, size="160x90").read_bytes())
    Path("out").mkdir()
    result = await merge([usual, odd, usual], Path("out", name), ffmpeg=ffmpeg)
    assert (result.copied, result.encoded, result.frames) == (2, 1, 72)
    assert left_in(Path("out")) == [name]


@pytest.mark.media
async def test_sixty_clips_end_in_step(make_clip, tmp_path):
    clips = [make_clip(frames=frames, size="640x360") for frames in (47, 48, 49)] * 20
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    assert (result.frames, result.copied) == (48 * 60, 60)
    assert picture_packets(result.file.path) == [p for clip in clips for p in picture_packets(clip)]
    heard = onsets(left_channel(result.file.path))
    starts = [entry["start_frame"] * 2000 for entry in result.plan["clips"]]
    assert max(abs(a - b) for a, b in zip(heard, starts, strict=True)) <= 96
    assert sound_samples(result.file.path) == 2880 * 2000
