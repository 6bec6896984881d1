"""What kind of Flow `flowkit-mcp simulate` serves."""

from __future__ import annotations

from pathlib import Path

from flowkit_mcp.cli.simulate import Kind, simulator
from flowkit_mcp.config import Settings


async def test_each_option_reaches_the_simulator_and_an_account_moves_only_when_told(
    tmp_path: Path,
) -> None:
    settings = Settings(library=tmp_path / "library")
    kind = Kind(tier="ultra", credits=77, lane="labs", chaos=5, chaos_mix="vendor")
    async with simulator(settings, kind=kind, browser=False) as flow:
        account = flow.service.account()
        assert (account.tier, flow.balance, account.lane) == ("ultra", 77, "labs")
        assert flow.service.projects(account.name), "lane labs shows no prices without a project"
        report = flow.chaos_report()
        assert (report["seed"], report["mix"]) == (5, "vendor")
    async with simulator(settings, browser=False) as flow:
        assert flow.service.account().lane == "labs"
        assert flow.chaos_report() == {}
    async with simulator(settings, kind=Kind(lane="batchexecute"), browser=False) as flow:
        assert flow.service.account().lane == "batchexecute"
