"""Fixtures of the tests that drive a real browser."""

from __future__ import annotations

import asyncio
import os
import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Playwright, async_playwright, expect
from whole import QuickRenderer

from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

#: Bounds a hang, measures nothing: the machine may be busy. (The default is 5 s.)
expect.set_options(timeout=30_000)

#: Somebody else's site.
EVIL = "evil.example"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits for a long time comes last; it has been begun first."""
    items.sort(key=lambda item: item.path.name == "test_quiet.py")


@pytest.fixture(scope="session", autouse=True)
def meanwhile(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Path]:
    """Long silences, which need no attention, run beside the other tests, begun by the first worker that comes here.

    The file gets what went wrong with them, and is there once they have ended.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "quiet"
    ended = folder / "ended"
    wanted = [item for item in request.session.items if item.path.name == "test_quiet.py"]
    with ThreadPoolExecutor(1, "quiet") as pool:
        try:
            if wanted:
                folder.mkdir()
        except FileExistsError:
            wanted = []
        if wanted:
            both = wanted[0].module.both  # type: ignore[attr-defined]
            pool.submit(_to_its_end, both, folder, ended)
        yield ended


def _to_its_end(both: Callable[[Path], Coroutine[Any, Any, None]], folder: Path, to: Path) -> None:
    try:
        asyncio.run(both(folder))
        wrong = ""
    except BaseException:
        wrong = traceback.format_exc()
    part = to.with_suffix(".part")
    part.write_text(wrong, encoding="utf-8")
    part.rename(to)


@pytest.fixture
async def playwright() -> AsyncGenerator[Playwright]:
    async with async_playwright() as playwright:
        yield playwright


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncGenerator[Simulator]:
    async with Simulator.run(
        tmp_path / "simulator", pace=0.02, renderer=QuickRenderer()
    ) as simulator:
        yield simulator


@pytest.fixture
async def site(simulator: Simulator, tmp_path: Path) -> AsyncGenerator[Site]:
    async with Site.run(simulator, tmp_path / "site", extra_hosts=(EVIL,)) as site:
        yield site
