"""The provider in lane labs, and when the lane changes between two calls."""

import base64
from pathlib import Path
from typing import Any

import pytest
from labs_world import OPERATION, REF, example, refusal, served_labs
from scripted_flow import MID, PID, PROFILE, UPLOAD, WID, ScriptedChannel, golden, ok, said, trpc

from flowkit_mcp.bridge.protocol import Standing
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import MediaKind, Orientation
from flowkit_mcp.errors import GenerationFailed, NotConnected, OutcomeUnknown, Rejected, Transient
from flowkit_mcp.providers.base import (
    CannotTell,
    Done,
    Failed,
    ImageBrief,
    ImageUpscaleBrief,
    Sent,
    SentCall,
    UpscaleBrief,
    VideoBrief,
)
from flowkit_mcp.providers.flow.ids import Seeds, derived
from flowkit_mcp.providers.flow.provider import FlowProvider

WIDE = Orientation.HORIZONTAL
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(50)
JPEG = b"\xff\xd8\xff\xe0" + bytes(50)
IMAGE = ImageBrief(project=PID, model="NARWHAL", orientation=WIDE, seed=1, prompt="p")
VIDEO = VideoBrief(project=PID, model="m", mode="text", orientation=WIDE, seed=1, prompt="p")
ENLARGED = ImageUpscaleBrief(
    project=PID,
    model="GEM_PIX_2_UPSAMPLE_2K",
    orientation=WIDE,
    seed=1,
    source=MID,
    resolution="2K",
)


def text64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.fixture
def channel() -> ScriptedChannel:
    return served_labs()


@pytest.fixture
def provider(channel: ScriptedChannel) -> FlowProvider:
    return FlowProvider(channel, clock=Clock())


@pytest.mark.parametrize(
    ("changes", "name", "method"),
    [
        ({}, "video.text", "Text"),
        ({"mode": "start", "start": UPLOAD}, "video.start", "StartImage"),
        ({"mode": "start_end", "start": UPLOAD, "end": WID}, "video.start_end", "StartAndEndImage"),
        ({"mode": "references", "references": (UPLOAD,)}, "video.references", "ReferenceImages"),
        ({"mode": "extend", "extends": UPLOAD}, "video.extend", "ExtendVideo"),
    ],
)
async def test_each_mode_has_its_endpoint(
    channel: ScriptedChannel, provider: FlowProvider, changes: Any, name: str, method: str
):
    channel.on(name, said(example("submit_media")))
    channel.on("media.get", said({"name": UPLOAD, "video": {}}))
    accepted = await provider.submit(VIDEO.model_copy(update=changes), REF, PROFILE)
    assert (accepted.remote_id, accepted.credits_after) == (MID, 1610)
    asked = channel.asked[-1]
    assert asked.args["path"] == f"/v1/video:batchAsyncGenerateVideo{method}"
    assert (asked.args["method"], asked.args["host"]) == ("POST", "api")
    assert asked.options["captcha"] == "VIDEO_GENERATION" and asked.options["paid"]


async def test_the_account_has_prices_from_any_project(
    channel: ScriptedChannel, provider: FlowProvider
):
    config = {
        "imageModelFamilies": [
            {
                "displayName": "Nano Banana 2",
                "usages": [
                    {"key": "NARWHAL", "creditMapping": {"SERVICE_TIER_INTERMEDIATE": {"cost": 0}}}
                ],
            }
        ]
    }
    channel.on("account.credits", said(example("credits_reply")))
    channel.on("project.list", trpc({"projects": [{"projectId": PID, "title": "t"}]}))
    channel.on("account.models", trpc({"modelConfig": config}))
    account = await provider.account()
    assert (account.tier, account.credits, account.models[0].credits) == ("INTERMEDIATE", 868, 0)


