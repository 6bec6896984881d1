"""Publishing from Python: what can be done about an upload on its way."""

from __future__ import annotations

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Job
from flowkit_mcp.work import publish_answers


async def pause(kit: FlowKit, id: int) -> Job:
    """Let an upload rest; `resolve` with `retry` lets it go on. Raises NotFound, Conflict."""
    async with kit.db.transaction() as tx:
        await publish_answers.pause(tx, id, kit.clock.now())
    return await kit.job(id)
