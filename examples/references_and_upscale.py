"""Clips without a first frame, a clip that goes on, larger versions; and the price of each before it is spent.

In another terminal: `flowkit-mcp simulate`.
"""

import asyncio
import os
import sys

from flowkit_mcp import FlowKit, FlowLibrary, Job, Orientation, Planned, Project, Settings
from flowkit_mcp.errors import InvalidSetting

# Without this line it is your own Flow, and your own credits: FlowKit.open() alone.
SIMULATED = Settings.load({"FLOWKIT_SIMULATOR": "http://127.0.0.1:47816"} | os.environ)
WIDE = Orientation.HORIZONTAL
MOST = 40  #: credits that this program may spend


async def main() -> None:
    async with FlowKit.open(SIMULATED) as kit:
        await kit.ready()
        purse = Purse(kit, MOST)
        project = await Project.create(kit, "The Robot", style="paper cut-out")
        bolt = await project.add_character("Bolt", description="a small round robot, blue enamel")
        await purse.buy(await bolt.plan_image(project.id, style=project.row.style))
        video = await project.add_video("The Robot", orientation=WIDE)
        first = await video.add_scene("Bolt waters a plant on a windowsill", characters=[bolt.id])
        second = await video.add_scene("The plant bursts into flower", continues=1)
        draft = await video.add_scene("Night falls over the roofs of a town")

        # From pictures of the cast, with a voice; by a family whose clips can go on afterwards.
        await purse.buy(await first.plan_video(WIDE, mode="references", model="veo-lite"))
        await purse.buy(await second.plan_video(WIDE, mode="extend"))
        # From words alone, as a cheap draft, then larger.
        await purse.buy(await draft.plan_video(WIDE, mode="text", resolution="360p", duration_s=4))
        await purse.buy(await draft.plan_upscale(WIDE, resolution="720p"))
        # What the plan does not include is refused before any call, with what there is instead.
        try:
            await first.plan_upscale(WIDE, resolution="4K")
        except InvalidSetting as error:
            print(error)
        # A picture for the poster.
        await purse.buy(await first.plan_image(WIDE))
        await purse.buy(await first.plan_image_upscale(WIDE, resolution="2K"))

        for place in await FlowLibrary(kit).list_projects():
            print(f"in Flow: {place.title}")


class Purse:
    """Looks at the price of a plan before it is carried out."""

    def __init__(self, kit: FlowKit, credits: int) -> None:
        self.kit = kit
        self.left = credits

    async def buy(self, planned: Planned) -> None:
        if planned.credits > self.left:
            sys.exit(f"{planned.what} costs {planned.credits} credits, {self.left} are left")
        result = await Job.execute(self.kit, planned)
        if not result.success:
            sys.exit(result.error)
        self.left -= result.credits or 0
        print(f"{planned.what}: {result.credits} credits, {result.path}")


if __name__ == "__main__":
    asyncio.run(main())
