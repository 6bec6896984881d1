"""What the provider contract runs in: a simulator, a bridge, a browser of the test's choice, and the provider.

The seam for other browsers is `Browser`: something that, given a `Place`, connects a browser profile to the bridge and
keeps it there until its context ends. `BROWSERS` names the ways there are; the fixture `browser` of the contract tests
is parametrized by it, so that a new way (real Chromium with the extension) is one more row and no other change.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fake_provider import picture
from whole import QuickRenderer

from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook, PairingCode
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Account, MediaKind, Model, Orientation
from flowkit_mcp.providers.base import (
    Brief,
    Done,
    Failed,
    ImageBrief,
    Pending,
    Progress,
    SentCall,
    Submission,
    UpscaleBrief,
    VideoBrief,
)
from flowkit_mcp.providers.flow.catalogue import choose
from flowkit_mcp.providers.flow.provider import FlowProvider
from flowkit_mcp.providers.flow.table import Table, usable
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.browser import StandInBrowser

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Place:
    """What a browser is given: the running simulator, a pairing code not yet used, a folder of its own."""

    sim: Simulator
    code: PairingCode
    folder: Path


#: Yields what `FlowProvider` must be told to fetch media as this browser's Flow hands them out: `{"simulator": url}`
#: for the simulator's own address, `{"media_hosts": …}` where it is served under other names. The profile need not
#: be connected yet; the contract waits until Flow shows up signed in.
Browser = Callable[[Place], AbstractAsyncContextManager[dict[str, Any]]]


@asynccontextmanager
async def stand_in(place: Place) -> AsyncGenerator[dict[str, Any]]:
    """The simulator's own stand-in for the extension."""
    browser = StandInBrowser(simulator=place.sim.url, code=place.code, profile=place.folder)
    browsing = asyncio.create_task(browser.run())
    try:
        yield {"simulator": place.sim.url}
    finally:
        browsing.cancel()
        await asyncio.wait([browsing])


BROWSERS: dict[str, Browser] = {"stand-in": stand_in}


class MovableClock(Clock):
    """The provider's clock; Flow's own goes on as it is."""

    ahead_s = 0.0

    def now(self) -> int:
        return super().now() + int(self.ahead_s * 1000)


