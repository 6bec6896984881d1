"""An account that Flow moves between its two pages while a film is being made."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole import stack

from flowkit_mcp import Orientation, Project

pytestmark = pytest.mark.e2e  # a simulator, a browser and a server

H = Orientation.HORIZONTAL


async def test_the_jobs_go_on_in_the_other_lane_and_every_clip_is_paid_once(tmp_path: Path) -> None:
    async with stack(tmp_path, lane="labs") as world:
        project = await Project.create(world.kit, "Film")
        video = await project.add_video("Film")
        for number, lane in enumerate(("batchexecute", "labs"), 1):
            scene = await video.add_scene(f"A lamp, {number}", video_prompt="it glows")
            image = await scene.execute_generate_image(H)
            assert image.success, image.error
            world.sim.switch(lane=lane)
            clip = await scene.execute_generate_video(H, duration_s=4)
            assert clip.success, clip.error
        charges = [line for line in world.sim.ledger() if line.credits]
        assert [line.rpc for line in charges] == ["eb1hJf", "eb1hJf"]
        assert (await world.kit.status()).spent_credits == world.sim.charged == 14
