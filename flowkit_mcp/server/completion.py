"""Completion: what may stand in a resource's address or a prompt's argument, from what has been typed so far.

Names and titles are offered where they are unambiguous, since people type those; ids where they are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mcp.types import Completion, PromptReference, ResourceTemplateReference

from flowkit_mcp.app import FlowKit
from flowkit_mcp.sdk.overview import find_jobs, newest_takes
from flowkit_mcp.sdk.project import Project, Video
from flowkit_mcp.server.skills import Skill

MOST = 100  #: the protocol's limit
_JOBS = 500


async def complete(
    kit: FlowKit,
    ref: PromptReference | ResourceTemplateReference,
    argument: str,
    typed: str,
    skills: Iterable[Skill] = (),
) -> Completion:
    """Values for one argument of a prompt or of a template, best first; empty where anything may be typed."""
    kind = argument if isinstance(ref, PromptReference) else _kind(ref.uri, argument)
    match kind:
        case "project":
            found = [(one.name, one.id) for one in await Project.list(kit)]
        case "video" | "storyboard":
            found = [(one.title, one.id) for one in await _videos(kit)]
        case "scene":
            return _page(await _scenes(kit, typed))
        case "job":
            digits = typed.strip().lower().removeprefix("job").strip()
            jobs = await find_jobs(kit, limit=_JOBS)
            return _page(str(job.id) for job in jobs if str(job.id).startswith(digits))
        case "take":
            return _page(await newest_takes(kit, typed, MOST + 1))
        case "detail":
            return _page(one for one in ("concise", "full") if one.startswith(typed))
        case "skill":
            return _page(one.name for one in skills if one.name.startswith(typed))
        case "path":
            paths = dict.fromkeys(path for one in skills for path in one.files)
            return _page(path for path in paths if path.startswith(typed))
        case "after":
            return _page(one.id for one in await Project.list(kit) if one.id.startswith(typed))
        case _:
            return Completion(values=[])
    return _page(_handles(found, typed))


def _kind(uri: str, argument: str) -> str:
    """`flowkit://take/{id}/picture`, `id` → `take`; an argument that is no id speaks for itself."""
    if argument != "id":
        return argument
    return uri.removeprefix("flowkit://").split("/")[0]


def _handles(found: list[tuple[str, str]], typed: str) -> list[str]:
    """Names that hold what was typed, those that begin with it first; the id of a name that several have."""
    wanted = typed.strip().casefold()
    often = Counter(name.casefold() for name, _ in found)
    fitting = [
        (not name.casefold().startswith(wanted), name if often[name.casefold()] == 1 else id)
        for name, id in found
        if wanted in name.casefold() or id.startswith(wanted)
    ]
    return [handle for _, handle in sorted(fitting, key=lambda one: one[0])]


async def _videos(kit: FlowKit) -> list[Video]:
    return [video for project in await Project.list(kit) for video in await project.get_videos()]


async def _scenes(kit: FlowKit, typed: str) -> list[str]:
    """Ids of scenes; what was typed may also be a number, or the title of their video."""
    wanted = typed.strip().casefold().removeprefix("scene").strip()
    found: list[str] = []
    for video in await _videos(kit):
        titled = bool(wanted) and wanted in video.title.casefold()
        found += [
            scene.id
            for scene in await video.get_scenes()
            if titled or scene.id.startswith(wanted) or str(scene.number) == wanted
        ]
        if len(found) > MOST:
            break
    return found


def _page(values: Iterable[str]) -> Completion:
    every = list(values)
    return Completion(values=every[:MOST], total=len(every), has_more=len(every) > MOST)
