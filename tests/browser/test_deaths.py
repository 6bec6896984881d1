"""Whatever dies while a paid call is under way: it is made once, paid once, and its result arrives."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Playwright, Worker
from stage import CLIP, MINT, PATIENCE_S, stage

from flowkit_mcp.domain.models import OperationState
from flowkit_mcp.simulator.state import Lane
from flowkit_mcp.store.operations import operations

#: Stops the extension at its first word about a paid call in the journal: before the word is on disk, or right after
#: it, when FlowKit has not heard of it yet.
STOP_AT_JOURNAL = """(phase) => {
  const area = chrome.storage.local, set = area.set.bind(area);
  self.atJournal = new Promise((reached) => {
    area.set = async (items) => {
      const first = Object.values(items).some((entry) => entry?.paid && entry.stage === "accepted");
      if (!first || phase === "journalled") await set(items);
      if (first) { reached(); await new Promise(() => {}); }
    };
  });
}"""
#: Settles when the page has its answers.
ANSWERED = "Promise.all(window[Symbol.for('flowkit answers')].values()).then(() => {})"

pytestmark = pytest.mark.browser


PHASES = ["minting", "sent", "answered", "done"]
VICTIMS = ["worker", "server", "both"]
#: Every phase and victim in today's lane, every phase with both dead in the old one.
CASES = [("batchexecute", phase, victim) for phase in PHASES for victim in VICTIMS] + [
    ("labs", phase, "both") for phase in PHASES
]


@pytest.mark.parametrize(("lane", "phase", "victim"), CASES)
async def test_a_death_in_any_phase_costs_nothing_twice_and_loses_nothing(
    tmp_path: Path, playwright: Playwright, lane: Lane, phase: str, victim: str
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        hold = at.hold(
            MINT if phase == "minting" else CLIP[lane], answered=phase in ("answered", "done")
        )
        job = await at.order_clip()
        await hold.reached.wait()
        if phase == "done":  # the browser has the answer, and nobody to tell
            await at.stop_server()
            hold.release()
            await at.tab.evaluate(ANSWERED)
        if victim in ("worker", "both"):
            await at.browser.stop_worker()
        if victim in ("server", "both"):
            await at.stop_server()
        if phase == "done" or victim != "worker":
            await at.start_server()
        hold.release()
        await at.wake()
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


@pytest.mark.parametrize("phase", ["received", "journalled"])
@pytest.mark.parametrize("victim", ["worker", "both"])
async def test_a_death_around_the_first_word_in_the_journal_sends_the_call_once(
    tmp_path: Path, playwright: Playwright, phase: str, victim: str
) -> None:
    async with stage(tmp_path, playwright) as at:
        worker: Worker = await at.browser.worker()
        await worker.evaluate(STOP_AT_JOURNAL, phase)
        job = await at.order_clip()
        async with asyncio.timeout(PATIENCE_S):
            await worker.evaluate("self.atJournal")
        await at.browser.stop_worker()
        if victim == "both":
            await at.stop_server()
            await at.start_server()
        await at.wake()
        result = await at.result(job)
        assert result.success, result.error
        *lost, made = await operations(at.kit.db, job)
        # proved by the journal of the next worker, whoever asks it: the bridge, or a look-up; on a busy machine the
        # next call, too, may come before the tab answers
        assert lost and {one.state for one in lost} <= {OperationState.REFUSED, OperationState.VOID}
        assert made.state is OperationState.DONE
        at.check_books()
