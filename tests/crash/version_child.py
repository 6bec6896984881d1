"""One process of a FlowKit of this version (`old`) or of one with a migration more (`new`).

`version_child.py <library> <ledger> <old|new> <statement at which to die, or -> <hold>`. Works the queue until a line
comes on stdin, answers `jobs` and `leading` on stdout meanwhile; `hold`: the first submit waits for the line `go`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from crash_provider import FiledProvider

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.store import jobs, migrate
from flowkit_mcp.store.database import Tx

HERE = migrate.migrations()
#: What the next version might do: a column more, a table of its own, everything that is there rewritten.
NEXT = (
    HERE[-1][0] + 1,
    """
    ALTER TABLE project ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';
    CREATE TABLE mood (name TEXT PRIMARY KEY) STRICT;
    INSERT INTO mood VALUES ('calm; not wild'), ('wild');
    ALTER TABLE job ADD COLUMN mood TEXT;
    UPDATE job SET mood = 'calm';
    UPDATE project SET name = name || '';
    """,
)


def main(library: str, ledger: str, version: str, die_at: str, hold: str) -> None:
    if version == "new":
        migrate.migrations = lambda: [*HERE, NEXT]
    if die_at != "-":
        _die_at(int(die_at))
    asyncio.run(_work(Path(library), Path(ledger), hold == "hold"))


def _die_at(number: int) -> None:
    """End with the n-th statement of whatever is written first; that is the migration."""
    statements = itertools.count(1)
    real = Tx.run

    async def run(self: Tx, sql: str, **args: Any) -> int:
        changed = await real(self, sql, **args)
        if next(statements) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return changed

    Tx.run = run


async def _work(library: Path, ledger: Path, hold: bool) -> None:
    provider = FiledProvider(ledger, "yes", lambda _: None)
    held = asyncio.Event() if hold else None
    provider.hold = held
    async with FlowKit.open(Settings(library=library, port=47998), provider=provider) as kit:
        print("open", flush=True)
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            if line == "go" and held is not None:
                held.set()
            if line == "leading":
                print(kit.leading, flush=True)
            if line == "jobs":
                print(*(f"{job.id}:{job.state}" for job in await jobs.jobs(kit.db)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
