"""What every tool call can reach: the open library and the desk where spending is agreed to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from mcp.server.mcpserver import Context

from flowkit_mcp.app import FlowKit
from flowkit_mcp.server.desk import Desk


@dataclass(frozen=True)
class Backstage:
    """Lives as long as the server: one per process."""

    kit: FlowKit
    desk: Desk


Ctx = Context[Any, Any]


def backstage(ctx: Ctx) -> Backstage:
    return cast(Backstage, ctx.request_context.lifespan_context)


def kit_of(ctx: Ctx) -> FlowKit:
    return backstage(ctx).kit
