"""The simulator's replies against the golden payloads that were typed from flow-wire.md."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sim_tab import FakeRenderer, Refused, frames, golden, jpeg, simulator

PID = "11111111-1111-4111-8111-111111111111"
MID = "22222222-2222-4222-8222-222222222222"
WID = "33333333-3333-4333-8333-333333333333"
SEED_A = "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"
SEED_B = "BBBBBBBB-BBBB-4BBB-8BBB-BBBBBBBBBBBB"


def differences(wanted: Any, got: Any, at: str = "") -> list[str]:
    """Where two payloads differ in the types of their slots. Lists of records are compared by their first."""
    if isinstance(wanted, list) and isinstance(got, list):
        if _is_stamp(wanted) and _is_stamp(got):
            return []
        if len(wanted) != len(got):
            return [f"{at}: {len(wanted)} slots wanted, {len(got)} got"]
        pairs = zip(wanted, got, strict=True)
        return [d for i, (w, g) in enumerate(pairs) for d in differences(w, g, f"{at}[{i}]")]
    if type(wanted) is not type(got):
        return [f"{at}: {wanted!r} wanted, {got!r} got"]
    return []


def _is_stamp(value: list[Any]) -> bool:
    return len(value) in (1, 2) and isinstance(value[0], int) and value[0] > 1_000_000_000


async def with_our_ids(tab: Any, name: str, action: str, media: str = "", tile: str = "") -> Any:
    """Golden arguments with the dummies replaced by ids of this simulator and a fresh token."""
    text = json.dumps(golden(name))
    for dummy, ours in ((PID, tab.project), (MID, media), (WID, tile)):
        text = text.replace(dummy, ours) if ours else text
    return json.loads(text.replace('"RC"', json.dumps(await tab.token(action))))


@pytest.mark.parametrize(
    ("tier", "credits", "name"),
    [("pro", 980, "nzlxg_reply_pro"), ("ultra", 12439, "nzlxg_reply_ultra")],
)
async def test_credits_read_as_in_the_document(
    tmp_path: Path, tier: str, credits: int, name: str
) -> None:
    async with simulator(tmp_path, tier=tier, credits=credits) as (_, tab):
        assert await tab.rpc("nzlxg", []) == golden(name)


async def test_the_catalogue_holds_the_golden_usages_word_for_word(tmp_path: Path) -> None:
    [wanted] = golden("HTrJv_reply")
    async with simulator(tmp_path) as (_, tab):
        [got] = await tab.rpc("HTrJv", [])
        families = await tab.rpc("yBhWQ", [])
    assert len(got) == len(wanted)
    for media in (4, 5):
        name, [usage], _, family = wanted[media][0]
        ours = next(f for f in got[media] if f[3] == family)
        assert ours[0] == name and len(ours) == 4
        assert usage in ours[1]
    assert ["abra", 1] in families and ["veo_3_1_fast", 1] in families


async def test_unavailable_prices_are_marked_and_hidden_families_too(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        [got] = await tab.rpc("HTrJv", [])
    usages = {usage[0]: usage for family in got[4] for usage in family[1]}
    assert usages["veo_3_1_t2v_fast"][4] == [[1, [[None, 20]]], [2, [[None, 20]]], [3, [None, 1]]]
    assert all(len(usage) >= 25 for usage in usages.values())
    assert usages["veo_3_1_t2v_lite"][16] is None, "eight seconds are not said"
    assert usages["abra_i2v_10s_360p"][23] == [[4]]
    assert [family[5] for family in got[4] if family[3] == "upscale"] == [True]


async def test_projects_read_as_in_the_document(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        created = await tab.rpc("jHPbke", golden("jHPbke_args"))
        assert differences(golden("jHPbke_reply"), created) == []
        assert created[1] == ["<title>"]
        tab.project = created[0]
        cover = await tab.picture_id()
        info = [["thumbnail_media_key"]]
        await tab.rpc("o8DA4", [f"projects/{tab.project}", ["<title>", cover], info, [None, 22]])
        page = await tab.rpc("UpteDb", ["projects/*", 1, None, None, None, None, [1]])
        assert differences(golden("UpteDb_reply"), page) == []
        row = await tab.rpc("ngNC2", [f"tools/PINHOLE/projects/{tab.project}"])
        assert row[:1] == [tab.project] and row[1][0] == "<title>" and row[1][4] == cover


async def test_a_paging_token_in_the_wrong_slot_repeats_page_one(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        second = (await tab.rpc("jHPbke", ["projects/*", [None, ["Second"]]]))[0]
        [[row], token] = await tab.rpc("UpteDb", ["projects/*", 1, None])
        [[next_row]] = await tab.rpc("UpteDb", ["projects/*", 1, token])
        [[wrong], _] = await tab.rpc("UpteDb", ["projects/*", 1, None, token])
    assert {row[0], next_row[0]} == {second, tab.project}
    assert wrong[0] == row[0]


async def test_only_the_known_mask_renames_a_project(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        name = f"projects/{tab.project}"
        await tab.rpc("o8DA4", [name, ["Lost"], [["display_name"]], [None, 22]])
        assert (await tab.rpc("ngNC2", [name]))[1][0] == "Film"
        assert await tab.rpc("o8DA4", [name, ["Kept"], [["project_title"]], [None, 22]]) == ["Kept"]
        assert (await tab.rpc("ngNC2", [name]))[1][0] == "Kept"


async def test_a_picture_reads_as_in_the_document(tmp_path: Path) -> None:
    renderer = FakeRenderer()
    async with simulator(tmp_path, renderer=renderer) as (_, tab):
        args = await with_our_ids(tab, "ogiZ0b_args", "IMAGE_GENERATION")
        reply = await tab.rpc("ogiZ0b", args)
        listing = await tab.rpc("Zzl0ze", [f"projects/{tab.project}", None, None, None, [1]])
        short = await tab.rpc("Zzl0ze", [f"projects/{tab.project}"])
        details = await tab.rpc("as29s", [reply[0][0][0]])
    assert differences(golden("ogiZ0b_reply"), reply) == []
    generated = reply[0][0][6][0]
    assert (generated[1], generated[7]) == (943801078, "a red bicycle in the rain")
    assert reply[0][0][6][2] == [1376, 768]
    assert details[6][0][13].startswith(tab.sim.url + "/content/image/")
    wanted = golden("Zzl0ze_reply")
    wanted[2][0][3] = listing[2][0][3]  # the step id means nothing and varies
    assert len(listing[3]) == 30  # the preset voices, left out in the document's example
    wanted[3] = listing[3]
    assert differences(wanted, listing) == []
    assert short == listing
    assert renderer.pictures[0].references == (), "a reference that does not exist is ignored"


async def test_an_upload_reads_as_in_the_document(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        reply = await tab.upload(base64.b64encode(jpeg(kind="PNG")).decode())
        wanted = golden("maseQ_reply")
        wanted[0][3] = reply[0][3]
        wanted[0][5][12] = reply[0][5][12]
        assert differences(wanted, reply) == []
        assert reply[0][5][1] == "ref.png" and reply[0][6][2] == [64, 36]
        image = await tab.http.get(reply[0][5][10])
        assert image.headers["content-type"] == "image/png"
        assert sim.ledger() == []


async def test_a_video_submit_and_its_polls_read_as_in_the_document(tmp_path: Path) -> None:
    async with simulator(tmp_path, credits=983) as (_, tab):
        args = await with_our_ids(tab, "YhhmEf_args", "VIDEO_GENERATION")
        reply = await tab.rpc("YhhmEf", args)
        assert differences(golden("video_submit_reply"), reply) == []
        assert reply[1] == 976
        running = await tab.poll(await tab.clip_id("waves at dusk [[stuck]]"))
        assert differences(golden("jwpduf_running"), running) == []
        assert running[2][0][5][6] == [None, [["abra_t2v_4s", 1, [], None, 2]]]
        done = await tab.published(reply[3][0][0])
        assert differences(golden("as29s_done"), done) == []
        assert done[5][13] == len((await tab.http.get(done[7][0][8])).content)


async def test_a_failed_video_reads_as_in_the_document(tmp_path: Path) -> None:
    async with simulator(tmp_path, credits=980) as (_, tab):
        media = await tab.clip_id("waves at dusk [[audio-filtered]]")
        await tab.settled(media)
        failed = await tab.poll(media)
        assert failed[1] == 980
        assert failed[2][0][5][8] == golden("jwpduf_failed")[2][0][5][8]
        other = await tab.clip_id("[[prominent]] a face")
        assert (await tab.settled(other))[5][8] == golden("failure_block")


@pytest.mark.parametrize("name", ["eb1hJf", "nprQif"])
async def test_frames_are_taken_from_the_documented_slots(tmp_path: Path, name: str) -> None:
    renderer = FakeRenderer()
    async with simulator(tmp_path, renderer=renderer) as (_, tab):
        start, end = await tab.picture_id("first"), await tab.picture_id("last")
        if name == "eb1hJf":
            args = await with_our_ids(tab, "eb1hJf_args", "VIDEO_GENERATION", start)
            media = (await tab.rpc("eb1hJf", args))[3][0][0]
        else:
            media = await tab.clip_id(start=start, end=end)
        await tab.published(media)
    [clip] = renderer.clips
    assert clip.start is not None
    assert (clip.end is not None) == (name == "nprQif")
    size = (640, 360) if name == "eb1hJf" else (1280, 720)
    assert (clip.width, clip.height, clip.duration_s) == (*size, 4)


async def test_an_upscale_reads_its_slots_and_is_named_after_its_source(tmp_path: Path) -> None:
    renderer = FakeRenderer()
    async with simulator(tmp_path, renderer=renderer) as (_, tab):
        submitted = await tab.clip()
        source, tile = submitted[3][0][0], submitted[3][0][2]
        await tab.published(source)
        args = await with_our_ids(tab, "p0UkFb_args", "VIDEO_GENERATION", source, tile)
        reply = await tab.rpc("p0UkFb", args)
        record = reply[3][0]
        assert (record[0], record[2]) == (f"{source}_upsampled", tile)
        await tab.published(record[0])
    assert renderer.upscales[0][1:] == (1920, 1080)


async def test_a_quota_refusal_is_the_golden_frame(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(quota={"abra_t2v_4s": 0})
        args = await with_our_ids(tab, "YhhmEf_args", "VIDEO_GENERATION")
        reply = await tab.send(("YhhmEf", args))
    assert reply.status_code == 200
    assert [f for f in frames(reply.text) if f[0] == "wrb.fr"] == golden("frame_quota_error")


async def test_the_envelope_lies_about_lengths_and_is_cut_in_more_than_one_way(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path) as (_, tab):
        replies = [await tab.send(("nzlxg", []), ("HTrJv", [])) for _ in range(3)]
    shapes = set()
    for reply in replies:
        assert reply.headers["content-type"].startswith("application/json")
        lines = reply.text.split("\n")
        assert lines[0] == ")]}'" and lines[1] == ""
        chunks = list(zip(lines[2::2], lines[3::2], strict=False))
        assert all(int(length) != len(text) for length, text in chunks)
        shapes.add(len(chunks))
        found = frames(reply.text)
        assert [f[1] for f in found if f[0] == "wrb.fr"] == ["nzlxg", "HTrJv"]
        assert {"di", "af.httprm", "e"} <= {f[0] for f in found}
    assert len(shapes) > 1


async def test_an_rpc_that_this_build_does_not_have_is_answered_by_an_er_frame(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        credits = await tab.rpc("nzlxg", [])
        sim.switch(moved_rpcs={"nzlxg": "Ab3dEf"})
        for gone in ("nzlxg", "zzzzz"):
            reply = await tab.send((gone, []))
            assert frames(reply.text)[0][:6] == ["er", None, None, None, None, 400]
        assert await tab.rpc("Ab3dEf", []) == credits


async def test_a_call_of_the_wrong_shape_is_refused_before_its_token_is_used(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path) as (_, tab):
        ctx = await tab.context("VIDEO_GENERATION")
        with pytest.raises(Refused) as refused:
            await tab.rpc("YhhmEf", [[["no prompt", "abra_t2v_4s", 2]], ctx, ["BATCH", 2]])
        assert refused.value.code == 3
        await tab.clip(ctx=ctx)


async def test_an_aspect_out_of_range_is_silently_another_one(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        assert (await tab.picture(aspect=6))[0][0][6][2] == [1408, 768]
        assert (await tab.clip(aspect=9))[3][0][5][6][1][0][4] == 2


async def test_an_edit_adds_to_the_tile_and_moves_its_primary_only_when_told(
    tmp_path: Path,
) -> None:
    renderer = FakeRenderer()
    async with simulator(tmp_path, renderer=renderer) as (_, tab):
        first = await tab.picture("a red bicycle")
        base, tile = first[0][0][0], first[0][0][2]
        edit = await tab.picture("now blue", inputs=[[base, None, None, None, 2]], workflow=tile)
        made = edit[0][0]
        assert made[2] == tile and made[0] != base
        assert base in json.dumps(edit), "the reply repeats the id of the input"
        assert edit[1][0][3][4] == base
        masks = [["metadata.primary_media_id"]]
        given = [tile, None, None, [None, None, None, None, made[0]], tab.project]
        assert (await tab.rpc("mYWVGd", [given, masks]))[3][4] == made[0]
        given = [tile, None, None, ["Blue bicycle"], tab.project]
        renamed = await tab.rpc("mYWVGd", [given, [["metadata.display_name"]]])
        assert renamed[3][0] == "Blue bicycle"
    assert renderer.pictures[1].base is not None


async def test_references_come_to_the_renderer_in_order_and_with_what_they_were_made_from(
    tmp_path: Path,
) -> None:
    renderer = FakeRenderer()
    async with simulator(tmp_path, renderer=renderer) as (_, tab):
        mira = await tab.picture_id("Mira, a fox")
        sea = (await tab.upload(base64.b64encode(jpeg()).decode(), "Sea.jpg"))[0][0]
        inputs = [[mira, None, None, None, 1], ["nobody", None, None, None, 1]]
        await tab.picture("Mira at sea", inputs=[*inputs, [sea, None, None, None, 1]])
    assert [r.label for r in renderer.pictures[-1].references] == ["Mira, a fox", "Sea.jpg"]
