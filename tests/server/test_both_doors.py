"""The SDK's direct mode and the tools: the same requests give the same takes, prices and errors."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from server.talk import Talk, talking
from stack.whole import stack

from flowkit_mcp import Character, FlowKit, Orientation, Planned, Project, Scene, SceneDraft
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.sdk.jobs import Job
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.e2e  # a simulator and a browser for each door

H = Orientation.HORIZONTAL
SCENES: list[dict[str, Any]] = [
    {"prompt": "Mai at the pier", "characters": ["Mai"]},
    {"prompt": "Mai looks up", "characters": ["Mai"], "continues": 1},
    {"prompt": "Rain on the sea", "video_prompt": "0-2s: drops fall. 2-4s: the sea is dark"},
    {"prompt": "What nobody may see [[unsafe]]"},
]

#: (tool, SDK verb, scene or None for the reference image, options of both)
Step = tuple[str, str, int | None, dict[str, Any]]
STEPS: list[Step] = [
    # before anything is there
    ("generate_image", "image", 1, {"seed": 1}),
    ("generate_video", "video", 1, {}),
    ("generate_video", "video", 1, {"mode": "references"}),
    ("generate_video", "video", 3, {"mode": "references"}),
    ("generate_video", "video", 3, {"mode": "extend"}),
    ("generate_image", "image", 2, {"last_frame": True}),
    ("generate_image", "image", 3, {"last_frame": True}),
    ("upscale", "upscale", 1, {}),
    # what is made
    ("generate_image", "image", None, {"seed": 2}),
    ("generate_image", "image", 1, {"seed": 3}),
    ("generate_image", "image", 2, {"seed": 4}),
    ("generate_image", "image", 1, {"seed": 5, "new_take": True, "model": "nano-banana-2-lite"}),
    ("edit_image", "edit", 1, {"prompt": "make it rain", "seed": 6}),
    ("generate_video", "video", 1, {"mode": "start", "model": "veo-lite", "seed": 7}),
    ("generate_video", "video", 1, {"mode": "start_end", "duration_s": 4, "seed": 8, "new_take": True}),
    ("generate_image", "image", 2, {"last_frame": True, "new_take": True}),  # the two meet already
    ("generate_video", "video", 1, {"mode": "start", "duration_s": 4, "seed": 12, "new_take": True}),
    ("generate_image", "image", 2, {"last_frame": True, "new_take": True}),
    ("generate_video", "video", 2, {"mode": "start", "seed": 13}),
    ("generate_video", "video", 2, {"mode": "references", "voices": ["kore"], "seed": 9, "new_take": True}),
    ("generate_video", "video", 3, {"mode": "text", "resolution": "360p", "seed": 10}),
    ("generate_video", "video", 4, {"mode": "text", "seed": 11}),
    ("upscale", "upscale", 1, {"resolution": "1080p"}),
    ("upscale", "upscale", 3, {"resolution": "720p"}),
    ("upscale", "pictures", 1, {"resolution": "2K"}),
    # what the account lacks, and what makes no sense
    ("generate_video", "video", 2, {"mode": "extend", "new_take": True}),
    ("upscale", "upscale", 1, {"resolution": "4K", "new_take": True}),
    ("upscale", "upscale", 1, {"resolution": "720p", "new_take": True}),
    ("upscale", "pictures", 1, {"resolution": "4K", "new_take": True}),
    ("generate_video", "video", 3, {"mode": "text", "duration_s": 5, "new_take": True}),
    ("generate_video", "video", 3, {"mode": "text", "model": "nobody", "new_take": True}),
    ("generate_video", "video", 2, {"mode": "references", "voices": ["x"], "new_take": True}),
    ("generate_video", "video", 3, {"mode": "text", "voices": ["kore"], "new_take": True}),
    ("generate_video", "video", 1,
     {"mode": "references", "model": "veo-lite", "voices": ["kore", "puck"], "new_take": True}),
]  # fmt: skip


@dataclass
class Told:
    """What a door told: per step its error, or price, end and what was charged."""

    steps: list[str] = field(default_factory=list[str])
    takes: list[str] = field(default_factory=list[str])
    ledger: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])


async def by_sdk(kit: FlowKit, told: Told) -> None:
    project = await Project.create(kit, "Harbour", style="storybook")
    mai = await project.add_character("Mai", description="a girl", voice_description="low")
    video = await project.add_video("Harbour", orientation=H)
    scenes = await video.add_scenes([SceneDraft(**one) for one in SCENES])
    for _, verb, number, options in STEPS:
        target = mai if number is None else scenes[number - 1]
        try:
            planned = await plan(target, project.id, verb, options)
            result = await Job.execute(kit, planned)
        except FlowKitError as error:
            told.steps.append(str(error))
            continue
        end = f"charged {result.credits}" if result.success else str(result.error)
        told.steps.append(f"{planned.credits} credits: {end}")


async def plan(
    target: Scene | Character, project: str, verb: str, options: dict[str, Any]
) -> Planned:
    if isinstance(target, Character):
        return await target.plan_image(project, style="storybook", **options)
    plans: dict[str, Callable[..., Awaitable[Planned]]] = {
        "image": target.plan_image,
        "video": target.plan_video,
        "upscale": target.plan_upscale,
        "pictures": target.plan_image_upscale,
    }
    if verb == "edit":
        prompt, rest = options["prompt"], {k: v for k, v in options.items() if k != "prompt"}
        return await target.plan_image(H, edit_prompt=prompt, **rest)
    return await plans[verb](H, **options)


async def by_tools(talk: Talk, told: Told) -> None:
    await talk.do("create_project", name="Harbour", style="storybook")
    mai = {"name": "Mai", "description": "a girl", "voice_description": "low"}
    await talk.do("add_character", project="Harbour", characters=[mai])
    await talk.do("add_video", project="Harbour", title="Harbour", orientation="HORIZONTAL")
    await talk.do("add_scene", video="Harbour", scenes=SCENES)
    for tool, verb, number, options in STEPS:
        where: dict[str, Any] = {"project": "Harbour", "characters": ["Mai"]}
        if number is not None:
            where = {"video": "Harbour", "scenes": [number]}
        if verb == "edit":
            where = {"video": "Harbour", "scene": number}
        if verb == "pictures":
            where["what"] = "pictures"
        result = await talk.call(tool, **where, **options)
        if result.is_error:
            told.steps.append(result.content[0].text)
            continue
        started = result.structured_content
        (line,) = started["jobs"]
        (ended,) = (await talk.do("wait", jobs=[line["job"]]))["jobs"]
        good = ended["state"] == "succeeded"
        end = f"charged {ended['credits']}" if good else ended["why"]
        told.steps.append(f"{started['credits']} credits: {end}")


async def look(kit: FlowKit) -> list[str]:
    """All takes with all that is known of them; ids are given names that are the same in both libraries."""
    project = await Project.get(kit, "Harbour")
    (video,) = await project.get_videos()
    names = {project.id: "PROJECT", video.id: "VIDEO"}
    found: list[Any] = []
    for owner in [*await project.get_characters(), *await video.get_scenes()]:
        names[owner.id] = repr(owner)
        for take in await owner.takes():
            names[take.id] = f"{owner!r} {take.orientation} {take.stage} {take.number}"
            found.append(take)
    lines: list[str] = []
    for take in found:
        values = take.model_dump(mode="json", exclude={"asset_id", "job_id", "created_at"})
        text = str(sorted(values.items(), key=str))
        lines.append(re.sub("|".join(names), lambda match: names[match[0]], text))
    return lines


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_both_doors_lead_to_the_same(tmp_path: Path, lane: Lane) -> None:
    sdk, tools = Told(), Told()
    async with stack(tmp_path / "sdk", lane=lane) as world:
        await by_sdk(world.kit, sdk)
        sdk.takes = await look(world.kit)
        sdk.ledger = [(line.model, line.credits) for line in world.sim.ledger()]
    async with stack(tmp_path / "tools", lane=lane) as world:
        async with talking(world.kit, None, "auto") as talk:  # type: ignore[arg-type]
            await by_tools(talk, tools)
        tools.takes = await look(world.kit)
        tools.ledger = [(line.model, line.credits) for line in world.sim.ledger()]
    for step, one, other in zip(STEPS, sdk.steps, tools.steps, strict=True):
        assert one == other, step
    assert sdk.takes == tools.takes
    assert sdk.ledger == tools.ledger
    codes = [step.split(":")[0] for step in sdk.steps]
    assert codes[:8] == ["NOT_READY"] * 8, sdk.steps[:8]
    assert codes[-9:] == ["NOT_READY", *["INVALID_SETTING"] * 8], sdk.steps[-9:]
    made = sdk.steps[8:-9]
    assert [one for one in made if "REJECTED" in one] == [made[13]], made
    assert [one for one in made if "NOT_READY" in one] == [made[7]], made
    assert len(sdk.takes) == len(made) - 2
