"""Waiting, listing, cancelling, deciding: the queue as tools show it."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from fake_provider import FakeProvider
from talk import Talk, talking

from flowkit_mcp.app import FlowKit, Status
from flowkit_mcp.errors import GenerationFailed, HumanCheckRequired, OutcomeUnknown, Rejected
from flowkit_mcp.server.tools import jobs as job_tools
from flowkit_mcp.store import jobs

FOREVER = 10**9


async def one_clip_under_way(talk: Talk) -> int:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.looks_until_done = FOREVER
    started = await talk.do("generate_video", video="Film", scenes=[1])
    return started["jobs"][0]["job"]


async def test_a_wait_that_runs_out_says_to_call_again_and_the_job_goes_on(talk: Talk) -> None:
    number = await one_clip_under_way(talk)
    waited = await talk.do("wait", jobs=[number], max_wait_s=0.05)
    assert waited["done"] is False
    assert waited["next"] == f"Call wait(jobs=[{number}]) again."
    talk.provider.looks_until_done = 1
    waited = await talk.do("wait", video="Film")
    assert waited["done"] is True
    assert Path(waited["jobs"][0]["path"]).is_file()


async def test_a_wait_tells_that_it_is_alive_and_progress_only_grows(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_tools, "BEAT_S", 0.05)
    number = await one_clip_under_way(talk)
    seen: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total))
        if len(seen) == 3:
            talk.provider.looks_until_done = 1

    ended = await talk.client.call_tool("wait", {"jobs": [number]}, progress_callback=note)
    assert ended.structured_content["done"] and len(seen) >= 3
    assert all(before[0] < after[0] for before, after in pairwise(seen))
    assert {total for _, total in seen} == {1}


async def test_giving_up_the_wait_does_not_give_up_the_job(talk: Talk) -> None:
    number = await one_clip_under_way(talk)
    with anyio.move_on_after(0.2):
        await talk.call("wait", jobs=[number])
    shown = (await talk.do("list_jobs", job=number))["job"]
    assert shown["state"] in ("running", "waiting")
    talk.provider.looks_until_done = 1
    assert (await talk.do("wait"))["jobs"][0]["state"] == "succeeded"


async def test_with_nothing_under_way_a_wait_ends_at_once(talk: Talk) -> None:
    assert await talk.do("wait") == {
        "done": True,
        "jobs": [],
        "next": "Nothing is under way. See list_jobs.",
    }


async def test_a_cancelled_job_that_was_not_sent_costs_nothing(
    kit: FlowKit, provider: FakeProvider, talk: Talk
) -> None:
    await talk.production(scenes=1)
    await talk.images()
    provider.connected = False
    kit._wake()  # pyright: ignore[reportPrivateUsage]
    version = await kit.db.version()
    while (await talk.do("status"))["connected"]:
        version = await kit.db.changed(version, 5)
    started = await talk.do("generate_video", video="Film", scenes=[1])
    number = started["jobs"][0]["job"]
    waited = await talk.do("wait", max_wait_s=0)
    assert waited["held_up"].startswith("NOT_CONNECTED")
    ended = await talk.do("cancel_job", job=number)
    assert ended["job"]["state"] == "cancelled"
    assert "nothing was charged" in ended["job"]["why"]
    assert provider.charged == 0
    text = await talk.fail("cancel_job", job=number)
    assert text == f"CONFLICT: job {number} has already cancelled. There is nothing to cancel."


async def test_a_failure_says_why_and_what_became_of_the_credits(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.script = [Rejected("the prompt was refused", reason="UNSAFE")]
    await talk.do("generate_video", video="Film", scenes=[1])
    waited = await talk.do("wait")
    assert waited["jobs"][0]["state"] == "failed"
    assert waited["jobs"][0]["why"].startswith(
        "REJECTED: the prompt was refused; nothing was charged. Change the"
    )
    assert "generate again" in waited["next"]
    talk.provider.on_accept = lambda line: setattr(line, "error", GenerationFailed("it broke"))
    await talk.do("generate_video", video="Film", scenes=[1])
    waited = await talk.do("wait")
    assert waited["jobs"][0]["why"].startswith(
        "GENERATION_FAILED: it broke; the credits were given back."
    )
    assert talk.provider.charged == 0


async def test_a_paused_provider_is_reopened_on_the_persons_word(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.script = [HumanCheckRequired("unusual activity")]
    await talk.do("generate_video", video="Film", scenes=[1])
    version = await talk.kit.db.version()
    while (await talk.do("status"))["ready"]:
        version = await talk.kit.db.changed(version, 5)
    state = await talk.do("status")
    assert state["gate"] == "paused"
    assert "resolve_job(action='reopen', provider='flow')" in state["next"]
    waited = await talk.do("wait", max_wait_s=0)
    assert waited["held_up"].startswith("paused: unusual activity")
    opened = await talk.do("resolve_job", action="reopen", provider="flow")
    assert opened["gate"] == "paused" and "one before the others" in opened["next"]
    assert (await talk.do("wait"))["jobs"][0]["state"] == "succeeded"
    assert (await talk.do("status"))["gate"] == "open"


@pytest.mark.parametrize(("action", "state"), [("give_up", "failed"), ("attach", "succeeded")])
async def test_the_person_decides_about_an_unknown_outcome(
    talk: Talk, action: str, state: str
) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.can_look_up = False
    talk.provider.script = [FakeProvider.LOSE]
    await talk.do("generate_video", video="Film", scenes=[1])
    waited = await asyncio.wait_for(talk.do("wait"), 30)
    assert waited["done"] is True  # nothing moves by itself any more
    job = (await talk.do("list_jobs", show="attention"))["jobs"][0]
    assert job["why"].startswith(OutcomeUnknown.code)
    extra: dict[str, Any] = {}
    if action == "attach":
        extra["media_id"] = talk.provider.ledger[-1].remote_id
    questions = len(talk.person.questions)
    await talk.do("resolve_job", action=action, job=job["job"], **extra)
    assert len(talk.person.questions) == questions  # only sending again may cost
    await talk.do("wait")
    shown = await talk.do("list_jobs", job=job["job"])
    assert shown["job"]["state"] == state
    assert [event["type"] for event in shown["history"]][:2] == ["enqueued", "intended"]
    text = await talk.fail("resolve_job", action="retry", job=job["job"])
    assert text.startswith("CONFLICT: ")


async def test_the_history_of_a_long_job_still_says_what_it_may_cost(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.looks_until_done = 40
    await talk.do("generate_video", video="Film", scenes=[1])
    ended = (await talk.do("wait"))["jobs"][0]
    history = (await talk.do("list_jobs", job=ended["job"]))["history"]
    types = [event["type"] for event in history]
    assert types[:2] == ["enqueued", "intended"]
    assert types[-1] == "succeeded"
    assert f"credits={ended['credits']}" in history[1]["data"]
    looks = [event for event in history if event["type"] == "looked"]
    assert len(looks) == 1 and looks[0]["times"] >= 30


async def test_of_a_history_too_long_for_an_answer_the_middle_is_left_out(
    talk: Talk, kit: FlowKit
) -> None:
    number = await one_clip_under_way(talk)
    async with kit.db.transaction() as tx:
        for at in range(40):
            await jobs.log(tx, number, "warning", at, text=at)
    talk.provider.looks_until_done = 1
    await talk.do("wait")
    history = (await talk.do("list_jobs", job=number))["history"]
    assert len(history) < 30
    assert [history[0]["type"], history[-1]["type"]] == ["enqueued", "succeeded"]
    (gap,) = [event for event in history if event["type"] == "not_shown"]
    assert gap["times"] > 10


async def test_long_lists_come_in_pages(talk: Talk) -> None:
    await talk.production(scenes=7)
    await talk.images()
    first = await talk.do("list_jobs", limit=3, video="Film")
    last = first["jobs"][-1]["job"]
    assert f"list_jobs(…, before={last})" in first["next"]
    second = await talk.do("list_jobs", limit=3, before=last)
    assert [job["job"] for job in second["jobs"]] == [last - 1, last - 2, last - 3]
    for number in range(25):
        await talk.do("create_project", name=f"P{number}")
    page = await talk.do("list_projects")
    assert len(page["projects"]) == 20
    rest = await talk.do("list_projects", after=page["projects"][-1]["id"])
    assert len(rest["projects"]) == 6


async def test_answers_stay_short_for_a_long_film(kit: FlowKit, provider: FakeProvider) -> None:
    """Under 2,000 tokens, taking 4 bytes of JSON for one."""
    async with talking(kit, provider, "auto") as talk:
        await talk.production(scenes=1, orientation="BOTH")
        names = [f"Character number {n}" for n in range(12)]
        await talk.do("add_character", project="Fox", characters=names)
        long = "A long description of what happens in this scene. " * 12
        scenes = [{"prompt": long, "characters": names[:4]} for _ in range(39)]
        added = await talk.do("add_scene", video="Film", scenes=scenes)
        answers = [
            added,
            await talk.do("get_project", project="Fox"),
            await talk.do("generate_image", video="Film", missing=True),
            await talk.do("wait"),
            await talk.do("list_jobs"),
            await talk.do("status"),
        ]
        sizes = [len(json.dumps(answer, ensure_ascii=False).encode()) for answer in answers]
        assert max(sizes) < 8000, sizes
        seen = answers[1]
        more = seen["scenes"][-1]["scene"] + 1
        assert f"from_scene={more}" in seen["next"]
        page = await talk.do("get_project", project="Fox", from_scene=more)
        assert page["scenes"][0]["scene"] == more


async def test_status_is_not_ready_with_an_account_that_it_does_not_show(
    talk: Talk, kit: FlowKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.account_seen()
    now = await kit.status()
    assert now.provider is not None
    unread = now.provider.model_copy(update={"account": None})

    async def a_moment_ago() -> Status:
        return now.model_copy(update={"provider": unread})

    monkeypatch.setattr(kit, "status", a_moment_ago)
    told = await talk.do("status")
    assert told["ready"] is False and "credits" not in told
    assert told["what"].startswith("no Flow account has been seen yet")
