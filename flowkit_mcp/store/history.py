"""What the past of this library says: how long work took, and how often a take was made again."""

from __future__ import annotations

from flowkit_mcp.domain.eta import Took, UnderWay
from flowkit_mcp.store.database import Reads, rows
from flowkit_mcp.store.jobs import LIVE

_RECENT = 300
#: What a job makes; a frame that is cut here says nothing about how long a picture takes at the provider.
_WHAT = "CASE WHEN j.provider = 'local' THEN j.kind ELSE coalesce(j.stage, j.kind) END"
#: So many paid takes before the library's own rate of retakes is believed.
ENOUGH_TAKES = 10


async def took(reads: Reads) -> list[Took]:
    """The newest jobs that succeeded, by what they made."""
    return await rows(
        reads,
        Took,
        f"""SELECT {_WHAT} AS what, json_extract(j.request, '$.model') AS model,
                  max(0, j.finished_at - coalesce(o.intended_at, j.started_at)) / 1000.0 AS seconds
             FROM (SELECT * FROM job WHERE state = 'succeeded' ORDER BY id DESC LIMIT :recent) j
             LEFT JOIN operation o ON o.job_id = j.id AND o.state = 'done'
            WHERE j.started_at IS NOT NULL""",
        recent=_RECENT,
    )


async def under_way(reads: Reads) -> list[UnderWay]:
    """All jobs that have not ended."""
    return await rows(
        reads,
        UnderWay,
        f"""SELECT j.id, j.provider, {_WHAT} AS what, json_extract(j.request, '$.model') AS model,
                   j.state, j.priority, j.run_at, coalesce(o.intended_at, j.started_at) AS since, j.progress
              FROM (SELECT * FROM job WHERE {LIVE}) j
              LEFT JOIN operation o ON o.job_id = j.id AND o.state IN ('intended','submitted','unknown')""",
    )


async def retakes_percent(reads: Reads) -> int | None:
    """Credits that takes after the first took, in percent of those of the first; None: too little is known."""
    (found,) = await reads.all(
        """SELECT coalesce(sum(credits * retake), 0) AS again, coalesce(sum(credits * (1 - retake)), 0) AS first,
                  count(*) FILTER (WHERE NOT retake) AS takes
             FROM ledger WHERE state = 'done' AND credits > 0 AND scene_id IS NOT NULL"""
    )
    if found["takes"] < ENOUGH_TAKES:
        return None
    return min(500, -(-100 * int(found["again"]) // int(found["first"])))
