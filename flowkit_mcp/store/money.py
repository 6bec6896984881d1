"""What was spent (the view `ledger`), what may be spent (budgets), and who waits for more."""

from __future__ import annotations

import json

from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.domain.money import Budget, InDoubt, Ledger, Spent, midnight
from flowkit_mcp.errors import OverBudget
from flowkit_mcp.store import jobs
from flowkit_mcp.store.database import Reads, Tx, rows

_DAY = "budget_day"
_SUMS = """coalesce(sum(credits), 0) AS credits, coalesce(sum(refunded), 0) AS refunded,
           coalesce(sum(unknown), 0) AS unknown, coalesce(sum(credits * retake), 0) AS retakes,
           count(*) FILTER (WHERE state NOT IN ('refused','void')) AS calls"""


async def spent(reads: Reads, *, project_id: str | None = None, since: int = 0) -> int:
    """Credits of calls that were accepted and not refunded, plus those whose outcome is unknown.

    What a person gave up was accepted, or may have been, so it counts.
    """
    found = await reads.all(
        """SELECT coalesce(sum(credits), 0) AS n FROM ledger
            WHERE intended_at >= :since AND (:p IS NULL OR project_id = :p)""",
        since=since,
        p=project_id,
    )
    return int(found[0]["n"])


async def ledger(reads: Reads, project_id: str, video_id: str | None = None) -> Ledger:
    """The account of a project, or of one of its videos (without the cast's reference images)."""
    where = "WHERE project_id = :p AND (:v IS NULL OR video_id = :v)"
    (total,) = await reads.all(f"SELECT {_SUMS} FROM ledger {where}", p=project_id, v=video_id)
    (cast,) = await reads.all(
        f"SELECT {_SUMS} FROM ledger WHERE project_id = :p AND character_id IS NOT NULL",
        p=project_id,
    )
    scenes = await reads.all(
        """SELECT scene, credits, retakes, refunded, unknown, calls FROM scene_spending
            WHERE video_id = :v AND scene_id IN (SELECT id FROM scene WHERE removed_at IS NULL) ORDER BY scene""",
        v=video_id,
    )
    (film,) = await reads.all(
        """SELECT coalesce(sum(film_s), 0) AS s FROM video_spending
            WHERE project_id = :p AND (:v IS NULL OR video_id = :v)""",
        p=project_id,
        v=video_id,
    )
    return Ledger(
        total=Spent.model_validate(total),
        cast=Spent.model_validate(cast),
        scenes={row.pop("scene"): Spent.model_validate(row) for row in scenes},
        film_s=film["s"],
    )


async def unknown_outcomes(reads: Reads, limit: int) -> list[InDoubt]:
    """Calls of which nobody knows whether they were charged, the newest first."""
    return await rows(
        reads,
        InDoubt,
        """SELECT job_id, credits_estimate AS credits, intended_at, json_extract(reply, '$.evidence') AS evidence
             FROM operation WHERE state = 'unknown' ORDER BY id DESC LIMIT :limit""",
        limit=limit,
    )


# ---- budgets ---------------------------------------------------------------------------------


async def day_budget(reads: Reads) -> int | None:
    """Credits a day for the whole library; None: no limit."""
    found = await reads.all("SELECT value FROM setting WHERE name = :n", n=_DAY)
    return json.loads(found[0]["value"]) if found else None


async def set_day_budget(tx: Tx, credits: int | None, now: int) -> None:
    await tx.run(
        """INSERT INTO setting (name, value, updated_at) VALUES (:n, :v, :now)
           ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at""",
        n=_DAY,
        v=json.dumps(credits),
        now=now,
    )


async def set_project_budget(tx: Tx, project_id: str, credits: int | None, now: int) -> None:
    await tx.update("project", project_id, budget_credits=credits, updated_at=now)


async def budgets(reads: Reads, project_id: str | None, now: int) -> list[Budget]:
    """The limits that a job of this project keeps to, with what is spent and promised."""
    found: list[Budget] = []
    limit = await _project_limit(reads, project_id)
    if limit is not None:
        found.append(
            Budget(
                scope="project",
                limit=limit,
                spent=await spent(reads, project_id=project_id),
                promised=await promised(reads, project_id),
            )
        )
    if (day := await day_budget(reads)) is not None:
        today = await spent(reads, since=midnight(now))
        found.append(
            Budget(scope="day", limit=day, spent=today, promised=await promised(reads, None))
        )
    return found


async def _project_limit(reads: Reads, project_id: str | None) -> int | None:
    found = await reads.all("SELECT budget_credits AS n FROM project WHERE id = :p", p=project_id)
    return found[0]["n"] if found else None


async def promised(reads: Reads, project_id: str | None) -> int:
    """What jobs may still take that go on by themselves and of which nothing has been sent."""
    found = await reads.all(
        """SELECT coalesce(sum(credits_estimate), 0) AS n FROM job
            WHERE state IN ('queued','running') AND (:p IS NULL OR project_id = :p) AND NOT EXISTS
              (SELECT 1 FROM operation o WHERE o.job_id = job.id AND o.state IN ('intended','submitted','unknown'))""",
        p=project_id,
    )
    return int(found[0]["n"])


async def check_room(reads: Reads, project_id: str | None, credits: int, now: int) -> None:
    """Whether so much may be promised. Raises OverBudget with the figures."""
    if credits <= 0:
        return
    for budget in await budgets(reads, project_id, now):
        if budget.refuses(credits):
            raise OverBudget(budget.says_no(credits))


async def over(tx: Tx, job: Job, credits: int, now: int) -> Budget | None:
    """The budget that a call of this price would exceed, seen inside the transaction that writes its intent.

    What other jobs hope for does not count here: who comes first is served.
    """
    if credits <= 0:
        return None
    limits = [b.model_copy(update={"promised": 0}) for b in await budgets(tx, job.project_id, now)]
    return next((budget for budget in limits if budget.refuses(credits)), None)


async def go_on(tx: Tx, now: int) -> list[int]:
    """Jobs that a budget has stopped, and that it would let through now, back into the queue; their numbers."""
    stopped = await rows(
        tx,
        Job,
        "SELECT * FROM job WHERE state = 'needs_attention' AND reason = :r ORDER BY priority, id",
        r=OverBudget.code,
    )
    went: list[int] = []
    for job in stopped:
        limits = await budgets(tx, job.project_id, now)
        if any(budget.refuses(job.credits_estimate) for budget in limits):
            continue
        await jobs.transition(
            tx, job.id, JobState.QUEUED, now=now, event="budget_raised", run_at=now
        )
        went.append(job.id)
    return went
