"""Everything that can be known to go wrong with an upload before a byte is sent. Pure. Limits: media.md §7.3."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flowkit_mcp.domain.listing import CATEGORIES, Listing, tags_length

TITLE_CHARACTERS = 100
DESCRIPTION_BYTES = 5_000
TAGS_CHARACTERS = 500
FILE_BYTES = 256 << 30
THUMBNAIL_BYTES = 50 << 20
CAPTIONS_BYTES = 100 * 1000 * 1000
LONGEST_S = 12 * 3600
UNVERIFIED_S = 15 * 60
SHORT_S = 180
AHEAD = timedelta(minutes=15)

#: Units of the 10,000 a day; an upload itself takes one of a bucket of 100 a day.
THUMBNAIL_UNITS, CAPTIONS_UNITS, PLAYLIST_UNITS, LIST_UNITS = 50, 400, 50, 1
DAILY_UPLOADS, DAILY_UNITS = 100, 10_000

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")


class FilmFile(BaseModel):
    """What is uploaded, as it lies in the library."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    duration_s: float
    width: int
    height: int
    simulated: bool = False

    @property
    def short(self) -> bool:
        """Whether YouTube will show it as a Short: upright or square, at most three minutes."""
        return self.height >= self.width and self.duration_s <= SHORT_S


class Surroundings(BaseModel):
    """What the listing is checked against."""

    model_config = ConfigDict(frozen=True)

    now: datetime
    channels: tuple[str, ...]  #: names of the channels that are signed in
    manages: bool = True  #: the sign-in may change captions and playlists
    local: bool = False  #: the endpoint is a local stand-in for YouTube
    uploads_today: int = 0
    units_today: int = 0
    #: Title or address of an earlier publication of the same film on that channel.
    published_as: str | None = None
    thumbnail_bytes: int | None = None
    thumbnail_type: str | None = None  #: e.g. `image/jpeg`
    captions_bytes: int | None = None


class Remark(BaseModel):
    """One finding. An `error` stops the upload, a `warning` does not, a `fact` is good to know."""

    model_config = ConfigDict(frozen=True)

    severity: Literal["error", "warning", "fact"]
    field: str
    message: str
    remedy: str = ""


def preflight(listing: Listing, film: FilmFile, around: Surroundings) -> tuple[Remark, ...]:
    """All findings, errors first."""
    found = [
        *_text(listing),
        *_choices(listing),
        *_schedule(listing, around.now),
        *_file(film, around),
        *_extras(film, around),
        *_place(listing, around),
        *_quota(listing, around),
    ]
    order = ("error", "warning", "fact")
    return tuple(sorted(found, key=lambda one: order.index(one.severity)))


def blocked(remarks: Sequence[Remark]) -> bool:
    """Whether anything stops the upload."""
    return any(remark.severity == "error" for remark in remarks)


def _text(listing: Listing) -> Iterator[Remark]:
    if not listing.title.strip():
        yield _error("title", "the title is empty", "Give it one.")
    # Counted as UTF-16 units, the strictest of the ways in which 100 characters can be meant.
    length = len(listing.title.encode("utf-16-le")) // 2
    if length > TITLE_CHARACTERS:
        yield _error(
            "title", f"{length} characters, at most {TITLE_CHARACTERS} are allowed", "Shorten it."
        )
    for field in ("title", "description"):
        text: str = getattr(listing, field)
        if "<" in text or ">" in text:
            yield _error(field, "contains < or >, which YouTube refuses", "Take them out.")
        if any(ord(sign) < 32 and sign not in "\n\t" for sign in text):
            yield _error(field, "contains control characters", "Take them out.")
    size = len(listing.description.encode())
    if size > DESCRIPTION_BYTES:
        yield _error(
            "description", f"{size} bytes, at most {DESCRIPTION_BYTES} are allowed", "Shorten it."
        )
    total = tags_length(listing.tags)
    if total > TAGS_CHARACTERS:
        yield _error(
            "tags",
            f"{total} characters with commas and quotes, at most {TAGS_CHARACTERS} are allowed",
            "Leave some out.",
        )
    for tag in listing.tags:
        if not tag.strip() or re.search(r'[<>",]', tag):
            yield _error(
                "tags", f'the tag {tag!r} is empty or has one of < > " ,', "Correct or drop it."
            )


def _choices(listing: Listing) -> Iterator[Remark]:
    if listing.category_id not in CATEGORIES.values():
        yield _error(
            "category",
            f"there is no category {listing.category!r}",
            f"One of: {', '.join(CATEGORIES)}.",
        )
    if not _LANGUAGE.match(listing.language):
        yield _error(
            "language",
            f"{listing.language!r} is no language tag",
            "Write it as en, pt-BR, zh-Hant.",
        )
    if listing.made_for_kids is None:
        yield _error(
            "made_for_kids",
            "whether the film is made for children has not been said",
            "Ask the person; YouTube holds them to the answer.",
        )
    if not listing.synthetic_media:
        if not (listing.synthetic_reason or "").strip():
            yield _error(
                "synthetic_media",
                "the disclosure of AI-made pictures is switched off without a reason",
                "Leave it on, or pass synthetic_reason in the person's words.",
            )
        else:
            yield Remark(
                severity="warning",
                field="synthetic_media",
                message="the disclosure is off; realistic AI pictures must be disclosed on YouTube",
            )


