import asyncio
import copy
from pathlib import Path
from typing import Any

import pytest
from scripted_flow import (
    MID,
    OTHER_PROFILE,
    PID,
    PROFILE,
    UPLOAD,
    WID,
    ScriptedChannel,
    broken,
    golden,
    http,
    ok,
    refused,
)

from flowkit_mcp.bridge.protocol import RECAPTCHA, FlowState
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import (
    InvalidSetting,
    NotConnected,
    OutcomeUnknown,
    Rejected,
    Transient,
)
from flowkit_mcp.providers.base import (
    Capabilities,
    ImageBrief,
    Provider,
    UpscaleBrief,
    VideoBrief,
)
from flowkit_mcp.providers.flow.ids import derived
from flowkit_mcp.providers.flow.provider import FlowProvider

REF = "seed-m.seed-w"
WIDE = Orientation.HORIZONTAL
SOURCE = "99999999-9999-4999-8999-999999999999"

IMAGE = ImageBrief(project=PID, model="GEM_PIX_2", orientation=WIDE, seed=7, prompt="p")
VIDEO = VideoBrief(
    project=PID, model="abra_i2v_8s", orientation=WIDE, seed=7, credits=12, prompt="p", start=UPLOAD
)
UPSCALE = UpscaleBrief(
    project=PID,
    model="veo_3_1_upsampler_1080p",
    orientation=WIDE,
    seed=7,
    source=SOURCE,
    resolution="1080p",
)


def test_it_fulfils_the_contract(provider: FlowProvider):
    contract: Provider = provider
    assert contract.name == "flow"


def test_flow_is_driven_at_a_human_pace_and_the_simulator_quickly(channel: ScriptedChannel):
    assert FlowProvider(channel, clock=Clock()).capabilities == Capabilities()
    quick = FlowProvider(channel, clock=Clock(), simulator="http://127.0.0.1:47816").capabilities
    assert (quick.submit_spacing_s, quick.max_in_flight, quick.poll_s) == ((0.0, 0.05), 5, 0.3)
    assert (quick.first_poll_s, quick.look_up_grace_s, quick.account_refresh_s) == (0.3, 2.0, 5.0)


@pytest.mark.parametrize(
    "address", ["https://flow.google.com", "http://example.org:80", "http://127.0.0.1"]
)
def test_a_simulator_elsewhere_than_on_loopback_is_refused(channel: ScriptedChannel, address: str):
    with pytest.raises(InvalidSetting):
        FlowProvider(channel, clock=Clock(), simulator=address)


def test_connected_means_that_the_flow_tab_answers(
    channel: ScriptedChannel, provider: FlowProvider
):
    assert provider.connected and provider.via == PROFILE and provider.lane == "batchexecute"
    channel.flow = FlowState(lane="batchexecute", tab="loading")
    assert not provider.connected
    channel.flow = None
    assert not provider.connected and provider.lane is None


def test_every_client_ref_is_new(provider: FlowProvider):
    assert len({provider.new_client_ref() for _ in range(100)}) == 100


# ---- account, project, upload ----------------------------------------------------------------


