"""The extension installed from a package, in a browser that nobody watches (see also test_quiet.py)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from packed import pack
from quiet_chromium import QuietChromium
from stage import PAGES
from whole import free_port

from flowkit_mcp import Orientation, Project
from flowkit_mcp.app import FlowKit
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site

pytestmark = pytest.mark.browser


async def test_a_packed_extension_pairs_and_makes_a_clip(
    tmp_path: Path, simulator: Simulator, site: Site
) -> None:
    packed = await pack(tmp_path)
    settings = Settings(
        library=tmp_path / "library",
        port=free_port(),
        simulator=simulator.url,
        extension_id=packed.id,
    )
    async with (
        QuietChromium.run(site, tmp_path, packed) as browser,
        FlowKit.open(settings) as kit,
        asyncio.timeout(90),
    ):
        book = PairingBook(settings.pairing_file, Clock())
        await browser.sign_in(PAGES["batchexecute"] + "first")
        await browser.pair(str(book.issue_code(settings.port)))
        await kit.ready()
        project = await Project.create(kit, "Film")
        scene = await (await project.add_video("Film")).add_scene("waves at dusk")
        clip = await scene.execute_generate_video(Orientation.HORIZONTAL, mode="text", duration_s=4)
        assert clip.success, clip.error
        assert [one.kind for one in simulator.ledger()] == ["charge"]
        assert packed.installed(tmp_path / "profile")
