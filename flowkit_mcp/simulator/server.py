"""`Simulator`: the whole local Flow as one object that can be started and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator.app import FlowApp
from flowkit_mcp.simulator.chaos import Chaos, Mix
from flowkit_mcp.simulator.counter import Counter
from flowkit_mcp.simulator.faults import FaultKind
from flowkit_mcp.simulator.labs_app import LabsApp
from flowkit_mcp.simulator.labs_call import Labs
from flowkit_mcp.simulator.labs_records import LabsRecords
from flowkit_mcp.simulator.links import Links
from flowkit_mcp.simulator.listen import HOST, Door, drop, listen
from flowkit_mcp.simulator.render import Renderer
from flowkit_mcp.simulator.rpcs import Rpcs
from flowkit_mcp.simulator.rpcs_make import MakingRpcs
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Lane, LedgerEntry, Tier
from flowkit_mcp.simulator.studio import Draws, Studio
from flowkit_mcp.simulator.youtube import LocalYouTube


class Simulator:
    """A running simulator; made by `run`."""

    def __init__(
        self,
        service: FlowService,
        url: str,
        app: FlowApp,
        doors: list[Door],
        youtube: LocalYouTube,
    ) -> None:
        #: For `Site`, which serves the same Flow under its real names, as `app` and `doors` are.
        self.service = service
        self.app = app
        self.doors = doors
        #: The stand-in for YouTube, under `/youtube`.
        self.youtube = youtube
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
        listener = listen(port)
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
        door = Door()
        doors = [door]
        cut = partial(drop, doors)
        rpcs = Rpcs(service, Counter(service, studio), links)
        rpcs.add(MakingRpcs(rpcs).table())
        records = LabsRecords(service, rpcs.sign)
        labs = LabsApp(Labs(service, rpcs.counter, rpcs.shelf, records), cut)
        youtube = LocalYouTube(folder / "youtube", service.clock, cut)
        youtube.url = f"http://{host}/youtube"
        app = FlowApp(service, rpcs, links, cut, labs, [youtube.mount("/youtube")])
        door.serve_app(app.asgi(host))
        serving = asyncio.create_task(door.serve([listener]), name="simulator")
        try:
            await door.up.wait()
            studio.resume()
            yield cls(service, f"http://{host}", app, doors, youtube)
        finally:
            await studio.aclose()
            door.down.set()
            await serving

    def ledger(self) -> list[LedgerEntry]:
        """Every charge and refund so far, oldest first; accepted work that is free counts 0."""
        return [entry.model_copy() for entry in self.service.state.ledger]

    @property
    def balance(self) -> int:
        """Credits of the default account."""
        return self.service.account().balance

    @property
    def charged(self) -> int:
        """Charges minus refunds."""
        return self.service.charged

    def switch(self, **values: Any) -> None:
        """Change how it behaves; the same as `POST /sim/switch`.

        Raises:
            pydantic.ValidationError: no such switch, or no such value.
        """
        self.service.switch(values)

    def fault(
        self, rpc: str, kind: FaultKind, times: int = 1, *, for_s: float | None = None
    ) -> None:
        """Let calls of an rpc (`*` = any) go wrong: the next ones, or all for a time.

        The same as `POST /sim/fault`. Calls of lane labs have the rpc id of their twin.
        """
        self.service.add_fault(rpc, kind, times, for_s)

    def chaos_report(self) -> dict[str, Any]:
        """What chaos did so far (`Chaos.report`); empty without chaos."""
        return {} if self.service.chaos is None else self.service.chaos.report()
