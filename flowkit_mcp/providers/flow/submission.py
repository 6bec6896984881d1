"""A paying call from both ends: the call for a brief in either lane, and what its answer proves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import (
    HumanCheckRequired,
    InvalidSetting,
    OutcomeUnknown,
    ProviderError,
    Rejected,
    Transient,
)
from flowkit_mcp.providers.base import (
    Brief,
    ImageBrief,
    ImageUpscaleBrief,
    Submission,
    UpscaleBrief,
    VideoBrief,
)
from flowkit_mcp.providers.flow import errors, labs_payloads, paid, payloads, readback, reply
from flowkit_mcp.providers.flow.ask import Ask
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.envelope import Unreadable
from flowkit_mcp.providers.flow.fetch import unpacked
from flowkit_mcp.providers.flow.ids import Handle, Seeds, derived, lost_inline, media_id, upscaled
from flowkit_mcp.providers.flow.records import MediaRecord, NoMedia, Records, Status
from flowkit_mcp.providers.flow.table import Table

_FRAMES = 24  #: a second
_UUID = 36


@dataclass(frozen=True)
class PaidCall:
    """A row of the bridge's table with its arguments, and the ids that go in (never a result)."""

    ask: Ask[Any]
    inputs: frozenset[str]


async def prepare(calls: Calls, brief: Brief, seeds: Seeds, via: str | None) -> PaidCall:
    """The call for a brief. Looks up what else it needs, which is free.

    Raises:
        InvalidSetting: the brief lacks an input of its mode.
        Rejected: an input is not in Flow any more; nothing was sent.
        ProviderError: the look-up failed; nothing was sent.
    """
    match brief:
        case ImageBrief():
            base = media_id(brief.base) if brief.base else None
            references = [media_id(one) for one in brief.references]
            workflow = None
            if base and calls.lane == "batchexecute":
                workflow = await _workflow(calls, base, brief.project, via)
                if workflow is None:
                    raise Rejected(
                        "Flow does not say which workflow the base picture belongs to",
                        hint="Generate the picture again instead of editing it.",
                    )
            ask = paid.image(calls, brief, seeds, base, references, workflow)
            return PaidCall(ask, frozenset([*references, base or ""]))
        case ImageUpscaleBrief():
            source = media_id(brief.source)
            return PaidCall(paid.image_upscale(calls, brief, source), frozenset([source]))
        case VideoBrief():
            return await _video(calls, brief, seeds, via)
        case UpscaleBrief():
            source = media_id(brief.source)
            workflow = None
            if calls.lane == "batchexecute":
                workflow = await _workflow(calls, source, brief.project, via)
            ask = paid.upscale(calls, brief, seeds, source, workflow)
            return PaidCall(ask, frozenset([source]))


async def _video(calls: Calls, brief: VideoBrief, seeds: Seeds, via: str | None) -> PaidCall:
    given = {
        "start": (brief.start,),
        "start_end": (brief.start, brief.end),
        "references": brief.references,
        "extend": (brief.extends,),
        "text": (),
    }[brief.mode]
    inputs = [media_id(one) for one in given if one]
    if len(inputs) != len(given) or (brief.mode == "references" and not inputs):
        raise InvalidSetting(f"a clip in mode {brief.mode} lacks an input")
    if brief.mode != "extend":
        return PaidCall(paid.video(calls, brief, seeds, inputs), frozenset(inputs))
    (source,) = inputs
    record = await calls.media(source, project=brief.project, instance=via)
    if record is NoMedia.ABSENT:
        raise _gone()
    known = record if isinstance(record, MediaRecord) else None
    workflow = known.workflow if known else None
    if workflow is None and calls.lane == "batchexecute":
        workflow = await _workflow(calls, source, brief.project, via)
    last = round(((known.duration_s if known else None) or 8) * _FRAMES)
    frames = (max(1, last - _FRAMES + 1), last)  # its last second (flow-wire §6.6)
    scene = None
    if calls.lane == "batchexecute" and workflow and calls.facts.switches.extend_in_scene:
        scene = await calls.free(paid.scene(calls, brief.project, workflow), instance=via)
    ask = paid.extend(calls, brief, seeds, source, frames, workflow, scene)
    return PaidCall(ask, frozenset([source, workflow or source]))


def expected_id(
    seeds: Seeds, media: MediaKind, source: str | None, resolution: str | None
) -> str | None:
    """Under which id the result should be found (flow-wire §0.6, §8); None for larger pictures (§4.3)."""
    if source and resolution:
        return upscaled(source, resolution) if media is MediaKind.VIDEO else None
    return derived(seeds.media)


