"""What becomes of a call: through drops, restarts, other profiles and time-outs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from bridge_world import CREDITS, IMAGE, INSTANCE, SHORT, World, joined, kill

from flowkit_mcp.bridge.protocol import (
    SILENCE_LIMIT_S,
    Ack,
    Call,
    Found,
    Lookup,
    Phase,
    PhaseNote,
    Resend,
    Result,
    Standing,
    Withdraw,
)
from flowkit_mcp.errors import NotConnected, Transient

OTHER = "b" * 32


def pay(world: World, id: str = "op-1", **options: Any) -> asyncio.Task[Result]:
    """A paid call under way."""
    options = {"timeout_s": 5, "captcha": "IMAGE_GENERATION"} | options
    return asyncio.create_task(
        world.host.call(
            "image.generate", IMAGE, lane="batchexecute", paid=True, credits=3, id=id, **options
        )
    )


def answered(id: str, body: str = "answer") -> Result:
    return Result(id=id, ok=True, status=200, body=body)


# ---- plain calls -----------------------------------------------------------------------------


async def test_a_free_call_brings_back_the_answer_as_it_came(world: World) -> None:
    await world.pair()
    result = await world.host.call("account.credits", CREDITS, lane="batchexecute", timeout_s=5)
    assert (result.ok, result.status, result.body) == (True, 200, world.page.answer)
    assert result.headers == {"content-type": "application/json", "retry-after": "7"}


async def test_a_call_says_who_asks_and_what_it_costs(world: World) -> None:
    async with joined(world) as extension:
        call = pay(world)
        seen = await extension.receive()
        assert isinstance(seen, Call)
        assert (seen.id, seen.generation, seen.paid, seen.credits) == ("op-1", 1, True, 3)
        await extension.send(answered("op-1"))
        assert (await call).body == "answer"


async def test_a_free_result_is_acked_by_the_host_a_paid_one_only_after_the_commit(
    world: World,
) -> None:
    async with joined(world) as extension:
        free = asyncio.create_task(
            world.host.call("account.credits", CREDITS, lane="batchexecute", timeout_s=5)
        )
        asked = await extension.receive()
        await extension.send(answered(asked.id))
        await free
        assert await extension.receive() == Ack(id=asked.id)
        paid = pay(world)
        assert isinstance(await extension.receive(), Call)
        await extension.send(answered("op-1"))
        await paid
        await world.host.ack("op-1")
        assert await extension.receive() == Ack(id="op-1")


async def test_not_connected_is_raised_before_anything_leaves(world: World) -> None:
    with pytest.raises(NotConnected):
        await pay(world)
    with pytest.raises(NotConnected):
        await world.host.lookup("op-1")
    async with joined(world) as extension:
        with pytest.raises(NotConnected):
            await pay(world, instance=OTHER)
        call = pay(world, id="op-2", instance=INSTANCE)
        assert (await extension.receive()).id == "op-2"
        await extension.send(answered("op-2"))
        assert (await call).ok


async def test_a_20_mb_answer_passes(world: World) -> None:
    world.page.answer = "x" * 20_000_000
    await world.pair()
    result = await world.host.call("project.contents", {"rpc": "Zzl0ze", "args": []},
                                   lane="batchexecute", timeout_s=20)  # fmt: skip
    assert len(result.body or "") == 20_000_000


async def test_a_question_of_4_mb_passes(world: World) -> None:
    await world.pair()
    args = {"rpc": "maseQ", "args": ["x" * 4_000_000]}
    result = await world.host.call("image.upload", args, lane="batchexecute", timeout_s=20)
    assert result.ok
    assert len(world.page.executions[0]["f.req"]) > 4_000_000


# ---- results that are not ours to take -------------------------------------------------------


async def test_another_profile_cannot_answer_a_call_it_was_not_asked(world: World) -> None:
    async with joined(world) as mine, joined(world, OTHER) as other:
        call = pay(world)
        await mine.receive()
        await other.send(answered("op-1", "forged"))
        await other.send(Found(id="op-1", standing=Standing.NEVER_RECEIVED))
        await other.heard()
        assert not call.done()
        await mine.send(answered("op-1", "true"))
        assert (await call).body == "true"


async def test_a_result_of_an_unknown_or_finished_call_changes_nothing(world: World) -> None:
    async with joined(world) as extension:
        await extension.send(answered("never-asked"))
        call = pay(world)
        await extension.receive()
        await extension.send(answered("op-1", "first"))
        await extension.send(answered("op-1", "second"))
        assert (await call).body == "first"
        await extension.heard()


async def test_a_found_that_carries_another_call_s_result_is_ignored(world: World) -> None:
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
        await extension.send(Found(id="op-1", standing=Standing.ANSWERED, result=answered("op-2")))
        await extension.send(answered("op-1", "true"))
        assert (await call).body == "true"


# ---- drops and restarts ----------------------------------------------------------------------


async def test_a_result_finished_while_the_link_was_down_is_fetched_again(world: World) -> None:
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
        await extension.send(PhaseNote(id="op-1", phase=Phase.SENT))
    async with joined(world, journal={"op-1": Phase.DONE}) as extension:
        assert await extension.receive() == Resend(id="op-1")
        await extension.send(answered("op-1"))
        assert (await call).body == "answer"


@pytest.mark.parametrize(
    ("standing", "sent"),
    [
        (Standing.NEVER_RECEIVED, False),
        (Standing.SENT_NO_ANSWER, True),
        (Standing.ANSWERED, True),
    ],
)
async def test_after_a_drop_the_journal_decides_whether_it_was_sent(
    world: World, standing: Standing, sent: bool
) -> None:
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
    async with joined(world) as extension:
        assert await extension.receive() == Lookup(id="op-1")
        await extension.send(Found(id="op-1", standing=standing))
        result = await call
    assert result.error is not None
    assert (result.ok, result.error.code, result.error.sent) == (False, "LOST", sent)


async def test_a_call_still_in_flight_after_a_drop_is_waited_for(world: World) -> None:
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
    async with joined(world, journal={"op-1": Phase.SENT}) as extension:
        await extension.receive()
        await extension.send(Found(id="op-1", standing=Standing.IN_FLIGHT))
        await extension.send(answered("op-1"))
        assert (await call).body == "answer"


async def test_a_call_waits_for_its_own_profile_not_for_another(world: World) -> None:
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
    async with joined(world, OTHER) as other:
        await other.heard()  # and no lookup
        async with joined(world, journal={"op-1": Phase.DONE}) as extension:
            assert await extension.receive() == Resend(id="op-1")
            await extension.send(answered("op-1"))
            assert (await call).ok


async def test_a_profile_that_stays_away_leaves_the_outcome_open(world: World) -> None:
    world.patience = SHORT
    await world.lead(port=0)
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
    await world.until(lambda: world.host.flow is None)
    world.later(20)
    result = await call
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("LOST", True)


@pytest.mark.parametrize(
    ("standing", "sent"), [(Standing.NEVER_RECEIVED, False), (Standing.IN_FLIGHT, True)]
)
async def test_when_time_is_over_only_the_journal_can_prove_that_nothing_was_sent(
    world: World, standing: Standing, sent: bool
) -> None:
    world.patience = SHORT
    await world.lead(port=0)
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
        await extension.send(PhaseNote(id="op-1", phase=Phase.MINTING))
        await extension.heard()
        world.later(20)
        assert await extension.receive() == Withdraw(id="op-1")
        assert await extension.receive() == Lookup(id="op-1")
        await extension.send(Found(id="op-1", standing=standing))
        result = await call
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("TIMEOUT", sent)


async def test_the_limit_of_a_call_counts_from_the_moment_it_was_sent(world: World) -> None:
    async with joined(world) as extension:
        call = pay(world)
        await extension.receive()
        await extension.send(PhaseNote(id="op-1", phase=Phase.SENT))
        await extension.heard()
        world.later(20)  # before it was sent it had a minute
        assert await extension.receive() == Lookup(id="op-1")
        await extension.send(Found(id="op-1", standing=Standing.IN_FLIGHT))
        result = await call
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("TIMEOUT", True)


async def test_an_ack_given_while_the_profile_was_away_reaches_it_later(world: World) -> None:
    async with joined(world):
        pass
    await world.until(lambda: world.host.flow is None)
    await world.host.ack("op-1")
    async with joined(world, journal={"op-1": Phase.DONE, "op-2": Phase.DONE}) as extension:
        assert await extension.receive() == Ack(id="op-1")


async def test_a_lookup_that_the_browser_leaves_unanswered_is_transient(world: World) -> None:
    async with joined(world) as extension:
        asking = asyncio.create_task(world.host.lookup("op-1"))
        assert await extension.receive() == Lookup(id="op-1")
    with pytest.raises(Transient):
        await asking


async def test_a_server_restarted_in_mid_call_finds_the_result_and_it_ran_once(
    world: World,
) -> None:
    world.page.hold = asyncio.Event()
    browser, _ = await world.pair()
    call = pay(world)
    await world.page.arrived.wait()
    await world.host.aclose()
    with pytest.raises(asyncio.CancelledError):
        await call
    world.page.hold.set()
    await world.lead()
    await world.until(lambda: world.host.instance == browser.instance)
    async with asyncio.timeout(60):
        while (found := await world.host.lookup("op-1")).standing == Standing.IN_FLIGHT:
            pass
    assert found.standing == Standing.ANSWERED
    assert found.result is not None and found.result.body == world.page.answer
    assert len(world.page.executions) == 1


async def test_acked_ids_never_run_again_not_even_after_both_ends_restarted(world: World) -> None:
    browser, task = await world.pair()
    assert (await pay(world)).ok
    held = await pay(world)
    assert held.ok and len(world.page.executions) == 1  # the same id: the held answer
    await world.host.ack("op-1")
    again = await pay(world)
    assert again.error is not None
    assert (again.error.code, again.error.sent) == ("DUPLICATE", True)
    await kill(task)
    await world.host.aclose()
    await world.lead()
    browser, _ = world.open_browser()
    await world.until(lambda: world.host.instance == browser.instance)
    again = await pay(world)
    assert again.error is not None and again.error.code == "DUPLICATE"
    assert len(world.page.executions) == 1


async def test_an_id_answered_never_received_does_not_run_later_either(world: World) -> None:
    await world.pair()
    assert (await world.host.lookup("op-1")).standing == Standing.NEVER_RECEIVED
    late = await pay(world)
    assert late.error is not None
    assert (late.error.code, late.error.sent) == ("DUPLICATE", False)
    assert (await world.host.lookup("op-1")).standing == Standing.NEVER_RECEIVED
    assert world.page.executions == []


# ---- several profiles ------------------------------------------------------------------------


async def test_a_second_profile_stands_by_and_takes_over_when_the_first_leaves(
    world: World,
) -> None:
    first, task = await world.pair("one")
    second, _ = await world.pair("two")
    assert world.host.instance == first.instance
    assert [(one.label, one.active) for one in world.host.profiles] == [
        ("one", True),
        ("two", False),
    ]
    await kill(task)
    await world.until(lambda: world.host.instance == second.instance)
    result = await world.host.call("account.credits", CREDITS, lane="batchexecute", timeout_s=5)
    assert result.ok


async def test_a_profile_standing_by_can_be_asked_for_its_journal(world: World) -> None:
    await world.pair("one")
    second, _ = await world.pair("two")
    found = await world.host.lookup("op-1", instance=second.instance)
    assert found.standing == Standing.NEVER_RECEIVED
    assert (await pay(world)).ok  # the first profile was not asked, and may run it


async def test_the_same_profile_s_new_socket_replaces_the_old_one(world: World) -> None:
    async with joined(world) as old, joined(world) as new:
        assert await old.closed() == 4004
        assert len(world.host.profiles) == 1
        call = pay(world)
        assert (await new.receive()).id == "op-1"
        await new.send(answered("op-1"))
        assert (await call).ok


async def test_pause_is_seen_and_stops_paid_calls_only(world: World) -> None:
    browser, _ = await world.pair()
    await browser.pause(True)
    await world.until(lambda: world.host.paused)
    refused = await pay(world)
    assert refused.error is not None
    assert (refused.error.code, refused.error.sent) == ("PAUSED", False)
    reading = await world.host.call("account.credits", CREDITS, lane="batchexecute", timeout_s=5)
    assert reading.ok
    await browser.pause(False)
    await world.until(lambda: not world.host.paused)
    assert (await pay(world, id="op-2")).ok


async def test_pause_outlives_a_reconnect(world: World) -> None:
    browser, _ = await world.pair()
    await browser.pause(True)
    await world.host.aclose()
    await world.lead()
    await world.until(lambda: world.host.instance == browser.instance and world.host.paused)


# ---- life ------------------------------------------------------------------------------------


async def test_closing_takes_less_than_300_ms_even_with_a_peer_that_does_not_read(
    world: World,
) -> None:
    await world.pair()
    loop, took = asyncio.get_running_loop(), list[float]()
    for _ in range(10):
        async with joined(world, OTHER) as deaf:
            deaf.link.transport.pause_reading()
            start = loop.time()
            await world.host.aclose()
            took.append(loop.time() - start)
            await world.lead()  # the port is free at once
        if took[-1] < 0.3:
            break  # what it waits for, it would wait for each time; a busy machine does not
    assert took[-1] < 0.3, took


async def test_a_link_that_goes_silent_is_dropped(world: World) -> None:
    async with joined(world) as extension:
        await extension.heard()
        world.later(SILENCE_LIMIT_S)
        assert await extension.closed() == 1006
    await world.until(lambda: world.host.profiles == [])


async def test_malformed_frames_after_the_handshake_close_4001(world: World) -> None:
    async with joined(world) as extension:
        await extension.send(json.dumps({"type": "result", "id": "x", "evil": 1}))
        assert await extension.closed() == 4001
