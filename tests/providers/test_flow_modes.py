"""Lane batchexecute: the ways of making a clip beyond start images, larger pictures, and what is read back."""

import base64
import json
from typing import Any

import pytest
from scripted_flow import (
    BATCH,
    MID,
    PID,
    PROFILE,
    SEED_A,
    SEED_B,
    UPLOAD,
    WID,
    golden,
    ok,
)  # fmt: skip

from flowkit_mcp.bridge.protocol import RECAPTCHA
from flowkit_mcp.domain.models import MediaKind, Orientation
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.providers.base import CannotTell, ImageUpscaleBrief, Sent, SentCall, VideoBrief
from flowkit_mcp.providers.flow import batchexecute as codec
from flowkit_mcp.providers.flow.ids import Seeds

WIDE = Orientation.HORIZONTAL
SEEDS = Seeds(SEED_A, SEED_B)
SCENE = "66666666-6666-4666-8666-666666666666"
REF = "seed-m.seed-w"
CLIP = VideoBrief(project=PID, model="m", mode="text", orientation=WIDE, seed=1, prompt="p")


def with_token(args: Any) -> Any:
    return json.loads(json.dumps(args).replace(RECAPTCHA, "RC"))


def test_text_references_and_extension_equal_the_document():
    text = codec.video_from_text(
        PID, model="abra_t2v_4s", prompt="waves at dusk", orientation=WIDE, seeds=SEEDS, batch=BATCH
    )
    assert with_token(text) == golden("YhhmEf_args")
    references = codec.video_from_references(
        PID, model="abra_r2v_8s", prompt="the hero waves", orientation=Orientation.VERTICAL,
        references=[MID, UPLOAD], voices=["charon"], seeds=SEEDS, batch=BATCH,
    )  # fmt: skip
    assert with_token(references) == golden("MZZa6b_args")
    extension = codec.extend_video(
        PID, model="veo_3_1_extension_lite", prompt="she turns around", orientation=WIDE,
        source=MID, frames=(169, 192), scene=SCENE, seeds=SEEDS, batch=BATCH,
    )  # fmt: skip
    assert with_token(extension) == golden("fZytfe_args")


def test_360p_goes_into_the_slot_of_each_method():
    small = {"small": True, "prompt": "p", "orientation": WIDE, "seeds": SEEDS, "batch": BATCH}
    text = codec.video_from_text(PID, model="abra_t2v_4s_360p", **small)
    assert text[0][0][7] == [4]
    more = codec.video_from_references(
        PID, model="abra_r2v_4s_360p", references=[MID], voices=[], **small
    )
    assert more[0][0][11] == [4]


def test_a_larger_picture_names_no_project():
    assert codec.upscale_image(MID, 1)[:2] == [MID, 1]
    assert codec.upscale_image(MID, 1)[2][5] is None


async def test_an_extension_makes_a_scene_and_takes_the_clips_last_second(channel, provider):
    channel.on("media.get", ok("media.get", golden("as29s_done")))
    channel.on("scene.create", ok("scene.create", [[SCENE], []]))
    reply = golden("video_submit_reply")
    reply[3][0][0] = UPLOAD
    reply[3][0][2] = "another-workflow"
    channel.on("video.extend", ok("video.extend", reply))
    brief = CLIP.model_copy(update={"mode": "extend", "extends": MID})
    assert (await provider.submit(brief, REF, PROFILE)).remote_id == UPLOAD
    assert channel.names() == ["media.get", "scene.create", "video.extend"]
    assert channel.asked[1].args[1] == [WID]
    item = channel.asked[2].args[0][0]
    assert item[0] == [None, MID, 73, 96] and item[5][0] == SCENE  # a clip of 4 s


@pytest.mark.parametrize("mode", ["start", "start_end", "references", "extend"])
async def test_a_mode_without_its_input_is_refused_before_any_call(channel, provider, mode: str):
    with pytest.raises(InvalidSetting):
        await provider.submit(CLIP.model_copy(update={"mode": mode}), REF, PROFILE)
    assert channel.asked == []


async def test_a_larger_picture_has_an_id_of_its_own_and_comes_inline(channel, provider):
    record = golden("ogiZ0b_reply")[0][0]
    record[0] = UPLOAD
    channel.on("image.upscale", ok("image.upscale", [record, base64.b64encode(b"jpeg").decode()]))
    brief = ImageUpscaleBrief(
        project=PID, model="m", orientation=WIDE, seed=1, source=MID, resolution="4K"
    )
    accepted = await provider.submit(brief, REF, PROFILE)
    assert (accepted.remote_id, accepted.inline) == (UPLOAD, b"jpeg")
    assert channel.asked[0].args[1] == 2


async def test_dropped_references_and_a_wrong_shape_are_told(channel, provider):
    channel.on("video.references", ok("video.references", golden("video_submit_reply")))
    brief = CLIP.model_copy(
        update={
            "mode": "references",
            "references": (UPLOAD, "another"),
            "orientation": Orientation.VERTICAL,
        }
    )
    accepted = await provider.submit(brief, REF, PROFILE)
    assert accepted.remote_id == MID
    shape, mode, number = accepted.warnings
    assert "HORIZONTAL" in shape and "text alone" in mode and "0 of 2" in number


async def test_what_was_understood_as_asked_has_no_warnings(channel, provider):
    channel.on("video.text", ok("video.text", golden("video_submit_reply")))
    assert (await provider.submit(CLIP, REF, PROFILE)).warnings == ()


async def test_a_larger_picture_is_looked_for_by_its_source(channel, provider):
    listed = golden("Zzl0ze_reply")
    listed[2][0][5][6] = [None, None, None, [[[None, None, "the-source"]]]]
    channel.on("project.contents", ok("project.contents", listed))
    call = SentCall(
        client_ref=REF, via=None, age_s=1, media=MediaKind.IMAGE, source="the-source",
        resolution="2K", project=PID,
    )  # fmt: skip
    found = await provider.look_up(call)
    assert isinstance(found, Sent) and found.submission.remote_id == MID
    assert isinstance(await provider.look_up(call.model_copy(update={"source": "x"})), CannotTell)
