"""The leader's line to a browser through the whole stack: live answers, the self-check, the library's own facts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mcp import Client
from whole import Stack, stack

from flowkit_mcp.app import Status
from flowkit_mcp.domain.models import SelfCheck
from flowkit_mcp.server.server import build
from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.e2e  # a simulator, a browser and a server each


async def until(world: Stack, true: Callable[[Status], object]) -> Status:
    version = await world.kit.db.version()
    while True:
        status = await world.kit.status()
        if true(status):
            return status
        version = await world.kit.db.changed(version, 1)


def self_check(status: Status) -> SelfCheck | None:
    checks = status.provider.checks if status.provider is not None else None
    return checks.self_check if checks is not None else None


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_status_tells_what_the_browser_and_flow_say_now(tmp_path: Path, lane: Lane) -> None:
    async with stack(tmp_path, lane=lane) as world:
        status = await until(world, lambda now: self_check(now) and now.browser.fine)
        assert f"lane {lane}" in status.browser.what and status.facts_trouble is None
        checked = self_check(status)
        assert checked is not None and checked.lane == lane
        assert {call.state for call in checked.calls} == {"ok"}
        await world.browser.pause(True)
        status = await until(world, lambda now: now.browser.state == "paused")
        assert "Resume" in status.browser.next


async def test_an_account_that_moves_to_the_other_lane_is_checked_again(tmp_path: Path) -> None:
    async with stack(tmp_path) as world:
        await until(world, self_check)
        world.sim.service.create_project("demo", "First")
        world.sim.switch(lane="labs")
        await world.kit.look()
        status = await until(world, lambda now: (c := self_check(now)) and c.lane == "labs")
        assert "lane labs" in status.browser.what


async def test_facts_of_the_library_are_used_and_what_they_break_is_seen(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    facts = tmp_path / "library" / "flow.toml"
    facts.write_text('[calls."project.list"]\nrpc = "gone01"\n', encoding="utf-8")
    async with stack(tmp_path) as world:
        status = await until(world, self_check)
        checked = self_check(status)
        assert checked is not None
        assert {call.call: call.state == "ok" for call in checked.calls} == {
            "account.credits": True,
            "project.list": False,
            "account.models": True,
        }
        async with Client(build(world.kit.settings, kit=world.kit), mode="auto") as client:
            told = (await client.call_tool("status", {})).structured_content or {}
        assert "project.list refused" in told["self_check"] or "changed" in told["self_check"]
        await world.browser.pause(True)
        await until(world, lambda now: now.browser.state == "paused")
        async with Client(build(world.kit.settings, kit=world.kit), mode="auto") as client:
            told = (await client.call_tool("status", {})).structured_content or {}
        assert not told["ready"] and "Resume" in told["next"]


async def test_facts_that_cannot_be_used_are_named_and_the_server_goes_on(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    facts = tmp_path / "library" / "flow.toml"
    facts.write_text('[calls."project.list"]\nrpc = "no rpc"\n', encoding="utf-8")
    async with stack(tmp_path) as world:
        status = await until(world, lambda now: now.browser.fine)
        assert "flow.toml: calls.project.list" in (status.facts_trouble or "")
