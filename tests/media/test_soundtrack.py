"""What a film sounds like, measured by ffmpeg's own meter and by looking at samples."""

from __future__ import annotations

import subprocess

import pytest
from film_checks import left_channel, loudness, onsets, rms, sound_samples

from flowkit_mcp.domain.cut import Cut, Ducking, Loudness, Music, MusicFit, Narration, NarrationFit
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.merge import merge, plan_merge

pytestmark = pytest.mark.media

NO_FFMPEG = "/there/is/no/ffmpeg"
SIZE = "160x90"
PINK = "aevalsrc='{level}*(random(0)-0.5)*(0.6+0.4*sin(2*PI*3*t))'"


@pytest.fixture
def make_sound(ffmpeg, tmp_path):
    """`make_sound("voice.wav", "sine=…", seconds)`: a person's own file."""

    def make(name, source, seconds, *options):
        path = tmp_path / name
        argv = [str(ffmpeg), "-v", "error", "-nostdin", "-f", "lavfi", "-i", source]
        argv += ["-t", str(seconds), *options, f"file:{path}"]
        subprocess.run(argv, check=True, capture_output=True)
        return str(path)

    return make


def clip_at(make_clip, level, frames=72, **more):
    return make_clip(frames=frames, size=SIZE, sound=PINK.format(level=level), **more)


