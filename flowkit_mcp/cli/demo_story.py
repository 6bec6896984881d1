"""The story that the demo films. Appearance lives in the cast, action in the scenes."""

from __future__ import annotations

from typing import Any

PROJECT: dict[str, Any] = {
    "name": "The Light at Gull Point",
    "description": "A keeper, her robot and one small boat.",
    "story": (
        "At dusk Mira and her robot Tock carry the evening lantern up to the lighthouse of Gull Point. Far out, "
        "a small boat turns for home. In the storm the great lamp goes dark, and for one long night a girl with a "
        "lantern is all the light there is. In the morning the boat lies safe in the bay."
    ),
    "style": "storybook illustration, soft light, clear colours",
}

CAST: list[dict[str, Any]] = [
    {
        "name": "Mira",
        "description": "a lighthouse keeper girl of ten in a yellow raincoat and a red scarf, auburn hair",
        "voice_description": "bright and quick, a little out of breath",
    },
    {
        "name": "Tock",
        "description": "a small teal robot with a round body, an orange cap and two amber eyes",
        "voice_description": "slow and kind, with a ticking between the words",
    },
    {
        "name": "Gull Point",
        "entity_type": "location",
        "description": "a white lighthouse on green cliffs above the sea, gulls over the bay",
    },
]

VIDEO = "The Night the Light Went Out"

SCENES: list[dict[str, Any]] = [
    {
        "prompt": "Dusk at Gull Point: Mira and Tock bring the evening lantern to the lighthouse by the sea.",
        "video_prompt": (
            "0-2s: Mira strides along the cliff path, the lantern swinging. "
            "2-4s: Tock catches up with her and both look out over the sea."
        ),
        "characters": ["Mira", "Tock", "Gull Point"],
    },
    {
        "prompt": "Night and rain at Gull Point: the great lamp is dark, Mira holds her lantern up to the sea.",
        "video_prompt": (
            "0-2s: rain sweeps over the cliff, Mira lifts the lantern high. "
            "2-4s: the rain thins out and the sky turns from night to morning."
        ),
        "characters": ["Mira", "Tock", "Gull Point"],
    },
    {
        "prompt": "Morning at Gull Point after the storm: the boat is safe in the bay, Mira and Tock wave to it.",
        "video_prompt": "0-2s: the boat rocks in the bay. 2-4s: Mira and Tock wave, the gulls rise.",
        "characters": ["Mira", "Tock", "Gull Point"],
        "continues": "previous",
    },
]

#: What is changed in the picture of one scene, before its clip is made.
EDITED_SCENE = 1
EDIT = "Add a small boat with a white sail far out on the sea."

#: The clip of which a 1080p version is kept beside it.
UPSCALED_SCENE = 1
UPSCALED_ORIENTATION = "HORIZONTAL"

CLIP_S = 4
ORIENTATIONS = ("HORIZONTAL", "VERTICAL")
