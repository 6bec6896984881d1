"""A process that works a library's upload until it rests, or until it is killed: at a step, or by the test.

`publish_child.py <library> <youtube> <step or -> <job id>`
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fake_provider import FakeProvider
from publish_world import FAST

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.work import publish


def main(library: str, youtube: str, die_at: str, id: str) -> None:
    def on_step(step: str) -> None:
        if step == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    publish.Pace = lambda: FAST  # type: ignore[assignment,misc]

    async def work() -> None:
        settings = Settings(library=Path(library), port=47998, youtube=youtube)
        async with FlowKit.open(settings, provider=FakeProvider(), on_step=on_step) as kit:
            await kit.wait(int(id), 30)

    asyncio.run(work())


if __name__ == "__main__":
    main(*sys.argv[1:])
