"""One picture, and one clip that starts from it. In another terminal: `flowkit-mcp simulate`."""

import asyncio
import os

from flowkit_mcp import FlowKit, Orientation, Project, Settings

# Without this line it is your own Flow, and your own credits: FlowKit.open() alone.
SIMULATED = Settings.load({"FLOWKIT_SIMULATOR": "http://127.0.0.1:47816"} | os.environ)


async def main() -> None:
    async with FlowKit.open(SIMULATED) as kit:
        await kit.ready()
        video = await (await Project.create(kit, "Lighthouse")).add_video("Lighthouse")
        scene = await video.add_scene("A lamp is lit in a lighthouse by the sea at dusk")
        for step in (scene.execute_generate_image, scene.execute_generate_video):
            made = await step(Orientation.HORIZONTAL)
            print(made.path if made.success else made.error)


if __name__ == "__main__":
    asyncio.run(main())
