import json

import pytest
from scripted_flow import GOLDEN, body, frame, golden

from flowkit_mcp.providers.flow import envelope
from flowkit_mcp.providers.flow.envelope import Unreadable, at, number

CREDITS = [12439, 2, 3, 3, None, 12439]


def test_the_documents_own_envelope_is_read():
    text = (GOLDEN / "envelope_nzlxg.txt").read_text(encoding="utf-8")
    assert envelope.read(text, ["nzlxg"]).payload == CREDITS


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f")]}}'\n\n1\n{frame('nzlxg', CREDITS)}\n", id="length too small"),
        pytest.param(f")]}}'\n\n99999\n{frame('nzlxg', CREDITS)}\n", id="length too large"),
        pytest.param(frame("nzlxg", CREDITS), id="neither prefix nor length"),
        pytest.param(f")]}}'{frame('nzlxg', CREDITS)}{frame('other', [1])}", id="no line breaks"),
        pytest.param(body("other", [1]) + body("nzlxg", CREDITS), id="another RPC's frame first"),
        pytest.param(body("nzlxg", None) + body("nzlxg", CREDITS), id="an empty frame first"),
        pytest.param(
            json.dumps(json.loads(frame("nzlxg", CREDITS)), indent=2), id="pretty printed"
        ),
    ],
)
def test_a_frame_is_found_whatever_surrounds_it(text: str):
    assert envelope.read(text, ["nzlxg"]).payload == CREDITS


@pytest.mark.parametrize("cut", [5, 20, 30, -5])
def test_a_frame_cut_in_two_by_a_length_line_is_joined(cut: int):
    whole = frame("nzlxg", CREDITS).replace(", ", ",")
    text = f")]}}'\n\n31\n{whole[:cut]}\n27\n{whole[cut:]}\n"
    assert envelope.read(text, ["nzlxg"]).payload == CREDITS


def test_the_error_slot_is_handed_out_as_it_is():
    text = ")]}'\n\n9\n" + json.dumps(golden("frame_quota_error"))
    found = envelope.read(text, ["YhhmEf"])
    assert found.payload is None
    assert found.error is not None and found.error[0] == 8


def test_no_payload_and_no_error_is_no_data():
    found = envelope.read(body("as29s", None), ["as29s"])
    assert found == envelope.Frame()


def test_a_frame_whose_trailing_nulls_are_trimmed_is_read():
    assert envelope.read('[["wrb.fr","nzlxg","[1]"]]', ["nzlxg"]).payload == [1]


def test_an_er_frame_speaks_for_the_whole_call():
    text = ')]}\'\n\n40\n[["er",null,null,null,null,401,null,null,null,16]]\n'
    assert envelope.read(text, ["nzlxg"]).whole == 401


def test_a_payload_may_be_a_bare_id():
    assert envelope.read('[["wrb.fr","as29s","some-id"]]', ["as29s"]).payload == "some-id"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<!doctype html><html><title>Sign in</title></html>", "html"),
        ("\n <HTML>", "html"),
        ("", "empty"),
        (" \n", "empty"),
        (")]}'\n\n12\n", "no_frame"),
        (body("other", [1]), "no_frame"),
        (body("nzlxg", CREDITS)[:40], "no_frame"),
        ("[" * 100_000, "no_frame"),
        ('[["wrb.fr","nzlxg","[1,"]]', "payload"),
        ('[["wrb.fr","nzlxg",""]]', "payload"),
    ],
)
def test_what_is_no_answer_is_unreadable(text: str, kind: str):
    with pytest.raises(Unreadable) as caught:
        envelope.read(text, ["nzlxg"])
    assert caught.value.kind == kind


def test_slots_beyond_the_end_are_none():
    assert at([1, [2]], 1, 0) == 2
    assert at([1, [2]], 1, 5, 0) is None
    assert at("text", 0) is None


def test_numbers_may_be_spelled_as_text():
    assert [number(x) for x in (5, "5", "x", True, None, 1.5)] == [5, 5, None, None, None, None]
