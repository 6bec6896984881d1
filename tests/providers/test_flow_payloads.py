"""What the document's replies parse to."""

import copy

import pytest
from scripted_flow import MID, PID, UPLOAD, WID, golden

from flowkit_mcp.providers.flow import payloads
from flowkit_mcp.providers.flow.envelope import Unreadable
from flowkit_mcp.providers.flow.records import (
    Credits,
    MediaRecord,
    NoMedia,
    ProjectRow,
    Status,
)


def test_credits_are_the_balance_and_the_service_tier():
    assert payloads.credits(golden("nzlxg_reply_pro")) == Credits(balance=980, tier=2)
    assert payloads.credits(golden("nzlxg_reply_ultra")) == Credits(balance=12439, tier=3)


def test_a_new_project_answers_with_its_id():
    assert payloads.created_project(golden("jHPbke_reply")) == PID


def test_an_uploads_id_is_the_first_slot_of_its_record():
    record = payloads.uploaded(golden("maseQ_reply"))
    assert (record.id, record.project, record.bytes, record.image) == (UPLOAD, PID, 123456, True)


def test_a_generated_picture_has_id_workflow_and_address():
    answer = payloads.generated_images(golden("ogiZ0b_reply"))
    (record,) = answer.records
    assert (record.id, record.workflow) == (MID, WID)
    assert record.image_url is not None
    assert record.image_url.startswith(f"https://flow-content.google/image/{MID}?")


def test_a_video_submit_names_record_workflow_and_balance():
    answer = payloads.videos(golden("video_submit_reply"))
    (record,) = answer.records
    assert (record.id, record.workflow, record.status) == (MID, WID, Status.SCHEDULED)
    assert (answer.credits, answer.workflows) == (976, (WID,))


def test_swapped_media_and_workflow_are_told_apart_by_the_workflow_list():
    reply = copy.deepcopy(golden("video_submit_reply"))
    record = reply[3][0]
    record[0], record[2] = record[2], record[0]
    (found,) = payloads.videos(reply).records
    assert (found.id, found.workflow) == (MID, WID)


def test_a_running_poll_has_a_status_and_no_balance():
    answer = payloads.video_status(golden("jwpduf_running"))
    assert answer.records[0].status == Status.ACTIVE
    assert answer.credits is None


def test_a_failed_poll_keeps_the_whole_block():
    answer = payloads.video_status(golden("jwpduf_failed"))
    assert answer.records[0].status == Status.FAILED
    assert "PUBLIC_ERROR_AUDIO_FILTERED" in str(answer.records[0].failure)
    assert answer.credits == 980


def test_a_finished_clip_has_the_mp4_address_and_its_size_not_the_poster():
    record = payloads.media(golden("as29s_done"), MID)
    assert isinstance(record, MediaRecord)
    assert record.video_url is not None and "/video/" in record.video_url
    assert record.image_url is None
    assert (record.status, record.bytes, record.workflow) == (Status.SUCCESSFUL, 2508689, WID)


def test_a_listed_picture_uses_its_poster_as_address():
    (record,) = payloads.contents(golden("Zzl0ze_reply")).media
    assert (record.id, record.workflow, record.bytes) == (MID, WID, 333000)
    assert record.image_url is not None and "/image/" in record.image_url


def test_projects_come_in_pages():
    page, token = payloads.projects(golden("UpteDb_reply"))
    assert page == (ProjectRow(id=PID, title="My project"),)
    assert token == "NEXT_PAGE_TOKEN"


def test_a_media_answer_may_be_its_id_or_nothing():
    assert payloads.media(MID, MID) == MediaRecord(id=MID)
    assert payloads.media(None, MID) is NoMedia.SILENT


def test_the_catalogue_is_read_as_printed():
    omni, banana = payloads.catalogue(golden("HTrJv_reply"))
    assert (omni.key, omni.family, omni.title) == ("abra_t2v_4s", "abra", "Omni 1.1 Flash")
    assert omni.prices == {1: 7, 2: 7, 3: 7}
    assert (omni.requirements, omni.aspects, omni.duration_s) == (frozenset({1}), (2, 1), 4)
    assert (omni.max_images, omni.resolutions, omni.image) == (0, (1,), False)
    assert (banana.key, banana.prices, banana.image) == ("GEM_PIX_2", {1: 0, 2: 0, 3: 0}, True)


def test_a_key_is_unavailable_to_a_tier_whose_price_has_a_second_element():
    reply = golden("HTrJv_reply")
    reply[0][4][0][1][0][4] = [[1, [[None, 5], 1]], [2, [[None, 20]]], [3, [None, 1]], [4, [[]]]]
    assert payloads.catalogue(reply)[0].prices == {2: 20}


def test_hidden_families_are_marked_and_disabled_keys_left_out():
    reply = golden("HTrJv_reply")
    reply[0][4][0] += [None, True]
    assert [(u.key, u.hidden) for u in payloads.catalogue(reply)] == [
        ("abra_t2v_4s", True),
        ("GEM_PIX_2", False),
    ]
    reply = golden("HTrJv_reply")
    reply[0][4][0][1][0][24] = True
    assert [usage.key for usage in payloads.catalogue(reply)] == ["GEM_PIX_2"]


@pytest.mark.parametrize(
    ("parse", "payload"),
    [
        (payloads.credits, [980]),
        (payloads.credits, "980"),
        (payloads.created_project, []),
        (payloads.uploaded, None),
        (payloads.generated_images, None),
        (payloads.generated_images, [[[None, "x"]]]),
        (payloads.videos, [None, 976, [], "x"]),
        (payloads.videos, [None, 976, [], [[None]]]),
        (payloads.video_status, "x"),
        (payloads.contents, None),
        (payloads.catalogue, [[None, None, None, None, [], []]]),
        (lambda payload: payloads.media(payload, MID), "Media not found."),
    ],
)
def test_another_shape_is_unreadable_and_never_a_guess(parse, payload):
    with pytest.raises(Unreadable):
        parse(payload)


def test_addresses_do_not_show_in_a_records_text():
    assert "Signature" not in repr(payloads.media(golden("as29s_done"), MID))
