"""Choosing takes and joining the film."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.domain.models import Orientation, Stage
from flowkit_mcp.domain.requests import Merge
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.jobs import Planned
from flowkit_mcp.sdk.overview import picture
from flowkit_mcp.sdk.project import Project, Video
from flowkit_mcp.server.batch import Batch
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import (
    InProject,
    InVideo,
    OneOrientation,
    Orientations,
    SceneName,
    find_character,
    find_scene,
    find_video,
    orientations_of,
)
from flowkit_mcp.server.results import Result, reply
from flowkit_mcp.server.schemas import ADDS, SETS, tool
from flowkit_mcp.server.words import film_of, size_of, slot_state, worth_telling


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
    one before becomes stale; nothing is erased, so it can be taken back.
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


async def merge(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    orientations: Orientations = None,
    new_take: Annotated[bool, Field(description="Join again though this film exists")] = False,
) -> CallToolResult:
    """Join the clips in use of all scenes, in order, into one film per orientation. Free and local; clips are not
    encoded again where that can be avoided. Returns jobs at once, or the films if they exist.
    """
    kit = kit_of(ctx)
    found = await find_video(kit, video, project)
    batch = Batch(kit, again="call merge again")
    for side in orientations_of(found.row, orientations):
        await _plan(batch, found, side, new_take)
    return await batch.proposal().carry_out()


async def _plan(batch: Batch, video: Video, side: Orientation, new_take: bool) -> None:
    """Unless the very same clips have been joined before."""
    planned: list[Planned] = []

    async def planning() -> Planned:
        planned.append(await video.plan_merge(side, new_take=new_take))
        return planned[0]

    await batch.plan(f"{side} film", partial(planning))
    if new_take or not planned or planned[0] not in batch.planned:
        return
    request = planned[0].request
    assert isinstance(request, Merge)
    for render in await video.renders():
        clips = render.recipe.get("clips")
        if render.orientation is side and clips == list(request.clip_take_ids):
            film, path = await film_of(batch.kit, render)
            if path.is_file():
                batch.planned.remove(planned[0])
                batch.films.append((film, path))
                return


TOOLS = (
    tool(select_take, "Select a take", SETS),
    tool(merge, "Join the film", ADDS),
)
