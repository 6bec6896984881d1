"""From scene, cast and style to the text that is sent. Appearance lives in the character, action in the scene."""

from __future__ import annotations

from collections.abc import Sequence

from flowkit_mcp.domain.models import Character, EntityType, Project, Scene

NO_MUSIC = "Natural sound only, no background music."

_PORTRAIT = {
    EntityType.CHARACTER: "full-body portrait, neutral pose, plain light background",
    EntityType.LOCATION: "wide establishing view, no people",
    EntityType.CREATURE: "full-body view, neutral pose, plain light background",
    EntityType.VISUAL_ASSET: "the object alone, plain light background",
    EntityType.GENERIC_TROOP: "one typical member, full body, plain light background",
    EntityType.FACTION: "a group of typical members, plain light background",
}


def reference_prompt(character: Character, style: str) -> str:
    """The picture that shows what a character looks like."""
    looks = character.image_prompt or character.description
    return _join(
        f"{character.name}: {looks}" if looks else character.name,
        _PORTRAIT[character.entity_type],
        style,
    )


def image_prompt(scene: Scene, cast: Sequence[Character], project: Project) -> str:
    """The first frame of a scene; references are named in the order in which they are passed."""
    return _join(scene.image_prompt or scene.prompt, _cast_line(cast), project.style)


def continuation_prompt(scene: Scene, cast: Sequence[Character], project: Project) -> str:
    """The first frame of a scene that goes on from its parent's picture, which is edited."""
    return _join(
        f"The same place and people, the story goes on: {scene.image_prompt or scene.prompt}",
        _cast_line(cast),
        project.style,
    )


def video_prompt(scene: Scene, cast: Sequence[Character], project: Project) -> str:
    """What happens in the clip: the sub-clip timing if there is one, who speaks how, and no music."""
    return _join(scene.video_prompt or scene.prompt, *_voices(cast), NO_MUSIC)


def frameless_video_prompt(
    scene: Scene, cast: Sequence[Character], project: Project, *, referenced: bool
) -> str:
    """The same for a clip that starts from no picture: style and looks are said, too.

    Args:
        scene: what happens.
        cast: who is seen, in the order in which their references are passed.
        project: its style is what every picture would have brought along.
        referenced: the looks come as reference images and are not said again.
    """
    looks = [f"{c.name}: {c.description}" for c in cast if c.description]
    return _join(
        scene.video_prompt or scene.prompt,
        *([_cast_line(cast)] if referenced else looks),
        *_voices(cast),
        project.style,
        NO_MUSIC,
    )


def _voices(cast: Sequence[Character]) -> list[str]:
    return [
        f"{c.name} speaks with this voice: {c.voice_description}"
        for c in cast
        if c.voice_description
    ]


def _cast_line(cast: Sequence[Character]) -> str:
    if not cast:
        return ""
    names = ", ".join(f"{c.name} as in reference image {n}" for n, c in enumerate(cast, start=1))
    return f"Keep exactly the same look: {names}"


def _join(*parts: str | None) -> str:
    return " ".join(
        text if text.endswith((".", "!", "?", "…")) else f"{text}."
        for text in ((part or "").strip() for part in parts)
        if text
    )
