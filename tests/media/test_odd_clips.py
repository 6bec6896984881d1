"""Clips as no generator makes them, between two usual ones: a right film, or an error that names the clip."""

from __future__ import annotations

import random
import subprocess

import imageio_ffmpeg
import pytest
from coded import code, coded_clip, read_codes
from film_checks import left_channel, onsets, picture_times, sound_samples
from two_descriptions import joined

from flowkit_mcp.domain.cut import Cut, Join, JoinKind, Mixed, Profile
from flowkit_mcp.errors import FlowKitError, MediaError
from flowkit_mcp.media.merge import merge

pytestmark = pytest.mark.media

X264 = ("-c:v", "libx264", "-preset", "veryfast")
FRAMES = 24


def codes(clip, frames=FRAMES):
    return [code(clip, frame) for frame in range(frames)]


@pytest.fixture(scope="session")
def usual(ffmpeg, tmp_path_factory):
    """The clip before and the clip after the odd one."""
    folder = tmp_path_factory.mktemp("usual")
    return [coded_clip(ffmpeg, folder / f"usual-{n}.mp4", n, FRAMES) for n in (1, 3)]


async def film_of(usual, odd, ffmpeg, tmp_path, **cut):
    """The film, checked for all that does not depend on the odd clip."""
    out = tmp_path / "out"
    film = await merge([usual[0], odd, usual[1]], out / "film.mp4", ffmpeg=ffmpeg, cut=Cut(**cut))
    assert [path.name for path in out.iterdir()] == ["film.mp4"]
    assert picture_times(film.file.path) == [frame * 512 for frame in range(film.frames)]
    assert sound_samples(film.file.path) == film.frames * 2000
    return film


# What differs, and whether the clip's packets can still be copied.
ENCODED = {
    "no B-frames": ([*X264, "-g", "12", "-bf", "0"], None),
    "one B-frame": ([*X264, "-g", "12", "-bf", "1"], None),
    "three B-frames, pyramid": ([*X264, "-g", "12", "-bf", "3", "-b_strategy", "0"], None),
    "open groups of pictures": (
        [*X264, "-g", "12", "-x264-params", "open-gop=1:bframes=3:b-adapt=0"],
        None,
    ),
    "one group of pictures": ([*X264, "-g", "250"], None),
    "every frame a key": ([*X264, "-g", "1"], None),
    "another profile": ([*X264, "-g", "12", "-profile:v", "baseline"], False),
    "other rate control": ([*X264, "-g", "12", "-maxrate", "1M", "-bufsize", "1M"], False),
    "no deblocking, slices": (
        [*X264, "-g", "12", "-x264-params", "slices=4:no-deblock=1"],
        None,
    ),
    "HEVC": (["-c:v", "libx265", "-x265-params", "log-level=error"], False),
    "VP9": (["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"], False),
    "MPEG-4": (["-c:v", "mpeg4", "-q:v", "2"], False),
    "ten bits": ([*X264, "-vf", "format=yuv420p10le"], False),
    "4:4:4": ([*X264, "-vf", "format=yuv444p"], False),
    "full range": (
        [*X264, "-vf", "scale=in_range=tv:out_range=pc,format=yuvj420p,setparams=range=pc"],
        False,
    ),
    "no colour tags": ([*X264, "-g", "12", "-vf", "format=yuv420p"], False),
    "in fragments": ([*X264, "-g", "12", "-movflags", "frag_keyframe+empty_moov"], None),
    "index at the end": ([*X264, "-g", "12", "-movflags", "0"], None),
    "90 kHz clock": ([*X264, "-g", "12", "-video_track_timescale", "90000"], None),
    "QuickTime inside": ([*X264, "-g", "12", "-f", "mov"], None),
}


