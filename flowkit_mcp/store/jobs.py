"""The queue: enqueue once, claim, move from state to state, and the event log that tells the story.

`transition` is the only way a job changes state, and writes its event in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from flowkit_mcp.domain.models import Job, JobEvent, JobState
from flowkit_mcp.domain.money import QuotaHold
from flowkit_mcp.errors import Conflict, QuotaUsedUp
from flowkit_mcp.store.copies import PUT_BACK_EVENT
from flowkit_mcp.store.database import Reads, Tx, marks, row, rows, the_row

#: Repeated word for word wherever the partial indexes are to serve (design.md §3.8).
LIVE = "state IN ('queued','running','waiting','needs_attention')"
READY = "state IN ('queued','waiting')"
#: What a queued job must be for its first call to cost nothing.
FREE = "kind = 'HOUSEKEEPING'"
_WAITS_FOR_QUOTA = "state = 'queued' AND reason = :r"


async def job(reads: Reads, id: int) -> Job:
    hint = "Call list_jobs to see what there is."
    sql = "SELECT * FROM job WHERE id = :id"
    return await the_row(reads, Job, f"job {id}", sql, hint=hint, id=id)


async def live_job(reads: Reads, fingerprint: str) -> Job | None:
    """The job that is already at work on the same request."""
    return await row(
        reads, Job, f"SELECT * FROM job WHERE fingerprint = :f AND {LIVE}", f=fingerprint
    )


async def jobs(
    reads: Reads,
    *,
    states: Sequence[JobState] = (),
    project_id: str | None = None,
    video_id: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Job]:
    """Newest first; `before` is the last id of the page before."""
    where = ["(:p IS NULL OR project_id = :p)", "(:v IS NULL OR video_id = :v)"]
    args: dict[str, Any] = {"p": project_id, "v": video_id, "limit": limit}
    if states:
        names, more = marks(states, "state")
        where.append(f"state IN ({names})")
        args |= more
    if before is not None:
        where.append("id < :before")
        args["before"] = before
    return await rows(
        reads,
        Job,
        f"SELECT * FROM job WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT :limit",
        **args,
    )


async def next_in_line(reads: Reads, limit: int) -> list[Job]:
    """Jobs that have not ended: those at work, those that need a person, then the others by their turn."""
    return await rows(
        reads,
        Job,
        f"""SELECT * FROM job WHERE {LIVE}
             ORDER BY CASE state WHEN 'running' THEN 0 WHEN 'waiting' THEN 0 WHEN 'needs_attention' THEN 1 ELSE 2 END,
                      priority, run_at, id LIMIT :limit""",
        limit=limit,
    )


async def count_by_state(reads: Reads) -> dict[JobState, int]:
    found = await reads.all("SELECT state, count(*) AS n FROM job GROUP BY state")
    return {JobState(item["state"]): item["n"] for item in found}


async def enqueue(tx: Tx, *, now: int, **values: Any) -> tuple[Job, bool]:
    """A new job, or the live one with the same fingerprint. Returns it and whether it is new.

    Raises:
        Conflict: the live one is being cancelled, so it will bring nothing.
    """
    values["request"] = json.dumps(values["request"])
    names = ", ".join(values)
    places = ", ".join(f":{name}" for name in values)
    added = await tx.all(
        f"INSERT INTO job ({names}, run_at, created_at) VALUES ({places}, :now, :now) "
        "ON CONFLICT DO NOTHING RETURNING id",
        **values,
        now=now,
    )
    if added:
        await log(tx, added[0]["id"], "enqueued", now, credits=values.get("credits_estimate", 0))
        return await job(tx, added[0]["id"]), True
    existing = await live_job(tx, values["fingerprint"])
    if existing is None:
        raise AssertionError("a job conflicts, but not by its fingerprint")
    if existing.cancel_requested:
        raise Conflict(
            f"job {existing.id} on the same thing is just being cancelled",
            hint="Wait until it has ended, then ask again.",
        )
    return existing, False


async def claim(
    tx: Tx,
    *,
    now: int,
    generation: int,
    readable: Sequence[str],
    payable: Sequence[str],
    limit: int,
) -> list[Job]:
    """Take jobs that are due: `waiting` ones and housekeeping, all free, of providers that may be read, other
    `queued` ones of providers that may be paid. Most urgent first. One to be cancelled is only taken to find out
    whether it was paid.
    """
    read, read_args = marks(readable, "r")
    pay, pay_args = marks(payable, "p")
    found = await tx.all(
        f"""UPDATE job SET state = 'running', generation = :g, started_at = coalesce(started_at, :now)
             WHERE id IN (SELECT id FROM job WHERE {READY} AND run_at <= :now
                            AND (cancel_requested = 0 OR EXISTS (SELECT 1 FROM operation o
                                  WHERE o.job_id = job.id AND o.state = 'intended'))
                            AND CASE WHEN state = 'waiting' OR {FREE} THEN provider IN ({read})
                                     ELSE provider IN ({pay}) END
                          ORDER BY priority, run_at, id LIMIT :limit)
         RETURNING *""",
        g=generation,
        now=now,
        limit=limit,
        **read_args,
        **pay_args,
    )
    return sorted(
        (Job.model_validate(item) for item in found), key=lambda j: (j.priority, j.run_at, j.id)
    )


async def claim_one(tx: Tx, id: int, generation: int) -> Job | None:
    """Take one `waiting` job, due or not; None if it is not waiting any more."""
    found = await tx.all(
        "UPDATE job SET state = 'running', generation = :g WHERE id = :id AND state = 'waiting' RETURNING *",
        g=generation,
        id=id,
    )
    return Job.model_validate(found[0]) if found else None


async def held_by_quota(reads: Reads, provider: str, model: str, now: int) -> Job | None:
    """The job that has been told that this model's daily quota is used up; no other is sent while it waits, nor
    while it is the one that asks again.
    """
    return await row(
        reads,
        Job,
        f"""SELECT * FROM job WHERE {LIVE} AND reason = :r AND provider = :p AND json_extract(request, '$.model') = :m
              AND (state = 'queued' AND run_at > :now OR state = 'running' AND EXISTS
                   (SELECT 1 FROM operation o WHERE o.job_id = job.id AND o.state = 'intended'))
             ORDER BY state, run_at, id LIMIT 1""",
        p=provider,
        m=model,
        r=QuotaUsedUp.code,
        now=now,
    )


async def quota_holds(reads: Reads, now: int) -> list[QuotaHold]:
    """Models that jobs wait for."""
    return await rows(
        reads,
        QuotaHold,
        f"""SELECT json_extract(request, '$.model') AS model, count(*) AS jobs, min(run_at) AS until
              FROM job WHERE {_WAITS_FOR_QUOTA} AND run_at > :now AND model IS NOT NULL GROUP BY 1 ORDER BY 1""",
        r=QuotaUsedUp.code,
        now=now,
    )


async def end_quota_waits(tx: Tx, provider: str, now: int) -> None:
    """It has reset, as the person says, or is another account's: whoever waits for it may try."""
    waiting = await rows(
        tx,
        Job,
        f"SELECT * FROM job WHERE {_WAITS_FOR_QUOTA} AND provider = :p",
        p=provider,
        r=QuotaUsedUp.code,
    )
    for one in waiting:
        await transition(
            tx,
            one.id,
            JobState.QUEUED,
            now=now,
            event="reopened",
            run_at=now,
            reason=one.reason,
            message="it is asked again whether there is quota",
        )


