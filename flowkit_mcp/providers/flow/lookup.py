"""What became of a paying call whose reply is missing: the journal, then Flow itself (design §3.2). Free.

"Found" is proof. "Not found" is proof only after a grace time, while the rule of derived ids is known to hold, and if
the account connected now is shown to see its earlier results.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowkit_mcp.bridge.protocol import Found as JournalEntry
from flowkit_mcp.bridge.protocol import Standing
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import NotConnected, OutcomeUnknown, ProviderError
from flowkit_mcp.providers.base import (
    CannotTell,
    Found,
    InFlight,
    NeverSent,
    Sent,
    SentCall,
    Submission,
)
from flowkit_mcp.providers.flow import listing
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.channel import Channel
from flowkit_mcp.providers.flow.ids import (
    Handle,
    Seeds,
    derived,
    for_labs,
    is_inline,
    is_upscaled,
    media_id,
)
from flowkit_mcp.providers.flow.records import MediaRecord, NoMedia
from flowkit_mcp.providers.flow.submission import expected_id, may_be_a_copys, read
from flowkit_mcp.providers.flow.table import Table

_CANARIES = 3


async def look_up(
    channel: Channel, calls: Calls, call: SentCall, *, grace_s: float, now: int
) -> Found:
    """Raises NotConnected or Transient if nobody can be asked now."""
    expected = _expected(call)
    entry = await _journal(channel, call)
    if entry is not None:
        answer = _from_journal(entry, call, calls.facts, expected, now)
        if answer is not None:
            return answer
    if expected is None and (call.source is None or call.media is MediaKind.VIDEO):
        return CannotTell(evidence="nobody knows any more which clip was to be made larger")
    if expected is None or (for_labs(call.client_ref) and call.media is MediaKind.IMAGE):
        return await _without_an_id(calls, call, grace_s, now)
    seen = await _is_there(calls, expected, call.media)
    if seen:
        return Sent(submission=Submission(remote_id=expected))
    # A profile that cannot be asked may still be busy with the call until its time limit.
    patience = grace_s if entry else grace_s + _longest_limit_s(calls.facts)
    if call.age_s <= patience:
        return CannotTell(evidence="Flow does not show a result yet", again=True)
    if seen is None:
        return CannotTell(evidence="Flow answers the question for the result without data")
    if not rule_is_proven(_canaries(call)):
        found = await listing.find(calls, call, now)
        if found is not None:
            return found
        return CannotTell(
            evidence="Flow shows no result, but no earlier call proves under which id it would be"
        )
    if not await _sees_earlier_results(calls, call.proven):
        return CannotTell(
            evidence="Flow shows no result, but does not show earlier results of this account either"
        )
    return NeverSent(evidence=f"Flow shows no result {call.age_s:.0f} s after the call")


async def _without_an_id(calls: Calls, call: SentCall, grace_s: float, now: int) -> Found:
    """Larger pictures, and pictures of lane `labs`: no id follows from what was sent, only the listing tells."""
    found = await listing.find(calls, call, now)
    if found is not None:
        return found
    return CannotTell(
        evidence="Flow does not show a result, and no id follows for such a call",
        again=call.age_s <= grace_s + _longest_limit_s(calls.facts),
    )


def _canaries(call: SentCall) -> list[tuple[str, str]]:
    """Each lane for itself; pictures of lane `labs` were sent without seeds and tell nothing about the rule."""
    labs = for_labs(call.client_ref)
    return [
        (ref, remote)
        for ref, remote in call.proven
        if for_labs(ref) is labs and (not labs or ref in call.proven_clips)
    ]


def rule_is_proven(proven: Sequence[tuple[str, str]]) -> bool:
    """Whether earlier calls show that ids follow from seeds: some do, and none contradicts.

    Upscales are named otherwise and tell nothing.
    """
    telling = [
        derived(_seed(ref)) == media_id(remote)
        for ref, remote in proven
        if not is_upscaled(remote) and not is_inline(remote)
        if not remote.startswith("operation/")
    ]
    return bool(telling) and all(telling)


def _expected(call: SentCall) -> str | None:
    if call.resolution is not None and call.source is None:
        return None
    return expected_id(Seeds.parse(call.client_ref), call.media, call.source, call.resolution)


async def _journal(channel: Channel, call: SentCall) -> JournalEntry | None:
    """The entry of the profile that was asked to send; None if that one is away. Another's says nothing."""
    if call.via is None:
        return None
    try:
        return await channel.lookup(call.client_ref, instance=call.via)
    except NotConnected:
        return None


def _seed(client_ref: str) -> str:
    return client_ref.partition(".")[0]


def _from_journal(
    entry: JournalEntry, call: SentCall, facts: Table, expected: str | None, now: int
) -> Found | None:
    """None: the journal cannot settle it."""
    if entry.standing is Standing.NEVER_RECEIVED:
        return NeverSent(evidence="the browser that was asked never received the call")
    if entry.standing is Standing.IN_FLIGHT:
        return InFlight()
    if entry.standing is not Standing.ANSWERED or entry.result is None:
        return None
    inputs = (call.source,) if call.source else ()
    try:
        return Sent(
            submission=read(
                entry.result,
                call.media,
                facts=facts,
                expected=expected,
                inputs=inputs,
                source=call.source,
                resolution=call.resolution,
                now=now,
            )
        )
    except OutcomeUnknown:
        return None
    except ProviderError as refusal:
        if may_be_a_copys(refusal, call.credits):
            return None
        return NeverSent(evidence=f"it was refused: {refusal.message}")


async def _is_there(calls: Calls, id: str, media: MediaKind) -> bool | None:
    """None: Flow says neither yes nor no."""
    record = await calls.media(id)
    if isinstance(record, MediaRecord):
        return True
    if media is MediaKind.VIDEO:
        status, _ = await calls.video_status([Handle(id)])
        if any(id in (row.id, row.workflow) for row in status.values()):
            return True
    return False if record is NoMedia.ABSENT else None


async def _sees_earlier_results(calls: Calls, proven: Sequence[tuple[str, str]]) -> bool:
    """Another account would see neither the result nor these (flow-wire §7.3)."""
    for _, remote in proven[:_CANARIES]:
        id = media_id(remote)
        shown = await calls.media(id)
        if isinstance(shown, MediaRecord):
            return True
        # Lane `labs` does not hand out Omni clips this way, but knows where they stand.
        if shown is NoMedia.SILENT and id in (await calls.video_status([Handle(id)]))[0]:
            return True
    return False


def _longest_limit_s(facts: Table) -> float:
    """Of the calls whose results take part in a look-up by id."""
    return max(
        row.limit_s for name, row in facts.calls.items() if row.paid and "upscale" not in name
    )
