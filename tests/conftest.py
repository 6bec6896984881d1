"""Fixtures that many rooms share."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fake_provider import FakeProvider

from flowkit_mcp.app import FlowKit
from flowkit_mcp.config import Settings


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
