"""The words of FlowKit as types. `docs/words.md` says what each means.

Rows are frozen pydantic models read straight from SQL and used by the worker, the SDK and the tools alike.
Times are integer milliseconds since 1970 UTC. Text ids are UUIDv7; job ids are small integers.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Json


class Row(BaseModel):
    """Base of all rows: immutable. Columns that a newer program has added meanwhile are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Orientation(StrEnum):
    VERTICAL = "VERTICAL"
    HORIZONTAL = "HORIZONTAL"

    @property
    def aspect(self) -> str:
        """`9:16` or `16:9`."""
        return "9:16" if self is Orientation.VERTICAL else "16:9"


class Stage(StrEnum):
    REFERENCE = "reference"
    IMAGE = "image"
    VIDEO = "video"
    UPSCALE = "upscale"
    #: A larger version of the image, for posters and thumbnails; nothing is made from it.
    IMAGE_UPSCALE = "image_upscale"

    @property
    def media(self) -> MediaKind:
        """What a take of this stage is."""
        clip = self in (Stage.VIDEO, Stage.UPSCALE)
        return MediaKind.VIDEO if clip else MediaKind.IMAGE


class EntityType(StrEnum):
    CHARACTER = "character"
    LOCATION = "location"
    CREATURE = "creature"
    VISUAL_ASSET = "visual_asset"
    GENERIC_TROOP = "generic_troop"
    FACTION = "faction"

    @property
    def reference_orientation(self) -> Orientation:
        """Places are drawn wide, everything that stands upright is drawn tall."""
        return Orientation.HORIZONTAL if self is EntityType.LOCATION else Orientation.VERTICAL


class ChainType(StrEnum):
    ROOT = "ROOT"
    CONTINUATION = "CONTINUATION"
    INSERT = "INSERT"


class ProjectStatus(StrEnum):
    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class JobKind(StrEnum):
    GENERATE_CHARACTER_IMAGE = "GENERATE_CHARACTER_IMAGE"
    REGENERATE_CHARACTER_IMAGE = "REGENERATE_CHARACTER_IMAGE"
    EDIT_CHARACTER_IMAGE = "EDIT_CHARACTER_IMAGE"
    GENERATE_IMAGE = "GENERATE_IMAGE"
    REGENERATE_IMAGE = "REGENERATE_IMAGE"
    EDIT_IMAGE = "EDIT_IMAGE"
    GENERATE_VIDEO = "GENERATE_VIDEO"
    GENERATE_VIDEO_REFS = "GENERATE_VIDEO_REFS"
    UPSCALE_VIDEO = "UPSCALE_VIDEO"
    UPSCALE_IMAGE = "UPSCALE_IMAGE"
    #: Free calls about what lies at the provider: list, rename, trash.
    HOUSEKEEPING = "HOUSEKEEPING"
    #: The first frame of a scene, cut from the end of the clip it continues.
    LAST_FRAME = "LAST_FRAME"
    MERGE = "MERGE"
    PUBLISH = "PUBLISH"


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    NEEDS_ATTENTION = "needs_attention"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class OperationState(StrEnum):
    INTENDED = "intended"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    VOID = "void"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"


class Gate(StrEnum):
    OPEN = "open"
    PAUSED = "paused"
    BLOCKED = "blocked"


class Priority(IntEnum):
    """Smaller runs first. Direct execution waits for the answer, so it goes ahead of the queue."""

    DIRECT = 0
    REFERENCE = 1
    IMAGE = 2
    VIDEO = 3
    LOCAL = 4


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


class Project(Row):
    id: str
    slug: str
    name: str
    description: str
    story: str
    language: str
    style: str
    status: ProjectStatus
    provider: str
    budget_credits: int | None
    thumbnail_asset_id: str | None
    created_at: int
    updated_at: int


class Character(Row):
    id: str
    slug: str
    name: str
    entity_type: EntityType
    description: str
    image_prompt: str | None
    voice_description: str | None
    created_at: int
    updated_at: int


class Video(Row):
    id: str
    project_id: str
    slug: str
    title: str
    description: str
    display_order: int
    orientation: Orientation | None  #: None = both
    privacy: str
    tags: Json[list[str]]
    removed_at: int | None
    created_at: int
    updated_at: int

    @property
    def orientations(self) -> tuple[Orientation, ...]:
        return tuple(Orientation) if self.orientation is None else (self.orientation,)


class Scene(Row):
    id: str
    video_id: str
    #: Position in the video, from 1, without gaps: the "3" of "scene 3".
    number: int
    prompt: str
    image_prompt: str | None
    video_prompt: str | None
    narration: str | None
    chain_type: ChainType
    parent_scene_id: str | None
    trim_start: float | None  #: seconds
    trim_end: float | None  #: seconds
    removed_at: int | None
    created_at: int
    updated_at: int


class Asset(Row):
    """One immutable piece of media. `path` is relative to the library."""

    id: str
    media: MediaKind
    path: str
    sha256: str
    bytes: int
    width: int | None
    height: int | None
    duration_ms: int | None
    created_at: int


