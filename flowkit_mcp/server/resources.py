"""Resources: `flowkit://…` addresses of what tools answer, for clients that keep an eye on something.

Each kind is a template and a function that reads it; the two fixed addresses are templates with an optional query,
because the SDK hands a context to templates alone. `read` is the one way in, for clients and for change notices.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.shared.uri_template import UriTemplate
from mcp.types import Resource

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import FlowKitError, InvalidSetting, NotFound
from flowkit_mcp.sdk.board import board
from flowkit_mcp.sdk.overview import find_take, picture, small_picture
from flowkit_mcp.sdk.project import Video
from flowkit_mcp.sdk.scene import Scene
from flowkit_mcp.server.context import Backstage, Ctx, kit_of
from flowkit_mcp.server.handles import job_id
from flowkit_mcp.server.results import Film, Result
from flowkit_mcp.server.skills import MARKDOWN, TEMPLATE, Shelf
from flowkit_mcp.server.tools.jobs import one_job
from flowkit_mcp.server.tools.projects import VideoLine, listing, video_line
from flowkit_mcp.server.tools.system import health
from flowkit_mcp.server.tools.view import SceneView, look, scene_views, video_view
from flowkit_mcp.server.words import size_of

JSON = "application/json"
SCENES_A_PAGE = 20

STATUS = "flowkit://status"
PROJECTS = "flowkit://projects"

Read = Callable[..., Awaitable[str | bytes]]


def uri_of(kind: str, id: str | int) -> str:
    """`flowkit://job/41`; a name is quoted."""
    return f"flowkit://{kind}/{quote(str(id), safe='')}"


# ---- what they hold ------------------------------------------------------------------------------


class VideoPage(Result):
    """A video with a page of its scenes; `more` is the address of the next page."""

    video: VideoLine
    films: list[Film] | None = None
    scenes: list[SceneView]
    more: str | None = None


class TakeLine(Result):
    """One take in a list. `media` is what a client can show: a small JPEG, also of a clip."""

    take: str
    number: int
    selected: bool
    uri: str


class ScenePage(Result):
    project: str
    video: str
    scene: SceneView
    takes: list[TakeLine]


class TakePage(Result):
    """One take: its file on this machine, what it was made from and with, and where to see it small."""

    id: str
    what: str
    number: int
    selected: bool
    media: str
    path: str
    url: str
    size: str | None = None
    bytes: int
    picture: str
    scene: str | None = None
    character: str | None = None
    made_from: str | None = None
    job: str | None = None
    prompt: str | None = None
    model: str | None = None
    credits: int | None = None
    note: str | None = None


def _json(result: Result) -> str:
    return result.model_dump_json(exclude_none=True)


async def _status(kit: FlowKit, detail: str = "concise") -> str:
    if detail not in ("concise", "full"):
        raise InvalidSetting(f"detail is {detail!r}", hint="It is concise or full.")
    return _json(await health(kit, "full" if detail == "full" else "concise"))


async def _projects(kit: FlowKit, after: str = "") -> str:
    return _json(await listing(kit, after=after or None))


async def _project(kit: FlowKit, id: str) -> str:
    return _json(await look(kit, id, detail="full"))


async def _video(kit: FlowKit, id: str, from_scene: str = "1") -> str:
    if not from_scene.isdecimal():
        raise InvalidSetting(f"from_scene is {from_scene!r}", hint="It is a scene's number.")
    video = await Video.get(kit, id)
    scenes = await video.get_scenes()
    page = [scene for scene in scenes if scene.number >= int(from_scene)][:SCENES_A_PAGE]
    more = page and page[-1].number < len(scenes)
    return _json(
        VideoPage(
            video=video_line(video),
            films=(await video_view(kit, video)).films,
            scenes=await scene_views(kit, video, scenes, page, full=False),
            more=f"{uri_of('video', id)}?from_scene={page[-1].number + 1}" if more else None,
        )
    )


async def _storyboard(kit: FlowKit, id: str, mark: str = "") -> str:
    seen = await board(kit, id)
    if seen.mark == mark:
        return json.dumps({"mark": mark, "unchanged": True})
    return seen.model_dump_json(exclude_none=True)


async def _scene(kit: FlowKit, id: str) -> str:
    scene = await Scene.get(kit, id)
    home = await Video.get(kit, scene.video.id)
    (shown,) = await scene_views(kit, home, await home.get_scenes(), [scene], full=True)
    takes = [
        TakeLine(
            take=f"{take.orientation} {take.stage} take {take.number}",
            number=take.number,
            selected=take.selected,
            uri=uri_of("take", take.id),
        )
        for take in await scene.takes()
    ]
    return _json(ScenePage(project=scene.project.name, video=home.title, scene=shown, takes=takes))


async def _job(kit: FlowKit, id: str) -> str:
    return _json((await one_job(kit, job_id(id)))[0])


async def _take(kit: FlowKit, id: str) -> str:
    take = await find_take(kit, id)
    file = await picture(kit, take)
    return _json(
        TakePage(
            id=take.id,
            what=f"{take.orientation} {take.stage} take {take.number}",
            number=take.number,
            selected=take.selected,
            media=file.asset.media.value,
            path=str(file.path),
            url=file.path.as_uri(),
            size=size_of(file.asset),
            bytes=file.asset.bytes,
            picture=f"{uri_of('take', take.id)}/picture",
            scene=uri_of("scene", take.scene_id) if take.scene_id else None,
            character=take.character_id,
            made_from=uri_of("take", take.made_from_id) if take.made_from_id else None,
            job=uri_of("job", take.job_id) if take.job_id else None,
            prompt=take.prompt,
            model=take.model,
            credits=take.credits,
            note=take.note,
        )
    )


async def _take_picture(kit: FlowKit, id: str) -> bytes:
    file = await picture(kit, await find_take(kit, id))
    if file.asset.media is MediaKind.AUDIO:
        raise NotFound(f"take {id!r} is sound and has no picture")
    return await small_picture(file)


# ---- the table of them ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """One kind of resource. `page` names the optional query argument, if there is one."""

    template: str
    name: str
    title: str
    description: str
    read: Read
    mime_type: str = JSON

    @property
    def parsed(self) -> UriTemplate:
        return UriTemplate.parse(self.template)


KINDS: tuple[Kind, ...] = (
    Kind(
        STATUS + "{?detail}",
        "status",
        "Status",
        "Whether media can be made now; credits, spending and the queue. detail=full lists models with prices.",
        _status,
    ),
    Kind(
        PROJECTS + "{?after}",
        "projects",
        "Projects",
        "The productions in this library, newest first, in pages: after=<id of the last one seen>.",
        _projects,
    ),
    Kind(
        "flowkit://project/{id}",
        "project",
        "Project",
        "A production in full: cast, videos and, if it has one video, its first scenes. By id, slug or name.",
        _project,
    ),
    Kind(
        "flowkit://video/{id}{?from_scene}",
        "video",
        "Video",
        "A video with what its scenes hold, in pages. By id, or by title where that is unique.",
        _video,
    ),
    Kind(
        "flowkit://storyboard/{id}{?mark}",
        "storyboard_state",
        "State of a storyboard",
        "All slots of a video with takes, jobs and prices, for the page. By id; mark=<that of the last one seen> tells "
        "whether anything has changed.",
        _storyboard,
    ),
    Kind(
        "flowkit://scene/{id}",
        "scene",
        "Scene",
        "A scene in full, and every take ever made of it. By id.",
        _scene,
    ),
    Kind("flowkit://job/{id}", "job", "Job", "A job with its history. By number.", _job),
    Kind(
        "flowkit://take/{id}",
        "take",
        "Take",
        "One picture or clip: its file, what it was made from, with which prompt and for how much. By id.",
        _take,
    ),
    Kind(
        "flowkit://take/{id}/picture",
        "take_picture",
        "Picture of a take",
        "A small JPEG of a picture, or of the poster frame of a clip.",
        _take_picture,
        "image/jpeg",
    ),
)

#: What there is in every library. The projects in it follow them in the list (`listing.py`).
FIXED: tuple[Resource, ...] = tuple(
    Resource(
        uri=uri, name=kind.name, title=kind.title, description=kind.description, mime_type=JSON
    )
    for uri, kind in ((STATUS, KINDS[0]), (PROJECTS, KINDS[1]))
)


async def read(kit: FlowKit, uri: str) -> str | bytes:
    """What a client that reads this address is given.

    Raises:
        ResourceNotFoundError: nothing has this address.
        ResourceError: it cannot be read now.
    """
    for kind in KINDS:
        found = kind.parsed.match(uri)
        if found is not None:
            return await _read(kit, kind, found)
    raise ResourceNotFoundError(f"NOT_FOUND: no resource {uri!r}. See resources/templates/list.")


async def _read(kit: FlowKit, kind: Kind, given: dict[str, Any]) -> str | bytes:
    try:
        return await kind.read(kit, **given)
    except (NotFound, InvalidSetting) as error:
        raise ResourceNotFoundError(str(error)) from error
    except FlowKitError as error:
        raise ResourceError(str(error)) from error


def install(mcp: MCPServer[Backstage], shelf: Shelf) -> None:
    """Offer all kinds as templates, and the files of the skills."""

    @mcp.resource(
        TEMPLATE,
        name="skill",
        title="Skill",
        description="A file of one of the skills that say how to work with FlowKit well. See skills/list.",
        mime_type=MARKDOWN,
    )
    async def skill_file(skill: str, path: str) -> str:  # pyright: ignore[reportUnusedFunction]
        return shelf.file(skill, path)

    for kind in KINDS:
        register = mcp.resource(
            kind.template,
            name=kind.name,
            title=kind.title,
            description=kind.description,
            mime_type=kind.mime_type,
        )
        register(_reader(kind))


def _reader(kind: Kind) -> Callable[..., Any]:
    """A function with the signature that the SDK reads: that of `kind.read`, with a context for the library."""

    async def read(**given: Any) -> str | bytes:
        ctx = cast(Ctx, given.pop("ctx"))
        return await _read(kit_of(ctx), kind, given)

    parameters = list(inspect.signature(kind.read).parameters.values())[1:]
    shown = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=str) for one in parameters]
    shown.append(inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=Ctx))
    read.__annotations__ = {one.name: one.annotation for one in shown}
    read.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        shown, return_annotation=str | bytes
    )
    return read
