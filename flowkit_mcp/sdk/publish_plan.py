"""An upload planned: the listing as it would be sent, and everything known to be wrong with it.

Texts that are not given are proposed: from the video, its scenes and the channel's habits (`channel.toml`), without a
model. Whether a film is made for children is never proposed.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.listing import Attachment, Listing, Privacy, iso
from flowkit_mcp.domain.models import Asset, Orientation, Render
from flowkit_mcp.domain.models import Project as ProjectRow
from flowkit_mcp.domain.models import Video as VideoRow
from flowkit_mcp.domain.publication import Publication
from flowkit_mcp.domain.requests import Publish
from flowkit_mcp.errors import InvalidSetting, NotFound, NotReady
from flowkit_mcp.publish import habits, wording
from flowkit_mcp.publish.auth import Channel, SignIns, signins_of
from flowkit_mcp.publish.client import day_began
from flowkit_mcp.publish.habits import Habits
from flowkit_mcp.publish.preflight import (
    CAPTIONS_BYTES,
    FilmFile,
    Remark,
    Surroundings,
    blocked,
    preflight,
)
from flowkit_mcp.store import catalog, publications, takes

NEXT_SLOT = "next"
#: The captions that were made with the film.
OWN_CAPTIONS = "film"
_DAY_MS = 24 * 3600 * 1000
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png"}


@dataclass(frozen=True)
class Wishes:
    """What is asked for a film's page; None proposes something. Times have a zone.

    Attributes:
        publish_at: when it is made public; `next` takes the channel's next free slot.
        thumbnail: a JPEG or PNG.
        captions: an SRT or VTT, or `film` for those made with it.
        again: publish it though it is on the channel already.
    """

    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    category: str | None = None
    language: str | None = None
    privacy: Privacy | None = None
    publish_at: datetime | Literal["next"] | None = None
    playlist: str | None = None
    thumbnail: Path | None = None
    captions: Path | Literal["film"] | None = None
    made_for_kids: bool | None = None
    synthetic_media: bool = True
    synthetic_reason: str | None = None
    notify: bool = False
    channel: str | None = None
    again: bool = False


@dataclass(frozen=True)
class UploadPlan:
    """An upload that has been looked at from all sides, and not yet been made.

    `request` is None as long as `remarks` hold an error. `next_slot` is a proposal; nothing takes it by itself.
    """

    listing: Listing
    film: FilmFile
    path: Path
    remarks: tuple[Remark, ...]
    request: Publish | None
    next_slot: datetime | None
    earlier: tuple[Publication, ...]
    local: bool

    def ready(self) -> Publish:
        """Raises InvalidSetting naming all errors."""
        if self.request is None:
            wrong = [one for one in self.remarks if one.severity == "error"]
            raise InvalidSetting(
                "; ".join(f"{one.field}: {one.message}" for one in wrong),
                hint=" ".join(dict.fromkeys(one.remedy for one in wrong if one.remedy)),
            )
        return self.request


@dataclass(frozen=True)
class _Around:
    """What a plan is made from."""

    project: ProjectRow
    video: VideoRow
    render: Render
    asset: Asset
    signins: SignIns
    channels: tuple[Channel, ...]
    channel: Channel | None
    habits: Habits
    now: datetime


async def plan_publish(
    kit: FlowKit, video: VideoRow, wishes: Wishes, render: Render | None = None
) -> UploadPlan:
    """The listing as it would be sent, and everything known to be wrong with it. Nothing leaves the machine.

    Raises:
        NotReady: there is no film. InvalidSetting, NotFound: a file or a value that cannot be.
    """
    around = await _around(kit, video, wishes, render)
    slot = await _slot(kit, around)
    listing = await _listing(kit, around, wishes, slot)
    thumbnail, kind, thumbnail_bytes = await asyncio.to_thread(_thumbnail, wishes.thumbnail)
    captions, captions_bytes = await asyncio.to_thread(
        _captions, kit, around.render, wishes.captions
    )
    channel = around.channel
    earlier: list[Publication] = []
    if channel is not None:
        earlier = await publications.of_render(kit.db, around.render.id, channel.id)
    since = int(day_began(around.now).timestamp() * 1000)
    film = FilmFile(
        bytes=around.asset.bytes,
        duration_s=(around.asset.duration_ms or 0) / 1000,
        width=around.asset.width or 0,
        height=around.asset.height or 0,
        simulated=_simulated(kit),
    )
    remarks = preflight(
        listing,
        film,
        Surroundings(
            now=around.now,
            channels=tuple(one.name for one in around.channels),
            manages=channel is None or channel.manages,
            local=around.signins.local,
            uploads_today=await publications.spent(kit.db, "uploads", since),
            units_today=await publications.spent(kit.db, "units", since),
            published_as=earlier[0].url if earlier and not wishes.again else None,
            thumbnail_bytes=thumbnail_bytes,
            thumbnail_type=kind,
            captions_bytes=captions_bytes,
        ),
    )
    request = None
    if channel is not None and not blocked(remarks):
        request = Publish(
            project_id=around.project.id,
            video_id=video.id,
            orientation=around.render.orientation,
            render_id=around.render.id,
            channel_id=channel.id,
            listing=listing,
            thumbnail=thumbnail,
            captions=captions,
            take_number=len(earlier) + 1 if earlier and wishes.again else 0,
        )
    return UploadPlan(
        listing=listing,
        film=film,
        path=kit.media.absolute(around.asset.path),
        remarks=remarks,
        request=request,
        next_slot=slot,
        earlier=tuple(earlier),
        local=around.signins.local,
    )


def question_of(plan: UploadPlan, video: VideoRow) -> str:
    """What the person is asked: everything that cannot be taken back."""
    listing = plan.listing
    where = "the LOCAL stand-in for YouTube" if plan.local else "YouTube"
    seen = listing.privacy
    if listing.publish_at is not None:
        seen = f"private until {iso(listing.publish_at)}, then public"
    ends = [
        f"- visible: {seen}",
        f"- made for children: {'yes' if listing.made_for_kids else 'no'}",
        f"- disclosed as AI-made: {'yes' if listing.synthetic_media else 'NO: ' + str(listing.synthetic_reason)}",
        f"- subscribers notified: {'yes' if listing.notify_subscribers else 'no'}",
    ]
    request = plan.ready()
    extras = [
        *(["a thumbnail"] if request.thumbnail else []),
        *(["captions"] if request.captions else []),
        *([f"playlist {listing.playlist}"] if listing.playlist else []),
    ]
    if extras:
        ends.append(f"- with {', '.join(extras)}")
    upright = request.orientation is Orientation.VERTICAL
    return (
        f"Upload the {'upright' if upright else 'wide'} film of {video.title!r} "
        f"({plan.film.duration_s:.0f} s, {plan.film.bytes / 1e6:.1f} MB) to {where}, channel "
        f"{listing.channel!r}, as {listing.title!r}?\n" + "\n".join(ends)
    )


# ---- what a plan is made from ------------------------------------------------------------------


async def _around(kit: FlowKit, video: VideoRow, wishes: Wishes, render: Render | None) -> _Around:
    if render is None:
        made = await takes.renders(kit.db, video.id)
        if not made:
            raise NotReady(f"{video.title!r} has no film yet", hint="Call merge first.")
        render = made[0]
    now = kit.clock.now()
    signins, channels = await asyncio.to_thread(_signed_in, kit, now)
    named = [one for one in channels if wishes.channel in (one.name, one.id)]
    channel = channels[0] if wishes.channel is None and len(channels) == 1 else None
    channel = named[0] if named else channel
    known = await asyncio.to_thread(habits.load, kit.settings.channel_habits)
    return _Around(
        project=await catalog.project(kit.db, video.project_id),
        video=video,
        render=render,
        asset=await takes.asset(kit.db, render.asset_id),
        signins=signins,
        channels=tuple(channels),
        channel=channel,
        habits=known.get(channel.name, Habits()) if channel else Habits(),
        now=datetime.fromtimestamp(now / 1000, UTC),
    )


def _signed_in(kit: FlowKit, now: int) -> tuple[SignIns, list[Channel]]:
    """A stand-in needs nobody to agree, so its channel is signed in when it is first needed."""
    signins = signins_of(kit.settings)
    channels = signins.channels()
    if not channels and signins.local:
        channels = [signins.enter_stand_in(now, "stand-in")]
    return signins, channels


async def _slot(kit: FlowKit, around: _Around) -> datetime | None:
    if around.channel is None:
        return None
    since = int(around.now.timestamp() * 1000) - _DAY_MS
    taken = await publications.appearances(kit.db, around.channel.id, since)
    times = [datetime.fromtimestamp(at / 1000, UTC) for at in taken]
    return habits.next_slot(around.habits.schedule, times, around.now)


async def _listing(kit: FlowKit, around: _Around, wishes: Wishes, slot: datetime | None) -> Listing:
    own, video, project = around.habits, around.video, around.project
    at = wishes.publish_at
    if at == NEXT_SLOT and slot is None:
        raise NotFound(
            "no free slot within 60 days", hint="Pass publish_at, or change channel.toml."
        )
    description = wishes.description
    if description is None:
        description = wording.description(
            own.description,
            story=video.description or project.description or project.story,
            chapters=wording.chapter_lines(await _chapters(kit, around)),
            footer=own.footer,
        )
    privacy: Any = wishes.privacy
    if privacy is None:
        privacy = video.privacy if video.privacy != "private" else own.privacy
    if at is not None and wishes.privacy is None:
        privacy = "private"  # until then
    try:
        return Listing(
            title=video.title if wishes.title is None else wishes.title,
            description=description,
            tags=wishes.tags if wishes.tags is not None else _once([*video.tags, *own.tags]),
            category=wishes.category or own.category,
            language=wishes.language or project.language or own.language,
            privacy=privacy,
            publish_at=slot if at == NEXT_SLOT else at,
            playlist=own.playlist if wishes.playlist is None else wishes.playlist or None,
            made_for_kids=wishes.made_for_kids,
            synthetic_media=wishes.synthetic_media,
            synthetic_reason=wishes.synthetic_reason,
            notify_subscribers=wishes.notify,
            channel=around.channel.name if around.channel else wishes.channel,
        )
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidSetting(f"{field}: {first['msg']}") from error


def _once(tags: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tags))


async def _chapters(kit: FlowKit, around: _Around) -> tuple[wording.Mark, ...]:
    """Where each clip begins, as far as the lengths of the clips tell: fades make a film a little shorter."""
    film_s = (around.asset.duration_ms or 0) / 1000
    lengths: list[float] = []
    titles: list[str] = []
    for id in around.render.recipe.get("clips", []):
        take = await takes.take(kit.db, id)
        clip = await takes.asset(kit.db, take.asset_id)
        if take.scene_id is None:
            return ()
        scene = await catalog.scene(kit.db, take.scene_id)
        lengths.append((clip.duration_ms or 0) / 1000)
        titles.append(wording.chapter_title(scene.prompt))
    whole = sum(lengths)
    if not whole:
        return ()
    marks: list[wording.Mark] = []
    at = 0.0
    for length, title in zip(lengths, titles, strict=True):
        marks.append(wording.Mark(start_s=at * film_s / whole, title=title))
        at += length
    return wording.chapters(marks, film_s)


def _simulated(kit: FlowKit) -> bool:
    """By the settings, or by the mark that the first command left in the library."""
    if kit.settings.simulated:
        return True
    try:
        mark = (kit.settings.state_dir / "kind").read_text(encoding="utf-8")
    except OSError:
        return False
    return mark.strip() == "simulated"


# ---- files beside the film -----------------------------------------------------------------------


def _thumbnail(file: Path | None) -> tuple[Attachment | None, str | None, int | None]:
    """With its type by content and its size."""
    if file is None:
        return None, None, None
    data = _read(file)
    kind = next((kind for head, kind in _PICTURES.items() if data.startswith(head)), None)
    return _attachment(file, data), kind, len(data)


def _captions(
    kit: FlowKit, render: Render, file: Path | Literal["film"] | None
) -> tuple[Attachment | None, int | None]:
    if file is None:
        return None, None
    if file == OWN_CAPTIONS:
        own = [str(one) for one in render.recipe.get("captions", [])]
        srt = sorted(own, key=lambda name: not name.endswith(".srt"))
        if not srt:
            raise NotFound("this film was made without captions", hint="Merge with captions.")
        file = kit.media.absolute(srt[0])
    assert isinstance(file, Path)
    data = _read(file)
    if file.suffix.lower() not in (".srt", ".vtt") or b"-->" not in data:
        raise InvalidSetting(f"{file.name} is no SRT or VTT", hint="Pass a file of captions.")
    return _attachment(file, data), len(data)


def _read(file: Path) -> bytes:
    if not file.is_absolute() or not file.is_file():
        raise NotFound(f"there is no file {str(file)!r}", hint="Pass the full path of a file.")
    if file.stat().st_size > CAPTIONS_BYTES:
        raise InvalidSetting(f"{file.name} is larger than 100 MB")
    return file.read_bytes()


def _attachment(file: Path, data: bytes) -> Attachment:
    return Attachment(path=str(file), sha256=hashlib.sha256(data).hexdigest())
