"""What the conformance suite of 2026-07-28 wants to find beside the fixtures of before: questions that are returned.

A tool answers with what it has to be told, and is called again with the answers and the state that it gave.
"""

from __future__ import annotations

from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import Message, UserMessage
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

Ctx = Context[Any, Any]


def _form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(prompt: str) -> CreateMessageRequest:
    asked = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[asked], max_tokens=100))


NAME = {"user_name": _form("What is your name?", "name")}
GREETING = {"greeting": _sample("Generate a greeting")}
ROOTS = {"client_roots": ListRootsRequest()}
CONFIRM = {"confirm": _form("Please confirm", "ok", "boolean")}
STEPS = (
    {"step1": _form("Step 1: What is your name?", "name")},
    {"step2": _form("Step 2: What is your favorite color?", "color")},
)
#: Asked in one round by each tool, with the state that must come back with the answers.
ONE_ROUND: dict[str, tuple[dict[str, Any], str | None]] = {
    "elicitation": (NAME, None),
    "sampling": (GREETING, None),
    "list_roots": (ROOTS, None),
    "request_state": (CONFIRM, "state"),
    "tampered_state": (CONFIRM, "state"),
    "multiple_inputs": ({**NAME, **GREETING, **ROOTS}, "state"),
}


def _answered(ctx: Ctx, questions: dict[str, Any], state: str | None) -> bool:
    return questions.keys() <= (ctx.input_responses or {}).keys() and ctx.request_state == state


def install(server: MCPServer[Any]) -> None:
    """Add them to a server."""

    def tool(name: str) -> Any:
        return server.tool(name=name, description=f"Fixture of the conformance suite: {name}.")

    def one_round(questions: dict[str, Any], state: str | None) -> Any:
        async def ask(ctx: Ctx) -> str | InputRequiredResult:
            if _answered(ctx, questions, state):
                return f"{ctx.input_responses} state-ok"
            return InputRequiredResult(input_requests=questions, request_state=state)

        return ask

    for name, (questions, state) in ONE_ROUND.items():
        tool(f"test_input_required_result_{name}")(one_round(questions, state))

    @tool("test_input_required_result_multi_round")
    async def multi_round(ctx: Ctx) -> str | InputRequiredResult:
        first, second = STEPS
        if _answered(ctx, second, "second"):
            return "told in two rounds"
        if _answered(ctx, first, "first"):
            return InputRequiredResult(input_requests=second, request_state="second")
        return InputRequiredResult(input_requests=first, request_state="first")

    @tool("test_input_required_result_capabilities")
    async def by_capabilities(ctx: Ctx) -> str | InputRequiredResult:
        able = ctx.client_capabilities
        asked: dict[str, Any] = {}
        if able is not None and able.sampling is not None:
            asked |= GREETING
        if able is not None and able.elicitation is not None:
            asked |= NAME
        if not asked or _answered(ctx, asked, None):
            return "told"
        return InputRequiredResult(input_requests=asked)

    @tool("test_missing_capability")
    async def needs_sampling(ctx: Ctx) -> str:
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, "sampling is needed", needed)
        return "it can"

    @server.prompt(description="Fixture that asks before it answers.")
    async def test_input_required_result_prompt(ctx: Ctx) -> list[Message] | InputRequiredResult:
        asked = {"user_context": _form("What context should the prompt use?", "context")}
        if _answered(ctx, asked, None):
            return [UserMessage(f"In this context: {ctx.input_responses}")]
        return InputRequiredResult(input_requests=dict(asked))
