"""What to do about an error: retry, wait, ask a person, or stop. One pure function, `decide`.

The rule behind it: an error that nobody understands is retried on a reading call and never on a paying one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from flowkit_mcp.domain.models import Gate
from flowkit_mcp.errors import (
    FlowKitError,
    GenerationFailed,
    HumanCheckRequired,
    LibraryTrouble,
    MediaError,
    NotConnected,
    OutcomeUnknown,
    OutOfCredits,
    ProviderError,
    PublishLater,
    PublishNeedsPerson,
    QuotaUsedUp,
    RateLimited,
    RefusedByPerson,
    SignInRequired,
    Transient,
)

READ_ATTEMPTS = 6
LONGEST_BACKOFF_MS = 300_000
LIBRARY_PAUSE_MS = 10_000
QUOTA_PAUSE_MS = 900_000
DAY_MS = 24 * 3600 * 1000


class Verb(StrEnum):
    SUBMIT = "submit"
    POLL = "poll"
    FETCH = "fetch"
    LOCAL = "local"
    #: A free call that may change something at the provider; the same again does no harm.
    HOUSE = "housekeeping"

    @property
    def reads(self) -> bool:
        """Whether it only reads what is paid for already."""
        return self in (Verb.POLL, Verb.FETCH)

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice does no harm, so that what nobody understands is tried again."""
        return self.reads or self is Verb.HOUSE


@dataclass(frozen=True)
class Retry:
    """The same again at `at`; an attempt is spent."""

    at: int


@dataclass(frozen=True)
class Wait:
    """Not this job's fault: no attempt is spent. `gate` is what the whole provider does meanwhile."""

    until: int
    gate: Gate | None


@dataclass(frozen=True)
class Ask:
    """A person must act: once for the provider (its jobs go on by themselves), or for this job."""

    scope: Literal["provider", "job"]
    gate: Gate | None = None


@dataclass(frozen=True)
class Stop:
    """Final."""


Decision = Retry | Wait | Ask | Stop


def backoff(attempts: int, roll: float) -> int:
    """Full jitter: `roll` (0 to 1) of min(300, 2·2ⁿ) seconds, in milliseconds."""
    return int(roll * min(LONGEST_BACKOFF_MS, 2000 * 2 ** min(attempts, 10)))


def decide(error: FlowKitError, verb: Verb, attempts: int, now: int, roll: float) -> Decision:
    """What to do about `error` met while doing `verb`, after `attempts` failed tries of this job.

    On SUBMIT every error but OutcomeUnknown means proof that nothing was accepted (providers/base.py).
    `now` in ms since 1970; `roll` is a random number from 0 to 1 that the caller brings.
    """
    match error:
        case (
            NotConnected() | LibraryTrouble()
        ):  # the connection itself is the gate; a full disk is no call's fault
            pause = LIBRARY_PAUSE_MS if isinstance(error, LibraryTrouble) else 1000
            return Wait(now + pause, gate=None)
        case SignInRequired():
            return Ask("provider", Gate.BLOCKED)
        case HumanCheckRequired() | OutOfCredits():
            return Ask("provider", Gate.PAUSED)
        case RateLimited(retry_after_s=seconds):
            pause = 1000 * seconds if seconds else max(30_000, backoff(attempts + 4, 1.0))
            return Wait(int(now + pause), Gate.PAUSED)
        case QuotaUsedUp(retry_after_s=seconds) | PublishLater(retry_after_s=seconds):
            # a quota of a day does not reset in seconds
            least = QUOTA_PAUSE_MS if isinstance(error, QuotaUsedUp) else 0
            pause = max(least, 1000 * seconds) if seconds else DAY_MS
            return Wait(int(now + pause), gate=None)
        case OutcomeUnknown() | RefusedByPerson() | PublishNeedsPerson():
            return Ask("job")
        case GenerationFailed(again=again) if attempts < again:
            return Retry(now + backoff(attempts, roll))
        case Transient(again=again) if attempts < (READ_ATTEMPTS if again is None else again):
            return Retry(now + backoff(attempts, roll))
        case MediaError() if verb is Verb.FETCH and attempts < 2:
            return Retry(now + backoff(attempts, roll))  # damaged on the way; fetching is free
        case GenerationFailed():
            return Stop()
        case ProviderError() | MediaError() if verb.reads:
            return Ask("job")  # it is paid for: nobody but a person gives it up
        case _:
            return Stop()


def poll_delay(
    age_s: float, first_s: float, then_s: float, slow_after_s: float, slow_s: float, roll: float
) -> int:
    """Milliseconds until the next look at something `age_s` old; ±20 % so that looks do not bunch."""
    if age_s < first_s:
        return int(1000 * (first_s - age_s))
    delay = then_s if age_s < slow_after_s else slow_s
    return int(1000 * delay * (0.8 + 0.4 * roll))
