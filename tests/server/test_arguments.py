"""What a model reads when it gets the arguments wrong."""

from __future__ import annotations

from typing import Any

import pytest
from fake_provider import FakeProvider
from talk import Talk, talking

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings

MISTAKES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("generate_video", {"qualty": 1}, ["unknown argument 'qualty'", "generate_video takes: "]),
    ("generate_video", {"scene": [1]}, ["unknown argument 'scene' (did you mean 'scenes'?)"]),
    ("create_project", {}, ["argument 'name' is missing"]),
    (
        "generate_video",
        {"video": "Film", "mode": "strt"},
        [
            "'mode' must be one of 'auto', 'start', 'start_end', 'references', 'text' or 'extend'",
            "mean 'start'",
        ],
    ),
    (
        "add_scene",
        {"scenes": [{"prompt": "a"}, {"promt": "b"}]},
        ["unknown argument 'scenes[2].promt' (did you mean 'prompt'?)", "'scenes[2].prompt'"],
    ),
    ("add_scene", {"scenes": [7]}, ["'scenes[1]' must be an object, not 7"]),
    ("add_scene", {"video": "Film", "scenes": []}, ["'scenes' must not be empty"]),
    ("edit_image", {"scene": 1, "prompt": ""}, ["'prompt' must not be empty"]),
    (
        "add_character",
        {"project": "Fox", "characters": [{"name": "Bo", "zzz": "robot"}]},
        ["unknown argument 'characters[1].zzz' (there: name, entity_type, description"],
    ),
    ("wait", {"max_wait_s": 90}, ["'max_wait_s'", "less than or equal to 50"]),
    ("move_scene", {"scene": 1, "to": "first"}, ["'to'", "valid integer"]),
    ("list_jobs", {"job": "the last"}, ["'the last' is not a job", "list_jobs"]),
    (
        "add_character",
        {"project": "Fox", "characters": [{"name": "Bo", "entity_type": "person"}]},
        ["'characters[1].entity_type' must be one of 'character', 'location'"],
    ),
]


async def test_a_mistake_names_the_field_and_the_remedy(talk: Talk) -> None:
    for tool, arguments, words in MISTAKES:
        text = await talk.fail(tool, **arguments)
        assert text.startswith("INVALID_SETTING: "), text
        for word in words:
            assert word in text, (tool, arguments)
        for noise in ("pydantic", "https://", "Error executing", "[type="):
            assert noise not in text, text


REFUSALS: list[tuple[str, dict[str, Any], str]] = [
    ("get_project", {"project": "Nope"}, "NOT_FOUND: no project 'Nope'; there are: 'Bear', 'Fox'"),
    ("add_scene", {"video": "Nope", "scenes": ["a"]}, "NOT_FOUND: no video 'Nope'; there are"),
    (
        "update_scene",
        {"scene": 9, "video": "Film", "prompt": "x"},
        "NOT_FOUND: no scene 9 in this video: it has 1",
    ),
    ("create_project", {"name": " fox"}, "CONFLICT: there is a project 'fox' already. Go on"),
    ("add_video", {"project": "Fox", "title": "FILM"}, "CONFLICT: there is a video 'FILM' already"),
    ("update_project", {"project": "Fox", "name": "bear"}, "CONFLICT: there is a project 'bear'"),
    ("update_video", {"video": "Film", "title": "other"}, "CONFLICT: there is a video 'other'"),
    ("update_scene", {"scene": 9, "prompt": "x"}, "NOT_FOUND: scene 9 of which video"),
    ("update_scene", {"scene": 1, "video": "Film"}, "INVALID_SETTING: nothing to change"),
    (
        "generate_image",
        {"video": "Film"},
        "INVALID_SETTING: nothing to make is given. Pass scenes or characters, or missing=true",
    ),
    (
        "generate_video",
        {},
        "INVALID_SETTING: nothing to make is given. Pass scenes, or missing=true with video.",
    ),
    (
        "generate_video",
        {"video": "Film", "missing": True, "new_take": True},
        "INVALID_SETTING: missing and new_take contradict each other",
    ),
    ("generate_video", {"missing": True}, "INVALID_SETTING: neither video nor project"),
    ("edit_image", {"prompt": "x"}, "INVALID_SETTING: pass either scene or character"),
    ("cancel_job", {"job": 77}, "NOT_FOUND: no job 77. Call list_jobs"),
    ("resolve_job", {"action": "reopen"}, "INVALID_SETTING: reopen is for a provider"),
    ("resolve_job", {"action": "retry"}, "INVALID_SETTING: job is not given"),
    ("remove", {"what": "character", "which": "Mai"}, "INVALID_SETTING: project is not given"),
    ("upload_image", {"path": "/a.png"}, "INVALID_SETTING: pass either character or scene"),
    ("select_take", {"take": 3, "scene": 1, "video": "Film"}, "NOT_FOUND: scene 1 has no"),
    (
        "generate_image",
        {"video": "Film", "scenes": [1], "model": "Imaginary"},
        "INVALID_SETTING: this account has no model named 'Imaginary'",
    ),
]


