from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from bridge_world import FlowPageScript, World

from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock


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


@pytest.fixture
def world_book(tmp_path: Path) -> tuple[PairingBook, Path]:
    """A pairing book and its file."""
    file = tmp_path / "state" / "pairing.json"
    return PairingBook(file, Clock()), file
