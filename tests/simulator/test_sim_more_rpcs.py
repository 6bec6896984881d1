"""References, extensions, edits, picture upscales, cancelling, deleting, characters in lane batchexecute."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sim_tab import FakeRenderer, Refused, Tab, golden, jpeg, simulator

MID = "22222222-2222-4222-8222-222222222222"
MID_2 = "55555555-5555-4555-8555-555555555555"
PID = "11111111-1111-4111-8111-111111111111"
WID = "33333333-3333-4333-8333-333333333333"


async def golden_args(tab: Tab, rpc: str, ids: dict[str, str]) -> Any:
    """The document's arguments with its dummies replaced by ids of this simulator."""
    text = json.dumps(golden(f"{rpc}_args"))
    token = await tab.token("VIDEO_GENERATION")
    for dummy, ours in {PID: tab.project, "RC": token, **ids}.items():
        text = text.replace(f'"{dummy}"', json.dumps(ours))
    return json.loads(text)


async def test_references_and_voices_of_the_document_are_taken(tmp_path: Path) -> None:
    renderer = FakeRenderer()
    async with simulator(tmp_path, renderer=renderer) as (_, tab):
        first, second = await tab.picture_id("hero"), await tab.picture_id("bicycle")
        args = await golden_args(tab, "MZZa6b", {MID: first, MID_2: second})
        reply = await tab.rpc("MZZa6b", args)
        record = await tab.published(reply[3][0][0])
        told = (await tab.http.get("/sim/state")).json()["media"][-1]
    assert record[5][6][1][0] == ["abra_r2v_8s", 3, [[first], [second]], None, 1]
    assert (told["voices"], told["cost"], told["width"]) == (["charon"], 12, 720)
    [drawn] = [p for p in renderer.pictures if p.prompt == "the hero waves" and p.references][:1]
    assert [reference.label for reference in drawn.references] == ["hero", "bicycle"]


