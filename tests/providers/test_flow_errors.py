import re
from email.utils import formatdate
from typing import get_args

import pytest
from scripted_flow import RPC, body, broken, golden, http, ok, refused

from flowkit_mcp.bridge.protocol import CallError, Result
from flowkit_mcp.errors import (
    GenerationFailed,
    HumanCheckRequired,
    NotConnected,
    OutcomeUnknown,
    OutOfCredits,
    ProviderError,
    QuotaUsedUp,
    RateLimited,
    RefusedByPerson,
    Rejected,
    SignInRequired,
    Transient,
)
from flowkit_mcp.providers.flow import errors, reply

NOW = 1_790_000_000_000


def meaning(result: Result, name: str, *, paying: bool) -> ProviderError:
    with pytest.raises((reply.Answered, ProviderError)) as caught:
        reply.payload(result, [RPC[name]], paying=paying, now=NOW)
    error = caught.value
    return error.error if isinstance(error, reply.Answered) else error


REFUSALS = [
    (3, "PUBLIC_ERROR_UNSAFE_GENERATION", Rejected),
    (3, "PUBLIC_ERROR_SEXUAL", Rejected),
    (3, "PUBLIC_ERROR_IP_INPUT_IMAGE", Rejected),
    (3, "PUBLIC_ERROR_PROMINENT_PEOPLE_UPLOAD", Rejected),
    (3, "PUBLIC_ERROR_IMAGE_TOO_LARGE", Rejected),
    (3, "PUBLIC_ERROR_SOMETHING_NEW", Rejected),
    (3, None, Rejected),
    (5, None, Rejected),
    (7, "PUBLIC_ERROR_UNUSUAL_ACTIVITY", HumanCheckRequired),
    (7, "PUBLIC_ERROR_MODEL_ACCESS_DENIED", Rejected),
    (7, "PUBLIC_ERROR_USER_REGION_DISALLOWED", Rejected),
    (7, None, Rejected),
    (8, "PUBLIC_ERROR_USER_REQUESTS_THROTTLED", RateLimited),
    (8, "PUBLIC_ERROR_UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC", RateLimited),
    (8, "PUBLIC_ERROR_CONCURRENT_LIMIT_REACHED", RateLimited),
    (8, "PUBLIC_ERROR_PER_MODEL_DAILY_QUOTA_REACHED", QuotaUsedUp),
    (8, "PUBLIC_ERROR_PER_MODEL_DAILY_QUOTA_REACHED_UPGRADEABLE", QuotaUsedUp),
    (8, "PUBLIC_ERROR_USER_QUOTA_REACHED", OutOfCredits),
    (8, "PUBLIC_ERROR_HIGH_TRAFFIC", RateLimited),
    (8, None, RateLimited),
    (16, None, SignInRequired),
]


@pytest.mark.parametrize("paying", [True, False])
@pytest.mark.parametrize(("code", "reason", "error"), REFUSALS)
def test_an_explicit_refusal_is_named_and_not_charged(
    code: int, reason: str | None, error: type[ProviderError], paying: bool
):
    found = meaning(refused("image.generate", code, reason), "image.generate", paying=paying)
    assert type(found) is error
    assert found.charged == "no"
    if reason:
        assert found.reason == reason.removeprefix("PUBLIC_ERROR_")


@pytest.mark.parametrize("code", [13, 14, 4, 2, 6, 10, None])
@pytest.mark.parametrize("reason", [None, "PUBLIC_ERROR_HIGH_TRAFFIC"])
def test_any_other_error_on_a_paying_call_leaves_the_outcome_unknown(code, reason: str | None):
    result = refused("video.start", code, reason)
    assert type(meaning(result, "video.start", paying=True)) is OutcomeUnknown


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (13, None, Transient),
        (14, None, Transient),
        (4, None, Transient),
        (14, "PUBLIC_ERROR_HIGH_TRAFFIC", RateLimited),
    ],
)
def test_the_same_errors_on_a_reading_call_are_tried_again(code, reason, error):
    assert type(meaning(refused("media.get", code, reason), "media.get", paying=False)) is error


def test_a_failed_captcha_without_a_reason_is_known_by_its_text():
    result = refused("video.start", 7, message="reCAPTCHA evaluation failed")
    assert isinstance(meaning(result, "video.start", paying=True), HumanCheckRequired)


def test_the_documents_quota_frame_is_a_quota():
    slot = golden("frame_quota_error")[0][5]
    assert isinstance(errors.from_slot(slot, paying=True), QuotaUsedUp)


WHOLE = [
    (http(401, '[["er",null,null,null,null,401]]'), SignInRequired, SignInRequired),
    (http(200, ')]}\'\n\n[["er",null,null,null,null,401]]'), SignInRequired, SignInRequired),
    (http(400, "bad"), SignInRequired, SignInRequired),
    (http(403), SignInRequired, SignInRequired),
    (http(403, "<html><title>Sorry...</title>"), HumanCheckRequired, HumanCheckRequired),
    (
        http(403, '{"reason":"PUBLIC_ERROR_UNUSUAL_ACTIVITY"}'),
        HumanCheckRequired,
        HumanCheckRequired,
    ),
    (http(404, "<html>"), Rejected, Rejected),
    (http(429), RateLimited, RateLimited),
    (http(500), OutcomeUnknown, Transient),
    (http(503, "<html>"), OutcomeUnknown, Transient),
    (http(500, body("ogiZ0b", [[["id"]]])), OutcomeUnknown, Transient),
    (http(503, body("ogiZ0b", None, [3])), OutcomeUnknown, Transient),
    (http(408), OutcomeUnknown, Transient),
    (http(302), OutcomeUnknown, SignInRequired),
    (http(200, "<!doctype html><title>Sign in</title>"), OutcomeUnknown, SignInRequired),
    (http(200, ""), OutcomeUnknown, Transient),
    (http(200, ")]}'\n\n"), OutcomeUnknown, Transient),
    (http(200, body("other", [1])), OutcomeUnknown, Transient),
    (http(200, '[["er",null,null,null,null,500]]'), OutcomeUnknown, Transient),
    (http(400, body("ogiZ0b", None, [3])), Rejected, Rejected),
]


