"""How the simulated Flow fails on demand: refusals, prompt markers, faults ordered by the admin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, get_args

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Grpc(IntEnum):
    """Codes of slot 5 (flow-wire §2.1)."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class Refusal(Exception):
    """Flow says no to one rpc: HTTP 200, and slot 5 of the frame says why (flow-wire §2.1)."""

    def __init__(self, code: Grpc, reason: str | None = None, message: str | None = None) -> None:
        super().__init__(reason or message or code.name)
        self.code = code
        self.reason = reason
        self.message = message

    @property
    def slot(self) -> list[object]:
        """`[code]`, or `[code, message, [[ErrorInfo, [reason]]]]`."""
        if self.reason is None:
            return [int(self.code), self.message] if self.message else [int(self.code)]
        return [int(self.code), self.message, [[ERROR_INFO, [f"PUBLIC_ERROR_{self.reason}"]]]]


class ConnectionCut(Exception):
    """The connection is closed without an answer."""


class SorryPage(Exception):
    """A network-level block: HTTP 403 with an HTML page (flow-wire §9.2)."""


class SignInPage(Exception):
    """HTTP 200 with a page where an answer should be (flow-wire §1.1)."""


class WholeCallError(Exception):
    """The call as a whole failed: an `er` frame, or HTTP 500 in lane labs (flow-wire §2.1)."""


class NoData(Exception):
    """Carried out, and answered with an empty payload (flow-wire §2.1)."""


def unusual_activity() -> Refusal:
    """The one answer to every captcha trouble (flow-wire §1.3)."""
    return Refusal(
        Grpc.PERMISSION_DENIED, "UNUSUAL_ACTIVITY", message="reCAPTCHA evaluation failed"
    )


FaultKind = Literal[
    "unusual",
    "throttled",
    "traffic",
    "quota",
    "exhausted",
    "internal",
    "internal_after",
    "unavailable",
    "unauthenticated",
    "cut_before",
    "cut_after",
    "html_sorry",
    "missing_url",
    "user_quota",
    "concurrent",
    "model_denied",
    "er_frame",
    "null_payload",
    "html_page",
    "poll_missing",
]
FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

FAULTS_EXPLAINED: dict[FaultKind, str] = {
    "unusual": "refused as unusual activity",
    "throttled": "refused: too many requests by this user",
    "traffic": "refused: too much traffic",
    "quota": "refused: daily quota of this model reached",
    "exhausted": "refused: resource exhausted, no reason given",
    "internal": "internal error; nothing was done",
    "internal_after": "internal error, although it was accepted and charged",
    "unavailable": "refused: high traffic",
    "unauthenticated": "refused: not signed in for this rpc",
    "cut_before": "connection closed, nothing was done",
    "cut_after": "connection closed after it was accepted and charged",
    "html_sorry": "HTTP 403 with a page titled Sorry…",
    "missing_url": "as29s: finished, but the address is not there yet",
    "user_quota": "refused: credits or quota of the user used up",
    "concurrent": "refused: too many jobs at once",
    "model_denied": "refused: not in this plan",
    "er_frame": "an er frame (batchexecute) or HTTP 500 for the whole call; nothing was done",
    "null_payload": "carried out, but answered without any data",
    "html_page": "HTTP 200 with a sign-in page; nothing was done",
    "poll_missing": "a poll without the first of its ids",
}

_REFUSALS: dict[FaultKind, tuple[Grpc, str | None]] = {
    "throttled": (Grpc.RESOURCE_EXHAUSTED, "USER_REQUESTS_THROTTLED"),
    "traffic": (Grpc.RESOURCE_EXHAUSTED, "UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC"),
    "quota": (Grpc.RESOURCE_EXHAUSTED, "PER_MODEL_DAILY_QUOTA_REACHED"),
    "exhausted": (Grpc.RESOURCE_EXHAUSTED, None),
    "internal": (Grpc.INTERNAL, None),
    "unavailable": (Grpc.UNAVAILABLE, "HIGH_TRAFFIC"),
    "unauthenticated": (Grpc.UNAUTHENTICATED, None),
    "user_quota": (Grpc.RESOURCE_EXHAUSTED, "USER_QUOTA_REACHED"),
    "concurrent": (Grpc.RESOURCE_EXHAUSTED, "CONCURRENT_LIMIT_REACHED"),
    "model_denied": (Grpc.PERMISSION_DENIED, "MODEL_ACCESS_DENIED"),
}


def raise_before(kind: FaultKind) -> None:
    """Raise what this fault does before the call is looked at; some only act afterwards."""
    if kind == "unusual":
        raise unusual_activity()
    if kind == "cut_before":
        raise ConnectionCut
    if kind == "html_sorry":
        raise SorryPage
    if kind == "html_page":
        raise SignInPage
    if kind == "er_frame":
        raise WholeCallError
    if kind in _REFUSALS:
        code, reason = _REFUSALS[kind]
        raise Refusal(code, reason)


def raise_after(kind: FaultKind) -> None:
    """Raise what this fault does once the call has been carried out."""
    if kind == "cut_after":
        raise ConnectionCut
    if kind == "internal_after":
        raise Refusal(Grpc.INTERNAL)
    if kind == "null_payload":
        raise NoData


@dataclass(frozen=True)
class Markers:
    """What a prompt asks to go wrong, by `[[…]]` in its text."""

    unsafe: bool = False  #: refused at once
    failure: str | None = None  #: accepted, then FAILED with this reason; "" = without a reason
    cut: bool = False  #: accepted and charged, then the connection is closed
    stuck: bool = False  #: never leaves SCHEDULED
    slow_s: float = 0.0  #: so much longer, before pace

    @classmethod
    def of(cls, prompt: str) -> Markers:
        words = set(_MARKER.findall(prompt))
        slow = _SLOW.search(prompt)
        failure = next((reason for word, reason in _FAILURES.items() if word in words), None)
        return cls(
            unsafe="unsafe" in words,
            failure=failure,
            cut="cut" in words,
            stuck="stuck" in words,
            slow_s=float(slow[1]) if slow else 0.0,
        )


_MARKER = re.compile(r"\[\[([a-z-]+)\]\]")
_SLOW = re.compile(r"\[\[slow=(\d{1,5}(?:\.\d+)?)\]\]")
_FAILURES = {
    "fail": "SOMETHING_WENT_WRONG",
    "fail-noreason": "",
    "audio-filtered": "AUDIO_FILTERED",
    "prominent": "PROMINENT_PEOPLE_FILTER_FAILED",
    "filtered": "IP_INPUT_IMAGE",
    "unsafe-later": "UNSAFE_GENERATION",
}

MARKERS_EXPLAINED = {
    "[[unsafe]]": "refused at once as unsafe; not charged",
    "[[fail]]": "accepted, then fails with a reason; refunded",
    "[[fail-noreason]]": "accepted, then fails without a reason; refunded",
    "[[audio-filtered]]": "accepted, then the audio filter stops it; refunded",
    "[[prominent]]": "accepted, then stopped for a face of a known person; refunded",
    "[[filtered]]": "accepted, then fails over an input picture; visibility FILTERED; refunded",
    "[[unsafe-later]]": "accepted, then its output is found unsafe; refunded",
    "[[slow=SECONDS]]": "takes so much longer (times pace)",
    "[[cut]]": "accepted and charged, then the connection is closed without an answer",
    "[[stuck]]": "accepted and charged, and never starts",
}


def without_markers(prompt: str) -> str:
    return " ".join(_SLOW.sub("", _MARKER.sub("", prompt)).split())
