from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_world import FlowPageScript, World


@pytest.fixture
async def page() -> FlowPageScript:
    page = FlowPageScript()
    await page.start()
    return page


@pytest.fixture
async def world(tmp_path: Path, page: FlowPageScript) -> AsyncIterator[World]:
    world = World(tmp_path, page)
    await world.lead()
    yield world
    await world.aclose()
