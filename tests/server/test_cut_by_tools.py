"""Trim, join, caption and thumbnail by tools alone, on real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from talk import Talk

from flowkit_mcp.media.probe import probe

pytestmark = pytest.mark.media


async def film_of(talk: Talk, **options: object) -> Path:
    await talk.do("merge", video="Film", **options)
    assert (await talk.do("wait"))["done"]
    (film,) = (await talk.do("merge", video="Film", **options))["films"]
    return Path(film["path"])


async def seconds_of(film: Path) -> float:
    clip = await probe(film)
    return round(clip.frames / 24, 3)


async def test_a_trimmed_clip_shortens_the_film_to_the_frame_and_can_be_whole_again(
    talk: Talk,
) -> None:
    await talk.production()
    await talk.clips()
    whole = await seconds_of(await film_of(talk))
    shown = await talk.do("trim", scene="2", video="Film", end_s=0.25)
    assert shown["shown"] == {"VERTICAL": "0 s to 0.25 s"}
    half = await film_of(talk)
    assert await seconds_of(half) == whole / 2 + 0.25
    await talk.do("trim", scene="2", video="Film", clear=True)
    again = await film_of(talk)
    assert await seconds_of(again) == whole
    assert again != half


async def test_a_beat_of_the_prompt_can_be_named_instead_of_seconds(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.do(
        "update_scene", scene="1", video="Film", video_prompt="0-0.25s: she turns. 0.25-0.5s: rain."
    )
    await talk.clips()
    shown = await talk.do("trim", scene="1", video="Film", beat="rain")
    assert shown["shown"] == {"VERTICAL": "0.25 s to 0.5 s"}
    assert "she turns" in await talk.fail("trim", scene="1", video="Film", beat="snow")
    assert "does not lie in the clip" in await talk.fail(
        "trim", scene="1", video="Film", start_s=99.0
    )


async def test_a_crossfade_shortens_the_film_and_captions_lie_beside_it(talk: Talk) -> None:
    await talk.production()
    for number, words in (("1", "Mai finds a lamp."), ("2", "It begins to glow.")):
        await talk.do("update_scene", scene=number, video="Film", narration=words)
    await talk.clips()
    plain = await seconds_of(await film_of(talk))
    options = {"join": "crossfade", "captions": "file", "options": {"join": {"seconds": 0.25}}}
    film = await film_of(talk, **options)
    assert await seconds_of(film) == plain - 0.25
    text = film.with_suffix(".srt").read_text(encoding="utf-8")
    assert "Mai finds a lamp." in text
    assert "It begins to glow." in text


async def test_a_dry_run_says_what_is_copied_and_makes_nothing(talk: Talk) -> None:
    await talk.production()
    await talk.clips()
    (plan,) = (await talk.do("merge", video="Film", dry_run=True))["plans"]
    assert "copied as they are" in plan["words"][0]
    assert len(json.dumps(plan)) < 2_000


async def test_options_that_do_not_exist_are_named_with_what_there_is(talk: Talk) -> None:
    await talk.production()
    await talk.clips()
    wrong = await talk.fail("merge", video="Film", options={"loudness": {"lufs": -10}})
    assert "loudness.lufs" in wrong
    assert "target_lufs" in wrong
    assert "no file" in await talk.fail("merge", video="Film", music="/nowhere/song.mp3")
    assert "there is no clip 9" in await talk.fail(
        "merge", video="Film", options={"trims": [{"clip": 9, "end_s": 1}]}
    )


async def test_a_thumbnail_is_made_from_the_clips(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.clips()
    (path,) = (await talk.do("thumbnail", video="Film", title="The lamp"))["paths"]
    assert Path(path).read_bytes().startswith(b"\xff\xd8")


async def test_a_thumbnail_is_made_while_some_clips_are_missing(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    await talk.do("generate_video", video="Film", scenes=[1])
    await talk.do("wait")
    (path,) = (await talk.do("thumbnail", video="Film"))["paths"]
    assert Path(path).read_bytes().startswith(b"\xff\xd8")


async def test_a_thumbnail_is_made_from_a_picture_of_ones_own(talk: Talk, tmp_path: Path) -> None:
    await talk.production(scenes=1)
    own = tmp_path / "own.png"
    Image.new("RGB", (800, 1400), "#336699").save(own)
    (path,) = (await talk.do("thumbnail", video="Film", image=str(own)))["paths"]
    with Image.open(path) as made:
        assert made.size == (1080, 1920)
        red, green, blue = made.convert("RGB").getpixel((540, 960))
    assert max(abs(red - 0x33), abs(green - 0x66), abs(blue - 0x99)) < 12
    assert "image" in await talk.fail("thumbnail", video="Film", image=str(tmp_path / "no.png"))
    assert "at_s" in await talk.fail("thumbnail", video="Film", image=str(own), at_s=1)
