"""Clips with known defects are found out, each with what mends it; clean ones are left in peace."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from flowkit_mcp.media.doctor import (
    Fault,
    JoinFacts,
    Remedy,
    clip_faults,
    compared,
    end_of,
    film_steps,
    join_faults,
    start_of,
)
from flowkit_mcp.media.facts import FactsBook, Shown
from flowkit_mcp.media.hear import SoundFacts, hear
from flowkit_mcp.media.look import TINY_BYTES, PictureFacts, look
from flowkit_mcp.media.probe import read_clip
from flowkit_mcp.media.threads import Stop
from flowkit_mcp.simulator.render import ClipSpec, Renderer

STEADY = "aevalsrc='0.2*sin(2*PI*220*t)'"
QUIET = "aevalsrc='0.02*sin(2*PI*220*t)'"
TAGS = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"


def measured(clip: Path) -> tuple[PictureFacts, SoundFacts]:
    found = read_clip(clip)
    return look(found, Stop())[0], hear(found, Stop())


def faults(clip: Path, **options: object) -> dict[str, Fault]:
    return {one.code: one for one in clip_faults(*measured(clip), **options)}  # type: ignore[arg-type]


def join(one: Path, other: Path, **options: object) -> JoinFacts:
    (a, heard), (b, next_heard) = measured(one), measured(other)
    before = end_of(a, heard, 0, a.frames)
    after = start_of(b, next_heard, 0, b.frames)
    return join_faults(before, after, **({"goes_on": False} | options))  # type: ignore[arg-type]


def codes(facts: JoinFacts) -> set[str]:
    return {one.code for one in facts.faults}


# ---- clips ---------------------------------------------------------------------------------------


def test_a_clean_clip_has_no_faults_and_true_measures(make_clip):
    picture, sound = measured(make_clip(frames=48, sound=STEADY))
    assert clip_faults(picture, sound, planned_s=2) == []
    assert (picture.width, picture.height, picture.fps, picture.frames) == (320, 180, 24.0, 48)
    assert sound.loudness == pytest.approx(-14.9, abs=0.5)  # a sine of 0.2 on two channels
    assert sound.peak == pytest.approx(-14, abs=0.5)


def test_black_at_the_start_is_found_to_the_frame_and_can_be_trimmed_off(make_clip):
    black = f"drawbox=enable='lt(n,12)':color=black:t=fill,{TAGS}"
    found = faults(make_clip(frames=48, sound=STEADY, tags=black))
    assert found.keys() == {"BLACK"}
    assert found["BLACK"].what == "black 0.00-0.50 s"
    assert (found["BLACK"].remedy, found["BLACK"].trim) == (Remedy.FREE, (0.5, None))


def test_black_in_the_middle_only_a_new_take_mends(make_clip):
    black = f"drawbox=enable='between(n,20,23)':color=black:t=fill,{TAGS}"
    found = faults(make_clip(frames=48, sound=STEADY, tags=black))
    assert found["BLACK"].span == (20 / 24, 1.0)
    assert (found["BLACK"].remedy, found["BLACK"].trim) == (Remedy.TAKE, None)


def test_a_night_scene_with_a_light_in_it_is_not_black(make_clip):
    night = f"drawbox=color=black:t=fill,drawbox=x=100:y=60:w=60:h=60:color=gray:t=fill,{TAGS}"
    assert "BLACK" not in faults(make_clip(frames=24, sound=STEADY, tags=night))


def test_a_picture_that_stands_still_is_found_and_slow_motion_is_not(make_clip):
    frozen = f"tpad=stop_mode=clone:stop=24,{TAGS}"
    found = faults(make_clip(frames=48, sound=STEADY, sound_s=3, tags=frozen))
    assert found.keys() == {"FROZEN"}
    start, end = found["FROZEN"].span or (0, 0)
    assert start == pytest.approx(47 / 24, abs=2 / 24)
    assert end == 3
    assert found["FROZEN"].trim == (0.0, pytest.approx(start, abs=0.01))
    creeping = f"loop=loop=47:size=1,setpts=N/24/TB,scale=640:360,crop=320:180:20+n/2:60,{TAGS}"
    slow = make_clip(frames=1, sound=STEADY, sound_s=2, tags=creeping)
    assert faults(slow) == {}


def test_clipped_sound_is_found_and_loud_sound_is_not(make_clip):
    clipped = "aevalsrc='clip(3*sin(2*PI*220*t),-1,1)'"
    found = faults(make_clip(frames=48, sound=clipped))
    assert found["CLIPPED"].remedy is Remedy.TAKE
    loud = "aevalsrc='0.9*sin(2*PI*220*t)'"
    assert faults(make_clip(frames=48, sound=loud)) == {}


def test_missing_and_silent_sound_matter_where_somebody_speaks(make_clip):
    silent = make_clip(frames=24, sound="aevalsrc=0")
    none = make_clip(frames=24, sound=None)
    assert faults(silent)["SILENT"].remedy is Remedy.NOTE
    assert faults(silent, spoken=True)["SILENT"].remedy is Remedy.TAKE
    assert faults(none)["NO_SOUND"].remedy is Remedy.NOTE
    assert faults(none, spoken=True)["NO_SOUND"].remedy is Remedy.TAKE


def test_a_clip_of_another_length_than_planned_is_told(make_clip):
    clip = make_clip(frames=48, sound=STEADY)
    assert faults(clip, planned_s=8)["LENGTH"].what == "2.0 s instead of 8 s"
    assert faults(clip, planned_s=2.2) == {}


# ---- joins ---------------------------------------------------------------------------------------


def test_clips_that_fit_have_nothing_to_mend(make_clip):
    clip = make_clip(frames=48, sound=STEADY)
    facts = join(clip, clip)
    assert facts.faults == ()
    assert abs(facts.step_lu) < 0.5


def test_a_step_in_loudness_is_measured_and_levelling_told(make_clip):
    quiet, loud = make_clip(frames=48, sound=QUIET), make_clip(frames=48, sound=STEADY)
    facts = join(quiet, loud)
    assert facts.step_lu == pytest.approx(20, abs=1)
    (step,) = facts.faults
    assert (step.code, step.remedy) == ("STEP", Remedy.FREE)
    assert "20 LU louder" in step.what
    levelled = join(quiet, loud, film_step_lu=1.0)
    assert codes(levelled) == {"LEVELLED"}
    assert {one.remedy for one in levelled.faults} == {Remedy.MERGE}


def test_only_where_a_scene_goes_on_must_pictures_and_colours_meet(make_clip):
    clip = make_clip(frames=48, sound=STEADY)
    # the picture of a frame earlier: it goes on
    first = make_clip(frames=24, sound=STEADY)
    warm = make_clip(frames=24, sound=STEADY, tags=f"lutyuv=u=val-14:v=val+14,{TAGS}")
    dark = make_clip(frames=24, sound=STEADY, tags=f"lutyuv=y=val*0.85,{TAGS}")
    other = make_clip(frames=24, sound=STEADY, tags=f"negate,{TAGS}")
    assert codes(join(clip, first, goes_on=True)) == set()
    assert codes(join(clip, warm, goes_on=True)) == {"COLOUR"}
    assert codes(join(clip, dark, goes_on=True)) == {"COLOUR"}
    assert codes(join(clip, other, goes_on=True)) == {"JUMP"}
    assert codes(join(clip, other, goes_on=False)) == set()
    assert join(clip, other, goes_on=True).faults[0].remedy is Remedy.TAKE


def test_black_and_frozen_frames_at_a_join_are_told_with_their_side(make_clip):
    clean = make_clip(frames=48, sound=STEADY)
    black = make_clip(
        frames=48, sound=STEADY, tags=f"drawbox=enable='gte(n,44)':color=black:t=fill,{TAGS}"
    )
    (fault,) = join(black, clean).faults
    assert (fault.code, fault.what, fault.late) == ("BLACK", "4 black frames before it", False)
    frozen = make_clip(
        frames=40, sound=STEADY, sound_s=2, tags=f"tpad=start_mode=clone:start=8,{TAGS}"
    )
    (fault,) = join(clean, frozen).faults
    assert (fault.code, fault.late) == ("FROZEN", True)


def test_words_cut_off_are_told_and_other_sounds_are_faded(make_clip):
    speaking = make_clip(frames=48, sound="aevalsrc='if(gt(mod(t,1),0.5),0.3*sin(2*PI*200*t),0)'")
    steady = make_clip(frames=48, sound="aevalsrc='0.1*sin(2*PI*200*t)'")
    said = join(speaking, steady, spoken=(True, False))
    assert next(one for one in said.faults if one.code == "SPEECH").remedy is Remedy.TAKE
    unsaid = join(speaking, steady)
    assert next(one for one in unsaid.faults if one.code == "BREAK").remedy is Remedy.MERGE
    assert not codes(join(steady, speaking, spoken=(True, True))) & {"SPEECH", "BREAK"}
    assert not codes(join(speaking, steady, spoken=(True, False), blended=True)) & {"SPEECH"}


def test_a_films_steps_are_read_from_its_momentary_loudness():
    blocks = [-20.0] * 20 + [-14.0] * 20  # the second half begins at 2 s
    blocks[20:23] = [-18.0, -16.5, -15.0]  # 400 ms windows cross the join
    (step,) = film_steps(blocks, [48])
    assert step == pytest.approx(6.0, abs=0.1)


def test_pictures_are_compared_by_light_and_colour_apart():
    grey, lighter, redder = ([level] * TINY_BYTES for level in (100, 130, 100))
    redder[0::3] = [130] * (TINY_BYTES // 3)
    assert compared(bytes(grey), bytes(grey)) == (0, 0, 0)
    difference, light, colour = compared(bytes(grey), bytes(lighter))
    assert (round(difference, 1), round(light), round(colour)) == (0, 30, 0)
    assert compared(bytes(grey), bytes(redder))[2] > 10


# ---- measured once -------------------------------------------------------------------------------


def test_a_clip_is_measured_once_and_a_lost_cache_only_measures_again(make_clip, tmp_path):
    book = FactsBook(tmp_path / "looks")
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(make_clip(frames=48, sound=STEADY).read_bytes())
    shown = book.shown(clip, "a" * 64)
    picture, sound = book.picture(shown, Stop()), book.sound(shown, Stop())
    strip = book.strip(shown, Stop())
    clip.unlink()  # whatever is asked again is not read from the clip
    assert book.shown(clip, "a" * 64) == shown
    assert book.picture(shown, Stop()) == picture
    assert book.sound(shown, Stop()) == sound
    assert book.strip(shown, Stop()) == strip
    clip.write_bytes(make_clip(frames=48, sound=STEADY).read_bytes())
    for kept in (tmp_path / "looks").glob("*.json"):
        kept.write_text('{"v": ', encoding="utf-8")
    assert book.picture(shown, Stop()) == picture
    assert book.sound(shown, Stop()) == sound


def test_the_shown_part_has_its_own_strip_and_edges(make_clip, tmp_path):
    book = FactsBook(tmp_path)
    clip = make_clip(frames=96, sound=STEADY)
    whole, part = book.shown(clip, "b" * 64), book.shown(clip, "b" * 64, 1.0, 2.5)
    assert (part.first, part.frames, part.total) == (24, 36, 96)
    assert book.strip(whole, Stop()) != book.strip(part, Stop())
    head, tail = book.edges(part, Stop())
    exact = book.picture(whole, Stop())
    assert head.first == part.first
    assert head.miniature(part.first) == exact.miniature(part.first)
    assert tail.miniature(part.last) == exact.miniature(part.last)
    assert replace(whole, first=95, frames=1).last == 95
    end = book.shown(clip, "b" * 64, 3.99, 99.0)
    assert (end.first, end.frames) == (95, 1) or end.frames >= 1
    assert isinstance(book.strip(Shown(clip, "b" * 64, 95, 1, 96), Stop()), Path)


# ---- the clips of the demo -----------------------------------------------------------------------


@pytest.mark.media
async def test_the_demos_clips_are_clean_at_every_cut(tmp_path):
    renderer = Renderer()
    clips: list[Path] = []
    try:
        for number, size in enumerate(((1280, 720), (720, 1280), (1280, 720))):
            prompt = ("A room with a lamp.", "Night falls at sea.", "A city in the rain.")[number]
            to = tmp_path / f"{number}.mp4"
            await renderer.clip(ClipSpec(prompt, *size, 4, number, None, None), to)
            clips.append(to)
    finally:
        await renderer.aclose()
    for clip in clips:
        assert faults(clip, planned_s=4) == {}
    for one, other in pairwise(clips):
        assert join(one, other).faults == ()
