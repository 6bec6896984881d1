"""Films on YouTube, what was used of its quotas, and when a channel's next films appear."""

from __future__ import annotations

import json
from typing import Any

from flowkit_mcp.domain.models import Job, JobKind
from flowkit_mcp.domain.publication import Publication
from flowkit_mcp.store.database import Reads, Tx, row, rows, the_row
from flowkit_mcp.store.jobs import LIVE, log

YOUTUBE = "youtube"


async def of_job(reads: Reads, job_id: int) -> Publication | None:
    return await row(reads, Publication, "SELECT * FROM publication WHERE job_id = :j", j=job_id)


async def of_render(reads: Reads, render_id: str, channel_id: str) -> list[Publication]:
    """Where a film is on a channel already, newest first; what YouTube rejected or lost does not count."""
    return await rows(
        reads,
        Publication,
        """SELECT * FROM publication WHERE render_id = :r AND channel_id = :c
              AND processing NOT IN ('failed','rejected','deleted') ORDER BY created_at DESC, rowid DESC""",
        r=render_id,
        c=channel_id,
    )


async def of_video(reads: Reads, video_id: str) -> list[Publication]:
    """Newest first."""
    return await rows(
        reads,
        Publication,
        """SELECT p.* FROM publication p JOIN render r ON r.id = p.render_id
            WHERE r.video_id = :v ORDER BY p.created_at DESC, p.rowid DESC""",
        v=video_id,
    )


async def newest(reads: Reads, limit: int) -> list[Publication]:
    return await rows(
        reads,
        Publication,
        "SELECT * FROM publication ORDER BY created_at DESC, rowid DESC LIMIT :limit",
        limit=limit,
    )


async def by_remote_id(reads: Reads, remote_id: str) -> Publication | None:
    return await row(
        reads,
        Publication,
        "SELECT * FROM publication WHERE platform = :p AND remote_id = :r",
        p=YOUTUBE,
        r=remote_id,
    )


async def remote_ids(reads: Reads) -> frozenset[str]:
    """What YouTube calls all films that are known to be there."""
    found = await reads.all("SELECT remote_id FROM publication WHERE platform = :p", p=YOUTUBE)
    return frozenset(str(one["remote_id"]) for one in found)


async def add(
    tx: Tx,
    *,
    metadata: dict[str, Any],
    steps: dict[str, str],
    now: int,
    **values: Any,
) -> Publication:
    """`values`: the columns of the row that are not named here."""
    await tx.insert(
        "publication",
        **values,
        platform=YOUTUBE,
        metadata=json.dumps(metadata, ensure_ascii=False),
        steps=json.dumps(steps),
        created_at=now,
        updated_at=now,
    )
    return await _publication(tx, values["id"])


async def set_step(tx: Tx, id: str, step: str, state: str, now: int) -> Publication:
    """`state`: left, done, or why it failed."""
    await tx.run(
        """UPDATE publication SET steps = json_set(steps, '$.' || :step, :state), updated_at = :now
            WHERE id = :id""",
        step=step,
        state=state,
        now=now,
        id=id,
    )
    return await _publication(tx, id)


async def set_standing(
    tx: Tx, id: str, *, processing: str, trouble: str | None, privacy: str, now: int
) -> Publication:
    """What YouTube said of it when it was looked at."""
    await tx.run(
        """UPDATE publication SET processing = :processing, trouble = :trouble, privacy = :privacy,
                  updated_at = :now WHERE id = :id""",
        processing=processing,
        trouble=trouble,
        privacy=privacy,
        now=now,
        id=id,
    )
    return await _publication(tx, id)


async def _publication(reads: Reads, id: str) -> Publication:
    return await the_row(
        reads, Publication, f"publication {id!r}", "SELECT * FROM publication WHERE id = :id", id=id
    )


# ---- quotas and slots ------------------------------------------------------------------------


async def spend(tx: Tx, job_id: int, bucket: str, units: int, now: int) -> None:
    """A call is about to be made that counts; `bucket`: `uploads` or `units`."""
    await log(tx, job_id, "quota", now, bucket=bucket, units=units)


async def spent(reads: Reads, bucket: str, since: int) -> int:
    """What our own calls took of a bucket since then (ms)."""
    found = await reads.all(
        """SELECT coalesce(sum(json_extract(data, '$.units')), 0) AS n FROM job_event
            WHERE type = 'quota' AND at >= :since AND json_extract(data, '$.bucket') = :b""",
        since=since,
        b=bucket,
    )
    return int(found[0]["n"])


async def appearances(reads: Reads, channel_id: str, since: int) -> list[int]:
    """When the channel's films appeared or will (ms), those still on their way included."""
    found = await reads.all(
        f"""SELECT coalesce(publish_at, created_at) AS at FROM publication
             WHERE channel_id = :c AND coalesce(publish_at, created_at) >= :since
            UNION ALL
            SELECT CAST(strftime('%s', json_extract(request, '$.listing.publish_at')) AS INTEGER) * 1000
              FROM job WHERE kind = 'PUBLISH' AND {LIVE} AND json_extract(request, '$.channel_id') = :c
               AND json_extract(request, '$.listing.publish_at') IS NOT NULL
               AND id NOT IN (SELECT job_id FROM publication WHERE job_id IS NOT NULL)""",
        c=channel_id,
        since=since,
    )
    return [int(item["at"]) for item in found]


# ---- its jobs --------------------------------------------------------------------------------


async def ended_before(reads: Reads, job: Job) -> list[Job]:
    """Earlier jobs for the same film on the same channel that ended without it, newest first."""
    return await rows(
        reads,
        Job,
        """SELECT * FROM job WHERE fingerprint = :f AND id < :id AND state IN ('failed','cancelled')
              AND kind = :k ORDER BY id DESC""",
        f=job.fingerprint,
        id=job.id,
        k=JobKind.PUBLISH,
    )


async def ask_to_pause(tx: Tx, id: int) -> None:
    """Leave word for whoever runs the job."""
    await tx.run("UPDATE job SET reason = 'PAUSING' WHERE id = :id AND state = 'running'", id=id)


async def set_progress(tx: Tx, id: int, generation: int, progress: float, told: str) -> None:
    """How far a running upload is: 0 to 1, and in words."""
    await tx.run(
        """UPDATE job SET progress = :p, message = :told
            WHERE id = :id AND state = 'running' AND generation = :g""",
        p=max(0.0, min(1.0, progress)),
        told=told,
        id=id,
        g=generation,
    )
