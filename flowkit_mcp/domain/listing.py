"""What a film is called and how it is shown on YouTube: the metadata a person approves, exactly as sent. Pure.

Limits and defaults: media.md §7.3. Absent is not false there, so the two declarations are always sent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Privacy = Literal["private", "unlisted", "public"]

#: Assignable categories and their ids.
CATEGORIES = {
    "film": "1",
    "autos": "2",
    "music": "10",
    "pets": "15",
    "sports": "17",
    "travel": "19",
    "gaming": "20",
    "people": "22",
    "comedy": "23",
    "entertainment": "24",
    "news": "25",
    "howto": "26",
    "education": "27",
    "science": "28",
    "nonprofit": "29",
}


class Attachment(BaseModel):
    """A thumbnail or a file of captions, as it was when the person agreed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str  #: absolute
    sha256: str


class Listing(BaseModel):
    """A film's page on YouTube. Immutable: what was approved is what is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    description: str = ""
    tags: tuple[str, ...] = ()
    category: str = "film"  #: a name of `CATEGORIES` or its number
    language: str = "en"  #: BCP 47, of title, description and speech
    privacy: Privacy = "private"
    publish_at: AwareDatetime | None = None  #: made public then; needs privacy `private`
    playlist: str | None = None  #: its id
    made_for_kids: bool | None = None  #: None: the person has not said; it is never guessed
    synthetic_media: bool = True  #: the clips are made by AI
    #: Why the disclosure is switched off, in the person's words; kept with the publication.
    synthetic_reason: str | None = None
    notify_subscribers: bool = False
    channel: str | None = Field(default=None, description="Name of a signed-in channel")

    @property
    def category_id(self) -> str:
        """Its number; an unknown name is returned as it is and refused by the preflight."""
        return CATEGORIES.get(self.category.lower(), self.category)

    def body(self) -> dict[str, Any]:
        """The resource of `videos.insert`, parts `snippet` and `status`; without a declaration that nobody made."""
        snippet: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "tags": list(self.tags),
            "categoryId": self.category_id,
            "defaultLanguage": self.language,
            "defaultAudioLanguage": self.language,
        }
        status: dict[str, Any] = {
            "privacyStatus": self.privacy,
            "containsSyntheticMedia": self.synthetic_media,
        }
        if self.made_for_kids is not None:
            status["selfDeclaredMadeForKids"] = self.made_for_kids
        if self.publish_at is not None:
            status["publishAt"] = iso(self.publish_at)
        return {"snippet": snippet, "status": status}


def iso(at: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as YouTube wants it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tags_length(tags: tuple[str, ...]) -> int:
    """Characters as YouTube counts them: a comma between two, and quotes around a tag with a blank."""
    return sum(len(tag) + (2 if " " in tag else 0) for tag in tags) + max(0, len(tags) - 1)
