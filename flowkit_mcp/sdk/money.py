"""Budgets and the ledger: what may be spent, and what was. `Project` and `Video` have the same as methods."""

from __future__ import annotations

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.money import Budget, Ledger, QuotaHold
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.store import catalog, jobs, money

_MOST = 10_000_000


async def budgets(kit: FlowKit, project: str | None = None) -> list[Budget]:
    """The limits that work on a project (by name or id) keeps to; the day's alone without one."""
    found = None if project is None else (await catalog.project(kit.db, project)).id
    return await money.budgets(kit.db, found, kit.clock.now())


async def check_budget(kit: FlowKit, project_id: str | None, credits: int) -> None:
    """Raises OverBudget, with the figures, if so much more may not be spent."""
    await money.check_room(kit.db, project_id, credits, kit.clock.now())


async def set_project_budget(kit: FlowKit, project: str, credits: int | None) -> list[int]:
    """How much a project may cost in all; None: no limit. Returns the jobs that go on because of it.

    Raises:
        NotFound: no such project. InvalidSetting: less than 0.
    """
    row = await catalog.project(kit.db, project)
    now = kit.clock.now()
    async with kit.db.transaction() as tx:
        await money.set_project_budget(tx, row.id, _checked(credits), now)
        return await money.go_on(tx, now)


async def set_day_budget(kit: FlowKit, credits: int | None) -> list[int]:
    """How much the whole library may cost a day, from midnight to midnight of this machine; None: no limit.

    Returns the jobs that go on because of it. Raises InvalidSetting.
    """
    now = kit.clock.now()
    async with kit.db.transaction() as tx:
        await money.set_day_budget(tx, _checked(credits), now)
        return await money.go_on(tx, now)


async def quota_holds(kit: FlowKit) -> list[QuotaHold]:
    """Models whose daily quota is used up, with how many jobs wait for them and until when."""
    return await jobs.quota_holds(kit.db, kit.clock.now())


async def ledger(kit: FlowKit, project_id: str, video_id: str | None = None) -> Ledger:
    """What a project, or one of its videos, has cost so far."""
    return await money.ledger(kit.db, project_id, video_id)


def _checked(credits: int | None) -> int | None:
    if credits is not None and not 0 <= credits <= _MOST:
        raise InvalidSetting(f"a budget has 0 to {_MOST} credits, not {credits}")
    return credits
