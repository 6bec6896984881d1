"""Whatever dies while a paid call is under way: it is made once, paid once, and its result arrives."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Playwright
from stage import CLIP, MINT, stage

from flowkit_mcp.simulator.state import Lane

#: Settles when the page has its answers.
ANSWERED = "Promise.all(window[Symbol.for('flowkit answers')].values()).then(() => {})"

pytestmark = pytest.mark.browser


PHASES = ["minting", "sent", "answered", "done"]
VICTIMS = ["worker", "server", "both"]
#: Every phase and victim in today's lane, every phase with both dead in the old one.
CASES = [("batchexecute", phase, victim) for phase in PHASES for victim in VICTIMS] + [
    ("labs", phase, "both") for phase in PHASES
]


@pytest.mark.parametrize(("lane", "phase", "victim"), CASES)
async def test_a_death_in_any_phase_costs_nothing_twice_and_loses_nothing(
    tmp_path: Path, playwright: Playwright, lane: Lane, phase: str, victim: str
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        hold = at.hold(
            MINT if phase == "minting" else CLIP[lane], answered=phase in ("answered", "done")
        )
        job = await at.order_clip()
        await hold.reached.wait()
        if phase == "done":  # the browser has the answer, and nobody to tell
            await at.stop_server()
            hold.release()
            await at.tab.evaluate(ANSWERED)
        if victim in ("worker", "both"):
            await at.browser.stop_worker()
        if victim in ("server", "both"):
            await at.stop_server()
        if phase == "done" or victim != "worker":
            await at.start_server()
        hold.release()
        await at.wake()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()