async def test_the_account_has_credits_tier_and_prices(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("account.credits", ok("account.credits", golden("nzlxg_reply_pro")))
    channel.on("account.models", ok("account.models", golden("HTrJv_reply")))
    account = await provider.account()
    assert (account.label, account.tier, account.credits) == (
        "a…z@example.org",
        "INTERMEDIATE",
        980,
    )
    assert [(model.key, model.credits) for model in account.models] == [
        ("abra_t2v_4s", 7),
        ("GEM_PIX_2", 0),
    ]


async def test_a_catalogue_of_another_shape_is_not_guessed(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("account.credits", ok("account.credits", golden("nzlxg_reply_pro")))
    channel.on("account.models", ok("account.models", [[]]))
    with pytest.raises(Transient):
        await provider.account()


async def test_without_a_browser_every_call_says_so(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.flow = None
    with pytest.raises(NotConnected):
        await provider.account()


async def test_a_project_is_created_free(channel: ScriptedChannel, provider: FlowProvider):
    channel.on("project.create", ok("project.create", golden("jHPbke_reply")))
    assert await provider.create_project("The film") == PID
    (asked,) = channel.asked
    assert asked.args[1] == [None, ["The film"]]
    assert not asked.options.get("paid") and asked.options["captcha"] is None


async def test_a_picture_is_uploaded_with_its_real_type(
    channel: ScriptedChannel, provider: FlowProvider, tmp_path: Path
):
    channel.on("image.upload", ok("image.upload", golden("maseQ_reply")))
    file = tmp_path / "ref.png"
    file.write_bytes(b"\xff\xd8\xff\xe0 jpeg in a png's coat")
    assert await provider.upload_image(file, PID) == UPLOAD
    (asked,) = channel.asked
    assert asked.args[2] == "image/jpeg" and asked.args[8] == "ref.png"
    assert asked.source_path == f"/project/{PID}"
    assert asked.options["captcha"] == "IMAGE_GENERATION"


async def test_what_is_no_picture_is_not_uploaded(
    channel: ScriptedChannel, provider: FlowProvider, tmp_path: Path
):
    file = tmp_path / "notes.png"
    file.write_bytes(b"just text")
    with pytest.raises(Rejected, match=r"notes\.png"):
        await provider.upload_image(file, PID)
    assert channel.asked == []


# ---- submit ----------------------------------------------------------------------------------


async def test_a_paid_call_carries_reference_profile_price_and_captcha(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.start", ok("video.start", golden("video_submit_reply")))
    named = VIDEO.model_copy(update={"what": "scene 3 vertical clip"})
    submission = await provider.submit(named, REF, PROFILE)
    assert "what" not in named.model_dump(), "it is not kept"
    assert (submission.remote_id, submission.credits_after) == (MID, 976)
    (asked,) = channel.asked
    assert asked.options == {
        "lane": "batchexecute",
        "captcha": "VIDEO_GENERATION",
        "paid": True,
        "credits": 12,
        "what": "scene 3 vertical clip",
        "timeout_s": 90.0,
        "id": REF,
        "instance": PROFILE,
    }
    assert asked.source_path == f"/project/{PID}"
    assert asked.args[0][0][5] == [None, None, None, None, "seed-m", "seed-w"]
    assert asked.args[1][10] == [RECAPTCHA, 1]


async def test_a_clip_with_an_end_image_takes_the_other_call(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.start_end", ok("video.start_end", golden("video_submit_reply")))
    await provider.submit(
        VIDEO.model_copy(update={"mode": "start_end", "end": SOURCE}), REF, PROFILE
    )
    assert channel.asked[0].args[0][0][4:6] == [[None, UPLOAD], [None, SOURCE]]


async def test_an_image_answer_names_the_new_picture_and_not_an_input(
    channel: ScriptedChannel, provider: FlowProvider
):
    reply = golden("ogiZ0b_reply")
    reply[0].insert(0, copy.deepcopy(reply[0][0]))
    reply[0][0][0] = UPLOAD
    channel.on("image.generate", ok("image.generate", reply))
    brief = IMAGE.model_copy(update={"references": (UPLOAD,)})
    assert (await provider.submit(brief, REF, PROFILE)).remote_id == MID


async def test_the_derived_id_wins_among_several_and_another_id_is_believed(
    channel: ScriptedChannel, provider: FlowProvider
):
    reply = golden("ogiZ0b_reply")
    reply[0].append(copy.deepcopy(reply[0][0]))
    reply[0][1][0] = derived("seed-m")
    channel.on("image.generate", ok("image.generate", reply))
    assert (await provider.submit(IMAGE, REF, PROFILE)).remote_id == derived("seed-m")
    assert (await provider.submit(IMAGE, "another.ref", PROFILE)).remote_id == MID


async def test_an_edit_looks_up_the_workflow_first(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("media.get", ok("media.get", golden("as29s_done")))
    channel.on("image.generate", ok("image.generate", [[[UPLOAD, None, WID]]]))
    await provider.submit(IMAGE.model_copy(update={"base": MID}), REF, PROFILE)
    assert channel.names() == ["media.get", "image.generate"]
    assert channel.asked[0].options["instance"] == PROFILE
    assert channel.asked[1].args[3][4] == WID


async def test_the_workflow_of_an_upload_comes_from_the_listing(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("media.get", ok("media.get", None))
    channel.on("project.contents", ok("project.contents", golden("Zzl0ze_reply")))
    channel.on("image.generate", ok("image.generate", [[[UPLOAD, None, WID]]]))
    await provider.submit(IMAGE.model_copy(update={"base": MID}), REF, PROFILE)
    assert channel.asked[-1].args[3][4] == WID


@pytest.mark.parametrize("brief", [IMAGE.model_copy(update={"base": SOURCE}), UPSCALE])
async def test_an_input_that_is_gone_is_noticed_before_anything_is_sent(
    channel: ScriptedChannel, provider: FlowProvider, brief: Any
):
    channel.on("media.get", refused("media.get", 5))
    with pytest.raises(Rejected) as caught:
        await provider.submit(brief, REF, PROFILE)
    assert caught.value.reason == "NOT_FOUND"
    assert channel.names() == ["media.get"]


async def test_an_upscale_is_named_after_its_source(
    channel: ScriptedChannel, provider: FlowProvider
):
    reply = golden("video_submit_reply")
    reply[3][0][0] = f"{SOURCE}_upsampled"
    channel.on("media.get", ok("media.get", golden("as29s_done")))
    channel.on("video.upscale", ok("video.upscale", reply))
    submission = await provider.submit(UPSCALE, REF, PROFILE)
    assert submission.remote_id == f"{SOURCE}_upsampled"
    item = channel.asked[1].args[0][0]
    assert (item[0], item[4], item[6], item[31]) == (
        [None, SOURCE],
        [None, WID, None, None, "seed-m"],
        2,
        "veo_3_1_upsampler_1080p",
    )


@pytest.mark.parametrize(
    "answer",
    [
        http(200, "<html>"),
        http(502),
        refused("video.start", 13),
        broken("LOST", sent=True),
        broken("TIMEOUT", sent=True),
        ok("video.start", None),
        ok("video.start", "odd"),
        ok("video.start", [None, 5, [[WID]], []]),
        ok("video.start", [None, 5, [], [[None]]]),
        RuntimeError("a fault of ours"),
    ],
)
async def test_without_proof_the_outcome_is_unknown(
    channel: ScriptedChannel, provider: FlowProvider, answer: Any
):
    channel.on("video.start", answer)
    with pytest.raises(OutcomeUnknown) as caught:
        await provider.submit(VIDEO, REF, PROFILE)
    assert caught.value.charged == "unknown"
    assert channel.names() == ["video.start"]


@pytest.mark.parametrize("payload", [[], [None, 980], [None, 980, [], []]])
async def test_accepted_but_empty_means_nothing_was_created(
    channel: ScriptedChannel, provider: FlowProvider, payload: Any
):
    channel.on("video.start", ok("video.start", payload))
    with pytest.raises(Rejected) as caught:
        await provider.submit(VIDEO, REF, PROFILE)
    assert caught.value.reason == "ACCEPTED_BUT_EMPTY"


async def test_a_profile_that_is_not_the_one_asked_means_nothing_was_sent(
    channel: ScriptedChannel, provider: FlowProvider
):
    channel.on("video.start", NotConnected("another profile"))
    with pytest.raises(NotConnected):
        await provider.submit(VIDEO, REF, OTHER_PROFILE)


async def test_a_cancelled_submit_stays_cancelled(channel: ScriptedChannel, provider: FlowProvider):
    def cancelled(_: Any) -> Any:
        raise asyncio.CancelledError

    channel.on("video.start", cancelled)
    with pytest.raises(asyncio.CancelledError):
        await provider.submit(VIDEO, REF, PROFILE)
