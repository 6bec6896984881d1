"""Flow's errors as ours: one table of reasons (flow-wire §9.2), and the rules for each level an error can appear at.

Levels: the bridge (`CallError`), HTTP and the `er` frame (the whole call), slot 5 of a frame (one RPC), and later the
status block of a record. The rule for paying calls (design §3.4): without proof that nothing was accepted, the answer
is `OutcomeUnknown`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, cast

from flowkit_mcp.bridge.protocol import CallError
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

_REASON = re.compile(r"\b(?:PUBLIC_ERROR|FINISH_REASON)_[A-Z0-9_]+")
_SORRY = re.compile(r"<title>\s*Sorry|unusual traffic", re.IGNORECASE)
#: The one sentence of the extension's that is passed on: it names a field of ours and a call, nothing else.
_REFUSED_FIELD = re.compile(r"[a-z_]{1,20} is not what [a-z_.]{1,40} allows")

#: gRPC codes with which Flow itself says that it did not accept a call (flow-wire §2.1).
INVALID, NOT_FOUND, DENIED, EXHAUSTED, UNAUTHENTICATED = 3, 5, 7, 8, 16
_REFUSALS = frozenset({INVALID, NOT_FOUND, DENIED, EXHAUSTED, UNAUTHENTICATED})
#: What our own code goes by where Flow gives no reason.
_CODE_NAMES: Mapping[int | None, str] = {NOT_FOUND: "NOT_FOUND", DENIED: "DENIED"}
#: What lane `labs` says with an HTTP status (flow-wire §9.2).
_GRPC = {
    400: INVALID,
    413: INVALID,
    401: UNAUTHENTICATED,
    403: DENIED,
    404: NOT_FOUND,
    429: EXHAUSTED,
}
#: HTTP statuses of a whole call that precede acceptance (flow-wire §1.1).
_HTTP_REFUSALS = frozenset({400, 401, 403, 404, 413, 429})


@dataclass(frozen=True)
class Row:
    """One line of the table. `again`: fresh attempts that are worth it when it comes after acceptance."""

    error: type[ProviderError]
    text: str
    hint: str | None = None
    retry_after_s: float | None = None
    again: int = 0

    def refusal(self, reason: str | None) -> ProviderError:
        """The error of a call that was not accepted."""
        message = self._said(reason)
        if self.error in (RateLimited, QuotaUsedUp):
            limited = RateLimited if self.error is RateLimited else QuotaUsedUp
            return limited(message, retry_after_s=self.retry_after_s, hint=self.hint, reason=reason)
        if self.error is Transient and self.again:
            return Transient(message, hint=self.hint, reason=reason, again=self.again)
        return self.error(message, hint=self.hint, reason=reason)

    def failure(self, reason: str | None) -> ProviderError:
        """The error of a job that was accepted and then failed."""
        if self.error is Rejected:
            return self.refusal(reason)
        return GenerationFailed(self._said(reason), hint=self.hint, reason=reason, again=self.again)

    def _said(self, reason: str | None) -> str:
        return f"{self.text} ({reason})" if reason else self.text


_NEW_PROMPT = "Change the prompt and generate again."
_NEW_IMAGE = "Use another input image, or regenerate it, and try again."
_NEW_FILE = "Upload another file."
_PROMPT = Row(Rejected, "Flow's content filter refused the prompt or the result", _NEW_PROMPT)
_INPUT = Row(Rejected, "Flow refused the input image", _NEW_IMAGE)
_UPLOAD = Row(Rejected, "Flow refused the uploaded picture", _NEW_FILE)
_FILE = Row(Rejected, "Flow cannot use this file", "Convert or resize the picture and try again.")
_LIBRARY = Row(
    Rejected, "a limit of Flow's own library is reached", "Tidy up in the Flow tab, then try again."
)
_BUSY = Row(RateLimited, "Flow is busy", retry_after_s=60, again=1)
_ACCOUNT = Row(
    Rejected,
    "Flow is not available to this account",
    "Flow's own help says which accounts and regions may use it.",
)
_CONCURRENT = Row(RateLimited, "Flow waits for running jobs to end", retry_after_s=30)
_DAILY = Row(
    QuotaUsedUp,
    "the daily quota of this model is used up",
    "It is tried again in a day; choose another model, or if it has reset: "
    "resolve_job(provider='flow', action='reopen').",
)
_CREDITS = Row(OutOfCredits, "the account's credits or quota are used up")
_DIED = Row(GenerationFailed, "the job died at Flow", again=1)
_CAPTCHA = Row(HumanCheckRequired, "Flow doubts that a person is there")
_SIGN_IN = Row(SignInRequired, "Flow says that nobody is signed in")
_NOBODY_OR_CHANGED = Row(
    SignInRequired, "Flow takes nobody to be signed in, or has renamed this call"
)

#: By the service's reason, without the prefix `PUBLIC_ERROR_`.
REASONS: Mapping[str, Row] = {
    **dict.fromkeys(
        (
            "UNSAFE_GENERATION", "SEXUAL", "VIOLENCE_FILTER", "DANGER_FILTER", "MINOR", "REPUTATIONAL",
            "UNDERSPECIFIED_ANIMAL", "NON_ENGLISH_PROMPT", "IMAGE_OUTPUT_IP_FILTER",
        ),
        _PROMPT,
    ),
    **dict.fromkeys(
        (
            "PROMINENT_PEOPLE_FILTER_FAILED", "IP_INPUT_IMAGE", "MINOR_INPUT_IMAGE",
            "PROMINENT_PEOPLE_INPUT_IMAGE", "PHOTOREAL_INPUT_IMAGE",
            "FINISH_REASON_INPUT_VIDEO_EDIT", "FINISH_REASON_INPUT_SPEECH_EDIT",
        ),
        _INPUT,
    ),
    **dict.fromkeys(
        (
            "PROMINENT_PEOPLE_UPLOAD", "MINOR_UPLOAD", "MINOR_HARM_UPLOAD", "SEXUAL_UPLOAD",
            "PHOTOREAL_UPLOAD", "UNSAFE_IMAGE_UPLOAD", "UNSAFE_VIDEO_UPLOAD",
        ),
        _UPLOAD,
    ),
    **dict.fromkeys(
        (
            "IMAGE_TOO_LARGE", "IMAGE_TOO_SMALL", "UNKNOWN_IMAGE_FILE_FORMAT",
            "VIDEO_DURATION_TOO_LONG", "VIDEO_UPLOAD_FAILED",
        ),
        _FILE,
    ),
    "VIDEO_UPLOAD_TIMEOUT": Row(Transient, "the upload took too long", again=1),
    **dict.fromkeys(("COLLECTION_FULL", "COLLECTION_DEPTH_EXCEEDED", "HANDLE_TAKEN"), _LIBRARY),
    "MEDIA_GENERATION_CANNOT_BE_CANCELED": Row(
        Rejected, "the job can no longer be stopped", "Wait for its result."
    ),
    "IP_PROHIBITED": _INPUT,
    **dict.fromkeys(("HIGH_TRAFFIC", "MODEL_OVERLOADED", "MODEL_DISABLED_DUE_TO_TRAFFIC"), _BUSY),
    **dict.fromkeys(("USER_REGION_DISALLOWED", "USER_MINOR", "APP_UNAVAILABLE"), _ACCOUNT),
    **dict.fromkeys(("CONCURRENT_LIMIT_REACHED", "GENERATION_ALREADY_IN_PROGRESS"), _CONCURRENT),
    **dict.fromkeys(
        ("PER_MODEL_DAILY_QUOTA_REACHED", "PER_MODEL_DAILY_QUOTA_REACHED_UPGRADEABLE"), _DAILY
    ),
    **dict.fromkeys(("USER_QUOTA_REACHED", "WORKSPACE_ACCOUNT_QUOTA_REACHED"), _CREDITS),
    **dict.fromkeys(("VIDEO_GENERATION_TIMED_OUT", "SOMETHING_WENT_WRONG"), _DIED),
    "UNUSUAL_ACTIVITY": _CAPTCHA,
    "UNUSUAL_ACTIVITY_TOO_MUCH_TRAFFIC": Row(
        RateLimited, "Flow sees too much traffic from this account", retry_after_s=900
    ),
    "USER_REQUESTS_THROTTLED": Row(
        RateLimited, "Flow slows this account down", retry_after_s=300
    ),
    "MODEL_ACCESS_DENIED": Row(
        Rejected, "the account's plan does not include this model", "Choose another model."
    ),
    "AUDIO_FILTERED": Row(
        GenerationFailed, "Flow's filter refused the sound of the clip, which is random", again=2
    ),
}  # fmt: skip

#: By gRPC code, where the service gives no reason that we know.
CODES: Mapping[int, Row] = {
    INVALID: Row(Rejected, "Flow calls the request invalid", "Check the model, then try again."),
    NOT_FOUND: Row(
        Rejected,
        "Flow does not know the model or one of the input pictures",
        "Choose another model, or make the input picture again.",
    ),
    DENIED: Row(Rejected, "Flow denied this", "Choose another model, or look into the Flow tab."),
    EXHAUSTED: Row(RateLimited, "Flow has no room at the moment", retry_after_s=35, again=1),
    UNAUTHENTICATED: _SIGN_IN,
}

#: Why there is no answer: (error if nothing was sent, text, hint).
BRIDGE: Mapping[str, Row] = {
    "NO_FLOW_TAB": Row(
        NotConnected, "no Flow tab is open", "Open a project on flow.google.com in Chrome."
    ),
    "FLOW_TAB_DISCARDED": Row(NotConnected, "the Flow tab sleeps", "Click the Flow tab once."),
    "NOT_SIGNED_IN": _SIGN_IN,
    "NO_GRECAPTCHA": Row(
        NotConnected, "the Flow tab is not ready", "Open a project in the Flow tab and reload it."
    ),
    "CAPTCHA_FAILED": Row(HumanCheckRequired, "the Flow page gave no captcha token"),
    "CAPTCHA_TIMEOUT": Row(HumanCheckRequired, "the Flow page gave no captcha token in time"),
    "HOST_PERMISSION_WITHHELD": Row(
        NotConnected,
        "the extension may not act on flow.google.com",
        "Allow the extension on flow.google.com in Chrome's extension settings.",
    ),
    "UNKNOWN_CALL": Row(Rejected, "the extension does not know this call", "Update the extension."),
    "BAD_ARGUMENTS": Row(
        Rejected,
        "the extension refused the call",
        "Update the extension (flowkit-mcp extension); if the library's flow.toml names this call, correct it there.",
    ),
    "STALE_GENERATION": Row(NotConnected, "another FlowKit has taken over the browser"),
    "DUPLICATE": Row(Transient, "the extension has seen this call before"),
    "PAUSED": Row(
        RateLimited, "paused in the FlowKit panel", "Press “Resume” there.", retry_after_s=15
    ),
    "REFUSED_BY_PERSON": Row(RefusedByPerson, "the person did not agree in the FlowKit panel"),
    "WITHDRAWN": Row(Transient, "FlowKit took the call back before it was sent"),
    "TIMEOUT": Row(Transient, "Flow did not answer in time"),
    "NETWORK": Row(Transient, "the connection to Flow broke"),
    "LOST": Row(Transient, "the answer was lost on its way"),
}


def find_reason(value: Any) -> str | None:
    """A `PUBLIC_ERROR_…` anywhere in this value; its place varies (flow-wire §7.1)."""
    found = _REASON.search(value if isinstance(value, str) else json.dumps(value))
    return found[0].removeprefix("PUBLIC_ERROR_") if found else None


def from_bridge(error: CallError, *, paying: bool) -> ProviderError:
    """Why the extension has no answer. `sent=False` is its promise that nothing left the browser."""
    row = BRIDGE[error.code]
    if paying and error.sent:
        return OutcomeUnknown(f"the call was sent, but {row.text}", reason=error.code)
    if error.code == "BAD_ARGUMENTS" and _REFUSED_FIELD.fullmatch(error.message):
        row = replace(row, text=f"{row.text}: {error.message}")
    return row.refusal(error.code)


def from_slot(slot: list[Any], *, paying: bool) -> ProviderError:
    """Slot 5 of a frame: `[grpc code, message, details]` (flow-wire §2.1)."""
    code = slot[0] if slot and isinstance(slot[0], int) else None
    reason = find_reason(slot)
    message = slot[1] if len(slot) > 1 and isinstance(slot[1], str) else ""
    if paying and code not in _REFUSALS:
        return _unknown(f"Flow answered with error {code}", reason)
    if row := _row(code, reason, message):
        return row.refusal(reason or _CODE_NAMES.get(code))
    return Transient(f"Flow answered with error {code}", reason=reason)


def from_whole(
    status: int, headers: Mapping[str, str], body: str, *, paying: bool, now: int
) -> ProviderError:
    """HTTP status, or the code of an `er` frame: the whole call failed. `now` in milliseconds."""
    reason = find_reason(body)
    if paying and status not in _HTTP_REFUSALS:
        return _unknown(f"Flow answered with HTTP {status}", reason)
    if status == 429:
        row = REASONS.get(reason or "") or Row(RateLimited, "Flow asks to go slower")
        error = row.refusal(reason)
        if isinstance(error, RateLimited | QuotaUsedUp):
            told = retry_after(headers, now)
            error.retry_after_s = told if told is not None else error.retry_after_s
        return error
    if status == 403 and _SORRY.search(body):
        return Row(HumanCheckRequired, "Google blocks this network for now").refusal(None)
    if reason and (row := REASONS.get(reason)):
        return row.refusal(reason)
    if status in (400, 401, 403) or 300 <= status < 400:
        # Mostly page values that went stale (flow-wire §1.1); the extension reads them again before it gives up.
        row = _NOBODY_OR_CHANGED if status == 400 else _SIGN_IN
        return row.refusal(f"HTTP_{status}")
    if status == 404:
        gone = Row(Rejected, "Flow no longer knows this call", "Update FlowKit.")
        return gone.refusal("HTTP_404")
    if status == 413:
        return _FILE.refusal("HTTP_413")
    return Transient(f"Flow answered with HTTP {status}", reason=reason)


def from_google(
    status: int, headers: Mapping[str, str], error: Any, *, paying: bool, now: int
) -> tuple[int | None, ProviderError]:
    """Lane `labs`: the error object of a JSON body, and the gRPC code it amounts to (flow-wire §9.1).

    Routed on `details[].reason` first, then on the message, then on the status. A body that Flow wrote itself with a
    4xx is proof that nothing was accepted; anything else on a paying call is not.
    """
    details, message = _field(error, "details"), _field(error, "message")
    said = message if isinstance(message, str) else ""
    code = _GRPC.get(status)
    reason = find_reason(details) or find_reason(said) or find_reason(error)
    if paying and status not in _HTTP_REFUSALS:
        return code, _unknown(f"Flow answered with HTTP {status}", reason)
    row = _row(code, reason, said)
    if row is None:
        return code, Transient(f"Flow answered with HTTP {status}", reason=reason)
    found = row.refusal(reason or _CODE_NAMES.get(code))
    told = retry_after(headers, now)
    if told is not None and isinstance(found, RateLimited | QuotaUsedUp):
        found.retry_after_s = told
    return code, found


def _field(value: Any, name: str) -> Any:
    return cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None


def from_unreadable(kind: str, *, paying: bool) -> ProviderError:
    """HTTP said 200, but the body is no answer to this call."""
    if paying:
        return _unknown(f"Flow's answer could not be read ({kind})", None)
    if kind == "html":  # redirected to sign-in or an interstitial, flow-wire §1.1
        return _SIGN_IN.refusal("HTML")
    return Transient(f"Flow's answer could not be read ({kind})")


def from_status(block: Any) -> ProviderError:
    """The status block of a record that failed (flow-wire §7.1): `[4, [null|reason …], [reason …]]`."""
    reason = find_reason(block)
    if reason is None:
        return Row(GenerationFailed, "Flow's model failed without a reason", again=1).failure(None)
    return REASONS.get(reason, Row(GenerationFailed, "the generation failed")).failure(reason)


def says_media_not_found(value: Any) -> bool:
    """Flow's answer to polling an id it does not know; not a failure of any job (flow-wire §6.2)."""
    return "media not found" in json.dumps(value).lower()


def nothing_created() -> ProviderError:
    """Answered 200 with an empty list: nothing was made and nothing taken (flow-wire §6.3 d, §9.2)."""
    row = Row(
        Rejected,
        "Flow accepted the call but created nothing; the model may not be in the account's plan",
        "Choose another model.",
    )
    return row.refusal("ACCEPTED_BUT_EMPTY")


def lost_picture() -> ProviderError:
    """A larger picture that Flow handed over without an id, and whose reply is lost."""
    return GenerationFailed(
        "the larger picture was only in Flow's reply, which is lost", charged="no", again=1
    )


def retry_after(headers: Mapping[str, str], now: int) -> float | None:
    """`Retry-After` in seconds from `now` (milliseconds); Flow sends seconds, a date, or nothing."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), None)
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now / 1000)


def _row(code: int | None, reason: str | None, message: str) -> Row | None:
    if reason and reason in REASONS:
        return REASONS[reason]
    if code == DENIED and "recaptcha" in message.lower():
        return _CAPTCHA
    return CODES.get(code) if code is not None else None


def _unknown(message: str, reason: str | None) -> ProviderError:
    return OutcomeUnknown(f"{message} after the call was sent", reason=reason)
