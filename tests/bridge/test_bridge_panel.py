"""What the bridge does for the panel: the queue it shows, and paid calls held until the person agrees."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest
from bridge_world import IMAGE, INSTANCE, SHORT, BareExtension, World, bare, joined
from pydantic import ValidationError

from flowkit_mcp.bridge.pairing import profile_key
from flowkit_mcp.bridge.protocol import (
    LIBRARY_SHOWN,
    QUEUE_SHOWN,
    Ack,
    Call,
    CallError,
    Found,
    Lookup,
    Phase,
    PhaseNote,
    Queue,
    QueuedJob,
    Result,
    Standing,
    Welcome,
    Withdraw,
)
from flowkit_mcp.bridge.session import Patience

OTHER = "b" * 32


def queue(*ids: int) -> Queue:
    jobs = [
        QueuedJob(id=id, what="scene 1 vertical clip", state="queued", credits=10) for id in ids
    ]
    return Queue(jobs=jobs)


@contextlib.asynccontextmanager
async def asked(world: World) -> AsyncGenerator[tuple[BareExtension, asyncio.Task[Result]]]:
    """A paid call that the person is being asked about."""
    world.patience = SHORT
    await world.lead(port=0)
    async with joined(world) as extension:
        call = asyncio.create_task(
            world.host.call(
                "image.generate", IMAGE, lane="batchexecute", paid=True, timeout_s=10, id="op-1"
            )
        )
        await extension.receive()
        for phase in (Phase.ACCEPTED, Phase.ASKING):
            await extension.send(PhaseNote(id="op-1", phase=phase))
        await extension.heard()
        yield extension, call


async def test_the_queue_is_told_after_the_welcome_and_when_it_changed(world: World) -> None:
    world.host.show_queue(queue(1))
    async with joined(world) as extension:
        assert await extension.receive() == queue(1)
        world.host.show_queue(queue(1))  # nothing new to say
        world.host.show_queue(queue(1, 2))
        assert await extension.receive() == queue(1, 2)


async def test_only_the_profile_in_use_is_told_the_queue(world: World) -> None:
    async with joined(world, OTHER) as standing_by_later:
        async with joined(world) as standing_by:
            world.host.show_queue(queue(1))
            assert await standing_by_later.receive() == queue(1)
            await standing_by_later.link.close()
            # the first thing the second one hears is the queue it now has to show
            assert await standing_by.receive() == queue(1)


def test_a_queue_is_short_and_so_is_what_it_says() -> None:
    with pytest.raises(ValidationError):
        queue(*range(QUEUE_SHOWN + 1))
    with pytest.raises(ValidationError):
        QueuedJob(id=1, what="x" * 81, state="queued")


async def test_a_call_says_what_it_is_for_and_no_more_than_the_panel_has_room_for(
    world: World,
) -> None:
    async with joined(world) as extension:
        for what in ("scene 3 vertical clip", ""):
            call = asyncio.create_task(
                world.host.call(
                    "account.credits",
                    {},
                    what=what,
                    lane="batchexecute",
                    timeout_s=5,
                    id=f"x{what}",
                )
            )
            message = await extension.receive()
            assert isinstance(message, Call)
            assert message.what == (what or None), "absent rather than empty"
            call.cancel()
            assert isinstance(await extension.receive(), Withdraw)
            assert isinstance(await extension.receive(), Ack)


async def test_of_a_long_path_to_the_library_the_end_is_told(world: World) -> None:
    world.library = "/x" * 400 + "/Films"
    await world.lead(port=0)
    key = profile_key(world.book.issue_code(world.port).secret, INSTANCE)
    async with bare(world.port) as extension:
        await extension.greet(key, pairing_=True)
        welcome = await extension.receive()
    assert isinstance(welcome, Welcome)
    assert len(welcome.library) == LIBRARY_SHOWN and welcome.library.endswith("/x/Films")


async def test_while_the_person_is_asked_the_time_before_sending_does_not_run(world: World) -> None:
    async with asked(world) as (extension, call):
        world.later(25)  # it else has 20 s
        await extension.heard()
        assert not call.done()
        await extension.send(PhaseNote(id="op-1", phase=Phase.SENT))
        await extension.send(Result(id="op-1", ok=True, status=200, body="answer"))
        assert (await call).ok


async def test_after_the_person_s_word_the_time_before_sending_begins_anew(world: World) -> None:
    async with asked(world) as (extension, call):
        await extension.send(PhaseNote(id="op-1", phase=Phase.MINTING))
        await extension.heard()
        world.later(25)
        assert await extension.receive() == Withdraw(id="op-1")
        assert await extension.receive() == Lookup(id="op-1")
        await extension.send(Found(id="op-1", standing=Standing.NEVER_RECEIVED))
        result = await call
    assert result.error is not None and not result.error.sent


async def test_asking_ends_even_if_the_extension_forgets(world: World) -> None:
    world.patience = Patience(before_sent_s=60, asking_s=10, grace_s=5)
    await world.lead(port=0)
    async with joined(world) as extension:
        call = asyncio.create_task(
            world.host.call(
                "image.generate", IMAGE, lane="batchexecute", paid=True, timeout_s=60, id="op-1"
            )
        )
        await extension.receive()
        await extension.send(PhaseNote(id="op-1", phase=Phase.ASKING))
        await extension.heard()
        world.later(20)
        assert await extension.receive() == Withdraw(id="op-1")
        # asking once more buys no more time
        await extension.send(PhaseNote(id="op-1", phase=Phase.ASKING))
        assert await extension.receive() == Lookup(id="op-1")
        await extension.send(Found(id="op-1", standing=Standing.IN_FLIGHT))
        result = await call
    assert result.error is not None and result.error.sent  # nobody can say that it will not go out


async def test_a_free_call_gets_no_time_for_asking(world: World) -> None:
    world.patience = SHORT
    await world.lead(port=0)
    async with joined(world) as extension:
        call = asyncio.create_task(
            world.host.call("account.credits", {}, lane="batchexecute", timeout_s=10, id="free")
        )
        await extension.receive()
        await extension.send(PhaseNote(id="free", phase=Phase.ASKING))
        await extension.heard()
        world.later(25)
        assert await extension.receive() == Withdraw(id="free")
        await extension.receive()
        await extension.send(Found(id="free", standing=Standing.NEVER_RECEIVED))
        assert not (await call).ok


async def test_a_drop_while_the_person_is_asked_does_not_shorten_the_asking(world: World) -> None:
    async with asked(world) as (extension, call):
        await extension.link.close()
        async with joined(world, journal={"op-1": Phase.ASKING}) as again:
            assert await again.receive() == Lookup(id="op-1")
            await again.send(Found(id="op-1", standing=Standing.IN_FLIGHT))
            await again.heard()
            world.later(25)
            await again.heard()
            assert not call.done()
            refused = CallError(code="REFUSED_BY_PERSON", sent=False)
            await again.send(Result(id="op-1", ok=False, error=refused))
            assert (await call).error == refused


async def test_a_caller_that_gives_up_takes_its_call_back(world: World) -> None:
    async with asked(world) as (extension, call):
        call.cancel()
        assert await extension.receive() == Withdraw(id="op-1")


async def test_a_call_can_be_taken_back_while_somebody_waits_for_it(world: World) -> None:
    async with asked(world) as (extension, call):
        world.host.withdraw("op-1")
        assert await extension.receive() == Withdraw(id="op-1")
        taken_back = CallError(code="WITHDRAWN", sent=False)
        await extension.send(Result(id="op-1", ok=False, error=taken_back))
        assert (await call).error == taken_back
        world.host.withdraw("op-1")  # nothing is left to take back
