"""A production on stage: FlowKit, the simulated site, a real Chromium; each can be taken away and brought back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from chromium import Chromium
from playwright.async_api import Page, Playwright
from whole import QuickRenderer, free_port

from flowkit_mcp import Orientation, Project
from flowkit_mcp.app import FlowKit
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import BrowserSeen, Gate, OperationState, ProviderState
from flowkit_mcp.sdk.jobs import GenerationResult, Job
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.site import Site
from flowkit_mcp.simulator.site_hold import Hold
from flowkit_mcp.simulator.state import Lane
from flowkit_mcp.store.operations import operations

PAGES: dict[Lane, str] = {
    "batchexecute": "https://flow.google.com/project/",
    "labs": "https://labs.google/fx/tools/flow/project/",
}
#: In the address of the call that makes a clip from words alone.
CLIP: dict[Lane, str] = {
    "batchexecute": "rpcids=YhhmEf",
    "labs": "batchAsyncGenerateVideoText",
}
MINT = "/recaptcha/enterprise/reload"
PATIENCE_S = 60.0
#: A name that leads to loopback, whatever the port: what DNS rebinding makes of a hostile page's own name.
REBOUND = "rebound.example"


def browser(state: ProviderState) -> BrowserSeen | None:
    """The browser as FlowKit has written it down."""
    return state.checks.browser if state.checks is not None else None


class Stage:
    """`kit` is FlowKit as it runs now; the rest stays for the whole test."""

    def __init__(
        self, sim: Simulator, site: Site, browser: Chromium, settings: Settings, lane: Lane
    ) -> None:
        self.sim = sim
        self.site = site
        self.browser = browser
        self.settings = settings
        self.lane: Lane = lane
        self.tab: Page
        self.code = ""
        self._kit: FlowKit | None = None
        self._open: AsyncExitStack | None = None

    @property
    def kit(self) -> FlowKit:
        assert self._kit is not None, "FlowKit is not running"
        return self._kit

    async def start_server(self) -> None:
        self._open = AsyncExitStack()
        self._kit = await self._open.enter_async_context(FlowKit.open(self.settings))

    async def stop_server(self) -> None:
        """FlowKit ends; what it had sent goes on in the browser."""
        if self._open is not None:
            await self._open.aclose()
        self._kit = self._open = None

    async def pair(self) -> Page:
        self.code = self.new_code()
        return await self.browser.pair(self.code)

    def new_code(self) -> str:
        """What `flowkit-mcp pair` prints."""
        book = PairingBook(self.settings.pairing_file, Clock())
        return str(book.issue_code(self.settings.port))

    @property
    def instance(self) -> str:
        """The id of the browser's profile."""
        return PairingBook(self.settings.pairing_file, Clock()).profiles()[0].instance

    async def told(self, true: Callable[[ProviderState], bool]) -> None:
        """Until FlowKit itself says so of Flow."""
        async with asyncio.timeout(PATIENCE_S):
            version = await self.kit.db.version()
            while (state := await self.kit.provider_state()) is None or not true(state):
                version = await self.kit.db.changed(version, 5)

    async def seen(self) -> None:
        """Until FlowKit knows the account and the browser: two parts of it see to that, each in its time."""
        await self.told(lambda state: state.account is not None and browser(state) is not None)

    async def order_clip(self, prompt: str = "waves at dusk") -> int:
        """The number of a job for one clip from words alone, which is paid."""
        project = await Project.create(self.kit, "Film")
        video = await project.add_video("Film")
        scene = await video.add_scene(prompt, video_prompt=prompt)
        job = await scene.generate_video(Orientation.HORIZONTAL, mode="text", duration_s=4)
        return job.id

    async def result(self, job: int) -> GenerationResult:
        """How a job ended, in whichever FlowKit runs now."""
        async with asyncio.timeout(PATIENCE_S):
            return await Job(self.kit, job).result()

    async def said(self, job: int, words: str) -> None:
        """Until a job says so of itself."""
        async with asyncio.timeout(PATIENCE_S):
            version = await self.kit.db.version()
            while words not in ((await self.kit.job(job)).message or ""):
                version = await self.kit.db.changed(version, 5)

    async def ended(self, job: int) -> OperationState:
        """What the paid call of a job came to."""
        async with asyncio.timeout(PATIENCE_S):
            version = await self.kit.db.version()
            while not (ops := await operations(self.kit.db, job)) or (
                ops[-1].state is OperationState.INTENDED
            ):
                version = await self.kit.db.changed(version, 5)
        return ops[-1].state

    async def stopped(self, job: int) -> None:
        """Until the call of a job was refused, or Flow is seen not to be ready for one, be it for a moment."""
        async with asyncio.timeout(PATIENCE_S):
            version = await self.kit.db.version()
            while True:
                ops = await operations(self.kit.db, job)
                if ops and ops[-1].state is not OperationState.INTENDED:
                    assert ops[-1].state is OperationState.REFUSED, ops[-1]
                    return
                state = await self.kit.provider_state()
                assert state is not None
                seen = browser(state)
                if state.gate is not Gate.OPEN or (seen is not None and not seen.signed_in):
                    return
                version = await self.kit.db.changed(version, 5)

    async def wake(self) -> None:
        """What any click of a person does: the extension's worker starts."""
        panel = await self.browser.panel()
        await panel.close()

    def hold(self, text: str, *, answered: bool = False) -> Hold:
        return self.site.hold(text, answered=answered)

    def check_books(self, calls: int = 1) -> None:
        """So many things were paid for, each once, and both sides say the same."""
        charges = [entry for entry in self.sim.ledger() if entry.kind == "charge" and entry.credits]
        assert Counter(entry.media_id for entry in charges).most_common(1)[0][1] == 1
        assert len(charges) == calls, [entry.media_id for entry in charges]


@asynccontextmanager
async def stage(
    folder: Path,
    playwright: Playwright,
    *,
    lane: Lane = "batchexecute",
    more: Sequence[Path] = (),
    granted: bool = True,
    public: bool = False,
) -> AsyncGenerator[Stage]:
    """Everything up, paired, signed in, the account seen."""
    async with (
        Simulator.run(folder / "simulator", pace=0.02, renderer=QuickRenderer(), lane=lane) as sim,
        Site.run(sim, folder / "site", extra_hosts=("evil.example",), rebound=(REBOUND,)) as site,
        Chromium.run(playwright, site, folder, *more, granted=granted, public=public) as browser,
    ):
        settings = Settings(library=folder / "library", port=free_port(), simulator=sim.url)
        at = Stage(sim, site, browser, settings, lane)
        try:
            await at.start_server()
            # One that the person has made: without any, lane labs shows no prices.
            project = sim.service.create_project("demo", "Mine")
            at.tab = await browser.open_flow(page=PAGES[lane] + project.id)
            panel = await at.pair()
            await at.seen()
            await panel.close()
            yield at
        finally:
            await at.stop_server()
