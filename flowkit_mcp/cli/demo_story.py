"""The story that the demo films. Appearance lives in the cast, action in the scenes."""

from __future__ import annotations

from typing import Any

PROJECT: dict[str, Any] = {
    "name": "The Light at Gull Point",
    "description": "A keeper, her robot and one small boat.",
    "story": (
        "At dusk Mira and her robot Tock light the lamp of Gull Point. Far out a small boat turns for home. All "
        "night the two of them keep the light burning. In the morning the boat is safe in the bay."
    ),
    "style": "Storybook illustration, soft light, clear colours",
}

CAST: list[dict[str, Any]] = [
    {
        "name": "Mira",
        "description": "a lighthouse keeper girl of ten in a yellow raincoat and a red scarf, auburn hair",
        "voice_description": "bright and quick, a little out of breath",
    },
    {
        "name": "Tock",
        "description": "a small teal robot with a round body, an orange aerial and two amber eyes",
        "voice_description": "slow and kind, with a ticking between the words",
    },
    {
        "name": "Gull Point",
        "entity_type": "location",
        "description": "a white lighthouse with red stripes on a sandy shore by the sea, gulls over the bay",
    },
]

VIDEO = "A Light for the Little Boat"

SCENES: list[dict[str, Any]] = [
    {
        "prompt": "Dusk at Gull Point: Mira and Tock have lit the lamp and look out over the sea.",
        "video_prompt": (
            "0-2s: the lamp of the lighthouse flares up, the gulls circle. "
            "2-4s: Mira points at a small boat far out, Tock's eyes follow her hand."
        ),
        "characters": ["Mira", "Tock", "Gull Point"],
    },
    {
        "prompt": "A starry night at Gull Point: Mira and Tock keep the light burning.",
        "video_prompt": (
            "0-2s: the light sweeps over the sea, Mira and Tock stand their watch. "
            "2-4s: the stars fade and the sky turns from night to morning."
        ),
        "characters": ["Mira", "Tock", "Gull Point"],
    },
    {
        "prompt": "A clear morning at Gull Point: the little boat is safe in the bay, Mira and Tock wave to it.",
        "video_prompt": "0-2s: the boat rocks in the bay. 2-4s: Mira and Tock wave, the gulls rise.",
        "characters": ["Mira", "Tock", "Gull Point"],
        "continues": "previous",
    },
]

#: What is changed in the picture of one scene, before its clip is made.
EDITED_SCENE = 1
EDIT = "Add a small sailing boat far out on the sea."

#: The clip of which a 1080p version is kept beside it.
UPSCALED_SCENE = 1
UPSCALED_ORIENTATION = "HORIZONTAL"

#: A story for everybody; the person who publishes has to say so, and here it is us.
MADE_FOR_KIDS = False

CLIP_S = 4
ORIENTATIONS = ("HORIZONTAL", "VERTICAL")
