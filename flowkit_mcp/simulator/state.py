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
from flowkit_mcp.simulator.switches import Switches

Tier = Literal["free", "pro", "ultra"]
#: Which of Flow's two protocols an account is served (flow-wire §0.1).
Lane = Literal["batchexecute", "labs"]
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
    CANCELED = 5
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
    lane: Lane = "batchexecute"
    distrusted_until: int = 0  #: milliseconds; until then every captcha token is refused
    consented: bool = False  #: to the one-time terms of uploading

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
    deleted: bool = False


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
    voices: list[str] = []
    characters: list[str] = []
    scene: str | None = None
    frames: tuple[int, int] | None = None  #: of the source, first and last, at 24 per second
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
    handle: str | None = None  #: the operation name by which lane labs' old poll knows it
    stuck: bool = False  #: charged, and never scheduled
    fate: str | None = None  #: what chaos has in store: a failure's reason, "" = none given
    deleted: bool = False

    @property
    def omni(self) -> bool:
        return self.model.startswith(("abra_", "omni_"))

    @property
    def unfinished(self) -> bool:
        return self.status.pending or (self.status is Status.DONE and not self.ready)


class Character(_Record):
    """A character of a project, "entity" on the wire (flow-wire §6.9)."""

    id: str
    project: str
    collection: str | None = None
    name: str
    voices: list[str] = []
    notes: str | None = None
    portraits: list[str] = []  #: workflow ids of its pictures
    primary: str | None = None
    favorited: bool = False
    archived: bool = False
    deleted: bool = False
    created_at: int
    updated_at: int


class Scene(_Record):
    """Tiles in a row; an extension goes into one (flow-wire §6.6, §6.7)."""

    id: str
    project: str
    title: str
    aspect: int  #: 1 = 9:16, 2 = 16:9
    workflows: list[str]
    created_at: int
    updated_at: int


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
    """The next `times` calls of `rpc` go wrong, or all of them `until` a time (ms since 1970)."""

    rpc: str  #: `*` = any
    kind: FaultKind
    times: int = Field(default=1, ge=1)
    until: int | None = None


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
    characters: dict[str, Character] = {}
    scenes: dict[str, Scene] = {}
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
