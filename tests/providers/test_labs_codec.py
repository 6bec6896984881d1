"""Lane labs against the document's own examples."""

import base64
import copy
from typing import Any

import pytest
from labs_world import OPERATION, example, with_token
from scripted_flow import GOLDEN, MID, PID, UPLOAD, WID

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.providers.flow import labs, labs_catalogue, labs_payloads
from flowkit_mcp.providers.flow.envelope import Unreadable
from flowkit_mcp.providers.flow.ids import Seeds, media_id
from flowkit_mcp.providers.flow.records import Status
from flowkit_mcp.providers.flow.table import table

WIDE = Orientation.HORIZONTAL
SESSION = labs.Session(";1786646591140", "PAYGATE_TIER_ONE")
BATCH = "44444444-4444-4444-8444-444444444444"
SEEDS = Seeds("m", "w")


def video(**changes: Any) -> Any:
    given: dict[str, Any] = {
        "model": "veo_3_1_t2v_fast",
        "prompt": "waves",
        "orientation": WIDE,
        "seed": 424242,
        "seeds": SEEDS,
        "batch": BATCH,
    }
    return with_token(labs.video(SESSION, PID, **given | changes).body)


def test_image_generation_equals_the_document():
    request = labs.generate_image(
        SESSION,
        PID,
        model="NARWHAL",
        prompt="a red bicycle",
        orientation=WIDE,
        seed=305830,
        batch=BATCH,
        references=[MID],
    )
    assert with_token(request.body) == example("images_args")


def test_an_edit_sends_the_base_first_and_no_shape():
    request = labs.generate_image(
        SESSION, PID, model="m", prompt="p", orientation=WIDE, seed=1, batch=BATCH,
        base=MID, references=[UPLOAD],
    )  # fmt: skip
    item = (request.body or {})["requests"][0]
    assert item["imageAspectRatio"].endswith("UNSPECIFIED")
    kinds = [one["imageInputType"] for one in item["imageInputs"]]
    assert kinds == ["IMAGE_INPUT_TYPE_BASE_IMAGE", "IMAGE_INPUT_TYPE_REFERENCE"]


def test_text_to_video_equals_the_document_but_for_our_seeds():
    body = video()
    assert body["requests"][0].pop("metadata") == {"mediaIdSeed": "m", "workflowIdSeed": "w"}
    expected = example("video_text_args")
    expected["requests"][0].pop("metadata")
    assert body == expected


@pytest.mark.parametrize(
    ("inputs", "fields"),
    [
        ({"start": MID}, {"startImage": {"mediaId": MID}}),
        (
            {"start": MID, "end": UPLOAD},
            {"startImage": {"mediaId": MID}, "endImage": {"mediaId": UPLOAD}},
        ),
        (
            {"references": [MID], "voices": ["charon"]},
            {
                "referenceImages": [{"mediaId": MID, "imageUsageType": "IMAGE_USAGE_TYPE_ASSET"}],
                "referenceAudio": [{"mediaId": "charon"}],
            },
        ),
    ],
)
def test_each_mode_adds_its_fields(inputs: Any, fields: Any):
    plain, item = video()["requests"][0], video(**inputs)["requests"][0]
    assert {name: value for name, value in item.items() if name not in plain} == fields


def test_an_extension_names_frames_and_workflow():
    request = labs.extend_video(
        SESSION, PID, model="m", prompt="p", orientation=WIDE, seed=1, source=MID,
        frames=(169, 192), workflow=WID, seeds=SEEDS, batch=BATCH,
    )  # fmt: skip
    item = (request.body or {})["requests"][0]
    assert item["videoInput"] == {"mediaId": MID, "startFrameIndex": 169, "endFrameIndex": 192}
    assert item["metadata"] == {"workflowId": WID, "mediaIdSeed": "m"}


def test_upscales_name_their_size():
    body = with_token(labs.upscale_image(SESSION, PID, media=MID, resolution="4K").body)
    assert body["targetResolution"] == "UPSAMPLE_IMAGE_RESOLUTION_4K"
    request = labs.upscale_video(
        SESSION,
        PID,
        model="m",
        source=MID,
        orientation=WIDE,
        resolution="1080p",
        seed=1,
        batch=BATCH,
    )
    item = (request.body or {})["requests"][0]
    assert item["resolution"] == "VIDEO_RESOLUTION_1080P" and "textInput" not in item


def test_an_upload_has_no_captcha():
    request = labs.upload_image(
        SESSION, PID, data="<base64>", mime="image/png", name="ref.png", seeds=SEEDS
    )
    body = dict(request.body or {})
    assert (body.pop("mediaIdSeed"), body.pop("workflowIdSeed")) == ("m", "w")
    assert body == example("upload_args")


# ---- answers ---------------------------------------------------------------------------------


def test_credits_may_be_lean():
    tiers = table().labs_tiers
    found = labs_payloads.credits(example("credits_reply"), tiers)
    assert (found.balance, found.tier, found.paygate) == (868, 2, "PAYGATE_TIER_ONE")
    lean = {"credits": 5, "userPaygateTier": "PAYGATE_TIER_TWO"}
    assert labs_payloads.credits(lean, tiers).tier == 3


