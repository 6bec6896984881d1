"""A larger version that is there already costs nothing: Flow's balance, our ledger and the take say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole import stack

from flowkit_mcp import Orientation, Project
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.e2e  # a simulator, a browser and a server

H = Orientation.HORIZONTAL


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_what_exists_is_not_counted_as_paid_again(tmp_path: Path, lane: Lane) -> None:
    async with stack(tmp_path, lane=lane, tier="ultra") as up:
        project = await Project.create(up.kit, "Harbour")
        scene = await (await project.add_video("Harbour", orientation=H)).add_scene("A pier")
        assert (await scene.execute_generate_image(H)).success
        assert (await scene.execute_generate_video(H, model="veo-lite")).success
        for price, paid in ((50, 55), (0, 55)):
            result = await scene.execute_upscale_video(H, resolution="4K", new_take=True)
            assert (result.success, result.credits) == (True, price), result.error
            assert (await up.kit.status()).spent_credits == up.sim.charged == paid
