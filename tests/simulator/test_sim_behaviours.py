"""Every behaviour of flow-wire §11 has its switch, is documented, and does what the document says."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from sim_tab import Refused, SettableClock, frames, jpeg, simulator

from flowkit_mcp.simulator.behaviours import BEHAVIOURS, table
from flowkit_mcp.simulator.faults import FAULT_KINDS, MARKERS_EXPLAINED
from flowkit_mcp.simulator.service import Commands
from flowkit_mcp.simulator.switches import Switches

DOC = Path(__file__).parents[2] / "docs" / "simulator.md"


def test_all_thirty_are_in_the_document_with_every_switch_and_its_default() -> None:
    assert [one.number for one in BEHAVIOURS] == list(range(1, 31))
    assert table() in DOC.read_text(encoding="utf-8")
    assert {name for one in BEHAVIOURS for name in one.switches} == set(Switches.model_fields)
    known = {*FAULT_KINDS, *MARKERS_EXPLAINED, *Commands.model_fields}
    assert {name for one in BEHAVIOURS for name in one.also} == known


async def test_the_page_of_what_was_made_lists_them(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        told = (await tab.http.get("/made/data")).json()["described"]["behaviours"]
        assert [one["number"] for one in told] == list(range(1, 31))
        assert told[0]["switches"] == {"framing": "mixed"}
        assert 'id="behaviours"' in (await tab.http.get("/made")).text


@pytest.mark.parametrize(("framing", "chunks"), [("plain", {1}), ("split", {2})])
async def test_frames_come_in_one_chunk_or_each_in_its_own(
    tmp_path: Path, framing: str, chunks: set[int]
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(framing=framing)
        texts = [(await tab.send(("nzlxg", []))).text for _ in range(4)]
    assert {text.count("\n[[") - 1 for text in texts} == chunks


async def test_whole_calls_fail_in_their_ways(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.fault("nzlxg", "er_frame")
        assert frames((await tab.send(("nzlxg", []))).text)[0][0] == "er"
        sim.fault("nzlxg", "html_page")
        assert (await tab.send(("nzlxg", []))).headers["content-type"].startswith("text/html")
        sim.fault("nzlxg", "null_payload")
        assert await tab.rpc("nzlxg", []) is None
        sim.fault("*", "unavailable")
        with pytest.raises(Refused):
            await tab.rpc("UpteDb", ["projects/*", 5])


async def test_a_fault_may_last_for_a_time(tmp_path: Path) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock) as (sim, tab):
        sim.fault("nzlxg", "throttled", for_s=60)
        for _ in range(3):
            with pytest.raises(Refused):
                await tab.rpc("nzlxg", [])
        clock.ms += 60_000
        assert await tab.rpc("nzlxg", [])


async def test_distrust_sticks_for_its_time_and_parallel_tokens_may_be_worthless(
    tmp_path: Path,
) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock) as (sim, tab):
        sim.switch(distrust_s=900)
        with pytest.raises(Refused) as refused:
            await tab.clip()
        assert refused.value.reason == "PUBLIC_ERROR_UNUSUAL_ACTIVITY"
        clock.ms += 900_000
        await tab.clip()
        sim.switch(captcha_parallel="newest_only")
        old = await tab.context("VIDEO_GENERATION")
        new = await tab.context("VIDEO_GENERATION")
        with pytest.raises(Refused):
            await tab.clip(ctx=old)
        await tab.clip(ctx=new)
        sim.switch(captcha_lifetime_s=5)
        late = await tab.context("VIDEO_GENERATION")
        clock.ms += 6_000
        with pytest.raises(Refused):
            await tab.clip(ctx=late)


@pytest.mark.parametrize(("steps", "allowed"), [("CAE", {"CAE"}), ("null", {None})])
async def test_step_ids_follow_their_switch(tmp_path: Path, steps: str, allowed: set[Any]) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(step_ids=steps)
        media = [await tab.picture_id() for _ in range(3)]
        assert {(await tab.rpc("as29s", [one]))[3] for one in media} == allowed


async def test_lists_polls_and_balances_can_be_out_of_date(tmp_path: Path) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock, credits=100) as (sim, tab):
        sim.switch(listing_lag_s=30, stale_credits=True, poll_credits="null")
        media = await tab.clip_id()
        assert (await tab.rpc("nzlxg", []))[0] == 100 and sim.balance == 93
        assert (await tab.rpc("Zzl0ze", [f"projects/{tab.project}"]))[2] == []
        await tab.settled(media)
        assert (await tab.poll(media))[1] is None
        clock.ms += 30_000
        sim.switch(listing_padding_mb=1, stale_credits=False, poll_credits="always")
        reply = await tab.send(("Zzl0ze", [f"projects/{tab.project}"]))
        assert media in reply.text and len(reply.text) > 1_000_000
        assert (await tab.poll(media))[1] == 93


async def test_a_poll_may_lose_an_id_and_not_know_workflows(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        one, two = await tab.clip_id("[[stuck]] x"), await tab.clip_id("[[stuck]] y")
        sim.fault("jwpduf", "poll_missing")
        assert [record[0] for record in (await tab.poll(one, two))[2]] == [two]
        sim.switch(poll_by_workflow="absent")
        tile = (await tab.poll(one))[2][0][2]
        assert (await tab.poll(tile))[2] == []


async def test_models_are_renamed(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(renamed_models={"abra_t2v_4s": "omni_1_2_t2v_4s"})
        with pytest.raises(Refused) as refused:
            await tab.clip(key="abra_t2v_4s")
        assert refused.value.code == 5
        await tab.clip(key="omni_1_2_t2v_4s")
        [catalogue] = await tab.rpc("HTrJv", [])
        keys = {usage[0] for family in catalogue[4] for usage in family[1]}
        assert "omni_1_2_t2v_4s" in keys and "abra_t2v_4s" not in keys


@pytest.mark.parametrize("damage", ["no_ftyp", "wrong_size"])
async def test_a_clips_bytes_can_be_wrong(tmp_path: Path, damage: str) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(media_bytes=damage, url_path="ai-sandbox-videofx")
        record = await tab.published(await tab.clip_id())
        assert "/ai-sandbox-videofx/video/" in record[7][0][8]
        data = (await tab.http.get(record[7][0][8])).content
        assert (b"ftyp" not in data) == (damage == "no_ftyp")
        assert (len(data) != record[5][13]) == (damage == "wrong_size")


async def test_uploads_may_wait_for_consent(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        picture = base64.b64encode(jpeg()).decode()
        sim.switch(upload_consent=True)
        with pytest.raises(Refused) as refused:
            await tab.upload(picture)
        assert refused.value.code == 7
        sim.switch(consent=True)
        assert await tab.upload(picture)


async def test_too_many_submits_in_a_minute_are_throttled_until_it_is_over(tmp_path: Path) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock) as (sim, tab):
        sim.switch(submits_per_minute=1)
        await tab.clip()
        with pytest.raises(Refused) as refused:
            await tab.clip()
        assert refused.value.reason == "PUBLIC_ERROR_USER_REQUESTS_THROTTLED"
        clock.ms += 61_000
        await tab.clip()


@pytest.mark.parametrize("cycle", ["straight", "slow"])
async def test_a_clip_ends_well_in_every_order_of_states(tmp_path: Path, cycle: str) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(lifecycle=cycle, echo_inputs=False)
        base = await tab.picture_id()
        edit = await tab.picture(inputs=[[base, None, None, None, 2]])
        assert base not in str(edit[0])
        assert (await tab.published(await tab.clip_id()))[5][8] == [3]


async def test_an_accepted_call_may_create_nothing(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(submit_shape="empty")
        assert (await tab.clip())[2:] == [[], []]
        assert sim.ledger() == []
