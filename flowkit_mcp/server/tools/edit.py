"""Choosing among takes."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.domain.models import Orientation, Stage
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.overview import picture
from flowkit_mcp.sdk.project import Project
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import (
    InProject,
    InVideo,
    OneOrientation,
    SceneName,
    find_character,
    find_scene,
)
from flowkit_mcp.server.results import Result, reply
from flowkit_mcp.server.schemas import SETS, tool
from flowkit_mcp.server.words import size_of, slot_state, worth_telling


class Selected(Result):
    what: str
    take: int
    path: str
    size: str | None = None
    slots: dict[str, str]
    next: str


async def select_take(
    ctx: Ctx,
    take: Annotated[int, Field(ge=1, description="Its number")],
    scene: SceneName | None = None,
    character: Annotated[str | None, Field(description="For a reference image")] = None,
    stage: Literal["image", "video", "upscale", "image_upscale"] = "image",
    orientation: OneOrientation = None,
    video: InVideo = None,
    project: InProject = None,
) -> CallToolResult:
    """Put another take of a scene or a character into use. What was made from it counts again, what was made from the
    one before becomes stale.
    """
    kit = kit_of(ctx)
    if (scene is None) == (character is None):
        raise InvalidSetting("pass either scene or character", hint="One slot at a time.")
    if character is not None:
        home = await Project.get(kit, project) if project else None
        member = await find_character(kit, character, home)
        kept = await picture(kit, await member.select_take(take))
        what, slots = f"reference image of {member.name}", [await member.slot()]
    else:
        place = await find_scene(kit, scene or "", video, project)
        side = orientation or place.video.orientation
        if side is None:
            raise InvalidSetting("the video has both orientations", hint="Pass orientation.")
        chosen = await place.select_take(Orientation(side), Stage(stage), take)
        kept = await picture(kit, chosen)
        what = f"scene {place.number} {side} {stage}"
        slots = [s for s in (await place.slots()).values() if s.orientation == side]
    return reply(
        Selected(
            what=what,
            take=take,
            path=str(kept.path),
            size=size_of(kept.asset),
            slots={slot.stage.value: slot_state(slot) for slot in slots if worth_telling(slot)},
            next="Stale slots are made anew with generate_video or upscale.",
        ),
        [(what, kept.path)],
    )


TOOLS = (tool(select_take, "Select a take", SETS),)