async def test_an_error_says_what_is_wrong_and_what_to_do_next(talk: Talk) -> None:
    await talk.do("create_project", name="Bear")
    await talk.production(scenes=1)
    await talk.do("add_video", project="Fox", title="Other")
    for tool, arguments, start in REFUSALS:
        text = await talk.fail(tool, **arguments)
        assert text.startswith(start), text
        assert text.endswith("."), text
        assert text.count(". ") >= 1, text


async def test_where_there_is_nothing_yet_the_first_step_is_named(talk: Talk) -> None:
    assert (await talk.fail("get_project", project="Fox")).endswith("Call create_project first.")
    await talk.do("create_project", name="Fox")
    assert (await talk.fail("check_plan", video="Film")).endswith("Call add_video first.")


async def test_without_an_account_making_says_how_to_connect(settings: Settings, mode: str) -> None:
    provider = FakeProvider(connected=False)
    async with (
        FlowKit.open(settings, provider=provider) as kit,
        talking(kit, provider, mode) as talk,
    ):
        await talk.do("create_project", name="Fox")
        await talk.do("add_character", project="Fox", characters=["Mai"])
        text = await talk.fail("generate_image", project="Fox", characters=["Mai"])
    assert text.startswith("NOT_CONNECTED: ")
    assert "flowkit-mcp pair" in text


async def test_numbers_names_and_single_values_are_taken_as_meant(talk: Talk) -> None:
    await talk.production(scenes=2)
    for scene in (1, "1", "scene 1", "#1", "Scene 1"):
        found = await talk.do("update_scene", scene=scene, video="film", prompt="x")
        assert found["scenes"][0]["scene"] == 1
    by_id = await talk.do("update_scene", scene=found["scenes"][0]["id"], prompt="y")
    assert by_id["scenes"][0]["scene"] == 1
    started = await talk.do("generate_image", project="Fox", scenes="2", orientations="VERTICAL")
    number = started["jobs"][0]["job"]
    for job in (number, str(number), f"job {number}", f"#{number}"):
        assert (await talk.do("list_jobs", job=job))["job"]["job"] == number
    waited = await talk.do("wait", jobs=f"[{number}]")
    assert waited["jobs"][0]["job"] == number


async def test_a_fault_of_ours_reaches_the_model_as_a_fault_of_ours(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_args: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(talk.kit), "status", broken)
    text = await talk.fail("status")
    assert text.startswith("BUG: status ended with ZeroDivisionError. Please report it")
    assert "secret" not in text
    assert "secret detail" in caplog.text  # the log has the trace


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x" * 40_001, "'description' has 40001 characters, at most 40000"),
        ("a\x00b", "'description' has a character that no text has (U+0000, the 2. of 3)"),
        ("\x1b[2J", "U+001B"),
        ("half a face \ud83d", "U+D83D, the 13. of 13"),
    ],
)
async def test_what_is_no_text_or_too_much_of_it_is_refused_with_its_field(
    talk: Talk, text: str, says: str
) -> None:
    told = await talk.fail("create_project", name="Fox", description=text)
    assert told.startswith("INVALID_SETTING: ") and says in told
    deep = await talk.fail("add_scene", video="Film", scenes=[{"prompt": "a"}, {"prompt": text}])
    assert "'scenes[2].prompt' has" in deep
    assert (await talk.do("list_projects"))["projects"] == []
