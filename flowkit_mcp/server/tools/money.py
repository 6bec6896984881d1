"""`check_plan` and `set_budget`: what a film would still cost, and how much it may."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.types import CallToolResult
from pydantic import Field

from flowkit_mcp.domain.lint import Finding
from flowkit_mcp.domain.models import Stage
from flowkit_mcp.domain.money import Budget, Ledger
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.money import budgets, set_day_budget, set_project_budget
from flowkit_mcp.sdk.options import ClipSize, VideoMode
from flowkit_mcp.sdk.overview import NOUNS
from flowkit_mcp.sdk.plan_check import PlanCheck, PlanWishes, check_plan
from flowkit_mcp.sdk.project import Project
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import InProject, InVideo, find_video
from flowkit_mcp.server.results import Result, cut, reply
from flowkit_mcp.server.schemas import READS, SETS, tool
from flowkit_mcp.server.words import jobs_call

_LISTED = 14
_SCENES = 20


class BudgetLine(Result):
    scope: str
    limit: int
    spent: int
    promised: int
    left: int


class Costs(Result):
    """What the video has cost so far. `retakes` and `unknown` are part of `spent`."""

    spent: int
    retakes: int
    refunded: int
    unknown: int
    per_second: float | None = None
    scenes: dict[str, int] | None = None


class Noticed(Result):
    severity: str
    code: str
    scenes: str | None = None
    message: str
    remedy: str


class Estimate(Result):
    video: str
    lines: list[str]
    credits: int
    retakes_allowance: int
    retakes_percent: int
    total: int
    balance: int | None
    short: int | None = None
    budgets: list[BudgetLine] | None = None
    so_far: Costs
    findings: list[Noticed] | None = None
    more_findings: int | None = None
    next: str


class BudgetsSet(Result):
    budgets: list[BudgetLine]
    going_on: list[int] | None = None
    next: str


async def plan(
    ctx: Ctx,
    video: InVideo = None,
    project: InProject = None,
    mode: VideoMode = "auto",
    model: str | None = None,
    duration_s: int | None = None,
    resolution: Literal["360p", "720p"] | None = None,
    upscale: ClipSize | None = None,
    retakes_percent: int | None = None,
) -> CallToolResult:
    """What all that is missing in a video would cost (upscale: also larger clips), balance, budgets, spending and
    flaws of the plan. Free; call it before generating.
    """
    kit = kit_of(ctx)
    found = await find_video(kit, video, project)
    wishes = PlanWishes(
        mode=mode,
        model=model,
        duration_s=duration_s,
        resolution=resolution,
        upscale=upscale,
        retakes_percent=retakes_percent,
    )
    checked = await check_plan(kit, found.id, wishes)
    noticed = _together(checked.findings)
    return reply(
        Estimate(
            video=found.title,
            lines=_lines(checked),
            credits=checked.credits,
            retakes_allowance=checked.retakes,
            retakes_percent=checked.retakes_percent,
            total=checked.total,
            balance=checked.balance,
            short=checked.short or None,
            budgets=[_budget(one) for one in checked.budgets] or None,
            so_far=costs(checked.spent),
            findings=noticed[:_LISTED] or None,
            more_findings=max(0, len(noticed) - _LISTED) or None,
            next=_next(checked),
        )
    )


async def set_budget(
    ctx: Ctx,
    credits: int | None = None,
    project: InProject = None,
    clear: Annotated[bool, Field(description="No limit any more")] = False,
) -> CallToolResult:
    """Limit what a project may cost, or without one the library per day (local midnight). Only as the person says;
    jobs it stopped go on when it is raised.
    """
    if clear == (credits is not None):
        hint = "Pass credits=<the most it may cost>, or clear=true for no limit."
        raise InvalidSetting("a budget is either credits or none at all (clear)", hint=hint)
    kit = kit_of(ctx)
    found = await Project.get(kit, project) if project is not None else None
    if found is not None:
        went = await set_project_budget(kit, found.id, credits)
    else:
        went = await set_day_budget(kit, credits)
    limits = await budgets(kit, found.id if found else None)
    step = f"Call {jobs_call(went)}." if went else "Call check_plan for what a film would cost."
    return reply(
        BudgetsSet(budgets=[_budget(one) for one in limits], going_on=went or None, next=step)
    )


def costs(ledger: Ledger) -> Costs:
    """The ledger in few figures; the scenes that took most."""
    dear = sorted(ledger.scenes.items(), key=lambda item: -item[1].credits)[:_SCENES]
    total = ledger.total
    return Costs(
        spent=total.credits,
        retakes=total.retakes,
        refunded=total.refunded,
        unknown=total.unknown,
        per_second=ledger.per_second,
        scenes={str(number): spent.credits for number, spent in sorted(dear)} or None,
    )


def _budget(one: Budget) -> BudgetLine:
    return BudgetLine(
        scope=one.scope, limit=one.limit, spent=one.spent, promised=one.promised, left=one.left
    )


def _lines(checked: PlanCheck) -> list[str]:
    lines = [
        f"{one.count} x {one.what} ({one.model}): "
        + (f"{one.credits} credits" if one.each else "free")
        for one in checked.positions
    ]
    if checked.at_work:
        lines.append(f"{checked.at_work} more are being made now")
    return lines or ["nothing is missing"]


def _together(findings: tuple[Finding, ...]) -> list[Noticed]:
    """Alike findings as one, with their scenes."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.severity, one.code, one.message), []).append(one)
    noticed: list[Noticed] = []
    for (severity, code, message), group in groups.items():
        numbers = [str(one.scene) for one in group if one.scene is not None]
        remedy = group[0].remedy
        if len(group) > 1 and code == "NO_START_IMAGE":
            remedy = "Call generate_image with missing=true."
        noticed.append(
            Noticed(
                severity=severity,
                code=code,
                scenes=cut(", ".join(numbers), 60) or None,
                message=cut(message, 160),
                remedy=cut(remedy, 160),
            )
        )
    return noticed


#: The tool that makes what a position of the estimate is about.
_MAKERS = {
    NOUNS[Stage.REFERENCE]: "generate_image",
    NOUNS[Stage.IMAGE]: "generate_image",
    NOUNS[Stage.VIDEO]: "generate_video",
    NOUNS[Stage.UPSCALE]: "upscale",
}


def _next(checked: PlanCheck) -> str:
    if checked.short:
        return f"Tell the person that {checked.short} credits are lacking, before generating."
    makers = dict.fromkeys(_MAKERS[position.what] for position in checked.positions)
    if not makers:
        return "Call wait." if checked.at_work else "Nothing is to be made: review, then merge."
    calls = f"{', then '.join(makers)} with missing=true."
    if any(one.severity == "error" for one in checked.findings):
        return f"Mend the errors, then {calls}"
    return f"Tell the person the total; then {calls}"


plan.__name__ = "check_plan"

TOOLS = (
    tool(plan, "Check and price a plan", READS),
    tool(set_budget, "Set a budget", SETS),
)
