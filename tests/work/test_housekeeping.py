"""Free calls about what lies at the provider: never paid, never gated, run again whenever in doubt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fake_provider import FakeProvider
from film import account_seen, away, good, scene_of, with_image

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.domain.models import Gate, Job, JobState
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import (
    HumanCheckRequired,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Transient,
)
from flowkit_mcp.store import catalog, jobs, operations

pytestmark = pytest.mark.e2e
H = Orientation.HORIZONTAL
LIST = Housekeeping(action="list_projects")
TRASH = Housekeeping(action="trash", project="rp", items=("w1",))
GONE = Rejected("there is no such project", reason="NOT_FOUND")


@pytest.fixture(autouse=True)
async def _account(kit: FlowKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    await account_seen(kit)


async def _run(kit: FlowKit, request: Housekeeping) -> Job:
    job, _ = await kit.enqueue(request)
    return await kit.wait(job.id, 10)


async def _answer(kit: FlowKit, job: Job) -> dict[str, Any] | None:
    (event,) = [e for e in await jobs.events(kit.db, job.id) if e.type == "answer"]
    return event.data


async def test_the_answer_is_in_the_history_and_nothing_was_an_operation(
    kit: FlowKit, provider: FakeProvider
) -> None:
    provider.house["list_projects"] = {"projects": [{"id": "rp", "title": "Harbour film"}]}
    job = await _run(kit, LIST)
    assert job.state is JobState.SUCCEEDED
    assert await _answer(kit, job) == {"projects": [{"id": "rp", "title": "Harbour film"}]}
    assert await operations.operations(kit.db, job.id) == [] and provider.submits == 0
    assert await kit.db.all("SELECT * FROM request") == [], "nothing that an earlier tool knew"


async def test_it_goes_on_while_submits_are_paused_but_not_without_a_browser(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    async with kit.db.transaction() as tx:
        await operations.set_gate(
            tx, "flow", Gate.PAUSED, now=1, reason=HumanCheckRequired.code, message="look"
        )
    held = await scene.generate_image(H)
    assert (await _run(kit, LIST)).state is JobState.SUCCEEDED
    assert (await held.state()).state is JobState.QUEUED and provider.submits == 0
    await away(kit, provider)
    job, _ = await kit.enqueue(TRASH)
    assert (await kit.wait(job.id, 0.2)).state is JobState.QUEUED
    provider.connected = True
    kit._wake()
    assert (await kit.wait(job.id, 10)).state is JobState.SUCCEEDED


@pytest.mark.parametrize("trouble", [Transient("502"), OutcomeUnknown("no reply"), KeyError("x")])
async def test_what_may_or_may_not_have_arrived_is_simply_done_again(
    kit: FlowKit, provider: FakeProvider, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_house = provider.keep_house

    async def once(request: Housekeeping) -> dict[str, Any]:
        monkeypatch.setattr(provider, "keep_house", keep_house)
        raise trouble

    monkeypatch.setattr(provider, "keep_house", once)
    assert (await _run(kit, TRASH)).state is JobState.SUCCEEDED
    assert provider.kept == [TRASH]


@pytest.mark.parametrize("trouble", [Transient("502"), OutcomeUnknown("no reply")])
async def test_trouble_that_lasts_ends_the_job_and_asks_nobody(
    kit: FlowKit, provider: FakeProvider, trouble: Transient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.work.gate.SHORTEST_PAUSE_MS", 10)
    provider.house["trash"] = trouble
    job = await _run(kit, TRASH)
    assert (job.state, job.reason) == (JobState.FAILED, "TRANSIENT")


async def test_a_refusal_ends_the_job_with_its_reason(kit: FlowKit, provider: FakeProvider) -> None:
    provider.house["delete_project"] = GONE
    job = await _run(kit, Housekeeping(action="delete_project", project="nobody's"))
    assert (job.state, job.reason) == (JobState.FAILED, "REJECTED")


async def test_too_fast_means_later_and_not_again_at_once(
    kit: FlowKit, provider: FakeProvider
) -> None:
    provider.house["trash"] = RateLimited("too fast", retry_after_s=60)
    job, _ = await kit.enqueue(TRASH)
    await kit.wait(job.id, 0.3)
    row = await kit.job(job.id)
    assert row.state is JobState.QUEUED and row.run_at > kit.clock.now() + 50_000
    assert len(provider.kept) == 1


async def test_two_names_for_the_same_thing_are_given_in_the_order_asked(
    kit: FlowKit, provider: FakeProvider
) -> None:
    await away(kit, provider)
    asked = [
        Housekeeping(action="rename_project", project="rp", title=f"Name {n}") for n in range(5)
    ]
    ids = [(await kit.enqueue(request))[0].id for request in asked]
    provider.connected = True
    kit._wake()
    await kit.wait_all(ids, 10)
    assert provider.kept == asked


async def test_a_project_deleted_at_the_provider_is_made_anew_when_it_is_needed(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    assert (
        await _run(kit, Housekeeping(action="delete_project", project="remote-project-1"))
    ).state is JobState.SUCCEEDED
    assert await catalog.remote_project(kit.db, scene.project.id, "flow", "fake") is None
    good(await scene.execute_generate_video(H))
    brief = provider.ledger[-1].brief
    assert (brief.project, brief.start) == ("remote-project-2", "upload-1")  # type: ignore[union-attr]


async def test_a_project_that_the_person_deleted_in_flow_is_made_anew(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flow says only "not found"; that it is the project is asked before anything is believed lost."""
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await with_image(kit)
    gone = Rejected("Requested entity was not found", reason="NOT_FOUND")
    provider.script = [gone]
    provider.house = {"list_projects": {"projects": []}, "list_contents": gone}
    good(await scene.execute_generate_video(H))
    brief = provider.ledger[-1].brief
    assert (brief.project, brief.start) == ("remote-project-2", "upload-1")  # type: ignore[union-attr]
    assert provider.charged == 12
    # still listed: it is there, and something else was not found
    provider.script = [gone, gone]
    provider.house = {"list_projects": {"projects": [{"id": "remote-project-2"}]}}
    result = await scene.execute_generate_video(H, mode="text", new_take=True)
    assert not result.success and len(provider.projects) == 2


async def test_a_deletion_that_was_cut_off_is_not_reported_as_a_failure(settings: Settings) -> None:
    """The process ended after the provider had deleted the project and before that was written down."""
    settings = settings.model_copy(update={"library": settings.library.with_name("other")})
    deleting = SlowToDelete()
    request = Housekeeping(action="delete_project", project="rp")
    async with FlowKit.open(settings, provider=deleting) as kit:
        job, _ = await kit.enqueue(request)
        await deleting.deleted.wait()
    heir = FakeProvider(house={"delete_project": GONE})
    async with FlowKit.open(settings, provider=heir) as kit:
        assert (await kit.wait(job.id, 10)).state is JobState.SUCCEEDED


class SlowToDelete(FakeProvider):
    """Does it and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted = asyncio.Event()

    async def keep_house(self, request: Housekeeping) -> dict[str, Any]:
        self.deleted.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets that")
