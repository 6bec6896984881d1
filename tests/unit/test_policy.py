"""One table of four answers: retry, wait, ask, stop."""

from __future__ import annotations

import pytest

from flowkit_mcp import errors as e
from flowkit_mcp.domain.models import Gate
from flowkit_mcp.domain.policy import (
    DAY_MS,
    READ_ATTEMPTS,
    Ask,
    Decision,
    Retry,
    Stop,
    Verb,
    Wait,
    backoff,
    decide,
    poll_delay,
)

NOW = 1_000_000


@pytest.mark.parametrize(
    ("error", "verb", "attempts", "answer"),
    [
        (e.Transient("x"), Verb.POLL, 0, Retry(NOW + 1000)),
        (e.Transient("x"), Verb.POLL, READ_ATTEMPTS, Ask("job")),
        (e.Transient("x"), Verb.SUBMIT, READ_ATTEMPTS, Stop()),
        (e.Transient("x"), Verb.LOCAL, 1, Retry(NOW + 2000)),
        (e.OutcomeUnknown("x"), Verb.SUBMIT, 0, Ask("job")),
        (e.NotConnected("x"), Verb.SUBMIT, 99, Wait(NOW + 1000, None)),
        (e.NotConnected("x"), Verb.FETCH, 99, Wait(NOW + 1000, None)),
        (e.SignInRequired("x"), Verb.POLL, 0, Ask("provider", Gate.BLOCKED)),
        (e.HumanCheckRequired("x"), Verb.SUBMIT, 0, Ask("provider", Gate.PAUSED)),
        (e.OutOfCredits("x"), Verb.SUBMIT, 0, Ask("provider", Gate.PAUSED)),
        (e.RateLimited("x", retry_after_s=7), Verb.SUBMIT, 0, Wait(NOW + 7000, Gate.PAUSED)),
        (e.QuotaUsedUp("x"), Verb.SUBMIT, 0, Wait(NOW + DAY_MS, None)),
        (e.RefusedByPerson("x"), Verb.SUBMIT, 0, Ask("job")),
        (e.Rejected("x"), Verb.SUBMIT, 0, Stop()),
        (e.Rejected("x"), Verb.FETCH, 0, Ask("job")),
        (e.GenerationFailed("x"), Verb.SUBMIT, 0, Stop()),
        (e.GenerationFailed("x", again=2), Verb.SUBMIT, 1, Retry(NOW + 2000)),
        (e.GenerationFailed("x", again=2), Verb.SUBMIT, 2, Stop()),
        (e.MediaError("x"), Verb.FETCH, 0, Retry(NOW + 1000)),
        (e.MediaError("x"), Verb.FETCH, 2, Ask("job")),
        (e.MediaError("x"), Verb.LOCAL, 0, Stop()),
        (e.NotReady("x"), Verb.LOCAL, 0, Stop()),
        (e.BugError("x"), Verb.LOCAL, 0, Stop()),
    ],
)
def test_each_error_has_its_answer(
    error: e.FlowKitError, verb: Verb, attempts: int, answer: Decision
) -> None:
    assert decide(error, verb, attempts, NOW, roll=0.5) == answer


@pytest.mark.parametrize("error", [e.ProviderError("x"), e.Transient("x"), e.MediaError("x")])
def test_what_is_paid_for_is_never_given_up_by_the_program(error: e.FlowKitError) -> None:
    for verb in (Verb.POLL, Verb.FETCH):
        assert not isinstance(decide(error, verb, 99, NOW, 0.5), Stop)


def test_an_unknown_outcome_is_never_retried_whatever_the_verb() -> None:
    for verb in Verb:
        assert decide(e.OutcomeUnknown("x"), verb, 0, NOW, 0.5) == Ask("job")


def test_backoff_grows_to_five_minutes_with_full_jitter() -> None:
    assert [backoff(n, 1.0) for n in (0, 1, 2, 20)] == [2000, 4000, 8000, 300_000]
    assert backoff(3, 0.0) == 0


def test_looks_come_at_the_first_poll_then_steadily_then_slower() -> None:
    pace = {"first_s": 20.0, "then_s": 10.0, "slow_after_s": 300.0, "slow_s": 30.0, "roll": 0.5}
    assert poll_delay(0, **pace) == 20_000
    assert poll_delay(100, **pace) == 10_000
    assert poll_delay(400, **pace) == 30_000
