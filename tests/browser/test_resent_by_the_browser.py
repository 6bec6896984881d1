"""Chromium sends a POST again by itself when a connection that it has used before ends without an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Playwright
from stage import CLIP, stage

from flowkit_mcp.domain.models import OperationState
from flowkit_mcp.simulator.state import Lane
from flowkit_mcp.store.operations import operations

INTENDED = OperationState.INTENDED
#: So that one that was used before is free whatever the page asks for by itself: only those are resent.
MORE_CONNECTIONS = """Promise.all(
    [1, 2, 3, 4].map(() => fetch(location.pathname, { cache: "no-store" }).then((reply) => reply.text()))
).then(() => {})"""

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_a_copy_that_is_refused_for_its_used_token_does_not_hide_that_the_first_was_paid(
    tmp_path: Path, playwright: Playwright, lane: Lane
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        await at.tab.evaluate(MORE_CONNECTIONS)
        at.sim.fault("YhhmEf", "cut_after")
        job = await at.order_clip()
        version = await at.kit.db.version()
        while not (ops := await operations(at.kit.db, job)) or ops[0].state is INTENDED:
            version = await at.kit.db.changed(version, 5)
        sent = [one for one in at.site.requests if CLIP[lane] in one.url and one.method == "POST"]
        assert len(sent) == 2, "the browser's own doing"
        at.check_books()
        assert ops[0].state is not OperationState.REFUSED
        result = await at.result(job)
        assert result.success, result.error
