"""The stand-in behaves as the extension will: what it lets out, what it refuses, what it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bridge_world import CREDITS, IMAGE, PROJECT, World, kill
from websockets.asyncio.server import ServerConnection, serve

from flowkit_mcp.bridge import pairing
from flowkit_mcp.bridge.pairing import PairingCode
from flowkit_mcp.bridge.protocol import (
    Ack,
    Call,
    Challenge,
    Hello,
    Phase,
    Result,
    Standing,
    Welcome,
    dump,
    parse_from_extension,
)
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.simulator.browser import StandInBrowser


async def generate(world: World, id: str = "op-1", **options: Any) -> Result:
    options = {"captcha": "IMAGE_GENERATION", "paid": True, "timeout_s": 5} | options
    return await world.host.call("image.generate", IMAGE, lane="batchexecute", id=id, **options)


# ---- the call itself -------------------------------------------------------------------------


async def test_the_call_is_made_as_flow_s_own_page_would(world: World) -> None:
    await world.pair()
    assert (await generate(world)).ok
    (made,) = world.page.executions
    outer = json.loads(made["f.req"])
    assert outer[0][0][0] == "ogiZ0b" and outer[0][0][2:] == [None, "generic"]
    assert json.loads(outer[0][0][1]) == [None, ["token-0-IMAGE_GENERATION", 1]]
    query = made["query"]
    assert query.pop("_reqid").isdigit()
    assert query == {
        "rpcids": "ogiZ0b",
        "source-path": f"/project/{PROJECT}",
        "bl": "boq_labs_p0",
        "f.sid": "-123",
        "hl": "en",
        "rt": "c",
    }
    assert world.page.page_reads[-1] == f"/project/{PROJECT}"


async def test_the_page_s_values_are_read_before_each_call_never_kept(world: World) -> None:
    await world.pair()
    assert (await generate(world)).status == 200
    world.page.at = "at-2:1700000000001"
    assert (await generate(world, id="op-2")).status == 200
    assert len(world.page.executions) == 2


async def test_calls_at_the_same_time_do_not_spoil_each_other_s_page_values(world: World) -> None:
    await world.pair()
    world.page.rotate = True
    results = await asyncio.gather(*(generate(world, id=f"op-{number}") for number in range(8)))
    assert [one.status for one in results] == [200] * 8
    assert len(world.page.executions) == 8
    assert len(world.page.minted) == 8  # none was refused and made again


async def test_tokens_are_minted_one_at_a_time_and_used_once(world: World) -> None:
    await world.pair()
    await asyncio.gather(*(generate(world, id=f"op-{number}") for number in range(5)))
    used = [json.loads(json.loads(one["f.req"])[0][0][1])[1][0] for one in world.page.executions]
    assert len(set(used)) == 5 and set(used) == set(world.page.minted)
    assert world.page.overlapping_mints == 0


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_call_refused_as_a_whole_is_made_once_more_with_a_new_token(
    world: World, status: int
) -> None:
    await world.pair()
    world.page.refusals = [status]
    result = await generate(world)
    assert result.status == 200
    assert len(world.page.executions) == 1
    assert len(world.page.minted) == 2


async def test_a_second_refusal_is_the_answer(world: World) -> None:
    await world.pair()
    world.page.refusals = [403, 403, 403]
    result = await generate(world)
    assert (result.ok, result.status, result.body) == (True, 403, "refused")
    assert world.page.refusals == [403]


async def test_a_refusal_in_html_is_for_a_person_and_is_not_repeated(world: World) -> None:
    await world.pair()
    world.page.sorry = True
    result = await generate(world)
    assert (result.status, result.headers["content-type"]) == (403, "text/html")
    assert len(world.page.minted) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_other_failures_come_back_as_they_are_and_are_not_repeated(
    world: World, status: int
) -> None:
    await world.pair()
    world.page.refusals = [status]
    assert (await generate(world)).status == status
    assert world.page.executions == []


async def test_a_line_cut_after_sending_is_network_and_sent(world: World) -> None:
    await world.pair()
    world.page.cut = True
    result = await generate(world)
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("NETWORK", True)
    assert (await world.host.lookup("op-1")).standing == "sent_no_answer"
    assert len(world.page.executions) == 1


async def test_a_service_that_does_not_answer_is_timeout_and_sent(world: World) -> None:
    await world.pair()
    world.page.hold = asyncio.Event()
    result = await generate(world, timeout_s=0.2)
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("TIMEOUT", True)


async def test_signed_out_is_seen_and_nothing_is_sent(world: World) -> None:
    browser, _ = await world.pair()
    await world.until(lambda: world.host.flow is not None and world.host.flow.signed_in)
    world.page.sessions.clear()
    result = await generate(world)
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("NOT_SIGNED_IN", False)
    assert (await world.host.lookup("op-1")).standing == "never_received"
    await world.until(lambda: world.host.flow is not None and not world.host.flow.signed_in)
    await browser.sign_in()
    await world.until(lambda: world.host.flow is not None and world.host.flow.signed_in)


async def test_flow_s_state_says_simulated_and_whose_account(world: World) -> None:
    await world.pair()
    flow = world.host.flow
    assert flow is not None
    assert (flow.simulated, flow.account, flow.lane, flow.tab) == (
        True,
        "simulated:demo",
        "batchexecute",
        "ready",
    )


async def test_without_the_simulator_there_is_no_tab_and_nothing_is_sent(world: World) -> None:
    await world.pair()
    await world.page.aclose()
    result = await world.host.call("account.credits", CREDITS, lane="batchexecute", timeout_s=5)
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("NO_FLOW_TAB", False)
    await world.until(lambda: world.host.flow is not None and world.host.flow.tab == "none")


async def test_a_call_taken_back_before_it_was_sent_never_leaves_and_its_id_is_void(
    world: World,
) -> None:
    minting, go = asyncio.Event(), asyncio.Event()

    async def wait(call_id: str, phase: Phase) -> None:
        if phase is Phase.MINTING:
            minting.set()
            await go.wait()

    await world.pair(on_phase=wait)
    making = asyncio.create_task(generate(world))
    await minting.wait()
    world.host.withdraw("op-1")
    # answered in order, so that the withdrawal has arrived when this is
    assert (await world.host.lookup("op-1")).standing is Standing.IN_FLIGHT
    go.set()
    result = await making
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("WITHDRAWN", False)
    assert (await world.host.lookup("op-1")).standing is Standing.NEVER_RECEIVED
    assert world.page.executions == []


# ---- the table -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "options", "code"),
    [
        ("image.delete", CREDITS, {}, "UNKNOWN_CALL"),
        ("scene.create", CREDITS, {"lane": "labs"}, "UNKNOWN_CALL"),
        ("account.credits", CREDITS, {"lane": "labs"}, "BAD_ARGUMENTS"),
        ("account.credits", {"rpc": "nzlxg"}, {}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS | {"url": "https://evil.example"}, {}, "BAD_ARGUMENTS"),
        ("account.credits", {"rpc": "nz/xg", "args": []}, {}, "BAD_ARGUMENTS"),
        ("account.credits", {"rpc": "nzlxg\n", "args": []}, {}, "BAD_ARGUMENTS"),
        # A paid RPC under a free name would run past the person's pause.
        ("account.credits", {"rpc": "ogiZ0b", "args": []}, {}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS, {"captcha": "IMAGE_GENERATION"}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS, {"paid": True}, "BAD_ARGUMENTS"),
        ("image.generate", IMAGE, {"captcha": "IMAGE_GENERATION"}, "BAD_ARGUMENTS"),
        ("image.generate", IMAGE, {"captcha": "VIDEO_GENERATION", "paid": True}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS | {"source_path": "//evil.example/x"}, {}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS | {"source_path": "/../signin"}, {}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS | {"source_path": "https://evil"}, {}, "BAD_ARGUMENTS"),
        ("account.credits", CREDITS | {"source_path": "/x?y=1"}, {}, "BAD_ARGUMENTS"),
    ],
)
async def test_what_no_row_of_the_table_allows_is_refused_and_never_leaves(
    world: World, name: str, args: dict[str, Any], options: dict[str, Any], code: str
) -> None:
    await world.pair()
    reads = len(world.page.page_reads)
    options = {"lane": "batchexecute"} | options
    result = await world.host.call(name, args, timeout_s=5, **options)
    assert result.error is not None
    assert (result.error.code, result.error.sent) == (code, False)
    assert world.page.executions == [] and world.page.minted == []
    assert len(world.page.page_reads) == reads


async def test_an_rpc_id_the_table_does_not_know_is_allowed_because_flow_renames_them(
    world: World,
) -> None:
    await world.pair()
    args = {"rpc": "Zz99zz", "args": []}
    result = await world.host.call("account.credits", args, lane="batchexecute", timeout_s=5)
    assert result.ok


# ---- whom it talks to ------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def impostor(world: World, script: Any) -> AsyncIterator[None]:
    """Another program on the bridge's port."""
    await world.host.aclose()
    async with serve(script, "127.0.0.1", world.port, compression=None):
        yield


