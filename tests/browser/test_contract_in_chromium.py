"""The provider contract once more, through a real Chromium with the real extension, in both lanes.

Left out are accounts that move to the other lane: a person has to open the other site then (`test_lanes.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from contract_world import Browser, World, world
from in_chromium import one_chromium
from test_provider_contract import TestFinding, TestHousekeeping, TestMaking

from flowkit_mcp.providers.base import Brief, Submission

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

#: Chromium gives up after fewer.
COPIES = 6

__all__ = ["TestFinding", "TestHousekeeping", "TestMaking"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with one_chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture(params=["batchexecute", "labs"])
def lane(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest_asyncio.fixture(loop_scope="module")
async def pro(tmp_path: Path, chromium: Browser, lane: str) -> AsyncIterator[World]:
    async with world(tmp_path, chromium, lane=lane) as made:
        _cut_for_good(made)
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def ultra(tmp_path: Path, chromium: Browser, lane: str) -> AsyncIterator[World]:
    async with world(tmp_path, chromium, lane=lane, tier="ultra") as made:
        _cut_for_good(made)
        yield made


def _cut_for_good(made: World) -> None:
    """A cut that a page can feel: Chromium itself sends a request again when a used connection ends, once for each
    other one that it had open, which is more than one on a busy day.

    What the copies may cost is the business of `test_resent_by_the_browser.py`.
    """
    order, submit, faults = made.sim.fault, made.submit, made.sim.service.state

    def fault(rpc: str, kind: Any, times: int = 1, **more: Any) -> None:
        order(rpc, kind, times, **more)
        if kind in ("cut_after", "cut_before"):
            order(rpc, "cut_before", COPIES)

    async def submitted(brief: Brief, ref: str | None = None) -> Submission:
        try:
            return await submit(brief, ref)
        finally:
            faults.faults = [one for one in faults.faults if one.kind != "cut_before"]

    made.sim.fault, made.submit = fault, submitted
