"""The stand-in browser against the simulator itself, through a real bridge: money is counted once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from sim_tab import FakeRenderer, frames

from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.bridge.protocol import Phase, Result, Standing
from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.browser import OnPhase, StandInBrowser
from flowkit_mcp.simulator.state import Lane


class Rig:
    """Simulator, bridge and browser; `changed` is set whenever the host reports something."""

    def __init__(self, sim: Simulator, host: BridgeHost, changed: asyncio.Event) -> None:
        self.sim = sim
        self.host = host
        self.changed = changed
        self.project = ""

    async def until(self, true: Any) -> None:
        async with asyncio.timeout(60):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    async def rpc(self, name: str, rpc: str, args: list[Any]) -> Any:
        result = await self.host.call(name, self.body(rpc, args), lane="batchexecute", timeout_s=10)
        return payload(result, rpc)

    def body(self, rpc: str, args: list[Any]) -> dict[str, Any]:
        path = f"/project/{self.project}" if self.project else "/"
        return {"rpc": rpc, "args": args, "source_path": path}

    async def picture(self, seed: str) -> Result:
        ctx = [None, 22, None, None, None, self.project, None, None, None, None, ["$RECAPTCHA", 1]]
        item = [None, None, None, 7, 3, "GEM_PIX_2", None, ctx, [[["a red bicycle"]]]]
        args = [None, [[*item, None, None, None, f"tile {seed}", seed]], 1, ctx, ["BATCH"]]
        return await self.host.call(
            "image.generate",
            self.body("ogiZ0b", args),
            lane="batchexecute",
            captcha="IMAGE_GENERATION",
            paid=True,
            timeout_s=10,
            id=seed,
        )


def payload(result: Result, rpc: str) -> Any:
    assert result.ok, result.error
    assert result.status == 200 and result.body is not None
    [frame] = [one for one in frames(result.body) if one[0] == "wrb.fr" and one[1] == rpc]
    return json.loads(frame[2])


@contextlib.asynccontextmanager
async def rig(
    folder: Path, on_phase: OnPhase | None = None, lane: Lane = "batchexecute"
) -> AsyncIterator[tuple[Rig, asyncio.Task[None]]]:
    changed = asyncio.Event()
    book = PairingBook(folder / "state" / "pairing.json", Clock())
    host = BridgeHost(
        port=0,
        book=book,
        clock=Clock(),
        generation=1,
        version="test",
        library="test",
        simulated=True,
        changed=changed.set,
    )
    async with Simulator.run(folder / "flow", pace=0.01, renderer=FakeRenderer(), lane=lane) as sim:
        await host.start()
        browser = StandInBrowser(
            simulator=sim.url,
            code=book.issue_code(host.port),
            profile=folder / "profile",
            on_phase=on_phase,
        )
        task = asyncio.create_task(browser.run())
        try:
            one = Rig(sim, host, changed)
            await one.until(lambda: host.flow is not None)
            await one.until(lambda: host.flow is not None and host.flow.signed_in)
            if lane == "batchexecute":
                title = ["projects/*", [None, ["F"]]]
                one.project = (await one.rpc("project.create", "jHPbke", title))[0]
            yield one, task
        finally:
            task.cancel()
            await asyncio.wait([task])
            await host.aclose()


async def test_a_picture_is_made_and_booked_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as (one, _):
        assert one.host.flow is not None and one.host.flow.account == "simulated:demo"
        media = payload(await one.picture("seed-1"), "ogiZ0b")[0][0][0]
        assert [entry.media_id for entry in one.sim.ledger()] == [media]
        assert payload(await one.picture("seed-1"), "ogiZ0b")[0][0][0] == media  # the held answer
        assert len(one.sim.ledger()) == 1


async def test_page_values_that_change_with_every_load_are_coped_with(tmp_path: Path) -> None:
    async with rig(tmp_path) as (one, _):
        one.sim.switch(rotate_page=True)
        results = await asyncio.gather(*(one.picture(f"seed-{number}") for number in range(4)))
        assert len({payload(result, "ogiZ0b")[0][0][0] for result in results}) == 4
        assert len(one.sim.ledger()) == 4


async def test_a_reply_cut_after_the_charge_is_sent_no_answer_and_not_made_again(
    tmp_path: Path,
) -> None:
    async with rig(tmp_path) as (one, _):
        one.sim.fault("ogiZ0b", "cut_after")
        result = await one.picture("seed-1")
        assert result.error is not None
        assert (result.error.code, result.error.sent) == ("NETWORK", True)
        assert (await one.host.lookup("seed-1")).standing == Standing.SENT_NO_ANSWER
        again = await one.picture("seed-1")
        assert again.error is not None and again.error.sent
        assert len(one.sim.ledger()) == 1


async def test_a_browser_that_dies_with_the_answer_in_hand_has_paid_once(tmp_path: Path) -> None:
    def die(call_id: str, phase: Phase) -> None:
        if call_id == "seed-1" and phase == Phase.DONE:
            raise ZeroDivisionError

    async with rig(tmp_path, die) as (one, task):
        making = asyncio.create_task(one.picture("seed-1"))
        await asyncio.wait([task])
        assert isinstance(task.exception(), ExceptionGroup)
        reborn = StandInBrowser(simulator=one.sim.url, profile=tmp_path / "profile")
        running = asyncio.create_task(reborn.run())
        result = await making
        assert result.error is not None and result.error.sent
        assert (await one.host.lookup("seed-1")).standing == Standing.ANSWERED
        assert len(one.sim.ledger()) == 1
        running.cancel()
        await asyncio.wait([running])
