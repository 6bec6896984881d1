"""How the simulated Flow writes its objects as positional arrays (flow-wire §2.4, §3, §4.1, §6.2, §7.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from flowkit_mcp.simulator.catalogue import Catalogue, Family, Usage
from flowkit_mcp.simulator.ids import spread
from flowkit_mcp.simulator.links import What
from flowkit_mcp.simulator.slots import stamp, trim
from flowkit_mcp.simulator.state import Account, Character, Media, Project, Scene, Status, Workflow
from flowkit_mcp.simulator.voices import VOICES

Sign = Callable[[What, str], str]

#: Step ids that Flow was seen to send. They mean nothing; a client that keys on them must break (§0.5).
STEP_IDS = ("CAE", None, "CAI", "CAk")
VIDEO_MODES = {"text": 1, "start": 2, "start_end": 2, "references": 3}
RESOLUTIONS = {"720p": 1, "1080p": 2, "4k": 3, "360p": 4}
USAGE_SLOTS = 25
#: Paygate of the tiers 1, 2, 3: the golden replies show it for 2 and 3.
PAYGATES = {1: 0, 2: 1, 3: 2}


def credits(account: Account, balance: int) -> list[Any]:
    """`[balance, paygate, sku, serviceTier, null, subscriptionCredits]` (§3.1)."""
    tier = account.service_tier
    return [balance, PAYGATES[tier], tier, tier, None, balance]


def models(catalogue: Catalogue, shown: Callable[[Usage], Usage | None]) -> list[Any]:
    """The catalogue: video families in slot 4, image families in slot 5 (§3.2)."""

    def families(media: Literal["image", "video"]) -> list[Any]:
        return [_family(family, shown) for family in catalogue.family if family.media == media]

    return [[None, None, None, None, families("video"), families("image")]]


def _family(family: Family, shown: Callable[[Usage], Usage | None]) -> list[Any]:
    write = _video_usage if family.media == "video" else _image_usage
    usages = [write(there) for usage in family.usages if (there := shown(usage))]
    return trim([family.name, usages, None, family.id, None, family.hidden or None])


def _prices(usage: Usage) -> list[Any]:
    """`[tier, [[null, credits]]]`, or `[tier, [null, 1]]` where it is unavailable (appendix D)."""
    return [
        [tier, [None, 1] if price is None else [[None, price]]]
        for tier, price in ((tier, usage.price(tier)) for tier in (1, 2, 3))
    ]


def _image_usage(usage: Usage) -> list[Any]:
    return [usage.key, None, None, None, _prices(usage)]


def _video_usage(usage: Usage) -> list[Any]:
    slots: list[Any] = [None] * USAGE_SLOTS
    slots[0] = usage.key
    slots[4] = _prices(usage)
    slots[7] = [[[list(usage.needs)]]]
    slots[12] = [list(usage.aspects)]
    slots[16] = None if usage.seconds == 8 else usage.seconds
    slots[21] = list(usage.max_inputs)
    slots[23] = [[RESOLUTIONS[usage.resolution]]]
    return slots


def project_row(project: Project, sign: Sign) -> list[Any]:
    """`[PID, [title, null, created, thumbnail address, cover MID]]`."""
    thumbnail = sign("image", project.cover) if project.cover else None
    return [
        project.id,
        trim([project.title, None, stamp(project.created_at), thumbnail, project.cover]),
    ]


def descriptor(tile: Workflow) -> list[Any]:
    """A workflow: `[WID, collectionId, null, [title, created, archived, favourite, primary …], PID]`."""
    metadata = [
        tile.title,
        stamp(tile.created_at),
        tile.archived or None,
        tile.favorited or None,
        tile.primary,
        tile.batch,
        stamp(tile.updated_at),
    ]
    return [tile.id, tile.collection, None, metadata, tile.project]


def voices() -> list[Any]:
    """The preset voices, as external reference media."""
    return [[voice, 3, voice.capitalize()] for voice in VOICES]


def character(one: Character) -> list[Any]:
    """`[PID, EID, collection, [1, name, [imageRefs, voices, notes], fav, archived], primary, …]` (§6.9).

    The document prints the inner block flat in one place and nested in another; nested is what
    `rzMKMb` sends.
    """
    info = [[[tile] for tile in one.portraits], [[voice] for voice in one.voices], one.notes]
    block = [1, one.name, info, one.favorited or None, one.archived or None]
    times = [stamp(one.created_at), stamp(one.updated_at)]
    return [one.project, one.id, one.collection, block, one.primary, None, *times]


def scene(one: Scene) -> list[Any]:
    """`[SID, title, null, created, updated, aspect, null, [trashed?]]` (§2.4)."""
    times = [stamp(one.created_at), stamp(one.updated_at)]
    return [one.id, one.title, None, *times, one.aspect, None, []]


def scene_clip(scene: Scene, tile: Workflow, at: int, seconds: int) -> list[Any]:
    """`[[clip WID, …], SID, [order (null = 0), [length], [start], [end], [1]]]` (§2.4)."""
    return [descriptor(tile), scene.id, [at or None, [seconds], [0], [seconds], [1]]]


def made_image(media: Media, sign: Sign) -> list[Any]:
    """The short record in the reply to `ogiZ0b`; it repeats the ids of the inputs (§4.1)."""
    return [media.id, None, media.workflow, None, None, None, _image(media, sign)]


def record(media: Media, sign: Sign, *, listing: bool = False, links: bool = True) -> list[Any]:
    """A media record (§7.2). `listing`: pictures without their address; `links`: clips with theirs."""
    step = STEP_IDS[spread(media.id, len(STEP_IDS))] if media.kind == "image" else None
    head: list[Any] = [media.id, media.project, media.workflow, step, None]
    if media.kind == "image":
        return [*head, _image_meta(media, sign), _image(media, None if listing else sign)]
    return [*head, _video_meta(media, sign), None, _video(media, sign if links else None)]


def no_such_media(asked_id: str) -> list[Any]:
    """What a poll says about a workflow id: a failure that is none (§6.2)."""
    status = [int(Status.FAILED), [None, "Media not found."]]
    return [asked_id, None, None, None, None, [None] * 8 + [status]]


def _image_meta(media: Media, sign: Sign) -> list[Any]:
    meta: list[Any] = [None] * 14
    meta[0] = stamp(media.created_at)
    meta[1] = media.title
    if media.mode == "image_upscale":
        meta[6] = [None, None, None, [[[None, None, media.inputs[0].id]]]]
    meta[9] = 1
    meta[10] = sign("image", media.id)
    meta[12] = media.prompt or None
    meta[13] = media.bytes
    return meta


def _image(media: Media, sign: Sign | None) -> list[Any]:
    """`[generated, null, [w, h]]`; an upload has no first slot, a listing no address."""
    size = [media.width, media.height]
    if media.mode == "upload":
        return [None, None, size]
    generated: list[Any] = [None, media.seed, None, None, None, None, 1, media.prompt]
    if sign is not None:
        inputs = [[i.id, None, None, None, 2 if i.use == "base" else 1] for i in media.inputs]
        generated += [25, None, None, media.workflow, None, sign("image", media.id), media.aspect]
        generated += [[[[media.prompt]]], inputs or None, media.id]
    return [generated, None, size]


def _video_meta(media: Media, sign: Sign) -> list[Any]:
    meta: list[Any] = [None] * 14
    meta[0] = stamp(media.created_at)
    meta[1] = media.prompt or media.title
    inputs = [[source.id] for source in media.inputs]
    meta[6] = [None, [[media.model, VIDEO_MODES.get(media.mode, 4), inputs, None, media.aspect]]]
    meta[8] = _status(media)
    if media.poster:
        meta[5] = meta[10] = sign("image", media.id)
    if media.status is Status.DONE:
        meta[9] = 1
        meta[12] = media.prompt
        meta[13] = media.bytes
    return trim(meta)


def _status(media: Media) -> list[Any]:
    """`[code]`; of a failure `[4, [null, reason], [reason]]`, or `[4]` where Flow gives no reason."""
    if media.status is Status.FAILED and media.reason:
        reason = f"PUBLIC_ERROR_{media.reason}"
        return [int(media.status), [None, reason], [reason]]
    return [int(media.status)]


def _video(media: Media, sign: Sign | None) -> list[Any]:
    """While it is made only the seed; then model and length, and at last the address in `[0][8]`."""
    clip: list[Any] = [None, media.seed]
    if media.status is not Status.DONE:
        return [clip]
    address = sign("video", media.id) if sign is not None and media.ready else None
    clip += [None] * 6 + [address, None, None, None, media.model]
    return [clip, [None, None, [media.seconds or 8]], [media.id]]
