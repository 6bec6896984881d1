"""What check_plan finds before anything is spent."""

from __future__ import annotations

import pytest

from flowkit_mcp.domain.lint import ScenePlan, lint
from flowkit_mcp.domain.speech import seconds, spoken, words
from flowkit_mcp.domain.subclips import subclips


def codes(*scenes: ScenePlan, known: tuple[str, ...] = ()) -> list[str]:
    return [finding.code for finding in lint(scenes, known)]


def test_a_sound_plan_has_no_findings() -> None:
    scene = ScenePlan(
        number=1,
        prompt='0-3s: Mai opens the gate. 3-8s: Mai says "Come in, all of you."',
        cast=("Mai",),
        clip_s=8,
        max_references=10,
    )
    assert codes(scene, known=("Mai", "Bo")) == []


def test_a_video_without_scenes_is_an_error() -> None:
    assert codes() == ["NO_SCENES"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"cast": ("Mai",), "unpictured": ("Mai",)}, "MISSING_REFERENCE"),
        ({"cast": ("Mai", "Bo"), "max_references": 1}, "TOO_MANY_REFERENCES"),
        ({"cast": ("Mai",), "max_references": 1, "other_references": 1}, "TOO_MANY_REFERENCES"),
        ({"mode": "references"}, "NO_REFERENCES"),
        ({"frameless": ("VERTICAL",)}, "NO_START_IMAGE"),
        ({"prompt": "Bo waves"}, "NOT_CAST"),
        ({"image_prompt": "bo, waving"}, "NOT_CAST"),
        ({"prompt": "@Zed waves"}, "UNKNOWN_CHARACTER"),
        ({"prompt": "0-3s: a. 6-9s: b."}, "SUBCLIP_OUTSIDE"),
        ({"prompt": "0-4s: a. 3-6s: b."}, "SUBCLIP_OVERLAP"),
        ({"prompt": "5-3s: a."}, "SUBCLIP_BACKWARDS"),
        ({"prompt": f'He says: "{"word " * 30}"'}, "TOO_MANY_WORDS"),
        ({"narration": "word " * 24}, "TOO_MANY_WORDS"),
        ({"prompt": "a naked man"}, "LIKELY_REFUSED"),
        ({"image_prompt": "Darth Vader at tea"}, "LIKELY_REFUSED"),
        ({"prompt": "rain " * 2000}, "LONG_PROMPT"),
        ({"prompt": "雨" * 1100, "image_prompt": "雨"}, "LONG_PROMPT"),
    ],
)
def test_each_flaw_is_found_once_with_its_scene_and_a_remedy(
    change: dict[str, object], code: str
) -> None:
    scene = ScenePlan.model_validate(
        {"number": 3, "prompt": "rain on a roof", "clip_s": 8} | change
    )
    (finding,) = lint([scene], ("Mai", "Bo"))
    assert (finding.code, finding.scene) == (code, 3)
    assert finding.message
    assert finding.remedy


@pytest.mark.parametrize(
    "change",
    [
        {"frameless": ("VERTICAL",), "mode": "text"},
        {"frameless": ("VERTICAL",), "mode": "extend"},
        {"prompt": "a Bogart film; Maine in rain", "narration": None},
        {"prompt": "the year 1910-1920: a street"},
        {"prompt": "girls play football in the sun"},
        {"narration": "word " * 20},
    ],
)
def test_what_is_fine_is_not_complained_of(change: dict[str, object]) -> None:
    scene = ScenePlan.model_validate(
        {"number": 1, "prompt": "rain on a roof", "clip_s": 8} | change
    )
    assert lint([scene], ("Mai", "Bo")) == ()


def test_errors_come_first_and_scenes_in_order() -> None:
    found = lint(
        [
            ScenePlan(number=1, prompt="a naked man"),
            ScenePlan(number=2, prompt="x", frameless=("HORIZONTAL",)),
            ScenePlan(number=3, prompt="x", cast=("A",), unpictured=("A",)),
        ]
    )
    assert [(one.severity, one.scene) for one in found] == [
        ("error", 2),
        ("error", 3),
        ("warning", 1),
    ]


def test_beats_are_read_in_the_ways_people_write_them() -> None:
    beats = subclips("0-3s: she turns. 3s – 6.5 sec: rain. 6.5—8s：dark")
    assert [(beat.start_s, beat.end_s, beat.text) for beat in beats] == [
        (0, 3, "she turns."),
        (3, 6.5, "rain."),
        (6.5, 8, "dark"),
    ]
    assert subclips("a plain prompt at 8s") == ()


def test_speech_is_what_stands_in_quotation_marks_of_any_kind() -> None:
    assert (
        spoken("Mai says “hello there” and «adieu», then 「さようなら」")
        == "hello there adieu さようなら"
    )
    assert spoken("nobody's dog, it's late") == ""


def test_scripts_without_spaces_take_time_too() -> None:
    assert words("one two, it's three-fold") == 4
    assert 3 < seconds("我们今天去山上看日出然后回家吃饭") < 5
    assert words("") == 0
