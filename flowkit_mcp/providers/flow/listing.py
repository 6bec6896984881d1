"""The second source of a look-up: what the project lists (design §3.2, flow-wire §2.4, §2.5). Free.

A match by the batch id that we chose is certain; one by prompt, seed and time only if there is exactly one. A listing
may be old, so "not listed" counts only after its lag, and if it shows an earlier result and nothing new at all.
"""

from __future__ import annotations

from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.providers.base import CannotTell, Found, NeverSent, Sent, SentCall, Submission
from flowkit_mcp.providers.flow.calls import Calls
from flowkit_mcp.providers.flow.ids import Seeds, media_id
from flowkit_mcp.providers.flow.records import Contents, MediaRecord

_CLOCKS_DIFFER_S = 60


async def find(calls: Calls, call: SentCall, now: int) -> Found | None:
    """What the listing proves; None if the project is not known, or it proves nothing."""
    if call.project is None:
        return None
    contents = await calls.contents(call.project)
    batch = Seeds.parse(call.client_ref).batch
    named = [row.primary for row in contents.workflows if row.batch == batch and row.primary]
    if named and call.resolution is None:
        return Sent(submission=Submission(remote_id=named[0]))
    known = {media_id(remote) for _, remote in call.proven}
    fresh = _fresh(contents, call, known)
    fitting = [record for record in fresh if _fits(record, call)]
    if len(fitting) == 1:
        return Sent(submission=Submission(remote_id=fitting[0].id))
    if fitting:
        return CannotTell(evidence=f"Flow lists {len(fitting)} results that this could be")
    fresh_listing = call.age_s > calls.facts.listing_lag_s + _longest(calls)
    shows_earlier = any(record.id in known for record in contents.media)
    if call.sent_at is not None and fresh_listing and shows_earlier and not fresh:
        return NeverSent(
            evidence="the project lists earlier results and nothing made since the call"
        )
    return None


def _fresh(contents: Contents, call: SentCall, known: set[str]) -> list[MediaRecord]:
    """What may have been made by the call: of its kind, not known otherwise, not clearly older."""
    image = call.media is MediaKind.IMAGE
    since = None if call.sent_at is None else call.sent_at / 1000 - _CLOCKS_DIFFER_S
    return [
        record
        for record in contents.media
        if record.id not in known and (record.image if image else not record.image)
        if record.created_s is None or since is None or record.created_s >= since
    ]


def _fits(record: MediaRecord, call: SentCall) -> bool:
    if call.resolution is not None:
        return call.source is not None and record.parent == media_id(call.source)
    if call.sent_at is None or record.created_s is None or call.prompt is None:
        return False
    if record.seed is not None and call.seed is not None and call.media is MediaKind.IMAGE:
        return record.seed == call.seed and record.prompt == call.prompt
    return record.prompt == call.prompt


def _longest(calls: Calls) -> float:
    return max(row.limit_s for row in calls.facts.calls.values() if row.paid)