async def test_a_squatter_on_the_port_learns_nothing_and_runs_nothing(world: World) -> None:
    browser, task = await world.pair()
    heard: list[str] = []
    done = asyncio.Event()

    async def squat(link: ServerConnection) -> None:
        hello = parse_from_extension(await link.recv())
        assert isinstance(hello, Hello)
        nonce = pairing.new_nonce()
        echo = Challenge(protocol=1, nonce=nonce, generation=99, proof=hello.nonce)
        call = Call(id="evil", generation=99, lane="batchexecute", name="account.credits",
                    args=CREDITS, timeout_s=5)  # fmt: skip
        await link.send(dump(echo))
        await link.send(dump(Welcome(generation=99, version="x", library="x")))
        await link.send(dump(call))
        with contextlib.suppress(Exception):
            while True:
                heard.append(str(await link.recv()))
        assert link.close_code == 4003
        done.set()

    async with impostor(world, squat):
        async with asyncio.timeout(60):
            await done.wait()
        assert heard == []
        assert world.page.executions == []
        assert not browser.connected.is_set()
    await kill(task)


async def proved(world: World, link: ServerConnection, generation: int) -> Hello:
    """The server's side of a good handshake, up to the challenge."""
    hello = parse_from_extension(await link.recv())
    assert isinstance(hello, Hello)
    key = world.book.key_for(hello.instance, pairing=hello.pairing)
    assert key is not None
    nonce = pairing.new_nonce()
    good = pairing.proof(key, "srv", world.port, hello.instance, hello.nonce, nonce, generation)
    await link.send(dump(Challenge(protocol=1, nonce=nonce, generation=generation, proof=good)))
    return hello


