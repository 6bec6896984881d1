"""Captions, titles and logos: as files that anything reads, and in the picture where they can be seen."""

from __future__ import annotations

import itertools
import re

import imageio_ffmpeg
import pytest
from film_checks import frame_hashes, grey_frames, psnr
from PIL import Image

from flowkit_mcp.domain.cut import (
    Captions,
    CaptionStyle,
    Cue,
    Cut,
    Insert,
    Logo,
    Narration,
    Title,
    TitleKind,
)
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.media.captions import TimedText, broken, clean, spread, srt, vtt
from flowkit_mcp.media.cards import Artist, safe_area
from flowkit_mcp.media.fonts import Fonts
from flowkit_mcp.media.merge import merge, plan_merge
from flowkit_mcp.media.narrate import Fitted
from flowkit_mcp.media.speech import Spoken
from flowkit_mcp.media.stills import frame_at
from flowkit_mcp.media.timeline import Voice

SIZE = "320x180"
GREY = "color=c=0x606060"
HOSTILE = [
    'it\'s 100% "quoted": a,b;c',
    "[x] {y} \\N \\an8 %{pts} $(id) `id`",
    "':movie=/etc/passwd,drawtext=text='",
    "two\n\n\nlines --> <i>three</i> & more",
    "Đêm nay trời đẹp quá",
    "مرحبا بالعالم שלום",
    "emoji 🌙 and \x00 control \x1b[31m",
    "W" * 300,
]
HALF = "\ud800 half a letter"  # an option refuses it; a library's older text may still hold it


def times(text: str, point: str) -> list[tuple[int, int]]:
    stamp = rf"(\d+):(\d\d):(\d\d)\{point}(\d{{3}})"
    return [
        tuple(
            ((int(h) * 60 + int(m)) * 60 + int(s)) * 1000 + int(ms)
            for h, m, s, ms in (found[:4], found[4:])
        )
        for found in re.findall(rf"^{stamp} --> {stamp}$", text, re.MULTILINE)
    ]


@pytest.mark.media
async def test_captions_are_files_beside_the_film_whether_burnt_or_not(make_clip, tmp_path):
    clip = make_clip(frames=96, size=SIZE)
    cues = tuple(
        Cue(start_s=0.4 * index, end_s=0.4 * index + 2, text=text)
        for index, text in enumerate(HOSTILE)
    )
    result = await merge(
        [clip], tmp_path / "film.mp4", ffmpeg="/no/ffmpeg", cut=Cut(captions=Captions(cues=cues))
    )
    assert [path.name for path in result.sidecars] == ["film.srt", "film.vtt"]
    for path, point in zip(result.sidecars, ",.", strict=True):
        text = path.read_bytes().decode("utf-8")
        shown = times(text, point)
        assert len(shown) == len(HOSTILE)
        assert all(a < b for a, b in shown)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(shown))
        assert "\x00" not in text and "\x1b" not in text
    assert result.sidecars[1].read_text(encoding="utf-8").startswith("WEBVTT\n\n")
    assert "&lt;i&gt;three" in result.sidecars[1].read_text(encoding="utf-8")
    assert result.plan["encoded_frames"] == 0
    assert any("ends earlier" in note for note in result.plan["notes"])


