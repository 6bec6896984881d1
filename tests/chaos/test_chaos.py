"""300 jobs in a Flow where calls and jobs go wrong by seed: nothing is paid twice or lost, each job ends or asks.

make chaos ARGS="--seed 7 --jobs 300"
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from chaos_production import Entry, entries, person, produce, settle, told
from stack.whole import Stack, stack

from flowkit_mcp.domain import policy
from flowkit_mcp.domain.models import Job, JobKind, JobState, Operation, OperationState
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.providers.flow.ids import Handle, Seeds
from flowkit_mcp.providers.flow.table import Table
from flowkit_mcp.simulator.chaos import Mix
from flowkit_mcp.simulator.state import Lane
from flowkit_mcp.store import operations

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]  # a hang is found earlier, by itself

CREDITS = 100_000
#: Every kind of job that may cost, and how clips are driven.
KINDS = {
    JobKind.GENERATE_CHARACTER_IMAGE,
    JobKind.GENERATE_IMAGE,
    JobKind.REGENERATE_IMAGE,
    JobKind.EDIT_IMAGE,
    JobKind.UPSCALE_IMAGE,
    JobKind.GENERATE_VIDEO,
    JobKind.GENERATE_VIDEO_REFS,
    JobKind.UPSCALE_VIDEO,
}
MODES = {"text", "start", "start_end", "references", "extend"}
LIVE = (OperationState.INTENDED, OperationState.SUBMITTED, OperationState.UNKNOWN)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wait is short; what is waited for, and who is asked, stays as it is."""
    real = policy.decide

    def hasty(
        error: FlowKitError, verb: policy.Verb, attempts: int, now: int, roll: float
    ) -> policy.Decision:
        decision = real(error, verb, attempts, now, roll)
        if isinstance(decision, policy.Retry):
            return policy.Retry(min(decision.at, now + 50))
        if isinstance(decision, policy.Wait):
            return dataclasses.replace(decision, until=min(decision.until, now + 300))
        return decision

    monkeypatch.setattr("flowkit_mcp.work.workshop.decide", hasty)
    monkeypatch.setattr("flowkit_mcp.work.workshop.READ_AGAIN_MS", 300)

    def no_longer(facts: Table) -> float:
        return 0

    monkeypatch.setattr("flowkit_mcp.providers.flow.lookup._longest_limit_s", no_longer)


@pytest.mark.parametrize("mix", ["honest", "vendor"])
@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_whatever_goes_wrong_each_job_is_paid_once_and_ends_or_asks(
    tmp_path: Path, lane: Lane, mix: Mix, chaos_seed: int, chaos_jobs: int
) -> None:
    wanted = chaos_jobs if mix == "honest" else chaos_jobs // 2  # within two minutes for each lane
    async with stack(
        tmp_path,
        tier="ultra",
        credits=CREDITS,
        lane=lane,
        chaos=chaos_seed,
        chaos_mix=mix,
        limit_s=1190,
    ) as world:
        # the person below does not wait a quarter of an hour as Flow asks; they are not to be slowed down for that
        world.sim.switch(picture_upscale_burst=10_000)
        async with person(world) as asked:
            rows = await produce(world, wanted)
            print(f"{lane} {mix} seed {chaos_seed}\n{told(rows)}\nasked: {dict(asked)}")
            assert len(rows) == wanted
            if wanted >= 210:
                assert {row.kind for row in rows} >= KINDS
                assert {row.request["mode"] for row in rows if "mode" in row.request} == MODES
            assert sum(sum(kinds.values()) for kinds in world.sim.chaos_report()["faults"].values())
            all_end_or_ask(rows)
            calls = [op for row in rows for op in await operations.operations(world.kit.db, row.id)]
            each_charge_has_its_intent(entries(world), calls)
            nothing_paid_is_lost(entries(world), calls, rows)
            await the_books_agree(world, calls)
            rows = await settle(world)
        assert all(row.state.final for row in rows), told(rows)
        calls = [op for row in rows for op in await operations.operations(world.kit.db, row.id)]
        assert not [op for op in calls if op.state in LIVE]
        each_charge_has_its_intent(entries(world), calls)
        nothing_paid_is_lost(entries(world), calls, rows)
        await the_books_agree(world, calls)


def all_end_or_ask(rows: list[Job]) -> None:
    for row in rows:
        assert row.state.final or row.state is JobState.NEEDS_ATTENTION, (row.id, row.state)
        if row.state is not JobState.SUCCEEDED:
            assert row.reason and row.message, row.id


def each_charge_has_its_intent(charges: list[Entry], calls: list[Operation]) -> None:
    """The simulator's ledger against our operations, by the ids that both sides chose or told."""
    kept = Counter(charge.media_id for charge in charges if not charge.refunded)
    assert not [id for id, count in kept.items() if count > 1], "charged twice"
    seeds = Counter(charge.seed for charge in charges if charge.seed)
    assert not [seed for seed, count in seeds.items() if count > 1], "a client_ref was used twice"
    intents = known(calls)
    paid = [charge for charge in charges if charge.credits and not intents(charge)]
    assert not paid, f"charged without an intent: {paid}"


def nothing_paid_is_lost(charges: list[Entry], calls: list[Operation], rows: list[Job]) -> None:
    """What was charged and not given back is a take, or a question whose answer makes it one."""
    jobs = {row.id: row for row in rows}
    intents = known(calls)
    for charge in charges:
        if charge.refunded or not charge.credits:
            continue
        mine = intents(charge)
        assert len(mine) == 1, charge
        job = jobs[mine[0].job_id]
        kept = mine[0].state is OperationState.DONE and job.take_id is not None
        asks = mine[0].state in LIVE and job.state is JobState.NEEDS_ATTENTION
        assert kept or asks, (charge, mine[0].state, job.id, job.state, job.reason, job.message)


async def the_books_agree(world: Stack, calls: list[Operation]) -> None:
    """Ledger, balance and our own account of it are equal; what nobody knows is counted as spent, and named."""
    assert world.sim.charged == CREDITS - world.sim.balance
    intents = known(calls)
    charged = {op.id for charge in entries(world) for op in intents(charge)}
    unsure = [op for op in calls if op.state is OperationState.UNKNOWN and op.id not in charged]
    spent = (await world.kit.status()).spent_credits
    assert spent - sum(op.credits_estimate for op in unsure) == world.sim.charged


class known:
    """Which of our operations a charge belongs to."""

    def __init__(self, calls: list[Operation]) -> None:
        self._by_seed = {Seeds.parse(op.client_ref).media: op for op in calls}
        self._by_media = {
            Handle.parse(op.remote_id).media: op for op in calls if op.remote_id is not None
        }

    def __call__(self, charge: Entry) -> list[Operation]:
        found = self._by_seed.get(charge.seed or ""), self._by_media.get(charge.media_id)
        return list({op.id: op for op in found if op is not None}.values())