async def test_a_generation_below_the_highest_seen_is_refused_4005(world: World) -> None:
    await world.lead(port=0)
    await world.pair()
    closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def stale(link: ServerConnection) -> None:
        await proved(world, link, 1)
        await link.wait_closed()
        if not closed.done():
            closed.set_result(link.close_code)

    async with impostor(world, stale), asyncio.timeout(60):
        assert await closed == 4005


async def test_one_id_delivered_twice_runs_once_and_a_stale_call_not_at_all(world: World) -> None:
    await world.pair()
    results: list[Result] = []
    enough = asyncio.Event()

    async def twice(link: ServerConnection) -> None:
        await proved(world, link, 7)
        await link.recv()
        await link.send(dump(Welcome(generation=7, version="x", library="x")))
        call = Call(id="op-1", generation=7, lane="batchexecute", name="image.generate", args=IMAGE,
                    captcha="IMAGE_GENERATION", paid=True, timeout_s=5)  # fmt: skip
        await link.send(dump(call))
        await link.send(dump(call))
        await link.send(dump(call.model_copy(update={"id": "op-2", "generation": 6})))
        while len(results) < 2:
            message = parse_from_extension(await link.recv())
            if isinstance(message, Result):
                results.append(message)
        await link.send(dump(Ack(id="op-1")))
        await link.send(dump(call))
        while len(results) < 3:
            message = parse_from_extension(await link.recv())
            if isinstance(message, Result):
                results.append(message)
        enough.set()

    async with impostor(world, twice), asyncio.timeout(60):
        await enough.wait()
    assert [(one.id, one.error and one.error.code) for one in results] == [
        ("op-2", "STALE_GENERATION"),
        ("op-1", None),
        ("op-1", "DUPLICATE"),
    ]
    assert len(world.page.executions) == 1