def may_be_a_copys(refusal: ProviderError, credits: int) -> bool:
    """Whether this refusal may be the answer to a copy of a call that was accepted and charged.

    Chromium sends a request once more by itself, unseen by the page, when a connection it used before ends without an
    answer. The copy carries the captcha token that the first one has used up, and is refused for it. For a call
    that costs nothing a second one does no harm.
    """
    return credits > 0 and isinstance(refusal, HumanCheckRequired)


def read(
    result: Result,
    media: MediaKind,
    *,
    facts: Table,
    expected: str | None,
    inputs: Collection[str] = (),
    brief: Brief | None = None,
    source: str | None = None,
    resolution: str | None = None,
    now: int,
) -> Submission:
    """What the answer to a paying call proves, whichever lane wrote it.

    Args:
        result: what came over the bridge.
        media: what was asked for.
        facts: RPC ids.
        expected: the id it should have; another one is believed, too.
        inputs: ids that went in, which the answer may repeat.
        brief: what was asked, to be compared with what Flow says it understood.
        source: what was to be made larger.
        resolution: how large.
        now: milliseconds.

    Raises:
        OutcomeUnknown: no proof that nothing was accepted.
        ProviderError: Flow, or the extension, says that nothing was.
    """
    try:
        answer = _answer(result, media, facts, now)
    except reply.Answered as answered:
        raise answered.error from None
    except Unreadable as unreadable:
        raise errors.from_unreadable(unreadable.kind, paying=True) from None
    records = [record for record in answer.records if record.id not in inputs]
    try:
        inline = unpacked(answer.inline) if answer.inline else None
    except Transient as damaged:
        # Trying again would be paying again.
        raise OutcomeUnknown(f"Flow accepted the call, but {damaged.message}") from None
    if inline is not None and source and expected:
        remote = expected  # an upscale that exists already: the id beside it may be its source's
    elif records:
        remote = _named(records, expected)
    elif answer.operations:
        remote = _handle(answer.operations[0], expected)
    elif inline is not None:
        remote = expected or lost_inline(source or "", resolution or "")
    elif answer.records or answer.workflows:
        raise OutcomeUnknown("Flow accepted the call without naming the result")
    else:
        raise errors.nothing_created()
    told = next((record for record in records if record.id == remote), None)
    made = inline is not None or (told is not None and told.status == Status.SUCCESSFUL)
    return Submission(
        remote_id=remote,
        credits_after=answer.credits,
        inline=inline,
        warnings=readback.warnings(brief, told) if brief and told else (),
        # a larger clip takes minutes, unless it is there already (flow-wire §8)
        existed=made and media is MediaKind.VIDEO and source is not None,
    )


def _answer(result: Result, media: MediaKind, facts: Table, now: int) -> Records:
    if reply.lane_of(result) == "labs":
        return labs_payloads.submitted(reply.decoded(result, paying=True, now=now))
    image = media is MediaKind.IMAGE
    names = [
        name for name, row in facts.calls.items() if row.paid and name.startswith("image.") is image
    ]
    rpc, payload = reply.framed(
        result, [facts.calls[name].rpc for name in names], paying=True, now=now
    )
    if image and rpc == facts.calls["image.upscale"].rpc:
        return payloads.upscaled_image(payload)
    return payloads.generated_images(payload) if image else payloads.videos(payload)


def _named(records: Sequence[MediaRecord], expected: str | None) -> str:
    if expected and any(expected in (record.id, record.workflow) for record in records):
        return expected
    return records[0].id


def _handle(name: str, expected: str | None) -> str:
    """An operation is named like its media, or by digits that only its own kind of poll knows (flow-wire §6.3)."""
    if len(media_id(name)) >= _UUID and "-" in media_id(name):
        return media_id(name)
    return str(Handle(expected or "", name))


async def _workflow(calls: Calls, media: str, project: str, via: str | None) -> str | None:
    record = await calls.media(media, project=project, instance=via)
    if record is NoMedia.ABSENT:
        raise _gone()
    if isinstance(record, MediaRecord) and record.workflow:
        return record.workflow
    # Plain uploads are answered without data (flow-wire §7.3); the listing knows them.
    listed = await calls.contents(project, instance=via)
    return next((row.workflow for row in listed.media if row.id == media), None)


def _gone() -> Rejected:
    return Rejected(
        "Flow does not have the picture or clip to start from any more",
        hint="Generate or upload it again.",
        reason="NOT_FOUND",
    )
