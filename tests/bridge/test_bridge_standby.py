"""Of several browser profiles one has the calls, and the others are told so."""

from __future__ import annotations

from bridge_world import INSTANCE, BareExtension, World, bare, kill

from flowkit_mcp.bridge import pairing
from flowkit_mcp.bridge.protocol import Queue, Welcome


async def _welcome(link: BareExtension, world: World) -> Welcome:
    """Pair with a new code and come in."""
    code = world.book.issue_code(world.port)
    await link.greet(pairing.profile_key(code.secret, INSTANCE), pairing_=True)
    welcome = await link.receive()
    assert isinstance(welcome, Welcome)
    return welcome


async def test_a_second_profile_is_told_that_it_stands_by_and_when_its_turn_has_come(
    world: World,
) -> None:
    world.host.show_queue(Queue(jobs=[]))
    _, first = await world.pair("one")
    async with bare(world.port) as second:
        assert (await _welcome(second, world)).standby
        await kill(first)
        assert isinstance(await second.receive(), Queue)


async def test_the_only_profile_does_not_stand_by_and_neither_does_its_next_socket(
    world: World,
) -> None:
    async with bare(world.port) as only, bare(world.port) as again:
        assert not (await _welcome(only, world)).standby
        assert not (await _welcome(again, world)).standby
