"""The messages between FlowKit and the extension. `docs/bridge-protocol.md` is the specification.

`extension/lib/protocol.js` mirrors this file. No message carries a bearer, a cookie or a captcha token.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PROTOCOL = 1
PATH = "/ext"
#: The id that Chrome derives from the `key` in extension/manifest.json.
EXTENSION_ID = "kbdddalkhdjhhiehcbiihhmllmnpence"
ORIGIN = f"chrome-extension://{EXTENSION_ID}"
#: Where the codec wants the page's captcha token; the extension puts it there.
RECAPTCHA = "$RECAPTCHA"

HANDSHAKE_LIMIT_S = 5.0
PING_EVERY_S = 20.0
SILENCE_LIMIT_S = 45.0
MAX_MESSAGE = 64 * 1024 * 1024
#: Before both proofs are good, a frame larger than this is hostile.
MAX_HANDSHAKE_MESSAGE = 4096
#: How long the extension may keep a paid call waiting for the person's word; then it answers for them.
ASKING_LIMIT_S = 600.0
#: What a job or a call is for, in words for the person: at most so many characters.
WHAT_LENGTH = 80
#: Of the library's path, its end.
LIBRARY_SHOWN = 500
#: How many jobs `queue` shows.
QUEUE_SHOWN = 20


class Phase(StrEnum):
    """Where a call stands in the extension's journal."""

    ACCEPTED = "accepted"
    ASKING = "asking"  # the person is asked whether this paid call may go out
    MINTING = "minting"
    SENT = "sent"
    DONE = "done"
    ACKED = "acked"  # tombstone


class Standing(StrEnum):
    """The extension's answer to `lookup`."""

    NEVER_RECEIVED = "never_received"
    IN_FLIGHT = "in_flight"
    ANSWERED = "answered"
    SENT_NO_ANSWER = "sent_no_answer"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Nonce = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Mac = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Instance = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
CallId = Annotated[str, Field(min_length=1, max_length=200)]


# ---- handshake -------------------------------------------------------------------------------


class Hello(_Message):
    """Extension → server, first message. Carries nothing but who asks."""

    type: Literal["hello"] = "hello"
    protocol: int
    instance: Instance
    nonce: Nonce
    #: A code has just been pasted: prove with its key, not with the stored one.
    pairing: bool = False


class Challenge(_Message):
    """Server → extension: the server proves itself first."""

    type: Literal["challenge"] = "challenge"
    protocol: int
    nonce: Nonce
    generation: int
    proof: Mac


class FlowState(_Message):
    """What the extension sees of Flow. `account` is a label, e.g. the masked address."""

    lane: Literal["batchexecute", "labs"] | None = None
    account: str | None = Field(default=None, max_length=200)
    tab: Literal["none", "loading", "ready", "frozen", "discarded"] = "none"
    signed_in: bool = False
    #: What only the browser can tell, and on a second line what to do about it.
    person_needed: str | None = Field(default=None, max_length=500)
    simulated: bool = False
    page_loads: int = 0


class Proof(_Message):
    """Extension → server, only after the server's proof was good: its own proof and what it holds."""

    type: Literal["proof"] = "proof"
    proof: Mac
    version: str = Field(max_length=40)
    label: str = Field(max_length=80)
    flow: FlowState
    #: Calls not yet acknowledged, by id: the newest, as many as fit in the frame.
    journal: dict[str, Phase] = {}


class Welcome(_Message):
    """Server → extension: the link is up."""

    type: Literal["welcome"] = "welcome"
    generation: int
    version: str
    library: str
    #: Another profile has the calls; `queue` says when it is this one's turn.
    standby: bool = False


# ---- life ------------------------------------------------------------------------------------


class Ping(_Message):
    type: Literal["ping"] = "ping"
    at: int


class Pong(_Message):
    type: Literal["pong"] = "pong"
    at: int


class Event(_Message):
    """Extension → server: Flow's state changed."""

    type: Literal["event"] = "event"
    flow: FlowState


class Pause(_Message):
    """Extension → server: the person pressed pause, or play."""

    type: Literal["pause"] = "pause"
    paused: bool


class Bye(_Message):
    """Either side: closing on purpose, and why."""

    type: Literal["bye"] = "bye"
    code: Literal["shutdown", "version", "unpaired", "replaced", "malformed", "stale", "simulated"]
    message: str = ""


class QueuedJob(_Message):
    """A job that has not ended, for the person to see: no prompts, no secrets."""

    id: int
    what: str = Field(max_length=WHAT_LENGTH)  #: in words: `scene 3 vertical clip`
    state: Literal["queued", "running", "waiting", "needs_attention"]
    credits: int = 0  #: what it may cost at most