class World:
    """One account at work in one lane."""

    def __init__(
        self,
        sim: Simulator,
        host: BridgeHost,
        changed: asyncio.Event,
        folder: Path,
        options: dict[str, Any],
    ) -> None:
        self.clock = MovableClock()
        self._folder = folder
        self._options = options
        self.sim = sim
        self.host = host
        self.flow = FlowProvider(host, clock=self.clock, **options)
        self.changed = changed
        self.project = ""
        self.account: Account
        self.facts: Table | None = None
        self._seed = 0

    async def start_again(self, facts: str = "") -> None:
        """A provider that remembers nothing, with `facts` as the library's own file of facts."""
        await self.flow.aclose()
        file = self._folder / "flow.toml"
        file.write_text(facts, encoding="utf-8")
        self.facts = usable(file)
        self.flow = FlowProvider(self.host, clock=self.clock, overrides=file, **self._options)
        self.account = await self.flow.account()

    async def aclose(self) -> None:
        await self.flow.aclose()

    @property
    def lane(self) -> str:
        lane = self.flow.lane
        assert lane is not None
        return lane

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so; the host says when it may have become so."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    def model(self, mode: str, **wanted: Any) -> Model:
        wanted = {"wanted": None, "duration_s": None, "orientation": H, "resolution": None} | wanted
        return choose(self.account.models, mode, facts=self.facts, **wanted)

    def common(self, model: Model, orientation: Orientation = H) -> dict[str, Any]:
        """What every brief has; a seed never used before."""
        self._seed += 1
        return {
            "project": self.project,
            "model": model.key,
            "orientation": orientation,
            "credits": model.credits or 0,
            "seed": self._seed,
        }

    def clip_brief(self, mode: str, prompt: str = "waves at dusk", **given: Any) -> VideoBrief:
        choice = {
            name: given.pop(name)
            for name in ("wanted", "duration_s", "resolution")
            if name in given
        }
        orientation = given.pop("orientation", H)
        model = self.model(mode, orientation=orientation, **choice)
        fields = self.common(model, orientation) | {"mode": mode, "prompt": prompt} | given
        return VideoBrief.model_validate(fields)

    def picture_brief(self, prompt: str = "a red bicycle", **given: Any) -> ImageBrief:
        orientation = given.pop("orientation", H)
        model = self.model("image", orientation=orientation, wanted=given.pop("wanted", None))
        return ImageBrief.model_validate(
            self.common(model, orientation) | {"prompt": prompt} | given
        )

    def upscale_brief(self, source: str, resolution: str, **choice: Any) -> UpscaleBrief:
        model = self.model("upscale", resolution=resolution, **choice)
        fields = self.common(model) | {"source": source, "resolution": resolution}
        return UpscaleBrief.model_validate(fields)

    async def submit(self, brief: Brief, ref: str | None = None) -> Submission:
        return await self.flow.submit(brief, ref or self.flow.new_client_ref(), self.flow.via)

    async def picture(self, prompt: str = "a red bicycle", **given: Any) -> str:
        """The id of a picture that is there."""
        return (await self.submit(self.picture_brief(prompt, **given))).remote_id

    async def ended(self, remote_id: str, media: MediaKind = MediaKind.VIDEO) -> Progress:
        """Poll, as fast as the simulator allows, until the job has ended."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                progress = (await self.flow.poll([remote_id], media)).get(remote_id)
                if progress is not None and not isinstance(progress, Pending):
                    return progress
                await asyncio.sleep(0.01)  # the pause of any poll

    async def done(self, remote_id: str, media: MediaKind = MediaKind.VIDEO) -> Done:
        progress = await self.ended(remote_id, media)
        assert isinstance(progress, Done), progress
        return progress

    async def failed(self, remote_id: str) -> Failed:
        progress = await self.ended(remote_id)
        assert isinstance(progress, Failed), progress
        return progress

    async def clip(self, mode: str = "text", prompt: str = "waves at dusk", **given: Any) -> str:
        """The id of a clip that is done."""
        accepted = await self.submit(self.clip_brief(mode, prompt, **given))
        return (await self.done(accepted.remote_id)).media.remote_id

    async def fetched(self, remote_id: str, media: MediaKind, to: Path) -> bytes:
        done = await self.done(remote_id, media)
        await self.flow.fetch(done.media, to)
        return to.read_bytes()

    def lost(self, brief: Brief, ref: str, **known: Any) -> SentCall:
        """What the ledger knows of a call whose reply is missing."""
        fields: dict[str, Any] = {
            "client_ref": ref,
            "via": self.flow.via,
            "age_s": 5.0,
            "media": brief.media,
            "project": self.project,
            "prompt": getattr(brief, "prompt", None),
            "seed": brief.seed,
            "sent_at": Clock().now() - 5000,
        }
        return SentCall.model_validate(fields | known)

    def wire(self, media_id: str) -> dict[str, Any]:
        """What the simulator itself knows of a medium: what arrived, not what was sent."""
        return json.loads(self.sim.service.state.media[media_id].model_dump_json())


@asynccontextmanager
async def world(
    folder: Path, browser: Browser, *, lane: str, tier: str = "pro", credits: int | None = None
) -> AsyncGenerator[World]:
    """Everything up and signed in, with one project and the account read."""
    changed = asyncio.Event()
    book = PairingBook(folder / "pairing.json", Clock())
    host = BridgeHost(
        port=0,
        book=book,
        clock=Clock(),
        generation=1,
        version="test",
        library="contract",
        simulated=True,
        changed=changed.set,
    )
    plan: dict[str, Any] = {"lane": lane, "tier": tier, "credits": credits}
    async with contextlib.AsyncExitStack() as stack:
        running = Simulator.run(folder / "flow", pace=0.02, renderer=QuickRenderer(), **plan)
        sim = await stack.enter_async_context(running)
        await host.start()
        stack.push_async_callback(host.aclose)
        place = Place(sim, book.issue_code(host.port), folder / "profile")
        options = await stack.enter_async_context(browser(place))
        made = World(sim, host, changed, folder, options)
        stack.push_async_callback(made.aclose)
        await made.until(lambda: host.flow is not None and host.flow.signed_in)
        made.project = await made.flow.create_project("Contract")
        made.account = await made.flow.account()
        yield made


def png(folder: Path, name: str = "ref.png") -> Path:
    """A small picture of the person's own."""
    path = folder / name
    path.write_bytes(picture((64, 36), name))
    return path
