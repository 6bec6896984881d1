"""The storyboard in the browser, for clients that cannot show it; works the queue meanwhile, too."""

from __future__ import annotations

import asyncio
import socket
import sys
import webbrowser
from collections.abc import Callable

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict
from flowkit_mcp.server import logs
from flowkit_mcp.server.studio import HOST, studio


async def show(
    settings: Settings, say: Callable[[str], None], *, page_port: int = 0, open_browser: bool = True
) -> int:
    """Until cancelled; says the link, which works once, and opens it."""
    with _listen(page_port) as listener:
        logs.start(settings)
        async with FlowKit.open(settings) as kit, studio(kit, listener) as running:
            say(f"Storyboard: {running.link}")
            say("The link works once. Ctrl-C ends.")
            if open_browser:
                await asyncio.to_thread(webbrowser.open, running.link)
            await asyncio.Event().wait()
    return 0


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let two studios share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise Conflict(
            f"port {port} is taken: {error.strerror}", hint="Leave --page-port out for a free one."
        ) from error
    return listener
