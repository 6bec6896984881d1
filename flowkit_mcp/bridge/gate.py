"""Who may open a socket at all: the checks before any WebSocket frame is read.

Path, Origin and Host keep out every web page and every other extension (bridge.md (a), measured); they
do not keep out native programs, which is what the proofs in `session.py` are for. The gate also bounds
how many sockets strangers can hold: the oldest gives way, so a flood never locks the extension out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from flowkit_mcp.bridge.protocol import PATH

log = logging.getLogger("flowkit.bridge")

#: Accepted by TCP, no HTTP request yet. Far above what browsers need, far below the descriptor limit.
MAX_OPENING = 64
#: Past the gate, not proved yet.
MAX_STRANGERS = 4


class Gate:
    """Counts and admits the connections of one server."""

    def __init__(self, port: Callable[[], int], extension_id: str) -> None:
        self._port = port
        self._origin = f"chrome-extension://{extension_id}"
        #: Insertion order is age.
        self._opening: dict[ServerConnection, None] = {}
        self._strangers: dict[ServerConnection, None] = {}

    def connection_class(self) -> type[ServerConnection]:
        """For `serve(create_connection=…)`: connections that tell this gate of their birth and death."""
        gate = self

        class GatedConnection(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                gate.opened(self)

            def connection_lost(self, exc: Exception | None) -> None:
                gate.forget(self)
                super().connection_lost(exc)

        return GatedConnection

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """For `serve(process_request=…)`: 403 with an empty body unless all three are exactly right."""
        reason = self._fault(request)
        if reason is not None:
            log.info("refused a connection: wrong %s", reason)
            return connection.respond(403, "")
        self.forget(connection)
        self._admit(self._strangers, connection, MAX_STRANGERS)
        return None

    def only_upgrades(
        self, connection: ServerConnection, request: Request, response: Response
    ) -> Response | None:
        """For `serve(process_response=…)`: a request that is no upgrade learns nothing about us either."""
        return None if response.status_code == 101 else connection.respond(403, "")

    def opened(self, connection: ServerConnection) -> None:
        """TCP is up; nothing has been said yet."""
        self._admit(self._opening, connection, MAX_OPENING)

    def forget(self, connection: ServerConnection) -> None:
        """It has proved itself, or is gone."""
        self._opening.pop(connection, None)
        self._strangers.pop(connection, None)

    def clear(self) -> None:
        """Drop everybody who has not proved themselves."""
        for connection in [*self._opening, *self._strangers]:
            connection.transport.abort()

    def _fault(self, request: Request) -> str | None:
        # get_all: `headers["Host"]` raises on duplicates, which would answer 500.
        if request.path != PATH:
            return "path"
        if request.headers.get_all("Origin") != [self._origin]:
            return "origin"
        if request.headers.get_all("Host") != [f"127.0.0.1:{self._port()}"]:
            return "host"
        return None

    def _admit(
        self, room: dict[ServerConnection, None], connection: ServerConnection, limit: int
    ) -> None:
        if len(room) >= limit:
            oldest = next(iter(room))
            del room[oldest]
            log.info("dropped a connection that had not proved itself: too many at once")
            oldest.transport.abort()
        room[connection] = None
