from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fake_provider import FakeProvider

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))  # a client to talk to the tools

from publish_world import FAST, PublishWorld, film_in

from flowkit_mcp.app import FlowKit
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.publish.auth import signins_of
from flowkit_mcp.simulator.youtube import LocalYouTube
from flowkit_mcp.work import publish, publish_line


@pytest.fixture
async def publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[PublishWorld]:
    monkeypatch.setattr(publish, "Pace", lambda: FAST)
    monkeypatch.setattr(publish_line, "REPORT_EVERY_S", 0.02)
    async with LocalYouTube.run(tmp_path / "youtube") as youtube:
        settings = Settings(library=tmp_path / "library", port=47999, youtube=youtube.url)
        signins = signins_of(settings)
        channel = await asyncio.to_thread(
            signins.enter_stand_in, Clock().now(), "stand-in", name="Stand-in channel"
        )
        async with FlowKit.open(settings, provider=FakeProvider()) as kit:
            video, render, path = await film_in(kit)
            yield PublishWorld(kit, youtube, video, render, channel.id, path)
