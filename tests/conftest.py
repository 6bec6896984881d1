"""Fixtures that many rooms share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from fake_provider import FakeProvider
from tally import TALLY

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings

#: What takes longest, longest first: begun late it would keep one core busy while the others have nothing left.
LONG = (
    "crash/test_lane_matrix.py",
    "chaos/test_chaos.py",
    "browser/test_contract_in_chromium.py",
    "e2e/test_demo.py",
    "e2e/test_demo_browser.py",
    "crash/test_lane_walk.py",
    "browser/test_hostile_web.py",
    "browser/test_tabs.py",
    "browser/test_deaths.py",
    "media/test_odd_clips.py",
    "crash/test_kill_matrix.py",
    "stack/test_provider_contract.py",
    "stack/test_provider_errors.py",
    "node/test_inspector.py",
    "sdk/test_every_operation.py",
    "sdk/test_examples.py",
    "media/test_whole_film.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, for `--dist loadfile --no-loadscope-reorder`."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(LONG)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of xdist tells what its crash tests did."""
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["tally"] = TALLY.counts()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; one that died has told nothing."""
    TALLY.add(**getattr(node, "workeroutput", {}).get("tally", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if TALLY.kills:
        terminalreporter.write_line(f"crash: {TALLY}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A library of its own; no environment, no default port."""
    return Settings(library=tmp_path / "library", port=47999)


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
async def kit(settings: Settings, provider: FakeProvider) -> AsyncGenerator[FlowKit]:
    """An open library that works against the scripted provider."""
    async with FlowKit.open(settings, provider=provider) as kit:
        yield kit
