"""Spending asks the person, not the model. One way in for every tool that may cost credits or cannot be undone.

A paid tool is written as a function that plans: it checks, prices and returns a `Proposal`. `spending` makes the tool
of it: plan, ask if it costs more than the person said may pass unasked, then carry out. In both protocol eras the
question is an empty form with the price in its message (mcp.md §1.5, §8.3).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast, get_type_hints

from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, Resolve
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import BaseModel

from flowkit_mcp.app import FlowKit
from flowkit_mcp.errors import ApprovalNeeded, RequestError
from flowkit_mcp.sdk.money import budgets, check_budget
from flowkit_mcp.server.context import Ctx, backstage
from flowkit_mcp.server.desk import Proposal
from flowkit_mcp.server.schemas import MAKES, StrictTool, tool

_LISTED = 12

Planner = Callable[..., Awaitable[Proposal]]
ApprovalId = str | None


class Consent(BaseModel):
    # An empty form: accept or decline, one key. A docstring here would be shown to the person.
    pass


class NotApproved(RequestError):
    """The person said no, or closed the question."""

    code = "NOT_APPROVED"
    default_hint = "Ask the person what to change; do not call again unchanged."


def spending(plan: Planner, title: str, acts: ToolAnnotations = MAKES) -> StrictTool:
    """The tool that asks for and then does what `plan` proposes; its arguments are those of `plan`.

    `plan` runs once per protocol round and must change nothing.
    """
    hints = get_type_hints(plan, include_extras=True)
    signature = inspect.signature(plan)

    async def approve(
        proposal: Proposal, approval: str | None, ctx: Ctx
    ) -> Consent | Elicit[Consent]:
        return await _ask(proposal, approval, ctx)

    _annotate(
        approve,
        {"proposal": Annotated[Proposal, Resolve(plan)], "approval": ApprovalId, "ctx": Ctx},
        Consent | Elicit[Consent],
    )

    async def run(**given: Any) -> CallToolResult:
        proposal = cast(Proposal, given["proposal"])
        answer = cast("ElicitationResult[Consent]", given["answer"])
        backstage(given["ctx"]).desk.answered(proposal)
        if not isinstance(answer, AcceptedElicitation):
            raise NotApproved(
                f"the person answered {answer.action!r} to {proposal.what}; "
                "nothing was started and nothing was spent"
            )
        return await proposal.carry_out()

    run.__name__, run.__doc__ = plan.__name__, plan.__doc__
    parameters = {name: hints[name] for name in signature.parameters}
    _annotate(
        run,
        {
            **parameters,
            "approval": ApprovalId,
            "proposal": Annotated[Proposal, Resolve(plan)],
            "answer": Annotated[ElicitationResult[Consent], Resolve(approve)],
        },
        CallToolResult,
        {name: parameter.default for name, parameter in signature.parameters.items()},
    )
    return tool(run, title, acts)


def _annotate(
    fn: Callable[..., Any],
    annotations: dict[str, Any],
    returns: Any,
    defaults: dict[str, Any] | None = None,
) -> None:
    """Give a function the signature that the SDK is to read."""
    defaults = {"approval": None} | (defaults or {})
    fn.__annotations__ = {**annotations, "return": returns}
    fn.__signature__ = inspect.Signature(  # pyright: ignore[reportFunctionMemberAccess]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(name, inspect.Parameter.empty),
                annotation=annotation,
            )
            for name, annotation in annotations.items()
        ],
        return_annotation=returns,
    )


async def _ask(proposal: Proposal, approval: str | None, ctx: Ctx) -> Consent | Elicit[Consent]:
    stage = backstage(ctx)
    await check_budget(stage.kit, proposal.project_id, proposal.credits)
    free = proposal.credits <= stage.kit.settings.auto_approve_credits
    if free and proposal.question is None:
        return Consent()
    if can_ask(ctx):
        wording = await _wording(stage.kit, proposal)
        return Elicit(stage.desk.question(proposal, wording), Consent)
    if approval is not None and stage.desk.redeem(proposal, approval):
        return Consent()
    stale = f"{approval!r} is used up, expired or for something else; " if approval else ""
    raise ApprovalNeeded(
        f"{stale}nothing was started and nothing was spent. {await _wording(stage.kit, proposal)}",
        hint="Tell the person this in full. Only if they agree, call again with the same "
        f"arguments and approval={stage.desk.quote(proposal)!r} (good once, for 15 minutes).",
    )


def can_ask(ctx: Ctx) -> bool:
    """Whether the client can show a form to the person."""
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


async def _wording(kit: FlowKit, proposal: Proposal) -> str:
    if proposal.question is not None:
        return proposal.question
    account = await kit.account()
    where = "the Flow simulator (play money)" if kit.settings.simulated else "Google Flow"
    balance = "unknown" if account.credits is None else f"{account.credits}"
    lines = [f"- {line}" for line in proposal.lines[:_LISTED]]
    if len(proposal.lines) > _LISTED:
        lines.append(f"- and {len(proposal.lines) - _LISTED} more")
    things = "\n".join(lines)
    left = "".join(
        f", {budget.left} left of the {budget.scope}'s budget of {budget.limit}"
        for budget in await budgets(kit, proposal.project_id)
    )
    short = account.credits is not None and account.credits < proposal.credits
    warning = " This is more than the balance." if short else ""
    return (
        f"Spend {proposal.credits} credits in {where}?\n{things}\n"
        f"In all {proposal.credits} credits; balance {balance}, tier {account.tier}{left}.{warning}"
    )
