"""The stand-in browser in lane labs: bearer, captcha, redirects, and an account that moves between the lanes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sim_labs import golden
from test_browser_in_simulator import Rig, rig

from flowkit_mcp.bridge.protocol import RECAPTCHA, Result

TRPC = "/fx/api/trpc/"
PICTURES = "flowMedia:batchGenerateImages"


@pytest.fixture
async def labs(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path, lane="labs") as (one, _):
        made = await site(one, "project.create", "project.createProject", {"projectTitle": "F"})
        one.project = told(made)["result"]["data"]["json"]["result"]["projectId"]
        yield one


async def call(one: Rig, name: str, method: str, host: str, path: str, **more: Any) -> Result:
    options = {key: more.pop(key) for key in ("captcha", "paid", "id") if key in more}
    args = {"method": method, "host": host, "path": path, **more}
    return await one.host.call(name, args, lane="labs", timeout_s=10, **options)


async def site(one: Rig, name: str, procedure: str, given: dict[str, Any]) -> Result:
    body = {"json": {**given, "toolName": "PINHOLE"}}
    return await call(one, name, "POST", "site", TRPC + procedure, body=body)


async def credits(one: Rig) -> Result:
    return await call(one, "account.credits", "GET", "api", "/v1/credits")


async def picture(one: Rig, id: str = "op-1") -> Result:
    text = json.dumps(golden("images_args")).replace(
        "11111111-1111-4111-8111-111111111111", one.project
    )
    body = json.loads(text.replace('"RC"', json.dumps(RECAPTCHA)))
    body["requests"][0]["imageInputs"] = []
    path = f"/v1/projects/{one.project}/{PICTURES}"
    paying = {"captcha": "IMAGE_GENERATION", "paid": True, "id": id}
    return await call(one, "image.generate", "POST", "api", path, body=body, **paying)


def told(result: Result) -> Any:
    assert result.ok and result.status == 200, result
    return json.loads(result.body or "")


async def test_the_browser_says_which_lane_the_account_is_served(labs: Rig) -> None:
    flow = labs.host.flow
    assert flow is not None and (flow.lane, flow.signed_in, flow.tab) == ("labs", True, "ready")


async def test_calls_carry_bearer_cookie_and_token_and_the_server_sees_none(labs: Rig) -> None:
    results = [
        await credits(labs),
        await picture(labs),
        await call(
            labs,
            "project.contents",
            "GET",
            "site",
            f"{TRPC}flow.projectInitialData",
            query={"input": json.dumps({"json": {"projectId": labs.project}})},
        ),
    ]
    assert told(results[0])["credits"] == 1000
    assert len(labs.sim.ledger()) == 1
    shown = "".join(result.model_dump_json() for result in results).lower()
    for secret in ("simulated-bearer", "access_token", "captcha-token", "set-cookie"):
        assert secret not in shown


async def test_a_bearer_that_died_is_asked_for_again_and_the_call_made_once_more(
    labs: Rig,
) -> None:
    told(await credits(labs))
    labs.sim.service.bearers.revoke()
    told(await picture(labs))
    assert len(labs.sim.ledger()) == 1


async def test_a_second_401_is_the_answer(labs: Rig) -> None:
    labs.sim.fault("nzlxg", "unauthenticated", times=3)
    result = await credits(labs)
    assert (result.ok, result.status) == (True, 401)
    assert labs.sim.service.take_fault("nzlxg") == "unauthenticated"  # two were taken


async def test_another_refusal_stands_and_is_not_repeated(labs: Rig) -> None:
    labs.sim.fault("ogiZ0b", "unusual")
    result = await picture(labs)
    assert result.status == 403 and "UNUSUAL_ACTIVITY" in (result.body or "")
    assert labs.sim.ledger() == []


async def test_where_a_file_lies_is_told_without_loading_it(labs: Rig) -> None:
    media = told(await picture(labs))["media"][0]["name"]
    path = f"{TRPC}media.getMediaUrlRedirect"
    where = told(await call(labs, "media.url", "GET", "site", path, query={"name": media}))
    assert where["url"].startswith(f"{labs.sim.url}/content/image/{media}?")
    none = await call(labs, "media.url", "GET", "site", path, query={"name": "nothing"})
    assert none.status == 404


async def test_an_account_that_moves_is_noticed_by_the_next_call_and_told_before_its_answer(
    labs: Rig,
) -> None:
    told(await credits(labs))
    labs.sim.switch(lane="batchexecute")
    assert (await credits(labs)).status == 401
    assert labs.host.flow is not None and labs.host.flow.lane == "batchexecute"
    balance = await labs.rpc("account.credits", "nzlxg", [])
    assert balance[0] == 1000
    labs.sim.switch(lane="labs")
    refused = await labs.host.call(
        "account.credits", labs.body("nzlxg", []), lane="batchexecute", timeout_s=5
    )
    assert refused.error is not None
    assert (refused.error.code, refused.error.sent) == ("NO_FLOW_TAB", False)
    assert labs.host.flow.lane == "labs"
    assert told(await credits(labs))["credits"] == 1000


async def test_signed_out_is_said_before_anything_is_sent(labs: Rig) -> None:
    labs.sim.switch(sign_out=True)
    for id in ("op-1", "op-2"):
        result = await picture(labs, id)
        assert result.error is not None
        assert (result.error.code, result.error.sent) == ("NOT_SIGNED_IN", False)
    assert labs.host.flow is not None and not labs.host.flow.signed_in
    assert labs.sim.ledger() == []


async def test_signed_out_is_flow_s_own_answer_where_nothing_had_to_be_minted(labs: Rig) -> None:
    labs.sim.switch(sign_out=True)
    assert (await credits(labs)).status == 401
    assert labs.host.flow is not None and not labs.host.flow.signed_in