async def test_clips_are_levelled_and_the_film_meets_its_loudness(make_clip, ffmpeg, tmp_path):
    clips = [clip_at(make_clip, level) for level in (0.9, 0.25, 0.06, 0.4)]
    result = await merge(clips, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    lufs, peak = loudness(ffmpeg, result.file.path)
    assert lufs == pytest.approx(-14, abs=0.3)
    assert peak <= -1.0
    heard = left_channel(result.file.path)
    parts = [rms(heard[clip * 144_000 + 4_000 : (clip + 1) * 144_000 - 4_000]) for clip in range(4)]
    assert max(parts) / min(parts) < 1.6  # 24 dB apart before
    assert result.report["loudness_lufs"] == pytest.approx(lufs, abs=0.3)


@pytest.mark.parametrize("every", ["0.7", "0.157"], ids=["spikes far apart", "close together"])
async def test_a_dynamic_film_is_limited_below_its_peak_and_still_meets_its_loudness(
    every, make_clip, ffmpeg, tmp_path
):
    spike = "0.03" if every == "0.7" else "0.004"
    spiky = make_clip(
        frames=120,
        size=SIZE,
        sound=f"aevalsrc='0.03*sin(2600*t)+if(lt(mod(t,{every}),{spike}),0.9*sin(5000*t),0)'",
    )
    result = await merge([spiky], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    lufs, peak = loudness(ffmpeg, result.file.path)
    assert result.report["limited"]
    assert peak <= -0.95
    assert lufs == pytest.approx(-14, abs=0.3)


async def test_noise_that_cannot_be_both_keeps_the_peak_and_its_loudness_is_told_as_it_is(
    make_clip, ffmpeg, tmp_path
):
    noise = make_clip(frames=120, size=SIZE, sound="aevalsrc='1.6*(random(0)-0.5)*2'")
    wish = Cut(loudness=Loudness(target_lufs=-9, true_peak_db=-9))
    result = await merge([noise], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG, cut=wish)
    lufs, peak = loudness(ffmpeg, result.file.path)
    assert peak <= -8.95
    assert result.report["loudness_lufs"] == pytest.approx(lufs, abs=0.3)


async def test_loudness_can_be_set_and_switched_off(make_clip, ffmpeg, tmp_path):
    clip = clip_at(make_clip, 0.2)
    quiet = await merge(
        [clip], tmp_path / "a.mp4", ffmpeg=NO_FFMPEG, cut=Cut(loudness=Loudness(target_lufs=-23))
    )
    assert loudness(ffmpeg, quiet.file.path)[0] == pytest.approx(-23, abs=0.3)
    off = await merge(
        [clip], tmp_path / "b.mp4", ffmpeg=NO_FFMPEG, cut=Cut(loudness=Loudness(on=False))
    )
    assert loudness(ffmpeg, off.file.path)[0] == pytest.approx(loudness(ffmpeg, clip)[0], abs=0.3)


async def test_silence_stays_silent_and_a_missing_track_stays_empty(make_clip, ffmpeg, tmp_path):
    mute = make_clip(frames=24, size=SIZE, sound=None)
    nothing = make_clip(frames=24, size=SIZE, sound="aevalsrc='0'")
    result = await merge([mute, nothing], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    assert max(map(abs, left_channel(result.file.path))) < 1e-4
    assert result.report["gain_db"] == 0
    assert sound_samples(result.file.path) == 48 * 2000


async def test_a_long_film_is_encoded_in_parts_without_a_seam(
    make_clip, ffmpeg, tmp_path, monkeypatch
):
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    clip = make_clip(frames=24 * 20, size=SIZE, sound="aevalsrc='0.3*sin(2*PI*441*t)'")
    result = await merge([clip] * 3, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG)
    heard = left_channel(result.file.path)
    assert sound_samples(result.file.path) == 60 * 48_000
    # A steady tone in 100 ms windows: any seam would be a step in one of them.
    for second in range(2, 598):
        if second % 200 in (0, 199, 1):
            continue  # the joins of the clips themselves
        part = heard[second * 4_800 : (second + 1) * 4_800]
        assert rms(part) == pytest.approx(rms(heard[48_000:96_000]), rel=0.02), second


async def test_music_goes_down_before_the_first_word_and_comes_back(
    make_clip, make_sound, ffmpeg, tmp_path
):
    mute = make_clip(frames=192, size=SIZE, sound=None)
    music = make_sound("music with 'quotes' — 夜.m4a", "sine=frequency=300:sample_rate=44100", 9)
    # Words that the music's meter does not hear: the voice is on the right side only.
    voice = make_sound(
        "voice.wav", "aevalsrc='0|if(between(t,0,1.5),0.4*sin(9000*t),0)':s=24000", 2.5
    )
    cut = Cut(
        music=Music(file=music, fade_in_s=0, fade_out_s=0.5),
        narration=(Narration(file=voice, clip=1, delay_s=3.0),),
        ducking=Ducking(music_db=12, before_s=0.25, after_s=0.5),
    )
    result = await merge([mute], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG, cut=cut)
    left = left_channel(result.file.path)

    def level(start, end):
        return rms(left[round(start * 48_000) : round(end * 48_000)])

    full = level(1.2, 2.2)
    assert level(3.0, 3.1) / full == pytest.approx(10 ** (-12 / 20), rel=0.08)  # at the first word
    assert level(3.4, 4.4) / full == pytest.approx(10 ** (-12 / 20), rel=0.08)
    assert level(2.5, 2.7) / full == pytest.approx(1, rel=0.05)
    assert level(5.3, 5.7) / full == pytest.approx(1, rel=0.05)
    assert result.report["ducked"] == [[3.0, pytest.approx(4.5, abs=0.05)]]
    assert level(7.95, 8.0) < 0.15 * full  # faded out with the film


@pytest.mark.parametrize(
    ("fit", "heard_s"), [(MusicFit.LOOP, 8.0), (MusicFit.ONCE, 5.0), (MusicFit.STRETCH, 8.0)]
)
async def test_music_is_looped_played_once_or_stretched(
    make_clip, make_sound, ffmpeg, tmp_path, fit, heard_s
):
    mute = make_clip(frames=192, size=SIZE, sound=None)
    music = make_sound("music.wav", "sine=frequency=300", 4)
    cut = Cut(music=Music(file=music, fit=fit, fade_in_s=0, fade_out_s=0, start_s=1.0))
    result = await merge([mute], tmp_path / "film.mp4", ffmpeg=NO_FFMPEG, cut=cut)
    left = left_channel(result.file.path)
    loud = [second for second in range(80) if rms(left[second * 4800 : (second + 1) * 4800]) > 0.01]
    assert loud[0] == 10
    assert loud[-1] + 1 == pytest.approx(heard_s * 10, abs=1)
    assert len(loud) == loud[-1] - 9  # no gap where it begins again


async def test_narration_is_fitted_by_speed_then_by_holding_and_it_is_reported(
    make_clip, make_sound, ffmpeg, tmp_path
):
    mute = make_clip(frames=48, size=SIZE, sound=None)
    voice = make_sound("voice.wav", "sine=frequency=400:sample_rate=24000", 2.5)
    shown = {}
    for fit in NarrationFit:
        cut = Cut(narration=(Narration(file=voice, clip=1, delay_s=0, tail_s=0, fit=fit),))
        plan = await plan_merge([mute, mute], cut)
        shown[fit] = plan["frames"], plan["narration"][0]["overrun_ms"]
    # 2.5 s of speech on 2 s of picture; 1.15 times as fast it takes 2.17 s.
    assert shown == {
        NarrationFit.AUTO: (96 + 5, 0),
        NarrationFit.TRIM: (96 + 5, 0),
        NarrationFit.FREEZE: (96 + 12, 0),
        NarrationFit.SPEED: (96, 174),
        NarrationFit.NONE: (96, 500),
    }
    cut = Cut(narration=(Narration(file=voice, clip=1, delay_s=0, tail_s=0),))
    result = await merge([mute, mute], tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    assert result.frames == 101
    assert "1.15× faster" in result.report["narration"][0]["done"]
    left = left_channel(result.file.path)
    assert rms(left[2 * 48_000 : 2 * 48_000 + 4_800]) > 0.05  # not cut off
    assert rms(left[110_000:190_000]) < 0.001


async def test_a_clip_longer_than_its_narration_is_trimmed_when_asked(make_clip, make_sound):
    clip = make_clip(frames=72, size=SIZE)
    voice = make_sound("voice.wav", "sine=frequency=400", 1.5)
    cut = Cut(narration=(Narration(file=voice, clip=1, fit="trim", delay_s=0.25, tail_s=0.25),))
    plan = await plan_merge([clip], cut)
    assert (plan["frames"], plan["encoded_frames"]) == (48, 0)


async def test_a_narration_for_the_whole_film_holds_its_last_frame(make_clip, make_sound):
    clip = make_clip(frames=48, size=SIZE)
    voice = make_sound("voice.wav", "sine=frequency=400", 4.5)
    cut = Cut(narration=(Narration(file=voice, fit="freeze", delay_s=0, tail_s=0),))
    plan = await plan_merge([clip, clip], cut)
    assert plan["frames"] == 108


async def test_sound_files_that_are_missing_or_something_else_are_named(make_clip, tmp_path):
    clip = make_clip(frames=24, size=SIZE)
    playlist = tmp_path / "music.mp3"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\n/etc/hostname\n", encoding="utf-8")
    for name in ("music.mp3", "nothing.wav"):
        cut = Cut(music=Music(file=str(tmp_path / name)))
        with pytest.raises(MediaError, match=name):
            await merge([clip], tmp_path / "out" / "film.mp4", ffmpeg=NO_FFMPEG, cut=cut)
        assert not list((tmp_path / "out").iterdir())
    with pytest.raises(InvalidSetting, match="one of the files"):
        await merge([clip], playlist, ffmpeg=NO_FFMPEG, cut=Cut(music=Music(file=str(playlist))))


async def test_a_film_with_everything_in_its_sound_is_still_in_step(
    make_clip, make_sound, ffmpeg, tmp_path
):
    clip = make_clip(frames=48, size=SIZE)
    music = make_sound("m.wav", "anullsrc=r=48000:cl=stereo", 2)
    cut = Cut(music=Music(file=music))
    result = await merge([clip] * 3, tmp_path / "film.mp4", ffmpeg=NO_FFMPEG, cut=cut)
    heard = onsets(left_channel(result.file.path))
    assert all(abs(a - b) <= 96 for a, b in zip(heard, (0, 96_000, 192_000), strict=True))
