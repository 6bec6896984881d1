"""What became of a call whose reply is missing: one row per combination of what can be known."""

from typing import Any

import pytest
from scripted_flow import (
    MID,
    OTHER_PROFILE,
    PROFILE,
    ScriptedChannel,
    broken,
    golden,
    http,
    ok,
    refused,
)

from flowkit_mcp.bridge.protocol import Standing
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import NotConnected, Transient
from flowkit_mcp.providers.base import CannotTell, InFlight, NeverSent, Sent, SentCall
from flowkit_mcp.providers.flow.ids import derived
from flowkit_mcp.providers.flow.provider import FlowProvider

REF = "seed-m.seed-w"
RESULT = derived("seed-m")
EARLIER = ("earlier-m.earlier-w", derived("earlier-m"))
RULE_BROKEN = ("other-m.other-w", "not-the-derived-id")
UPSCALED = ("upscale-m.upscale-w", "some-clip_upsampled")
GRACE_S = 180.0
OLD = GRACE_S + 1
NOT_THERE = refused("media.get", 5)


def record(id: str) -> list[Any]:
    found = golden("as29s_done")
    found[0] = id
    return found


def sees(channel: ScriptedChannel, *ids: str, listed: bool = False) -> None:
    """Flow knows these ids by as29s, and by the poll if `listed`."""
    channel.on(
        "media.get",
        lambda asked: ok("media.get", record(asked.args[0])) if asked.args[0] in ids else NOT_THERE,
    )
    channel.on(
        "video.status",
        ok("video.status", [None, None, [record(id) for id in ids] if listed else []]),
    )


def call(**changes: Any) -> SentCall:
    given = {
        "client_ref": REF,
        "via": PROFILE,
        "age_s": OLD,
        "media": MediaKind.IMAGE,
        "proven": (EARLIER,),
    }
    return SentCall(**given | changes)


def world() -> tuple[ScriptedChannel, FlowProvider]:
    channel = ScriptedChannel()
    sees(channel, EARLIER[1])
    channel.stands(REF, Standing.SENT_NO_ANSWER)
    return channel, FlowProvider(channel, clock=Clock())


async def test_never_received_by_the_browser_that_was_asked_is_proof():
    channel, provider = world()
    channel.stands(REF, Standing.NEVER_RECEIVED)
    assert isinstance(await provider.look_up(call(age_s=0, proven=())), NeverSent)
    assert channel.asked == []


@pytest.mark.parametrize("via", [OTHER_PROFILE, None])
async def test_never_received_by_another_browser_proves_nothing(via: str | None):
    channel, provider = world()
    channel.stands(REF, Standing.NEVER_RECEIVED)
    found = await provider.look_up(call(via=via, age_s=0, proven=()))
    assert isinstance(found, CannotTell) and found.again


async def test_the_browser_that_was_asked_may_stand_by():
    channel, provider = world()
    channel.instance, channel.standby = OTHER_PROFILE, (PROFILE,)
    channel.stands(REF, Standing.IN_FLIGHT)
    assert isinstance(await provider.look_up(call()), InFlight)


async def test_in_flight_is_asked_again():
    channel, provider = world()
    channel.stands(REF, Standing.IN_FLIGHT)
    assert isinstance(await provider.look_up(call()), InFlight)


async def test_an_answer_still_held_is_read_like_a_reply():
    channel, provider = world()
    channel.stands(REF, Standing.ANSWERED, ok("image.generate", golden("ogiZ0b_reply")))
    found = await provider.look_up(call())
    assert isinstance(found, Sent) and found.submission.remote_id == MID


async def test_a_held_answer_of_a_video_call_tells_the_balance():
    channel, provider = world()
    channel.stands(REF, Standing.ANSWERED, ok("video.start_end", golden("video_submit_reply")))
    found = await provider.look_up(call(media=MediaKind.VIDEO))
    assert isinstance(found, Sent) and found.submission.credits_after == 976


@pytest.mark.parametrize(
    "result",
    [
        refused("image.generate", 3, "PUBLIC_ERROR_UNSAFE_GENERATION"),
        http(401),
        broken("REFUSED_BY_PERSON", sent=False),
    ],
)
async def test_a_held_refusal_is_proof(result):
    channel, provider = world()
    channel.stands(REF, Standing.ANSWERED, result)
    assert isinstance(await provider.look_up(call(age_s=0, proven=())), NeverSent)


CAPTCHA = refused("video.start", 7, "PUBLIC_ERROR_UNUSUAL_ACTIVITY")


async def test_a_captcha_refusal_of_a_call_that_costs_is_no_proof_since_browsers_send_copies():
    channel, provider = world()
    channel.stands(REF, Standing.ANSWERED, CAPTCHA)
    sees(channel, EARLIER[1], RESULT)
    clip = {"media": MediaKind.VIDEO, "credits": 7}
    found = await provider.look_up(call(age_s=0, **clip))
    assert isinstance(found, Sent) and found.submission.remote_id == RESULT
    sees(channel, EARLIER[1])
    assert isinstance(await provider.look_up(call(age_s=0, **clip)), CannotTell)
    assert isinstance(await provider.look_up(call(**clip)), NeverSent)
    assert isinstance(await provider.look_up(call(age_s=0, **clip | {"credits": 0})), NeverSent)


