"""Fixtures of the provider contract: every test in both lanes, with every browser there is.

To run it with another browser, add a row to `contract_world.BROWSERS`; marks go on its `pytest.param` here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract_world import BROWSERS, Browser, World, world


@pytest.fixture(params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> Browser:
    return BROWSERS[request.param]


@pytest.fixture(params=["batchexecute", "labs"])
def lane(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def pro(tmp_path: Path, browser: Browser, lane: str) -> AsyncIterator[World]:
    async with world(tmp_path, browser, lane=lane) as made:
        yield made


@pytest.fixture
async def ultra(tmp_path: Path, browser: Browser, lane: str) -> AsyncIterator[World]:
    async with world(tmp_path, browser, lane=lane, tier="ultra") as made:
        yield made
