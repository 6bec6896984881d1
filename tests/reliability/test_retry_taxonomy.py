"""Every row of flow-wire §9.2: what FlowKit does about it, how often, what pauses, who is asked, what was charged."""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

import pytest

from flowkit_mcp.domain.models import Gate
from flowkit_mcp.domain.policy import DAY_MS, Ask, Decision, Retry, Stop, Verb, Wait, decide
from flowkit_mcp.errors import Charged, ProviderError
from flowkit_mcp.providers.flow import errors
from flowkit_mcp.work.charge import SAYS

NOW = 1_790_000_000_000
MINUTE_MS = 60_000


class Row(NamedTuple):
    """One row of the table. `code` None: the job failed later. `again`: fresh attempts without asking."""

    code: int | None
    reasons: tuple[str, ...]
    does: str
    charged: Charged = "no"
    again: int = 0
    at_least_ms: int = 0


FILTERS = ("UNSAFE_GENERATION", "SEXUAL", "VIOLENCE_FILTER", "DANGER_FILTER", "MINOR", "REPUTATIONAL",
           "UNDERSPECIFIED_ANIMAL", "NON_ENGLISH_PROMPT", "IMAGE_OUTPUT_IP_FILTER")  # fmt: skip
INPUTS = ("IP_INPUT_IMAGE", "MINOR_INPUT_IMAGE", "PROMINENT_PEOPLE_INPUT_IMAGE", "PHOTOREAL_INPUT_IMAGE")  # fmt: skip
UPLOADS = ("PROMINENT_PEOPLE_UPLOAD", "MINOR_UPLOAD", "MINOR_HARM_UPLOAD", "SEXUAL_UPLOAD", "PHOTOREAL_UPLOAD",
           "UNSAFE_IMAGE_UPLOAD", "UNSAFE_VIDEO_UPLOAD")  # fmt: skip
FILES = ("IMAGE_TOO_LARGE", "IMAGE_TOO_SMALL", "UNKNOWN_IMAGE_FILE_FORMAT", "VIDEO_DURATION_TOO_LONG",
         "VIDEO_UPLOAD_FAILED")  # fmt: skip
NONE = ("",)

