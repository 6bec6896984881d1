"""A plain script does everything that Flow can, in both ways, with no server: simulator, browser, bridge, codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stack.whole import stack

from flowkit_mcp import (
    Character,
    FlowLibrary,
    GenerationResult,
    Orientation,
    Project,
    Scene,
    SceneDraft,
    Video,
)
from flowkit_mcp.domain.models import Stage
from flowkit_mcp.errors import Conflict, InvalidSetting, NotFound
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.e2e  # a simulator and a browser each

H = Orientation.HORIZONTAL


class Doer:
    """Calls an operation in one of its two ways and insists that it succeeds."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.done: list[str] = []

    async def __call__(
        self, thing: Character | Scene | Video, name: str, *args: Any, **options: Any
    ) -> GenerationResult:
        if self.how == "direct":
            result = await getattr(thing, f"execute_{name}")(*args, **options)
        else:
            result = await (await getattr(thing, name)(*args, **options)).result(60)
        assert result.success, (name, result.error)
        assert result.path is not None and result.path.is_file(), name
        assert result.url == result.path.as_uri()
        self.done.append(name)
        return result


def operations(kind: type) -> set[str]:
    return {name.removeprefix("execute_") for name in dir(kind) if name.startswith("execute_")}


@pytest.mark.parametrize(
    ("how", "lane"), [("direct", "batchexecute"), ("queue", "batchexecute"), ("direct", "labs")]
)
async def test_a_script_makes_everything(tmp_path: Path, how: str, lane: Lane) -> None:
    do = Doer(how)
    async with stack(tmp_path, lane=lane) as world:
        project = await Project.create(world.kit, "Harbour", style="storybook")
        mai = await project.add_character("Mai", description="a girl in a yellow coat")
        await do(mai, "generate_image", project.id, style=project.row.style)
        await do(mai, "edit_image", project.id, "a red coat")
        video = await project.add_video("Harbour", orientation=H)
        first, second, third = await video.add_scenes(
            [
                SceneDraft("Mai at the pier", characters=["Mai"]),
                SceneDraft("Mai looks up", characters=["Mai"], continues=1),
                SceneDraft("Rain on the sea"),
            ]
        )
        await do(first, "generate_image", H)
        await do(first, "edit_image", H, "make it rain")
        picture = await do(first, "upscale_image", H)
        await do(first, "generate_video", H, mode="start", model="veo-lite")
        larger = await do(first, "upscale_video", H)
        refs = await do(second, "generate_video_refs", H, duration_s=4, voices=["kore"])
        extended = await do(second, "generate_video", H, mode="extend", new_take=True)
        await do(third, "generate_video", H, mode="text", resolution="360p", duration_s=4)
        small = await do(third, "upscale_video", H, resolution="720p")
        film = await do(video, "merge", H)

        made = operations(Video) - {"publish"}  # makes no media; tests/publish has it in both ways
        assert set(do.done) == operations(Character) | operations(Scene) | made
        takes = {take.id: take for take in await second.takes(H, Stage.VIDEO)}
        assert takes[refs.take_id or ""].params["voices"] == ["kore"]
        assert takes[refs.take_id or ""].params["mode"] == "references"
        assert takes[extended.take_id or ""].selected and film.render_id
        slot = await first.orientation_slot(H)
        assert (slot.image_upscale.path, slot.upscale.path) == (picture.path, larger.path)
        assert (await third.orientation_slot(H)).upscale.path == small.path
        assert world.sim.charged == 10 + 7 + 10 + 4
        assert (await world.kit.status()).spent_credits == world.sim.charged
        sent = [line.model for line in world.sim.ledger() if line.model.startswith("abra_r2v")]
        assert sent == ["abra_r2v_4s"]


async def test_a_plan_with_4k_makes_4k(tmp_path: Path) -> None:
    async with stack(tmp_path, tier="ultra") as world:
        video = await (await Project.create(world.kit, "P")).add_video("V", orientation=H)
        scene = await video.add_scene("A lamp is lit")
        assert (await scene.execute_generate_image(H)).success
        assert (await scene.execute_generate_video(H, model="veo-lite")).success
        prices = [
            (await scene.plan_upscale(H, resolution="4K")).credits,
            (await scene.plan_image_upscale(H, resolution="4K")).credits,
        ]
        assert (await scene.execute_upscale_image(H, resolution="4K")).success
        clip = await scene.execute_upscale_video(H, resolution="4K")
        assert clip.success and (clip.media_id or "").endswith("_4k_upsampled")
        assert prices == [50, 0] and world.sim.charged == 5 + 50
        assert (await world.kit.status()).spent_credits == world.sim.charged


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_what_lies_in_flow_is_seen_and_tidied(tmp_path: Path, lane: Lane) -> None:
    async with stack(tmp_path, lane=lane) as world:
        flow = FlowLibrary(world.kit)
        project = await Project.create(world.kit, "Harbour")
        with pytest.raises(NotFound, match="nothing in this Flow account yet"):
            await flow.contents("Harbour")
        video = await project.add_video("Harbour", orientation=H)
        scene = await video.add_scene("A lamp is lit")
        made = await scene.execute_generate_image(H)
        (place,) = [one for one in await flow.list_projects() if one.title == "Harbour"]
        (tile,) = await flow.contents("Harbour")
        assert [(media.kind, media.id) for media in tile.media if media.shown] == [
            ("image", made.media_id)
        ]
        await flow.rename("Harbour", tile.id, "The lamp")
        await flow.trash("Harbour", tile.id)
        (tile,) = await flow.contents(place.id)
        assert (tile.title, tile.trashed) == ("The lamp", True)
        await flow.restore("Harbour", tile.id)
        assert not (await flow.contents("Harbour"))[0].trashed
        await flow.rename_project("Harbour", "Port")
        with pytest.raises(InvalidSetting, match="needs items"):
            await flow.trash("Harbour")
        with pytest.raises(Conflict, match="called 'Port'"):
            await flow.delete_project(place.id, title="Harbour")
        await flow.delete_project(place.id, title="Port")
        assert place.id not in [one.id for one in await flow.list_projects()]
        assert made.path is not None and made.path.is_file(), "our own files stay"
        assert (await scene.execute_generate_image(H, new_take=True)).success, "a new place is made"
        assert world.sim.charged == 0
