"""What Flow answers, as small types that both lanes fill. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from flowkit_mcp.domain.models import Orientation


class Status(IntEnum):
    """Where a job stands, as lane `batchexecute` numbers it (flow-wire §7.1). Any other number: keep waiting."""

    PENDING = 1
    ACTIVE = 2
    SUCCESSFUL = 3
    FAILED = 4
    CANCELLED = 5
    SCHEDULED = 6


class NoMedia(StrEnum):
    """Two ways of not being shown a media record."""

    ABSENT = "absent"  #: Flow says it does not exist, or not for this account
    SILENT = "silent"  #: Flow answered without data (plain uploads, very old items)


@dataclass(frozen=True)
class Credits:
    balance: int | None
    tier: int
    #: The plan's name in lane `labs`, which some of its calls want back.
    paygate: str | None = None


@dataclass(frozen=True)
class Usage:
    """One key of the catalogue as Flow prints it: numbers not yet put into words.

    `prices` by service tier in credits; a tier that may not use the key is missing.
    """

    key: str
    family: str
    title: str
    image: bool
    prices: dict[int, int]
    requirements: frozenset[int]
    aspects: tuple[int, ...]
    duration_s: int | None
    max_images: int | None
    resolutions: tuple[int, ...]
    #: The page offers no choice of this family; upscalers are found there (flow-wire §3.2, appendix A).
    hidden: bool = False
    #: Preset voices that it takes; None where nothing is said.
    max_voices: int | None = None


@dataclass(frozen=True)
class Echo:
    """What Flow says it understood: to be compared, since wrong values are accepted silently (flow-wire §2.1).

    `mode`: 1 text, 2 from images, 3 references. `inputs`: how many inputs arrived. None where nothing is said.
    """

    mode: int | None = None
    inputs: int | None = None
    orientation: Orientation | None = None
    model: str | None = None


@dataclass(frozen=True)
class MediaRecord:
    """What is known of one image or clip. URLs are bearer secrets: `repr()` leaves them and the bytes out."""

    id: str
    project: str | None = None
    workflow: str | None = None
    status: int | None = None
    failure: Any = None
    image: bool = False
    video: bool = False
    image_url: str | None = None
    video_url: str | None = None
    bytes: int | None = None
    #: The file itself in base64, where the answer brings it along.
    data: str | None = None
    prompt: str | None = None
    seed: int | None = None
    created_s: int | None = None
    duration_s: float | None = None
    #: The picture that this one is a larger version of.
    parent: str | None = None
    echo: Echo = field(default_factory=Echo)

    @property
    def unknown(self) -> bool:
        """Flow does not know the id that was polled; no failure of any job (flow-wire §6.2)."""
        return "media not found" in str(self.failure).lower()

    def __repr__(self) -> str:
        return f"MediaRecord({self.id!r}, status={self.status})"


@dataclass(frozen=True)
class Records:
    """Answer of a submit or a poll: the records, the workflows beside them, the balance if told.

    `operations`: names of running operations that came without a record (lane `labs`, flow-wire §6.3 a).
    `inline`: the finished file in base64, where the answer itself carries it.
    """

    records: tuple[MediaRecord, ...]
    workflows: tuple[str, ...] = ()
    credits: int | None = None
    operations: tuple[str, ...] = ()
    inline: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ProjectRow:
    id: str
    title: str


@dataclass(frozen=True)
class WorkflowRow:
    """One tile of a project: `primary` is the media it shows, `batch` the id its first call was sent with."""

    id: str
    title: str = ""
    primary: str | None = None
    batch: str | None = None
    archived: bool = False


@dataclass(frozen=True)
class CharacterRow:
    id: str
    name: str
    voices: tuple[str, ...] = ()
    notes: str = ""
    primary: str | None = None
    archived: bool = False


@dataclass(frozen=True)
class Contents:
    """A project: trashed workflows are still listed, permanent deletes are not."""

    media: tuple[MediaRecord, ...] = ()
    workflows: tuple[WorkflowRow, ...] = ()
    characters: tuple[CharacterRow, ...] = ()