# ---- pairing and what is kept ----------------------------------------------------------------


def test_a_profile_that_never_paired_needs_a_code(world_book: Any, tmp_path: Any) -> None:
    with pytest.raises(InvalidSetting, match="not paired"):
        StandInBrowser(simulator="http://127.0.0.1:1", port=47815, profile=tmp_path / "new")


async def test_a_paired_profile_comes_back_without_a_code_and_with_the_old_one(
    world: World,
) -> None:
    code = world.book.issue_code(world.port)
    for given in (code, None, code):
        browser, task = world.open_browser(code=given)
        await asyncio.wait_for(browser.connected.wait(), 60)
        await kill(task)
    assert [one.instance for one in world.book.profiles()] == [browser.instance]


async def test_a_profile_that_died_in_the_middle_of_pairing_can_still_pair(world: World) -> None:
    code = world.book.issue_code(world.port)
    proof_came = asyncio.Event()

    async def dies_before_it_takes_the_proof(link: ServerConnection) -> None:
        await proved(world, link, 1)
        await link.recv()
        proof_came.set()

    async with impostor(world, dies_before_it_takes_the_proof):
        browser, task = world.open_browser(code=code)
        await asyncio.wait_for(proof_came.wait(), 60)
        await kill(task)
    await world.lead()
    again, _ = world.open_browser(code=code)
    await asyncio.wait_for(again.connected.wait(), 60)
    assert again.instance == browser.instance


async def test_a_wrong_code_never_connects_and_leaves_the_right_one_usable(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.book.issue_code(world.port)
    browser, task = world.open_browser(code=PairingCode(world.port, b"x" * 32))
    await world.until(lambda: caplog.text.count("did not let this browser in") >= 2)
    assert not browser.connected.is_set()
    await kill(task)
    assert world.book.profiles() == []


async def test_nothing_of_the_session_is_on_disk_or_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="flowkit")
    code = world.book.issue_code(world.port)
    browser, task = world.open_browser(code=code)
    await asyncio.wait_for(browser.connected.wait(), 60)
    assert (await generate(world)).ok
    await kill(task)
    folder = world.folder / "one"
    text = caplog.text + "".join(one.read_text(encoding="utf-8") for one in folder.iterdir())
    for secret in ("token-0", world.page.at, "SID=", code.secret.hex(), world.page.answer):
        assert secret not in text
    assert {one.name: one.stat().st_mode & 0o777 for one in folder.iterdir()} == {
        "profile.json": 0o600,
        "journal.jsonl": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_it_comes_back_after_an_outage_and_the_backoff_starts_afresh(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def shortened(_: float, most: float) -> float:
        waits.append(most)
        return 0.01

    browser, _ = await world.pair()
    monkeypatch.setattr("random.uniform", shortened)
    for _ in range(2):
        waits.clear()
        await world.host.aclose()
        await world.until(lambda: len(waits) >= 3)
        assert waits[:3] == [0.5, 1.0, 2.0]
        await world.lead()
        await world.until(lambda: world.host.instance == browser.instance)
        await world.until(browser.connected.is_set)
