"""What may be ordered from the simulated Flow, checked in Flow's own order (flow-wire §1.3).

Shape (400/3) comes first and is the decoder's, the captcha second; then here: project and model key exist
(5), plan, quota and credits (7, 8), content (3), inputs (5), seeds (3). Only then is anything charged.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any, Literal

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
from flowkit_mcp.simulator.switches import Switches
from flowkit_mcp.simulator.voices import VOICES

#: The longest clip that can be extended or edited, in seconds (flow-wire §6.4).
LONGEST_SOURCE_S = {"extend": 8, "edit": 10}
BURST_MS = 120_000
#: Lane labs' IMAGE_ASPECT_RATIO_UNSPECIFIED, sent with a picture to edit (flow-wire §4.2).
AS_THE_BASE = -1
Scale = Literal["2K", "4K"]
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
    voices: tuple[str, ...] = ()
    characters: tuple[str, ...] = ()
    frames: tuple[int, int] | None = None  #: of the source, first and last
    scene: str | None = None
    by_media: bool = False  #: lane labs: a source is named by its media id and nothing else
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
        usage, order = self._usage(order)
        cost = self._price(account, usage)
        if Markers.of(order.prompt).unsafe:
            raise Refusal(Grpc.INVALID_ARGUMENT, "UNSAFE_GENERATION")
        inputs, stuck = self._inputs(account, order, usage)
        voices, characters = self._company(order, usage)
        width, height, aspect = self._size(order, usage, inputs)
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
            voices=voices,
            characters=characters,
            scene=order.scene,
            frames=order.frames,
            stuck=stuck,
            mime="image/jpeg" if order.mode == "image" else "video/mp4",
            created_at=self._service.clock.now(),
            rpc=order.rpc,
            cost=cost,
            client_seed=order.identity.media_seed,
            workflow_seed=order.identity.workflow_seed,
        )
        self._service.add(media, order.identity.batch)
        return media

    def upscale(
        self, account: Account, order: Order, resolution: object, *, key_decides: bool = False
    ) -> tuple[Media, bool]:
        """A bigger copy of a clip, and whether it was ordered now (True) or was there already.

        `key_decides`: lane labs, where `resolution` is a name that may be left out.
        """
        project = self._service.project(account.name, order.project)
        usage, order = self._usage(order)
        cost = self._price(account, usage)
        source = self._service.media(account.name, order.inputs[0].id)
        wanted = {"720p": 1, "1080p": 2, "4k": 3}[usage.resolution]
        slot = wanted if self._switches.upscale_slot_6 == "resolution" else source.aspect
        slot = wanted if key_decides else slot
        fits = source.project == project.id and source.kind == "video" and resolution == slot
        if not fits or source.status is not Status.DONE or source.mode == "upscale":
            raise Refusal(Grpc.INVALID_ARGUMENT)
        if (usage.resolution == "720p") != (min(source.width, source.height) == 360):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        media_id = source.id + ("_4k_upsampled" if usage.resolution == "4k" else "_upsampled")
        there = self._service.state.media.get(media_id)
        if there is not None and (there.status.pending or there.status is Status.DONE):
            return there, False
        width, height = video_size(usage.resolution, source.aspect)
        media = self._larger(
            source,
            id=media_id,
            mode="upscale",
            model=usage.key,
            width=width,
            height=height,
            rpc=order.rpc,
            cost=cost,
            client_seed=order.identity.media_seed,
            stuck=False,
            handle=None,
        )
        self._service.add(media, order.identity.batch)
        return media, True

    def upscale_picture(self, account: Account, source_id: object, size: Scale, rpc: str) -> Media:
        """A picture of its own, two or four times as wide and high (flow-wire §4.3). Free."""
        source = self._service.media(account.name, source_id)
        if source.kind != "image" or source.mode != "image":
            raise Refusal(Grpc.INVALID_ARGUMENT)
        usage = self._service.usage(f"GEM_PIX_2_UPSAMPLE_{size}")
        if usage is None:
            raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
        cost = self._price(account, usage)
        if account.service_tier == 1:  # 2K from Pro on, whatever the price list says
            raise Refusal(Grpc.PERMISSION_DENIED, "MODEL_ACCESS_DENIED")
        since = self._service.clock.now() - BURST_MS
        recent = [m for m in self._mine(account, since) if m.mode == "image_upscale"]
        if len(recent) >= self._switches.picture_upscale_burst:
            raise Refusal(Grpc.RESOURCE_EXHAUSTED, "UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC")
        factor = 2 if size == "2K" else 4
        media = self._larger(
            source,
            id=random_id(),
            mode="image_upscale",
            model=usage.key,
            width=source.width * factor,
            height=source.height * factor,
            rpc=rpc,
            cost=cost,
            client_seed=None,
        )
        self._service.add(media, None)
        return media

    def _larger(self, source: Media, **own: Any) -> Media:
        """Another medium after this one, ordered now."""
        anew = {
            "inputs": [Input(id=source.id, use="source")],
            "status": Status.SCHEDULED,
            "reason": None,
            "poster": False,
            "ready": False,
            "bytes": None,
            "created_at": self._service.clock.now(),
            "workflow_seed": None,
            "fate": None,
        }
        return source.model_copy(update=anew | own)

    def upload(
        self, account: Account, project_id: str | None, name: str, data: bytes, identity: Identity
    ) -> Media:
        """Take a picture of the user's own. Free. What it is, is read from the bytes."""
        project = self._service.project(account.name, project_id)
        if self._switches.upload_consent and not account.consented:
            raise Refusal(Grpc.PERMISSION_DENIED, message="The upload terms were not accepted.")
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

    def copy(
        self, account: Account, source_id: object, project_id: str, identity: Identity
    ) -> Media:
        """A picture once more, in a tile of its own. Free, and in no ledger."""
        source = self._service.media(account.name, source_id)
        project = self._service.project(account.name, project_id)
        if source.kind != "image":
            raise Refusal(Grpc.INVALID_ARGUMENT)
        media_id, workflow = self._ids(identity, project.id)
        media = source.model_copy(
            update={
                "id": media_id,
                "project": project.id,
                "workflow": workflow,
                "mode": "upload",
                "created_at": self._service.clock.now(),
                "cost": 0,
                "client_seed": identity.media_seed,
                "workflow_seed": identity.workflow_seed,
            }
        )
        state.replace(
            self._service.files.path(media), self._service.files.path(source).read_bytes()
        )
        self._service.add(media, None)
        return media

    @property
    def _switches(self) -> Switches:
        return self._service.state.switches

    def _mine(self, account: Account, since: int) -> list[Media]:
        """What the account ordered since a time."""
        projects = self._service.state.projects
        media = self._service.state.media.values()
        return [
            m
            for m in media
            if m.created_at > since
            and m.mode != "upload"
            and projects[m.project].account == account.name
        ]

    def _usage(self, order: Order) -> tuple[Usage, Order]:
        """What the key means, and the order as it is understood.

        Quality has no references: a call with them silently becomes text to video (§6.4).
        """
        usage = self._service.usage(order.key)
        if usage is None:
            raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
        quality = self._service.catalogue.family_of(usage) == "veo_3_1_quality"
        if quality and order.mode == "references" and usage.mode == "text":
            order = replace(order, mode="text", inputs=(), voices=(), characters=())
        if usage.mode != order.mode:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        tied = len(usage.aspects) == 1 and self._switches.portrait_keys == "listed"
        if tied and order.aspect not in usage.aspects:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return usage, order

    def _price(self, account: Account, usage: Usage) -> int:
        cost = usage.price(account.service_tier)
        if cost is None:
            raise Refusal(Grpc.PERMISSION_DENIED, "MODEL_ACCESS_DENIED")
        if self._switches.quota.get(usage.key, 1) <= 0:
            raise Refusal(Grpc.RESOURCE_EXHAUSTED, "PER_MODEL_DAILY_QUOTA_REACHED")
        per_minute = self._switches.submits_per_minute
        if per_minute is not None:
            if len(self._mine(account, self._service.clock.now() - 60_000)) >= per_minute:
                raise Refusal(Grpc.RESOURCE_EXHAUSTED, "USER_REQUESTS_THROTTLED")
        limit = self._switches.concurrent_limit
        if limit is not None and usage.mode not in ("image", "image_upscale"):
            running = (m for m in self._service.state.media.values() if m.kind == "video")
            if sum(media.status.pending for media in running) >= limit:
                raise Refusal(Grpc.RESOURCE_EXHAUSTED, "CONCURRENT_LIMIT_REACHED")
        if cost > account.balance:
            raise Refusal(Grpc.RESOURCE_EXHAUSTED, "USER_QUOTA_REACHED")
        return cost

    def _inputs(
        self, account: Account, order: Order, usage: Usage
    ) -> tuple[tuple[Input, ...], bool]:
        """The inputs that count, and whether they are such that the job never starts.

        Unknown references are dropped without a word; a clip needs its frames and its source.
        """
        known: list[Input] = []
        stuck = False
        for wanted in order.inputs:
            if wanted.use == "source":
                source, stuck = self._source(account, order, wanted.id)
                known.insert(0, Input(id=source.id, use="source"))
                continue
            try:
                media = self._service.media(account.name, wanted.id)
            except Refusal:
                media = None
            optional = wanted.use in ("reference", "base")
            if media is not None and media.project == order.project and media.kind == "image":
                if not (self._switches.drop_references and wanted.use == "reference"):
                    known.append(wanted)
            elif not optional:
                raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
        room = usage.max_inputs[2] + (1 if order.mode in LONGEST_SOURCE_S else 0)
        return tuple(known[:room]), stuck

    def _source(self, account: Account, order: Order, source_id: str) -> tuple[Media, bool]:
        """The clip to extend or edit; an extension by the other kind of id never starts (§6.6)."""
        tile = None if order.by_media else self._service.state.workflows.get(source_id)
        source = self._service.media(account.name, tile.primary if tile else source_id)
        longest = LONGEST_SOURCE_S[order.mode]
        fits = source.kind == "video" and source.project == order.project
        if not fits or source.status is not Status.DONE or (source.seconds or 8) > longest:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        if order.mode == "extend" and source.omni:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        free = order.by_media or order.mode != "extend"
        rule = "either" if free else self._switches.extend_source
        given = "workflow" if tile else "media"
        return source, rule not in ("either", given)

    def _company(self, order: Order, usage: Usage) -> tuple[list[str], list[str]]:
        """Voices and characters that are taken; unknown ones and too many are dropped."""
        kept = self._service.state.characters
        voices = [voice for voice in order.voices if voice in VOICES][: usage.max_inputs[0]]
        there = (kept.get(one) for one in order.characters)
        known = [c for c in there if c and c.project == order.project and not c.deleted]
        if any(not c.portraits and c.primary is None for c in known):
            raise Refusal(Grpc.INTERNAL)  # a character without a portrait (§6.9)
        if self._switches.drop_references:
            return [], []
        return voices, [c.id for c in known][: usage.max_inputs[1]]

    def _size(self, order: Order, usage: Usage, inputs: tuple[Input, ...]) -> tuple[int, int, int]:
        """Pixels, and the aspect that Flow notes; an aspect out of range is silently another one."""
        if order.mode != "image":
            aspect = PORTRAIT if order.aspect == PORTRAIT else LANDSCAPE
            return *video_size(usage.resolution, aspect), aspect
        base = next((one.id for one in inputs if one.use == "base"), None)
        if base is not None and order.aspect == AS_THE_BASE:
            media = self._service.state.media[base]
            return media.width, media.height, media.aspect
        return *IMAGE_SIZES.get(order.aspect, FALLBACK_IMAGE_SIZE), order.aspect

    def _ids(self, identity: Identity, project: str) -> tuple[str, str]:
        """Ids of the new medium and its tile; seeds that were used before are refused."""
        derive = self._switches.derived_ids
        seen = self._service.state.media.values()
        media_seed, workflow_seed = identity.media_seed, identity.workflow_seed
        if media_seed and any(media.client_seed == media_seed for media in seen):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        media_id = derived_id(media_seed) if media_seed and derive else random_id()
        if any(media.id == media_id for media in seen):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        if identity.workflow is not None:
            tile = self._service.state.workflows.get(identity.workflow)
            if tile is None or tile.project != project:
                raise Refusal(Grpc.NOT_FOUND, message="Requested entity was not found.")
            return media_id, tile.id
        if workflow_seed and any(media.workflow_seed == workflow_seed for media in seen):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        return media_id, derived_id(workflow_seed) if workflow_seed and derive else random_id()


def title_of(prompt: str) -> str:
    """The few words Flow puts on a tile."""
    words = without_markers(prompt).split()[:4]
    text = " ".join(words).rstrip(".,;:!?")[:60]
    return text[:1].upper() + text[1:] or "Untitled"
