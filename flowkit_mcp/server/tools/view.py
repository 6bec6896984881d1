"""`get_project`: the cast, the films, and what every slot of a video holds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Slot, Stage
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.overview import NOUNS, told_of
from flowkit_mcp.sdk.project import Project, Video
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.sdk.sheets import storyboard
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import Detail, InVideo
from flowkit_mcp.server.results import Film, Result, cut, reply
from flowkit_mcp.server.schemas import READS, STORYBOARD, tool
from flowkit_mcp.server.words import film_of, slot_state, worth_telling

_PAGE = {"concise": 15, "full": 6}
_CAST = {"concise": 40, "full": 15}
_SHOWN = (Stage.IMAGE, Stage.VIDEO, Stage.UPSCALE, Stage.IMAGE_UPSCALE)


class Full(Result):
    state: str
    path: str


class Member(Result):
    name: str
    entity_type: str
    reference: str | Full
    id: str | None = None
    description: str | None = None
    image_prompt: str | None = None
    voice_description: str | None = None


class SceneView(Result):
    scene: int
    prompt: str
    continues: int | None = None
    chain_type: str | None = None
    characters: list[str] | None = None
    slots: dict[str, dict[str, str | Full]]
    warnings: list[str] | None = None
    id: str | None = None
    image_prompt: str | None = None
    video_prompt: str | None = None
    narration: str | None = None


class VideoView(Result):
    title: str
    id: str
    orientation: str
    scenes: int
    films: list[Film] | None = None


class View(Result):
    project: str
    id: str
    status: str
    language: str
    style: str | None = None
    description: str | None = None
    story: str | None = None
    cast: list[Member]
    videos: list[VideoView]
    video: str | None = None
    scenes: list[SceneView] | None = None
    next: str


async def get_project(
    ctx: Ctx,
    project: str,
    video: InVideo = None,
    from_scene: Annotated[int, Field(ge=1)] = 1,
    detail: Detail = "concise",
    picture: Annotated[bool, Field(description="Also the storyboard")] = False,
) -> CallToolResult:
    """The state of a production: cast, videos, and what each scene's slots hold: done, stale (made from a
    picture no longer in use), under way or empty. detail="full" adds whole texts, ids and paths.
    """
    kit = kit_of(ctx)
    view = await look(kit, project, video, from_scene, detail)
    if not picture:
        return reply(view)
    drawn = await _storyboard(kit, view)
    if drawn is None:
        return reply(view)
    data = await asyncio.to_thread(drawn.read_bytes)
    return reply(view, [("storyboard", drawn)], picture=data)


async def _storyboard(kit: FlowKit, view: View) -> Path | None:
    """The pictures of the scenes that this page tells of."""
    if view.video is None or not view.scenes:
        return None
    video = await Video.get(kit, next(v.id for v in view.videos if v.title == view.video))
    numbers = {told.scene for told in view.scenes}
    scenes = [scene for scene in await video.get_scenes() if scene.number in numbers]
    return await storyboard(kit, video.title, scenes, await video.slots())


async def look(
    kit: FlowKit,
    project: str,
    video: str | None = None,
    from_scene: int = 1,
    detail: Detail = "concise",
) -> View:
    """What `get_project` answers. Raises NotFound, Conflict."""
    found = await Project.get(kit, project)
    full = detail == "full"
    cast = await found.get_characters()
    videos = await found.get_videos()
    chosen = await Video.get(kit, video, found.id) if video is not None else None
    if chosen is None and len(videos) == 1:
        chosen = videos[0]
    members = [await _member(kit, one, full) for one in cast[: _CAST[detail]]]
    scenes = await chosen.get_scenes() if chosen else []
    page = [scene for scene in scenes if scene.number >= from_scene][: _PAGE[detail]]
    shown = await scene_views(kit, chosen, scenes, page, full) if chosen else None
    row = found.row
    return View(
        project=row.name,
        id=row.id,
        status=row.status.value,
        language=row.language,
        style=(row.style if full else cut(row.style)) or None,
        description=(row.description if full else cut(row.description)) or None,
        story=row.story or None if full else None,
        cast=members,
        videos=[await video_view(kit, one) for one in videos],
        video=chosen.title if chosen else None,
        scenes=shown,
        next=await _next(found, cast, videos, chosen, scenes, page),
    )


async def _member(kit: FlowKit, character: Character, full: bool) -> Member:
    row = character.row
    return Member(
        name=row.name,
        entity_type=row.entity_type.value,
        reference=_slot(kit, await character.slot(), full),
        id=row.id if full else None,
        description=row.description or None if full else None,
        image_prompt=row.image_prompt if full else None,
        voice_description=row.voice_description if full else None,
    )


async def video_view(kit: FlowKit, video: Video) -> VideoView:
    newest: dict[str, Film] = {}
    for render in await video.renders():
        if render.orientation.value not in newest:
            newest[render.orientation.value] = (await film_of(kit, render))[0]
    row = video.row
    return VideoView(
        title=row.title,
        id=row.id,
        orientation=row.orientation.value if row.orientation else "BOTH",
        scenes=len(await video.get_scenes()),
        films=list(newest.values()) or None,
    )


async def scene_views(
    kit: FlowKit, video: Video, scenes: list[Scene], page: list[Scene], full: bool
) -> list[SceneView]:
    slots = await video.slots()
    numbers = {scene.id: scene.number for scene in scenes}
    return [
        await _scene(kit, video, scene, [s for s in slots if s.scene_id == scene.id], numbers, full)
        for scene in page
    ]


async def _scene(
    kit: FlowKit,
    video: Video,
    scene: Scene,
    slots: list[Slot],
    numbers: dict[str, int],
    full: bool,
) -> SceneView:
    row = scene.row
    shown: dict[str, dict[str, str | Full]] = {}
    for orientation in video.row.orientations:
        held = {slot.stage: slot for slot in slots if slot.orientation is orientation}
        shown[orientation.value] = {
            stage.value: _slot(kit, held[stage], full)
            for stage in _SHOWN
            if worth_telling(held[stage])
        }
    parent = numbers.get(row.parent_scene_id or "")
    warnings = [
        f"{slot.orientation} {NOUNS[slot.stage]}: {cut(text, 160)}"
        for slot in slots
        for text in await told_of(kit, slot)
    ]
    return SceneView(
        scene=row.number,
        prompt=row.prompt if full else cut(row.prompt, 60),
        continues=parent,
        chain_type=row.chain_type.value if parent else None,
        characters=[one.name for one in await scene.cast()] or None,
        slots=shown,
        warnings=warnings or None,
        id=row.id if full else None,
        image_prompt=row.image_prompt if full else None,
        video_prompt=row.video_prompt if full else None,
        narration=row.narration if full else None,
    )


def _slot(kit: FlowKit, slot: Slot, full: bool) -> str | Full:
    state = slot_state(slot)
    if full and slot.path is not None:
        return Full(state=state, path=str(kit.media.absolute(slot.path)))
    return state


async def _next(
    project: Project,
    cast: list[Character],
    videos: list[Video],
    chosen: Video | None,
    scenes: list[Scene],
    page: list[Scene],
) -> str:
    if not videos:
        first = "" if cast else "add_character for the cast and "
        return f"Call {first}add_video(project={project.name!r}, title=…)."
    if chosen is None:
        return f"Call get_project({project.name!r}, video=<title>) for its scenes."
    if not scenes:
        return f"Call add_scene(video={chosen.title!r}, scenes=[…])."
    if page and page[-1].number < len(scenes):
        return f"More scenes: get_project(…, from_scene={page[-1].number + 1})."
    wanted = chosen.row.orientations
    slots = [slot for slot in await chosen.slots() if slot.orientation in wanted]
    if any(slot.job_id is not None for slot in slots):
        return f"Jobs are under way: call wait(video={chosen.title!r})."
    lacking = {slot.stage for slot in slots if not slot.filled}
    given = f"(video={chosen.title!r}, missing=true)"
    if Stage.VIDEO not in lacking:
        return "All clips are there: review them, then merge joins them (free) or answers with the film that exists."
    if Stage.IMAGE not in lacking:
        return f"generate_video{given} makes the clips that are missing."
    return f"generate_image{given} makes what is missing, then generate_video{given}."


TOOLS = (tool(get_project, "Show a project", READS, app=STORYBOARD),)
