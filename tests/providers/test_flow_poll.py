import copy
from typing import Any

import pytest
from scripted_flow import MID, ScriptedChannel, golden, http, ok, refused

from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import GenerationFailed, Rejected, Transient
from flowkit_mcp.providers.base import Done, Failed, Pending
from flowkit_mcp.providers.flow.provider import FlowProvider


def record(id: str, status: Any, url: str | None = None) -> list[Any]:
    row = copy.deepcopy(golden("as29s_done"))
    row[0] = id
    row[5][8] = status
    row[7][0][8] = url
    return row


async def test_one_poll_asks_for_all_clips(channel: ScriptedChannel, provider: FlowProvider):
    rows = [
        record("running", [2]),
        record("scheduled", [6], "https://flow-content.google/image/poster"),
        record("strange", [7]),
        record("done", [3], "https://flow-content.google/video/done"),
        golden("jwpduf_failed")[2][0],
        record("cancelled", [5]),
    ]
    ids = ["running", "scheduled", "strange", "done", MID, "cancelled"]
    channel.on("video.status", ok("video.status", [None, 980, rows]))
    found = await provider.poll(ids, MediaKind.VIDEO)
    assert channel.names() == ["video.status"]
    assert channel.asked[0].args[2] == [[id] for id in ids]
    assert all(isinstance(found[id], Pending) for id in ids[:3])
    done, failed, cancelled = found["done"], found[MID], found["cancelled"]
    assert isinstance(done, Done) and done.media.bytes == 2508689 and done.credits_after == 980
    assert isinstance(failed, Failed) and isinstance(failed.error, GenerationFailed)
    assert failed.error.reason == "AUDIO_FILTERED" and failed.error.charged == "refunded"
    assert isinstance(cancelled, Failed) and cancelled.error.charged == "unknown"


async def test_the_address_of_a_finished_clip_is_fetched_from_its_record(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.status", ok("video.status", [None, None, [record(MID, [3])]]))
    channel.on(
        "media.get", ok("media.get", record(MID, [3])), ok("media.get", golden("as29s_done"))
    )
    assert isinstance(
        (await provider.poll([MID], MediaKind.VIDEO))[MID], Pending
    )  # a poster is no clip
    found = (await provider.poll([MID], MediaKind.VIDEO))[MID]
    assert isinstance(found, Done) and "/video/" in found.media.url


@pytest.mark.parametrize(
    "answer", [refused("media.get", 5), ok("media.get", MID), http(503), ok("media.get", None)]
)
async def test_done_without_an_address_is_pending(
    channel: ScriptedChannel, provider: FlowProvider, answer: Any
):
    channel.on("video.status", ok("video.status", [None, None, [record(MID, [3])]]))
    channel.on("media.get", answer)
    assert isinstance((await provider.poll([MID], MediaKind.VIDEO))[MID], Pending)


async def test_a_finished_clip_that_the_poll_no_longer_lists_is_still_found(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.status", ok("video.status", [None, 980, []]))
    channel.on("media.get", ok("media.get", golden("as29s_done")))
    assert isinstance((await provider.poll([MID], MediaKind.VIDEO))[MID], Done)


async def test_an_id_that_flow_does_not_know_is_missing_from_the_answer(
    channel: ScriptedChannel, provider: FlowProvider
):
    not_found = record("unknown", [4, [None, "Media not found."]])
    channel.on("video.status", ok("video.status", [None, None, [record("known", [2]), not_found]]))
    channel.on("media.get", refused("media.get", 5))
    found = await provider.poll(["known", "unknown", "absent"], MediaKind.VIDEO)
    assert set(found) == {"known"}


@pytest.mark.parametrize(
    "complaint",
    [refused("video.status", 5), refused("video.status", 4, message="Media not found.")],
)
async def test_one_unknown_id_does_not_hide_the_others(
    channel: ScriptedChannel, provider: FlowProvider, complaint: Any
):
    channel.on("video.status", complaint)
    channel.on("media.get", refused("media.get", 5), ok("media.get", golden("as29s_done")))
    found = await provider.poll(["unknown", MID], MediaKind.VIDEO)
    assert set(found) == {MID} and isinstance(found[MID], Done)


async def test_pictures_are_read_one_by_one(channel: ScriptedChannel, provider: FlowProvider):
    picture = golden("ogiZ0b_reply")[0][0]
    channel.on("media.get", ok("media.get", picture), refused("media.get", 5))
    found = await provider.poll([MID, "unknown"], MediaKind.IMAGE)
    assert channel.names() == ["media.get", "media.get"]
    assert set(found) == {MID}
    done = found[MID]
    assert isinstance(done, Done) and done.media.url.startswith(
        "https://flow-content.google/image/"
    )


async def test_a_refused_picture_is_failed(channel: ScriptedChannel, provider: FlowProvider):
    picture = golden("Zzl0ze_reply")[2][0]
    picture[5][8] = golden("failure_block")
    channel.on("media.get", ok("media.get", picture))
    found = (await provider.poll([MID], MediaKind.IMAGE))[MID]
    assert isinstance(found, Failed) and isinstance(found.error, Rejected)


async def test_trouble_with_all_is_told(channel: ScriptedChannel, provider: FlowProvider):
    channel.on("media.get", http(503))
    with pytest.raises(Transient):
        await provider.poll([MID], MediaKind.IMAGE)
    channel.on("video.status", http(503))
    with pytest.raises(Transient):
        await provider.poll([MID], MediaKind.VIDEO)


async def test_polling_nothing_asks_nothing(channel: ScriptedChannel, provider: FlowProvider):
    assert await provider.poll([], MediaKind.VIDEO) == {}
    assert channel.asked == []