@pytest.mark.parametrize(
    "result",
    [
        None,
        http(500),
        refused("image.generate", 13),
        broken("LOST", sent=True),
        http(200, "<html>"),
    ],
)
async def test_an_unclear_answer_is_looked_for_at_flow(result):
    channel, provider = world()
    channel.stands(REF, Standing.ANSWERED, result)
    sees(channel, RESULT)
    found = await provider.look_up(call(age_s=0, proven=()))
    assert isinstance(found, Sent) and found.submission.remote_id == RESULT


async def test_found_under_the_derived_id_is_proof_at_any_age_and_without_canary():
    channel, provider = world()
    sees(channel, RESULT)
    found = await provider.look_up(call(age_s=0, proven=()))
    assert isinstance(found, Sent) and found.submission.remote_id == RESULT


async def test_a_clip_that_only_the_poll_knows_is_found():
    channel, provider = world()
    sees(channel)
    channel.on("video.status", ok("video.status", [None, None, [record(RESULT)]]))
    assert isinstance(await provider.look_up(call(media=MediaKind.VIDEO)), Sent)


async def test_media_not_found_in_a_poll_is_not_a_find():
    channel, provider = world()
    row = record(RESULT)
    row[5][8] = [4, [None, "Media not found."]]
    channel.on("video.status", ok("video.status", [None, None, [row]]))
    assert isinstance(await provider.look_up(call(media=MediaKind.VIDEO)), NeverSent)


@pytest.mark.parametrize(
    ("age_s", "proven", "expected", "again"),
    [
        (GRACE_S - 1, (EARLIER,), CannotTell, True),
        (GRACE_S - 1, (), CannotTell, True),
        (OLD, (), CannotTell, False),
        (OLD, (RULE_BROKEN,), CannotTell, False),
        (OLD, (EARLIER, RULE_BROKEN), CannotTell, False),
        (OLD, (UPSCALED,), CannotTell, False),
        (OLD, (EARLIER,), NeverSent, False),
        (OLD, (EARLIER, UPSCALED), NeverSent, False),
    ],
)
@pytest.mark.parametrize("media", [MediaKind.IMAGE, MediaKind.VIDEO])
async def test_not_found_is_proof_only_late_and_with_the_rule_proven(
    age_s, proven, expected, again, media
):
    _, provider = world()
    found = await provider.look_up(call(age_s=age_s, proven=proven, media=media))
    assert type(found) is expected
    assert getattr(found, "again", False) is again


async def test_not_found_proves_nothing_on_an_account_that_does_not_see_earlier_results():
    channel, provider = world()
    sees(channel)
    found = await provider.look_up(call())
    assert isinstance(found, CannotTell) and not found.again


async def test_an_answer_without_data_proves_nothing():
    channel, provider = world()
    channel.on(
        "media.get",
        lambda asked: ok("media.get", record(EARLIER[1]) if asked.args[0] == EARLIER[1] else None),
    )
    found = await provider.look_up(call())
    assert isinstance(found, CannotTell) and not found.again


async def test_a_browser_that_cannot_be_asked_is_given_the_calls_own_time_limit_too():
    channel, provider = world()
    channel.instance = OTHER_PROFILE
    found = await provider.look_up(call(age_s=OLD))
    assert isinstance(found, CannotTell) and found.again
    assert isinstance(await provider.look_up(call(age_s=OLD + 180)), NeverSent)


async def test_an_upscale_is_looked_for_under_its_sources_name():
    channel, provider = world()
    sees(channel, "clip_4k_upsampled")
    found = await provider.look_up(call(media=MediaKind.VIDEO, source="clip", resolution="4K"))
    assert isinstance(found, Sent) and found.submission.remote_id == "clip_4k_upsampled"


async def test_an_upscale_that_is_not_there_was_never_sent():
    _, provider = world()
    found = await provider.look_up(call(media=MediaKind.VIDEO, source="clip", resolution="1080p"))
    assert isinstance(found, NeverSent)


async def test_an_upscale_whose_source_is_forgotten_cannot_be_told():
    _, provider = world()
    found = await provider.look_up(call(media=MediaKind.VIDEO, resolution="1080p"))
    assert isinstance(found, CannotTell) and not found.again


async def test_without_a_browser_nobody_can_be_asked():
    channel, provider = world()
    channel.flow = channel.instance = None
    with pytest.raises(NotConnected):
        await provider.look_up(call())


async def test_trouble_while_asking_is_not_an_answer():
    channel, provider = world()
    channel.on("media.get", http(503))
    with pytest.raises(Transient):
        await provider.look_up(call())


async def test_forgetting_acknowledges_the_call():
    channel, provider = world()
    await provider.forget(REF)
    assert channel.acks == [REF]
