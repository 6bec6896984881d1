"""Signing in, page values, captcha tokens, and who may talk to the simulator at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from sim_tab import BATCHEXECUTE, FakeRenderer, Refused, SettableClock, frames, simulator

from flowkit_mcp.simulator import Simulator

SITE_KEY = "6LdsFiUsAAAAAIjVDZcuLhaHiDn5nnHVXVRQGeMV"


async def refusal_of_a_clip(tab, token: str) -> tuple[int, str | None]:
    ctx = [None, 22, None, None, None, tab.project, None, None, None, None, [token, 1]]
    with pytest.raises(Refused) as refused:
        await tab.clip(ctx=ctx)
    return refused.value.code, refused.value.reason


async def test_the_page_carries_its_values_only_when_signed_in(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        for path in ("/", f"/project/{tab.project}", f"/u/0/project/{tab.project}", "/u/2"):
            text = await tab.reload(path)
            assert set(tab.values) >= {"SNlM0e", "FdrFJe", "cfb2h"}
            assert SITE_KEY in text
        assert tab.values["cfb2h"].startswith("boq_labs-ai-sandbox-frontend_2026")
        assert tab.values["SNlM0e"].rpartition(":")[2].isdigit()
        reply = await tab.http.get("/signout")
        assert reply.status_code == 200
        await tab.reload()
        assert "SNlM0e" not in tab.values and "cfb2h" in tab.values


async def test_signed_out_calls_are_answered_401_with_an_er_frame(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(sign_out=True)
        reply = await tab.send(("nzlxg", []))
        assert reply.status_code == 401
        assert frames(reply.text)[0][:6] == ["er", None, None, None, None, 401]
        assert (await tab.http.post("/recaptcha/token", data={"action": "X"})).status_code == 401
        await tab.http.get("/signin")
        await tab.reload()
        assert (await tab.rpc("nzlxg", []))[0] == sim.balance


async def test_stale_page_values_are_refused_until_the_page_is_loaded_again(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path) as (_, tab):
        before = dict(tab.values)
        await tab.reload()
        assert tab.values == before, "values stay unless the switch says otherwise"
        assert (await tab.http.post("/sim/switch", json={"stale_page": True})).status_code == 200
        assert (await tab.send(("nzlxg", []))).status_code == 400
        await tab.reload()
        assert (await tab.send(("nzlxg", []))).status_code == 200
        assert (await tab.send(("nzlxg", []), bl=before["cfb2h"])).status_code == 403


async def test_with_rotation_every_page_load_makes_the_old_values_worthless(
    tmp_path: Path,
) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(rotate_page=True)
        await tab.http.get("/")
        assert (await tab.send(("nzlxg", []))).status_code == 400
        await tab.reload()
        assert (await tab.send(("nzlxg", []))).status_code == 200


async def test_the_rpc_path_may_carry_an_account_prefix(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        assert (await tab.send(("nzlxg", []), prefix="/u/1")).status_code == 200


async def test_some_image_models_want_to_know_the_page(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        ctx = await tab.context("IMAGE_GENERATION")
        item = [None, None, None, 7, 3, "BELUGA", None, ctx, [[["a bicycle"]]]]
        args = [None, [item], 1, ctx, ["B"]]
        reply = await tab.send(("ogiZ0b", args), **{"source-path": None})
        assert frames(reply.text)[0][5] == [3]
        assert await tab.picture(model="BELUGA")


async def test_a_captcha_token_is_long_and_works_once(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        token = await tab.token("VIDEO_GENERATION")
        assert 2300 <= len(token) <= 2500
        ctx = [None, 22, None, None, None, tab.project, None, None, None, None, [token, 1]]
        await tab.clip(ctx=ctx)
        unusual = (7, "PUBLIC_ERROR_UNUSUAL_ACTIVITY")
        assert await refusal_of_a_clip(tab, token) == unusual
        assert await refusal_of_a_clip(tab, "made up") == unusual
        assert await refusal_of_a_clip(tab, await tab.token("IMAGE_GENERATION")) == unusual
        assert len(sim.ledger()) == 1


async def test_a_captcha_token_lives_for_two_minutes(tmp_path: Path) -> None:
    clock = SettableClock()
    async with simulator(tmp_path, clock=clock) as (_, tab):
        fresh, old = await tab.context("VIDEO_GENERATION"), await tab.token("VIDEO_GENERATION")
        clock.ms += 119_999
        await tab.clip(ctx=fresh)
        clock.ms += 1
        assert (await refusal_of_a_clip(tab, old))[0] == 7


async def test_an_upload_takes_either_action(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        for action in ("IMAGE_GENERATION", "UPLOAD_IMAGE"):
            with pytest.raises(Refused) as refused:
                await tab.upload("bm90IGEgcGljdHVyZQ==", action=action)
            assert refused.value.reason == "PUBLIC_ERROR_UNKNOWN_IMAGE_FILE_FORMAT"
        with pytest.raises(Refused) as refused:
            await tab.upload("bm90IGEgcGljdHVyZQ==", action="VIDEO_GENERATION")
        assert refused.value.reason == "PUBLIC_ERROR_UNUSUAL_ACTIVITY"


async def test_the_captcha_policy_can_be_switched(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        sim.switch(captcha="distrust")
        assert (await refusal_of_a_clip(tab, await tab.token("VIDEO_GENERATION")))[0] == 7
        sim.switch(captcha="off")
        ctx = [None, 22, None, None, None, tab.project, None, None, None, None, ["any", 1]]
        await tab.clip(ctx=ctx)


async def test_other_hosts_and_other_origins_are_refused(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        for path in ("/", "/made", "/sim/state", "/sim/ledger"):
            reply = await tab.http.get(path, headers={"host": "rebound.example:80"})
            assert reply.status_code == 403
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
        ):
            for path in ("/sim/switch", "/sim/fault", "/recaptcha/token", BATCHEXECUTE):
                reply = await tab.http.post(path, headers=headers, json={"balance": 1})
                assert reply.status_code == 403
        same = {"origin": sim.url, "sec-fetch-site": "same-origin"}
        reply = await tab.http.post("/sim/switch", headers=same, json={"balance": 5})
        assert reply.status_code == 200
        assert sim.balance == 5


async def test_unknown_switches_and_faults_are_refused_and_change_nothing(tmp_path: Path) -> None:
    async with simulator(tmp_path, credits=50) as (sim, tab):
        for path, body in (
            ("/sim/switch", {"balance": 1, "nonsense": True}),
            ("/sim/switch", {"balance": 1, "captcha": "sometimes"}),
            ("/sim/switch", ["balance"]),
            ("/sim/fault", {"rpc": "nzlxg", "kind": "nonsense"}),
        ):
            reply = await tab.http.post(path, json=body)
            assert reply.status_code == 400 and reply.json()["errors"]
        assert sim.balance == 50


async def test_the_admin_tells_no_secrets(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (_, tab):
        told = (await tab.http.get("/sim/state")).text
        cookie = tab.http.cookies["flow-simulator-session"]
        assert cookie not in told and tab.values["SNlM0e"] not in told
        assert "signing_key" not in told and "sessions" not in told


async def test_a_taken_port_is_reported(tmp_path: Path) -> None:
    async with simulator(tmp_path / "one") as (sim, _):
        port = int(sim.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            async with Simulator.run(tmp_path / "two", port=port, renderer=FakeRenderer()):
                pass
