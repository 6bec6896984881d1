"""The demo's real browser: Chromium with the extension, in place of the stand-in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.bundled import bundled
from flowkit_mcp.cli.demo_client import DemoFailed, Say
from flowkit_mcp.cli.library import simulator_folder
from flowkit_mcp.cli.ports import taken
from flowkit_mcp.cli.simulate import Kind, first_project, simulator
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.chromium import Chromium, has_display
from flowkit_mcp.simulator.chromium_devtools import BrowserGone, DevToolsRefused
from flowkit_mcp.simulator.chromium_find import chromium_version, find_chromium
from flowkit_mcp.simulator.site import Site

READY_S = 20.0
LOOK_EVERY_S = 0.1
SHOT_EVERY_S = 15.0
PICTURE_TRIES = 20

log = logging.getLogger("flowkit.demo")


@dataclass(frozen=True)
class Window:
    """Which browser, and how: `headless` None means: if nobody could see it. `shots` is a folder for screenshots."""

    binary: Path
    headless: bool
    shots: Path | None = None


def window(*, headless: bool | None, shots: Path | None) -> Window:
    """The Chromium of this machine. Raises NoChromium."""
    binary = find_chromium()
    return Window(binary, not has_display() if headless is None else headless, shots)


@asynccontextmanager
async def in_chromium(
    settings: Settings, kind: Kind, window: Window, *, port: int, say: Say
) -> AsyncGenerator[Simulator]:
    """The simulator of a library, with a Chromium that joins its FlowKit as soon as there is one.

    Raises:
        NoChromium: it does not start.
        DemoFailed: Flow does not open in it.
    """
    name = chromium_version(window.binary) or window.binary.name
    async with simulator(settings, port=port, kind=kind, browser=False) as service:
        first_project(service)
        folder = simulator_folder(settings) / "site"
        async with (
            Site.run(service, folder) as site,
            Chromium.run(
                window.binary, site, bundled("extension"), headless=window.headless
            ) as chromium,
        ):
            where = "without a window" if window.headless else "in a window: you can watch"
            say(
                f"{name} with the FlowKit extension, {where}. Nothing in it can leave this machine."
            )
            await _limited(_open(service, chromium), "Flow does not open in the browser")
            book = PairingBook(settings.pairing_file, Clock())
            before = {profile.instance for profile in book.profiles()}
            tasks = [
                asyncio.create_task(_pair(settings, book, chromium, say), name="pairing"),
                asyncio.create_task(_watch(service, chromium), name="watching"),
            ]
            if window.shots is not None:
                tasks.append(asyncio.create_task(_shots(chromium, window.shots), name="shots"))
            for task in tasks:
                task.add_done_callback(_complain)
            try:
                yield service
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if window.shots is not None:
                    await _shoot(chromium, window.shots, "end")
                # This profile is deleted with its key: nobody will come back under its name.
                for profile in book.profiles():
                    if profile.instance not in before:
                        book.revoke(profile.instance)


async def _open(service: Simulator, chromium: Chromium) -> None:
    flow = service.service
    account = flow.account()
    await chromium.open_flow(account.lane, account.name, flow.projects(account.name)[0].id)
    await chromium.open_panel()


async def _pair(settings: Settings, book: PairingBook, chromium: Chromium, say: Say) -> None:
    """Pair when FlowKit listens; the extension then keeps the link by itself, over restarts too."""
    while not taken(settings.port):  # noqa: ASYNC110 - another process tells us nothing
        await asyncio.sleep(LOOK_EVERY_S)
    await _limited(
        chromium.pair(str(book.issue_code(settings.port))), "the panel does not take the code"
    )
    say("The code from flowkit-mcp pair is in the panel: paired.")


async def _watch(service: Simulator, chromium: Chromium) -> None:
    """Show FlowKit's own project when it makes one: there the film can be seen coming."""
    flow = service.service
    account = flow.account()
    before = {project.id for project in flow.projects(account.name)}
    while True:
        for project in flow.projects(account.name):
            if project.id not in before:
                await chromium.show_project(account.lane, project.id)
                return
        await asyncio.sleep(LOOK_EVERY_S)


async def _shots(chromium: Chromium, folder: Path) -> None:
    number = 0
    while True:
        number += 1
        await _shoot(chromium, folder, f"{number:02}")
        await asyncio.sleep(SHOT_EVERY_S)


async def _shoot(chromium: Chromium, folder: Path, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for what, target in (("flow", chromium.flow), ("panel", chromium.panel)):
            (folder / f"{what}-{name}.png").write_bytes(await _picture(chromium, target))
    except (BrowserGone, DevToolsRefused) as error:  # closed by a person; the film matters more
        log.warning("no screenshot: %r", error)


async def _picture(chromium: Chromium, target: str) -> bytes:
    for _ in range(PICTURE_TRIES):
        with contextlib.suppress(DevToolsRefused):  # between two pages there is nothing to be seen
            return await chromium.devtools.screenshot(target)
        await asyncio.sleep(LOOK_EVERY_S)
    return await chromium.devtools.screenshot(target)


async def _limited(work: Coroutine[Any, Any, None], words: str) -> None:
    """Do it within the limit. Raises DemoFailed."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=READY_S)
        if not task.done():
            raise DemoFailed(words)
        await task
    except (BrowserGone, DevToolsRefused) as error:
        raise DemoFailed(f"{words}: {error or 'it was closed'}") from error
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s: %r", task.get_name(), error)
