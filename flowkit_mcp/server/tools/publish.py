"""Publishing: a look from all sides first, then, with the person's yes, the upload."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.listing import Listing
from flowkit_mcp.domain.models import Orientation, Render
from flowkit_mcp.errors import FlowKitError, InvalidSetting, NotFound
from flowkit_mcp.sdk.project import Video
from flowkit_mcp.sdk.publication import look, publish, published
from flowkit_mcp.sdk.publish_plan import (
    NEXT_SLOT,
    OWN_CAPTIONS,
    UploadPlan,
    Wishes,
    plan_publish,
    question_of,
)
from flowkit_mcp.server.approval import spending
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.desk import Proposal, key_of
from flowkit_mcp.server.handles import InProject, InVideo, Names, OneOrientation, find_video
from flowkit_mcp.server.results import JobLine, Result, reply
from flowkit_mcp.server.schemas import MAKES
from flowkit_mcp.server.words import job_line, jobs_call


class Found(Result):
    severity: str
    field: str
    message: str
    remedy: str | None = None


class Published(Result):
    """A film that is on YouTube; `told`: what is not done or not well there."""

    url: str
    channel: str
    privacy: str
    processing: str
    told: str | None = None


class Preflight(Result):
    """`metadata` is what would be sent, word for word."""

    dry_run: bool = True
    ok: bool
    film: str
    channel: str | None = None
    remarks: list[Found]
    metadata: dict[str, Any]
    next_slot: str | None = None
    published: list[Published] | None = None
    next: str


class Uploading(Result):
    dry_run: bool = False
    job: JobLine
    metadata: dict[str, Any]
    next: str


async def upload(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    orientation: OneOrientation = None,
    render: int | None = None,
    title: str | None = None,
    description: str | None = None,
    tags: Names = None,
    category: str | None = None,
    language: str | None = None,
    privacy: Literal["private", "unlisted", "public"] | None = None,
    publish_at: Annotated[str | None, Field(description='ISO, or "next"')] = None,
    playlist: str | None = None,
    thumbnail: str | None = None,
    captions: Annotated[str | None, Field(description='File, or "film": its own')] = None,
    made_for_kids: Annotated[bool | None, Field(description="Ask the person")] = None,
    synthetic_media: bool = True,
    synthetic_reason: str | None = None,
    notify: bool = False,
    channel: str | None = None,
    again: bool = False,
    dry_run: bool = True,
) -> Proposal:
    """Publish a film on YouTube, private by default. A dry run shows what would be sent (what is left out is proposed)
    and what is wrong; dry_run=false asks the person.
    """
    kit = kit_of(ctx)
    home = await find_video(kit, video, project)
    wishes = Wishes(
        title=title,
        description=description,
        tags=None if tags is None else tuple(tags),
        category=category,
        language=language,
        privacy=privacy,
        publish_at=_time(publish_at),
        playlist=playlist,
        thumbnail=_path(thumbnail),
        captions=OWN_CAPTIONS if captions == OWN_CAPTIONS else _path(captions),
        made_for_kids=made_for_kids,
        synthetic_media=synthetic_media,
        synthetic_reason=synthetic_reason,
        notify=notify,
        channel=channel,
        again=again,
    )
    film = await _film(home, orientation, render)
    plan = await plan_publish(kit, home.row, wishes, film)
    if dry_run:
        return Proposal(key_of(["dry run", plan]), 0, (), lambda: _report(kit, home, plan))
    request = plan.ready()

    async def carry_out() -> CallToolResult:
        job = await publish(kit, plan)
        line, _ = await job_line(kit, await kit.job(job.id))
        step = f"Call {jobs_call([job.id])}. cancel_job ends it, with pause=true it rests."
        return reply(Uploading(job=line, metadata=plan.listing.body(), next=step), jobs=[job.id])

    key = key_of(["upload", request.model_dump_json()])
    return Proposal(key, 0, (), carry_out, question_of(plan, home.row))


def _time(text: str | None) -> datetime | Literal["next"] | None:
    if text is None or text == NEXT_SLOT:
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidSetting(
            f"publish_at {text!r} is no time", hint="Write 2027-01-31T18:00:00+01:00, or next."
        ) from None
    if at.tzinfo is None:
        raise InvalidSetting(
            f"publish_at {text!r} has no zone", hint="Add one: +01:00, or Z for UTC."
        )
    return at


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).expanduser()


async def _film(home: Video, side: str | None, number: int | None) -> Render:
    made = await home.renders()
    wanted = [
        one
        for one in made
        if (side is None or one.orientation is Orientation(side))
        and (number is None or one.number == number)
    ]
    if not wanted:
        there = ", ".join(f"{one.orientation} {one.number}" for one in made) or "none"
        raise NotFound(f"{home.title!r} has no such film; there: {there}", hint="Call merge first.")
    sides = {one.orientation for one in wanted}
    if len(sides) > 1:
        raise InvalidSetting("the video has films in both orientations", hint="Pass orientation.")
    return wanted[0]


def _metadata(listing: Listing) -> dict[str, Any]:
    """What would be sent, and by name what cannot be sent because nobody has said it."""
    body = listing.body()
    body["status"].setdefault("selfDeclaredMadeForKids", "missing: ask the person")
    return body | {"notifySubscribers": listing.notify_subscribers}


async def _report(kit: FlowKit, home: Video, plan: UploadPlan) -> CallToolResult:
    there: list[Published] = []
    for done in (await published(kit, home.id))[:3]:
        told = done.told()
        try:
            seen = await look(kit, done)
            told = seen.told()
        except FlowKitError as error:
            seen, told = done, f"{told}; cannot look now: {error.message}".lstrip("; ")
        there.append(
            Published(
                url=seen.url,
                channel=seen.channel,
                privacy=seen.privacy,
                processing=seen.processing,
                told=told or None,
            )
        )
    ok = plan.request is not None
    slot = plan.next_slot
    step = "Show the person what would be sent; if they agree, call again with dry_run=false."
    if not ok:
        step = "Correct what the errors name; ask the person what only they can say."
    film = plan.film
    return reply(
        Preflight(
            ok=ok,
            film=f"{plan.path} {film.width}x{film.height} {film.duration_s:.1f}s",
            channel=plan.listing.channel,
            remarks=[
                Found(
                    severity=one.severity,
                    field=one.field,
                    message=one.message,
                    remedy=one.remedy or None,
                )
                for one in plan.remarks
            ],
            metadata=_metadata(plan.listing),
            next_slot=None if slot is None else slot.isoformat(),
            published=there or None,
            next=step,
        )
    )


TOOLS = (spending(upload, "Publish", MAKES),)