@pytest.mark.media
@pytest.mark.parametrize("build", ["system", "imageio"])
@pytest.mark.parametrize("size", ["640x360", "360x640"])
async def test_burnt_captions_stand_inside_the_safe_area_only_while_they_are_said(
    make_clip, ffmpeg, tmp_path, size, build
):
    program = ffmpeg if build == "system" else imageio_ffmpeg.get_ffmpeg_exe()
    clip = make_clip(frames=72, size=size, picture=GREY)
    width, height = map(int, size.split("x"))
    cue = Cue(start_s=1, end_s=2, text="Every evening she climbed the steps to light the lamp.")
    result = await merge(
        [clip],
        tmp_path / "film.mp4",
        ffmpeg=program,
        cut=Cut(captions=Captions(cues=(cue,), burn=True)),
    )
    film, plain = grey_frames(result.file.path), grey_frames(clip)
    # Read in 2.6 s at most 20 letters a second, so it may stay longer than asked, never come earlier.
    assert max(abs(a - b) for a, b in zip(film[23], plain[23], strict=True)) < 12
    bright = [at for at, value in enumerate(film[24]) if value > 200]
    assert len(bright) > width * height / 400
    safe = safe_area(width, height)
    assert min(at % width for at in bright) >= safe.left
    assert max(at % width for at in bright) <= safe.right
    assert max(at // width for at in bright) <= safe.bottom
    assert min(at // width for at in bright) >= safe.bottom - height * 0.25
    assert 24 <= result.plan["encoded_frames"] < 72
    assert len(frame_hashes(result.file.path)) == 72


@pytest.mark.media
async def test_only_what_a_title_covers_is_encoded(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=96, size=SIZE)
    title = Title(text="A title", subtitle="of two lines", start_s=1, seconds=1)
    result = await merge([clip], tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=Cut(titles=(title,)))
    film, source = frame_hashes(result.file.path), frame_hashes(clip)
    assert film[:22] == source[:22] and film[48:] == source[48:]
    grey, plain = grey_frames(result.file.path), grey_frames(clip)
    assert psnr(grey[36], plain[36]) < 30 < 38 < psnr(grey[24], plain[24])
    assert "something is drawn over it" in result.plan["clips"][0]["why"]


@pytest.mark.media
async def test_hostile_words_are_drawn_and_read_nothing(make_clip, ffmpeg, tmp_path):
    clip = make_clip(frames=24, size=SIZE, picture=GREY)
    for kind in TitleKind:
        titles = tuple(
            Title(text=text, subtitle=text, kind=kind, start_s=0.05 * index, seconds=0.4)
            for index, text in enumerate(HOSTILE)
        )
        cut = Cut(titles=titles, intro=Insert(text=HOSTILE[2], seconds=0.2))
        result = await merge([clip], tmp_path / f"{kind}.mp4", ffmpeg=ffmpeg, cut=cut)
        assert len(frame_hashes(result.file.path)) == result.frames == 29


@pytest.mark.media
async def test_a_logo_keeps_its_colour_and_its_corner(make_clip, ffmpeg, tmp_path):
    Image.new("RGBA", (100, 50), (230, 40, 30, 255)).save(tmp_path / "my 'logo'.png")
    clip = make_clip(frames=12, size=SIZE, picture=GREY)
    logo = Logo(file=str(tmp_path / "my 'logo'.png"), width=0.3, opacity=1)
    result = await merge([clip], tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=Cut(logo=logo))
    frame = frame_at(result.file.path, 0.2)
    safe = safe_area(320, 180)
    at = (safe.right - 27, safe.top + 13)
    assert all(abs(a - b) <= 10 for a, b in zip(frame.getpixel(at), (230, 40, 30), strict=True))
    assert all(abs(value - 0x60) <= 6 for value in frame.getpixel((20, 90)))


@pytest.mark.media
async def test_intro_and_outro_may_be_words_a_picture_or_a_clip(make_clip, ffmpeg, tmp_path):
    Image.new("RGB", (300, 500), (20, 200, 60)).save(tmp_path / "end.png")
    clip = make_clip(frames=24, size=SIZE)
    cut = Cut(
        intro=Insert(text="Chapter One", seconds=0.5, ground="#102030"),
        outro=Insert(file=str(tmp_path / "end.png"), seconds=0.5, join={"kind": "crossfade"}),
        titles=(Title(text="Hello", clip=1, start_s=0.25, seconds=0.2),),
    )
    result = await merge([clip], tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    assert result.frames == len(frame_hashes(result.file.path)) == 12 + 24 + 12 - 6
    cut = Cut(intro=Insert(file=str(make_clip(frames=10, size=SIZE))))
    again = await merge([clip], tmp_path / "two.mp4", ffmpeg="/no/ffmpeg", cut=cut)
    assert (again.frames, again.copied) == (34, 2)


def test_a_narrations_text_becomes_captions_while_it_is_spoken():
    text = (
        "She climbed the steps. Nobody had told her why! And yet, every single evening, she went."
    )
    voice = Voice(Narration(file="v.wav", text=text), Fitted(6.0), 48_000)
    spoken = Spoken(((0, 96_000), (192_000, 288_000)), 300_000)  # 2 s, a pause of 2 s, 2 s
    cues = spread(voice, spoken, 60)
    assert " ".join(cue.text for cue in cues) == text
    assert cues[0].start == 24 and cues[-1].end == 168
    assert all(cue.start < cue.end for cue in cues)
    assert not any(cue.start >= 72 and cue.end <= 120 for cue in cues)  # none in the pause alone


def test_text_is_broken_at_sentences_words_and_never_over_its_room():
    for text in (*HOSTILE, HALF, "一二三四五六七八九十" * 12, "word " * 80):
        pieces = broken(clean(text).replace("\n", " "), 42)
        assert all(len(piece) <= 42 for piece in pieces)
        assert "".join("".join(pieces).split()) == "".join(clean(text).split())


def test_caption_files_hold_any_text():
    cues = [TimedText(0, 24, clean(text)) for text in (*HOSTILE, HALF)]
    for text in (srt(cues), vtt(cues)):
        assert text.encode("utf-8").decode("utf-8") == text
        assert not re.search(r"\n\n\n", text)
    assert times(srt([TimedText(24 * 3661, 24 * 3662 + 1, "x")]), ",") == [(3_661_000, 3_662_042)]


def test_a_font_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "font.ttf").write_bytes(b"no font")
    with pytest.raises(InvalidSetting, match=r"font\.ttf"):
        Fonts(tmp_path / "font.ttf")


def test_lines_are_balanced_and_words_stay_whole(tmp_path):
    artist = Artist(720, 1280, tmp_path, Fonts())
    card = artist.title(Title(text="Chapter One"))
    wide = artist.title(Title(text="The Lighthouse Keeper's Extraordinary Granddaughter"))
    safe = safe_area(720, 1280)
    assert safe.left <= wide.x and wide.x + wide.width <= safe.right
    assert card.width < safe.width
    long = artist.caption("word " * 60, CaptionStyle(box=True))
    assert long.y + long.height <= safe.bottom + 2


async def test_captions_that_cannot_be_read_in_time_are_reported(make_clip):
    clip = make_clip(frames=48, size="160x90")
    cues = (
        Cue(start_s=0, end_s=0.5, text="far too many words for half a second of film time"),
        Cue(start_s=0.5, end_s=1, text="next"),
        Cue(start_s=9, end_s=10, text="gone"),
    )
    plan = await plan_merge([clip], Cut(captions=Captions(cues=cues)))
    assert plan["captions"] == 2
    assert any("too long for its 0.5 s" in note for note in plan["notes"])
    assert any("after the film's end" in note for note in plan["notes"])
