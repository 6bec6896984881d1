"""Long work as tasks (`io.modelcontextprotocol/tasks`, SEP-2663), for clients that declare the extension.

A tool that started jobs answers with a task instead; the client polls it and is given what `wait` would have said.
Nothing is kept for that: the id of a task names its jobs, and those are in the database, so a task outlives the
server process (docs/decisions/0016). Everybody else gets jobs, and `wait`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from mcp import MCPError
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver import Extension, MethodBinding, require_client_extension
from mcp.types import INVALID_PARAMS, CallToolRequestParams, CallToolResult, RequestParams
from pydantic import Field

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.errors import NotFound
from flowkit_mcp.sdk.overview import MOVING, describe
from flowkit_mcp.server.context import Backstage
from flowkit_mcp.server.results import JOBS, cut
from flowkit_mcp.server.tools.jobs import waited

TASKS = "io.modelcontextprotocol/tasks"
MODERN = frozenset({"2026-07-28"})
#: The tools whose jobs are worth a task. `wait` and `cancel_job` are about jobs of another call.
MAKERS = frozenset({"generate_image", "edit_image", "generate_video", "upscale", "merge", "upload"})
POLL_MS = 2_000
POLL_SIMULATED_MS = 500
_MOST_JOBS = 500

Ctx = ServerRequestContext[Backstage, Any]


class TaskParams(RequestParams):
    task_id: str = Field(alias="taskId")


def declares_tasks(ctx: Ctx) -> bool:
    """Whether the client that sent this request can handle a task."""
    capabilities = ctx.session.client_capabilities
    declared = capabilities.extensions if capabilities else None
    return ctx.protocol_version in MODERN and TASKS in (declared or {})


@dataclass(frozen=True)
class Ticket:
    """What the id of a task says: the tool, its jobs, and whether more was asked for than could be started.

    Written `generate_video.41-44.50.more`.
    """

    tool: str
    jobs: tuple[int, ...]
    more: bool = False

    def __str__(self) -> str:
        spans: list[list[int]] = []
        for job in sorted(self.jobs):
            if spans and job == spans[-1][1] + 1:
                spans[-1][1] = job
            else:
                spans.append([job, job])
        told = ".".join(f"{a}" if a == b else f"{a}-{b}" for a, b in spans)
        return f"{self.tool}.{told}" + (".more" if self.more else "")

    @classmethod
    def parse(cls, text: str) -> Ticket | None:
        """None if the text is no such id."""
        match = re.fullmatch(r"([a-z_]+)((?:\.\d{1,12}(?:-\d{1,12})?)+)(\.more)?", text)
        if match is None or match[1] not in MAKERS:
            return None
        jobs: list[int] = []
        for span in match[2][1:].split("."):
            first, _, last = span.partition("-")
            if int(last or first) - int(first) >= _MOST_JOBS:
                return None
            jobs += range(int(first), int(last or first) + 1)
        return cls(match[1], tuple(jobs), bool(match[3])) if jobs else None


class Tasks(Extension):
    """Turns the answer "these jobs are at work" into a task, and tells how the task is."""

    identifier = TASKS

    async def intercept_tool_call(
        self,
        params: CallToolRequestParams,
        ctx: ServerRequestContext[Any, Any],
        call_next: CallNext,
    ) -> HandlerResult:
        """A question to the person goes first and passes through here untouched."""
        result = await call_next(ctx)
        if params.name not in MAKERS or not declares_tasks(ctx):
            return result
        if not isinstance(result, CallToolResult) or result.is_error:
            return result
        kit = cast(Ctx, ctx).lifespan_context.kit
        answer = cast("dict[str, Any]", result.structured_content or {})
        ids = cast("list[int]", (result.meta or {}).get(JOBS, []))
        more = bool(answer.get("not_ready"))
        ticket = Ticket(params.name, tuple(ids), more)
        jobs = [await kit.job(id) for id in ticket.jobs]
        if not any(job.state in MOVING for job in jobs):
            return result
        return {"resultType": "task", **await _told(kit, ticket, jobs, started=True)}

    async def get(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        kit, ticket, jobs = await _find(ctx, params)
        return {"resultType": "complete", **await _told(kit, ticket, jobs)}

    async def update(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        """Our tasks ask nothing while they run: answers are to questions that nobody asked."""
        await _find(ctx, params)
        return {"resultType": "complete"}

    async def cancel(self, ctx: Ctx, params: TaskParams) -> HandlerResult:
        """The client need not wait any longer. The jobs go on: what is paid for is fetched (`cancel_job` ends them)."""
        await _find(ctx, params)
        return {"resultType": "complete"}

    def methods(self) -> Sequence[MethodBinding]:
        handlers = (("get", self.get), ("update", self.update), ("cancel", self.cancel))
        return [
            MethodBinding(f"tasks/{name}", TaskParams, handler, MODERN)
            for name, handler in handlers
        ]


async def _find(ctx: Ctx, params: TaskParams) -> tuple[FlowKit, Ticket, list[Job]]:
    require_client_extension(ctx, TASKS)
    kit = ctx.lifespan_context.kit
    ticket = Ticket.parse(params.task_id)
    if ticket is None:
        raise MCPError(INVALID_PARAMS, f"no task {params.task_id[:100]!r}")
    try:
        return kit, ticket, [await kit.job(id) for id in ticket.jobs]
    except NotFound as error:
        raise MCPError(INVALID_PARAMS, f"no task {params.task_id[:100]!r}: {error}") from error


async def _told(
    kit: FlowKit, ticket: Ticket, jobs: list[Job], *, started: bool = False
) -> dict[str, Any]:
    """The task as it is now; one that has ended brings its result."""
    moving = [job for job in jobs if job.state in MOVING]
    told: dict[str, Any] = {
        "taskId": str(ticket),
        "createdAt": _time(min(job.created_at for job in jobs)),
        "lastUpdatedAt": _time(
            max(job.finished_at or job.started_at or job.created_at for job in jobs)
        ),
        "ttlMs": None,  # jobs are kept for good
        "pollIntervalMs": POLL_SIMULATED_MS if kit.settings.simulated else POLL_MS,
        "statusMessage": await _message(kit, ticket, jobs, moving),
    }
    if moving or started:
        return {**told, "status": "working"}
    if all(job.state is JobState.CANCELLED for job in jobs):
        return {**told, "status": "cancelled"}
    result = await waited(kit, jobs, _again(ticket))
    failed = all(job.state in (JobState.FAILED, JobState.CANCELLED) for job in jobs)
    if failed:
        result = result.model_copy(update={"is_error": True})
    shown = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return {**told, "status": "completed", "result": shown}


async def _message(kit: FlowKit, ticket: Ticket, jobs: list[Job], moving: list[Job]) -> str:
    """`2 of 4 done: scene 3 VERTICAL clip 40%`."""
    said = f"{len(jobs) - len(moving)} of {len(jobs)} done"
    for job in moving[:1]:
        share = f" {job.progress:.0%}" if job.progress else ""
        said += f": {await describe(kit, job)} {job.state}{share}"
    return cut(f"{said}. {_again(ticket)}".rstrip(". "), 200)


def _again(ticket: Ticket) -> str:
    return f"Call {ticket.tool} again for what was not ready." if ticket.more else ""


def _time(at: int) -> str:
    text = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
