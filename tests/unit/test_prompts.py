"""Appearance lives in the character, action in the scene, and no music unless the cut adds it."""

from __future__ import annotations

from typing import Any

import pytest

from flowkit_mcp.domain import prompts
from flowkit_mcp.domain.models import ChainType, Character, EntityType, Project, Scene

TIMES = {"created_at": 1, "updated_at": 1}


def character(name: str, **values: Any) -> Character:
    base: dict[str, Any] = {
        "id": name, "slug": name, "name": name, "entity_type": EntityType.CHARACTER, "description": "",
        "image_prompt": None, "voice_description": None, **TIMES,
    }  # fmt: skip
    return Character(**(base | values))


def scene(**values: Any) -> Scene:
    base: dict[str, Any] = {
        "id": "s", "video_id": "v", "number": 1, "prompt": "Mai lights the lamp", "image_prompt": None,
        "video_prompt": None, "narration": None, "chain_type": ChainType.ROOT, "parent_scene_id": None,
        "trim_start": None, "trim_end": None, "removed_at": None, **TIMES,
    }  # fmt: skip
    return Scene(**(base | values))


def project(style: str = "watercolour") -> Project:
    return Project(
        id="p", slug="p", name="P", description="", story="", language="en", style=style, status="ACTIVE",
        provider="flow", budget_credits=None, thumbnail_asset_id=None, **TIMES,
    )  # fmt: skip


def test_a_reference_shows_the_looks_and_a_scene_does_not_repeat_them() -> None:
    mai = character("Mai", description="a girl in a yellow coat")
    reference = prompts.reference_prompt(mai, "watercolour")
    assert reference.startswith("Mai: a girl in a yellow coat.") and "watercolour" in reference
    image = prompts.image_prompt(scene(), [mai], project())
    assert "yellow coat" not in image
    assert image.startswith("Mai lights the lamp.") and "Mai as in reference image 1" in image


def test_references_are_named_in_the_order_in_which_they_are_passed() -> None:
    text = prompts.image_prompt(scene(), [character("Mai"), character("Tom")], project())
    assert text.index("Mai as in reference image 1") < text.index("Tom as in reference image 2")


@pytest.mark.parametrize("kind", list(EntityType))
def test_every_kind_of_character_has_its_own_way_to_be_shown(kind: EntityType) -> None:
    text = prompts.reference_prompt(character("X", entity_type=kind, description="looks"), "")
    assert text.startswith("X: looks.") and len(text) > len("X: looks.")


def test_a_clip_carries_sub_clip_timing_voices_and_no_music() -> None:
    mai = character("Mai", voice_description="soft, low, a little hoarse")
    text = prompts.video_prompt(
        scene(video_prompt="0-2s: she waits. 2-4s: she smiles"), [mai], project()
    )
    assert text.startswith("0-2s: she waits. 2-4s: she smiles.")
    assert "Mai speaks with this voice: soft, low, a little hoarse." in text
    assert text.endswith(prompts.NO_MUSIC)


def test_without_a_video_prompt_the_scene_says_what_happens() -> None:
    assert prompts.video_prompt(scene(), [], project()).startswith("Mai lights the lamp.")


def test_an_override_replaces_the_scenes_prompt_for_the_picture_only() -> None:
    made = scene(image_prompt="A dark room, a match")
    assert prompts.image_prompt(made, [], project()).startswith("A dark room, a match.")
    assert prompts.video_prompt(made, [], project()).startswith("Mai lights the lamp.")


def test_a_continuation_says_that_the_story_goes_on() -> None:
    text = prompts.continuation_prompt(scene(), [], project())
    assert "the story goes on: Mai lights the lamp" in text


def test_a_clip_without_a_first_frame_says_looks_and_style_in_words() -> None:
    mai = character("Mai", description="a girl in a yellow coat", voice_description="soft")
    text = prompts.frameless_video_prompt(scene(), [mai], project(), referenced=False)
    assert text.startswith("Mai lights the lamp. Mai: a girl in a yellow coat.")
    assert "soft" in text and "watercolour" in text and text.endswith(prompts.NO_MUSIC)
    shown = prompts.frameless_video_prompt(scene(), [mai], project(), referenced=True)
    assert "yellow coat" not in shown and "Mai as in reference image 1" in shown
