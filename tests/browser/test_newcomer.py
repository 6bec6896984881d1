"""README's "Your own Flow, in your own Chrome", step by step, with the program as it is installed and a real Chromium.

Only Flow itself is the simulated site.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from chromium import Chromium, prepare_profile
from e2e.demo_run import environment
from playwright.async_api import Playwright, expect
from stage import PAGES, PATIENCE_S
from whole import free_port

from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

pytestmark = [pytest.mark.browser, pytest.mark.e2e]


class Terminal:
    """Where the person types; all commands mean the same library and port."""

    def __init__(self, folder: Path, simulator: str) -> None:
        self._env = environment(
            FLOWKIT_LIBRARY=str(folder / "library"),
            FLOWKIT_PORT=str(free_port()),
            FLOWKIT_SIMULATOR=simulator,
        )

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flowkit_mcp",
            *arguments,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str) -> str:
        """What a command prints."""
        process = await self._start(*arguments)
        told, _ = await process.communicate()
        return told.decode()

    async def until(self, words: str, *arguments: str) -> str:
        """What a command prints, asked again until it holds these words."""
        async with asyncio.timeout(PATIENCE_S):
            while words not in (told := await self.run(*arguments)):
                pass
        return told

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[None]:
        process = await self._start("worker")
        try:
            yield
        finally:
            process.terminate()
            await process.communicate()


@pytest.mark.timeout(180)
async def test_from_the_unpacked_extension_to_ready_and_status_tells_the_truth_at_each_step(
    tmp_path: Path, playwright: Playwright, simulator: Simulator, site: Site
) -> None:
    terminal = Terminal(tmp_path, simulator.url)
    simulator.service.create_project("demo", "Mine")
    unpacked = tmp_path / "unpacked"
    told = await terminal.run("extension", str(unpacked))
    assert "chrome://extensions" in told and "Load unpacked" in told
    assert told.splitlines()[0] == str(unpacked)
    prepare_profile(tmp_path / "profile")
    browser = Chromium(playwright, site, tmp_path / "profile", [unpacked])
    await browser.start()
    try:
        assert "pairing: no browser is paired" in await terminal.run("doctor")
        async with terminal.worker():
            code, _, steps = (await terminal.run("pair")).partition("\n")
            assert "paste this line" in steps
            await terminal.until("browser is not connected", "status")
            panel = await browser.pair(code)
            told = await terminal.until("no Flow tab is open", "status")
            assert "-> Open" in told
            await expect(panel.locator("#headline")).to_have_text("Connected to FlowKit")

            tab = await browser.open_flow(page=PAGES["batchexecute"] + "first")
            told = await terminal.until("connected and answering", "status")
            assert "simulated:demo" in told and "lane batchexecute" in told
            told = await terminal.run("doctor")
            assert "connected and answering" in told

            await tab.get_by_role("link", name="Sign out").click()
            told = await terminal.until("nobody is signed in to Flow", "status")
            assert "-> Sign in to Flow in its tab." in told
            listed = await terminal.run("pair", "--list")
            assert await panel.locator("#profile").inner_text() in listed
        told = await terminal.run("status")
        assert "no FlowKit process works this library" in told
        await expect(panel.locator("#headline")).to_contain_text("FlowKit is not running on port")
    finally:
        await browser.stop()
