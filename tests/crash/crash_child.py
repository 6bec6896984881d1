"""One process that works a library until its jobs rest, or until it is killed at a named step.

`crash_child.py <library> <ledger> <look_up> <step, #number or -> <job id> …`
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crash_provider import FiledProvider

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings


def main(library: str, ledger: str, look_up: str, die_at: str, *ids: str) -> None:
    steps = itertools.count(1)

    def on_step(step: str) -> None:
        if die_at in (step, f"#{next(steps)}"):
            os.kill(os.getpid(), signal.SIGKILL)

    async def work() -> None:
        settings = Settings(library=Path(library), port=47998)
        provider = FiledProvider(Path(ledger), look_up, on_step)
        async with FlowKit.open(settings, provider=provider, on_step=on_step) as kit:
            await kit.wait_all([int(id) for id in ids], timeout=30)

    asyncio.run(work())


if __name__ == "__main__":
    main(*sys.argv[1:])