#: `stop` is final; `pause` holds all submits until a time; `ask once` holds them until the person acts; `block`
#: holds everything; `model` holds this job alone; `question` asks the person about this job.
TABLE = (
    Row(3, NONE, "stop"),
    Row(3, FILTERS, "stop"),
    Row(None, FILTERS, "stop"),
    Row(None, ("PROMINENT_PEOPLE_FILTER_FAILED",), "stop"),
    Row(3, INPUTS, "stop"),
    Row(None, INPUTS, "stop"),
    Row(3, UPLOADS, "stop"),
    Row(3, FILES, "stop"),
    Row(3, ("VIDEO_UPLOAD_TIMEOUT",), "retry", again=1),
    Row(None, ("AUDIO_FILTERED",), "retry", "refunded", again=2),
    Row(None, NONE, "retry", "refunded", again=1),
    Row(16, NONE, "block"),
    Row(7, ("UNUSUAL_ACTIVITY",), "ask once"),
    Row(7, ("MODEL_ACCESS_DENIED",), "stop"),
    Row(7, ("USER_REGION_DISALLOWED", "USER_MINOR", "APP_UNAVAILABLE"), "stop"),
    Row(5, NONE, "stop"),
    Row(8, ("USER_REQUESTS_THROTTLED",), "pause", at_least_ms=5 * MINUTE_MS),
    Row(8, ("UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC",), "pause", at_least_ms=15 * MINUTE_MS),
    Row(8, ("CONCURRENT_LIMIT_REACHED", "GENERATION_ALREADY_IN_PROGRESS"), "pause", at_least_ms=MINUTE_MS // 2),
    Row(8, ("PER_MODEL_DAILY_QUOTA_REACHED", "PER_MODEL_DAILY_QUOTA_REACHED_UPGRADEABLE"), "model", at_least_ms=DAY_MS),
    Row(8, ("USER_QUOTA_REACHED", "WORKSPACE_ACCOUNT_QUOTA_REACHED"), "ask once"),
    Row(8, NONE, "pause", at_least_ms=MINUTE_MS // 2),
    Row(14, ("HIGH_TRAFFIC", "MODEL_OVERLOADED", "MODEL_DISABLED_DUE_TO_TRAFFIC"), "question", "unknown"),
    Row(13, NONE, "question", "unknown"),
    Row(None, ("VIDEO_GENERATION_TIMED_OUT", "SOMETHING_WENT_WRONG"), "retry", "refunded", again=1),
    Row(4, NONE, "question", "unknown"),
    Row(3, ("COLLECTION_FULL", "COLLECTION_DEPTH_EXCEEDED", "HANDLE_TAKEN"), "stop"),
)  # fmt: skip
CASES = [(row, reason) for row in TABLE for reason in row.reasons]


def error_of(row: Row, reason: str) -> ProviderError:
    """As the codec meets it on a call that may cost."""
    full = f"PUBLIC_ERROR_{reason}" if reason else None
    if row.code is None:
        return errors.from_status([4, [None, full]] if full else [4])
    return errors.from_slot([row.code, None, [["ErrorInfo", [full]]]], paying=True)


def name_of(decision: Decision) -> str:
    match decision:
        case Retry():
            return "retry"
        case Wait(gate=Gate.PAUSED):
            return "pause"
        case Wait(gate=None):
            return "model"
        case Ask(scope="provider", gate=Gate.BLOCKED):
            return "block"
        case Ask(scope="provider"):
            return "ask once"
        case Ask(scope="job"):
            return "question"
        case Stop():
            return "stop"
        case _:
            return repr(decision)


@pytest.mark.parametrize(("row", "reason"), CASES)
def test_each_error_has_one_answer_and_says_what_was_charged(row: Row, reason: str) -> None:
    error = error_of(row, reason)
    decision = decide(error, Verb.SUBMIT, 0, NOW, 0.5)
    assert name_of(decision) == row.does
    assert error.charged == row.charged
    assert not any(words in error.message for words in SAYS.values()), "work/charge.py adds it"
    assert error.hint and "\n" not in error.hint
    if reason:
        assert error.reason == reason
    if isinstance(decision, Wait):
        assert decision.until - NOW >= row.at_least_ms


@pytest.mark.parametrize(("row", "reason"), [case for case in CASES if case[0].again])
def test_a_fresh_attempt_is_made_as_often_as_the_table_says_and_then_no_more(
    row: Row, reason: str
) -> None:
    error = error_of(row, reason)
    made = next(n for n in count() if isinstance(decide(error, Verb.SUBMIT, n, NOW, 0.5), Stop))
    assert made == row.again


@pytest.mark.parametrize(("row", "reason"), [c for c in CASES if c[0].code is not None])
def test_what_is_paid_for_is_never_given_up_over_an_error_while_it_is_read(
    row: Row, reason: str
) -> None:
    assert row.code is not None
    full = f"PUBLIC_ERROR_{reason}" if reason else None
    error = errors.from_slot([row.code, None, [["ErrorInfo", [full]]]], paying=False)
    for verb, attempts in ((Verb.POLL, 0), (Verb.FETCH, 99)):
        assert not isinstance(decide(error, verb, attempts, NOW, 0.5), Stop)


@pytest.mark.parametrize("status", [302, 408, 500, 502, 503, 504])
def test_a_failure_of_the_whole_paying_call_is_never_sent_again_by_itself(status: int) -> None:
    error = errors.from_whole(status, {}, "<html>", paying=True, now=NOW)
    assert name_of(decide(error, Verb.SUBMIT, 0, NOW, 0.5)) == "question"
    assert error.charged == "unknown"


def test_a_page_that_says_sorry_stops_all_submits_for_the_person() -> None:
    error = errors.from_whole(403, {}, "<title>Sorry...</title>", paying=True, now=NOW)
    assert name_of(decide(error, Verb.SUBMIT, 0, NOW, 0.5)) == "ask once"
    assert error.charged == "no"


def test_accepted_and_empty_is_final_and_not_charged() -> None:
    error = errors.nothing_created()
    assert name_of(decide(error, Verb.SUBMIT, 0, NOW, 0.5)) == "stop"
    assert error.charged == "no"


def test_the_table_names_every_reason_that_the_codec_knows() -> None:
    here = {reason for row in TABLE for reason in row.reasons}
    #: About other things than making: a cancel that comes too late, editing of uploads, an input twice named.
    elsewhere = {
        "MEDIA_GENERATION_CANNOT_BE_CANCELED",
        "IP_PROHIBITED",
        "FINISH_REASON_INPUT_VIDEO_EDIT",
        "FINISH_REASON_INPUT_SPEECH_EDIT",
    }
    assert set(errors.REASONS) - elsewhere == here - {""}
