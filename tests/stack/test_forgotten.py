"""What Flow has lost meanwhile, or will not take yet: in both lanes, through the real stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from contract_world import BROWSERS, world
from fake_provider import picture
from whole import stack

from flowkit_mcp import Orientation, Project
from flowkit_mcp.providers.flow.housekeeping import HouseKeeping
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
    async with stack(tmp_path, lane=lane) as up:
        project = await Project.create(up.kit, "Harbour")
        video = await project.add_video("Harbour", orientation=H)
        first, second = [await video.add_scene(text) for text in ("A pier", "A boat")]
        assert (await first.execute_generate_image(H)).success
        owner = up.sim.service.account().name
        (theirs,) = [one for one in up.sim.service.projects(owner) if one.title == "Harbour"]
        theirs.deleted = True
        for result in (
            await second.execute_generate_image(H),
            await first.execute_generate_video(H, duration_s=4),
        ):
            assert result.success, result.error
        (again,) = [one for one in up.sim.service.projects(owner) if one.title == "Harbour"]
        assert again.id != theirs.id
        assert up.sim.charged == (await up.kit.status()).spent_credits == 7


async def test_prices_are_read_from_another_project_once_theirs_is_deleted(
    tmp_path: Path,
) -> None:
    """Lane labs shows its catalogue in a project; without it nothing could be sent any more."""
    async with world(tmp_path, BROWSERS["stand-in"], lane="labs") as at:
        assert at.flow.calls.lane == "labs"
        before = (await at.flow.account()).models
        await HouseKeeping(at.flow).delete_project(at.project)
        if not at.sim.service.projects(at.sim.service.account().name):
            at.sim.service.create_project(at.sim.service.account().name, "Another")
        assert (await at.flow.account()).models == before


async def test_an_account_that_has_not_agreed_to_the_upload_terms_is_told_so(
    tmp_path: Path, lane: Lane
) -> None:
    file = tmp_path / "mine.jpg"
    file.write_bytes(picture((320, 180), "mine"))
    async with stack(tmp_path, lane=lane) as up:
        project = await Project.create(up.kit, "Harbour")
        scene = await (await project.add_video("Harbour", orientation=H)).add_scene("A pier")
        await scene.set_image(file, H)
        up.sim.switch(upload_consent=True)
        result = await scene.execute_generate_video(H, duration_s=4)
        assert "Upload one picture by hand in the Flow tab" in (result.error or "")
        up.sim.switch(consent=True)
        result = await scene.execute_generate_video(H, duration_s=4)
        assert result.success, result.error
        assert up.sim.charged == 7
