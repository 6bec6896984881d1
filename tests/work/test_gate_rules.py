"""A pause never gets shorter by another trouble, and what waits for a person becomes no timer."""

from __future__ import annotations

from flowkit_mcp import FlowKit
from flowkit_mcp.domain.models import Gate
from flowkit_mcp.errors import HumanCheckRequired, RateLimited
from flowkit_mcp.work.gate import Gatekeeper


async def test_a_later_smaller_trouble_changes_neither(kit: FlowKit) -> None:
    keeper, now = Gatekeeper(kit.db, kit.clock), kit.clock.now()
    resumes: list[int | None] = []
    for error, resume_at in (
        (RateLimited("too much traffic"), now + 900_000),
        (RateLimited("busy"), now + 30_000),
        (HumanCheckRequired("unusual activity"), None),
        (RateLimited("busy"), now + 30_000),
    ):
        async with kit.db.transaction() as tx:
            await keeper.close(tx, "flow", Gate.PAUSED, error, resume_at)
        state = await kit.provider_state()
        assert state is not None and state.gate is Gate.PAUSED
        resumes.append(state.resume_at)
    assert resumes == [now + 900_000, now + 900_000, None, None]
    assert state.reason == "HUMAN_CHECK_REQUIRED"
