"""The whole real stack in one process: FlowKit, bridge, stand-in browser, simulator; only the drawing is quick."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, Unpack

from fake_provider import clip, picture

from flowkit_mcp.app import FlowKit
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.browser import StandInBrowser
from flowkit_mcp.simulator.chaos import Mix
from flowkit_mcp.simulator.draw_specs import ClipSpec, PictureSpec
from flowkit_mcp.simulator.state import Lane, Tier


class QuickRenderer:
    """Real files of the right kind, drawn in no time."""

    async def picture(self, spec: PictureSpec) -> bytes:
        return picture((spec.width // 8, spec.height // 8), spec.prompt)

    async def clip(self, spec: ClipSpec, to: Path) -> None:
        to.write_bytes(clip((spec.width // 8, spec.height // 8)))

    async def upscale(self, source: Path, to: Path, width: int, height: int) -> None:
        to.write_bytes(clip((width // 8, height // 8)))

    async def aclose(self) -> None:
        pass


def free_port() -> int:
    return free_ports(1)[0]


class Kind(TypedDict, total=False):
    """More of what `Simulator.run` takes."""

    lane: Lane
    chaos: int | None
    chaos_mix: Mix


@dataclass
class Stack:
    kit: FlowKit
    sim: Simulator
    browser: StandInBrowser


@asynccontextmanager
async def stack(
    folder: Path,
    *,
    tier: Tier = "pro",
    credits: int | None = None,
    limit_s: float = 170,
    pace: float = 0.02,
    clock: Clock | None = None,
    **kind: Unpack[Kind],
) -> AsyncGenerator[Stack]:
    """Everything up, paired, and the account seen; all of it within `limit_s`, by `clock` where one is given."""
    async with Simulator.run(
        folder / "simulator",
        pace=pace,
        tier=tier,
        credits=credits,
        renderer=QuickRenderer(),
        clock=clock,
        **kind,
    ) as sim:
        if kind.get("lane") == "labs" and not sim.service.projects(sim.service.account().name):
            # what a person does first in Flow; without a project lane labs shows no prices
            sim.service.create_project(sim.service.account().name, "My first project")
        settings = Settings(library=folder / "library", port=free_port(), simulator=sim.url)
        code = PairingBook(settings.pairing_file, clock or Clock()).issue_code(settings.port)
        browser = StandInBrowser(simulator=sim.url, code=code, profile=folder / "profile")
        browsing = asyncio.create_task(browser.run())
        try:
            async with FlowKit.open(settings, clock=clock) as kit, asyncio.timeout(limit_s):
                version = await kit.db.version()
                while (state := await kit.provider_state()) is None or state.account is None:
                    version = await kit.db.changed(version, 5)
                yield Stack(kit, sim, browser)
        finally:
            browsing.cancel()
            await asyncio.gather(browsing, return_exceptions=True)
