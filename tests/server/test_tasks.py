"""Long work as tasks, for clients that declare them: approved first, read by any server, never ending a job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from fake_provider import FakeProvider
from mcp import Client, MCPError
from talk import Person, Talk
from tasks_client import TASKS, Left, TaskTaker, ask

from flowkit_mcp.app import FlowKit
from flowkit_mcp.errors import Rejected
from flowkit_mcp.server.server import build
from flowkit_mcp.server.tasks import Ticket

FOREVER = 10**9


@asynccontextmanager
async def taking(
    kit: FlowKit, provider: FakeProvider, *, mode: str = "auto", leave: bool = False
) -> AsyncGenerator[tuple[Talk, TaskTaker]]:
    """A client that takes tasks, with a person who agrees."""
    person, taker = Person(), TaskTaker(leave=leave)
    async with Client(
        build(kit.settings, kit=kit),
        mode=mode,
        elicitation_callback=person,
        extensions=[taker],
        read_timeout_seconds=60,
    ) as client:
        yield Talk(client, kit, provider, person), taker


def _until_task(provider: FakeProvider, taker: TaskTaker) -> None:
    """Nothing is accepted before the client has its task, so that a quick provider does not make it needless."""
    provider.hold = asyncio.Event()
    taker.on_created = provider.hold.set


async def _left(talk: Talk, taker: TaskTaker, provider: FakeProvider) -> str:
    """The task of a clip that will not be done, left by its client as when it is closed."""
    await talk.production(scenes=1)
    await talk.images()
    taker.leave = True
    provider.looks_until_done = FOREVER
    with pytest.raises(Left) as left:
        await talk.call("generate_video", video="Film", missing=True)
    return str(left.value)


async def test_a_call_that_starts_jobs_is_a_task_whose_result_is_what_wait_would_say(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider) as (talk, taker):
        await talk.production(scenes=2)
        await talk.images()
        await talk.images()
        _until_task(provider, taker)
        ended = await talk.do("generate_video", video="Film", missing=True)
        assert ended["done"] is True
        assert [job["state"] for job in ended["jobs"]] == ["succeeded"] * 2
        assert all(job["path"] for job in ended["jobs"])
        first, last = taker.created[-1], taker.polled[-1]
        assert first["status"] == "working"
        assert first["ttlMs"] is None
        assert first["pollIntervalMs"] > 0
        assert first["createdAt"] == last["createdAt"] <= last["lastUpdatedAt"]
        assert last["resultType"] == "complete"
        links = [one["uri"] for one in last["result"]["content"] if one["type"] == "resource_link"]
        assert len(links) == 2


async def test_the_person_agrees_first_and_then_there_is_a_task(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider) as (talk, taker):
        await talk.production(scenes=1)
        await talk.images()
        before = len(taker.created)
        talk.person.answer = "decline"
        said = await talk.fail("generate_video", video="Film", missing=True)
        assert said.startswith("NOT_APPROVED")
        assert len(taker.created) == before
        assert provider.charged == 0
        talk.person.answer = "accept"
        _until_task(provider, taker)
        await talk.do("generate_video", video="Film", missing=True)
        assert len(taker.created) == before + 1
        assert len(talk.person.questions) == 2


async def test_what_was_not_ready_is_remembered_by_the_task(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider) as (talk, taker):
        await talk.production(scenes=1)
        with_mai = [{"prompt": "Mai waves", "characters": ["Mai"]}]
        await talk.do("add_scene", video="Film", scenes=with_mai)
        _until_task(provider, taker)
        ended = await talk.do("generate_image", video="Film", missing=True)
        assert ended["next"].endswith("Call generate_image again for what was not ready.")
        assert taker.created[0]["taskId"].endswith(".more")


async def test_cancelling_a_task_ends_the_waiting_and_never_a_job(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider) as (talk, taker):
        task = await _left(talk, taker, provider)
        session = talk.client.session
        assert (await ask(session, "tasks/cancel", task))["resultType"] == "complete"
        assert (await ask(session, "tasks/get", task))["status"] == "working"
        provider.looks_until_done = 1
        result = await taker.follow(session, task)
        assert result.structured_content["jobs"][0]["state"] == "succeeded"


async def test_another_server_on_the_library_tells_how_the_task_is(
    kit: FlowKit, provider: FakeProvider
) -> None:
    """As after a restart: nothing but the id is carried over."""
    async with taking(kit, provider) as (talk, taker):
        task = await _left(talk, taker, provider)
    provider.looks_until_done = 1
    async with taking(kit, provider) as (talk, taker):
        result = await taker.follow(talk.client.session, task)
        assert result.structured_content["done"] is True


async def test_a_job_that_needs_a_person_ends_the_task_and_says_so(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider) as (talk, taker):
        await talk.production(scenes=1)
        await talk.images()
        _until_task(provider, taker)
        provider.script.append(provider.LOSE)
        provider.can_look_up = False
        ended = await talk.do("generate_video", video="Film", missing=True)
        assert ended["jobs"][0]["state"] == "needs_attention"
        assert "resolve_job" in ended["next"]


async def test_work_that_failed_is_an_error_in_the_result_and_not_of_the_protocol(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider) as (talk, taker):
        await talk.production(scenes=1)
        await talk.images()
        _until_task(provider, taker)
        provider.script.append(Rejected("unsafe"))
        said = await talk.fail("generate_video", video="Film", missing=True)
        assert "REJECTED" in said
        assert taker.polled[-1]["status"] == "completed"


async def test_a_cancelled_job_is_a_cancelled_task(kit: FlowKit, provider: FakeProvider) -> None:
    async with taking(kit, provider) as (talk, taker):
        task = await _left(talk, taker, provider)
        (job,) = Ticket.parse(task).jobs  # type: ignore[union-attr]
        await talk.do("cancel_job", job=job)
        await kit.wait(job, 20)
        told = await ask(talk.client.session, "tasks/get", task)
        assert told["status"] == "cancelled"


async def test_what_is_done_at_once_is_no_task(kit: FlowKit, provider: FakeProvider) -> None:
    async with taking(kit, provider) as (talk, taker):
        await talk.production(scenes=1)
        await talk.images()
        before = len(taker.created)
        done = await talk.do("generate_image", video="Film", scenes=[1])
        assert "done, take 1" in done["skipped"][0]["why"]
        assert len(taker.created) == before


async def test_who_does_not_declare_tasks_gets_jobs_and_is_refused_the_methods(talk: Talk) -> None:
    await talk.production(scenes=1)
    started = await talk.do("generate_image", video="Film", missing=True)
    assert started["jobs"][0]["state"] in ("queued", "running", "waiting", "succeeded")
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        with pytest.raises(MCPError) as raised:
            await ask(talk.client.session, method, "generate_image.1")
        modern = talk.client.protocol_version == "2026-07-28"
        assert raised.value.code == (-32021 if modern else -32601)
        if modern:
            assert raised.value.data == {"requiredCapabilities": {"extensions": {TASKS: {}}}}


async def test_in_the_older_era_there_are_no_tasks_even_for_who_declares_them(
    kit: FlowKit, provider: FakeProvider
) -> None:
    async with taking(kit, provider, mode="legacy") as (talk, taker):
        await talk.production(scenes=1)
        started = await talk.do("generate_image", video="Film", missing=True)
        assert started["jobs"]
        assert not taker.created


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
@pytest.mark.parametrize(
    "id", ["", "job 1", "wait.1", "generate_video.", "generate_video.4711", "merge.1-999999999999"]
)
async def test_a_task_that_does_not_exist_is_invalid(
    kit: FlowKit, provider: FakeProvider, method: str, id: str
) -> None:
    async with taking(kit, provider) as (talk, _):
        with pytest.raises(MCPError) as raised:
            await ask(talk.client.session, method, id)
        assert raised.value.code == -32602


@pytest.mark.parametrize(
    ("ticket", "text"),
    [
        (Ticket("merge", (7,)), "merge.7"),
        (Ticket("generate_video", (41, 42, 43, 50)), "generate_video.41-43.50"),
        (Ticket("generate_image", (3, 1, 2), more=True), "generate_image.1-3.more"),
    ],
)
def test_an_id_names_its_jobs(ticket: Ticket, text: str) -> None:
    assert str(ticket) == text
    parsed = Ticket.parse(text)
    assert parsed is not None
    assert (parsed.tool, sorted(ticket.jobs), parsed.more) == (
        ticket.tool,
        list(parsed.jobs),
        ticket.more,
    )
