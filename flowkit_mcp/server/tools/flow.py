"""`flow_library`: looking at and tidying up what lies in the person's Flow account."""

from __future__ import annotations

from typing import Annotated

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.requests import Housekeeping, HousekeepingAction
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.flow_library import FlowItem, FlowLibrary
from flowkit_mcp.server.approval import spending
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.desk import Proposal, key_of
from flowkit_mcp.server.handles import OneOrMore
from flowkit_mcp.server.results import Result, cut, reply
from flowkit_mcp.server.schemas import DECIDES

#: Below the 60 s after which some clients give up (mcp.md §2).
PATIENCE_S = 45.0
_PAGE = 40


class Place(Result):
    id: str
    title: str


class Item(Result):
    id: str
    title: str
    kind: str | None = None
    versions: int | None = None
    prompt: str | None = None
    trashed: bool | None = None


class Kept(Result):
    """`flow_projects` or `items`: what was listed, a page of it."""

    done: str
    flow_projects: list[Place] | None = None
    items: list[Item] | None = None
    next: str


async def flow_library(
    ctx: Ctx,
    action: HousekeepingAction,
    project: Annotated[str | None, Field(description="Id in Flow, or name in FlowKit")] = None,
    items: Annotated[list[str], OneOrMore, Field(description="Ids from list_contents")] = [],  # noqa: B006 - pydantic copies it, and the schema is smaller than with None
    title: Annotated[
        str | None, Field(description="New one; for delete_project the present one")
    ] = None,
    skip: Annotated[int, Field(ge=0, description="For the next page")] = 0,
) -> Proposal:
    """Look at and tidy up the person's Flow account itself, free; FlowKit keeps its files. delete_project is
    for good and asks the person.
    """
    kit = kit_of(ctx)
    library = FlowLibrary(kit, patience_s=PATIENCE_S)
    await library.reachable()
    planned = await library.plan(action, project, tuple(items), title)  # says what is missing
    request = planned.request
    assert isinstance(request, Housekeeping)
    question = None
    if action == "delete_project":
        if not title:
            raise InvalidSetting("delete_project needs title", hint="Its title, as in Flow.")
        question = (
            f"Delete the project {title!r} in {_where(kit)} for good, with everything in it?\n"
            f"Its id is {request.project}. Files in FlowKit's library stay; what is only in Flow is lost."
        )

    async def carry_out() -> CallToolResult:
        try:
            return reply(
                await _act(library, action, project or "", tuple(items), title or "", skip)
            )
        except TimeoutError as error:  # the job goes on
            step = "Call wait(), then flow_library again; status says what holds it up."
            return reply(Kept(done=f"not yet: {error}", next=step))

    return Proposal(key_of([request.fingerprint, title]), 0, (), carry_out, question)


async def _act(
    library: FlowLibrary,
    action: HousekeepingAction,
    project: str,
    items: tuple[str, ...],
    title: str,
    skip: int,
) -> Kept:
    match action:
        case "list_projects":
            found = await library.list_projects()
            page = [Place(id=one.id, title=cut(one.title)) for one in found[skip : skip + _PAGE]]
            done = f"{len(found)} project{'s' if len(found) != 1 else ''} in Flow"
            return Kept(done=done, flow_projects=page, next=_more(len(found), skip))
        case "list_contents":
            tiles = await library.contents(project)
            shown = [_item(one) for one in tiles[skip : skip + _PAGE]]
            return Kept(done=f"{len(tiles)} items", items=shown, next=_more(len(tiles), skip))
        case "rename_project":
            await library.rename_project(project, title)
        case "rename":
            await library.rename(project, items[0], title)
        case "trash":
            await library.trash(project, *items)
        case "restore":
            await library.restore(project, *items)
        case "delete_project":
            await library.delete_project(project, title=title)
    shown_by = "list_projects" if action.endswith("_project") else "list_contents"
    return Kept(done=f"{action}: done in Flow", next=f"flow_library(action='{shown_by}') shows it.")


def _item(tile: FlowItem) -> Item:
    shown = next((one for one in tile.media if one.shown), tile.media[0] if tile.media else None)
    return Item(
        id=tile.id,
        title=cut(tile.title, 60),
        kind=shown.kind if shown else None,
        versions=len(tile.media) if len(tile.media) > 1 else None,
        prompt=cut(shown.prompt, 60) if shown and shown.prompt else None,
        trashed=tile.trashed or None,
    )


def _more(count: int, skip: int) -> str:
    if count > skip + _PAGE:
        return f"More: the same with skip={skip + _PAGE}."
    return "This is all."


def _where(kit: FlowKit) -> str:
    return "the Flow simulator" if kit.settings.simulated else "Google Flow"


TOOLS = (spending(flow_library, "Tidy up in Flow", DECIDES),)