async def test_an_operation_without_a_media_id_is_polled_in_its_own_dialect(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.text", said(example("submit_operations")))
    accepted = await provider.submit(VIDEO, REF, PROFILE)
    assert accepted.remote_id == f"operation/{OPERATION}/{derived('seed-m')}"
    channel.on("video.status", said(example("poll_old_done")))
    found = (await provider.poll([accepted.remote_id], MediaKind.VIDEO))[accepted.remote_id]
    assert channel.asked[-1].args["body"]["operations"][0]["operation"] == {"name": OPERATION}
    assert isinstance(found, Done) and found.media.remote_id in (MID, derived("seed-m"))


async def test_nothing_created_is_a_refusal_and_an_empty_object_is_not(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.text", said({"operations": []}), said({}))
    with pytest.raises(Rejected) as caught:
        await provider.submit(VIDEO, REF, PROFILE)
    assert caught.value.reason == "ACCEPTED_BUT_EMPTY"
    with pytest.raises(OutcomeUnknown):
        await provider.submit(VIDEO, REF, PROFILE)


async def test_a_larger_picture_comes_inline_without_an_id(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("image.upscale", said({"encodedImage": text64(JPEG)}))
    accepted = await provider.submit(ENLARGED, REF, PROFILE)
    assert accepted.inline == JPEG
    lost = (await provider.poll([accepted.remote_id], MediaKind.IMAGE))[accepted.remote_id]
    assert isinstance(lost, Failed) and isinstance(lost.error, GenerationFailed)


async def test_damaged_bytes_in_a_paid_answer_never_lead_to_a_second_call(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("image.upscale", said({"encodedImage": "%%%"}))
    with pytest.raises(OutcomeUnknown):
        await provider.submit(ENLARGED, REF, PROFILE)


async def test_an_upscale_that_exists_comes_at_once(
    channel: ScriptedChannel, provider: FlowProvider
):
    reply = example("upscale_existing")
    reply["operations"][0]["rawBytes"] = text64(MP4)
    channel.on("video.upscale", said(reply))
    brief = UpscaleBrief(
        project=PID, model="m", orientation=WIDE, seed=1, source=MID, resolution="1080p"
    )
    accepted = await provider.submit(brief, REF, PROFILE)
    assert accepted.inline == MP4 and accepted.remote_id == f"{MID}_upsampled"


async def test_a_finished_clip_is_fetched_from_its_redirect_or_inline(
    channel, provider, tmp_path: Path
):
    channel.on("video.status", said(example("poll_done")))
    channel.on("media.url", said({"url": "https://flow-content.google/video/x?Signature=S"}))
    found = (await provider.poll([MID], MediaKind.VIDEO))[MID]
    assert isinstance(found, Done) and "/video/x" in found.media.url
    channel.on("media.url", said(refusal(404), 404))
    channel.on("media.get", said({"name": MID, "video": {"encodedVideo": text64(MP4)}}))
    found = (await provider.poll([MID], MediaKind.VIDEO))[MID]
    assert isinstance(found, Done)
    await provider.fetch(found.media, tmp_path / "x.part")
    assert (tmp_path / "x.part").read_bytes() == MP4


async def test_a_small_body_that_is_no_clip_is_not_taken(
    channel: ScriptedChannel, provider: FlowProvider, tmp_path: Path
):
    channel.on("media.get", said({"name": MID, "image": {"encodedImage": text64(b"not yet")}}))
    found = (await provider.poll([MID], MediaKind.IMAGE))[MID]
    assert isinstance(found, Done)
    with pytest.raises(Transient):
        await provider.fetch(found.media, tmp_path / "x.part")


async def test_a_failed_clip_says_why(channel: ScriptedChannel, provider: FlowProvider):
    channel.on("video.status", said(example("poll_failed")))
    found = (await provider.poll([MID], MediaKind.VIDEO))[MID]
    assert isinstance(found, Failed) and found.error.reason == "IP_INPUT_IMAGE"


async def test_what_one_lane_made_the_other_polls(channel: ScriptedChannel, provider: FlowProvider):
    channel.on("video.text", said(example("submit_media")))
    accepted = await provider.submit(VIDEO, REF, PROFILE)
    channel.serves("batchexecute")
    channel.on("video.status", ok("video.status", [None, 980, [golden("as29s_done")]]))
    assert isinstance((await provider.poll([accepted.remote_id], MediaKind.VIDEO))[MID], Done)
    channel.serves("labs")
    channel.on("video.status", said(example("poll_failed")))
    await provider.poll([accepted.remote_id], MediaKind.VIDEO)
    assert channel.asked[-1].args["body"] == {"media": [{"name": MID, "projectId": PID}]}


async def test_what_another_process_ordered_is_polled_in_its_project(
    channel: ScriptedChannel, provider: FlowProvider
):
    """The dialect of a poll names both (flow-wire §7.1); without, Flow may not say where a paid clip stands."""
    channel.on("video.status", said(example("poll_failed")))
    await provider.poll([MID], MediaKind.VIDEO, {MID: PID})
    assert channel.asked[-1].args["body"] == {"media": [{"name": MID, "projectId": PID}]}


async def test_a_picture_is_not_sent_under_a_reference_that_promises_a_derived_id(
    channel, provider
):
    with pytest.raises(Transient):
        await provider.submit(IMAGE, "seed-m.seed-w", PROFILE)
    assert channel.asked == []
    assert provider.new_client_ref().endswith(".labs")


async def test_a_held_answer_is_read_in_the_lane_that_wrote_it(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.serves("batchexecute")
    channel.stands(REF, Standing.ANSWERED, said(example("images_reply")))
    call = SentCall(client_ref=REF, via=PROFILE, age_s=0, media=MediaKind.IMAGE)
    found = await provider.look_up(call)
    assert isinstance(found, Sent) and found.submission.remote_id == MID


def listing(batch: str) -> Any:
    flow = {"name": WID, "metadata": {"primaryMediaId": MID, "batchId": batch}}
    return trpc({"projectContents": {"workflows": [flow], "media": []}})


@pytest.mark.parametrize("known", [True, False])
async def test_a_lost_picture_is_found_by_its_batch_in_the_listing(
    channel: ScriptedChannel, provider: FlowProvider, known: bool
):
    channel.stands(REF, Standing.SENT_NO_ANSWER)
    channel.on("project.contents", listing(Seeds.parse(REF).batch if known else "another"))
    call = SentCall(
        client_ref=REF, via=PROFILE, age_s=10_000, media=MediaKind.IMAGE, project=PID,
        proven=(("a.b", derived("a")),),
        proven_clips=frozenset({"a.b"}),
    )  # fmt: skip
    assert isinstance(await provider.look_up(call), Sent if known else CannotTell)


async def test_cancelling_is_possible_for_clips_until_it_is_too_late(
    channel: ScriptedChannel, provider: FlowProvider
):
    late = refusal(400, "x", "PUBLIC_ERROR_MEDIA_GENERATION_CANNOT_BE_CANCELED")
    channel.on("media.cancel", said({}), said(late, 400), said(refusal(404), 404))
    assert [await provider.cancel(MID) for _ in range(3)] == [True, False, False]
    channel.serves("batchexecute")
    assert await provider.cancel(MID) is False


async def test_a_project_is_created_by_trpc(channel: ScriptedChannel, provider: FlowProvider):
    channel.on("project.create", trpc({"projectId": PID}))
    assert await provider.create_project("t") == PID
    assert channel.asked[0].args == {
        "method": "POST",
        "host": "site",
        "path": "/fx/api/trpc/project.createProject",
        "query": {},
        "body": {"json": {"projectTitle": "t", "toolName": "PINHOLE"}},
    }


async def test_an_account_without_a_project_is_told_so_and_none_is_made_for_it(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("account.credits", said(example("credits_reply")))
    channel.on("project.list", trpc({"projects": []}))
    channel.on("account.models", said(refusal(404, "Requested entity was not found."), status=404))
    with pytest.raises(NotConnected, match="no project yet"):
        await provider.account()
    assert "project.create" not in channel.names()
