"""Doors of the simulator: listening sockets, and uvicorn inside somebody else's event loop."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """A listener on loopback; port 0 takes a free one. Raises OSError if it is taken."""
    # asyncio switches Nagle's algorithm off only for sockets that say TCP, which those of
    # socket.create_server do not; every reply would take 40 ms longer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where it would let two simulators share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


class Door(uvicorn.Server):
    """A server that leaves signals alone and stops when told. `pem` holds a certificate and its key."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.down = asyncio.Event()

    def serve_app(self, app: Any, pem: Path | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=240,  # as Google's; 5 s would be over between two calls on a busy machine
                ssl_certfile=pem,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.down.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """At once: the studio is closed by now, so no open request is worth waiting for."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in self._connections():
            connection.transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=2)

    def _connections(self) -> list[H11Protocol]:
        # http="h11" was chosen above; the type of the set also allows uvicorn's other protocols.
        return [c for c in self.server_state.connections if isinstance(c, H11Protocol)]

    def cut(self, request: Request) -> None:
        """Close the connection that a request came in by, if it came in here."""
        for connection in self._connections():
            way = (connection.client, connection.server)
            if way == (request.client and tuple(request.client), request.scope["server"]):
                connection.transport.abort()


async def drop(doors: Sequence[Door], request: Request) -> None:
    """Close the connection of a request; what is sent afterwards reaches nobody."""
    for door in doors:
        door.cut(request)
    while (await request.receive())["type"] != "http.disconnect":
        pass
