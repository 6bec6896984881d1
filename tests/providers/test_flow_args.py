"""The arrays we build against the document's own examples."""

import json
from typing import Any

from scripted_flow import BATCH, MID, PID, SEED_A, SEED_B, UPLOAD, WID, golden

from flowkit_mcp.bridge.protocol import RECAPTCHA
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.providers.flow import batchexecute as codec
from flowkit_mcp.providers.flow.ids import Seeds

WIDE, TALL = Orientation.HORIZONTAL, Orientation.VERTICAL


def with_token(args: Any) -> Any:
    """As sent, with the document's dummy where the extension puts the token."""
    return json.loads(json.dumps(args).replace(RECAPTCHA, "RC"))


def test_the_context_names_tool_project_and_token():
    assert with_token(codec.context(PID)) == golden("ctx")


def test_an_edit_names_its_workflow_in_the_context():
    assert codec.context(PID, WID)[4] == WID


def test_image_generation_equals_the_document():
    args = codec.generate_image(
        PID,
        model="GEM_PIX_2",
        prompt="a red bicycle in the rain",
        orientation=WIDE,
        seed=943801078,
        seeds=Seeds(media=SEED_B, workflow=SEED_A),
        batch=BATCH,
        references=[MID],
    )
    assert with_token(args) == golden("ogiZ0b_args")


def test_an_edit_sends_the_base_first_and_makes_no_workflow():
    args = codec.generate_image(
        PID,
        model="GEM_PIX_2",
        prompt="at night",
        orientation=TALL,
        seed=1,
        seeds=Seeds(media=SEED_B, workflow=SEED_A),
        batch=BATCH,
        references=[UPLOAD],
        base=MID,
        workflow=WID,
    )
    item = args[1][0]
    assert item[2] == [[MID, None, None, None, 2], [UPLOAD, None, None, None, 1]]
    assert item[4] == 2  # 9:16 in the image enum
    assert item[7][4] == WID and args[3][4] == WID
    assert item[12] is None and item[13] == SEED_B


def test_a_picture_without_inputs_sends_null_instead_of_an_empty_list():
    args = codec.generate_image(
        PID, model="m", prompt="p", orientation=WIDE, seed=1, seeds=Seeds.new(), batch=BATCH
    )
    assert args[1][0][2] is None


def test_a_clip_from_a_start_image_equals_the_document():
    args = codec.video_from_start(
        PID,
        model="abra_i2v_4s_360p",
        small=True,
        prompt="slow push in",
        orientation=WIDE,
        start=MID,
        crop=(None, 0.0038759689922481244, 1, 0.9961240310077519),
        seeds=Seeds(media=SEED_A, workflow=SEED_B),
        batch=BATCH,
    )
    assert with_token(args) == golden("eb1hJf_args")


def test_a_720p_clip_sends_no_output_size_and_upright_is_1():
    args = codec.video_from_start(
        PID,
        model="abra_i2v_4s",
        prompt="p",
        orientation=TALL,
        start=MID,
        seeds=Seeds.new(),
        batch=BATCH,
    )
    item = args[0][0]
    assert item[2] == 1 and item[4] == [None, MID] and len(item) == 9


def test_a_clip_between_two_images_puts_both_before_the_metadata():
    args = codec.video_from_start_to_end(
        PID,
        model="omni_flash_i2v_8s_first_last",
        prompt="p",
        orientation=WIDE,
        start=MID,
        end=UPLOAD,
        seeds=Seeds(media=SEED_A, workflow=SEED_B),
        batch=BATCH,
    )
    # flow-wire §6.1: [V, key, aspect, null, ref(start), ref(end), meta, null, null]
    assert args[0][0] == [
        [None, None, [[["p"]]]],
        "omni_flash_i2v_8s_first_last",
        2,
        None,
        [None, MID],
        [None, UPLOAD],
        [None, None, None, None, SEED_A, SEED_B],
        None,
        None,
    ]
    assert args[2] == [BATCH, 2]


def test_an_upscale_equals_the_document():
    args = codec.upscale_video(
        PID,
        model="veo_3_1_upsampler_1080p",
        source=MID,
        workflow=WID,
        orientation=WIDE,
        resolution="1080p",
        seeds=Seeds(media=SEED_A, workflow=SEED_B),
        batch=BATCH,
    )
    assert with_token(args) == golden("p0UkFb_args")
    assert len(args[0][0]) == 32


def test_creating_a_project_equals_the_document():
    assert codec.create_project("<title>") == golden("jHPbke_args")


def test_a_poll_equals_the_document_and_takes_many_ids():
    assert codec.video_status([MID]) == golden("jwpduf_args")
    assert codec.video_status([MID, UPLOAD]) == [None, None, [[MID], [UPLOAD]]]


def test_an_upload_carries_the_bytes_the_name_and_both_seeds():
    args = codec.upload_image(
        PID, data="QQ==", mime="image/png", name="ref.png", seeds=Seeds("m", "w")
    )
    # flow-wire §5.1
    assert with_token(args) == [
        golden("ctx"), "QQ==", "image/png", 1, None, None, None, None, "ref.png", None, "m", "w",
    ]  # fmt: skip


def test_reading_calls_are_as_in_the_document():
    assert codec.credits() == [] and codec.models() == []
    assert codec.media_get(MID) == [MID]
    assert codec.project_contents(PID) == [f"projects/{PID}", None, None, None, [1]]
    assert codec.project_list("T") == ["projects/*", 21, "T", None, None, None, [1]]