@pytest.mark.parametrize("what", ENCODED)
async def test_whatever_encoded_it_every_frame_is_there_in_order(usual, ffmpeg, tmp_path, what):
    options, copied = ENCODED[what]
    odd = coded_clip(ffmpeg, tmp_path / "odd.mp4", 2, FRAMES, options=options)
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    assert read_codes(film.file.path) == codes(1) + codes(2) + codes(3)
    heard = onsets(left_channel(film.file.path), quiet=6_000)
    assert len(heard) == 3
    expected = [(n * FRAMES + 6) * 2000 for n in range(3)]
    assert max(abs(a - b) for a, b in zip(heard, expected, strict=True)) <= 96
    how = film.plan["clips"][1]["picture"]
    assert copied is None or how == ("copied" if copied else "encoded")


@pytest.mark.parametrize("size", ["480x272", "120x68", "272x480", "242x130", "640x272"])
@pytest.mark.parametrize("build", ["system", "imageio"])
async def test_other_sizes_are_fitted_and_readable(usual, ffmpeg, tmp_path, size, build):
    program = ffmpeg if build == "system" else imageio_ffmpeg.get_ffmpeg_exe()
    width, height = map(int, size.split("x"))
    odd = coded_clip(ffmpeg, tmp_path / "odd.mp4", 2, FRAMES, size=size)
    film = await film_of(usual, odd, program, tmp_path, mixed=Mixed.PAD)
    assert film.frames == 3 * FRAMES
    whole_width, whole_height = film.file.width, film.file.height
    scale = min(whole_width / width, whole_height / height)
    x, y = width * scale / whole_width, height * scale / whole_height
    box = ((1 - x) / 2, (1 - y) / 2, (1 + x) / 2, (1 + y) / 2)
    assert read_codes(film.file.path, box)[FRAMES : 2 * FRAMES] == codes(2)


@pytest.mark.parametrize("fps", ["12", "24000/1001", "25", "30", "30000/1001", "50", "60"])
async def test_other_frame_rates_keep_their_length_and_their_sound(usual, ffmpeg, tmp_path, fps):
    odd = coded_clip(ffmpeg, tmp_path / "odd.mp4", 2, 48, fps=fps, beep_frame=24)
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    numerator, _, denominator = fps.partition("/")
    rate = float(numerator) / float(denominator or 1)
    expected = round(48 / rate * 24)
    assert film.frames == 2 * FRAMES + expected
    shown = read_codes(film.file.path)[FRAMES : FRAMES + expected]
    assert shown == sorted(shown)
    times = [(number - code(2, 0)) / rate for number in shown]
    assert max(abs(time - place / 24) for place, time in enumerate(times)) <= 1 / min(24, rate)
    heard = onsets(left_channel(film.file.path), quiet=6_000)
    assert abs(heard[1] - (FRAMES / 24 + 24 / rate) * 48_000) <= 96


SOUNDS = {
    "none": None,
    "mono": ("-ac", "1"),
    "5.1": ("-ac", "6"),
    "7.1": ("-ac", "8"),
    "8 kHz": ("-ar", "8000"),
    "22.05 kHz mono": ("-ar", "22050", "-ac", "1"),
    "44.1 kHz": ("-ar", "44100"),
    "96 kHz": ("-ar", "96000"),
    "MP3": ("-c:a", "libmp3lame"),
    "Opus": ("-c:a", "libopus"),
    "FLAC": ("-c:a", "flac", "-strict", "-2"),
    "AC-3 5.1": ("-c:a", "ac3", "-ac", "6"),
    "shorter": ("-af", "atrim=end=0.6"),
    "longer": ("-af", "apad=pad_dur=0.7"),
}


