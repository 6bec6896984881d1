"""What a film would still cost, whether it may, and what is wrong with its plan, as an agent asks for it."""

from __future__ import annotations

import json

import pytest
from talk import Talk

from flowkit_mcp.sdk.plan_check import PlanWishes
from flowkit_mcp.sdk.project import Video
from flowkit_mcp.store import operations


@pytest.fixture(params=["auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """What is said here does not depend on the era; the tools' lists are checked in both."""
    return request.param


async def test_the_estimate_of_a_whole_film_is_what_the_film_then_costs(talk: Talk) -> None:
    await talk.production(scenes=3)
    before = await talk.do("check_plan", video="Film", upscale="1080p", retakes_percent=10)
    assert before["credits"] == 3 * 12 + 3 * 3
    assert (before["retakes_allowance"], before["total"]) == (5, 50)
    assert before["balance"] == 1000 and "short" not in before
    assert {one["code"] for one in before["findings"]} == {"NO_START_IMAGE", "NOT_CAST"}
    assert [one["scenes"] for one in before["findings"]] == ["1, 2, 3"] * 2
    assert talk.provider.submits == 0 and talk.provider.charged == 0

    await talk.clips()
    await talk.do("upscale", video="Film", missing=True)
    assert (await talk.do("wait"))["done"]
    after = await talk.do("check_plan", video="Film", upscale="1080p")
    assert (after["credits"], after["lines"]) == (0, ["nothing is missing"])
    assert after["so_far"]["spent"] == talk.provider.charged == before["credits"]
    assert after["so_far"]["scenes"] == {"1": 15, "2": 15, "3": 15}


async def test_a_balance_that_does_not_reach_is_said_before_anything_is_generated(
    talk: Talk,
) -> None:
    await talk.production(scenes=3)
    talk.provider.credits = 30
    account = await talk.provider.account()
    async with talk.kit.db.transaction() as tx:
        await operations.set_account(tx, "flow", account, now=1)
    checked = await talk.do("check_plan", video="Film")
    assert (checked["credits"], checked["balance"]) == (36, 30)
    assert checked["short"] == checked["total"] - 30 > 0
    assert f"{checked['short']} credits are lacking" in checked["next"]


async def test_a_clip_of_a_new_picture_is_in_the_estimate_though_there_is_a_clip(
    talk: Talk,
) -> None:
    await talk.production(scenes=1)
    await talk.clips()
    await talk.do("generate_image", video="Film", scenes=["1"], new_take=True)
    await talk.do("wait")
    checked = await talk.do("check_plan", video="Film")
    assert checked["lines"] == ["1 x clip (clip_8s): 12 credits"]


async def test_budgets_stand_in_the_estimate_stop_a_whole_batch_and_let_it_go_on(
    talk: Talk,
) -> None:
    await talk.production(scenes=3)
    await talk.images()
    await talk.do("set_budget", project="Fox", credits=30)
    checked = await talk.do("check_plan", video="Film")
    assert checked["budgets"] == [
        {"scope": "project", "limit": 30, "spent": 0, "promised": 0, "left": 30}
    ]
    assert checked["short"] == 44 - 30 and "14 credits are lacking" in checked["next"]

    told = await talk.fail("generate_video", video="Film", missing=True)
    assert told.startswith("BUDGET: 36 credits would exceed the project's budget of 30")
    assert "set_budget" in told and not talk.person.asked  # nobody is asked for what cannot be

    await talk.do("generate_video", video="Film", scenes=["1", "2"])
    assert "30 left of the project's budget of 30" in talk.person.questions[-1]
    assert (await talk.do("wait"))["done"]
    assert talk.provider.charged == 24
    raised = await talk.do("set_budget", project="Fox", clear=True)
    assert raised["budgets"] == []
    await talk.do("generate_video", video="Film", missing=True)
    assert (await talk.do("wait"))["done"]
    assert talk.provider.charged == 36


async def test_the_days_budget_is_set_without_a_project(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    await talk.do("set_budget", credits=3)
    told = await talk.fail("generate_video", video="Film", missing=True)
    assert "today's budget of 3" in told
    assert "credits" in await talk.fail("set_budget", credits=-1)
    for unclear in ({}, {"credits": None}, {"credits": 5, "clear": True}):
        assert "clear=true" in await talk.fail("set_budget", **unclear)


async def test_retakes_and_refunds_are_told_apart_in_the_ledger(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.clips()
    await talk.do("generate_video", video="Film", scenes=["1"], new_take=True)
    await talk.do("wait")
    await talk.do("merge", video="Film")
    await talk.do("wait")
    video = await Video.get(talk.kit, "Film")
    ledger = await video.ledger()
    assert (ledger.total.credits, ledger.total.retakes, ledger.total.refunded) == (24, 12, 0)
    assert ledger.film_s > 0
    assert ledger.per_second == pytest.approx(24 / ledger.film_s, rel=0.01)


async def test_what_the_account_cannot_make_is_a_finding_and_not_a_price(talk: Talk) -> None:
    await talk.production(scenes=2)
    checked = await (await Video.get(talk.kit, "Film")).check_plan(PlanWishes(upscale="4K"))
    assert [f.code for f in checked.findings if f.scene is None] == ["NO_MODEL"]
    assert checked.credits == 24


async def test_a_plan_of_forty_bad_scenes_is_told_in_under_2000_tokens(talk: Talk) -> None:
    await talk.production(scenes=1)
    long = " ".join(["word"] * 80)
    drafts = [
        {
            "prompt": f'Mai says: "{long} {n}". 0-3s: runs. 9-12s: stops @Nobody{n}',
            "narration": long,
        }
        for n in range(39)
    ]
    await talk.do("add_scene", video="Film", scenes=drafts)
    checked = await talk.do("check_plan", video="Film")
    assert checked["more_findings"] > 0
    assert len(json.dumps(checked)) / 4 < 2000


async def test_the_next_step_names_the_tools_that_make_what_is_missing_and_no_others(
    talk: Talk,
) -> None:
    await talk.production(scenes=1)
    steps: list[str] = []
    for make in (talk.images, talk.clips, None):
        checked = await talk.do("check_plan", video="Film")
        view = await talk.do("get_project", project="Fox")
        steps += [checked["next"], view["next"]]
        if make is not None:
            await make()
    assert steps == [
        "Mend the errors, then generate_image, then generate_video with missing=true.",
        "generate_image(video='Film', missing=true) makes what is missing, "
        "then generate_video(video='Film', missing=true).",
        "Tell the person the total; then generate_video with missing=true.",
        "generate_video(video='Film', missing=true) makes the clips that are missing.",
        "Nothing is to be made: review, then merge.",
        "All clips are there: review them, then merge joins them (free) or answers with the film that exists.",
    ]


async def test_a_plan_by_words_alone_asks_for_no_pictures_of_anybody(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.do("update_scene", video="Film", scene="1", characters=["Mai"])
    needing = await talk.do("check_plan", video="Film")
    assert "MISSING_REFERENCE" in {one["code"] for one in needing["findings"]}
    words = await talk.do("check_plan", video="Film", mode="text")
    assert words["lines"] == ["1 x clip (clip_8s): 12 credits"] and "findings" not in words


async def test_paying_again_keeps_to_the_projects_budget_before_the_person_is_asked(
    talk: Talk,
) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.can_look_up, talk.provider.script = False, [talk.provider.LOSE]
    (line,) = (await talk.do("generate_video", video="Film", missing=True))["jobs"]
    assert (await talk.do("wait"))["done"]
    await talk.do("set_budget", project="Fox", credits=20)
    asked = len(talk.person.asked)
    told = await talk.fail("resolve_job", action="submit_again", job=line["job"])
    assert told.startswith("BUDGET: 12 credits would exceed the project's budget of 20: 12 are")
    assert len(talk.person.asked) == asked
    await talk.do("set_budget", project="Fox", credits=24)
    await talk.do("resolve_job", action="submit_again", job=line["job"])
    assert "12 left of the project's budget of 24" in talk.person.questions[-1]
