"""What the errors of lane labs mean, at each level they can appear at (flow-wire §9)."""

from email.utils import formatdate
from typing import Any

import pytest
from labs_world import example, refusal
from scripted_flow import http, said, trpc

from flowkit_mcp.bridge.protocol import Result
from flowkit_mcp.errors import (
    HumanCheckRequired,
    OutcomeUnknown,
    OutOfCredits,
    ProviderError,
    QuotaUsedUp,
    RateLimited,
    Rejected,
    SignInRequired,
    Transient,
)
from flowkit_mcp.providers.flow import errors, reply

NOW = 1_790_000_000_000


def meaning(result: Result, *, paying: bool) -> ProviderError:
    with pytest.raises((reply.Answered, ProviderError)) as caught:
        reply.decoded(result, paying=paying, now=NOW)
    error = caught.value
    return error.error if isinstance(error, reply.Answered) else error


REFUSALS = [
    (400, None, Rejected),
    (400, "UNSAFE_GENERATION", Rejected),
    (400, "IP_INPUT_IMAGE", Rejected),
    (400, "MINOR_UPLOAD", Rejected),
    (400, "IMAGE_TOO_LARGE", Rejected),
    (400, "VIDEO_DURATION_TOO_LONG", Rejected),
    (400, "COLLECTION_FULL", Rejected),
    (401, None, SignInRequired),
    (403, "UNUSUAL_ACTIVITY", HumanCheckRequired),
    (403, "MODEL_ACCESS_DENIED", Rejected),
    (403, "USER_REGION_DISALLOWED", Rejected),
    (403, None, Rejected),
    (404, None, Rejected),
    (429, None, RateLimited),
    (429, "USER_REQUESTS_THROTTLED", RateLimited),
    (429, "UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC", RateLimited),
    (429, "CONCURRENT_LIMIT_REACHED", RateLimited),
    (429, "PER_MODEL_DAILY_QUOTA_REACHED", QuotaUsedUp),
    (429, "USER_QUOTA_REACHED", OutOfCredits),
]


@pytest.mark.parametrize("paying", [True, False])
@pytest.mark.parametrize(("status", "reason", "error"), REFUSALS)
def test_a_4xx_that_flow_wrote_is_named_and_not_charged(
    status: int, reason: str | None, error: type[ProviderError], paying: bool
):
    full = f"PUBLIC_ERROR_{reason}" if reason else None
    found = meaning(said(refusal(status, "no", full), status), paying=paying)
    assert type(found) is error and found.charged == "no"
    if reason:
        assert found.reason == reason


@pytest.mark.parametrize("reason", [None, "PUBLIC_ERROR_HIGH_TRAFFIC"])
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_on_a_paying_call_leaves_the_outcome_unknown(status: int, reason: str | None):
    result = said(refusal(status, "", reason), status)
    assert type(meaning(result, paying=True)) is OutcomeUnknown
    assert type(meaning(result, paying=False)) is (RateLimited if reason else Transient)


def test_the_documents_errors_are_a_captcha_and_a_sign_in():
    assert isinstance(meaning(said(example("error_403"), 403), paying=True), HumanCheckRequired)
    assert isinstance(meaning(said(example("error_401"), 401), paying=True), SignInRequired)


def test_a_captcha_is_known_by_its_text_too():
    result = said(refusal(403, "reCAPTCHA evaluation failed"), 403)
    assert isinstance(meaning(result, paying=True), HumanCheckRequired)


@pytest.mark.parametrize(
    ("status", "error"), [(401, SignInRequired), (404, Rejected), ("PERMISSION_DENIED", Rejected)]
)
def test_the_inner_status_of_trpc_counts_while_http_says_200(status: Any, error: type):
    assert type(meaning(trpc({}, status), paying=False)) is error


def test_trpcs_own_envelope_is_a_refusal():
    envelope = {
        "message": "bad",
        "code": -32600,
        "data": {"code": "BAD_REQUEST", "httpStatus": 400},
    }
    assert type(meaning(said({"error": {"json": envelope}}, 400), paying=False)) is Rejected


WHOLE = [
    (http(403, "<html><title>Sorry...</title>"), HumanCheckRequired, HumanCheckRequired),
    (http(200, "<!doctype html>"), OutcomeUnknown, SignInRequired),
    (http(200, ""), OutcomeUnknown, Transient),
    (http(200, "{cut"), OutcomeUnknown, Transient),
    (http(503, "<html>"), OutcomeUnknown, Transient),
    (http(429, ""), RateLimited, RateLimited),
]


@pytest.mark.parametrize(("result", "paid", "read"), WHOLE)
def test_a_body_that_is_no_json_speaks_by_its_status(result: Result, paid: type, read: type):
    assert type(meaning(result, paying=True)) is paid
    assert type(meaning(result, paying=False)) is read


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), (formatdate(NOW / 1000 + 90, usegmt=True), 90.0)]
)
def test_labs_retry_after_is_seconds_or_a_date(header: str, seconds: float):
    result = said(refusal(429), 429, retry_after=header)
    error = meaning(result, paying=True)
    assert isinstance(error, RateLimited) and error.retry_after_s == seconds


def test_a_later_status_is_read_like_the_other_lanes():
    block = {"error": {"code": 3, "message": "PUBLIC_ERROR_AUDIO_FILTERED"}}
    assert errors.from_status(block).reason == "AUDIO_FILTERED"
    assert getattr(errors.from_status({"error": {"code": 13}}), "again", 0) == 1