@pytest.mark.parametrize("what", SOUNDS)
async def test_any_sound_track_is_in_step(usual, ffmpeg, tmp_path, what):
    options = SOUNDS[what]
    odd = coded_clip(
        *(ffmpeg, tmp_path / "odd.mp4", 2, FRAMES),
        sound=options is not None,
        sound_options=options or (),
    )
    film = await film_of(usual, odd, "/no/ffmpeg", tmp_path)
    assert film.copied == 3
    heard = onsets(left_channel(film.file.path), quiet=6_000)
    places = [0, 1, 2] if options is not None else [0, 2]
    expected = [(n * FRAMES + 6) * 2000 for n in places]
    assert len(heard) == len(expected)
    # A converter of 8 kHz sound smears what begins; half a millisecond more is its nature.
    slack = 150 if what == "8 kHz" else 96
    assert max(abs(a - b) for a, b in zip(heard, expected, strict=True)) <= slack


def remuxed(ffmpeg, source, to, before=(), after=("-c", "copy")):
    argv = [str(ffmpeg), "-v", "error", "-y", *before, "-i", f"file:{source}", *after, f"file:{to}"]
    subprocess.run(argv, check=True, capture_output=True)
    return to


async def test_frames_that_an_edit_list_hides_stay_hidden(usual, ffmpeg, tmp_path):
    whole = coded_clip(ffmpeg, tmp_path / "whole.mp4", 2, 36)
    # From frame 6 on, copied: the packets from the key frame on are there, an edit list hides some.
    odd = remuxed(ffmpeg, whole, tmp_path / "odd.mp4", before=("-ss", "0.25"))
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    shown = read_codes(film.file.path)[FRAMES:-FRAMES]
    assert shown == [code(2, frame) for frame in range(36 - len(shown), 36)]
    assert len(shown) in range(29, 32)
    heard = onsets(left_channel(film.file.path), quiet=6_000)
    assert abs(heard[1] - (FRAMES + 6 - (36 - len(shown))) * 2000) <= 96


async def test_a_clip_whose_parameter_sets_change_within_is_shown_as_it_was_meant(
    usual, ffmpeg, tmp_path
):
    halves = []
    for number, cabac in ((2, 0), (4, 1)):
        recipe = [*X264, "-g", "12", "-bf", "0", "-x264-params", f"cabac={cabac}"]
        halves.append(
            coded_clip(ffmpeg, tmp_path / f"{number}.mp4", number, 12, sound=False, options=recipe)
        )
    odd = joined(ffmpeg, halves, tmp_path / "odd.mp4")
    alone = await merge([odd], tmp_path / "alone.mp4", ffmpeg=ffmpeg)
    assert read_codes(alone.file.path) == [*codes(2, 12), *codes(4, 12)]
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    assert read_codes(film.file.path) == [*codes(1), *codes(2, 12), *codes(4, 12), *codes(3)]


@pytest.mark.parametrize("turn", ["90", "180", "270"])
async def test_a_turned_clip_stands_upright_in_the_film(usual, ffmpeg, tmp_path, turn):
    program = imageio_ffmpeg.get_ffmpeg_exe()
    straight = coded_clip(ffmpeg, tmp_path / "straight.mp4", 2, FRAMES)
    # As a phone stores it: the picture lies on its side, a flag says how to hold it.
    laid = tmp_path / "laid.mp4"
    back = {"90": "transpose=1", "180": "hflip,vflip", "270": "transpose=2"}[turn]
    remuxed(program, straight, laid, after=("-vf", back, *X264, "-c:a", "copy"))
    odd = remuxed(program, laid, tmp_path / "odd.mp4", before=("-display_rotation", turn))
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    assert read_codes(film.file.path) == codes(1) + codes(2) + codes(3)


async def test_a_variable_frame_rate_is_shown_when_it_should_be(usual, ffmpeg, tmp_path):
    # Every frame twice as long as the one before, in turn: 1/24 s and 2/24 s.
    times = "settb=1/12288,setpts='(floor(N/2)*3+mod(N,2))*512'"
    options = [*X264, "-vf", f"{times},format=yuv420p", "-fps_mode", "vfr"]
    odd = coded_clip(ffmpeg, tmp_path / "odd.mp4", 2, FRAMES, options=options)
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    shown = read_codes(film.file.path)[FRAMES:-FRAMES]
    expected = [frame for n in range(12) for frame in (2 * n, 2 * n + 1, 2 * n + 1)]
    assert [number - code(2, 0) for number in shown] in (expected, expected[:-1])


