"""Fixtures of the tests that drive a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

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
) -> Generator[dict[str, Future[None]]]:
    """Long silences, which need no attention, run beside the other tests."""
    wanted = [item for item in request.session.items if item.path.name == "test_quiet.py"]
    with ThreadPoolExecutor(1, "quiet") as pool:
        if not wanted:
            yield {}
            return
        both = wanted[0].module.both  # type: ignore[attr-defined]
        folder = tmp_path_factory.mktemp("quiet")
        yield {"quiet": pool.submit(asyncio.run, both(folder))}


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
