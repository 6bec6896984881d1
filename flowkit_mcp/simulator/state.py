"""What the simulator remembers, and its one file on disk.

The whole state is written after every change, to a temporary name that then replaces the old file: a
simulator that is killed at any instant finds either the state before a change or the state after it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from enum import IntEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from flowkit_mcp.simulator.catalogue import Mode
from flowkit_mcp.simulator.faults import FaultKind

Tier = Literal["free", "pro", "ultra"]
SERVICE_TIERS: dict[Tier, int] = {"free": 1, "pro": 2, "ultra": 3}
SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "video/mp4": ".mp4",
}
STARTING_CREDITS: dict[Tier, int] = {"free": 50, "pro": 1000, "ultra": 25000}


class Status(IntEnum):
    """Codes of flow-wire §7.1."""

    ACTIVE = 2
    DONE = 3
    FAILED = 4
    SCHEDULED = 6

    @property
    def pending(self) -> bool:
        return self in (Status.ACTIVE, Status.SCHEDULED)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Account(_Record):
    name: str
    tier: Tier
    balance: int

    @property
    def service_tier(self) -> int:
        return SERVICE_TIERS[self.tier]


class Session(_Record):
    """One signed-in browser, and the values its page was given (flow-wire §1.1)."""

    account: str
    at: str
    sid: str


class Project(_Record):
    id: str
    account: str
    title: str
    cover: str | None = None
    created_at: int


class Workflow(_Record):
    """One tile of the grid; a picture and its edits share it."""

    id: str
    project: str
    title: str
    primary: str
    batch: str | None
    collection: str | None = None
    archived: bool = False
    favorited: bool = False
    created_at: int
    updated_at: int


class Input(_Record):
    """A picture or clip that something is made from."""

    id: str
    use: Literal["reference", "base", "start", "end", "source"]


class Media(_Record):
    """One picture or clip, from the moment it was accepted."""

    id: str
    project: str
    workflow: str
    kind: Literal["image", "video"]
    mode: Mode | Literal["upload"]
    title: str
    prompt: str = ""
    model: str = ""
    aspect: int = 0
    width: int
    height: int
    seconds: int | None = None
    seed: int = 0
    inputs: list[Input] = []
    status: Status = Status.SCHEDULED
    reason: str | None = None  #: of FAILED; "" = no reason given
    poster: bool = False  #: a JPEG can be fetched
    ready: bool = False  #: the medium itself can be fetched
    bytes: int | None = None
    mime: str = "image/jpeg"
    created_at: int
    rpc: str
    cost: int = 0
    client_seed: str | None = None
    workflow_seed: str | None = None

    @property
    def unfinished(self) -> bool:
        return self.status.pending or (self.status is Status.DONE and not self.ready)


class LedgerEntry(_Record):
    """One charge or refund. Accepted work that costs nothing is in the ledger too, with 0 credits."""

    at: int  #: milliseconds since 1970 UTC
    kind: Literal["charge", "refund"]
    credits: int
    account: str
    rpc: str
    project_id: str
    media_id: str
    seed: str | None  #: the media seed, exactly as the client sent it
    model: str
    reason: str = ""


class Fault(_Record):
    """The next `times` calls of `rpc` go wrong."""

    rpc: str
    kind: FaultKind
    times: int = Field(ge=1)


class Switches(_Record):
    """How this Flow behaves where the real one is unsure, or where a test wants it otherwise."""

    captcha: Literal["enforce", "off", "distrust"] = Field(
        default="enforce",
        description="enforce: as Flow does; off: any token; distrust: every token is refused",
    )
    derived_ids: bool = Field(
        default=True, description="Ids of results follow from the client's seeds (flow-wire §0.6)"
    )
    rotate_page: bool = Field(
        default=False, description="Every page load gets new page values; the old ones stop working"
    )
    quota: dict[str, int] = Field(
        default={}, description="How many more outputs a model key may make today"
    )
    concurrent_limit: int | None = Field(
        default=None, ge=1, description="How many clips may be in work at once"
    )
    url_lifetime_s: float = Field(
        default=21600, gt=0, description="How long a media address works, in seconds"
    )
    upload_ttl_s: float | None = Field(
        default=None, gt=0, description="After how many seconds an upload is forgotten"
    )
    portrait_keys: Literal["listed", "unlisted"] = Field(
        default="listed",
        description="Whether Veo keys exist per orientation (listed) or plain keys take both",
    )
    upscale_slot_6: Literal["resolution", "aspect"] = Field(
        default="resolution", description="What p0UkFb reads in slot 6 (flow-wire §8)"
    )


class State(_Record):
    revision: int = 0
    default_account: str = ""
    build: int = 11  #: the changing part of the build label
    signing_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    accounts: dict[str, Account] = {}
    sessions: dict[str, Session] = {}
    projects: dict[str, Project] = {}
    workflows: dict[str, Workflow] = {}
    media: dict[str, Media] = {}
    ledger: list[LedgerEntry] = []
    switches: Switches = Switches()
    faults: list[Fault] = []


class StateFile:
    """`simulator.json` and the folder `media` beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file = folder / "simulator.json"
        (folder / "media").mkdir(parents=True, exist_ok=True)
        for left in [*folder.glob(".*.part"), *folder.glob("media/.*")]:
            _clear(left)

    def load(self) -> State:
        if not self._file.is_file():
            return State()
        return State.model_validate_json(self._file.read_text(encoding="utf-8"))

    def save(self, state: State) -> None:
        state.revision += 1
        replace(self._file, state.model_dump_json().encode("utf-8"), private=True)

    def path(self, media: Media) -> Path:
        """Where the medium itself is, or will be once it is rendered."""
        suffix = SUFFIXES[media.mime]
        return self.folder / "media" / f"{media.id}{suffix}"

    def poster(self, media: Media) -> Path:
        if media.kind == "image":
            return self.path(media)
        return self.folder / "media" / f"{media.id}.poster.jpg"


def replace(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a whole file or nothing. Only the program may be killed here, not the power: no fsync."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _clear(left: Path) -> None:
    """Remove what a simulator that was killed had not finished writing."""
    if left.is_dir():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)
