"""What lies in the connected Flow account: its projects and their tiles. All of it is free.

These are jobs like any other, because only the process that leads has the browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from flowkit_mcp.app import FLOW, FlowKit
from flowkit_mcp.domain.models import Gate, JobState, Priority
from flowkit_mcp.domain.models import Job as JobRow
from flowkit_mcp.domain.requests import Housekeeping, HousekeepingAction
from flowkit_mcp.errors import (
    Conflict,
    FlowKitError,
    InvalidSetting,
    NotConnected,
    NotFound,
    ProviderError,
)
from flowkit_mcp.sdk.jobs import Job, Planned
from flowkit_mcp.store import catalog


@dataclass(frozen=True)
class FlowProject:
    """A project in Flow."""

    id: str
    title: str


@dataclass(frozen=True)
class FlowMedia:
    """One version of a tile. `kind`: image or video. `shown`: the one that the tile shows."""

    id: str
    kind: str
    prompt: str | None
    shown: bool


@dataclass(frozen=True)
class FlowItem:
    """A tile of a project's grid. `id` is what `rename`, `trash` and `restore` take."""

    id: str
    title: str
    trashed: bool
    media: tuple[FlowMedia, ...]


class FlowLibrary:
    """Look at and tidy up what lies in Flow. The files of FlowKit's own library are never touched.

    A `project` is an id of Flow, or the name of a project of this library that has been worked on there.
    Each method waits for its job, at most `patience_s` seconds.

    Raises:
        TimeoutError: Flow has not answered in time; the job goes on and its number is in the text.
        ProviderError: Flow said no. NotFound, NotConnected, Conflict: as their text says.
    """

    def __init__(self, kit: FlowKit, *, patience_s: float | None = 120) -> None:
        self.kit = kit
        self.patience_s = patience_s

    async def list_projects(self) -> list[FlowProject]:
        """All projects of the account."""
        answer = await self._do("list_projects")
        return [FlowProject(str(row["id"]), str(row["title"])) for row in answer["projects"]]

    async def contents(self, project: str) -> list[FlowItem]:
        """Everything in a project, trashed tiles too."""
        answer = await self._do("list_contents", project)
        return [_item(row) for row in answer["items"]]

    async def rename_project(self, project: str, title: str) -> None:
        """Give a project another title in Flow."""
        await self._do("rename_project", project, title=title)

    async def rename(self, project: str, item: str, title: str) -> None:
        """Give a tile another title."""
        await self._do("rename", project, (item,), title)

    async def trash(self, project: str, *items: str) -> None:
        """Put tiles into Flow's trash, from where `restore` takes them."""
        await self._do("trash", project, items)

    async def restore(self, project: str, *items: str) -> None:
        """Take tiles out of the trash."""
        await self._do("restore", project, items)

    async def delete_project(self, project: str, *, title: str) -> None:
        """Delete a project in Flow for good, with all it holds.

        Args:
            project: which.
            title: its title in Flow, so that a mistaken id deletes nothing.

        Raises:
            Conflict: it has another title. NotFound: there is no such project. Nothing is deleted then.
        """
        id = await self.flow_id(project)
        found = {one.id: one.title for one in await self.list_projects()}
        if id not in found:
            raise NotFound(f"Flow has no project {id!r}", hint="See list_projects of Flow.")
        if found[id] != title:
            raise Conflict(
                f"project {id!r} is called {found[id]!r} in Flow, not {title!r}; nothing was deleted",
                hint="Make sure which one is meant.",
            )
        await self._do("delete_project", id)

    async def plan(
        self,
        action: HousekeepingAction,
        project: str | None = None,
        items: tuple[str, ...] = (),
        title: str | None = None,
    ) -> Planned:
        """The request, for the queue: `await Job.enqueue(kit, planned)`. What it answers is `answer_of(job)`.

        Raises:
            InvalidSetting: the action needs something that is not given; the message names it.
        """
        id = None if project is None else await self.flow_id(project)
        try:
            request = Housekeeping(action=action, project=id, items=items, title=title)
        except ValidationError as error:
            said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise InvalidSetting(said) from error
        return Planned(request, 0, f"{action.replace('_', ' ')} in Flow")

    async def reachable(self) -> None:
        """At once, for who would not wait for a person.

        Raises:
            NotConnected: nobody can answer now; why, and what has to be done.
        """
        now = await self.kit.status()
        if now.provider is None or not now.provider.connected:
            raise NotConnected(now.browser.what, hint=now.browser.next)
        if now.provider.gate is Gate.BLOCKED:
            what, _, step = (now.provider.message or "its gate is blocked").partition(". ")
            raise NotConnected(f"Flow may not be asked now: {what}", hint=step)

    async def answer_of(self, job: Job, timeout: float | None = None) -> dict[str, Any]:
        """What Flow answered; see `Housekeeping` for its shape by action.

        Raises:
            TimeoutError: not yet. FlowKitError: the job failed or was cancelled; the code says why.
        """
        await job.result(timeout)
        row = await job.state()
        if row.state is not JobState.SUCCEEDED:
            raise _error_of(row)
        events = [event for event in await job.events() if event.type == "answer"]
        return dict(events[-1].data or {}) if events else {}

    async def flow_id(self, project: str) -> str:
        """Where a project of this library lies in the connected account; any other text is an id of Flow."""
        try:
            ours = await catalog.project(self.kit.db, project)
        except NotFound:
            return project
        account = await self.kit.account()
        remote = await catalog.remote_project(self.kit.db, ours.id, FLOW, account.label)
        if remote is None:
            raise NotFound(
                f"project {ours.name!r} has nothing in this Flow account yet",
                hint="It gets its place there with the first picture.",
            )
        return remote

    async def _do(
        self,
        action: HousekeepingAction,
        project: str | None = None,
        items: tuple[str, ...] = (),
        title: str | None = None,
    ) -> dict[str, Any]:
        planned = await self.plan(action, project, items, title)
        job = await Job.enqueue(self.kit, planned, Priority.DIRECT)
        return await self.answer_of(job, self.patience_s)


def _item(row: dict[str, Any]) -> FlowItem:
    media = tuple(
        FlowMedia(str(one["id"]), str(one["kind"]), one.get("prompt"), bool(one.get("shown")))
        for one in row["media"]
    )
    return FlowItem(str(row["workflow"]), str(row["title"]), bool(row["archived"]), media)


def _error_of(row: JobRow) -> FlowKitError:
    """The error that a job ended with, as it would have been raised."""
    said, _, then = (row.message or f"job {row.id} is {row.state}").partition(". ")
    kinds = {kind.code: kind for kind in _kinds(FlowKitError)}
    return kinds.get(row.reason or "", ProviderError)(said, hint=then or None)


def _kinds(root: type[FlowKitError]) -> Iterator[type[FlowKitError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from _kinds(kind)
