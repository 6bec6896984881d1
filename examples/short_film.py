"""A film of three scenes that go over into each other, upright and wide, with one girl who looks the same throughout.

Everything goes into the queue, and this program waits for it; stop it at any time and start it again: what is paid for
is found, and nothing is paid twice. In another terminal: `flowkit-mcp simulate`.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Iterable

from flowkit_mcp import FlowKit, GenerationResult, Job, Orientation, Project, SceneDraft, Settings
from flowkit_mcp import Video as Film
from flowkit_mcp.errors import NotFound

# Without this line it is your own Flow, and your own credits: FlowKit.open() alone.
SIMULATED = Settings.load({"FLOWKIT_SIMULATOR": "http://127.0.0.1:47816"} | os.environ)

STORY = [
    SceneDraft(
        "Mai carries a lantern down to the sea",
        video_prompt="0-2s: she walks down the steps. 2-4s: she holds the lantern up",
        characters=["Mai"],
    ),
    SceneDraft("Mai steps into a small boat", characters=["Mai"], continues=1),
    SceneDraft("Mai rows out, the lantern glows on the water", characters=["Mai"], continues=2),
]


async def main() -> None:
    async with FlowKit.open(SIMULATED) as kit:
        account = await kit.ready()
        print(f"{account.tier}, {account.credits} credits")
        film = await begin(kit)
        scenes = await film.get_scenes()
        project = await Project.get(kit, film.project.id)

        # Whoever is in a scene needs a picture first.
        await all_of(
            one.generate_image(project.id, style=project.row.style)
            for one in await project.get_characters()
        )
        # A scene that continues another starts from that one's picture: these are made one after the other.
        for scene in scenes:
            await all_of(scene.generate_image(side) for side in Orientation)
        # The clips only need the pictures: all of them at once.
        await all_of(
            scene.generate_video(side, duration_s=4) for scene in scenes for side in Orientation
        )
        for result in await all_of(film.merge(side) for side in Orientation):
            print(result.path)
        print(f"{(await kit.status()).spent_credits} credits spent in this library")


async def begin(kit: FlowKit) -> Film:
    """The film as it stands from an earlier run, or a new one."""
    try:
        return await Film.get(kit, "The Lantern")
    except NotFound:
        pass
    project = await Project.create(kit, "The Lantern", style="watercolour, soft evening light")
    await project.add_character(
        "Mai", description="a girl of ten in a yellow raincoat", voice_description="clear, quiet"
    )
    film = await project.add_video("The Lantern")
    await film.add_scenes(STORY)
    return film


async def all_of(asked: Iterable[Awaitable[Job]]) -> list[GenerationResult]:
    """Put everything into the queue, then wait for all of it; ends the program if anything failed."""
    jobs = [await one for one in asked]
    results = [await job.result() for job in jobs]
    failed = [f"job {result.job_id}: {result.error}" for result in results if not result.success]
    if failed:
        sys.exit("\n".join(failed))
    print(f"{len(jobs)} done")
    return results


if __name__ == "__main__":
    asyncio.run(main())
