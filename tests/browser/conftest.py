"""Fixtures of the tests that drive a real browser."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from playwright.async_api import Playwright, async_playwright
from whole import QuickRenderer

from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

#: Somebody else's site.
EVIL = "evil.example"


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
