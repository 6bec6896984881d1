"""The storyboard in the browser, for clients that cannot show it; works the queue meanwhile, too."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import Callable

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.server import logs
from flowkit_mcp.server.http import listen
from flowkit_mcp.server.studio import HOST, studio


async def show(
    settings: Settings, say: Callable[[str], None], *, page_port: int = 0, open_browser: bool = True
) -> int:
    """Until cancelled; says the link, which works once, and opens it."""
    with listen(HOST, page_port, "--page-port") as listener:
        logs.start(settings)
        async with FlowKit.open(settings) as kit, studio(kit, listener) as running:
            say(f"Storyboard: {running.link}")
            say("The link works once. Ctrl-C ends.")
            if open_browser:
                await asyncio.to_thread(webbrowser.open, running.link)
            await asyncio.Event().wait()
    return 0
