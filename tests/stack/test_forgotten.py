"""What Flow has lost meanwhile, or will not take yet: in both lanes, through the real stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_provider import picture
from whole import stack

from flowkit_mcp import Orientation, Project
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.e2e  # a simulator, a browser and a server

H = Orientation.HORIZONTAL


@pytest.fixture(params=["batchexecute", "labs"])
def lane(request: pytest.FixtureRequest) -> Lane:
    return request.param


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)


async def test_a_project_that_the_person_deleted_in_the_tab_is_made_anew(
    tmp_path: Path, lane: Lane
) -> None:
    async with stack(tmp_path, lane=lane) as world:
        project = await Project.create(world.kit, "Harbour")
        video = await project.add_video("Harbour", orientation=H)
        first, second = [await video.add_scene(text) for text in ("A pier", "A boat")]
        assert (await first.execute_generate_image(H)).success
        owner = world.sim.service.account().name
        (theirs,) = [one for one in world.sim.service.projects(owner) if one.title == "Harbour"]
        theirs.deleted = True
        for result in (
            await second.execute_generate_image(H),
            await first.execute_generate_video(H, duration_s=4),
        ):
            assert result.success, result.error
        (again,) = [one for one in world.sim.service.projects(owner) if one.title == "Harbour"]
        assert again.id != theirs.id
        assert world.sim.charged == (await world.kit.status()).spent_credits == 7


async def test_an_account_that_has_not_agreed_to_the_upload_terms_is_told_so(
    tmp_path: Path, lane: Lane
) -> None:
    file = tmp_path / "mine.jpg"
    file.write_bytes(picture((320, 180), "mine"))
    async with stack(tmp_path, lane=lane) as world:
        project = await Project.create(world.kit, "Harbour")
        scene = await (await project.add_video("Harbour", orientation=H)).add_scene("A pier")
        await scene.set_image(file, H)
        world.sim.switch(upload_consent=True)
        result = await scene.execute_generate_video(H, duration_s=4)
        assert "Upload one picture by hand in the Flow tab" in (result.error or "")
        world.sim.switch(consent=True)
        result = await scene.execute_generate_video(H, duration_s=4)
        assert result.success, result.error
        assert world.sim.charged == 7
