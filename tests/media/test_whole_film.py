"""A film as people make it: sixty scenes, music, narration, captions, titles; watched frame by frame."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from film_checks import frame_hashes, grey_frames, left_channel, loudness, onsets, sound_samples
from PIL import Image

from flowkit_mcp.domain.cut import (
    Captions,
    Cue,
    Cut,
    Ducking,
    Insert,
    Join,
    JoinAt,
    JoinKind,
    Logo,
    Music,
    Narration,
    Title,
    Trim,
)
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.cards import safe_area
from flowkit_mcp.media.merge import merge
from flowkit_mcp.media.run import run_ffmpeg

pytestmark = pytest.mark.media

SIZE = "160x90"
BEEP = "aevalsrc='if(between(t,0.5,0.6),0.5*sin(2*PI*1000*t),0)|0'"


def sound_file(ffmpeg, path, source, seconds):
    argv = [str(ffmpeg), "-v", "error", "-f", "lavfi", "-i", source, "-t", str(seconds)]
    subprocess.run([*argv, f"file:{path}"], check=True, capture_output=True)


@pytest.mark.timeout(400)
async def test_a_film_of_sixty_scenes_with_everything_is_in_step_to_its_end(
    make_clip, ffmpeg, tmp_path
):
    clips = [
        make_clip(frames=frames, size=SIZE, sound=BEEP, picture=picture)
        for frames in (24, 27, 30)
        for picture in ("testsrc2", "smptebars")
    ] * 10
    music = tmp_path / "music.wav"
    sound_file(ffmpeg, music, "aevalsrc='0|0.2*sin(2*PI*220*t)':s=48000", 20)
    spoken = str(tmp_path / "voice.wav")
    # For the right ear only, so that the beeps on the left stay countable.
    voice = "aevalsrc='0|0.3*sin(2*PI*300*t)*(0.6+0.4*sin(25*t))':s=24000"
    sound_file(ffmpeg, spoken, voice, 0.8)
    cut = Cut(
        joins=tuple(
            JoinAt(after=number, kind=JoinKind.CROSSFADE, seconds=0.25) for number in (5, 20, 41)
        ),
        trims=(Trim(clip=7, start_s=0.25),),
        music=Music(file=str(music)),
        narration=tuple(
            Narration(
                file=spoken, clip=number, delay_s=0.1, tail_s=0, text=f"Scene {number} is here."
            )
            for number in range(3, 61, 6)
        ),
        ducking=Ducking(clips_db=0),
        captions=Captions(burn=True),
        titles=(Title(text="Sixty", clip=2, start_s=0.1, seconds=0.7),),
    )
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)

    shown = result.plan["clips"]
    assert result.frames == sum(entry["frames"] for entry in shown) - 3 * 6
    film = grey_frames(result.file.path)
    assert len(film) == result.frames
    assert sound_samples(result.file.path) == result.frames * 2000
    assert min(max(frame) for frame in film) > 100  # no black frame
    assert result.plan["encoded_frames"] < 0.6 * result.frames

    left = left_channel(result.file.path)
    heard = onsets(left, level=0.05)
    expected = [(entry["start_frame"] - entry["first"] + 12) * 2000 for entry in shown]
    assert len(heard) == 60
    assert max(abs(a - b) for a, b in zip(heard, expected, strict=True)) <= 96  # 2 ms

    srt = result.sidecars[0].read_text(encoding="utf-8")
    assert srt.count(" --> ") == 10
    safe = safe_area(160, 90)
    sources = {path: grey_frames(path) for path in set(clips)}
    for number in range(3, 61, 6):
        entry = shown[number - 1]
        frame = film[entry["start_frame"] + 8]
        plain = sources[clips[number - 1]][8]
        changed = [
            at for at, (a, b) in enumerate(zip(frame, plain, strict=True)) if abs(a - b) > 60
        ]
        assert len(changed) > 80
        assert all(
            safe.left <= at % 160 <= safe.right and at // 160 <= safe.bottom for at in changed
        )
    lufs, peak = loudness(ffmpeg, result.file.path)
    assert lufs == pytest.approx(-14, abs=0.3), result.report
    assert peak <= -0.95
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("film.mp4", "film.srt", "film.vtt", "music.wav", "voice.wav"),
    ]


async def test_a_logo_over_the_film_is_one_encode_of_every_frame(make_clip, ffmpeg, tmp_path):
    Image.new("RGBA", (40, 40), "#ff0000").save(tmp_path / "logo.png")
    clips = [make_clip(frames=24, size=SIZE), make_clip(frames=24, size="320x180")]
    cut = Cut(
        logo=Logo(file=str(tmp_path / "logo.png")),
        join=Join(kind=JoinKind.FADE_BLACK),
        intro=Insert(text="One", seconds=0.5),
        titles=(Title(text="Two"),),
    )
    stages = []
    result = await merge(clips, tmp_path / "f.mp4", ffmpeg=ffmpeg, cut=cut, stage=stages.append)
    assert result.plan["encoded_frames"] == result.frames == 60
    shares = [stage.share for stage in stages]
    assert shares == sorted(shares) and shares[-1] == 1
    assert {"encoding", "mixing", "joining", "done"} <= {stage.name for stage in stages}
    assert stages[-1].left_s == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    "when", ["encoding", "reading the sound", "mixing", "joining", "checking", "naming"]
)
async def test_cancelling_in_any_stage_leaves_nothing(make_clip, ffmpeg, tmp_path, when):
    """Where no wait comes before the cancel, the film has its name by then and loses it again."""
    clips = [make_clip(frames=48, size=SIZE), make_clip(frames=48, size=SIZE, picture="smptebars")]
    reached = False

    def at(name):
        nonlocal reached
        if name == when and not reached:
            reached = True
            task.cancel()

    async def naming(files):
        at("naming")

    out = tmp_path / "out"
    task = asyncio.create_task(
        merge(
            clips * 10,
            out / "film.mp4",
            ffmpeg=ffmpeg,
            cut=Cut(
                join=Join(kind=JoinKind.CROSSFADE),
                captions=Captions(cues=(Cue(start_s=0, end_s=1, text="Lit"),)),
            ),
            stage=lambda now: at(now.name),
            naming=naming,
        )
    )
    with pytest.raises(asyncio.CancelledError):
        await task
    assert reached and list(out.iterdir()) == []


async def test_a_join_that_comes_again_is_encoded_once_and_never_by_two_at_a_time(
    make_clip, ffmpeg, tmp_path, monkeypatch
):
    """Alike pieces have one file; the second ffmpeg emptied it under the first."""
    clips = [make_clip(frames=48, size=SIZE), make_clip(frames=48, size=SIZE, picture="smptebars")]
    runs = []

    async def counted(argv, **options):
        runs.append(argv)
        return await run_ffmpeg(argv, **options)

    monkeypatch.setattr("flowkit_mcp.media.encode.run_ffmpeg", counted)
    film = await merge(
        clips * 5,
        tmp_path / "film.mp4",
        ffmpeg=ffmpeg,
        cut=Cut(join=Join(kind=JoinKind.CROSSFADE)),
    )
    assert len(runs) == 2, "from one to the other, and back"
    assert len(set(frame_hashes(film.file.path))) < film.frames / 4
    assert film.frames == len(frame_hashes(film.file.path))


async def test_a_disk_too_small_is_refused_before_anything_is_written(
    make_clip, tmp_path, monkeypatch
):
    monkeypatch.setattr("flowkit_mcp.media.merge.free_bytes", lambda folder: 1_000)
    with pytest.raises(MediaError, match="MB free"):
        await merge([make_clip(frames=24, size=SIZE)], tmp_path / "out" / "f.mp4", ffmpeg="/none")
    assert list((tmp_path / "out").iterdir()) == []


async def test_a_clip_damaged_in_its_middle_is_named_when_it_has_to_be_encoded(
    make_clip, ffmpeg, tmp_path
):
    whole = make_clip(frames=48, size=SIZE)
    cut_short = tmp_path / "short.mp4"
    cut_short.write_bytes(whole.read_bytes()[:-4_000])
    with pytest.raises(MediaError, match=r"short\.mp4"):
        await merge(
            [whole, cut_short],
            tmp_path / "out" / "f.mp4",
            ffmpeg=ffmpeg,
            cut=Cut(join=Join(kind=JoinKind.CROSSFADE)),
        )
    assert list((tmp_path / "out").iterdir()) == []


async def test_two_merges_to_one_name_make_two_films(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=24, size=SIZE)
    one, two = await asyncio.gather(
        merge([clip], tmp_path / "film.mp4", ffmpeg=ffmpeg),
        merge([clip, clip], tmp_path / "film.mp4", ffmpeg=ffmpeg),
    )
    assert {one.file.path.name, two.file.path.name} == {"film.mp4", "film (2).mp4"}
    assert len(frame_hashes(one.file.path)) == 24 and len(frame_hashes(two.file.path)) == 48


async def test_a_film_that_would_replace_a_file_it_is_made_of_is_refused(make_clip, tmp_path):
    clip = make_clip(frames=24, size=SIZE)
    cut = Cut(logo=Logo(file=str(tmp_path / "film.mp4")))
    with pytest.raises(InvalidSetting, match="one of the files"):
        await merge([clip], tmp_path / "film.mp4", ffmpeg="/none", cut=cut)
