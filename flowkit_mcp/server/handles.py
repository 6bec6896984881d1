"""From what people call things to the things: "scene 3", `job 41`, a title, a name, or an id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.domain.models import Video as VideoRow
from flowkit_mcp.errors import Conflict, InvalidSetting, NotFound
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.project import Project, Video
from flowkit_mcp.sdk.scene import Scene

# ---- argument types, shared by the tools -------------------------------------------------------


def _as_text(value: Any) -> Any:
    """Models pass 3 where "3" is meant, and mean the same."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    if value is None or isinstance(value, (list, tuple)):
        return cast(Any, value)
    return [value]


Handle = Annotated[str, BeforeValidator(_as_text)]
OneOrMore = BeforeValidator(_as_list)

# That handles are names, titles, numbers or ids, and when video and project may be left out, is said once, in the
# server's instructions and in the errors here: at each argument it would be a fifth of tools/list.
InProject = str | None
InVideo = str | None
SceneName = Handle
Scenes = Annotated[list[Handle] | None, OneOrMore]
Names = Annotated[list[str] | None, OneOrMore]
OneOrientation = Literal["VERTICAL", "HORIZONTAL"] | None
Orientations = Annotated[
    list[Literal["VERTICAL", "HORIZONTAL"]] | None,
    OneOrMore,
]
Detail = Literal["concise", "full"]
JobName = Handle


# ---- finding -----------------------------------------------------------------------------------


def job_id(handle: str) -> int:
    """`41`, `job 41` or `#41`. Raises InvalidSetting."""
    match = re.fullmatch(r"(?:job)?[\s_-]*#?(\d{1,12})", handle.strip(), re.IGNORECASE)
    if match is None:
        raise InvalidSetting(f"{handle!r} is not a job", hint="Jobs are numbers; see list_jobs.")
    return int(match[1])


async def find_video(kit: FlowKit, video: str | None, project: str | None) -> Video:
    """The video that is meant; with a project of one video it need not be named.

    Raises:
        NotFound, Conflict: naming what there is.
    """
    if video is not None:
        return await Video.get(kit, video, project)
    if project is None:
        raise InvalidSetting(
            "neither video nor project is given", hint="Pass video=<title>; see list_projects."
        )
    owner = await Project.get(kit, project)
    videos = await owner.get_videos()
    if len(videos) == 1:
        return videos[0]
    titles = ", ".join(repr(one.title) for one in videos)
    if not videos:
        raise NotFound(f"project {owner.name!r} has no video", hint="Call add_video first.")
    raise Conflict(
        f"project {owner.name!r} has {len(videos)} videos", hint=f"Pass video=, one of: {titles}."
    )


async def find_scene(kit: FlowKit, scene: str, video: str | None, project: str | None) -> Scene:
    """By id alone, or by number in a video. Raises NotFound."""
    if video is None and project is None:
        return await Scene.get(kit, scene)
    return await (await find_video(kit, video, project)).scene(scene)


async def find_scenes(
    kit: FlowKit, scenes: Sequence[str], video: str | None, project: str | None
) -> list[Scene]:
    """Each once, in the order given. Raises NotFound."""
    if not scenes:
        return []
    if video is None and project is None:
        found = [await Scene.get(kit, scene) for scene in scenes]
    else:
        home = await find_video(kit, video, project)
        found = [await home.scene(scene) for scene in scenes]
    return list({scene.id: scene for scene in found}.values())


async def find_character(kit: FlowKit, handle: str, project: Project | None) -> Character:
    """From the cast first, so that two productions may each have a "Queen". Raises NotFound."""
    if project is not None:
        wanted = handle.strip().casefold()
        for one in await project.get_characters():
            if one.id == handle or wanted in (one.row.slug, one.name.casefold()):
                return one
    return await Character.get(kit, handle)


def orientations_of(
    video: VideoRow, wanted: Sequence[Literal["VERTICAL", "HORIZONTAL"]] | None
) -> list[Orientation]:
    """Those asked for, or those of the video."""
    if not wanted:
        return list(video.orientations)
    return list(dict.fromkeys(Orientation(one) for one in wanted))
