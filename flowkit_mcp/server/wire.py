"""Protocol methods that `MCPServer` 2.3 leaves out or serves only in part, put on the server below it.

* `resources/list` in pages: the SDK knows fixed resources only and ignores the cursor (mcp.md §0.10);
* `resources/subscribe` and `unsubscribe`, which older clients have instead of `subscriptions/listen` (§1.3);
* `completion/complete` with the library at hand, which the SDK's decorator is not given.

This is the one place that reaches below `MCPServer`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.mcpserver.exceptions import ResourceError
from mcp.types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CompleteRequestParams,
    CompleteResult,
    EmptyResult,
    InputRequiredResult,
    ListResourcesResult,
    PaginatedRequestParams,
    Resource,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from flowkit_mcp.app import FlowKit
from flowkit_mcp.sdk.project import Project
from flowkit_mcp.server import resources
from flowkit_mcp.server.completion import complete
from flowkit_mcp.server.context import Backstage
from flowkit_mcp.server.notices import LIST, Notices, addresses_of
from flowkit_mcp.server.skills import Shelf
from flowkit_mcp.server.tasks import TASKS, declares_tasks

PAGE = 50

Ctx = ServerRequestContext[Backstage, Any]


async def look(mcp: MCPServer[Backstage], kit: FlowKit, address: str) -> str | bytes | None:
    """What a client would read at an address now, for comparison; None if nothing."""
    try:
        if address == LIST:
            return "\n".join(f"{one.id} {one.name}" for one in await Project.list(kit))
        if address.startswith("flowkit://"):
            return await resources.read(kit, address)
        held = await mcp.read_resource(address)
    except ResourceError:
        return None
    if isinstance(held, InputRequiredResult):
        return None
    return b"".join(c.content.encode() if isinstance(c.content, str) else c.content for c in held)


def install(mcp: MCPServer[Backstage], notices: Notices, shelf: Shelf) -> None:
    """Serve them, and let `notices` know who listens."""

    async def list_resources(
        ctx: Ctx, params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        fixed = [*resources.FIXED, *shelf.resources(), *await mcp.list_resources()]
        return await _page(ctx.lifespan_context.kit, fixed, params.cursor if params else None)

    async def subscribe(ctx: Ctx, params: SubscribeRequestParams) -> EmptyResult:
        session = ctx.session
        # the session is made anew for each request; what lasts is the connection below it
        connection = session._connection  # pyright: ignore[reportPrivateUsage]
        key, address = id(connection), str(params.uri)
        kit = ctx.lifespan_context.kit
        if await look(mcp, kit, address) is None:
            raise MCPError(INVALID_PARAMS, f"no resource {address!r}", {"uri": address})
        if not connection.state.setdefault("flowkit", False):
            connection.state["flowkit"] = True
            connection.exit_stack.callback(notices.unsubscribe, key)
        await notices.subscribe(kit, key, address, session.send_resource_updated)
        return EmptyResult()

    async def unsubscribe(ctx: Ctx, params: UnsubscribeRequestParams) -> EmptyResult:
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]
        notices.unsubscribe(id(connection), str(params.uri))
        return EmptyResult()

    async def completion(ctx: Ctx, params: CompleteRequestParams) -> CompleteResult:
        argument, kit = params.argument, ctx.lifespan_context.kit
        chosen = params.context.arguments if params.context else None
        skills = shelf.skills.values()
        if chosen and "skill" in chosen:  # a path is one of the skill that was chosen before it
            skills = [one for one in skills if one.name == chosen["skill"]]
        found = await complete(kit, params.ref, argument.name, argument.value, skills)
        return CompleteResult(completion=found)

    async def listening(ctx: Ctx, call_next: CallNext) -> HandlerResult:
        if ctx.method != "subscriptions/listen":
            return await call_next(ctx)
        _refuse_task_notices(ctx)
        async with notices.listening(ctx.lifespan_context.kit, addresses_of(ctx)):
            return await call_next(ctx)

    below = mcp._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    below.add_request_handler("resources/list", PaginatedRequestParams, list_resources)
    below.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    below.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    below.add_request_handler("completion/complete", CompleteRequestParams, completion)
    mcp.middleware.append(listening)


async def _page(kit: FlowKit, fixed: list[Resource], cursor: str | None) -> ListResourcesResult:
    """What is fixed, then the projects, newest first; the cursor is the id of the last one."""
    projects = await Project.list(kit)
    if cursor is not None:
        ids = [project.id for project in projects]
        if cursor not in ids:
            raise MCPError(INVALID_PARAMS, f"no such cursor {cursor!r}: list from the beginning")
        projects = projects[ids.index(cursor) + 1 :]
    page = projects[:PAGE]
    listed = [
        Resource(
            uri=resources.uri_of("project", project.id),
            name=project.name,
            title=project.name,
            description=project.row.description or None,
            mime_type=resources.JSON,
        )
        for project in page
    ]
    return ListResourcesResult(
        resources=[*([] if cursor else fixed), *listed],
        next_cursor=page[-1].id if len(projects) > PAGE else None,
    )


def _refuse_task_notices(ctx: Ctx) -> None:
    """The tasks extension asks for this: who has not declared it may not listen to tasks."""
    asked = (ctx.params or {}).get("notifications")
    wanted = cast("dict[str, Any]", asked).get("taskIds") if isinstance(asked, dict) else None
    if wanted and not declares_tasks(ctx):
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            f"the client did not declare {TASKS}",
            {"requiredCapabilities": {"extensions": {TASKS: {}}}},
        )


@asynccontextmanager
async def closing(notices: Notices) -> AsyncGenerator[None]:
    """Ends the watching before the library is closed."""
    try:
        yield
    finally:
        await notices.aclose()
