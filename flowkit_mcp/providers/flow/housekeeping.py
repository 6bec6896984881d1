"""Tidying up in Flow: projects, workflows, media and characters. Everything here is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import Rejected
from flowkit_mcp.providers.flow import (
    batchexecute_house,
    errors,
    labs,
    labs_payloads,
    payloads,
    reply,
)
from flowkit_mcp.providers.flow.ask import batch, rest
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.ids import Seeds
from flowkit_mcp.providers.flow.records import Contents, MediaRecord, ProjectRow

_MOST_PAGES = 200


async def keep_house(house: HouseKeeping, request: Housekeeping) -> dict[str, Any]:
    """What `Provider.keep_house` promises, by action of the request."""
    project, title = request.project or "", request.title or ""
    match request.action:
        case "list_projects":
            rows = await house.projects()
            return {"projects": [{"id": row.id, "title": row.title} for row in rows]}
        case "list_contents":
            return {"items": _items(await house.contents(project))}
        case "rename_project":
            await house.rename_project(project, title)
        case "delete_project":
            await house.delete_project(project)
        case "rename":
            await house.rename_workflow(project, request.items[0], title)
        case "trash":
            await house.trash(project, request.items)
        case "restore":
            await house.restore(project, request.items)
    return {}


def _items(contents: Contents) -> list[dict[str, Any]]:
    """One per workflow: its media in all versions, the one that it shows marked."""
    versions: dict[str | None, list[MediaRecord]] = {}
    for record in contents.media:
        versions.setdefault(record.workflow, []).append(record)
    return [
        {
            "workflow": row.id,
            "title": row.title,
            "media": [
                {
                    "id": record.id,
                    "kind": "image" if record.image else "video",
                    "prompt": record.prompt,
                    "shown": record.id == row.primary,
                }
                for record in versions.get(row.id, [])
            ],
            "archived": row.archived,
        }
        for row in contents.workflows
    ]


class HasCalls(Protocol):
    @property
    def calls(self) -> Calls: ...


class HouseKeeping:
    """Works in both lanes unless said otherwise; ids are Flow's own. All raise ProviderError."""

    def __init__(self, provider: HasCalls) -> None:
        self._calls = provider.calls

    async def projects(self) -> tuple[ProjectRow, ...]:
        """All of the account's projects. A page that repeats ends the list, as the service may do that forever."""
        found: dict[str, ProjectRow] = {}
        token: str | None = None
        for _ in range(_MOST_PAGES):
            page, token = await self._calls.project_page(token)
            fresh = {row.id: row for row in page if row.id not in found}
            found |= fresh
            if token is None or not fresh:
                break
        return tuple(found.values())

    async def contents(self, project: str) -> Contents:
        """Media in all versions, workflows (trashed ones too) and characters; up to 17 MB."""
        return await self._calls.contents(project)

    async def rename_project(self, project: str, title: str) -> None:
        args = batchexecute_house.rename_project(project, title)
        await self._do("project.rename", args, labs.rename_project(project, title), project)

    async def delete_project(self, project: str) -> None:
        """For good, with all it holds."""
        args = batchexecute_house.delete_project(project)
        await self._do("project.delete", args, labs.delete_project(project))

    async def rename_workflow(self, project: str, workflow: str, title: str) -> None:
        args = batchexecute_house.rename_workflow(project, workflow, title)
        request = labs.update_workflow(project, workflow, "displayName", title)
        await self._do("workflow.update", args, request, project)

    async def show_media(self, project: str, workflow: str, media: str) -> None:
        """Make this version the one its workflow shows."""
        args = batchexecute_house.show_media(project, workflow, media)
        request = labs.update_workflow(project, workflow, "primaryMediaId", media)
        await self._do("workflow.update", args, request, project)

    async def trash(self, project: str, workflows: Sequence[str]) -> None:
        await self._archive(project, workflows, True)

    async def restore(self, project: str, workflows: Sequence[str]) -> None:
        await self._archive(project, workflows, False)

    async def delete_media(self, project: str, media: Sequence[str]) -> None:
        """For good."""
        args = batchexecute_house.delete_media(project, media)
        await self._do("media.delete", args, labs.delete_media(media), project)

    async def cancel(self, media: str) -> bool:
        """Stop a running clip. False: too late, not a clip, or a lane whose call is not known (flow-wire §6.7)."""
        if self._calls.lane != "labs":
            return False
        ask = rest(self._calls.facts, "media.cancel", labs.cancel(media), payloads.done)
        try:
            await self._calls.ask(ask)
        except reply.Answered as answered:
            if isinstance(answered.error, Rejected) or answered.slot[:1] == [errors.NOT_FOUND]:
                return False
            raise answered.error from None
        return True

    async def create_character(self, project: str, name: str) -> str:
        """Returns its id. Without a portrait it cannot be referred to (flow-wire §6.9)."""
        if self._calls.lane == "labs":
            request = labs.create_character(project)
            character = await self._calls.free(
                rest(
                    self._calls.facts,
                    "character.create",
                    request,
                    labs_payloads.created_character,
                )
            )
            await self.rename_character(project, character, name)
            return character
        args = batchexecute_house.create_character(project, name)
        ask = batch(self._calls.facts, "character.create", args, payloads.character, project)
        return (await self._calls.free(ask)).id

    async def rename_character(self, project: str, character: str, name: str) -> None:
        args = batchexecute_house.rename_character(project, character, name)
        await self._character(project, character, args, {"displayName": name}, "displayName")

    async def describe_character(self, project: str, character: str, notes: str) -> None:
        args = batchexecute_house.describe_character(project, character, notes)
        info = {"characterInfo": {"personalityNotes": notes}}
        await self._character(project, character, args, info, "characterInfo.personalityNotes")

    async def give_voice(self, project: str, character: str, voices: Sequence[str]) -> None:
        """Preset voices by their slug, e.g. `charon`."""
        null_first = self._calls.facts.switches.character_voice == "null_first"
        args = batchexecute_house.give_voice(project, character, voices, null_first=null_first)
        info = {"characterInfo": {"audioReferences": [{"mediaId": one} for one in voices]}}
        await self._character(project, character, args, info, "characterInfo.audioReferences")

    async def archive_character(self, project: str, character: str, archived: bool = True) -> None:
        args = batchexecute_house.archive_character(project, character, archived)
        await self._character(project, character, args, {"archived": archived}, "archived")

    async def give_portrait(self, project: str, character: str, media: str, slot: int = 1) -> None:
        """A copy of this picture as the character's portrait."""
        seeds = Seeds.new()
        args = batchexecute_house.give_portrait(project, character, media, slot, seeds)
        request = labs.give_portrait(project, character, media, slot, seeds)
        await self._do("character.portrait", args, request, project)

    async def _archive(self, project: str, workflows: Sequence[str], archived: bool) -> None:
        if self._calls.lane == "labs":
            for workflow in workflows:
                request = labs.update_workflow(project, workflow, "archived", archived)
                ask = rest(self._calls.facts, "workflow.archive", request, payloads.done)
                await self._calls.free(ask)
            return
        args = batchexecute_house.archive_workflows(project, workflows, archived)
        ask = batch(self._calls.facts, "workflow.archive", args, payloads.done, project)
        await self._calls.free(ask)

    async def _character(
        self, project: str, character: str, args: list[Any], info: dict[str, Any], mask: str
    ) -> None:
        request = labs.update_character(project, character, info, f"entityInfo.{mask}")
        await self._do("character.update", args, request, project)

    async def _do(
        self, name: str, args: list[Any], request: labs.Request, project: str | None = None
    ) -> None:
        facts = self._calls.facts
        if self._calls.lane == "labs":
            await self._calls.free(rest(facts, name, request, payloads.done))
        else:
            await self._calls.free(batch(facts, name, args, payloads.done, project))
