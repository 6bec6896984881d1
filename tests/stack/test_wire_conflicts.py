"""Where sources contradict each other (flow-wire §10): with both sides on the other position, it works as well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from contract_world import Browser, V, World, world

from flowkit_mcp.providers.base import ImageUpscaleBrief
from flowkit_mcp.providers.flow.housekeeping import HouseKeeping

pytestmark = pytest.mark.e2e  # a simulator, a browser and a bridge each


@pytest.fixture
async def batch(tmp_path: Path, browser: Browser) -> AsyncIterator[World]:
    """Most conflicts are about slots, which only lane `batchexecute` has."""
    async with world(tmp_path, browser, lane="batchexecute", tier="ultra") as made:
        yield made


async def test_an_extension_named_by_its_workflow(batch: World) -> None:
    source = await batch.clip(wanted="veo-lite", duration_s=8)
    batch.sim.switch(extend_source="workflow")
    await batch.start_again("[switches]\nextend_source = 'workflow'\n")
    extension = await batch.clip("extend", extends=source)
    assert batch.wire(extension)["inputs"] == [{"id": source, "use": "source"}]


async def test_an_extension_without_a_scene(batch: World) -> None:
    source = await batch.clip(wanted="veo-lite", duration_s=8)
    with_scene = await batch.clip("extend", extends=source)
    [scene] = batch.sim.service.state.scenes
    assert batch.wire(with_scene)["scene"] == scene
    await batch.start_again("[switches]\nextend_in_scene = false\n")
    without = await batch.clip("extend", extends=source)
    assert batch.wire(without)["scene"] is None
    assert [*batch.sim.service.state.scenes] == [scene]


async def test_the_aspect_in_slot_6_of_an_upscale(batch: World) -> None:
    source = await batch.clip(wanted="veo-lite", duration_s=8)
    batch.sim.switch(upscale_slot_6="aspect")
    await batch.start_again("[switches]\nupscale_slot_6 = 'aspect'\n")
    accepted = await batch.submit(batch.upscale_brief(source, "4K"))
    done = await batch.done(accepted.remote_id)
    assert batch.wire(done.media.remote_id)["height"] == 2160


async def test_other_numbers_for_larger_pictures(batch: World) -> None:
    source = await batch.picture()
    batch.sim.switch(picture_levels="2/3")
    await batch.start_again("[switches]\nimage_upscale_levels = { 2K = 2, 4K = 3 }\n")
    model = batch.model("upscale_image", resolution="2K")
    fields = batch.common(model) | {"source": source, "resolution": "2K"}
    accepted = await batch.submit(ImageUpscaleBrief.model_validate(fields))
    assert batch.wire(accepted.remote_id)["width"] == 2 * batch.wire(source)["width"]


async def test_another_number_for_wide_pictures(batch: World) -> None:
    await batch.start_again("[switches]\nimage_wide = 5\n")
    assert batch.wire(await batch.picture())["aspect"] == 5


async def test_plain_keys_where_those_for_upright_clips_are_gone(batch: World) -> None:
    picked = batch.model("text", wanted="veo-quality", orientation=V)
    assert "_portrait" in picked.key
    batch.sim.switch(portrait_keys="unlisted")
    await batch.start_again("[switches]\nkey_suffixes = 'avoid'\n")
    clip = await batch.clip(wanted="veo-quality", orientation=V)
    assert (batch.wire(clip)["model"], batch.wire(clip)["aspect"]) == ("veo_3_1_t2v", 1)


@pytest.mark.parametrize("spelling", ["plain", "null_first"])
async def test_a_characters_voice_in_either_spelling(batch: World, spelling: str) -> None:
    await batch.start_again(f"[switches]\ncharacter_voice = '{spelling}'\n")
    house = HouseKeeping(batch.flow)
    mai = await house.create_character(batch.project, "Mai")
    await house.give_voice(batch.project, mai, ["kore"])
    [row] = (await house.contents(batch.project)).characters
    assert row.voices == ("kore",)
