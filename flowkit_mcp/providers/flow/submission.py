"""A paying call from both ends: the arguments of a brief, and what its answer proves."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import OutcomeUnknown, Rejected
from flowkit_mcp.providers.base import Brief, ImageBrief, Submission, UpscaleBrief, VideoBrief
from flowkit_mcp.providers.flow import batchexecute, errors, payloads, reply
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.envelope import Unreadable
from flowkit_mcp.providers.flow.ids import Seeds, derived, media_id, upscaled
from flowkit_mcp.providers.flow.payloads import MediaRecord, NoMedia
from flowkit_mcp.providers.flow.table import table

_SUBMITS = {
    MediaKind.IMAGE: ("image.generate",),
    MediaKind.VIDEO: ("video.start", "video.start_end", "video.upscale"),
}


@dataclass(frozen=True)
class PaidCall:
    """A row of the bridge's table, the RPC's arguments, and the ids that go in (never a result)."""

    name: str
    args: list[Any]
    inputs: frozenset[str]


async def prepare(calls: Calls, brief: Brief, seeds: Seeds, via: str | None) -> PaidCall:
    """The call for a brief. Looks the workflow up where one is needed, which is free.

    Raises:
        Rejected: an input is not in Flow any more; nothing was sent.
        ProviderError: the look-up failed; nothing was sent.
    """
    batch = str(uuid.uuid4())
    match brief:
        case ImageBrief():
            base = media_id(brief.base) if brief.base else None
            references = [media_id(one) for one in brief.references]
            workflow = await _workflow(calls, base, brief.project, via) if base else None
            if base and workflow is None:
                raise Rejected(
                    "Flow does not say which workflow the base picture belongs to",
                    hint="Generate the picture again instead of editing it.",
                )
            args = batchexecute.generate_image(
                brief.project,
                model=brief.model,
                prompt=brief.prompt,
                orientation=brief.orientation,
                seed=brief.seed,
                seeds=seeds,
                batch=batch,
                references=references,
                base=base,
                workflow=workflow,
            )
            return PaidCall("image.generate", args, frozenset([*references, base or ""]))
        case VideoBrief():
            return _video(brief, seeds, batch)
        case UpscaleBrief():
            source = media_id(brief.source)
            args = batchexecute.upscale_video(
                brief.project,
                model=brief.model,
                source=source,
                workflow=await _workflow(calls, source, brief.project, via),
                orientation=brief.orientation,
                resolution=brief.resolution,
                seeds=seeds,
                batch=batch,
            )
            return PaidCall("video.upscale", args, frozenset([source]))


def expected_id(seeds: Seeds, source: str | None, resolution: str | None) -> str:
    """Under which id the result should be found (flow-wire §0.6, §8)."""
    return upscaled(source, resolution) if source and resolution else derived(seeds.media)


def read(
    result: Result,
    media: MediaKind,
    *,
    expected: str,
    inputs: Collection[str] = (),
    now: int,
) -> Submission:
    """What the answer to a paying call proves.

    Args:
        result: what came over the bridge.
        media: what was asked for.
        expected: the id it should have; another one is believed, too.
        inputs: ids that went in, which the answer may repeat.
        now: milliseconds.

    Raises:
        OutcomeUnknown: no proof that nothing was accepted.
        ProviderError: Flow, or the extension, says that nothing was.
    """
    rpcs = [table().calls[name].rpc for name in _SUBMITS[media]]
    try:
        payload = reply.payload(result, rpcs, paying=True, now=now)
        parse = payloads.generated_images if media is MediaKind.IMAGE else payloads.videos
        answer = parse(payload)
    except reply.Answered as answered:
        raise answered.error from None
    except Unreadable as unreadable:
        raise errors.from_unreadable(unreadable.kind, paying=True) from None
    records = [record for record in answer.records if record.id not in inputs]
    if not records:
        if answer.records or answer.workflows:
            raise OutcomeUnknown("Flow accepted the call without naming the result")
        raise errors.nothing_created()
    return Submission(remote_id=_named(records, expected), credits_after=answer.credits)


def _named(records: list[MediaRecord], expected: str) -> str:
    if any(expected in (record.id, record.workflow) for record in records):
        return expected
    return records[0].id


def _video(brief: VideoBrief, seeds: Seeds, batch: str) -> PaidCall:
    start = media_id(brief.start)
    if brief.end is None:
        args = batchexecute.video_from_start(
            brief.project,
            model=brief.model,
            prompt=brief.prompt,
            orientation=brief.orientation,
            start=start,
            seeds=seeds,
            batch=batch,
        )
        return PaidCall("video.start", args, frozenset([start]))
    end = media_id(brief.end)
    args = batchexecute.video_from_start_to_end(
        brief.project,
        model=brief.model,
        prompt=brief.prompt,
        orientation=brief.orientation,
        start=start,
        end=end,
        seeds=seeds,
        batch=batch,
    )
    return PaidCall("video.start_end", args, frozenset([start, end]))


async def _workflow(calls: Calls, media: str, project: str, via: str | None) -> str | None:
    record = await calls.media(media, project=project, instance=via)
    if record is NoMedia.ABSENT:
        raise Rejected(
            "Flow does not have the picture or clip to start from any more",
            hint="Generate or upload it again.",
            reason="NOT_FOUND",
        )
    if isinstance(record, MediaRecord) and record.workflow:
        return record.workflow
    # Plain uploads are answered without data (flow-wire §7.3); the listing knows them.
    listed = await calls.contents(project, instance=via)
    return next((row.workflow for row in listed if row.id == media), None)