async def test_references_that_do_not_exist_are_dropped_without_a_word(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        reply = await tab.rpc("MZZa6b", await golden_args(tab, "MZZa6b", {}))
        assert reply[3][0][5][6][1][0][2] == []
        known = await tab.picture_id()
        sim.switch(drop_references=True)
        args = await golden_args(tab, "MZZa6b", {MID: known})
        args[0][0][5][4:] = ["other", "seeds"]
        assert (await tab.rpc("MZZa6b", args))[3][0][5][6][1][0][2] == []


async def test_quality_with_references_silently_becomes_text_to_video(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        args = await golden_args(tab, "MZZa6b", {MID: await tab.picture_id()})
        args[0][0][2:4] = ["veo_3_1_t2v", 2]
        assert (await tab.rpc("MZZa6b", args))[3][0][5][6][1][0][:3] == ["veo_3_1_t2v", 1, []]


async def veo_clip(tab: Tab) -> Any:
    """A finished clip that can be extended; its record."""
    return await tab.published(await tab.clip_id(key="veo_3_1_t2v_lite"))


@pytest.mark.parametrize("rule", ["media", "workflow", "either"])
async def test_an_extension_by_the_wrong_kind_of_id_is_charged_and_never_scheduled(
    tmp_path: Path, rule: str
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        source = await veo_clip(tab)
        sim.switch(extend_source=rule)
        for kind, given in (("media", source[0]), ("workflow", source[2])):
            before = sim.charged
            args = await golden_args(tab, "fZytfe", {MID: given})
            args[0][0][5][4:] = [f"seed {kind}", f"tile {kind}"]
            media = (await tab.rpc("fZytfe", args))[3][0][0]
            assert sim.charged == before + 10
            if rule in ("either", kind):
                done = await tab.published(media)
                assert done[5][6][1][0][2] == [[source[0]]]
            else:
                assert (await tab.poll(media))[2][0][5][8] == [6]


async def test_clips_of_omni_cannot_be_extended(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        source = await tab.published(await tab.clip_id())
        before = sim.charged
        with pytest.raises(Refused) as refused:
            await tab.rpc("fZytfe", await golden_args(tab, "fZytfe", {MID: source[0]}))
        assert (refused.value.code, sim.charged) == (3, before)


async def test_an_edit_goes_to_the_tile_of_its_source(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        source = await tab.published(await tab.clip_id())
        args = await golden_args(tab, "jIps6", {MID: source[0], WID: source[2]})
        reply = await tab.rpc("jIps6", args)
        assert reply[2][0][0] == reply[3][0][2] == source[2]
        done = await tab.published(reply[3][0][0])
        assert done[5][6][1][0][2] == [[source[0]]]


@pytest.mark.parametrize(("level", "factor", "tier"), [(1, 2, "pro"), (2, 4, "ultra")])
async def test_a_picture_upscale_is_a_jpeg_of_its_own_id(
    tmp_path: Path, level: int, factor: int, tier: str
) -> None:
    async with simulator(tmp_path, tier=tier) as (sim, tab):
        source = await tab.picture_id()
        ctx = await tab.context("IMAGE_GENERATION")
        ctx[5] = None
        record, data = await tab.rpc("SPrCad", [source, level, ctx])
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.format == "JPEG"
            assert list(picture.size) == record[6][2] == [1376 * factor, 768 * factor]
        assert record[0] != source and record[5][6][3][0][0][2] == source
        assert sim.charged == 0 and sim.ledger()[-1].rpc == "SPrCad"


async def test_picture_upscales_are_refused_by_plan_for_uploads_and_in_bursts(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path, tier="pro") as (sim, tab):

        async def reason(media: str, level: int) -> tuple[int, str | None]:
            with pytest.raises(Refused) as refused:
                await tab.rpc("SPrCad", [media, level, await tab.context("IMAGE_GENERATION")])
            return refused.value.code, refused.value.reason

        source = await tab.picture_id()
        upload = (await tab.upload(base64.b64encode(jpeg()).decode()))[0][0]
        assert await reason(source, 2) == (7, "PUBLIC_ERROR_MODEL_ACCESS_DENIED")
        assert await reason(upload, 1) == (3, None)
        assert await reason(source, 3) == (3, None)
        sim.switch(picture_upscale_burst=1, picture_levels="2/3")
        await tab.rpc("SPrCad", [source, 2, await tab.context("IMAGE_GENERATION")])
        burst = (8, "PUBLIC_ERROR_UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC")
        assert await reason(source, 2) == burst
        sim.switch(tier="free")
        assert await reason(source, 2) == (7, "PUBLIC_ERROR_MODEL_ACCESS_DENIED")


async def test_a_running_clip_can_be_cancelled_and_is_refunded(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        running = await tab.clip_id("[[stuck]]")
        await tab.rpc("CK0Pk", [running])
        assert (await tab.poll(running))[2][0][5][8] == [5]
        assert sim.charged == 0
        with pytest.raises(Refused) as refused:
            await tab.rpc("CK0Pk", [running])
        assert refused.value.reason == "PUBLIC_ERROR_MEDIA_GENERATION_CANNOT_BE_CANCELED"
        with pytest.raises(Refused) as refused:
            await tab.rpc("CK0Pk", [await tab.picture_id()])
        assert refused.value.code == 5


async def test_trash_is_a_mark_and_delete_is_for_good(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        reply = await tab.picture()
        media, tile = reply[0][0][0], reply[0][0][2]
        tiles = [[tile, None, None, [None, None, True], tab.project]]
        await tab.rpc("pGCYOe", [tiles, [["metadata.archived"]]])
        listing = await tab.rpc("Zzl0ze", [f"projects/{tab.project}"])
        assert listing[1][0][3][2] is True and listing[2][0][0] == media
        tiles[0][3][2] = False
        await tab.rpc("pGCYOe", [tiles, [["metadata.archived"]]])
        assert (await tab.rpc("Zzl0ze", [f"projects/{tab.project}"]))[1][0][3][2] is None
        await tab.rpc("pGCYOe", [tiles, [["archived"]]])  # an unknown mask does nothing
        await tab.rpc("cz8Z4b", [[media], None, tab.project])
        assert (await tab.rpc("Zzl0ze", [f"projects/{tab.project}"]))[1:3] == [[], []]
        with pytest.raises(Refused) as refused:
            await tab.rpc("as29s", [media])
        assert refused.value.code == 5


@pytest.mark.parametrize("prefix", ["projects/", ""])
async def test_a_deleted_project_is_gone(tmp_path: Path, prefix: str) -> None:
    async with simulator(tmp_path) as (_, tab):
        media = await tab.picture_id()
        assert await tab.rpc("QI2zvc", [f"{prefix}{tab.project}"]) == []
        assert await tab.rpc("UpteDb", ["projects/*", 20]) == [[]]
        assert (await tab.poll(media))[2] == []


async def test_a_character_gets_a_name_a_voice_a_portrait_and_may_act(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        made = await tab.rpc("C4BZMd", [[tab.project, None, None, [1, "Mira", []]]])
        entity = made[1]
        assert made[0] == tab.project and made[3][1] == "Mira"
        info = [1, "Mira the Bold", [None, [["charon"]], "brave"]]
        masks = ["display_name", "character_info.audio_references", "unknown"]
        args = [[tab.project, entity, None, info], [[f"entity_info.{name}" for name in masks]]]
        changed = await tab.rpc("rzMKMb", args)
        assert changed[3][1:3] == ["Mira the Bold", [[], [["charon"]], None]]
        clip = await golden_args(tab, "MZZa6b", {})
        clip[0][0][9] = [[entity]]
        with pytest.raises(Refused) as refused:
            await tab.rpc("MZZa6b", clip)
        assert refused.value.code == 13, "a character without a portrait"
        slot = [None, None, [entity, [0]]]
        upload = [
            await tab.context("UPLOAD_IMAGE"),
            base64.b64encode(jpeg()).decode(),
            "image/jpeg",
        ]
        portrait = await tab.rpc("maseQ", [*upload, 1, None, None, None, None, "Mira", slot])
        [listed] = (await tab.rpc("Zzl0ze", [f"projects/{tab.project}"]))[5]
        assert listed[4] == portrait[0][0] and listed[3][2][0] == [[portrait[0][2]]]
        clip = await golden_args(tab, "MZZa6b", {})
        clip[0][0][9] = [[entity]]
        await tab.rpc("MZZa6b", clip)
        told = (await tab.http.get("/sim/state")).json()["media"][-1]
        assert told["characters"] == [entity]
        await tab.rpc("cz8Z4b", [None, None, tab.project, [entity]])
        assert (await tab.rpc("Zzl0ze", [f"projects/{tab.project}"]))[5] == []
