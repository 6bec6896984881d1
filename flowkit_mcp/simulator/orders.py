"""What may be ordered from the simulated Flow, checked in Flow's own order (flow-wire §1.3).

Shape (400/3) comes first and is the decoder's, the captcha second; then here: project and model key exist
(5), plan, quota and credits (7, 8), content (3), inputs (5), seeds (3). Only then is anything charged.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from flowkit_mcp.simulator import state
from flowkit_mcp.simulator.catalogue import (
    FALLBACK_IMAGE_SIZE,
    IMAGE_SIZES,
    LANDSCAPE,
    PORTRAIT,
    Mode,
    Usage,
    video_size,
)
from flowkit_mcp.simulator.faults import Grpc, Markers, Refusal, without_markers
from flowkit_mcp.simulator.ids import derived_id, random_id, spread
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Account, Input, Media, Status

MAX_UPLOAD_BYTES = 20_000_000
MIME = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}


@dataclass(frozen=True)
class Identity:
    """What the client chose: seeds exactly as sent, the tile to add to, the batch."""

    media_seed: str | None = None
    workflow_seed: str | None = None
    workflow: str | None = None
    batch: str | None = None


@dataclass(frozen=True)
class Order:
    """One picture or clip to be made."""

    rpc: str
    project: str | None
    mode: Mode
    key: str
    prompt: str
    aspect: int
    inputs: tuple[Input, ...] = ()
    seed: int | None = None
    identity: Identity = Identity()


class OrderDesk:
    """Accepts orders and uploads, or refuses them; what is accepted is charged and saved."""

    def __init__(self, service: FlowService) -> None:
        self._service = service

    def accept(self, account: Account, order: Order) -> Media:
        """
        Raises:
            Refusal: not accepted, nothing charged.
        """
        project = self._service.project(account.name, order.project)
        usage = self._usage(order)
        cost = self._price(account, usage)
        if Markers.of(order.prompt).unsafe:
            raise Refusal(Grpc.INVALID_ARGUMENT, "UNSAFE_GENERATION")
        inputs = self._inputs(account, order, usage)
        width, height, aspect = _size(order, usage)
        media_id, workflow = self._ids(order.identity, project.id)
        media = Media(
            id=media_id,
            project=project.id,
            workflow=workflow,
            kind="image" if order.mode == "image" else "video",
            mode=order.mode,
            title=title_of(order.prompt),
            prompt=order.prompt,
            model=usage.key,
            aspect=aspect,
            width=width,
            height=height,
            seconds=usage.seconds,
            seed=spread(media_id, 1_000_000) if order.seed is None else order.seed,
            inputs=list(inputs),
            mime="image/jpeg" if order.mode == "image" else "video/mp4",
            created_at=self._service.clock.now(),
            rpc=order.rpc,
            cost=cost,
            client_seed=order.identity.media_seed,
            workflow_seed=order.identity.workflow_seed,
        )
        self._service.add(media, order.identity.batch)
        return media

    def upscale(self, account: Account, order: Order, resolution: object) -> tuple[Media, bool]:
        """A bigger copy of a clip, and whether it was ordered now (True) or was there already."""
        project = self._service.project(account.name, order.project)
        usage = self._usage(order)
        cost = self._price(account, usage)
        source = self._service.media(account.name, order.inputs[0].id)
        wanted = {"720p": 1, "1080p": 2, "4k": 3}[usage.resolution]
        slot = wanted if self._switches.upscale_slot_6 == "resolution" else source.aspect
        fits = source.project == project.id and source.kind == "video" and resolution == slot
        if not fits or source.status is not Status.DONE or source.mode == "upscale":
            raise Refusal(Grpc.INVALID_ARGUMENT)
        if (usage.resolution == "720p") != (min(source.width, source.height) == 360):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        media_id = source.id + ("_4k_upsampled" if usage.resolution == "4k" else "_upsampled")
        there = self._service.state.media.get(media_id)
        if there is not None and there.status is not Status.FAILED:
            return there, False
        width, height = video_size(usage.resolution, source.aspect)
        media = source.model_copy(
            update={
                "id": media_id,
                "mode": "upscale",
                "model": usage.key,
                "width": width,
                "height": height,
                "inputs": [Input(id=source.id, use="source")],
                "status": Status.SCHEDULED,
                "reason": None,
                "poster": False,
                "ready": False,
                "bytes": None,
                "created_at": self._service.clock.now(),
                "rpc": order.rpc,
                "cost": cost,
                "client_seed": order.identity.media_seed,
                "workflow_seed": None,
            }
        )
        self._service.add(media, order.identity.batch)
        return media, True

    def upload(
        self, account: Account, project_id: str | None, name: str, data: bytes, identity: Identity
    ) -> Media:
        """Take a picture of the user's own. Free. What it is, is read from the bytes."""
        project = self._service.project(account.name, project_id)
        if len(data) > MAX_UPLOAD_BYTES:
            raise Refusal(Grpc.INVALID_ARGUMENT, "IMAGE_TOO_LARGE")
        try:
            with Image.open(io.BytesIO(data)) as picture:
                mime, (width, height) = MIME.get(picture.format or ""), picture.size
        except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
            mime, width, height = None, 0, 0
        if mime is None:
            raise Refusal(Grpc.INVALID_ARGUMENT, "UNKNOWN_IMAGE_FILE_FORMAT")
        media_id, workflow = self._ids(identity, project.id)
        media = Media(
            id=media_id,
            project=project.id,
            workflow=workflow,
            kind="image",
            mode="upload",
            title=name,
            width=width,
            height=height,
            status=Status.DONE,
            poster=True,
            ready=True,
            bytes=len(data),
            mime=mime,
            created_at=self._service.clock.now(),
            rpc="maseQ",
            client_seed=identity.media_seed,
            workflow_seed=identity.workflow_seed,
        )
        state.replace(self._service.files.path(media), data)
        self._service.add(media, identity.batch)
        return media

    @property
    def _switches(self) -> state.Switches:
        return self._service.state.switches

    def _usage(self, order: Order) -> Usage:
        usage = self._service.catalogue.usage(order.key)
        if usage is None or not self._service.offered(usage):
            raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
        if usage.mode != order.mode:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        tied = len(usage.aspects) == 1 and self._switches.portrait_keys == "listed"
        if tied and order.aspect not in usage.aspects:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return usage

    def _price(self, account: Account, usage: Usage) -> int:
        cost = usage.price(account.service_tier)
        if cost is None:
            raise Refusal(Grpc.PERMISSION_DENIED, "MODEL_ACCESS_DENIED")
        if self._switches.quota.get(usage.key, 1) <= 0:
            raise Refusal(Grpc.RESOURCE_EXHAUSTED, "PER_MODEL_DAILY_QUOTA_REACHED")
        limit = self._switches.concurrent_limit
        if limit is not None and usage.mode != "image":
            running = (m for m in self._service.state.media.values() if m.kind == "video")
            if sum(media.status.pending for media in running) >= limit:
                raise Refusal(Grpc.RESOURCE_EXHAUSTED, "CONCURRENT_LIMIT_REACHED")
        if cost > account.balance:
            raise Refusal(Grpc.RESOURCE_EXHAUSTED, "USER_QUOTA_REACHED")
        return cost

    def _inputs(self, account: Account, order: Order, usage: Usage) -> tuple[Input, ...]:
        """A picture silently drops inputs it does not know; a clip needs each of its frames."""
        known: list[Input] = []
        for wanted in order.inputs:
            try:
                media = self._service.media(account.name, wanted.id)
            except Refusal:
                media = None
            if media is not None and media.project == order.project and media.kind == "image":
                known.append(wanted)
            elif order.mode != "image":
                raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
        return tuple(known[: usage.max_inputs[2]])

    def _ids(self, identity: Identity, project: str) -> tuple[str, str]:
        """Ids of the new medium and its tile; seeds that were used before are refused."""
        derive = self._switches.derived_ids
        seen = self._service.state.media.values()
        media_seed, workflow_seed = identity.media_seed, identity.workflow_seed
        if media_seed and any(media.client_seed == media_seed for media in seen):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        media_id = derived_id(media_seed) if media_seed and derive else random_id()
        if identity.workflow is not None:
            tile = self._service.state.workflows.get(identity.workflow)
            if tile is None or tile.project != project:
                raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
            return media_id, tile.id
        if workflow_seed and any(media.workflow_seed == workflow_seed for media in seen):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return media_id, derived_id(workflow_seed) if workflow_seed and derive else random_id()


def _size(order: Order, usage: Usage) -> tuple[int, int, int]:
    """Pixels, and the aspect that Flow notes; an aspect out of range is silently another one."""
    if order.mode == "image":
        return *IMAGE_SIZES.get(order.aspect, FALLBACK_IMAGE_SIZE), order.aspect
    aspect = PORTRAIT if order.aspect == PORTRAIT else LANDSCAPE
    return *video_size(usage.resolution, aspect), aspect


def title_of(prompt: str) -> str:
    """The few words Flow puts on a tile."""
    words = without_markers(prompt).split()[:4]
    text = " ".join(words).rstrip(".,;:!?")[:60]
    return text[:1].upper() + text[1:] or "Untitled"
