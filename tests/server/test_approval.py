"""Spending asks the person: when, with what words, and what happens on each answer."""

from __future__ import annotations

import asyncio
import re
from functools import partial

import pytest
from fake_provider import FakeProvider
from talk import Talk, talking

from flowkit_mcp.app import FlowKit
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.errors import OutcomeUnknown
from flowkit_mcp.server.desk import OPEN_MS
from flowkit_mcp.store import operations


class MovedClock(Clock):
    """Wall-clock time that a test can move on."""

    ahead_ms = 0

    def now(self) -> int:
        return super().now() + self.ahead_ms


def quote_in(text: str) -> str:
    found = re.search(r"approval='(q-[0-9a-f]+)'", text)
    assert found, text
    return found[1]


async def test_the_question_says_what_how_much_in_all_and_from_which_balance(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    await talk.do("generate_video", video="Film", missing=True)
    assert talk.person.questions == [
        "Spend 24 credits in Google Flow?\n"
        "- scene 1 vertical clip: 12 credits\n- scene 2 vertical clip: 12 credits\n"
        "In all 24 credits; balance 1000, tier PRO."
    ]
    form = talk.person.asked[0].requested_schema  # type: ignore[union-attr]
    assert form["properties"] == {}


async def test_what_is_free_never_asks(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    await talk.do("edit_image", scene=1, video="Film", prompt="more fog")
    assert talk.person.questions == []


@pytest.mark.parametrize("answer", ["decline", "cancel"])
async def test_a_no_starts_nothing_and_spends_nothing(talk: Talk, answer: str) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.person.answer = answer
    text = await talk.fail("generate_video", video="Film", scenes=[1])
    assert text.startswith(f"NOT_APPROVED: the person answered {answer!r} to 12 credits; nothing")
    assert "do not call again unchanged" in text
    assert talk.provider.charged == 0
    assert (await talk.do("list_jobs", show="open"))["jobs"] == []
    # a later yes to the same question counts
    talk.person.answer = "accept"
    assert len((await talk.do("generate_video", video="Film", scenes=[1]))["jobs"]) == 1


async def test_small_sums_pass_unasked_if_the_person_set_so(
    settings: Settings, provider: FakeProvider, mode: str
) -> None:
    settings = settings.model_copy(update={"auto_approve_credits": 12})
    async with (
        FlowKit.open(settings, provider=provider) as kit,
        talking(kit, provider, mode) as talk,
    ):
        await talk.production(scenes=3)
        await talk.images()
        await talk.do("generate_video", video="Film", scenes=[1])
        assert talk.person.questions == []
        await talk.do("generate_video", video="Film", scenes=[2, 3])
        assert len(talk.person.questions) == 1  # 24 in all, though each costs 12


async def set_balance(talk: Talk, credits: int) -> None:
    """At once, and for whoever reads the account after this."""
    talk.provider.credits = credits + talk.provider.charged
    account, kit = await talk.provider.account(), talk.kit
    async with kit.db.transaction() as tx:
        await operations.set_account(tx, "flow", account, kit.clock.now())


async def test_a_changed_balance_does_not_reword_an_open_question(talk: Talk) -> None:
    """A client of 2026-07-28 asks by calling again; the answer counts for the words that were shown."""
    await talk.production(scenes=1)
    await talk.images()
    talk.person.meanwhile = partial(set_balance, talk, 500)
    started = await talk.do("generate_video", video="Film", scenes=[1])
    assert len(started["jobs"]) == 1
    assert len(talk.person.questions) == 1


async def test_a_price_beyond_the_balance_is_pointed_out(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    await set_balance(talk, 11)
    talk.person.answer = "decline"
    await talk.fail("generate_video", video="Film", scenes=[1])
    assert talk.person.questions[0].endswith("balance 11, tier PRO. This is more than the balance.")


async def test_what_changed_while_the_question_was_open_is_asked_anew(
    kit: FlowKit, provider: FakeProvider
) -> None:
    """In the stateless era the plan is made again for the answer: a yes to one clip is not a yes to two."""
    async with talking(kit, provider, "auto") as talk:
        await talk.production(scenes=1)
        await talk.images()

        async def another_scene_gets_its_image() -> None:
            if len(talk.person.questions) > 1:
                return
            await talk.do("add_scene", video="Film", scenes=["Mai jumps"])
            await talk.do("generate_image", video="Film", scenes=[2])
            await talk.do("wait")

        talk.person.meanwhile = another_scene_gets_its_image
        started = await talk.do("generate_video", video="Film", missing=True)
        assert started["credits"] == 24
        assert [text.split("?")[0] for text in talk.person.questions] == [
            "Spend 12 credits in Google Flow",
            "Spend 24 credits in Google Flow",
        ]


async def test_a_client_that_cannot_ask_gets_the_price_and_a_quote(silent_talk: Talk) -> None:
    talk = silent_talk
    await talk.production(scenes=2)
    await talk.images()
    text = await talk.fail("generate_video", video="Film", scenes=[1])
    assert text.startswith("APPROVAL_NEEDED: nothing was started and nothing was spent.")
    assert "In all 12 credits; balance 1000, tier PRO" in text
    quote = quote_in(text)
    # the same question again has the same quote, so a repeated call does not pile them up
    assert quote_in(await talk.fail("generate_video", video="Film", scenes=[1])) == quote
    started = await talk.do("generate_video", video="Film", scenes=[1], approval=quote)
    assert len(started["jobs"]) == 1
    await talk.do("wait")
    assert talk.provider.charged == 12


async def test_a_quote_is_good_once_and_for_one_thing(silent_talk: Talk) -> None:
    talk = silent_talk
    await talk.production(scenes=2)
    await talk.images()
    quote = quote_in(await talk.fail("generate_video", video="Film", scenes=[1]))
    text = await talk.fail("generate_video", video="Film", scenes=[2], approval=quote)
    assert f"APPROVAL_NEEDED: {quote!r} is used up, expired or for something else" in text
    text = await talk.fail("generate_video", video="Film", scenes=[1, 2], approval=quote)
    assert text.startswith("APPROVAL_NEEDED")
    await talk.do("generate_video", video="Film", scenes=[1], approval=quote)
    await talk.do("wait")
    again = await talk.fail(
        "generate_video", video="Film", scenes=[1], new_take=True, approval=quote
    )
    assert quote_in(again) != quote
    assert talk.provider.charged == 12


async def test_a_quote_expires(settings: Settings, provider: FakeProvider, mode: str) -> None:
    clock = MovedClock()
    async with (
        FlowKit.open(settings, provider=provider, clock=clock) as kit,
        talking(kit, provider, mode, can_ask=False) as talk,
    ):
        await talk.production(scenes=1)
        await talk.images()
        quote = quote_in(await talk.fail("generate_video", video="Film", scenes=[1]))
        clock.ahead_ms = OPEN_MS + 1
        text = await talk.fail("generate_video", video="Film", scenes=[1], approval=quote)
        assert quote_in(text) != quote


async def test_a_client_that_can_ask_is_asked_whatever_the_model_passes(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.person.answer = "decline"
    text = await talk.fail("generate_video", video="Film", scenes=[1], approval="q-00000000")
    assert text.startswith("NOT_APPROVED")
    assert len(talk.person.questions) == 1


async def test_sending_again_what_may_have_been_paid_asks_first(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.can_look_up = False
    talk.provider.script = [OutcomeUnknown("the reply was lost")]
    await talk.do("generate_video", video="Film", scenes=[1])
    waited = await asyncio.wait_for(talk.do("wait"), 30)
    job = waited["jobs"][0]
    assert job["state"] == JobState.NEEDS_ATTENTION
    assert "resolve_job" in waited["next"]

    talk.person.answer = "decline"
    text = await talk.fail("resolve_job", action="submit_again", job=job["job"])
    assert text.startswith("NOT_APPROVED")
    assert "send it again (the first may be charged too): 12 credits" in talk.person.questions[-1]

    talk.person.answer = "accept"
    await talk.do("resolve_job", action="submit_again", job=f"job {job['job']}")
    done = await talk.do("wait", jobs=[job["job"]])
    assert done["jobs"][0]["state"] == JobState.SUCCEEDED
