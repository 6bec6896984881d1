"""`Simulator`: the whole local Flow as one object that can be started and stopped."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator.app import FlowApp
from flowkit_mcp.simulator.chaos import Chaos, Mix
from flowkit_mcp.simulator.counter import Counter
from flowkit_mcp.simulator.faults import FaultKind
from flowkit_mcp.simulator.labs_app import LabsApp
from flowkit_mcp.simulator.labs_call import Labs
from flowkit_mcp.simulator.labs_records import LabsRecords
from flowkit_mcp.simulator.links import Links
from flowkit_mcp.simulator.render import Renderer
from flowkit_mcp.simulator.rpcs import Rpcs
from flowkit_mcp.simulator.rpcs_make import MakingRpcs
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Lane, LedgerEntry, Tier
from flowkit_mcp.simulator.studio import Draws, Studio

HOST = "127.0.0.1"


class Simulator:
    """A running simulator; made by `run`."""

    def __init__(self, service: FlowService, url: str) -> None:
        self._service = service
        #: `http://127.0.0.1:<port>`
        self.url = url

    @classmethod
    @asynccontextmanager
    async def run(
        cls,
        folder: Path,
        *,
        port: int = 0,
        pace: float = 1.0,
        tier: Tier = "pro",
        credits: int | None = None,
        renderer: Draws | None = None,
        clock: Clock | None = None,
        lane: Lane = "batchexecute",
        chaos: int | None = None,
        chaos_mix: Mix = "honest",
    ) -> AsyncGenerator[Simulator]:
        """Serve the Flow kept in `folder` on 127.0.0.1; port 0 takes a free one.

        `pace` multiplies all waiting: at 1 a clip takes about three seconds. `tier` and `credits` are what
        new accounts start with, as does `lane`; accounts that are in the folder already keep what they have.
        `chaos` is the seed of a mix of faults (`chaos.py` has the rates); None = none.

        Raises:
            OSError: the port is taken, or the folder cannot be written.
        """
        listener = _listen(port)
        host = f"{HOST}:{listener.getsockname()[1]}"
        try:
            service = FlowService(
                folder,
                clock=clock,
                tier=tier,
                credits=credits,
                lane=lane,
                chaos=None if chaos is None else Chaos(chaos, chaos_mix),
            )
        except BaseException:
            listener.close()
            raise
        links = Links(f"http://{host}", service.state.signing_key, service.clock)
        studio = Studio(service, renderer or Renderer(), pace)
        server = _Server()
        rpcs = Rpcs(service, Counter(service, studio), links)
        rpcs.add(MakingRpcs(rpcs).table())
        records = LabsRecords(service, rpcs.sign)
        labs = LabsApp(Labs(service, rpcs.counter, rpcs.shelf, records), server.drop)
        app = FlowApp(service, rpcs, links, server.drop, labs)
        server.serve_app(app.asgi(host))
        serving = asyncio.create_task(server.serve([listener]), name="simulator")
        try:
            await server.up.wait()
            studio.resume()
            yield cls(service, f"http://{host}")
        finally:
            await studio.aclose()
            server.down.set()
            await serving

    def ledger(self) -> list[LedgerEntry]:
        """Every charge and refund so far, oldest first; accepted work that is free counts 0."""
        return [entry.model_copy() for entry in self._service.state.ledger]

    @property
    def balance(self) -> int:
        """Credits of the default account."""
        return self._service.account().balance

    @property
    def charged(self) -> int:
        """Charges minus refunds."""
        return self._service.charged

    def switch(self, **values: Any) -> None:
        """Change how it behaves; the same as `POST /sim/switch`.

        Raises:
            pydantic.ValidationError: no such switch, or no such value.
        """
        self._service.switch(values)

    def fault(
        self, rpc: str, kind: FaultKind, times: int = 1, *, for_s: float | None = None
    ) -> None:
        """Let calls of an rpc (`*` = any) go wrong: the next ones, or all for a time.

        The same as `POST /sim/fault`. Calls of lane labs have the rpc id of their twin.
        """
        self._service.add_fault(rpc, kind, times, for_s)

    def chaos_report(self) -> dict[str, Any]:
        """What chaos did so far (`Chaos.report`); empty without chaos."""
        return {} if self._service.chaos is None else self._service.chaos.report()


def _listen(port: int) -> socket.socket:
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


class _Server(uvicorn.Server):
    """uvicorn inside somebody else's event loop: it leaves signals alone and stops when told."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.down = asyncio.Event()

    def serve_app(self, app: Any) -> None:
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

    async def drop(self, request: Request) -> None:
        """Close the connection of a request; what is sent afterwards reaches nobody."""
        for connection in self._connections():
            if connection.client == request.client:
                connection.transport.abort()
        while (await request.receive())["type"] != "http.disconnect":
            pass
