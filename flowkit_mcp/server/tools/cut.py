"""From clips to a film: joining, trimming, and the picture it is chosen by."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from mcp.types import CallToolResult
from pydantic import Field, ValidationError

from flowkit_mcp.domain.cut import Cut
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.domain.requests import Merge
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.cut import dry_run as planned_cut
from flowkit_mcp.sdk.cut import make_thumbnail
from flowkit_mcp.sdk.cut import trim as trim_scene
from flowkit_mcp.sdk.jobs import Planned
from flowkit_mcp.sdk.project import Video
from flowkit_mcp.server.batch import Batch
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import (
    InProject,
    InVideo,
    Orientations,
    SceneName,
    find_scene,
    find_video,
    orientations_of,
)
from flowkit_mcp.server.results import Result, reply
from flowkit_mcp.server.schemas import ADDS, SETS, tool
from flowkit_mcp.server.words import film_of


class CutPlan(Result):
    """One film as it would be joined."""

    orientation: str
    seconds: float
    size: str
    estimate_s: float
    words: list[str]


class CutPlans(Result):
    plans: list[CutPlan]
    next: str


class Trimmed(Result):
    scene: int
    shown: dict[str, str]
    next: str


class Thumbnails(Result):
    paths: list[str]
    note: str | None = None
    next: str


async def merge(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    orientations: Orientations = None,
    join: Literal["cut", "crossfade", "fade_black"] | None = None,
    music: Annotated[str | None, Field(description="Path of a sound file")] = None,
    captions: Annotated[
        Literal["file", "burn"] | None, Field(description="From narration; beside or in the film")
    ] = None,
    profile: Literal["source", "720p", "1080p", "2160p", "editor"] | None = None,
    options: Annotated[
        dict[str, Any] | None,
        Field(
            description="More of the cut: joins, loudness, music, ducking, narration, speech, captions, titles, "
            "logo, intro, outro, mixed, use_upscales; a wrong field is answered with its form"
        ),
    ] = None,
    dry_run: Annotated[bool, Field(description="Only say what would be done")] = False,
    new_take: Annotated[bool, Field(description="Though the film exists")] = False,
) -> CallToolResult:
    """Join the clips in use of all scenes, in order, into one film per orientation, larger versions first. Free and
    local. Returns jobs at once, or the films if they exist.
    """
    kit = kit_of(ctx)
    found = await find_video(kit, video, project)
    cut = _cut(join, music, captions, profile, options)
    sides = orientations_of(found.row, orientations)
    if dry_run:
        plans = [await _told(found, side, cut) for side in sides]
        return reply(CutPlans(plans=plans, next="Call merge without dry_run to make it."))
    batch = Batch(kit, again="call merge again")
    for side in sides:
        await _plan(batch, found, side, cut, new_take)
    return await batch.proposal().carry_out()


def _cut(
    join: str | None,
    music: str | None,
    captions: str | None,
    profile: str | None,
    options: dict[str, Any] | None,
) -> Cut:
    """The short arguments over the long ones. Raises InvalidSetting naming the field."""
    given: dict[str, Any] = dict(options or {})
    if join is not None:
        given["join"] = {**_table(given, "join"), "kind": join}
    if music is not None:
        given["music"] = {**_table(given, "music"), "file": music}
    if captions is not None:
        given["captions"] = {**_table(given, "captions"), "burn": captions == "burn"}
    if profile is not None:
        given["profile"] = profile
    try:
        return Cut.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "options"
        raise InvalidSetting(f"options: {where}: {first['msg']}", hint=_form(where)) from error


def _table(given: dict[str, Any], name: str) -> dict[str, Any]:
    value: Any = given.get(name) or {}
    if not isinstance(value, dict):
        raise InvalidSetting(f"options: {name} must be an object", hint=_form(name))
    return cast("dict[str, Any]", value)


def _form(where: str) -> str:
    """The fields that the option in question has."""
    schema = Cut.model_json_schema()
    here: dict[str, Any] = schema
    for part in where.split("."):
        inner = here.get("properties", {}).get(part)
        if inner is None:
            break
        options = [inner, *inner.get("anyOf", []), *inner.get("allOf", []), inner.get("items", {})]
        name = next((one["$ref"].split("/")[-1] for one in options if "$ref" in one), None)
        if name is None or "properties" not in schema["$defs"][name]:
            break
        here = schema["$defs"][name]
    return f"Fields here: {', '.join(here['properties'])}."


async def _told(video: Video, side: Orientation, cut: Cut) -> CutPlan:
    plan = await planned_cut(video.kit, await video.plan_merge(side, cut=cut))
    return CutPlan(
        orientation=side.value,
        seconds=plan["seconds"],
        size=f"{plan['width']}x{plan['height']}",
        estimate_s=plan["estimate_s"],
        words=plan["words"],
    )


async def _plan(batch: Batch, video: Video, side: Orientation, cut: Cut, new_take: bool) -> None:
    """Unless the very same clips have been joined in the same way before."""
    planned: list[Planned] = []

    async def planning() -> Planned:
        planned.append(await video.plan_merge(side, cut=cut, new_take=new_take))
        return planned[0]

    await batch.plan(f"{side} film", planning)
    if new_take or not planned or planned[0] not in batch.planned:
        return
    request = planned[0].request
    assert isinstance(request, Merge)
    wanted = request.recipe()
    for render in await video.renders():
        made = {name: render.recipe.get(name) for name in wanted}
        if render.orientation is side and made == wanted:
            film, path = await film_of(batch.kit, render, joins=True)
            if path.is_file():
                batch.planned.remove(planned[0])
                batch.films.append((film, path))
                return


async def trim(
    ctx: Ctx,
    scene: SceneName,
    start_s: Annotated[float | None, Field(ge=0, description="In the clip as made")] = None,
    end_s: Annotated[float | None, Field(gt=0)] = None,
    beat: Annotated[str | None, Field(description="Instead: words of one timed beat")] = None,
    clear: bool = False,
    video: InVideo = None,
    project: InProject = None,
    orientations: Orientations = None,
) -> CallToolResult:
    """Show only a part of a scene's clip in the film, exact to the frame. The file stays whole (clear shows it all
    again).
    """
    place = await find_scene(kit_of(ctx), scene, video, project)
    shown: dict[str, str] = {}
    for side in orientations_of(place.video, orientations):
        kept = await trim_scene(place, side, start_s=start_s, end_s=end_s, beat=beat, clear=clear)
        end = None if kept is None else kept.end_s
        shown[side.value] = (
            "all of it"
            if kept is None
            else f"{kept.start_s:g} s to {'the end' if end is None else f'{end:g} s'}"
        )
    return reply(Trimmed(scene=place.number, shown=shown, next="merge makes the film with it."))


async def thumbnail(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    title: Annotated[str, Field(max_length=120)] = "",
    subtitle: Annotated[str, Field(max_length=200)] = "",
    scene: SceneName | None = None,
    at_s: Annotated[float | None, Field(ge=0)] = None,
    image: Annotated[str | None, Field(description="Path of a picture")] = None,
    orientations: Orientations = None,
) -> CallToolResult:
    """Make the picture a film is chosen by, from the best frame of its clips (or of one scene, or an image), with
    words. Free.
    """
    found = await find_video(kit_of(ctx), video, project)
    scenes = [await found.scene(scene)] if scene is not None else await found.get_scenes()
    made = [
        await make_thumbnail(scenes, side, title=title, subtitle=subtitle, at_s=at_s, image=image)
        for side in orientations_of(found.row, orientations)
    ]
    return reply(
        Thumbnails(
            paths=[str(one.path) for one in made],
            note=next((one.note for one in made if one.note), None),
            next="upload takes it as thumbnail.",
        ),
        [("thumbnail", one.path) for one in made],
    )


TOOLS = (
    tool(merge, "Join the film", ADDS),
    tool(trim, "Trim a clip", SETS),
    tool(thumbnail, "Make a thumbnail", SETS),
)