async def anything_due(reads: Reads, now: int) -> bool:
    """Whether a claim could find a job."""
    return bool(
        await reads.all(f"SELECT 1 FROM job WHERE {READY} AND run_at <= :now LIMIT 1", now=now)
    )


async def to_cancel(reads: Reads) -> list[Job]:
    """Unfinished jobs that the person wants to stop."""
    return await rows(reads, Job, f"SELECT * FROM job WHERE cancel_requested = 1 AND {LIVE}")


async def next_run_at(reads: Reads, *, after: int) -> int | None:
    """When the next job becomes due that was not due at `after`."""
    found = await reads.all(
        f"SELECT min(run_at) AS at FROM job WHERE {READY} AND run_at > :after", after=after
    )
    return found[0]["at"]


async def transition(
    tx: Tx,
    id: int,
    to: JobState,
    *,
    now: int,
    generation: int | None = None,
    event: str | None,
    data: dict[str, Any] | None = None,
    **values: Any,
) -> bool:
    """Move a job to another state with its event; None: its history says so already.

    With `generation`, only while this leadership still holds it: False means "somebody else leads now,
    stop". A final state sets `finished_at`; any other clears reason and message unless given.
    """
    values.setdefault("reason", None)
    values.setdefault("message", None)
    values["state"] = to
    if to is not JobState.RUNNING:
        values["generation"] = None
    values["finished_at"] = now if to.final else None
    sets = ", ".join(f"{name} = :{name}" for name in values)
    held = "" if generation is None else " AND state = 'running' AND generation = :_g"
    changed = await tx.run(
        f"UPDATE job SET {sets} WHERE id = :_id{held}", **values, _id=id, _g=generation
    )
    if changed and event is not None:
        await log(tx, id, event, now, **(data or {}))
    return bool(changed)


async def give_up(tx: Tx, id: int, now: int, said: str = "") -> None:
    """A person wants nothing more of this job. `said`: what became of its credits."""
    await transition(
        tx,
        id,
        JobState.FAILED,
        now=now,
        event="given_up",
        reason="GIVEN_UP",
        message="; ".join(filter(None, ("given up on request", said))),
    )


