"""Streamable HTTP on loopback, for clients that want it: the same server, without a client that owns the process.

Only this machine can reach it, and only by names that mean this machine: a page in a browser that has its own name
resolved to 127.0.0.1 (DNS rebinding) is refused by its Host, and any other page by its Origin.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from ipaddress import ip_address

import uvicorn
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict, InvalidSetting
from flowkit_mcp.server import logs
from flowkit_mcp.server.context import Backstage
from flowkit_mcp.server.server import build

PATH = "/mcp"
#: After a signal, open streams are given this long.
GRACE_S = 2


def run(settings: Settings, host: str, port: int) -> None:
    """Serve until Ctrl-C or SIGTERM; the address is told on stderr. Port 0: any that is free.

    Raises:
        InvalidSetting: `host` is not this machine alone.
        Conflict: the port is taken.
    """
    with listen(host, port) as bound:
        logs.start(settings)
        asyncio.run(serve(build(settings), bound))


def listen(host: str, port: int, option: str = "--http-port") -> socket.socket:
    """A socket on loopback; port 0 takes a free one, `option` is how another is chosen.

    Raises:
        InvalidSetting: `host` is not this machine alone.
        Conflict: the port is taken.
    """
    address = "127.0.0.1" if host == "localhost" else host
    try:
        found = ip_address(address)
    except ValueError:
        found = None
    if found is None or not found.is_loopback:
        raise InvalidSetting(
            f"host {host!r} is not this machine alone",
            hint="Use 127.0.0.1 or ::1; whoever can speak to FlowKit can use your account.",
        )
    # asyncio switches Nagle's algorithm off only for sockets that say TCP: else each answer takes 40 ms longer.
    family = socket.AF_INET6 if found.version == 6 else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # there it would share the port with whoever has it
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise Conflict(
            f"port {port} is taken: {error.strerror}",
            hint=f"Choose another with {option}; 0 takes any.",
        ) from error
    return bound


async def serve(server: MCPServer[Backstage], bound: socket.socket) -> None:
    """Serve on this socket until the process is told to end."""
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    names = [f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", shown)]
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=TransportSecuritySettings(
            allowed_hosts=names, allowed_origins=[f"http://{name}" for name in names]
        ),
    )
    config = uvicorn.Config(
        app,
        log_config=None,  # what it says goes where everything goes, without secrets
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    print(f"FlowKit listens on http://{shown}:{port}{PATH}", file=sys.stderr, flush=True)
    await uvicorn.Server(config).serve(sockets=[bound])
