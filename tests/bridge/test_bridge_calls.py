"""Calls through the whole bridge: host, socket, stand-in, page."""

from __future__ import annotations

import json

from bridge_world import CREDITS, IMAGE, PROJECT, World

async def test_a_free_call_brings_back_the_answer_as_it_came(world: World) -> None:
    await world.pair()
    result = await world.host.call("account.credits", CREDITS, lane="batchexecute", timeout_s=5)
    assert (result.ok, result.status, result.body) == (True, 200, world.page.answer)
    assert result.headers == {"content-type": "application/json", "retry-after": "7"}
