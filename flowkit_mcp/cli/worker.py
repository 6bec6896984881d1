"""Working the queue without a client: for those who close their editor while clips are being made."""

from __future__ import annotations

from collections.abc import Callable

from flowkit_mcp.app import FlowKit, Status
from flowkit_mcp.cli.status import connection, queue
from flowkit_mcp.config import Settings
from flowkit_mcp.server import logs

SILENT_S = 60.0


async def work(settings: Settings, say: Callable[[str], None]) -> int:
    """Until cancelled; says what changes."""
    logs.start(settings)
    async with FlowKit.open(settings) as kit:
        say(f"Library {settings.library}. Ctrl-C ends; what has been sent goes on at Flow.")
        before: list[str] = []
        version = await kit.db.version()
        while True:
            now = _lines(await kit.status())
            for line in now:
                if line not in before:
                    say(line)
            before = now
            version = await kit.db.changed(version, SILENT_S)


def _lines(status: Status) -> list[str]:
    if not status.leading and status.leader is not None:
        return [f"Process {status.leader.pid} works this library; standing by.", queue(status)]
    return [*connection(status), queue(status)]
