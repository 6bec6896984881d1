"""Every error a caller can meet, as one tree.

FlowKitError                      code, message, hint
├── RequestError                  the caller must change something
│   ├── NotFound                  no such project, scene, take, job …
│   ├── Conflict                  it is already so, or somebody else changed it
│   ├── NotReady                  something upstream is still empty
│   ├── InvalidSetting            an argument or a setting is out of range
│   ├── ApprovalNeeded            the person has not agreed to the price
│   └── LibraryTooNew             the database was written by a newer FlowKit
├── LibraryTrouble                → wait: the disk is full, the database is damaged or held
├── ProviderError                 the service that makes media said no, or nothing
│   ├── Transient                 → retry
│   ├── RateLimited               → wait until `retry_at`
│   ├── NotConnected              → wait for the extension
│   ├── SignInRequired            → ask the person, once for all jobs
│   ├── HumanCheckRequired        → ask the person, once for all jobs; polling goes on
│   ├── QuotaUsedUp               → wait for the reset
│   ├── OutOfCredits              → ask the person, once for all jobs
│   ├── RefusedByPerson           → ask the person about this job; nothing was sent
│   ├── Rejected                  → stop: change the prompt or the input
│   ├── GenerationFailed          → stop: it was accepted, then ended badly
│   └── OutcomeUnknown            → ask the person about this job
├── MediaError                    ffmpeg, a damaged file, a full disk → stop
├── PublishError                  YouTube said no → stop
│   ├── PublishLater              → wait until `retry_after_s` is over
│   └── PublishNeedsPerson        → ask the person about this job
└── BugError                      ours → stop, with the trace in the event log

What to do about each is decided in one place, `domain/policy.py`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

Charged = Literal["no", "yes", "refunded", "unknown"]


class FlowKitError(Exception):
    """Base of all FlowKit errors; its text is `CODE: what happened. What to do next.`

    `code` is stable and upper case, `message` says what happened, `hint` says what to do next,
    `charged` says whether credits were taken; the message does not, `work/charge.py` puts it into words.
    """

    code: ClassVar[str] = "ERROR"
    default_hint: ClassVar[str] = "Call status to see what is going on."
    charged: Charged = "no"

    def __init__(self, message: str, *, hint: str | None = None, reason: str | None = None) -> None:
        self.message = message.rstrip(". ")
        self.hint = (hint or self.default_hint).strip()
        #: A finer code from the service itself, e.g. `PUBLIC_ERROR_UNSAFE_GENERATION`.
        self.reason = reason
        super().__init__(f"{self.code}: {self.message}. {self.hint}")


class RequestError(FlowKitError):
    """The caller must change something; nothing was done and nothing was spent."""

    code = "INVALID_REQUEST"
    default_hint = "Change the request and call again."


class NotFound(RequestError):
    """What was named does not exist."""

    code = "NOT_FOUND"
    default_hint = "Call list_projects or get_project to see what there is."


class Conflict(RequestError):
    """What was asked contradicts what is there."""

    code = "CONFLICT"
    default_hint = "Read the current state and call again."


class NotReady(RequestError):
    """A slot upstream is empty; the hint names the tool that fills it."""

    code = "NOT_READY"
    default_hint = "Fill the missing slot first."


class InvalidSetting(RequestError):
    """An argument or setting has a value that cannot work; the message names it."""

    code = "INVALID_SETTING"


class ApprovalNeeded(RequestError):
    """The price is above the auto-approve limit and the person has not agreed to it."""

    code = "APPROVAL_NEEDED"
    default_hint = "Ask the person, then call again with their answer."


class OverBudget(RequestError):
    """It would spend more than the person has set for a project or a day; nothing was sent."""

    code = "BUDGET"
    default_hint = "Only if the person wants to spend more: set_budget. Or choose a cheaper model."


class LibraryTooNew(RequestError):
    """The database was written by a newer FlowKit than this one."""

    code = "LIBRARY_TOO_NEW"
    default_hint = "Update FlowKit, or choose another library folder."


class LibraryTrouble(FlowKitError):
    """The library's disk or database: full, read-only, damaged, held by somebody else. Nothing is lost by it."""

    code = "LIBRARY_UNUSABLE"
    default_hint = "Run flowkit-mcp doctor."