class Queue(_Message):
    """Server → extension in use: the open jobs in the order in which they get their turn, for the panel alone."""

    type: Literal["queue"] = "queue"
    jobs: list[QueuedJob] = Field(max_length=QUEUE_SHOWN)
    #: Open jobs beyond those listed.
    ahead: int = 0
    #: Why nothing new is sent at the moment, if so.
    paused_reason: str | None = Field(default=None, max_length=300)


# ---- calls -----------------------------------------------------------------------------------


class Call(_Message):
    """Server → extension: make one named Flow call.

    The server says what (`name` is a row of the extension's table, `args` the body with `$RECAPTCHA`
    where the token goes), the extension says where and as whom.
    """

    type: Literal["call"] = "call"
    id: CallId
    generation: int
    lane: Literal["batchexecute", "labs"]
    name: str
    #: What it is for, as the queue has it, for showing only: `scene 3 vertical clip`.
    what: str | None = Field(default=None, max_length=WHAT_LENGTH)
    args: dict[str, Any]
    captcha: str | None = None
    paid: bool = False
    credits: int = 0
    timeout_s: float


class PhaseNote(_Message):
    """Extension → server: how far a call has come."""

    type: Literal["phase"] = "phase"
    id: CallId
    phase: Phase


class CallError(_Message):
    """Why there is no answer. `sent` is false only if it is certain that nothing left the browser."""

    code: Literal[
        "NO_FLOW_TAB",
        "FLOW_TAB_DISCARDED",
        "NOT_SIGNED_IN",
        "NO_GRECAPTCHA",
        "CAPTCHA_FAILED",
        "CAPTCHA_TIMEOUT",
        "HOST_PERMISSION_WITHHELD",
        "UNKNOWN_CALL",
        "BAD_ARGUMENTS",
        "STALE_GENERATION",
        "DUPLICATE",
        "PAUSED",
        "REFUSED_BY_PERSON",
        "WITHDRAWN",
        "TIMEOUT",
        "NETWORK",
        "LOST",
    ]
    message: str = ""
    sent: bool


class Result(_Message):
    """Extension → server: the service's answer as it came, or why there is none."""

    type: Literal["result"] = "result"
    id: CallId
    ok: bool
    status: int | None = None
    headers: dict[str, str] = {}  #: only `retry-after` and `content-type`
    body: str | None = None
    error: CallError | None = None


class Withdraw(_Message):
    """Server → extension: if nothing of this call has left yet, let go of it and answer `WITHDRAWN`."""

    type: Literal["withdraw"] = "withdraw"
    id: CallId


class Ack(_Message):
    """Server → extension: the result is committed; keep a tombstone."""

    type: Literal["ack"] = "ack"
    id: CallId


class Resend(_Message):
    """Server → extension: send the result of this id again, do not run it."""

    type: Literal["resend"] = "resend"
    id: CallId


class Lookup(_Message):
    """Server → extension: what became of this id?"""

    type: Literal["lookup"] = "lookup"
    id: CallId


class Found(_Message):
    """Extension → server: answer to `lookup`; with the result while it is still held."""

    type: Literal["found"] = "found"
    id: CallId
    standing: Standing
    result: Result | None = None


FromExtension = Annotated[
    Hello | Proof | Ping | Event | Pause | Bye | PhaseNote | Result | Found,
    Field(discriminator="type"),
]
FromServer = Annotated[
    Challenge | Welcome | Pong | Queue | Call | Withdraw | Ack | Resend | Lookup | Bye,
    Field(discriminator="type"),
]

_from_extension: TypeAdapter[FromExtension] = TypeAdapter(FromExtension)
_from_server: TypeAdapter[FromServer] = TypeAdapter(FromServer)


class Malformed(Exception):
    """A frame that is not a message of this protocol; `str()` names the field, never the content."""


_FIELD = re.compile(r"[a-z_]{1,20}")


def parse_from_extension(frame: str | bytes) -> FromExtension:
    """Raises Malformed."""
    return _parse(_from_extension, frame)


def parse_from_server(frame: str | bytes) -> FromServer:
    """Raises Malformed."""
    return _parse(_from_server, frame)


def _parse(adapter: TypeAdapter[Any], frame: str | bytes) -> Any:
    if isinstance(frame, bytes):
        raise Malformed("binary frame")
    try:
        return adapter.validate_json(frame)
    except ValidationError as error:
        # An unknown field's name is the sender's own text: it does not go into our log.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        known = first["type"] not in {"extra_forbidden", "invalid_key"}
        parts = [str(part) for part in first["loc"]] if known else []
        where = "/".join(part if _FIELD.fullmatch(part) else "…" for part in parts)
        raise Malformed(f"not a protocol message (at {where or 'top'})") from None


def dump(message: BaseModel) -> str:
    """One JSON text frame."""
    return message.model_dump_json(exclude_none=True)
