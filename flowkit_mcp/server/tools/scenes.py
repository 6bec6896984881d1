"""Scenes: adding, changing, moving, taking out."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import ChainType
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.project import Project, SceneDraft, Video
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import (
    Handle,
    InProject,
    InVideo,
    Names,
    OneOrMore,
    SceneName,
    find_character,
    find_scene,
    find_video,
)
from flowkit_mcp.server.results import Result, cut, reply
from flowkit_mcp.server.schemas import ADDS, OVERWRITES, SETS, Strict, tool

Prompt = Annotated[str, Field(description="What is seen and happens; looks come from the cast")]
FrameText = Annotated[str | None, Field(description="For the first frame, instead of prompt")]
ClipText = Annotated[str | None, Field(description='For the clip, may be timed: "0-3s: … 3-8s: …"')]
Narration = Annotated[str | None, Field(description="Spoken over the scene in the cut")]

PREVIOUS = "previous"
_TOLD = 10


class NewScene(Strict):
    prompt: Prompt
    image_prompt: FrameText = None
    video_prompt: ClipText = None
    narration: Narration = None
    characters: Annotated[
        tuple[str, ...], OneOrMore, Field(description="Names of all who are seen, places too")
    ] = ()
    continues: Annotated[
        Handle | None,
        Field(
            description='Scene it goes on from: "previous", number (also of one in this call) or id'
        ),
    ] = None
    chain_type: Annotated[
        Literal["CONTINUATION", "INSERT"] | None,
        Field(description="With continues; INSERT is a cutaway with a picture of its own"),
    ] = None


class SceneLine(Result):
    scene: int
    id: str
    prompt: str | None = None
    continues: int | None = None
    characters: list[str] | None = None


class SceneList(Result):
    video: str
    scenes: list[SceneLine]
    next: str


class Removed(Result):
    removed: str
    next: str


async def add_scene(
    ctx: Ctx,
    scenes: Annotated[list[NewScene], OneOrMore, Field(min_length=1, max_length=60)],
    video: InVideo = None,
    project: InProject = None,
    after: Annotated[
        Handle | None, Field(description="Scene to go behind; 0: first; default: last")
    ] = None,
) -> CallToolResult:
    """Add one or many scenes (continuous shots of 4-8 s) in order; all or none. A scene that continues another starts
    from its picture and joins it without a cut. Everybody named must exist (add_character). Next: generate_image.
    """
    kit = kit_of(ctx)
    home = await find_video(kit, video, project)
    owner = await Project.get(kit, home.project.id)
    first = await _place(home, after)
    drafts = [
        await _draft(kit, owner, one, index, first) for index, one in enumerate(scenes, start=1)
    ]
    added = await home.add_scenes(drafts, after=0 if after == "0" else after)
    step = f"Call generate_image(video={home.title!r}, missing=true)."
    return reply(await _list(home, added, step))


async def update_scene(
    ctx: Ctx,
    scene: SceneName,
    video: InVideo = None,
    project: InProject = None,
    prompt: str | None = None,
    image_prompt: str | None = None,
    video_prompt: str | None = None,
    narration: str | None = None,
    characters: Names = None,
) -> CallToolResult:
    """Change a scene's texts (as in add_scene) or who is in it ([] for nobody). What was made stays until made anew
    with new_take=true.
    """
    kit = kit_of(ctx)
    found = await find_scene(kit, scene, video, project)
    texts = {
        "prompt": prompt,
        "image_prompt": image_prompt,
        "video_prompt": video_prompt,
        "narration": narration,
    }
    given = {key: value for key, value in texts.items() if value is not None}
    if not given and characters is None:
        raise InvalidSetting("nothing to change is given", hint="Pass at least one field to set.")
    cast: list[str] | None = None
    if characters is not None:
        owner = await Project.get(kit, found.project.id)
        cast = [(await find_character(kit, one, owner)).id for one in characters]
    await found.update(characters=cast, **given)
    home = await Video.get(kit, found.video.id)
    step = f"generate_image(scenes=[{found.number}], video={home.title!r}, new_take=true) shows it."
    return reply(await _list(home, [found], step))


async def move_scene(
    ctx: Ctx,
    scene: SceneName,
    to: Annotated[int, Field(ge=1, description="Its new number")],
    video: InVideo = None,
    project: InProject = None,
) -> CallToolResult:
    """Give a scene another place in its video."""
    kit = kit_of(ctx)
    found = await find_scene(kit, scene, video, project)
    home = await Video.get(kit, found.video.id)
    moved = await home.move_scene(found.id, to)
    return reply(await _list(home, [moved], "Numbers have changed; call get_project to see them."))


async def remove(
    ctx: Ctx,
    what: Literal["scene", "video", "character"],
    which: Annotated[Handle, Field(description="Scene number, title, name or id")],
    video: InVideo = None,
    project: Annotated[str | None, Field(description="Needed for a character")] = None,
) -> CallToolResult:
    """Take out a scene, a video, or a character's link to a project. Paid media and the character itself stay in the
    library.
    """
    kit = kit_of(ctx)
    if what == "scene":
        scene = await find_scene(kit, which, video, project)
        home = await Video.get(kit, scene.video.id)
        await home.remove_scene(scene.id)
        return _removed(f"scene {scene.number} of {home.title!r}; the scenes after it moved up")
    if what == "video":
        film = await Video.get(kit, which, project)
        await film.remove()
        return _removed(f"video {film.title!r}")
    if project is None:
        raise InvalidSetting("project is not given", hint="Say from which project's cast.")
    owner = await Project.get(kit, project)
    member = await find_character(kit, which, owner)
    await owner.remove_character(member.id)
    return _removed(f"{member.name!r} from the cast and scenes of {owner.name!r}")


async def _place(video: Video, after: str | None) -> int:
    """How many scenes stand before the first new one."""
    if after is None:
        return len(await video.get_scenes())
    return 0 if after == "0" else (await video.scene(after)).number


async def _draft(
    kit: FlowKit, owner: Project, one: NewScene, index: int, before: int
) -> SceneDraft:
    continues = one.continues
    if continues is not None and continues.strip().casefold() == PREVIOUS:
        number = before + index - 1
        if number == 0:
            raise InvalidSetting(
                f"scenes[{index}] has no previous scene", hint="Nothing was added."
            )
        continues = str(number)
    return SceneDraft(
        prompt=one.prompt,
        image_prompt=one.image_prompt,
        video_prompt=one.video_prompt,
        narration=one.narration,
        characters=[(await find_character(kit, name, owner)).id for name in one.characters],
        continues=continues,
        chain_type=ChainType(one.chain_type) if one.chain_type else None,
    )


async def _list(video: Video, scenes: list[Scene], step: str) -> SceneList:
    numbers = {scene.id: scene.number for scene in await video.get_scenes()}
    few = len(scenes) <= _TOLD  # of many, the caller knows what it has just written
    return SceneList(
        video=video.title,
        scenes=[
            SceneLine(
                scene=scene.number,
                id=scene.id,
                prompt=cut(scene.row.prompt, 60) if few else None,
                continues=numbers.get(scene.row.parent_scene_id or ""),
                characters=([one.name for one in await scene.cast()] or None) if few else None,
            )
            for scene in scenes
        ],
        next=step,
    )


def _removed(what: str) -> CallToolResult:
    return reply(
        Removed(removed=what, next="What was made for it stays in the library; nothing was erased.")
    )


TOOLS = (
    tool(add_scene, "Add scenes", ADDS),
    tool(update_scene, "Change a scene", OVERWRITES),
    tool(move_scene, "Move a scene", SETS),
    tool(remove, "Remove", OVERWRITES),
)
