"""The stand-in in a process of its own, killed with SIGKILL: what is on disk is all that is left."""

from __future__ import annotations

import asyncio
import signal
import sys

import pytest
from bridge_world import IMAGE, World
from tally import TALLY

from flowkit_mcp.bridge.protocol import Standing

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from flowkit_mcp.bridge.pairing import PairingCode
from flowkit_mcp.simulator.browser import StandInBrowser

simulator, code, profile, deadly = sys.argv[1:]

def on_phase(call_id, phase):
    if phase == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(StandInBrowser(
    simulator=simulator, code=PairingCode.parse(code), profile=Path(profile), on_phase=on_phase,
).run())
"""


@pytest.mark.crash
@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
@pytest.mark.parametrize(
    ("phase", "standing", "executions"),
    [
        ("accepted", Standing.NEVER_RECEIVED, 0),
        ("minting", Standing.NEVER_RECEIVED, 0),
        ("sent", Standing.SENT_NO_ANSWER, 0),
        ("done", Standing.ANSWERED, 1),
    ],
)
async def test_a_killed_browser_process_leaves_a_journal_that_tells_the_truth(
    world: World, phase: str, standing: Standing, executions: int
) -> None:
    code = world.book.issue_code(world.port)
    profile = world.folder / "one"
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, world.page.url, str(code), str(profile), phase
    )
    await world.until(lambda: world.host.instance)
    call = asyncio.create_task(
        world.host.call(
            "image.generate",
            IMAGE,
            lane="batchexecute",
            captcha="IMAGE_GENERATION",
            paid=True,
            timeout_s=20,
            id="op-1",
        )
    )
    assert await child.wait() == -signal.SIGKILL
    TALLY.add(kills=1)
    world.open_browser()
    result = await call
    assert result.error is not None
    assert result.error.sent == (standing != Standing.NEVER_RECEIVED)
    assert (await world.host.lookup("op-1")).standing == standing
    assert len(world.page.executions) == executions