@pytest.mark.parametrize(("result", "paid", "read"), WHOLE)
def test_the_whole_call_fails(result: Result, paid: type[ProviderError], read: type[ProviderError]):
    assert type(meaning(result, "image.generate", paying=True)) is paid
    assert type(meaning(result, "image.generate", paying=False)) is read


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (formatdate(NOW / 1000 + 90, usegmt=True), 90.0),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None):
    result = http(429, "", **({"retry_after": header} if header else {}))
    error = meaning(result, "image.generate", paying=True)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == seconds


UNSENT = {
    "NO_FLOW_TAB": NotConnected,
    "FLOW_TAB_DISCARDED": NotConnected,
    "NOT_SIGNED_IN": SignInRequired,
    "NO_GRECAPTCHA": NotConnected,
    "CAPTCHA_FAILED": HumanCheckRequired,
    "CAPTCHA_TIMEOUT": HumanCheckRequired,
    "HOST_PERMISSION_WITHHELD": NotConnected,
    "UNKNOWN_CALL": Rejected,
    "BAD_ARGUMENTS": Rejected,
    "STALE_GENERATION": NotConnected,
    "DUPLICATE": Transient,
    "PAUSED": RateLimited,
    "REFUSED_BY_PERSON": RefusedByPerson,
    "WITHDRAWN": Transient,
    "TIMEOUT": Transient,
    "NETWORK": Transient,
    "LOST": Transient,
}


def test_every_code_of_the_bridge_is_in_the_table():
    codes = set(get_args(CallError.model_fields["code"].annotation))
    assert codes == set(errors.BRIDGE) == set(UNSENT)


@pytest.mark.parametrize(("code", "error"), UNSENT.items())
def test_what_never_left_the_browser_is_proof_and_what_left_is_not(
    code: str, error: type[ProviderError]
):
    unsent = meaning(broken(code, sent=False), "video.start", paying=True)
    assert type(unsent) is error and unsent.charged == "no"
    assert type(meaning(broken(code, sent=True), "video.start", paying=True)) is OutcomeUnknown
    assert type(meaning(broken(code, sent=True), "media.get", paying=False)) is error


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        ("rpc is not what video.start allows", True),
        ("rpc is not what video.start allows https://x", False),
        ("Signature=SIG", False),
    ],
)
def test_a_refusal_of_the_extension_names_the_field_and_nothing_that_it_made_up(
    said: str, passed_on: bool
):
    result = broken("BAD_ARGUMENTS", sent=False, message=said)
    told = str(meaning(result, "video.start", paying=True))
    assert (said in told) is passed_on
    assert "flow.toml" in told


STATUS = [
    (["PUBLIC_ERROR_UNSAFE_GENERATION"], Rejected, "no", 0),
    (["PUBLIC_ERROR_PROMINENT_PEOPLE_FILTER_FAILED"], Rejected, "no", 0),
    (["FINISH_REASON_INPUT_VIDEO_EDIT"], Rejected, "no", 0),
    (["PUBLIC_ERROR_AUDIO_FILTERED"], GenerationFailed, "refunded", 2),
    (["PUBLIC_ERROR_VIDEO_GENERATION_TIMED_OUT"], GenerationFailed, "refunded", 1),
    (["PUBLIC_ERROR_HIGH_TRAFFIC"], GenerationFailed, "refunded", 1),
    (["PUBLIC_ERROR_UNUSUAL_ACTIVITY"], GenerationFailed, "refunded", 0),
    (["PUBLIC_ERROR_SOMETHING_NEW"], GenerationFailed, "refunded", 0),
    ([], GenerationFailed, "refunded", 1),
]


@pytest.mark.parametrize(("reasons", "error", "charged", "again"), STATUS)
def test_a_job_that_failed_later_says_what_became_of_the_credits(reasons, error, charged, again):
    found = errors.from_status([4, [None, *reasons], reasons])
    assert type(found) is error and found.charged == charged
    assert getattr(found, "again", 0) == again


def test_the_documents_failure_block_is_an_input_refusal():
    found = errors.from_status(golden("failure_block"))
    assert isinstance(found, Rejected)
    assert found.reason == "PROMINENT_PEOPLE_FILTER_FAILED"


def test_polling_an_unknown_id_is_recognised_wherever_it_is_said():
    assert errors.says_media_not_found([4, [None, "Media not found."]])
    assert not errors.says_media_not_found(golden("failure_block"))


def test_no_message_repeats_what_the_service_sent():
    secret = "https://flow-content.google/x?Signature=SIG"
    for result in (
        http(500, secret),
        http(403, secret),
        refused("image.generate", 3, message=secret),
    ):
        for paying in (True, False):
            assert not re.search(
                "Signature|https", str(meaning(result, "image.generate", paying=paying))
            )


def test_an_answer_without_data_is_none():
    result = ok("media.get", None)
    assert reply.payload(result, [RPC["media.get"]], paying=False, now=NOW) is None