async def test_anamorphic_pixels_are_seen_in_their_shape(usual, ffmpeg, tmp_path):
    options = [*X264, "-vf", "scale=160:136,setsar=3/2,format=yuv420p"]
    odd = coded_clip(ffmpeg, tmp_path / "odd.mp4", 2, FRAMES, options=options)
    film = await film_of(usual, odd, ffmpeg, tmp_path)
    assert (film.file.width, film.file.height) == (240, 136)
    assert read_codes(film.file.path) == codes(1) + codes(2) + codes(3)


@pytest.mark.parametrize("more", ["cover", "subtitles", "second sound", "chapters"])
async def test_other_tracks_are_left_out(usual, ffmpeg, tmp_path, more):
    plain = coded_clip(ffmpeg, tmp_path / "plain.mp4", 2, FRAMES)
    (tmp_path / "words.srt").write_text(
        "1\n00:00:00,000 --> 00:00:00,500\nword\n", encoding="utf-8"
    )
    (tmp_path / "chapters.txt").write_text(
        ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=x\n", encoding="utf-8"
    )
    frame = tmp_path / "cover.png"
    remuxed(ffmpeg, plain, frame, after=("-frames:v", "1", "-update", "1"))
    extra = {
        "cover": ["-i", str(frame), "-map", "0", "-map", "1", "-disposition:v:1", "attached_pic"],
        "subtitles": [
            "-i",
            str(tmp_path / "words.srt"),
            "-map",
            "0",
            "-map",
            "1",
            "-c:s",
            "mov_text",
        ],
        "second sound": [
            "-f",
            "lavfi",
            "-t",
            "1",
            "-i",
            "sine=440",
            "-map",
            "0",
            "-map",
            "1",
            "-c:a:1",
            "aac",
        ],
        "chapters": ["-i", str(tmp_path / "chapters.txt"), "-map_metadata", "1"],
    }[more]
    copy = ["-c:v", "copy", "-c:a:0", "copy"]
    odd = remuxed(ffmpeg, plain, tmp_path / "odd.mp4", after=(*extra, *copy))
    film = await film_of(usual, odd, "/no/ffmpeg", tmp_path)
    assert read_codes(film.file.path) == codes(1) + codes(2) + codes(3)
    assert len(onsets(left_channel(film.file.path), quiet=6_000)) == 3


async def test_a_clip_of_4k_makes_a_film_of_4k(usual, ffmpeg, tmp_path):
    odd = coded_clip(
        *(ffmpeg, tmp_path / "odd.mp4", 2, 2),
        size="3840x2160",
        beep_frame=0,
        options=["-c:v", "libx264", "-preset", "ultrafast"],
    )
    short = [coded_clip(ffmpeg, tmp_path / f"{n}.mp4", n, 2, size="480x270") for n in (1, 3)]
    film = await film_of(short, odd, ffmpeg, tmp_path)
    assert (film.file.width, film.file.height) == (3840, 2160)
    assert read_codes(film.file.path) == codes(1, 2) + codes(2, 2) + codes(3, 2)


async def test_editors_get_every_frame_of_odd_clips_too(usual, ffmpeg, tmp_path):
    odd = coded_clip(ffmpeg, tmp_path / "odd.mp4", 2, 30, fps="30")
    out = tmp_path / "out"
    film = await merge(
        [usual[0], odd, usual[1]],
        out / "film.mp4",
        ffmpeg=ffmpeg,
        cut=Cut(profile=Profile.EDITOR, join=Join(kind=JoinKind.FADE_BLACK, seconds=0.2)),
    )
    assert [path.name for path in out.iterdir()] == ["film.mov"]
    assert read_codes(film.file.path)[:20] == codes(1, 20)


