"""The tools that make pictures and clips. Each plans; `approval.spending` asks and starts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Literal, cast, get_args

from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Orientation, Slot, Stage
from flowkit_mcp.errors import InvalidSetting, NotReady
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.jobs import Planned
from flowkit_mcp.sdk.options import ClipSize, PictureSize, VideoMode
from flowkit_mcp.sdk.overview import NOUNS
from flowkit_mcp.sdk.project import Project, Video
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.server.approval import spending
from flowkit_mcp.server.batch import Batch
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.desk import Proposal
from flowkit_mcp.server.handles import (
    InProject,
    InVideo,
    Names,
    OneOrMore,
    Orientations,
    SceneName,
    Scenes,
    find_character,
    find_scene,
    find_scenes,
    find_video,
    orientations_of,
)

Missing = Annotated[bool, Field(description="All that is empty or stale")]
ModelName = str | None
Seed = Annotated[int | None, Field(ge=0)]
NewTake = bool
Sides = Sequence[Literal["VERTICAL", "HORIZONTAL"]] | None
PlanScene = Callable[[Scene, Orientation], Awaitable[Planned]]


async def generate_image(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    scenes: Scenes = None,
    characters: Names = None,
    missing: Annotated[
        bool, Field(description="All references and first frames still empty")
    ] = False,
    orientations: Orientations = None,
    model: ModelName = None,
    seed: Seed = None,
    new_take: NewTake = False,
    last_frame: Annotated[bool, Field(description="Cut from the clip that it continues")] = False,
) -> Proposal:
    """Make reference images of characters and first frames of scenes. References come first, and a scene that
    continues another needs that one's image: after wait, call again for what was not ready. Asks the
    person if it costs.
    """
    kit = kit_of(ctx)
    _something(scenes or characters, missing, new_take, "scenes or characters")
    batch = Batch(kit, again="call generate_image again", only_missing=missing)
    home = await _home(
        kit, video, project, scenes, needed=missing or bool(scenes and (video or project))
    )
    owner = await _owner(kit, home, project)
    found = await find_scenes(kit, scenes or [], video, project)
    people = [await find_character(kit, one, owner) for one in characters or []]
    if missing:
        here = await home.get_scenes() if home is not None else []
        people += await _empty_cast(owner, people)
        found += [scene for scene in here if scene.id not in {one.id for one in found}]
    for one in people:
        what = f"reference image of {one.name}"
        if batch.wanted(what, await one.slot(), new_take=new_take):
            at = owner or await _project_of(kit, one)
            options = {"model": model, "style": at.row.style, "new_take": new_take, "seed": seed}
            await batch.plan(what, partial(one.plan_image, at.id, **options))

    def planning(scene: Scene, side: Orientation) -> Awaitable[Planned]:
        if missing and last_frame:  # each in its own way: cut where there is a clip to go on from
            if scene.continues:
                return scene.plan_image(side, last_frame=True)
            return scene.plan_image(side, model=model, seed=seed)
        return scene.plan_image(
            side, model=model, new_take=new_take, last_frame=last_frame, seed=seed
        )

    for scene in found:
        await _each(batch, scene, Stage.IMAGE, orientations, new_take, planning)
    return batch.proposal()


async def edit_image(
    ctx: Ctx,
    prompt: Annotated[str, Field(min_length=1, description="What to change, in words")],
    scene: SceneName | None = None,
    character: Annotated[str | None, Field(description="Name or id")] = None,
    video: InVideo = None,
    project: InProject = None,
    orientations: Orientations = None,
    model: ModelName = None,
    seed: Seed = None,
) -> Proposal:
    """Change the picture in use of a scene or a character, as a new take; the one before stays (select_take).
    Clips made from the old picture become stale. Asks the person if it costs.
    """
    kit = kit_of(ctx)
    if (scene is None) == (character is None):
        raise InvalidSetting("pass either scene or character", hint="One picture at a time.")
    batch = Batch(kit, again="call edit_image again")
    if scene is not None:
        place = await find_scene(kit, scene, video, project)
        for side in orientations_of(place.video, orientations):
            planning = partial(place.plan_image, side, model=model, edit_prompt=prompt, seed=seed)
            await batch.plan(f"scene {place.number} {side} image", planning)
        return batch.proposal()
    home = await Project.get(kit, project) if project else None
    member = await find_character(kit, character or "", home)
    at = home or await _project_of(kit, member)
    planning = partial(member.plan_image, at.id, model=model, edit_prompt=prompt, seed=seed)
    await batch.plan(f"reference image of {member.name}", planning)
    return batch.proposal()


async def generate_video(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    scenes: Scenes = None,
    missing: Missing = False,
    orientations: Orientations = None,
    mode: Annotated[
        VideoMode,
        Field(
            description="From: start = its first frame; start_end = also the image of the scene that continues it; "
            "auto = whichever; references = pictures of its cast; text = words alone; extend = the clip it continues"
        ),
    ] = "auto",
    model: ModelName = None,
    duration_s: Annotated[int | None, Field(ge=1, le=60)] = None,
    resolution: Annotated[
        Literal["360p", "720p"] | None, Field(description="360p: cheap drafts with Omni")
    ] = None,
    voices: Annotated[
        list[str], OneOrMore, Field(description="Preset voices (e.g. charon), for references")
    ] = [],  # noqa: B006 - pydantic copies it, and the schema is smaller than with None
    seed: Seed = None,
    new_take: NewTake = False,
) -> Proposal:
    """Make clips of scenes: from their first frames (generate_image first), from pictures of their cast, from words, or
    from the clip they continue. Asks the person, with the price of all.
    """
    _something(scenes, missing, new_take, "scenes")
    batch = Batch(kit_of(ctx), again="call generate_video again", only_missing=missing)

    def planning(scene: Scene, side: Orientation) -> Awaitable[Planned]:
        return scene.plan_video(
            side,
            mode=mode,
            model=model,
            duration_s=duration_s,
            resolution=resolution,
            voices=voices,
            new_take=new_take,
            seed=seed,
        )

    for scene in await _chosen(batch.kit, video, project, scenes, missing):
        await _each(batch, scene, Stage.VIDEO, orientations, new_take, planning)
    return batch.proposal()


async def upscale(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    scenes: Scenes = None,
    missing: Missing = False,
    orientations: Orientations = None,
    what: Literal["clips", "pictures"] = "clips",
    resolution: Annotated[
        Literal["720p", "1080p", "4K", "2K"] | None,
        Field(description="Clips: 1080p (default), 4K, 720p of drafts; pictures: 2K (default), 4K"),
    ] = None,
    new_take: NewTake = False,
) -> Proposal:
    """Make larger versions of clips or first frames in use, kept beside them. Asks the person if it
    costs.
    """
    _something(scenes, missing, new_take, "scenes")
    stage, size = _larger(what, resolution)
    batch = Batch(kit_of(ctx), again="call upscale again", only_missing=missing)

    def planning(scene: Scene, side: Orientation) -> Awaitable[Planned]:
        if stage is Stage.IMAGE_UPSCALE:
            picture = cast(PictureSize, size)
            return scene.plan_image_upscale(side, resolution=picture, new_take=new_take)
        clip = cast(ClipSize, size)
        return scene.plan_upscale(side, resolution=clip, new_take=new_take)

    for scene in await _chosen(batch.kit, video, project, scenes, missing):
        await _each(
            batch, scene, stage, orientations, new_take, planning, None if missing else size
        )
    return batch.proposal()


_SIZES = {"clips": get_args(ClipSize), "pictures": get_args(PictureSize)}


def _larger(what: str, resolution: str | None) -> tuple[Stage, str]:
    """The stage and the size that are meant."""
    stage = Stage.UPSCALE if what == "clips" else Stage.IMAGE_UPSCALE
    size = resolution or ("1080p" if what == "clips" else "2K")
    if size not in _SIZES[what]:
        raise InvalidSetting(
            f"{what} cannot be made {size}", hint=f"Use {' or '.join(_SIZES[what])} for {what}."
        )
    return stage, size


# ---- what is meant -------------------------------------------------------------------------------


def _something(named: object, missing: bool, new_take: bool, nameable: str) -> None:
    if missing and new_take:
        raise InvalidSetting(
            "missing and new_take contradict each other",
            hint=f"For another take name the {nameable}.",
        )
    if not named and not missing:
        raise InvalidSetting(
            "nothing to make is given",
            hint=f"Pass {nameable}, or missing=true with video.",
        )


async def _chosen(
    kit: FlowKit, video: str | None, project: str | None, scenes: list[str] | None, missing: bool
) -> list[Scene]:
    found = await find_scenes(kit, scenes or [], video, project)
    if missing:
        home = await find_video(kit, video, project)
        everyone = await home.get_scenes()
        if not everyone:
            raise NotReady(f"{home.title!r} has no scenes", hint="Call add_scene first.")
        found += [scene for scene in everyone if scene.id not in {one.id for one in found}]
    return found


async def _home(
    kit: FlowKit, video: str | None, project: str | None, scenes: object, *, needed: bool
) -> Video | None:
    """The video, where the call is about one; a cast alone needs only a project."""
    if video is None and project is not None:
        owner = await Project.get(kit, project)
        needed = needed and bool(scenes or await owner.get_videos())
    if video is not None or needed:
        return await find_video(kit, video, project)
    return None


async def _owner(kit: FlowKit, home: Video | None, project: str | None) -> Project | None:
    if home is not None:
        return await Project.get(kit, home.project.id)
    return await Project.get(kit, project) if project is not None else None


async def _project_of(kit: FlowKit, character: Character) -> Project:
    """The one project that casts somebody; its style and its place at the provider are used."""
    homes = [
        project
        for project in await Project.list(kit)
        if any(one.id == character.id for one in await project.get_characters())
    ]
    if len(homes) == 1:
        return homes[0]
    names = ", ".join(repr(project.name) for project in homes)
    raise InvalidSetting(
        f"{character.name!r} is in {len(homes) or 'no'} project{'s' if len(homes) > 1 else ''}",
        hint=f"Pass project=, one of: {names}." if homes else "Cast it with add_character first.",
    )


async def _empty_cast(owner: Project | None, named: Sequence[Character]) -> list[Character]:
    """Those of the cast who have no reference image yet."""
    if owner is None:
        return []
    taken = {one.id for one in named}
    return [
        one
        for one in await owner.get_characters()
        if one.id not in taken and not (await one.slot()).filled
    ]


async def _each(
    batch: Batch,
    scene: Scene,
    stage: Stage,
    orientations: Sides,
    new_take: bool,
    planning: PlanScene,
    size: str | None = None,
) -> None:
    """Plan one stage of a scene in each orientation; what is there in another `size` is not the same."""
    slots = await scene.slots()
    for side in orientations_of(scene.video, orientations):
        what = f"scene {scene.number} {side} {NOUNS[stage]}"
        slot = slots[side, stage]
        another = new_take or (size is not None and await _other_size(scene, slot, size))
        if batch.wanted(what, slot, new_take=another):
            await batch.plan(what, partial(planning, scene, side))


async def _other_size(scene: Scene, slot: Slot, size: str) -> bool:
    """Whether the slot holds a larger version, but of another size."""
    made = await scene.takes(slot.orientation, slot.stage)
    return any(one.id == slot.take_id and one.params.get("resolution") != size for one in made)


TOOLS = (
    spending(generate_image, "Generate images"),
    spending(edit_image, "Edit an image"),
    spending(generate_video, "Generate clips"),
    spending(upscale, "Upscale clips or pictures"),
)
