"""Projects and videos: making, listing, changing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Orientation, ProjectStatus
from flowkit_mcp.errors import Conflict, InvalidSetting, NotFound
from flowkit_mcp.sdk.project import Project, Video
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import InProject, find_video
from flowkit_mcp.server.results import Result, cut, reply
from flowkit_mcp.server.schemas import ADDS, OVERWRITES, READS, tool

_PAGE = 20

Style = Annotated[str, Field(description="Look of every picture, added to each prompt")]


class ProjectLine(Result):
    name: str
    id: str
    status: str
    language: str
    description: str | None = None
    style: str | None = None
    cast: int | None = None
    videos: list[str] | None = None


class OneProject(Result):
    project: ProjectLine
    next: str


class Projects(Result):
    projects: list[ProjectLine]
    next: str


class VideoLine(Result):
    title: str
    id: str
    project: str
    orientation: str
    description: str | None = None
    privacy: str
    tags: list[str]


class OneVideo(Result):
    video: VideoLine
    next: str


async def create_project(
    ctx: Ctx,
    name: str,
    description: str = "",
    story: Annotated[str, Field(description="For whoever goes on later")] = "",
    language: Annotated[str, Field(description="Of speech and captions")] = "en",
    style: Style = "",
) -> CallToolResult:
    """Start a production: one story with its cast, style and videos. Next: add_character, add_video."""
    kit = kit_of(ctx)
    await _unused_project(kit, name)
    made = await Project.create(
        kit, name, description=description, story=story, language=language, style=style
    )
    step = (
        f"Call add_character(project={made.name!r}, …) for everybody who appears, then add_video."
    )
    return reply(OneProject(project=_line(made), next=step))


async def list_projects(
    ctx: Ctx,
    archived: bool = False,
    after: Annotated[str | None, Field(description="Last project id seen")] = None,
) -> CallToolResult:
    """The productions in this library, newest first."""
    return reply(await listing(kit_of(ctx), archived=archived, after=after))


async def listing(kit: FlowKit, *, archived: bool = False, after: str | None = None) -> Projects:
    """What `list_projects` answers. Raises NotFound."""
    everyone = await Project.list(kit, archived=archived)
    if after is not None:
        ids = [project.id for project in everyone]
        if after not in ids:
            raise NotFound(f"no project {after!r} in this list")
        everyone = everyone[ids.index(after) + 1 :]
    page = everyone[:_PAGE]
    lines: list[ProjectLine] = []
    for project in page:
        videos = [video.title for video in await project.get_videos()]
        cast = len(await project.get_characters())
        lines.append(_line(project).model_copy(update={"videos": videos[:10], "cast": cast}))
    step = "Call get_project(project=<name>)." if page else "Call create_project."
    if len(everyone) > _PAGE:
        step = f"More: list_projects(after={page[-1].id!r})."
    return Projects(projects=lines, next=step)


async def update_project(
    ctx: Ctx,
    project: str,
    name: str | None = None,
    description: str | None = None,
    story: str | None = None,
    language: str | None = None,
    style: str | None = None,
    archived: Annotated[bool | None, Field(description="Hide it; nothing is deleted")] = None,
) -> CallToolResult:
    """Change a production's texts or style, or archive it."""
    values = _given(name=name, description=description, story=story, language=language, style=style)
    if archived is not None:
        values["status"] = ProjectStatus.ARCHIVED if archived else ProjectStatus.ACTIVE
    kit = kit_of(ctx)
    found = await Project.get(kit, project)
    if name is not None:
        await _unused_project(kit, name, but=found)
    await found.update(**_something(values))
    return reply(OneProject(project=_line(found), next=f"Call get_project({found.name!r})."))


async def add_video(
    ctx: Ctx,
    project: str,
    title: str,
    description: str = "",
    orientation: Annotated[
        Literal["VERTICAL", "HORIZONTAL", "BOTH"], Field(description="9:16, 16:9 or both")
    ] = "BOTH",
) -> CallToolResult:
    """Add a video (one film) to a production. BOTH makes every scene twice. Next: add_scene."""
    found = await Project.get(kit_of(ctx), project)
    wanted = None if orientation == "BOTH" else Orientation(orientation)
    await _unused_video(found, title)
    made = await found.add_video(title, description=description, orientation=wanted)
    return reply(
        OneVideo(video=video_line(made), next=f"Call add_scene(video={made.title!r}, scenes=[…]).")
    )


async def update_video(
    ctx: Ctx,
    video: str,
    project: InProject = None,
    title: str | None = None,
    description: str | None = None,
    orientation: Literal["VERTICAL", "HORIZONTAL", "BOTH"] | None = None,
    privacy: Literal["private", "unlisted", "public"] | None = None,
    tags: list[str] | None = None,
) -> CallToolResult:
    """Change a video's texts, orientations, or what it is published with."""
    kit = kit_of(ctx)
    found = await find_video(kit, video, project)
    values = _given(title=title, description=description, privacy=privacy, tags=tags)
    if orientation is not None:
        values["orientation"] = None if orientation == "BOTH" else Orientation(orientation)
    if title is not None:
        await _unused_video(await Project.get(kit, found.project.id), title, but=found)
    await found.update(**_something(values))
    step = f"Call get_project({found.project.name!r}, video={found.title!r})."
    return reply(OneVideo(video=video_line(found), next=step))


async def _unused_project(kit: FlowKit, name: str, but: Project | None = None) -> None:
    there = await Project.list(kit, archived=True)
    _unused("project", name, [one.name for one in there if but is None or one.id != but.id])


async def _unused_video(project: Project, title: str, but: Video | None = None) -> None:
    there = await project.get_videos()
    _unused("video", title, [one.title for one in there if but is None or one.id != but.id])


def _unused(what: str, name: str, there: list[str]) -> None:
    """By name one must be able to say which is meant; a call that is made again makes no second one."""
    if name.strip().casefold() in {one.casefold() for one in there}:
        raise Conflict(
            f"there is a {what} {name.strip()!r} already",
            hint="Go on with it (get_project), or choose another name.",
        )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _something(values: dict[str, Any]) -> dict[str, Any]:
    if not values:
        raise InvalidSetting("nothing to change is given", hint="Pass at least one field to set.")
    return values


def _line(project: Project) -> ProjectLine:
    row = project.row
    return ProjectLine(
        name=row.name,
        id=row.id,
        status=row.status.value,
        language=row.language,
        description=cut(row.description) or None,
        style=cut(row.style) or None,
    )


def video_line(video: Video) -> VideoLine:
    row = video.row
    return VideoLine(
        title=row.title,
        id=row.id,
        project=video.project.name,
        orientation=row.orientation.value if row.orientation else "BOTH",
        description=cut(row.description) or None,
        privacy=row.privacy,
        tags=row.tags,
    )


TOOLS = (
    tool(create_project, "Create a project", ADDS),
    tool(list_projects, "List projects", READS),
    tool(update_project, "Change or archive a project", OVERWRITES),
    tool(add_video, "Add a video", ADDS),
    tool(update_video, "Change a video", OVERWRITES),
)
