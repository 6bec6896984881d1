"""The rpcs that read and tidy: account, catalogue, projects, tiles, characters, polls, media (flow-wire §2.3 ff.).

What Flow accepts silently is accepted silently here: values in slots that nobody reads, unknown masks,
references that do not exist, a paging token in the wrong place. What makes media is in `rpcs_make.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from flowkit_mcp.simulator import faults, records
from flowkit_mcp.simulator.counter import Counter
from flowkit_mcp.simulator.faults import Grpc, NoData, Refusal
from flowkit_mcp.simulator.links import Links, What
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.shelf import Shelf
from flowkit_mcp.simulator.slots import items, slot, text_or_none, texts, wanted
from flowkit_mcp.simulator.state import Account, Media, Project, Scene

DEFAULT_PAGE_SIZE = 20
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Call:
    """One rpc of one signed-in browser."""

    rpc: str
    args: list[Any]
    account: str
    source_path: str
    hide_url: bool = False  #: a fault has it that the address is not there yet
    lose_one: bool = False  #: a fault has it that a poll leaves its first id out


Handler = Callable[[Call], Awaitable[Any]]


class UnknownRpc(Exception):
    """This build of Flow has no such rpc."""


class Rpcs:
    """Answers calls; `links` signs media addresses. Handlers of other modules join by `add`."""

    def __init__(self, service: FlowService, counter: Counter, links: Links) -> None:
        self.service = service
        self.counter = counter
        self.shelf = Shelf(service)
        self._links = links
        self._looks: dict[str, int] = {}
        self._table: dict[str, Handler] = {
            "nzlxg": self._credits,
            "HTrJv": self._models,
            "yBhWQ": self._families,
            "UpteDb": self._projects,
            "jHPbke": self._create_project,
            "o8DA4": self._update_project,
            "QI2zvc": self._delete_project,
            "ngNC2": self._get_project,
            "Zzl0ze": self._contents,
            "jwpduf": self._poll,
            "as29s": self._get_media,
            "uurnC": self._get_media_url,
            "CK0Pk": self._cancel,
            "cz8Z4b": self._delete_assets,
            "mYWVGd": self._update_workflow,
            "pGCYOe": self._update_workflows,
            "C4BZMd": self._create_character,
            "rzMKMb": self._update_character,
            "rqZuUc": self._create_scene,
        }

    def add(self, handlers: dict[str, Handler]) -> None:
        self._table |= handlers

    async def answer(self, call: Call) -> Any:
        """The reply's payload.

        Raises:
            UnknownRpc, Refusal, ConnectionCut, SorryPage, SignInPage, WholeCallError: as the call, the
                prompt or a fault has it.
        """
        moved = self.service.state.switches.moved_rpcs
        if call.rpc in moved:
            raise UnknownRpc(call.rpc)
        known = next((old for old, new in moved.items() if new == call.rpc), call.rpc)
        handler = self._table.get(known)
        if handler is None:
            raise UnknownRpc(call.rpc)
        call = replace(call, rpc=known)
        fault = self.service.take_fault(known)
        if fault is None:
            return await handler(call)
        faults.raise_before(fault)
        changed = replace(call, hide_url=fault == "missing_url", lose_one=fault == "poll_missing")
        payload = await handler(changed)
        try:
            faults.raise_after(fault)
        except NoData:
            return None
        return payload

    def sign(self, what: What, media_id: str) -> str:
        switches = self.service.state.switches
        return self._links.sign(what, media_id, switches.url_lifetime_s, switches.url_path)

    def record(self, media: Media, *, listing: bool = False, links: bool = True) -> list[Any]:
        """A media record with the step id the switch wants."""
        record = records.record(media, self.sign, listing=listing, links=links)
        steps = self.service.state.switches.step_ids
        if steps != "mixed":
            record[3] = "CAE" if steps == "CAE" else None
        return record

    # Account and catalogue

    async def _credits(self, call: Call) -> Any:
        return records.credits(account := self.account(call), self.service.shown_balance(account))

    async def _models(self, call: Call) -> Any:
        return records.models(self.service.catalogue, self.service.shown)

    async def _families(self, call: Call) -> Any:
        return [[family.id, 1] for family in self.service.catalogue.family if not family.hidden]

    # Projects

    async def _projects(self, call: Call) -> Any:
        """`["projects/*", pageSize, pageToken]`; the token says where the next page starts."""
        size, token = slot(call.args, 1), slot(call.args, 2)
        size = size if isinstance(size, int) and size > 0 else DEFAULT_PAGE_SIZE
        mine = self.service.projects(call.account)
        ids = [project.id for project in mine]
        start = ids.index(token) if token in ids else 0
        rows = [records.project_row(p, self.sign) for p in mine[start : start + size]]
        return [rows, ids[start + size]] if start + size < len(ids) else [rows]

    async def _create_project(self, call: Call) -> Any:
        title = wanted(slot(call.args, 1, 1, 0), str)
        project = self.service.create_project(call.account, title)
        return [project.id, [project.title]]

    async def _update_project(self, call: Call) -> Any:
        """`["projects/<PID>", [title, cover], [[mask]], …]`; an unknown mask does nothing."""
        project = self.project(call, slot(call.args, 0))
        title, cover = slot(call.args, 1, 0), slot(call.args, 1, 1)
        masks = items(slot(call.args, 2, 0))
        if "project_title" in masks and isinstance(title, str):
            project.title = title
        if "thumbnail_media_key" in masks and isinstance(cover, str):
            project.cover = self.service.media(call.account, cover).id
        self.service.save()
        info = records.project_row(project, self.sign)[1]
        return [project.title] if "project_title" in masks else info

    async def _get_project(self, call: Call) -> Any:
        return records.project_row(self.project(call, slot(call.args, 0)), self.sign)

    async def _delete_project(self, call: Call) -> Any:
        """`["projects/<PID>"]`, or the bare id."""
        name = wanted(slot(call.args, 0), str)
        self.shelf.delete_project(call.account, name.rpartition("projects/")[2])
        return []

    async def _contents(self, call: Call) -> Any:
        """Tiles, media, voices, scenes, characters and the clips of the scenes."""
        project = self.project(call, slot(call.args, 0))
        tiles, media = self.service.contents(project)
        scenes = self.shelf.scenes(project)
        listing: list[Any] = [
            None,
            [records.descriptor(tile) for tile in tiles],
            [self.record(m, listing=True, links=False) for m in media],
            records.voices(),
            [records.scene(one) for one in scenes],
            [records.character(one) for one in self.shelf.characters(project)],
            [clip for one in scenes for clip in self._scene_clips(one)],
        ]
        padding = int(self.service.state.switches.listing_padding_mb * MEGABYTE)
        return [*listing, "x" * padding] if padding else listing

    # Tiles and characters

    async def _update_workflow(self, call: Call) -> Any:
        """`[[WID, collection, null, [title, …, archived, favourite, primary], PID], [[mask]]]`."""
        return self._update_tile(call, slot(call.args, 0), items(slot(call.args, 1, 0)))

    async def _update_workflows(self, call: Call) -> Any:
        """`[[[WID, …], …], [[mask]]]`: several at once, mostly into the trash and back."""
        masks = items(slot(call.args, 1, 0))
        return [[self._update_tile(call, given, masks) for given in items(slot(call.args, 0))]]

    def _update_tile(self, call: Call, given: Any, masks: list[Any]) -> list[Any]:
        tile = self.shelf.tile(call.account, wanted(slot(given, 0), str))
        places = {
            "metadata.display_name": ("title", slot(given, 3, 0)),
            "metadata.archived": ("archived", slot(given, 3, 2)),
            "metadata.favorited": ("favorited", slot(given, 3, 3)),
            "metadata.primary_media_id": ("primary", slot(given, 3, 4)),
            "collection_id": ("collection", text_or_none(slot(given, 1))),
        }
        self.shelf.update_tile(
            call.account, tile, dict(places[mask] for mask in masks if mask in places)
        )
        return records.descriptor(tile)

    async def _create_scene(self, call: Call) -> Any:
        """`["projects/<PID>", [WID…], null, null, 2]` → `[scene, [clip…]]`; slot 4 is the aspect (§6.7) [I]."""
        project = self.project(call, slot(call.args, 0))
        aspect = slot(call.args, 4)
        made = self.shelf.create_scene(
            call.account,
            project.id,
            items(slot(call.args, 1)),
            aspect if aspect in (1, 2) else None,
        )
        return [records.scene(made), self._scene_clips(made)]

    def _scene_clips(self, scene: Scene) -> list[list[Any]]:
        tiles = [self.service.state.workflows[one] for one in scene.workflows]
        media = self.service.state.media
        return [
            records.scene_clip(scene, tile, at, media[tile.primary].seconds or 8)
            for at, tile in enumerate(tiles)
        ]

    async def _create_character(self, call: Call) -> Any:
        """`[[PID, null, collectionId|null, [1, "<name>", []]]]` (§6.9)."""
        given = slot(call.args, 0)
        made = self.shelf.create_character(
            call.account,
            slot(given, 0),
            wanted(slot(given, 3, 1), str),
            text_or_none(slot(given, 2)),
        )
        return records.character(made)

    async def _update_character(self, call: Call) -> Any:
        """`[[PID, EID, collection, [1, name, [null, [[voice]], notes], favourite, archived]], [[mask]]]`.

        A voice was seen as `[id]` and as `[null, id]`; both are taken. The last two are seen inside the
        block and after it; both are read.
        """
        given, masks = slot(call.args, 0), items(slot(call.args, 1, 0))
        character = self.shelf.character(call.account, slot(given, 1))
        block = slot(given, 3)
        voices = [next(iter(texts(one)), None) for one in items(slot(block, 2, 1))]
        places: dict[str, tuple[str, Any]] = {
            "entity_info.display_name": ("name", text_or_none(slot(block, 1)) or character.name),
            "entity_info.character_info.personality_notes": (
                "notes",
                text_or_none(slot(block, 2, 2)),
            ),
            "entity_info.character_info.audio_references": ("voices", [v for v in voices if v]),
            "entity_info.is_favorited": ("favorited", slot(block, 3) or slot(given, 4)),
            "entity_info.archived": ("archived", slot(block, 4) or slot(given, 5)),
            "collection_id": ("collection", text_or_none(slot(given, 2))),
        }
        self.shelf.update_character(
            character, dict(places[mask] for mask in masks if mask in places)
        )
        return records.character(character)

    async def _delete_assets(self, call: Call) -> Any:
        """Three shapes were seen (§2.4): media in 0 and project in 2; characters in 3; media in 6."""
        project = self.service.project(call.account, slot(call.args, 2))
        for at in (0, 6):
            self.shelf.delete_media(call.account, texts(slot(call.args, at)), project.id)
        self.shelf.delete_characters(call.account, texts(slot(call.args, 3)), project.id)
        return []

    async def _cancel(self, call: Call) -> Any:
        """Its arguments were never captured: the first text anywhere in them is taken for the id."""
        self.counter.cancel(self.account(call), next(iter(texts(call.args)), None))
        return []

    # Looking

    async def _poll(self, call: Call) -> Any:
        """`[null, null, [[MID], …]]`; ids nobody knows are left out, credits wait for the last (§7.1)."""
        shown: list[Any] = []
        pending = False
        switches = self.service.state.switches
        for asked in items(slot(call.args, 2))[1 if call.lose_one else 0 :]:
            media_id = wanted(slot(asked, 0), str)
            if media_id in self.service.state.workflows:
                if switches.poll_by_workflow == "complain":
                    shown.append(records.no_such_media(media_id))
                continue
            try:
                media = self.service.media(call.account, media_id)
            except Refusal:
                continue
            pending = pending or media.status.pending
            shown.append(self.record(media, links=False))
        hide = pending if switches.poll_credits == "mixed" else switches.poll_credits == "null"
        balance = self.service.shown_balance(self.account(call))
        return [None, None if hide else balance, shown]

    async def _get_media(self, call: Call) -> Any:
        """`[MID]` → its record with addresses; while it is made now and then only the id (§7.3)."""
        media = self.service.media(call.account, slot(call.args, 0))
        if media.status.pending:
            looks = self._looks[media.id] = self._looks.get(media.id, 0) + 1
            if looks % 2 == 0:
                return media.id
        return self.record(media, listing=call.hide_url, links=not call.hide_url)

    async def _get_media_url(self, call: Call) -> Any:
        """`[MID]` → `[address]`; its reply was never captured."""
        media = self.service.media(call.account, slot(call.args, 0))
        if not media.ready or call.hide_url:
            raise Refusal(Grpc.NOT_FOUND)
        return [self.sign(media.kind, media.id)]

    # Shared

    def account(self, call: Call) -> Account:
        return self.service.account(call.account)

    def project(self, call: Call, name: Any) -> Project:
        """From `projects/<PID>` or `tools/PINHOLE/projects/<PID>`."""
        head, _, project_id = wanted(name, str).rpartition("projects/")
        if head not in ("", "tools/PINHOLE/"):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return self.service.project(call.account, project_id)
