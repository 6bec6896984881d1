"""A client that declares the tasks extension: written from the extension's document, not from our code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mcp import MCPError
from mcp.client import ClientExtension
from mcp.client.extension import ClaimContext, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict, Field

TASKS = "io.modelcontextprotocol/tasks"


class CreateTaskResult(Result):
    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = Field(alias="resultType")
    task_id: str = Field(alias="taskId")
    status: str


class TaskParams(RequestParams):
    task_id: str = Field(serialization_alias="taskId")


class AnyTask(Result):
    """Whatever comes back; `extra` holds the fields of the task."""

    model_config = ConfigDict(extra="allow")


async def ask(session: Any, method: str, task_id: str) -> dict[str, Any]:
    """tasks/get, tasks/update or tasks/cancel, as JSON."""
    request = Request[TaskParams, str](method=method, params=TaskParams(task_id=task_id))
    answer = await session.send_request(request, AnyTask)
    return answer.model_dump(mode="json", by_alias=True)


@dataclass
class TaskTaker(ClientExtension):
    """Polls every task to its end; `leave` gives up after the first look instead, as a client that is closed does."""

    identifier = TASKS
    created: list[dict[str, Any]] = field(default_factory=list)
    polled: list[dict[str, Any]] = field(default_factory=list)
    leave: bool = False
    on_created: Callable[[], None] | None = None

    def settings(self) -> dict[str, Any]:
        return {}

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=CreateTaskResult, resolve=self._resolve)]

    async def _resolve(self, task: CreateTaskResult, ctx: ClaimContext) -> CallToolResult:
        self.created.append(task.model_dump(mode="json", by_alias=True))
        if self.on_created is not None:
            self.on_created()
        if self.leave:
            raise Left(task.task_id)
        return await self.follow(ctx.session, task.task_id)

    async def follow(self, session: Any, task_id: str) -> CallToolResult:
        while True:
            told = await ask(session, "tasks/get", task_id)
            self.polled.append(told)
            if told["status"] == "completed":
                return CallToolResult.model_validate(told["result"])
            if told["status"] in ("failed", "cancelled"):
                raise MCPError(-32603, told["status"])
            await asyncio.sleep(min(told["pollIntervalMs"] / 1000, 0.05))


class Left(Exception):
    """The client went away with this task under way."""
