"""One method per rpc: reads the argument array, asks the service, writes the reply (flow-wire §2.3 ff.).

What Flow accepts silently is accepted silently here: values in slots that nobody reads, unknown masks,
references that do not exist, a paging token in the wrong place.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowkit_mcp.simulator import captcha, faults, records
from flowkit_mcp.simulator.catalogue import Mode
from flowkit_mcp.simulator.faults import ConnectionCut, Grpc, Markers, Refusal
from flowkit_mcp.simulator.links import Links, What
from flowkit_mcp.simulator.orders import Identity, Order, OrderDesk
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.slots import items, prompt_text, slot, text_or_none, wanted
from flowkit_mcp.simulator.state import Account, Input, Media, Project, Status, Workflow
from flowkit_mcp.simulator.studio import Studio

#: Flow refuses some image models when the call does not say which page it comes from (§2.1).
NEEDS_SOURCE_PATH = {"BELUGA"}
DEFAULT_PAGE_SIZE = 20


@dataclass(frozen=True)
class Call:
    """One rpc of one signed-in browser."""

    rpc: str
    args: list[Any]
    account: str
    source_path: str
    hide_url: bool = False  #: a fault has it that the address is not there yet


Handler = Callable[[Call], Awaitable[Any]]


class UnknownRpc(Exception):
    """This build of Flow has no such rpc."""


class Rpcs:
    """Answers calls; `links` signs media addresses."""

    def __init__(self, service: FlowService, studio: Studio, links: Links) -> None:
        self._service = service
        self._studio = studio
        self._desk = OrderDesk(service)
        self._links = links
        self._looks: dict[str, int] = {}
        self._table: dict[str, Handler] = {
            "nzlxg": self._credits,
            "HTrJv": self._models,
            "yBhWQ": self._families,
            "UpteDb": self._projects,
            "jHPbke": self._create_project,
            "o8DA4": self._update_project,
            "ngNC2": self._get_project,
            "Zzl0ze": self._contents,
            "ogiZ0b": self._images,
            "maseQ": self._upload,
            "YhhmEf": partial(self._video, mode="text", meta=4, frames={}),
            "eb1hJf": partial(self._video, mode="start", meta=5, frames={4: "start"}),
            "nprQif": partial(self._video, mode="start_end", meta=6, frames={4: "start", 5: "end"}),
            "p0UkFb": self._upscale,
            "jwpduf": self._poll,
            "as29s": self._get_media,
            "mYWVGd": self._update_workflow,
        }

    async def answer(self, call: Call) -> Any:
        """The reply's payload.

        Raises:
            UnknownRpc, Refusal, ConnectionCut, SorryPage: as the call, the prompt or a fault has it.
        """
        handler = self._table.get(call.rpc)
        if handler is None:
            raise UnknownRpc(call.rpc)
        fault = self._service.take_fault(call.rpc)
        if fault is None:
            return await handler(call)
        faults.raise_before(fault)
        payload = await handler(replace(call, hide_url=fault == "missing_url"))
        faults.raise_after(fault)
        return payload

    def sign(self, what: What, media_id: str) -> str:
        return self._links.sign(what, media_id, self._service.state.switches.url_lifetime_s)

    # Account and catalogue

    async def _credits(self, call: Call) -> Any:
        return records.credits(self._account(call))

    async def _models(self, call: Call) -> Any:
        return records.models(self._service.catalogue, self._service.offered)

    async def _families(self, call: Call) -> Any:
        return [[family.id, 1] for family in self._service.catalogue.family if not family.hidden]

    # Projects

    async def _projects(self, call: Call) -> Any:
        """`["projects/*", pageSize, pageToken]`; the token says where the next page starts."""
        size, token = slot(call.args, 1), slot(call.args, 2)
        size = size if isinstance(size, int) and size > 0 else DEFAULT_PAGE_SIZE
        mine = self._service.projects(call.account)
        ids = [project.id for project in mine]
        start = ids.index(token) if token in ids else 0
        rows = [records.project_row(p, self.sign) for p in mine[start : start + size]]
        return [rows, ids[start + size]] if start + size < len(ids) else [rows]

    async def _create_project(self, call: Call) -> Any:
        title = wanted(slot(call.args, 1, 1, 0), str)
        project = self._service.create_project(call.account, title)
        return [project.id, [project.title]]

    async def _update_project(self, call: Call) -> Any:
        """`["projects/<PID>", [title, cover], [[mask]], …]`; an unknown mask does nothing."""
        project = self._project(call, slot(call.args, 0))
        title, cover = slot(call.args, 1, 0), slot(call.args, 1, 1)
        masks = items(slot(call.args, 2, 0))
        if "project_title" in masks and isinstance(title, str):
            project.title = title
        if "thumbnail_media_key" in masks and isinstance(cover, str):
            project.cover = self._service.media(call.account, cover).id
        self._service.save()
        info = records.project_row(project, self.sign)[1]
        return [project.title] if "project_title" in masks else info

    async def _get_project(self, call: Call) -> Any:
        return records.project_row(self._project(call, slot(call.args, 0)), self.sign)

    async def _contents(self, call: Call) -> Any:
        """Tiles and media of a project; voices, scenes, characters and scene clips are empty here."""
        project = self._project(call, slot(call.args, 0))
        tiles, media = self._service.contents(project)
        shown = [records.record(m, self.sign, listing=True, links=False) for m in media]
        return [None, [records.descriptor(tile) for tile in tiles], shown, [], [], [], []]

    async def _update_workflow(self, call: Call) -> Any:
        """`[[WID, collection, null, [title, …, archived, favourite, primary], PID], [[mask]]]`."""
        given, masks = slot(call.args, 0), items(slot(call.args, 1, 0))
        tile = self._service.state.workflows.get(wanted(slot(given, 0), str))
        if tile is None:
            raise Refusal(Grpc.NOT_FOUND)
        self._service.project(call.account, tile.project)
        self._apply_masks(call, tile, given, masks)
        tile.updated_at = self._service.clock.now()
        self._service.save()
        return records.descriptor(tile)

    def _apply_masks(self, call: Call, tile: Workflow, given: Any, masks: list[Any]) -> None:
        metadata = slot(given, 3)
        if "metadata.display_name" in masks:
            tile.title = wanted(slot(metadata, 0), str)
        if "metadata.archived" in masks:
            tile.archived = slot(metadata, 2) is True
        if "metadata.favorited" in masks:
            tile.favorited = slot(metadata, 3) is True
        if "metadata.primary_media_id" in masks:
            media = self._service.media(call.account, slot(metadata, 4))
            if media.workflow != tile.id:
                raise Refusal(Grpc.INVALID_ARGUMENT)
            tile.primary = media.id
        if "collection_id" in masks:
            tile.collection = text_or_none(slot(given, 1))

    # Pictures

    async def _images(self, call: Call) -> Any:
        """`[null, items, 1, ctx, [BATCH]]`; the call is held until its pictures are drawn (§4.1)."""
        ctx, batch = slot(call.args, 3), text_or_none(slot(call.args, 4, 0))
        orders = [self._image_order(call, item, ctx, batch) for item in items(slot(call.args, 1))]
        if not orders:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        self._check_captcha(call, ctx, captcha.IMAGE)
        if not call.source_path and any(order.key in NEEDS_SOURCE_PATH for order in orders):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        made: list[Media] = []
        for order in orders:
            media = self._desk.accept(self._account(call), order)
            self._studio.begin(media)
            made.append(media)
        for media in made:
            await self._studio.finished(media)
        if any(media.status.pending for media in made):
            raise ConnectionCut  # the simulator is closing; the next run goes on with them
        self._cut_if_asked(orders)
        done = [media for media in made if media.status is Status.DONE]
        if not done:
            raise _sync_failure(made[0])
        tiles = {media.workflow: self._service.state.workflows[media.workflow] for media in done}
        return [
            [records.made_image(media, self.sign) for media in done],
            [records.descriptor(tile) for tile in tiles.values()],
        ]

    def _image_order(self, call: Call, item: Any, ctx: Any, batch: str | None) -> Order:
        inputs = [
            Input(id=media_id, use="base" if slot(given, 4) == 2 else "reference")
            for given in items(slot(item, 2))
            if isinstance(media_id := slot(given, 0), str)
        ]
        return Order(
            rpc=call.rpc,
            project=text_or_none(slot(ctx, 5)),
            mode="image",
            key=wanted(slot(item, 5), str),
            prompt=prompt_text(slot(item, 8)),
            aspect=wanted(slot(item, 4), int),
            inputs=tuple(inputs),
            seed=wanted(slot(item, 3), int),
            identity=Identity(
                media_seed=text_or_none(slot(item, 13)),
                workflow_seed=text_or_none(slot(item, 12)),
                workflow=text_or_none(slot(ctx, 4)),
                batch=batch,
            ),
        )

    async def _upload(self, call: Call) -> Any:
        """`[ctx, base64, mime, 1, null, null, null, null, fileName, slot|null, SEED_1, SEED_2]` (§5.1).

        The type that is claimed is not read: the bytes say what they are. Which seed is which is not
        known; the first is taken for the medium's.
        """
        ctx = slot(call.args, 0)
        try:
            data = base64.b64decode(wanted(slot(call.args, 1), str), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(Grpc.INVALID_ARGUMENT) from error
        name = text_or_none(slot(call.args, 8)) or "Untitled"
        self._check_captcha(call, ctx, captcha.UPLOAD)
        identity = Identity(
            media_seed=text_or_none(slot(call.args, 10)),
            workflow_seed=text_or_none(slot(call.args, 11)),
        )
        project = text_or_none(slot(ctx, 5))
        media = self._desk.upload(self._account(call), project, name, data, identity)
        return [records.record(media, self.sign)]

    # Clips

    async def _video(self, call: Call, *, mode: Mode, meta: int, frames: dict[int, str]) -> Any:
        """`[[item], ctx, group]` with the prompt, key and aspect in slots 0, 1, 2 of the item (§6.1)."""
        item, ctx = slot(call.args, 0, 0), slot(call.args, 1)
        inputs = [
            Input.model_validate({"id": wanted(slot(item, at, 1), str), "use": use})
            for at, use in frames.items()
        ]
        order = Order(
            rpc=call.rpc,
            project=text_or_none(slot(ctx, 5)),
            mode=mode,
            key=wanted(slot(item, 1), str),
            prompt=prompt_text(slot(item, 0, 2)),
            aspect=wanted(slot(item, 2), int),
            inputs=tuple(inputs),
            identity=self._video_identity(call, slot(item, meta)),
        )
        self._check_captcha(call, ctx, captcha.VIDEO)
        media = self._desk.accept(self._account(call), order)
        self._studio.begin(media)
        self._cut_if_asked([order])
        return self._submitted(call, media)

    async def _upscale(self, call: Call) -> Any:
        """`[[obj], ctx, group]`; obj: 0 source, 2 aspect, 4 meta, 6 resolution, 31 key (§8)."""
        item, ctx = slot(call.args, 0, 0), slot(call.args, 1)
        source = wanted(slot(item, 0, 1), str)
        order = Order(
            rpc=call.rpc,
            project=text_or_none(slot(ctx, 5)),
            mode="upscale",
            key=wanted(slot(item, 31), str),
            prompt="",
            aspect=wanted(slot(item, 2), int),
            inputs=(Input(id=source, use="source"),),
            identity=self._video_identity(call, slot(item, 4)),
        )
        self._check_captcha(call, ctx, captcha.VIDEO)
        media, new = self._desk.upscale(self._account(call), order, slot(item, 6))
        if new:
            self._studio.begin(media)
        return self._submitted(call, media)

    def _video_identity(self, call: Call, meta: Any) -> Identity:
        """`[sceneId, workflowId, collectionId, null, SEED_M, SEED_W]` and the group's batch (§2.2)."""
        return Identity(
            media_seed=text_or_none(slot(meta, 4)),
            workflow_seed=text_or_none(slot(meta, 5)),
            workflow=text_or_none(slot(meta, 1)),
            batch=text_or_none(slot(call.args, 2, 0)),
        )

    def _submitted(self, call: Call, media: Media) -> Any:
        tile = self._service.state.workflows[media.workflow]
        balance = self._account(call).balance
        shown = records.record(media, self.sign, links=False)
        return [None, balance, [records.descriptor(tile)], [shown]]

    # Looking

    async def _poll(self, call: Call) -> Any:
        """`[null, null, [[MID], …]]`; ids nobody knows are left out, credits wait for the last (§7.1)."""
        shown: list[Any] = []
        pending = False
        for asked in items(slot(call.args, 2)):
            media_id = wanted(slot(asked, 0), str)
            if media_id in self._service.state.workflows:
                shown.append(records.no_such_media(media_id))
                continue
            try:
                media = self._service.media(call.account, media_id)
            except Refusal:
                continue
            pending = pending or media.status.pending
            shown.append(records.record(media, self.sign, links=False))
        return [None, None if pending else self._account(call).balance, shown]

    async def _get_media(self, call: Call) -> Any:
        """`[MID]` → its record with addresses; while it is made now and then only the id (§7.3)."""
        media = self._service.media(call.account, slot(call.args, 0))
        if media.status.pending:
            looks = self._looks[media.id] = self._looks.get(media.id, 0) + 1
            if looks % 2 == 0:
                return media.id
        return records.record(media, self.sign, listing=call.hide_url, links=not call.hide_url)

    # Shared

    def _account(self, call: Call) -> Account:
        return self._service.account(call.account)

    def _project(self, call: Call, name: Any) -> Project:
        """From `projects/<PID>` or `tools/PINHOLE/projects/<PID>`."""
        head, _, project_id = wanted(name, str).rpartition("projects/")
        if head not in ("", "tools/PINHOLE/"):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return self._service.project(call.account, project_id)

    def _check_captcha(self, call: Call, ctx: Any, actions: tuple[str, ...]) -> None:
        self._service.check_captcha(slot(ctx, 10, 0), call.account, actions)

    def _cut_if_asked(self, orders: list[Order]) -> None:
        if any(Markers.of(order.prompt).cut for order in orders):
            raise ConnectionCut


def _sync_failure(media: Media) -> Refusal:
    """A picture fails inside its own call, so the reason comes as a refusal."""
    if media.reason == "PROMINENT_PEOPLE_FILTER_FAILED":
        return Refusal(Grpc.INVALID_ARGUMENT, media.reason)
    return Refusal(Grpc.INTERNAL, media.reason or None)