def test_pictures_have_id_workflow_and_address():
    answer = labs_payloads.submitted(example("images_reply"))
    (record,) = answer.records
    assert (record.id, record.workflow, record.seed, answer.credits) == (MID, WID, 305830, 868)
    assert record.image_url and record.status == Status.SUCCESSFUL


def test_all_four_shapes_of_a_submit_are_read():
    media, operations = example("submit_media"), example("submit_operations")
    usual = labs_payloads.submitted(media)
    assert (usual.records[0].id, usual.credits, usual.records[0].echo.mode) == (MID, 1610, 1)
    assert usual.records[0].status == Status.SCHEDULED
    only = labs_payloads.submitted(operations)
    assert (only.records, only.operations) == ((), (OPERATION,))
    both = labs_payloads.submitted({**operations, **media})
    assert both.records[0].id == MID
    empty = labs_payloads.submitted({"operations": []})
    assert not (empty.records or empty.operations or empty.workflows)


def test_media_may_be_an_object():
    media = example("submit_media")
    media["media"] = media["media"][0]
    assert labs_payloads.submitted(media).records[0].id == MID


def test_an_existing_upscale_arrives_inline():
    reply = example("upscale_existing")
    assert labs_payloads.submitted(reply).inline == reply["operations"][0]["rawBytes"]
    assert labs_payloads.submitted({"encodedImage": "QUJD"}).inline == "QUJD"


@pytest.mark.parametrize("payload", [None, [], {}, "x", {"media": [{}]}, {"operations": [{}]}])
def test_another_shape_of_a_submit_is_unreadable(payload: Any):
    with pytest.raises(Unreadable):
        labs_payloads.submitted(payload)


def test_the_status_is_read_at_both_places():
    done = labs_payloads.statuses(example("poll_done")).records[0]
    assert (done.id, done.status, done.video_url) == (MID, Status.SUCCESSFUL, None)
    failed = labs_payloads.statuses(example("poll_failed")).records[0]
    assert failed.status == Status.FAILED and "IP_INPUT_IMAGE" in str(failed.failure)


def test_the_older_dialect_is_read_too():
    done = labs_payloads.statuses(example("poll_old_done")).records[0]
    assert (done.id, done.status, done.parent) == (OPERATION, Status.SUCCESSFUL, MID)
    assert done.video_url is not None
    failed = labs_payloads.statuses(example("poll_old_failed")).records[0]
    assert failed.status == Status.FAILED and "UNSAFE_GENERATION" in str(failed.failure)


def test_an_unheard_of_status_means_waiting():
    reply = copy.deepcopy(example("poll_done"))
    reply["media"][0]["mediaStatus"]["mediaGenerationStatus"] = "MEDIA_GENERATION_STATUS_NEW"
    assert labs_payloads.statuses(reply).records[0].status not in tuple(Status)


def test_a_listed_item_without_a_status_is_finished_if_it_has_a_picture():
    media = [{"name": MID, "image": {"generatedImage": {"prompt": "p"}}}, {"name": UPLOAD}]
    listed = labs_payloads.contents({"projectContents": {"media": media}}).media
    assert [record.status for record in listed] == [Status.SUCCESSFUL, None]


def test_long_ids_are_decoded_on_sight():
    long = (GOLDEN.parent / "labs" / "long_id.txt").read_text(encoding="utf-8").strip()
    assert media_id(long) == "00000000-0000-4000-8000-0000000000cc"
    assert labs_payloads.media_record({"name": long}).id == "00000000-0000-4000-8000-0000000000cc"


def test_a_media_answer_about_another_id_is_none():
    assert labs_payloads.media({"name": UPLOAD}, MID) is None
    clip = base64.b64encode(b"\0\0\0\x20ftypisom").decode()
    found = labs_payloads.media({"name": MID, "video": {"encodedVideo": clip}}, MID)
    assert found is not None and found.data == clip


@pytest.mark.parametrize("body", [b"not a clip yet " * 100, b"", b"%"])
def test_a_body_that_is_no_clip_means_that_the_clip_is_still_being_made(body: bytes):
    early = base64.b64encode(body).decode()
    found = labs_payloads.media({"name": MID, "video": {"encodedVideo": early}}, MID)
    assert found is not None and (found.data, found.status) == (None, None)


def test_the_catalogue_is_read_by_names():
    usage = {
        "key": "abra_t2v_4s",
        "creditMapping": {
            "SERVICE_TIER_ENTRY": "UNAVAILABLE",
            "SERVICE_TIER_INTERMEDIATE": {"cost": 7},
        },
        "videoLengthSeconds": 4,
        "supportedAspectRatios": ["VIDEO_ASPECT_RATIO_LANDSCAPE", "VIDEO_ASPECT_RATIO_PORTRAIT"],
        "supportedResolutions": ["VIDEO_RESOLUTION_720P"],
    }
    config = {
        "videoModelFamilies": [{"displayName": "Omni", "usages": [usage, {"key": "old"}]}],
        "deprecatedModelKeys": ["old"],
    }
    (found,) = labs_catalogue.catalogue({"modelConfig": config}, table().labs_tiers)
    assert (found.prices, found.aspects, found.duration_s) == ({2: 7}, (2, 1), 4)
    with pytest.raises(Unreadable):
        labs_catalogue.catalogue({}, table().labs_tiers)
