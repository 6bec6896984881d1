"""Charges, refunds, refusals and lost replies: the ledger is the truth that FlowKit is measured against."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sim_tab import Refused, Tab, frames, simulator

from flowkit_mcp.simulator import Simulator

LOST = (httpx2.RemoteProtocolError, httpx2.ReadError)


def booked(sim: Simulator) -> list[tuple[str, int]]:
    return [(entry.kind, entry.credits) for entry in sim.ledger()]


async def test_every_accepted_call_is_in_the_ledger_with_its_price(tmp_path: Path) -> None:
    async with simulator(tmp_path, tier="pro", credits=100) as (sim, tab):
        start = await tab.picture_id(seeds=("tile seed", "picture seed"))
        media = await tab.clip_id(start=start, seeds=("clip seed", "clip tile seed"))
        await tab.published(media)
        await tab.upscale(media)
        await tab.published(f"{media}_upsampled")
        entries = sim.ledger()
        assert booked(sim) == [("charge", 0), ("charge", 7), ("charge", 0)]
        assert [e.media_id for e in entries] == [start, media, f"{media}_upsampled"]
        assert [e.seed for e in entries[:2]] == ["picture seed", "clip seed"]
        assert [e.rpc for e in entries] == ["ogiZ0b", "eb1hJf", "p0UkFb"]
        assert [e.model for e in entries] == ["GEM_PIX_2", "abra_i2v_4s", "veo_3_1_upsampler_1080p"]
        assert (sim.balance, sim.charged) == (93, 7)
        assert (await tab.rpc("nzlxg", []))[0] == 93
        over_http = (await tab.http.get("/sim/ledger")).json()
        assert over_http["entries"] == [e.model_dump() for e in entries]
        assert (over_http["balance"], over_http["charged"]) == (93, 7)


@pytest.mark.parametrize("tier", ["free", "pro", "ultra"])
async def test_each_tier_pays_what_its_catalogue_says_or_is_refused(
    tmp_path: Path, tier: str
) -> None:
    keys = {"abra_t2v_6s", "abra_t2v_4s_360p", "veo_3_1_t2v_lite", "veo_3_1_t2v_fast"}
    keys |= {"veo_3_1_t2v_fast_ultra", "veo_3_1_t2v_lite_4s_low_priority", "veo_3_1_t2v"}
    async with simulator(tmp_path, tier=tier, credits=1000) as (sim, tab):
        service_tier = (await tab.rpc("nzlxg", []))[3]
        [catalogue] = await tab.rpc("HTrJv", [])
        usages = {u[0]: u for family in catalogue[4] for u in family[1]}
        for key in sorted(keys):
            [(price, gone)] = [
                ((entry[0][1], None) if entry[0] else (None, entry[1]))
                for t, entry in usages[key][4]
                if t == service_tier
            ]
            before = sim.balance
            if gone:
                with pytest.raises(Refused) as refused:
                    await tab.clip(key=key)
                assert refused.value.reason == "PUBLIC_ERROR_MODEL_ACCESS_DENIED"
                assert refused.value.code == 7
                price = 0
            else:
                assert (await tab.clip(key=key))[1] == before - price
            assert before - sim.balance == price


@pytest.mark.parametrize(
    ("marker", "reason"),
    [
        ("[[fail]]", "PUBLIC_ERROR_SOMETHING_WENT_WRONG"),
        ("[[fail-noreason]]", None),
        ("[[audio-filtered]]", "PUBLIC_ERROR_AUDIO_FILTERED"),
        ("[[prominent]]", "PUBLIC_ERROR_PROMINENT_PEOPLE_FILTER_FAILED"),
    ],
)
async def test_a_clip_that_fails_is_refunded(
    tmp_path: Path, marker: str, reason: str | None
) -> None:
    async with simulator(tmp_path, credits=10) as (sim, tab):
        reply = await tab.clip(f"a storm {marker}")
        assert reply[1] == 3
        record = await tab.settled(reply[3][0][0])
        assert record[5][8] == ([4, [None, reason], [reason]] if reason else [4])
        assert booked(sim) == [("charge", 7), ("refund", 7)]
        assert (sim.balance, sim.charged) == (10, 0)
        assert (await tab.poll(record[0]))[1] == 10


@pytest.mark.parametrize("rpc", ["ogiZ0b", "YhhmEf"])
async def test_an_unsafe_prompt_is_refused_at_once_and_costs_nothing(
    tmp_path: Path, rpc: str
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        with pytest.raises(Refused) as refused:
            await (tab.picture if rpc == "ogiZ0b" else tab.clip)("[[unsafe]] things")
        assert (refused.value.code, refused.value.reason) == (3, "PUBLIC_ERROR_UNSAFE_GENERATION")
        assert sim.ledger() == []


async def test_a_picture_that_fails_says_so_in_its_own_call(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        with pytest.raises(Refused) as refused:
            await tab.picture("[[fail]]")
        assert refused.value.reason == "PUBLIC_ERROR_SOMETHING_WENT_WRONG"
        with pytest.raises(Refused) as refused:
            await tab.picture("[[prominent]]")
        assert refused.value.code == 3
        assert sim.charged == 0


@pytest.mark.parametrize("kind", ["picture", "clip"])
async def test_a_cut_prompt_is_accepted_and_charged_and_found_by_its_seed(
    tmp_path: Path, kind: str
) -> None:
    seed = "0f0e0d0c-0b0a-4908-8706-050403020100"
    seeds = ("tile", seed) if kind == "picture" else (seed, "tile")
    async with simulator(tmp_path) as (sim, tab):
        with pytest.raises(LOST):
            await getattr(tab, kind)("waves [[cut]]", seeds=seeds)
        [entry] = sim.ledger()
        assert entry.media_id == derived(seed)
        record = await tab.rpc("as29s", [derived(seed)])
        assert (record[0] if isinstance(record, list) else record) == derived(seed)


def derived(seed: str) -> str:
    """The rule of flow-wire §0.6, spelled out once more."""
    d = hashlib.sha256(seed.encode()).hexdigest()[:32]
    return str(uuid.UUID(d[:12] + "4" + d[13:16] + "89ab"[int(d[16], 16) % 4] + d[17:]))


async def test_ids_follow_from_the_seeds_exactly_as_sent(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        picture = (await tab.picture(seeds=("TILE-A", "SEED-A")))[0][0]
        assert (picture[0], picture[2]) == (derived("SEED-A"), derived("TILE-A"))
        record = (await tab.clip(seeds=("seed-a", "tile-a")))[3][0]
        assert (record[0], record[2]) == (derived("seed-a"), derived("tile-a"))


async def test_without_the_id_rule_ids_are_random(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(derived_ids=False)
        record = (await tab.clip(seeds=("seed", "tile")))[3][0]
        assert record[0] != derived("seed") and record[2] != derived("tile")


@pytest.mark.parametrize("rule", [True, False])
async def test_a_seed_that_was_used_before_is_refused_and_not_charged_again(
    tmp_path: Path, rule: bool
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(derived_ids=rule)
        await tab.clip(seeds=("seed", "tile"))
        for seeds in (("seed", "other"), ("other", "tile")):
            with pytest.raises(Refused) as refused:
                await tab.clip(seeds=seeds)
            assert refused.value.code == 3
        assert booked(sim) == [("charge", 7)]


async def test_too_few_credits_are_refused(tmp_path: Path) -> None:
    async with simulator(tmp_path, credits=6) as (sim, tab):
        with pytest.raises(Refused) as refused:
            await tab.clip()
        assert (refused.value.code, refused.value.reason) == (8, "PUBLIC_ERROR_USER_QUOTA_REACHED")
        assert sim.balance == 6


async def test_a_daily_quota_runs_out_for_pictures_too(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(quota={"GEM_PIX_2": 1})
        await tab.picture()
        with pytest.raises(Refused) as refused:
            await tab.picture()
        assert refused.value.reason == "PUBLIC_ERROR_PER_MODEL_DAILY_QUOTA_REACHED"


async def test_only_so_many_clips_may_be_in_work_at_once(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(concurrent_limit=1)
        await tab.clip("[[stuck]]")
        with pytest.raises(Refused) as refused:
            await tab.clip()
        assert refused.value.reason == "PUBLIC_ERROR_CONCURRENT_LIMIT_REACHED"


async def test_an_upscale_that_exists_is_returned_at_once_and_not_charged(tmp_path: Path) -> None:
    async with simulator(tmp_path, tier="ultra", credits=200) as (sim, tab):
        media = await tab.clip_id()
        await tab.published(media)
        first = await tab.upscale(media, "veo_3_1_upsampler_4k", 3)
        bigger = first[3][0][0]
        assert bigger == f"{media}_4k_upsampled" and first[3][0][5][8] == [6]
        await tab.published(bigger)
        again = await tab.upscale(media, "veo_3_1_upsampler_4k", 3)
        assert again[3][0][0] == bigger and again[3][0][5][8] == [3]
        assert sim.charged == 7 + 50


@pytest.mark.parametrize("tier", ["free", "pro"])
async def test_upscales_are_refused_where_the_plan_has_none(tmp_path: Path, tier: str) -> None:
    async with simulator(tmp_path, tier=tier) as (_, tab):
        media = await tab.clip_id()
        await tab.published(media)
        key = ("veo_3_1_upsampler_1080p", 2) if tier == "free" else ("veo_3_1_upsampler_4k", 3)
        with pytest.raises(Refused) as refused:
            await tab.upscale(media, *key)
        assert refused.value.reason == "PUBLIC_ERROR_MODEL_ACCESS_DENIED"


async def test_checks_come_in_flows_own_order(tmp_path: Path) -> None:
    async def first_complaint(**more: Any) -> tuple[int, str | None]:
        with pytest.raises(Refused) as refused:
            await tab.clip("[[unsafe]]", **more)
        return refused.value.code, refused.value.reason

    async with simulator(tmp_path, tier="free", credits=0) as (sim, tab):
        wrong = await tab.context("IMAGE_GENERATION")
        assert await first_complaint(key="gone", ctx=wrong) == (7, "PUBLIC_ERROR_UNUSUAL_ACTIVITY")
        assert (await first_complaint(key="gone"))[0] == 5
        denied = await first_complaint(key="veo_3_1_t2v_fast_ultra")
        assert denied == (7, "PUBLIC_ERROR_MODEL_ACCESS_DENIED")
        assert await first_complaint() == (8, "PUBLIC_ERROR_USER_QUOTA_REACHED")
        sim.switch(balance=100)
        assert await first_complaint() == (3, "PUBLIC_ERROR_UNSAFE_GENERATION")


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("unusual", 7, "PUBLIC_ERROR_UNUSUAL_ACTIVITY"),
        ("throttled", 8, "PUBLIC_ERROR_USER_REQUESTS_THROTTLED"),
        ("traffic", 8, "PUBLIC_ERROR_UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC"),
        ("quota", 8, "PUBLIC_ERROR_PER_MODEL_DAILY_QUOTA_REACHED"),
        ("exhausted", 8, None),
        ("internal", 13, None),
        ("unavailable", 14, "PUBLIC_ERROR_HIGH_TRAFFIC"),
        ("unauthenticated", 16, None),
    ],
)
async def test_an_ordered_refusal_hits_the_next_calls_only_and_does_nothing(
    tmp_path: Path, kind: Any, code: int, reason: str | None
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        order = {"rpc": "YhhmEf", "kind": kind, "times": 2}
        assert (await tab.http.post("/sim/fault", json=order)).status_code == 200
        for _ in range(2):
            with pytest.raises(Refused) as refused:
                await tab.clip()
            assert (refused.value.code, refused.value.reason) == (code, reason)
        assert sim.ledger() == []
        await tab.clip()
        assert booked(sim) == [("charge", 7)]


async def test_a_connection_is_cut_before_or_after_the_call_did_its_work(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.fault("YhhmEf", "cut_before")
        with pytest.raises(LOST):
            await tab.clip()
        assert sim.ledger() == []
        sim.fault("YhhmEf", "cut_after")
        with pytest.raises(LOST):
            await tab.clip()
        assert booked(sim) == [("charge", 7)]


async def test_an_internal_error_may_hide_that_the_call_was_accepted(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.fault("ogiZ0b", "internal_after")
        with pytest.raises(Refused) as refused:
            await tab.picture(seeds=("tile", "seed"))
        assert refused.value.code == 13
        assert (await tab.rpc("as29s", [derived("seed")]))[0] == derived("seed")


async def test_a_network_block_is_an_html_page(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.fault("jwpduf", "html_sorry")
        reply = await tab.send(("jwpduf", [None, None, [["x"]]]))
        assert reply.status_code == 403
        assert "Sorry" in reply.text and "unusual traffic" in reply.text
        assert frames((await tab.send(("jwpduf", [None, None, [["x"]]]))).text)


async def test_two_accounts_see_nothing_of_each_other(tmp_path: Path) -> None:
    async with simulator(tmp_path, credits=50) as (sim, tab), Tab.open(sim, "other") as other:
        media = await tab.clip_id()
        assert (await other.poll(media))[2] == []
        for rpc, args in (("as29s", [media]), ("Zzl0ze", [f"projects/{tab.project}"])):
            with pytest.raises(Refused) as refused:
                await other.rpc(rpc, args)
            assert refused.value.code == 5
        assert (await other.rpc("nzlxg", []))[0] == 50
        with pytest.raises(Refused):
            await other.clip(ctx=await tab.context("VIDEO_GENERATION"))