async def set_progress(
    tx: Tx, id: int, generation: int, progress: float, message: str | None = None
) -> bool:
    """How far a running job is, 0 to 1, and in words what it is doing."""
    return bool(
        await tx.run(
            """UPDATE job SET progress = :p, message = coalesce(:m, message)
                WHERE id = :id AND state = 'running' AND generation = :g""",
            p=max(0.0, min(1.0, progress)),
            m=message,
            id=id,
            g=generation,
        )
    )


async def request_cancel(tx: Tx, id: int, now: int) -> None:
    """Ask the leader to stop a running job."""
    await tx.update("job", id, cancel_requested=1)
    await log(tx, id, "cancel_requested", now)


async def orphans(reads: Reads, generation: int) -> list[Job]:
    """Running jobs of an earlier leadership: whoever ran them is gone."""
    return await rows(
        reads, Job, "SELECT * FROM job WHERE state = 'running' AND generation < :g", g=generation
    )


async def log(tx: Tx, job_id: int, type: str, now: int, **data: Any) -> None:
    await tx.insert(
        "job_event",
        job_id=job_id,
        at=now,
        type=type,
        data=json.dumps(data, ensure_ascii=False) if data else None,
    )


async def events(reads: Reads, job_id: int) -> list[JobEvent]:
    return await rows(
        reads, JobEvent, "SELECT * FROM job_event WHERE job_id = :id ORDER BY id", id=job_id
    )


async def last_event(reads: Reads, job_id: int) -> JobEvent | None:
    sql = "SELECT * FROM job_event WHERE job_id = :id ORDER BY id DESC LIMIT 1"
    return await row(reads, JobEvent, sql, id=job_id)


async def fetched_unrecorded(reads: Reads) -> list[JobEvent]:
    """Of calls whose take is not recorded: what was noted when their media were about to get their name."""
    return await rows(
        reads,
        JobEvent,
        """SELECT e.* FROM operation o JOIN job_event e ON e.job_id = o.job_id
            WHERE o.state IN ('submitted','failed','abandoned') AND e.type = 'fetched'
              AND json_extract(e.data, '$.operation') = o.id ORDER BY e.id""",
    )


async def made_unrecorded(reads: Reads) -> list[JobEvent]:
    """Of local jobs without a result: what was noted of the files that they made."""
    return await rows(
        reads,
        JobEvent,
        """SELECT e.* FROM job j JOIN job_event e ON e.job_id = j.id
            WHERE j.provider = 'local' AND j.state <> 'succeeded' AND e.type = 'made' ORDER BY e.id""",
    )


async def warnings(reads: Reads, job_id: int, operation_id: int) -> list[str]:
    """What the provider was seen to do differently from what was asked, in one call."""
    found = await reads.all(
        """SELECT json_extract(data, '$.text') AS text FROM job_event
            WHERE job_id = :j AND type = 'warning' AND json_extract(data, '$.operation') = :o ORDER BY id""",
        j=job_id,
        o=operation_id,
    )
    return [item["text"] for item in found]


async def is_put_back(reads: Reads, job_id: int) -> bool:
    """Whether a job stands as a copy of the library told it: no call of its own was made since that was put back."""
    found = await reads.all(
        """SELECT type FROM job_event WHERE job_id = :j AND type IN (:put_back, 'intended')
            ORDER BY id DESC LIMIT 1""",
        j=job_id,
        put_back=PUT_BACK_EVENT,
    )
    return bool(found) and found[0]["type"] == PUT_BACK_EVENT


async def latest_event(reads: Reads) -> int | None:
    """When the last thing happened, in ms since 1970."""
    found = await reads.all(
        "SELECT max(at) AS at FROM (SELECT at FROM job_event ORDER BY id DESC LIMIT 100)"
    )
    return found[0]["at"]


async def waits_past(reads: Reads, at: int) -> bool:
    """Whether some job is to wait until later than that."""
    return bool(await reads.all(f"SELECT 1 FROM job WHERE {READY} AND run_at > :at LIMIT 1", at=at))


async def pull_along(tx: Tx, now: int, along: Callable[[int], int]) -> None:
    """The clock was set: `along` says when each job is due that waits for a time after `now`."""
    for item in await tx.all(
        f"SELECT id, run_at FROM job WHERE {READY} AND run_at > :now", now=now
    ):
        await tx.update("job", item["id"], run_at=along(item["run_at"]))


async def prune_events(tx: Tx, before: int) -> int:
    """Forget events of jobs that ended long ago; the ledger (`operation`) is never pruned."""
    return await tx.run(
        """DELETE FROM job_event WHERE at < :before AND job_id IN
             (SELECT id FROM job WHERE state IN ('succeeded','failed','cancelled'))""",
        before=before,
    )