class Take(Row):
    id: str
    scene_id: str | None
    character_id: str | None
    orientation: Orientation
    stage: Stage
    number: int
    asset_id: str
    #: What it was made from: the picture it starts from or was edited from, the clip that it extends or enlarges.
    made_from_id: str | None
    ends_on_id: str | None  #: the picture a clip ends on
    job_id: int | None
    prompt: str | None
    model: str | None
    params: Json[dict[str, Any]]
    credits: int | None
    selected: bool
    note: str | None
    created_at: int


class Slot(Row):
    """What is in one place to fill: the selected take if it counts, and the live job for it.

    `stale` is true if a take is selected that was made from something no longer selected, however far upstream
    and in whichever scene; such a slot counts as empty.
    """

    scene_id: str | None
    character_id: str | None
    orientation: Orientation
    stage: Stage
    take_id: str | None
    take_number: int | None
    asset_id: str | None
    path: str | None
    takes: int
    stale: bool
    job_id: int | None
    job_state: JobState | None

    @property
    def filled(self) -> bool:
        return self.take_id is not None and not self.stale


class Job(Row):
    id: int
    kind: JobKind
    request: Json[dict[str, Any]]
    fingerprint: str
    provider: str
    project_id: str | None
    video_id: str | None
    scene_id: str | None
    character_id: str | None
    orientation: Orientation | None
    stage: Stage | None
    state: JobState
    #: Why it waits, failed or needs a person: the code of an error.
    reason: str | None
    message: str | None
    priority: int
    run_at: int
    attempts: int
    generation: int | None
    progress: float
    #: What the person agreed to pay at most. The worker asks again if the live price is higher.
    credits_estimate: int
    credits: int | None
    take_id: str | None
    render_id: str | None
    cancel_requested: bool
    created_at: int
    started_at: int | None
    finished_at: int | None


class Operation(Row):
    id: int
    job_id: int
    provider: str
    account: str
    state: OperationState
    client_ref: str
    #: Which browser profile was asked to send it; its journal alone can say "never received".
    via: str | None
    #: What was sent, with the provider's own ids (a `Brief`); what a look-up can search for.
    brief: Json[dict[str, Any]]
    remote_id: str | None
    credits_estimate: int
    credits_before: int | None
    credits_after: int | None
    reply: Json[dict[str, Any]] | None
    intended_at: int
    submitted_at: int | None
    settled_at: int | None


class JobEvent(Row):
    id: int
    job_id: int
    at: int
    type: str
    data: Json[dict[str, Any]] | None


class Render(Row):
    id: str
    video_id: str
    orientation: Orientation
    number: int
    asset_id: str
    recipe: Json[dict[str, Any]]
    job_id: int | None
    created_at: int


class Model(Row):
    """One row of the account's live catalogue.

    `credits` is None where the account's tier does not have it. `modes` are the ways it can be driven:
    `image`, `text`, `start`, `start_end`, `references`, `extend`, `upscale`, `upscale_image`.
    """

    key: str
    family: str
    name: str
    media: MediaKind
    modes: tuple[str, ...]
    credits: int | None
    duration_s: int | None = None
    resolution: str | None = None
    orientations: tuple[Orientation, ...] = tuple(Orientation)
    max_references: int = 0
    max_voices: int | None = None  #: preset voices; None where nobody says


class Account(Row):
    """Who is connected. `label` keeps accounts apart in the library; it never holds a credential."""

    label: str
    tier: str
    credits: int | None
    models: tuple[Model, ...] = ()


class CallCheck(Row):
    """One reading call of a self-check: `ok`, `changed` (an answer in a form that is not known) or `refused`."""

    call: str
    state: Literal["ok", "changed", "refused"]
    message: str


class SelfCheck(Row):
    """Whether Flow answers as this version expects; made once for each account, lane and version."""

    at: int
    version: str
    lane: str | None
    account: str | None
    calls: tuple[CallCheck, ...]


class BrowserSeen(Row):
    """The browser profile in use as it last described itself to the leader."""

    at: int
    label: str
    standing_by: tuple[str, ...] = ()  #: labels of the other profiles that are connected
    tab: str = "none"
    signed_in: bool = False
    lane: str | None = None
    account: str | None = None
    person_needed: str | None = None
    paused: bool = False


class Answer(Row):
    """What came of a free call that the leader made to see whether Flow answers."""

    at: int
    ok: bool
    message: str = ""


class Checks(Row):
    """What the leader saw. `browser` None: none is connected; `wanted_at`: when somebody asked for a look."""

    browser: BrowserSeen | None = None
    answer: Answer | None = None
    self_check: SelfCheck | None = None
    wanted_at: int = 0


class ProviderState(Row):
    """The gate, the pacing and what is known of the account; survives restarts."""

    provider: str
    gate: Gate
    reason: str | None
    message: str | None
    resume_at: int | None
    probing: bool
    failures: int
    next_submit_at: int
    connected: bool
    lane: str | None
    account: Json[Account] | None
    account_at: int | None
    checks: Json[Checks] | None
    updated_at: int

    def closed(self, now: int) -> bool:
        """Whether nothing new is sent. When a pause is over, one probe goes first."""
        return self.gate is not Gate.OPEN and (self.resume_at is None or self.resume_at > now)


class Leader(Row):
    generation: int
    pid: int
    version: str
    started_at: int
    heartbeat_at: int
    resign_requested: bool
