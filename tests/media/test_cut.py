"""Trims, joins and holds: exact to the frame, copied where they can be, with both ffmpeg builds."""

from __future__ import annotations

import av
import imageio_ffmpeg
import pytest
from film_checks import (
    blended,
    frame_hashes,
    grey_frames,
    left_channel,
    onsets,
    picture_times,
    psnr,
    rms,
    sound_samples,
    steepest,
)

from flowkit_mcp.domain.cut import Cut, Join, JoinAt, JoinKind, Profile, Trim
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.media.encode import encode_pieces
from flowkit_mcp.media.merge import merge, plan_merge
from flowkit_mcp.media.prepare import prepare

pytestmark = pytest.mark.media

CROSS = Join(kind=JoinKind.CROSSFADE, seconds=0.25)
BLACK = Join(kind=JoinKind.FADE_BLACK, seconds=0.5)
SIZE = "160x90"
#: No tone that starts with the clip: a steady one, so that clicks and gaps show.
TONE = "aevalsrc='0.3*sin(2*PI*441*t)'"


@pytest.fixture(params=["system", "imageio"])
def any_ffmpeg(request, ffmpeg):
    return ffmpeg if request.param == "system" else imageio_ffmpeg.get_ffmpeg_exe()


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


async def test_a_trim_at_the_end_is_free_and_one_at_the_start_encodes_only_to_the_key_frame(
    make_clip, any_ffmpeg, tmp_path
):
    clip = make_clip(frames=72, size=SIZE)  # a key frame each second
    cut = Cut(trims=(Trim(clip=1, end_s=50 / 24), Trim(clip=2, start_s=10 / 24)))
    result = await merge([clip, clip], tmp_path / "film.mp4", ffmpeg=any_ffmpeg, cut=cut)
    source, film = frame_hashes(clip), frame_hashes(result.file.path)
    assert result.frames == len(film) == 50 + 62
    assert (
        result.plan["encoded_frames"] == 14
    )  # frames 10 to 24 of the second clip, none of the first
    assert film[:50] == source[:50]
    assert film[64:] == source[24:]
    wanted, got = grey_frames(clip), grey_frames(result.file.path)
    for index in range(14):
        assert psnr(got[50 + index], wanted[10 + index]) > 40
        assert psnr(got[50 + index], wanted[11 + index]) < 40
    assert picture_times(result.file.path) == [frame * 512 for frame in range(112)]
    assert sound_samples(result.file.path) == 112 * 2000


async def test_a_crossfade_shortens_the_film_and_shows_both_clips(make_clip, any_ffmpeg, tmp_path):
    one = make_clip(frames=48, size=SIZE, sound=TONE)
    two = make_clip(frames=60, size=SIZE, sound=TONE, picture="smptebars")
    result = await merge(
        [one, two, one], tmp_path / "film.mp4", ffmpeg=any_ffmpeg, cut=Cut(join=CROSS)
    )
    assert result.frames == 48 + 60 + 48 - 12
    film, a, b = grey_frames(result.file.path), grey_frames(one), grey_frames(two)
    assert len(film) == result.frames
    hashes, source = frame_hashes(result.file.path), frame_hashes(one)
    assert hashes[:38] == source[:38]  # the copy ends before a group of B-frames
    for index in range(6):
        mixed = blended(a[42 + index], b[index], index / 6)
        assert psnr(film[42 + index], mixed) > 32, index
    assert psnr(film[48], b[6]) > 40
    assert psnr(film[41], a[41]) > 40
    assert result.plan["encoded_frames"] < 90
    assert sound_samples(result.file.path) == result.frames * 2000


async def test_a_fade_through_black_keeps_the_length_and_is_black_in_the_middle(
    make_clip, any_ffmpeg, tmp_path
):
    clip = make_clip(frames=48, size=SIZE, sound=TONE)
    result = await merge(
        [clip, clip], tmp_path / "film.mp4", ffmpeg=any_ffmpeg, cut=Cut(join=BLACK)
    )
    film, source = grey_frames(result.file.path), grey_frames(clip)
    assert len(film) == result.frames == 96
    assert max(film[48]) < 40 and sum(film[47]) < sum(source[47]) * 0.5
    assert psnr(film[41], source[41]) > 40 and psnr(film[54], source[6]) > 38
    loud = left_channel(result.file.path)
    assert max(map(abs, loud[96_000 - 100 : 96_000 + 100])) < 0.02


