"""What a provider of media must be able to do, in words that fit any provider.

`submit` is the only method that may cost. Nothing may call it without a committed intent (`operation`),
and a provider that cannot prove that a failed submit did nothing must raise `OutcomeUnknown`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from flowkit_mcp.domain.models import Account, MediaKind, Orientation
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import ProviderError


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Capabilities(_Frozen):
    """How fast a provider may be driven. All times in seconds."""

    submit_spacing_s: tuple[float, float] = (8.0, 12.0)  #: uniform between the two
    max_in_flight: int = 4
    first_poll_s: float = 20.0
    poll_s: float = 10.0
    slow_poll_after_s: float = 300.0
    slow_poll_s: float = 30.0
    give_up_after_s: float = 1800.0
    #: How long after a submit "not found" may still mean "not visible yet".
    look_up_grace_s: float = 180.0
    account_refresh_s: float = 60.0


class _Brief(_Frozen):
    """A request with every id resolved for one provider and one account."""

    project: str  #: the provider's own project id
    model: str
    orientation: Orientation
    #: What the catalogue says it costs, in credits; shown to the person in the extension.
    credits: int = 0
    #: What it is for, in words: `scene 3 vertical clip`. Shown there too, told to no provider, and not kept.
    what: str = Field(default="", exclude=True)
    seed: int


class ImageBrief(_Brief):
    media: Literal[MediaKind.IMAGE] = MediaKind.IMAGE
    prompt: str
    references: tuple[str, ...] = ()
    base: str | None = None  #: the image being edited


class VideoBrief(_Brief):
    """A clip. Which of the inputs are set follows from `mode`."""

    media: Literal[MediaKind.VIDEO] = MediaKind.VIDEO
    mode: Literal["text", "start", "start_end", "references", "extend"] = "start"
    prompt: str
    start: str | None = None
    end: str | None = None
    references: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()  #: preset voice slugs, e.g. `charon`
    extends: str | None = None  #: the clip that goes on


class UpscaleBrief(_Brief):
    media: Literal[MediaKind.VIDEO] = MediaKind.VIDEO
    source: str
    resolution: Literal["720p", "1080p", "4K"]


class ImageUpscaleBrief(_Brief):
    media: Literal[MediaKind.IMAGE] = MediaKind.IMAGE
    source: str
    resolution: Literal["2K", "4K"]


Brief = ImageBrief | VideoBrief | UpscaleBrief | ImageUpscaleBrief


class Submission(_Frozen):
    """The provider accepted. `remote_id` is what `poll` wants; `credits_after` the balance if told."""

    remote_id: str
    credits_after: int | None = None
    #: The finished media, where the reply itself carries them (picture upscales, upscales that exist already).
    inline: bytes | None = Field(default=None, repr=False)
    #: What Flow was seen to do differently from what was asked, in sentences. The job goes on.
    warnings: tuple[str, ...] = ()
    #: It had been made before, so that nothing needs to have been charged; the balance tells.
    existed: bool = False


class RemoteMedia(_Frozen):
    """Something that can be fetched now. `url` is a bearer secret: never stored, never logged."""

    remote_id: str
    media: MediaKind
    url: str
    bytes: int | None = None

    def __repr__(self) -> str:
        return f"RemoteMedia({self.remote_id!r}, {self.media})"

    __str__ = __repr__


class Pending(_Frozen):
    #: 0 to 1 where the provider says so.
    progress: float | None = None
    #: A sentence, if waiting has become pointless as far as the provider can tell: the job may never start.
    stuck: str | None = None


class Done(_Frozen):
    media: RemoteMedia
    credits_after: int | None = None


class Failed(_Frozen):
    error: ProviderError
    credits_after: int | None = None


Progress = Pending | Done | Failed


class Sent(_Frozen):
    """The call arrived; it is known as `submission.remote_id`."""

    submission: Submission


class NeverSent(_Frozen):
    """Proof that the call did nothing: it may be sent again, as a new operation."""

    evidence: str


class InFlight(_Frozen):
    """The browser is still busy with it; ask again."""


class CannotTell(_Frozen):
    """No proof either way. `again` says that asking later may still help."""

    evidence: str
    again: bool = False


Found = Sent | NeverSent | InFlight | CannotTell


class SentCall(_Frozen):
    """What the ledger knows of a call whose reply is missing."""

    client_ref: str
    via: str | None
    age_s: float
    media: MediaKind
    #: (client_ref, remote_id) of earlier calls on this account: the canary for derived ids.
    proven: tuple[tuple[str, str], ...] = ()
    #: Which of those made clips.
    proven_clips: frozenset[str] = frozenset()
    #: Upscales are named after their source, not after a seed.
    source: str | None = None
    resolution: str | None = None
    #: What it may have cost.
    credits: int = 0
    #: With these a project's listing can be searched, too. `sent_at` in milliseconds.
    project: str | None = None
    prompt: str | None = None
    seed: int | None = None
    sent_at: int | None = None


class Provider(Protocol):
    name: str

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def connected(self) -> bool:
        """Whether a call can be made now."""
        ...

    @property
    def via(self) -> str | None:
        """Which browser profile would send the next call; noted in the intent."""
        ...

    @property
    def lane(self) -> str | None: ...

    @property
    def account_label(self) -> str | None:
        """Who is signed in right now, as `account()` would label them; the person may have switched since."""
        ...

    def new_client_ref(self) -> str:
        """A key never used before, chosen by us and sent with the call."""
        ...

    async def account(self) -> Account:
        """Credits, tier and live catalogue. Free. Raises ProviderError."""
        ...

    async def create_project(self, name: str) -> str:
        """A new project at the provider; returns its id. Free."""
        ...

    async def upload_image(self, path: Path, project: str) -> str:
        """Hand over a picture of the library; returns its id. Free. Raises Rejected."""
        ...

    async def submit(self, brief: Brief, client_ref: str, via: str | None) -> Submission:
        """The only method that may cost. Raises Rejected and others only with proof that nothing was
        accepted; OutcomeUnknown in every other case.
        """
        ...

    async def look_up(self, call: SentCall) -> Found:
        """What became of a call whose reply is missing. Free."""
        ...

    async def forget(self, client_ref: str) -> None:
        """The reply is committed here: the extension may drop its copy (a tombstone stays)."""
        ...

    async def poll(
        self,
        remote_ids: Sequence[str],
        media: MediaKind,
        projects: Mapping[str, str] | None = None,
    ) -> Mapping[str, Progress]:
        """Where these stand. Ids that the provider does not mention are missing from the answer. Free.

        `projects`: in which of the provider's projects they were made, by remote id, as far as it is known.
        """
        ...

    async def cancel(self, remote_id: str) -> bool:
        """Ask the provider to stop this job; False if it cannot, or it is too late. Free."""
        ...

    async def keep_house(self, request: Housekeeping) -> dict[str, Any]:
        """Look at, or tidy up, what lies at the provider; answers as in the request's table, JSON-able. Free.

        Raises:
            Rejected: there is no such project or item, or the provider will not have it.
            ProviderError: anything else; a change may then have been made or not.
        """
        ...

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        """Write the bytes to `to` (a `.part` file), checked for host, size and type. Free."""
        ...

    async def aclose(self) -> None: ...
