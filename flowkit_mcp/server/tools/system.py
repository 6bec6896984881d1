"""`status`: whether work can go on, and if not, what to do."""

from __future__ import annotations

from mcp.types import CallToolResult

from flowkit_mcp.app import FlowKit, Status
from flowkit_mcp.domain.eta import in_words
from flowkit_mcp.domain.models import Gate, JobState, Model, ProviderState
from flowkit_mcp.errors import NotConnected
from flowkit_mcp.sdk.forecast import Forecast
from flowkit_mcp.sdk.money import quota_holds
from flowkit_mcp.server.context import Ctx, kit_of
from flowkit_mcp.server.handles import Detail
from flowkit_mcp.server.results import Result, reply
from flowkit_mcp.server.schemas import READS, tool


class Health(Result):
    ready: bool
    what: str
    simulated: bool
    connected: bool
    gate: str
    tier: str | None
    credits: int | None
    spent_credits: int
    auto_approve_credits: int
    jobs: dict[str, int]
    left: str | None = None
    library: str
    version: str
    process: str
    self_check: str | None = None
    models: list[str] | None = None
    next: str


async def status(ctx: Ctx, detail: Detail = "concise") -> CallToolResult:
    """Whether media can be made now and, if not, what the person has to do; credits, spending and the queue.
    Call it first, and when jobs do not move. detail="full" lists the account's models with prices.
    """
    return reply(await health(kit_of(ctx), detail))


async def health(kit: FlowKit, detail: Detail = "concise") -> Health:
    """What `status` answers."""
    now = await kit.status()
    provider = now.provider
    account = provider.account if provider else None
    ready, what, step = await _verdict(kit, now, provider)
    models = None
    if detail == "full" and account is not None:
        models = [model_line(model) for model in account.models if model.credits is not None]
    return Health(
        ready=ready,
        what=what,
        simulated=now.simulated,
        connected=bool(provider and provider.connected),
        gate=(provider.gate if provider and provider.closed(kit.clock.now()) else Gate.OPEN).value,
        tier=account.tier if account else None,
        credits=account.credits if account else None,
        spent_credits=now.spent_credits,
        auto_approve_credits=kit.settings.auto_approve_credits,
        jobs={state.value: count for state, count in now.jobs.items() if not state.final},
        left=(await Forecast.now(kit)).of_all(),
        library=now.library,
        version=now.version,
        process=_process(now),
        self_check=_self_check(now, provider),
        models=models,
        next=step,
    )


def model_line(model: Model) -> str:
    """`veo-fast: Veo 3.1 Fast, start/start_end, 8 s, 720p, 20 credits`."""
    facts = [model.name, "/".join(model.modes)]
    if model.duration_s:
        facts.append(f"{model.duration_s} s")
    if model.resolution:
        facts.append(model.resolution)
    facts.append("free" if model.credits == 0 else f"{model.credits} credits")
    return f"{model.key}: {', '.join(fact for fact in facts if fact)}"


async def _verdict(
    kit: FlowKit, now: Status, provider: ProviderState | None
) -> tuple[bool, str, str]:
    """Ready or not, what is so, and the next step."""
    if now.leader_silent and now.leader is not None:
        return (
            False,
            f"process {now.leader.pid} holds the work and does not answer",
            "The person should close that program; another one then takes over by itself.",
        )
    # Of one moment with what is told beside it: an account read meanwhile is for the next answer.
    if provider is None or provider.account is None:
        error = now.browser.no_account()
        return False, error.message, error.hint
    if provider.closed(kit.clock.now()):
        left_s = max(0.0, ((provider.resume_at or 0) - kit.clock.now()) / 1000)
        step = f"It opens by itself in {in_words(left_s)}; call status again then."
        if provider.resume_at is None:
            step = "When the person has done so: resolve_job(action='reopen', provider='flow')."
        return False, f"{provider.gate.value}: {provider.message or provider.reason}", step
    if provider.checks is not None and not now.browser.fine:
        return False, now.browser.what, now.browser.next or "Call status again in a moment."
    if not provider.connected:
        return False, "the browser is not connected; jobs wait for it", NotConnected.default_hint
    if now.jobs.get(JobState.NEEDS_ATTENTION):
        return True, "connected; a job needs a decision", "Call list_jobs(show='attention')."
    if holds := await quota_holds(kit):
        told = "; ".join(
            f"the daily quota of {one.model} is used up, {one.jobs} job(s) wait for it, "
            f"{in_words((one.until - kit.clock.now()) / 1000)}"
            for one in holds
        )
        return (
            True,
            f"connected; {told}",
            "Other models work. If it has reset: reopen (resolve_job).",
        )
    return True, "connected and ready", "Call list_projects or create_project."


def _self_check(now: Status, provider: ProviderState | None) -> str | None:
    """What the free calls at first contact have shown, and what is wrong with the library's own facts."""
    found = provider.checks.self_check if provider is not None and provider.checks else None
    told: list[str] = []
    if found is not None:
        trouble = [f"{call.call} {call.state}" for call in found.calls if call.state != "ok"]
        told.append(
            f"Flow does not answer as expected (lane {found.lane}): {', '.join(trouble)}"
            if trouble
            else f"Flow answers as expected, lane {found.lane}"
        )
    if now.facts_trouble is not None:
        told.append(f"ignored: {now.facts_trouble}")
    return "; ".join(told) or None


def _process(now: Status) -> str:
    if now.leading:
        return "this process works the queue"
    if now.leader is None:
        return "no process works the queue yet"
    told = f"process {now.leader.pid} works the queue; this one serves tools"
    if now.leader.version != now.version:
        told += f" (FlowKit {now.leader.version} there, {now.version} here: restart the older one)"
    return told


TOOLS = (tool(status, "Status", READS),)