class ProviderError(FlowKitError):
    """The service that makes media said no, or did not answer."""

    code = "PROVIDER_ERROR"
    provider: str = "flow"
    #: On a paying call: it was refused, but perhaps only as the copy of one that was accepted (decision 0015).
    in_doubt: bool = False


class Transient(ProviderError):
    """Worth trying again: a time-out or a 5xx on a reading call. `again`: how often, where the service's table says."""

    code = "TRANSIENT"
    default_hint = "FlowKit tries again by itself."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        reason: str | None = None,
        again: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.again = again


class RateLimited(ProviderError):
    """Too fast; nothing new is sent until `retry_after_s` seconds have passed."""

    code = "RATE_LIMITED"
    default_hint = "FlowKit waits and goes on by itself."

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        hint: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.retry_after_s = retry_after_s


class NotConnected(ProviderError):
    """No browser with the extension is connected, or its Flow tab does not answer."""

    code = "NOT_CONNECTED"
    default_hint = "Open Chrome with the FlowKit extension and a signed-in Flow tab."


class SignInRequired(ProviderError):
    """The Flow tab is signed out."""

    code = "SIGN_IN_REQUIRED"
    default_hint = "Sign in to Flow in the connected browser; the jobs then go on by themselves."


class HumanCheckRequired(ProviderError):
    """The service doubts that a person is there; all submits stop."""

    code = "HUMAN_CHECK_REQUIRED"
    default_hint = (
        "Open the Flow tab, make one picture by hand, wait a while, "
        "then call resolve_job(provider='flow', action='reopen')."
    )


class QuotaUsedUp(ProviderError):
    """A daily or plan quota is used up; `retry_after_s` says when it may open again."""

    code = "QUOTA_USED_UP"
    default_hint = "Wait for the quota to reset, or choose another model."

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        hint: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.retry_after_s = retry_after_s


class OutOfCredits(ProviderError):
    """The account has too few credits for this call."""

    code = "OUT_OF_CREDITS"
    default_hint = (
        "Top up or choose a cheaper model, then call resolve_job(provider='flow', action='reopen')."
    )


class RefusedByPerson(ProviderError):
    """The person was asked in the browser before a paid call and said no, or nothing; it was not sent."""

    code = "REFUSED_BY_PERSON"
    default_hint = (
        "Ask the person what to change; resolve_job with action 'retry' asks them again, "
        "'give_up' ends the job."
    )


class Rejected(ProviderError):
    """The service refused the prompt or an input; not charged."""

    code = "REJECTED"
    default_hint = "Change the prompt or the input image and generate again."


class GenerationFailed(ProviderError):
    """The call was accepted and then ended badly; `charged` says what became of the credits."""

    code = "GENERATION_FAILED"
    default_hint = "Generate again if you want another attempt."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        reason: str | None = None,
        charged: Charged = "refunded",
        again: int = 0,
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.charged = charged
        #: How many fresh attempts the service's own table allows without asking.
        self.again = again


class OutcomeUnknown(ProviderError):
    """A paying call was sent and nobody knows whether it arrived. It is never sent again by itself."""

    code = "OUTCOME_UNKNOWN"
    default_hint = "Look into the Flow project, then call resolve_job."
    charged = "unknown"


class MediaError(FlowKitError):
    """A media file or ffmpeg failed."""

    code = "MEDIA_ERROR"
    default_hint = "Run flowkit-mcp doctor, then try again."


class PublishError(FlowKitError):
    """YouTube refused, or the upload cannot go on."""

    code = "PUBLISH_ERROR"


class PublishLater(PublishError):
    """YouTube cannot take it now (quota, limits, an outage); what was sent is kept there."""

    code = "PUBLISH_LATER"
    default_hint = "Nothing to do: FlowKit goes on by itself where it stopped."

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float,
        hint: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, reason=reason)
        self.retry_after_s = retry_after_s


class PublishNeedsPerson(PublishError):
    """Only a person can go on: sign in again, or look whether the film is there already."""

    code = "PUBLISH_NEEDS_PERSON"


class BugError(FlowKitError):
    """A fault of FlowKit itself."""

    code = "BUG"
    default_hint = "Please report it with the job's history (list_jobs with this job)."
    charged = "unknown"
