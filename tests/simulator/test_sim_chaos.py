"""Chaos: the same seed, the same faults; the books are right whatever happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import pytest
from sim_labs import LabsTab, labs
from sim_tab import Refused, Tab, simulator

from flowkit_mcp.simulator.chaos import CLIPS, FATES, SUBMIT_RATES, Chaos, Mix

#: A seed whose first calls go well, so that a tab can be opened.
SEED = 7
LOST = (httpx2.RemoteProtocolError, httpx2.ReadError)


def drawn(seed: int, rpcs: list[str], mix: Mix = "honest") -> list[str | None]:
    chaos = Chaos(seed, mix)
    return [chaos.fault(rpc) for rpc in rpcs]


def test_a_seed_decides_whatever_else_is_called_in_between() -> None:
    alone = drawn(1, ["YhhmEf"] * 200)
    mixed = drawn(1, ["YhhmEf", "jwpduf", "nzlxg"] * 200)
    assert mixed[::3] == alone and any(alone)
    assert drawn(2, ["YhhmEf"] * 200) != alone


@pytest.mark.parametrize("mix", ["honest", "vendor"])
def test_faults_come_at_the_rates_that_are_told(mix: Mix) -> None:
    calls = 20_000
    chaos = Chaos(3, mix)
    for n in range(calls):
        chaos.fault(CLIPS[n % len(CLIPS)])
        chaos.fate("video")
    report = chaos.report()
    assert (report["seed"], report["mix"]) == (3, mix)
    assert sum(report["calls"].values()) == report["jobs"]["video"] == calls
    for kind, rate in SUBMIT_RATES[mix].items():
        hits = sum(kinds.get(kind, 0) for kinds in report["faults"].values())
        assert hits / calls == pytest.approx(rate, abs=0.01)
    fates = sum(report["fates"].values())
    assert fates / calls == pytest.approx(sum(FATES.values()), abs=0.01)


async def outcome(job: Any) -> str:
    """What a client is told of one paid submit."""
    try:
        await job
    except Refused as refused:
        return f"{refused.code} {refused.reason}"
    except LOST:
        return "lost"
    return "accepted"


async def run(folder: Path) -> tuple[list[str], Any]:
    async with simulator(folder, chaos=SEED, credits=10_000) as (sim, tab):
        told = [await outcome(tab.clip(f"clip {n}")) for n in range(80)]
        accepted = len([e for e in sim.ledger() if e.kind == "charge"])
        refunds = [e for e in sim.ledger() if e.kind == "refund"]
        assert sim.charged == 7 * (accepted - len(refunds)) == 10_000 - sim.balance
        assert accepted >= told.count("accepted") > 40
        shown = (await tab.http.get("/made/data")).json()["chaos"]
        assert shown == sim.chaos_report()
        return told, sim.chaos_report()


async def test_two_runs_with_one_seed_go_wrong_in_the_same_way(tmp_path: Path) -> None:
    first, report = await run(tmp_path / "one")
    second, again = await run(tmp_path / "two")
    assert first == second and report == again
    assert report["calls"]["YhhmEf"] == 80 and len(set(first)) > 2


async def test_lane_labs_has_its_share(tmp_path: Path) -> None:
    async with labs(tmp_path, chaos=SEED, chaos_mix="vendor", credits=10_000) as (sim, tab):
        statuses = [await status(tab) for _ in range(40)]
        assert {200, 403, 429} <= set(statuses)
        assert sim.chaos_report()["calls"]["YhhmEf"] == 40


async def status(tab: LabsTab) -> int:
    try:
        return (await tab.submit(videoModelKey="abra_t2v_4s")).status_code
    except LOST:
        return 0


async def test_without_a_seed_there_is_none(tmp_path: Path) -> None:
    async with simulator(tmp_path) as (sim, tab):
        assert isinstance(tab, Tab) and sim.chaos_report() == {}
