"""The browser dies at each point of a call: its journal tells the truth, and nothing runs twice."""

from __future__ import annotations

import asyncio
import json

import pytest
from bridge_world import IMAGE, World, kill

from flowkit_mcp.bridge.protocol import Phase, Result, Standing
from flowkit_mcp.simulator.browser_profile import Journal


class Died(Exception):
    """The browser's end, at a point of the test's choosing."""


def dies_at(phase: Phase):
    async def hook(call_id: str, reached: Phase) -> None:
        if reached == phase:
            raise Died

    return hook


def pay(world: World, id: str = "op-1") -> asyncio.Task[Result]:
    return asyncio.create_task(
        world.host.call(
            "image.generate",
            IMAGE,
            lane="batchexecute",
            captcha="IMAGE_GENERATION",
            paid=True,
            timeout_s=5,
            id=id,
        )
    )


MATRIX = [
    (Phase.ACCEPTED, Standing.NEVER_RECEIVED, 0),
    (Phase.MINTING, Standing.NEVER_RECEIVED, 0),
    (Phase.SENT, Standing.SENT_NO_ANSWER, 0),
    (Phase.DONE, Standing.ANSWERED, 1),
]


@pytest.mark.parametrize(("phase", "standing", "executions"), MATRIX)
async def test_a_browser_that_died_there_says_so_when_it_is_back(
    world: World, phase: Phase, standing: Standing, executions: int
) -> None:
    browser, task = await world.pair(on_phase=dies_at(phase))
    call = pay(world)
    await asyncio.wait([task])
    assert isinstance(task.exception(), ExceptionGroup)
    world.open_browser()
    result = await call
    assert result.error is not None
    assert result.error.sent == (standing != Standing.NEVER_RECEIVED)
    assert result.error.code == ("DUPLICATE" if phase == Phase.DONE else "LOST")
    found = await world.host.lookup("op-1")
    assert (found.standing, found.result) == (standing, None)
    assert world.host.instance == browser.instance
    assert len(world.page.executions) == executions


@pytest.mark.parametrize(("phase", "standing", "executions"), MATRIX)
async def test_the_dead_call_s_id_never_runs_again(
    world: World, phase: Phase, standing: Standing, executions: int
) -> None:
    _, task = await world.pair(on_phase=dies_at(phase))
    call = pay(world)
    await asyncio.wait([task])
    task.exception()
    world.open_browser()
    await call
    again = await pay(world)
    assert again.error is not None and again.error.code == "DUPLICATE"
    assert again.error.sent == (standing != Standing.NEVER_RECEIVED)
    assert (await pay(world, id="op-2")).ok  # a new operation goes through
    assert len(world.page.executions) == executions + 1


async def test_a_browser_killed_with_its_request_on_the_wire_says_sent_no_answer(
    world: World,
) -> None:
    world.page.hold = asyncio.Event()
    _, task = await world.pair()
    call = pay(world)
    await world.page.arrived.wait()
    await kill(task)
    world.page.hold.set()
    world.open_browser()
    result = await call
    assert result.error is not None
    assert (result.error.code, result.error.sent) == ("LOST", True)
    assert (await world.host.lookup("op-1")).standing == Standing.SENT_NO_ANSWER
    assert len(world.page.executions) == 1


@pytest.mark.parametrize(("phase", "standing", "executions"), MATRIX)
async def test_both_ends_dead_at_once_the_next_leader_learns_the_same(
    world: World, phase: Phase, standing: Standing, executions: int
) -> None:
    _, task = await world.pair(on_phase=dies_at(phase))
    call = pay(world)
    await asyncio.wait([task])
    task.exception()
    await world.host.aclose()
    with pytest.raises(asyncio.CancelledError):
        await call
    await world.lead()
    browser, _ = world.open_browser()
    await world.until(lambda: world.host.instance == browser.instance)
    assert (await world.host.lookup("op-1")).standing == standing
    assert len(world.page.executions) == executions


async def test_each_phase_is_on_disk_before_it_is_announced(world: World) -> None:
    journal = world.folder / "one" / "journal.jsonl"
    seen: list[tuple[Phase, str, int]] = []

    def note(call_id: str, phase: Phase) -> None:
        last = journal.read_text(encoding="utf-8").splitlines()[-1]
        seen.append((phase, last, len(world.page.executions)))

    await world.pair(on_phase=note)
    await pay(world)
    assert [phase for phase, _, _ in seen] == ["accepted", "minting", "sent", "done"]
    assert all(f'"phase": "{phase}"' in line for phase, line, _ in seen)
    assert [count for _, _, count in seen] == [0, 0, 0, 1]


async def test_a_line_cut_short_by_a_power_failure_is_read_over(world: World) -> None:
    _, task = await world.pair()
    await pay(world)
    await kill(task)
    journal = world.folder / "one" / "journal.jsonl"
    with journal.open("a", encoding="utf-8") as file:
        file.write('{"id": "op-2", "pha')
    browser, _ = world.open_browser()
    await world.until(lambda: world.host.instance == browser.instance)
    assert (await world.host.lookup("op-1")).standing == Standing.ANSWERED
    assert (await world.host.lookup("op-2")).standing == Standing.NEVER_RECEIVED


async def test_the_journal_keeps_500_tombstones_and_every_open_paid_call(world: World) -> None:
    lines = [("open", "sent", True), ("mine", "acked", True)]
    lines += [(f"free-{number}", "acked", False) for number in range(520)]
    text = "".join(
        f"{json.dumps(dict(zip(('id', 'phase', 'paid'), one, strict=True)))}\n" for one in lines
    )
    (world.folder / "j.jsonl").write_text(text, encoding="utf-8")
    journal = Journal(world.folder / "j.jsonl")
    assert journal.standing("open") == Standing.SENT_NO_ANSWER
    assert journal.get("mine") is not None  # paid tombstones outlive free ones
    assert journal.get("free-0") is None
    assert journal.get("free-519") is not None
    assert len((world.folder / "j.jsonl").read_text(encoding="utf-8").splitlines()) == 501
    for number in range(100):
        journal.write(f"lots-of-open-calls-{number}", Phase.SENT, paid=True)
    listed = journal.open_calls()
    assert "lots-of-open-calls-99" in listed and "open" not in listed
    assert 20 < len(listed) < 100  # what fits in a handshake frame
    journal.close()
