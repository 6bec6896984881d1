"""The rpcs that make media: pictures, uploads, clips, upscales (flow-wire §4, §5.1, §6.1, §8)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from functools import partial
from typing import Any

from flowkit_mcp.simulator import captcha, records
from flowkit_mcp.simulator.catalogue import Mode
from flowkit_mcp.simulator.faults import Grpc, Refusal
from flowkit_mcp.simulator.orders import Identity, Order
from flowkit_mcp.simulator.rpcs import Call, Handler, Rpcs
from flowkit_mcp.simulator.slots import items, prompt_text, slot, text_or_none, texts, wanted
from flowkit_mcp.simulator.state import Account, Input, Media
from flowkit_mcp.simulator.switches import Switches


class MakingRpcs:
    """Handlers that read an order from its slots; they ask `rpcs` for everything else."""

    def __init__(self, rpcs: Rpcs) -> None:
        self._rpcs = rpcs

    def table(self) -> dict[str, Handler]:
        return {
            "ogiZ0b": self._images,
            "maseQ": self._upload,
            "SPrCad": self._upscale_picture,
            "YhhmEf": partial(self._video, mode="text", meta=4, frames={}),
            "eb1hJf": partial(self._video, mode="start", meta=5, frames={4: "start"}),
            "nprQif": partial(self._video, mode="start_end", meta=6, frames={4: "start", 5: "end"}),
            "MZZa6b": self._references,
            "fZytfe": partial(self._from_clip, mode="extend", meta=5),
            "jIps6": partial(self._from_clip, mode="edit", meta=4),
            "p0UkFb": self._upscale,
            "Sc7aEb": self._copy,
        }

    # Pictures

    async def _images(self, call: Call) -> Any:
        """`[null, items, 1, ctx, [BATCH]]`; the call is held until its pictures are drawn (§4.1)."""
        ctx, batch = slot(call.args, 3), text_or_none(slot(call.args, 4, 0))
        orders = [self._image_order(call, item, ctx, batch) for item in items(slot(call.args, 1))]
        if not orders:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        self._check_captcha(call, ctx, captcha.IMAGE)
        fussy = self._switches.needs_source_path
        if not call.source_path and any(order.key in fussy for order in orders):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        done = await self._rpcs.counter.pictures(self._account(call), orders)
        tiles = {
            media.workflow: self._rpcs.service.state.workflows[media.workflow] for media in done
        }
        return [
            [self._made_image(media) for media in done],
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
            characters=texts(slot(item, 10)),
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
        media = self._rpcs.counter.upload(self._account(call), project, name, data, identity)
        entity = slot(call.args, 9, 2, 0)
        if isinstance(entity, str):
            self._rpcs.shelf.add_portrait(call.account, entity, media.id)
        return [self._rpcs.record(media)]

    async def _copy(self, call: Call) -> Any:
        """`[MID, null, null, PID, null, null, null, [null, null, [EID, [slot]]], null, SEED, SEED]` (§6.9)."""
        identity = Identity(
            media_seed=text_or_none(slot(call.args, 9)),
            workflow_seed=text_or_none(slot(call.args, 10)),
        )
        project = wanted(slot(call.args, 3), str)
        entity = slot(call.args, 7, 2, 0)
        if isinstance(entity, str):
            self._rpcs.shelf.character(call.account, entity)
        media = self._rpcs.counter.copy(self._account(call), slot(call.args, 0), project, identity)
        if isinstance(entity, str):
            self._rpcs.shelf.add_portrait(call.account, entity, media.id)
        return [self._rpcs.record(media)]

    # Clips

    async def _video(self, call: Call, *, mode: Mode, meta: int, frames: dict[int, str]) -> Any:
        """`[[item], ctx, group]` with the prompt, key and aspect in slots 0, 1, 2 of the item (§6.1)."""
        item = slot(call.args, 0, 0)
        order = self._order(call, mode, 0, 1, meta)
        inputs = [
            Input.model_validate({"id": wanted(slot(item, at, 1), str), "use": use})
            for at, use in frames.items()
        ]
        return self._submit(call, replace(order, inputs=tuple(inputs)))

    async def _references(self, call: Call) -> Any:
        """`[V, [ref…], key, aspect, null, meta, null, [[audioId]…], null, [[EID]…], likeness, out]`."""
        item = slot(call.args, 0, 0)
        order = self._order(call, "references", 0, 2, 5)
        return self._submit(
            call,
            replace(
                order,
                inputs=_references(slot(item, 1)),
                voices=texts(slot(item, 7)),
                characters=texts(slot(item, 9)),
            ),
        )

    async def _from_clip(self, call: Call, *, mode: Mode, meta: int) -> Any:
        """`[src, V, key, aspect, …, imgs, audio, entities, likeness, out]`: extend and edit (§6.1)."""
        item = slot(call.args, 0, 0)
        first, last = slot(item, 0, 2) or 0, slot(item, 0, 3)
        order = self._order(call, mode, 1, 2, meta)
        source = Input(id=wanted(slot(item, 0, 1), str), use="source")
        return self._submit(
            call,
            replace(
                order,
                inputs=(source, *_references(slot(item, 8))),
                voices=texts(slot(item, 9)),
                characters=texts(slot(item, 10)),
                frames=(wanted(first, int), wanted(last, int)),
            ),
        )

    def _order(self, call: Call, mode: Mode, prompt: int, key: int, meta: int) -> Order:
        """What all video items have: a prompt, then key and aspect side by side, and the metadata."""
        item, ctx = slot(call.args, 0, 0), slot(call.args, 1)
        return Order(
            rpc=call.rpc,
            project=text_or_none(slot(ctx, 5)),
            mode=mode,
            key=wanted(slot(item, key), str),
            prompt=prompt_text(slot(item, prompt, 2)),
            aspect=wanted(slot(item, key + 1), int),
            scene=text_or_none(slot(item, meta, 0)),
            identity=self._video_identity(call, slot(item, meta)),
        )

    def _submit(self, call: Call, order: Order) -> Any:
        self._check_captcha(call, slot(call.args, 1), captcha.VIDEO)
        if self._switches.submit_shape == "empty":
            return [None, self._account(call).balance, [], []]
        return self._submitted(call, self._rpcs.counter.clip(self._account(call), order))

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
        media, _ = self._rpcs.counter.upscale(self._account(call), order, slot(item, 6))
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
        tile = self._rpcs.service.state.workflows[media.workflow]
        balance = self._account(call).balance
        shown = self._rpcs.record(media, links=False)
        return [None, balance, [records.descriptor(tile)], [shown]]

    async def _upscale_picture(self, call: Call) -> Any:
        """`[MID, level, ctx]` → `[record, "<base64 JPEG>"]`, a medium of its own (§4.3)."""
        level = slot(call.args, 1)
        levels = (
            {1: "2K", 2: "4K"} if self._switches.picture_levels == "1/2" else {2: "2K", 3: "4K"}
        )
        if level not in levels:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        self._check_captcha(call, slot(call.args, 2), captcha.IMAGE)
        media = await self._rpcs.counter.upscale_picture(
            self._account(call),
            slot(call.args, 0),
            "2K" if levels[level] == "2K" else "4K",
            call.rpc,
        )
        data = self._rpcs.service.files.path(media).read_bytes()
        return [self._rpcs.record(media), base64.b64encode(data).decode("ascii")]

    def _made_image(self, media: Media) -> list[Any]:
        shown = media if self._switches.echo_inputs else media.model_copy(update={"inputs": []})
        return records.made_image(shown, self._rpcs.sign)

    @property
    def _switches(self) -> Switches:
        return self._rpcs.service.state.switches

    def _account(self, call: Call) -> Account:
        return self._rpcs.account(call)

    def _check_captcha(self, call: Call, ctx: Any, actions: tuple[str, ...]) -> None:
        self._rpcs.service.check_captcha(slot(ctx, 10, 0), call.account, actions)


def _references(block: Any) -> tuple[Input, ...]:
    """`[[null, MID, …], …]`; what has no id is not read."""
    found = (slot(given, 1) for given in items(block))
    return tuple(Input(id=one, use="reference") for one in found if isinstance(one, str))