async def test_one_join_can_differ_from_the_others(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=48, size=SIZE)
    cut = Cut(joins=(JoinAt(after=2, kind=JoinKind.CROSSFADE, seconds=0.5),))
    result = await merge([clip] * 3, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    assert result.frames == 3 * 48 - 12
    assert [entry["start_frame"] for entry in result.plan["clips"]] == [0, 48, 84]


async def test_no_join_clicks(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=25, size=SIZE, sound=TONE)
    result = await merge([clip] * 4, tmp_path / "film.mp4", ffmpeg=ffmpeg)
    heard = left_channel(result.file.path)
    # Nothing is steeper than the clip is itself: in its middle or where its sound begins.
    own = left_channel(clip)[: 25 * 2000]
    scale = rms(heard[20_000:30_000]) / rms(own[20_000:30_000])
    usual = max(steepest(own, at, 4000) for at in (0, 25 * 1000)) * scale
    for join in (25, 50, 75):
        assert steepest(heard, join * 2000) <= usual * 1.1


async def test_sound_follows_its_picture_through_trims_and_crossfades(make_clip, ffmpeg, tmp_path):
    clip = make_clip(
        frames=48, size=SIZE, sound="aevalsrc='if(between(t,1,1.1),0.5*sin(6283*t),0)'"
    )
    cut = Cut(join=CROSS, trims=(Trim(clip=2, start_s=0.25, end_s=1.5),))
    result = await merge([clip] * 3, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    starts = [entry["start_frame"] for entry in result.plan["clips"]]
    expected = [(start + 24 - first) * 2000 for start, first in zip(starts, (0, 6, 0), strict=True)]
    heard = onsets(left_channel(result.file.path))
    assert len(heard) == 3
    assert max(abs(a - b) for a, b in zip(heard, expected, strict=True)) <= 96


async def test_odd_frame_rates_and_hidden_frames_can_be_trimmed_and_blended(
    make_clip, any_ffmpeg, tmp_path
):
    odd = make_clip(frames=60, size="320x180", fps="30")
    usual = make_clip(frames=48, size=SIZE)
    cut = Cut(join=CROSS, trims=(Trim(clip=1, start_s=0.5),), profile=Profile.SOURCE)
    result = await merge([odd, usual, odd], tmp_path / "film.mp4", ffmpeg=any_ffmpeg, cut=cut)
    assert result.frames == len(frame_hashes(result.file.path)) == 36 + 48 + 48 - 12
    assert (result.file.width, result.file.height) == (320, 180)


async def test_joins_longer_than_their_clips_become_shorter_and_are_reported(make_clip, tmp_path):
    clip = make_clip(frames=10, size=SIZE)
    join = Join(kind=JoinKind.CROSSFADE, seconds=2)
    plan = await plan_merge([clip] * 3, Cut(join=join))
    assert plan["frames"] == 20
    assert any("0.21 s instead of 2.00 s" in note for note in plan["notes"])


async def test_a_clip_of_one_frame_is_a_clip(make_clip, any_ffmpeg, tmp_path):
    one, usual = make_clip(frames=1, size=SIZE), make_clip(frames=24, size=SIZE)
    for join in (Join(), CROSS, BLACK):
        folder = tmp_path / join.kind
        result = await merge(
            [usual, one, usual], folder / "film.mp4", ffmpeg=any_ffmpeg, cut=Cut(join=join)
        )
        assert len(frame_hashes(result.file.path)) == result.frames
        assert left_in(folder) == ["film.mp4"]


async def test_profiles_give_the_size_they_are_called_after(make_clip, any_ffmpeg, tmp_path):
    clip = make_clip(frames=12, size=SIZE)
    upright = make_clip(frames=12, size="90x160")
    film = await merge([clip], tmp_path / "a.mp4", ffmpeg=any_ffmpeg, cut=Cut(profile=Profile.P720))
    assert (film.file.width, film.file.height) == (1280, 720)
    film = await merge(
        [upright], tmp_path / "b.mp4", ffmpeg=any_ffmpeg, cut=Cut(profile=Profile.P720)
    )
    assert (film.file.width, film.file.height) == (720, 1280)


async def test_editors_get_prores_and_uncompressed_sound(make_clip, any_ffmpeg, tmp_path):
    clip = make_clip(frames=30, size=SIZE)
    film = await merge(
        [clip, clip],
        tmp_path / "a.mp4",
        ffmpeg=any_ffmpeg,
        cut=Cut(profile=Profile.EDITOR, join=CROSS),
    )
    assert film.file.path.name == "a.mov"
    with av.open(str(film.file.path)) as container:
        assert container.streams.video[0].codec_context.name == "prores"
        assert container.streams.audio[0].codec_context.name == "pcm_s16le"
    assert len(frame_hashes(film.file.path)) == 54
    assert sound_samples(film.file.path) == 54 * 2000


async def test_an_option_for_a_clip_that_is_not_there_is_refused(make_clip):
    clip = make_clip(frames=24, size=SIZE)
    with pytest.raises(InvalidSetting, match="names clip 3, but the film has 2"):
        await plan_merge([clip, clip], Cut(trims=(Trim(clip=3, start_s=0.1),)))
    with pytest.raises(InvalidSetting, match="nothing is left"):
        await plan_merge([clip], Cut(trims=(Trim(clip=1, start_s=5),)))


async def test_clips_of_the_other_orientation_are_refused_unless_told_what_to_do(make_clip):
    clips = [make_clip(frames=24, size=SIZE)] * 2 + [make_clip(frames=12, size="90x160")]
    with pytest.raises(InvalidSetting, match="clip 3"):
        await plan_merge(clips)
    plan = await plan_merge(clips, Cut(mixed="crop"))
    assert (plan["width"], plan["height"]) == (160, 90)


async def test_the_plan_is_words_and_numbers_and_writes_nothing(make_clip, tmp_path):
    clip = make_clip(frames=48, size=SIZE)
    plan = await plan_merge([clip] * 3, Cut(join=CROSS))
    assert plan["frames"] == 132 and plan["seconds"] == 5.5
    assert plan["estimate_s"] > 0
    assert "crossfade" in " ".join(plan["words"])
    assert 0 < plan["encoded_frames"] < 132


async def test_a_killed_merge_uses_the_pieces_that_are_there(make_clip, ffmpeg, tmp_path):
    clips = [make_clip(frames=48, size=SIZE), make_clip(frames=48, size=SIZE, picture="smptebars")]
    cut, scratch = Cut(join=CROSS), tmp_path / "work"
    scratch.mkdir()
    prepared = await prepare(clips, cut, scratch)
    await encode_pieces(prepared.plan, (), scratch, ffmpeg=ffmpeg, gained=lambda frames: None)
    result = await merge(
        clips, tmp_path / "film.mp4", ffmpeg="/there/is/no/ffmpeg", cut=cut, scratch=scratch
    )
    assert result.frames == 90
    assert left_in(tmp_path) == ["film.mp4"]
