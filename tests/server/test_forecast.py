"""When it will be done, and how many retakes to expect: learned from the library, told where people look."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from talk import Talk

from flowkit_mcp.errors import HumanCheckRequired, QuotaUsedUp, RateLimited
from flowkit_mcp.sdk.forecast import Forecast
from flowkit_mcp.store import history

FOREVER = 10**9
SAID = re.compile(r"about \d+ (s|min|h)")


@pytest.fixture(params=["auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """What is said here does not depend on the era; the tools' lists are checked in both."""
    return request.param


async def as_if_clips_took(talk: Talk, seconds: int) -> None:
    """The past of this library is rewritten."""
    async with talk.kit.db.transaction() as tx:
        await tx.run(
            "UPDATE operation SET intended_at = (SELECT finished_at FROM job WHERE id = job_id) - :ms",
            ms=1000 * seconds,
        )


async def waited(talk: Talk, told: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What `wait` answers once it tells this."""
    while not told(answer := await talk.do("wait", max_wait_s=0.2)):
        assert not answer["done"]
    return answer


def held_up(answer: dict[str, Any]) -> bool:
    return "held_up" in answer


async def test_status_wait_and_list_jobs_say_when_it_is_done_as_long_as_clips_took_so_far(
    talk: Talk,
) -> None:
    await talk.production(scenes=2)
    await talk.clips()
    assert "left" not in await talk.do("status")
    await as_if_clips_took(talk, 600)
    talk.provider.looks_until_done = FOREVER
    started = await talk.do("generate_video", video="Film", scenes=[1], new_take=True)
    number = started["jobs"][0]["job"]
    told = await talk.do("wait", jobs=[number], max_wait_s=0.3)
    assert told["left"] == told["jobs"][0]["left"] == "about 10 min"
    assert (await talk.do("list_jobs", show="open"))["jobs"][0]["left"] == "about 10 min"
    assert (await talk.do("list_jobs", job=number))["job"]["left"] == "about 10 min"
    assert (await talk.do("status"))["left"] == "about 10 min"
    talk.provider.looks_until_done = 1
    told = await talk.do("wait", jobs=[number])
    assert told["done"] and "left" not in told and "left" not in told["jobs"][0]


async def test_before_anything_was_made_what_is_usual_is_said(talk: Talk) -> None:
    await talk.production(scenes=1)
    talk.provider.looks_until_done = FOREVER
    started = await talk.do("generate_image", video="Film", scenes=[1])
    told = await talk.do("wait", jobs=[started["jobs"][0]["job"]], max_wait_s=0.2)
    assert SAID.fullmatch(told["left"])


async def test_nothing_is_promised_while_only_a_person_can_let_it_go_on(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    talk.provider.script = [HumanCheckRequired("unusual activity")]
    await talk.do("generate_video", video="Film", missing=True)
    told = await waited(talk, held_up)
    assert told["held_up"].startswith("paused: unusual activity")
    assert "left" not in told
    assert all("left" not in line for line in told["jobs"])
    assert (await Forecast.now(talk.kit)).seconds == {}


async def test_the_allowance_for_retakes_is_what_this_library_needed_so_far(talk: Talk) -> None:
    await talk.production(scenes=history.ENOUGH_TAKES + 1)
    usual = await talk.do("check_plan", video="Film")
    assert usual["retakes_percent"] == 20, "too little is known yet"
    await talk.images()
    await talk.do(
        "generate_video", video="Film", scenes=[str(n + 1) for n in range(history.ENOUGH_TAKES)]
    )
    await talk.do("wait")
    none = await talk.do("check_plan", video="Film")
    assert (none["retakes_percent"], none["retakes_allowance"]) == (0, 0)
    await talk.do("generate_video", video="Film", scenes=["1", "2", "3", "4", "5"], new_take=True)
    await talk.do("wait")
    learned = await talk.do("check_plan", video="Film")
    assert learned["retakes_percent"] == 50
    assert learned["retakes_allowance"] == 6, "half of the one clip that is missing"
    own = await talk.do("check_plan", video="Film", retakes_percent=10)
    assert (own["retakes_percent"], own["retakes_allowance"]) == (10, 2)


async def test_one_question_covers_a_whole_film(talk: Talk) -> None:
    await talk.production(scenes=30)
    await talk.images()
    asked = len(talk.person.questions)
    started = await talk.do("generate_video", video="Film", missing=True)
    assert len(talk.person.questions) - asked == 1
    assert f"In all {30 * 12} credits" in talk.person.questions[-1]
    assert len(started["jobs"]) + started.get("more", 0) >= 24
    while not (await talk.do("wait", video="Film"))["done"]:
        pass
    assert talk.provider.charged == 30 * 12
    assert len(talk.person.questions) - asked == 1


async def test_how_long_a_pause_lasts_is_told_where_people_look(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.script = [RateLimited("slower", retry_after_s=300)]
    await talk.do("generate_video", video="Film", missing=True)
    told = await waited(talk, held_up)
    assert told["held_up"].endswith("It opens about 5 min from now.")
    assert (await talk.do("status"))["next"].startswith("It opens by itself in about 5 min")


async def test_a_model_without_quota_is_named_by_status(talk: Talk) -> None:
    await talk.production(scenes=1)
    talk.provider.script = [QuotaUsedUp("the daily quota is used up")]
    await talk.do("generate_image", video="Film", scenes=[1])
    told = await waited(talk, lambda answer: answer.get("left") == "about 24 h")
    assert not held_up(told)
    status = await talk.do("status")
    assert status["ready"]
    assert "the daily quota of PIC is used up, 1 job(s) wait for it, about 24 h" in status["what"]
    await talk.do("resolve_job", action="reopen", provider="flow")
    assert (await talk.do("wait"))["jobs"][0]["state"] == "succeeded"
