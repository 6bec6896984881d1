"""The extension as a person gets it: from a package or a folder, before Flow is opened or after.

The browser is one that nobody watches (see also test_quiet.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from chromium import copy_extension
from packed import pack
from quiet_chromium import QuietChromium
from stage import PAGES
from whole import QuickRenderer, free_port

from flowkit_mcp import Orientation, Project
from flowkit_mcp.app import FlowKit
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser


@pytest.fixture(params=["batchexecute", "labs"])
def lane(request: pytest.FixtureRequest) -> Lane:
    return request.param


class Home:
    """A person's FlowKit, and the site that stands for Flow."""

    def __init__(self, sim: Simulator, site: Site, kit: FlowKit) -> None:
        self.site = site
        self._sim = sim
        self._kit = kit
        #: One that the person has made: without any, lane labs shows no prices.
        mine = sim.service.create_project("demo", "Mine")
        self.page = PAGES[sim.service.account().lane] + mine.id

    def code(self) -> str:
        """What `flowkit-mcp pair` prints."""
        book = PairingBook(self._kit.settings.pairing_file, Clock())
        return str(book.issue_code(self._kit.settings.port))

    async def make_a_clip(self) -> None:
        """As soon as FlowKit sees Flow; it is paid once."""
        await self._kit.ready()
        project = await Project.create(self._kit, "Film")
        scene = await (await project.add_video("Film")).add_scene("waves at dusk")
        paid = len(self._sim.ledger())
        clip = await scene.execute_generate_video(Orientation.HORIZONTAL, mode="text", duration_s=4)
        assert clip.success, clip.error
        assert [one.kind for one in self._sim.ledger()[paid:]] == ["charge"]


@asynccontextmanager
async def home(folder: Path, lane: Lane, extension_id: str | None = None) -> AsyncGenerator[Home]:
    async with (
        Simulator.run(folder / "sim", pace=0.02, renderer=QuickRenderer(), lane=lane) as sim,
        Site.run(sim, folder / "site") as site,
        FlowKit.open(
            Settings(
                library=folder / "library",
                port=free_port(),
                simulator=sim.url,
                extension_id=extension_id,
            )
        ) as kit,
        asyncio.timeout(90),
    ):
        yield Home(sim, site, kit)


async def test_a_packed_extension_pairs_and_makes_a_clip(tmp_path: Path, lane: Lane) -> None:
    packed = await pack(tmp_path)
    async with (
        home(tmp_path, lane, packed.id) as at,
        QuietChromium.run(at.site, tmp_path, packed) as browser,
    ):
        await browser.sign_in(at.page)
        await browser.pair(at.code())
        await at.make_a_clip()
        assert packed.installed(tmp_path / "profile")


async def test_loaded_after_flow_was_opened_it_needs_no_reloading_of_the_tab_nor_when_it_is_loaded_anew(
    tmp_path: Path, lane: Lane
) -> None:
    """No alarm comes to help."""
    extension = copy_extension(tmp_path / "extension")
    worker = extension / "background.js"
    text = worker.read_text(encoding="utf-8")
    assert "periodInMinutes: 0.5" in text
    worker.write_text(text.replace("periodInMinutes: 0.5", "periodInMinutes: 5"), encoding="utf-8")
    async with (
        home(tmp_path, lane) as at,
        QuietChromium.run(at.site, tmp_path, bare=True) as browser,
    ):
        await browser.sign_in(at.page)
        await browser.load(extension)
        await browser.pair(at.code())
        await at.make_a_clip()
        await browser.reload_extension()
        await at.make_a_clip()
        loads = [one for one in at.site.requests if one.url == at.page]
        assert len(loads) == 1, "nobody has loaded the page again"
