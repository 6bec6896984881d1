"""What the person allows to be spent, in a project and in a day, is never exceeded by a credit."""

from __future__ import annotations

import datetime
import time

import pytest
from fake_provider import Accepted, FakeProvider
from film import account_seen, away, good, two_scenes

from flowkit_mcp import FlowKit, Orientation
from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.domain.money import midnight
from flowkit_mcp.errors import GenerationFailed, InvalidSetting, OverBudget
from flowkit_mcp.sdk import money

H = Orientation.HORIZONTAL


@pytest.fixture(autouse=True)
async def _account(kit: FlowKit) -> None:
    await account_seen(kit)


async def stopped(kit: FlowKit, id: int) -> Job:
    job = await kit.wait(id, 10)
    assert (job.state, job.reason) == (JobState.NEEDS_ATTENTION, "BUDGET"), job
    return job


async def test_a_job_beyond_the_projects_budget_is_refused_with_the_figures(
    kit: FlowKit, provider: FakeProvider
) -> None:
    project, _, first, second = await two_scenes(kit)
    for scene in (first, second):
        good(await scene.execute_generate_image(H))
    await money.set_project_budget(kit, project.id, 20)
    good(await first.execute_generate_video(H, mode="start"))
    with pytest.raises(
        OverBudget, match=r"12 credits would exceed .* 20: 12 are spent, 8 are left"
    ):
        await second.generate_video(H)
    assert provider.charged == 12


async def test_a_budget_lowered_meanwhile_stops_a_waiting_job_before_anything_is_sent(
    kit: FlowKit, provider: FakeProvider
) -> None:
    project, _, first, _ = await two_scenes(kit)
    good(await first.execute_generate_image(H))
    submits = provider.submits
    await away(kit, provider)
    job = await first.generate_video(H, mode="start")
    await money.set_project_budget(kit, project.id, 11)
    provider.connected = True
    kit._wake()
    found = await stopped(kit, job.id)
    assert "budget of 11" in (found.message or "") and "0 are spent" in (found.message or "")
    assert provider.submits == submits

    assert await money.set_project_budget(kit, project.id, 5) == []  # still too little
    await stopped(kit, job.id)
    assert await money.set_project_budget(kit, project.id, 12) == [job.id]
    good(await job.result(60))
    assert provider.charged == 12


async def test_what_is_in_the_queue_counts_so_that_two_jobs_are_not_promised_the_same_credits(
    kit: FlowKit, provider: FakeProvider
) -> None:
    project, _, first, second = await two_scenes(kit)
    for scene in (first, second):
        good(await scene.execute_generate_image(H))
    await away(kit, provider)
    await money.set_project_budget(kit, project.id, 23)
    await first.generate_video(H, mode="start")
    again = await first.generate_video(H, mode="start")
    assert not again.new  # the same job is found, not refused
    with pytest.raises(OverBudget, match="12 are promised to jobs in the queue, 11 are left"):
        await second.generate_video(H)


async def test_the_days_budget_holds_for_the_whole_library_and_free_work_goes_on(
    kit: FlowKit, provider: FakeProvider
) -> None:
    _, _, first, second = await two_scenes(kit)
    await money.set_day_budget(kit, 0)
    for scene in (first, second):
        good(await scene.execute_generate_image(H))
    with pytest.raises(OverBudget, match="today's budget of 0"):
        await first.generate_video(H, mode="start")
    await money.set_day_budget(kit, None)
    good(await first.execute_generate_video(H, mode="start"))
    assert provider.charged == 12


async def test_yesterdays_spending_does_not_count_today(kit: FlowKit) -> None:
    _, _, first, second = await two_scenes(kit)
    for scene in (first, second):
        good(await scene.execute_generate_image(H))
    await money.set_day_budget(kit, 12)
    good(await first.execute_generate_video(H, mode="start"))
    (today,) = await money.budgets(kit)
    assert (today.spent, today.left) == (12, 0)
    yesterday = midnight(kit.clock.now()) - 1
    async with kit.db.transaction() as tx:
        await tx.run("UPDATE operation SET intended_at = :at", at=yesterday)
    (today,) = await money.budgets(kit)
    assert (today.spent, today.left) == (0, 12)
    good(await second.execute_generate_video(H))


async def test_many_jobs_at_once_never_spend_more_than_the_budget(
    kit: FlowKit, provider: FakeProvider
) -> None:
    project, video, *_ = await two_scenes(kit)
    scenes = [await video.add_scene(f"Thing {n}") for n in range(6)]
    await away(kit, provider)
    ids = [(await scene.generate_video(H, mode="text")).id for scene in scenes]
    await money.set_project_budget(kit, project.id, 30)  # two of six
    provider.connected = True
    kit._wake()
    states = [job.state for job in await kit.wait_all(ids, 20)]
    assert sorted(states) == [JobState.NEEDS_ATTENTION] * 4 + [JobState.SUCCEEDED] * 2
    assert provider.charged == 24


async def test_refunded_credits_can_be_spent_again(kit: FlowKit, provider: FakeProvider) -> None:
    project, _, first, _ = await two_scenes(kit)
    good(await first.execute_generate_image(H))
    await money.set_project_budget(kit, project.id, 12)

    def ends_badly(line: Accepted) -> None:
        line.error, line.refunded = GenerationFailed("it ended badly", charged="refunded"), True

    provider.on_accept = ends_badly
    assert not (await first.execute_generate_video(H, mode="start")).success
    provider.on_accept = None
    (budget,) = await money.budgets(kit, project.id)
    assert (budget.spent, budget.left) == (0, 12)
    good(await first.execute_generate_video(H, mode="start"))


async def test_a_budget_below_nothing_is_none(kit: FlowKit) -> None:
    with pytest.raises(InvalidSetting):
        await money.set_day_budget(kit, -1)


def test_the_day_begins_at_midnight_of_the_machine_also_when_the_clocks_change(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        utc = datetime.UTC
        noon = datetime.datetime(2026, 10, 25, 12, tzinfo=utc)  # a day of 25 hours
        begin = datetime.datetime(2026, 10, 24, 22, tzinfo=utc)
        assert midnight(int(noon.timestamp() * 1000)) == int(begin.timestamp() * 1000)
    finally:
        monkeypatch.undo()
        time.tzset()


async def test_a_waiting_job_is_not_in_the_way_of_another_projects(
    kit: FlowKit, provider: FakeProvider
) -> None:
    project, _, first, _ = await two_scenes(kit)
    _, _, other, _ = await two_scenes(kit)
    for scene in (first, other):
        good(await scene.execute_generate_image(H))
    await money.set_project_budget(kit, project.id, 0)
    with pytest.raises(OverBudget):
        await first.generate_video(H, mode="start")
    good(await other.execute_generate_video(H, mode="start"))
    assert provider.charged == 12
