"""A production in all the states a storyboard has to show, and the studio that shows it.

The provider is the scripted one. With `drawn`, its pictures are the simulator's, for people to look at.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_provider import Accepted, FakeProvider

from flowkit_mcp import FlowKit, Job, Orientation, Project, Scene, SceneDraft
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import EntityType, JobState
from flowkit_mcp.errors import GenerationFailed
from flowkit_mcp.providers.base import ImageBrief, RemoteMedia
from flowkit_mcp.sdk.project import Video
from flowkit_mcp.server.studio import Studio, studio
from flowkit_mcp.simulator.draw_specs import PictureSpec
from flowkit_mcp.simulator.render import Renderer

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL
SIZES = {H: (768, 432), V: (432, 768)}
SCENES = (
    SceneDraft(
        "Dusk at Gull Point: Mira and Tock have lit the lamp and look out over the sea.",
        characters=("Mira", "Tock"),
    ),
    SceneDraft(
        "A small boat far out turns its bow towards the light.",
        narration="She had never seen it from so far away.",
    ),
    SceneDraft(
        "Night at Gull Point, full of stars: Mira and Tock keep the light burning.",
        characters=("Mira", "Tock"),
    ),
    SceneDraft(
        "Rain and wind on the stairs, Tock carries the oil up step by step.", characters=("Tock",)
    ),
    SceneDraft(
        "A clear morning: the little boat is safe in the bay, Mira waves to it.",
        characters=("Mira",),
        continues="3",
    ),
    SceneDraft("Gulls over the bay, the lamp goes out.", narration="And then it was day."),
)


@dataclass
class Painter(FakeProvider):
    """The scripted provider; `drawn`: with pictures worth looking at. What `held` names stays at work."""

    drawn: bool = False
    held: set[str] = field(default_factory=set[str])
    renderer: Renderer = field(default_factory=Renderer)

    async def poll(self, *asked: Any) -> Any:
        found = dict(await super().poll(*asked))
        for line in self.ledger:
            if line.remote_id in self.held:
                found.pop(line.remote_id, None)
        return found

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        line = next(line for line in self.ledger if line.remote_id == media.remote_id)
        if self.drawn and isinstance(line.brief, ImageBrief):
            to.write_bytes(await self._draw(line))
        elif self.drawn:
            await self._film(line, to)
        else:
            await super().fetch(media, to)

    async def _draw(self, line: Accepted) -> bytes:
        width, height = SIZES[line.brief.orientation]
        seed = int(line.client_ref[:6], 16)
        return await self.renderer.picture(PictureSpec(line.brief.prompt, width, height, seed))

    async def _film(self, line: Accepted, to: Path) -> None:
        from flowkit_mcp.simulator.draw_specs import ClipSpec

        width, height = SIZES[line.brief.orientation]
        seed = int(line.client_ref[:6], 16)
        start = await self._draw(line)
        await self.renderer.clip(
            ClipSpec(line.brief.prompt, width, height, 2, seed, start, None), to
        )


@dataclass
class World:
    kit: FlowKit
    provider: Painter
    video: Video
    studio: Studio
    #: What is to be shut before the studio is: a page that still asks it for news would complain.
    visitors: AsyncExitStack

    @property
    def project(self) -> str:
        return self.video.project.id

    async def scene(self, number: int) -> Scene:
        return await self.video.scene(number)


@asynccontextmanager
async def world(
    folder: Path, *, drawn: bool = False, scenes: int = 3, both: bool = False
) -> AsyncGenerator[World]:
    """A project with a cast, a video with so many scenes, nothing made yet; and a studio that shows it."""
    provider = Painter(drawn=drawn)
    settings = Settings(library=folder / "library", port=free_ports(1)[0])
    async with FlowKit.open(settings, provider=provider) as kit:
        version = await kit.db.version()
        while (state := await kit.provider_state()) is None or state.account is None:
            version = await kit.db.changed(version, 5)
        project = await Project.create(
            kit, "The Light at Gull Point", style="Storybook illustration"
        )
        await project.add_character(
            "Mira", description="a girl of ten in a yellow raincoat, a red scarf"
        )
        await project.add_character("Tock", description="a small teal robot with amber eyes")
        place = "a white lighthouse with red stripes by the sea"
        await project.add_character(
            "Gull Point", entity_type=EntityType.LOCATION, description=place
        )
        video = await project.add_video(
            "A Light for the Little Boat", orientation=None if both else H
        )
        await video.add_scenes(SCENES[:scenes])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with studio(kit, listener) as running:
                async with AsyncExitStack() as visitors:
                    visitors.push_async_callback(provider.renderer.aclose)
                    yield World(kit, provider, video, running, visitors)


async def done(job: Job) -> None:
    result = await job.result()
    assert result.success, result.error


async def references(at: World) -> None:
    project = await Project.get(at.kit, at.project)
    for one in await project.get_characters():
        await done(await one.generate_image(project.id, style="Storybook illustration"))


async def images(at: World, *numbers: int, side: Orientation = H) -> None:
    for number in numbers:
        await done(await (await at.scene(number)).generate_image(side))


async def clips(at: World, *numbers: int, side: Orientation = H) -> None:
    for number in numbers:
        await done(await (await at.scene(number)).generate_video(side, mode="start"))


async def everything_at_once(at: World) -> None:
    """Scene 1 is done, with two takes; 2 has a clip that is being made; 3 a stale one; 4 one that failed; 5 needs its
    person; 6 has nothing.
    """
    await references(at)
    await images(at, 1, 2, 3, 4, 5)
    await clips(at, 1, 3)
    first = await at.scene(1)
    await done(await first.generate_video(H, mode="start", new_take=True))
    await done(await (await at.scene(3)).generate_image(H, new_take=True))
    at.provider.script = [None]
    at.provider.on_accept = lambda line: setattr(
        line, "error", GenerationFailed("Flow ended it after it was accepted", charged="refunded")
    )
    failed = await (await at.scene(4)).generate_video(H, mode="start")
    await failed.result()
    at.provider.on_accept = None
    at.provider.can_look_up = False
    at.provider.script = [FakeProvider.LOSE]
    unknown = await (await at.scene(5)).generate_video(H, mode="start")
    await reaches(at, unknown, JobState.NEEDS_ATTENTION)
    at.provider.on_accept = lambda line: at.provider.held.add(line.remote_id)
    going = await (await at.scene(2)).generate_video(H, mode="start")
    await reaches(at, going, JobState.WAITING)
    at.provider.on_accept = None


async def reaches(at: World, job: Job, state: JobState) -> None:
    version = await at.kit.db.version()
    async with asyncio.timeout(20):
        while (await at.kit.job(job.id)).state is not state:
            version = await at.kit.db.changed(version, 5)