def _schedule(listing: Listing, now: datetime) -> Iterator[Remark]:
    at = listing.publish_at
    if at is None:
        return
    if listing.privacy != "private":
        yield _error(
            "publish_at",
            f"a film with a date must be private until then, not {listing.privacy}",
            "Leave privacy at private.",
        )
    if at < now + AHEAD:
        when = "has passed" if at <= now else "is less than 15 minutes ahead"
        yield _error(
            "publish_at", f"{at.isoformat()} {when}; YouTube would publish at once", "Choose later."
        )


def _file(film: FilmFile, around: Surroundings) -> Iterator[Remark]:
    if film.bytes > FILE_BYTES:
        yield _error(
            "film", f"{film.bytes >> 30} GiB, at most 256 are allowed", "Merge it smaller."
        )
    if film.duration_s > LONGEST_S:
        yield _error("film", "longer than 12 hours", "Cut it into parts.")
    elif film.duration_s > UNVERIFIED_S:
        yield Remark(
            severity="warning",
            field="film",
            message="longer than 15 minutes: only channels with a verified telephone may upload it",
            remedy="Verify at youtube.com/verify first.",
        )
    if film.simulated and not around.local:
        yield _error(
            "film",
            "made with the simulator; its films stay on this machine",
            "Make it with a Flow account.",
        )
    if film.short:
        yield Remark(
            severity="fact",
            field="film",
            message=f"upright and {film.duration_s:.0f} s: YouTube shows it as a Short",
        )


def _extras(film: FilmFile, around: Surroundings) -> Iterator[Remark]:
    size, kind = around.thumbnail_bytes, around.thumbnail_type
    if size is not None:
        if size > THUMBNAIL_BYTES:
            yield _error(
                "thumbnail", f"{size >> 20} MiB, at most 50 are allowed", "Save it smaller."
            )
        if kind not in ("image/jpeg", "image/png"):
            yield _error("thumbnail", f"{kind or 'not a picture'}, not JPEG or PNG", "Convert it.")
        if film.short:
            yield Remark(
                severity="fact",
                field="thumbnail",
                message="of a Short it is set once YouTube has processed the film",
            )
    if around.captions_bytes is not None and around.captions_bytes > CAPTIONS_BYTES:
        yield _error("captions", "more than 100 MB", "Are these captions?")


def _place(listing: Listing, around: Surroundings) -> Iterator[Remark]:
    names = ", ".join(around.channels)
    if not around.channels:
        yield _error("channel", "nobody is signed in", "Run: flowkit-mcp youtube login")
    elif listing.channel is None and len(around.channels) > 1:
        yield _error("channel", "several channels are signed in", f"Pass channel, one of: {names}.")
    elif listing.channel is not None and listing.channel not in around.channels:
        yield _error("channel", f"{listing.channel!r} is not signed in", f"Signed in: {names}.")
    if not around.manages and (listing.playlist or around.captions_bytes is not None):
        yield _error(
            "channel",
            "this sign-in may not change captions and playlists",
            "Run: flowkit-mcp youtube login --captions, or leave them out.",
        )
    if around.published_as is not None:
        yield _error(
            "film",
            f"this film is there already: {around.published_as}",
            "Merge a new one, or pass again=true to have it twice.",
        )


def _quota(listing: Listing, around: Surroundings) -> Iterator[Remark]:
    if around.uploads_today >= DAILY_UPLOADS:
        yield _error(
            "quota",
            f"{DAILY_UPLOADS} uploads today, the limit",
            "Wait until midnight, Pacific time.",
        )
    need = units(listing, around)
    left = DAILY_UNITS - around.units_today
    if need > left:
        yield _error(
            "quota",
            f"thumbnail, captions and playlist take {need} units, {left} are left today",
            "Leave some out, or wait until midnight, Pacific time.",
        )


def units(listing: Listing, around: Surroundings) -> int:
    """What the steps after the upload take of the daily 10,000."""
    return (
        LIST_UNITS * 5
        + (THUMBNAIL_UNITS if around.thumbnail_bytes is not None else 0)
        + (CAPTIONS_UNITS if around.captions_bytes is not None else 0)
        + (PLAYLIST_UNITS if listing.playlist else 0)
    )


def _error(field: str, message: str, remedy: str) -> Remark:
    return Remark(severity="error", field=field, message=message, remedy=remedy)