DISGUISES = {
    "a playlist of ffmpeg": "ffconcat version 1.0\nfile 'file:{other}'\n",
    "a playlist of the web": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{other}\n#EXT-X-ENDLIST\n",
    "a description of streams": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "a page": "<html><video src='file://{other}'></html>",
    "a drawing": "<svg xmlns='http://www.w3.org/2000/svg'><image href='file://{other}'/></svg>",
    "words": "not a video at all\n" * 50,
    "nothing": "",
}


@pytest.mark.parametrize("place", ["clip", "music", "narration", "logo", "intro", "outro picture"])
@pytest.mark.parametrize("what", DISGUISES)
async def test_what_is_disguised_as_media_opens_nothing_and_is_named(
    usual, ffmpeg, tmp_path, what, place
):
    suffix = {"clip": "mp4", "music": "mp3", "narration": "wav", "logo": "png", "intro": "mp4"}
    odd = tmp_path / f"disguised.{suffix.get(place, 'png')}"
    odd.write_text(DISGUISES[what].format(other=usual[1]), encoding="utf-8")
    clips, name = list(usual), str(odd)
    cut = {
        "clip": {},
        "music": {"music": {"file": name}},
        "narration": {"narration": ({"file": name, "clip": 1},)},
        "logo": {"logo": {"file": name}},
        "intro": {"intro": {"file": name}},
        "outro picture": {"outro": {"file": name}},
    }[place]
    if place == "clip":
        clips.insert(1, odd)
    out = tmp_path / "out"
    with pytest.raises(FlowKitError, match=r"disguised\.\w+"):
        await merge(clips, out / "film.mp4", ffmpeg=ffmpeg, cut=Cut.model_validate(cut))
    assert not out.exists() or list(out.iterdir()) == []


async def test_a_picture_or_sound_renamed_to_a_clip_is_named(usual, ffmpeg, tmp_path):
    makers = {
        "png": ("-frames:v", "1", "-f", "image2", "-c:v", "png", "-update", "1"),
        "wav": ("-vn", "-f", "wav"),
        "mkv": ("-c", "copy", "-f", "matroska"),
        "ts": ("-c", "copy", "-f", "mpegts"),
        "avi": ("-c:v", "mpeg4", "-an", "-f", "avi"),
        "gif": ("-an", "-f", "gif"),
    }
    for kind, options in makers.items():
        odd = remuxed(ffmpeg, usual[0], tmp_path / f"was-{kind}.mp4", after=options)
        with pytest.raises(MediaError, match=rf"was-{kind}\.mp4"):
            await merge([*usual, odd], tmp_path / "out" / "film.mp4", ffmpeg=ffmpeg)


@pytest.mark.parametrize("seed", range(12))
async def test_a_clip_cut_anywhere_or_with_bits_turned_never_makes_half_a_film(
    usual, ffmpeg, tmp_path, seed
):
    chance = random.Random(seed)
    odd = tmp_path / "odd.mp4"
    data = bytearray(coded_clip(ffmpeg, tmp_path / "whole.mp4", 2, FRAMES).read_bytes())
    out = tmp_path / "out"
    for _ in range(4):
        broken = bytearray(data)
        if chance.random() < 0.4:
            del broken[chance.randrange(1, len(broken)) :]
        else:
            for _ in range(chance.choice((1, 3, 40))):
                broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        odd.write_bytes(broken)
        join = Join(kind=chance.choice(list(JoinKind)), seconds=0.25)
        try:
            film = await merge(
                [usual[0], odd, usual[1]], out / "film.mp4", ffmpeg=ffmpeg, cut=Cut(join=join)
            )
        except FlowKitError as error:
            assert "odd.mp4" in error.message, error.message
            assert not out.exists() or list(out.iterdir()) == []
        else:
            times = picture_times(film.file.path)
            assert times == [frame * 512 for frame in range(film.frames)]
            assert sound_samples(film.file.path) == film.frames * 2000
            film.file.path.unlink()
