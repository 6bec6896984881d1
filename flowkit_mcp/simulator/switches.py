"""How this Flow behaves where the real one is unsure, or where a test wants it otherwise.

Each switch belongs to a behaviour of flow-wire §11; `behaviours.py` says which, `/made` shows them all.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Switches(BaseModel):
    """All switches with their defaults; the defaults are the realistic mix."""

    model_config = ConfigDict(extra="forbid")

    # Transport and session

    framing: Literal["mixed", "plain", "split"] = Field(
        default="mixed",
        description="How a batchexecute reply is cut: one chunk, a chunk per frame, or now and then",
    )
    rotate_page: bool = Field(
        default=False, description="Every page load gets new page values; the old ones stop working"
    )
    rotate_cookie: bool = Field(
        default=False,
        description="Every call of labs' session endpoint sets a new cookie; the old one dies",
    )
    bearer_minutes: float = Field(
        default=60, gt=0, description="How long a bearer of lane labs works"
    )
    bearer_early: str = Field(
        default="uploadImage",
        description="The labs call for which a bearer ends early (a part of its path); empty: none",
    )
    bearer_early_minutes: float = Field(
        default=5, ge=0, description="By how many minutes it ends earlier there"
    )
    needs_source_path: tuple[str, ...] = Field(
        default=("BELUGA",), description="Image models refused when the call names no page"
    )
    captcha: Literal["enforce", "off", "distrust"] = Field(
        default="enforce",
        description="enforce: as Flow does; off: any token; distrust: every token is refused",
    )
    captcha_lifetime_s: float = Field(
        default=120, gt=0, description="How long a captcha token is good, in seconds"
    )
    captcha_parallel: Literal["fine", "newest_only"] = Field(
        default="fine",
        description="newest_only: a token minted while an older one is unused makes that one worthless",
    )

    # Ids and shapes

    long_ids: Literal["accept", "refuse"] = Field(
        default="accept",
        description="Whether lane labs takes CAMS… ids where media are named (videos, /v1/media, delete)",
    )
    image_names: Literal["uuid", "long"] = Field(
        default="uuid", description="How lane labs names new pictures"
    )
    submit_shape: Literal["mix", "operations", "media", "both", "empty"] = Field(
        default="mix",
        description="Reply to a video submit in lane labs. mix: upscales operations; else media 7 of 10, "
        "both 2, operations 1 (never for Omni). empty: nothing is made or charged, in both lanes",
    )
    status_path: Literal["mix", "top", "metadata", "absent"] = Field(
        default="mix",
        description="Where labs writes a status. mix: top or inside mediaMetadata by turns; "
        "absent: finished media have none",
    )
    status_url: bool = Field(
        default=False,
        description="Whether labs' status replies carry addresses, as before June 2026",
    )
    upload_media: Literal["object", "array"] = Field(
        default="object", description="`media` in the reply to a labs upload"
    )
    image_address: Literal["fifeUrl", "imageUri", "encodedImage", "later"] = Field(
        default="fifeUrl",
        description="How labs hands over a new picture; later: only SCHEDULED, to be read again",
    )
    poll_by_workflow: Literal["complain", "absent"] = Field(
        default="complain", description="What a poll says about a workflow id"
    )
    step_ids: Literal["mixed", "CAE", "null"] = Field(
        default="mixed", description="Step ids of records; they mean nothing"
    )
    derived_ids: bool = Field(
        default=True, description="Ids of results follow from the client's seeds (flow-wire §0.6)"
    )
    echo_inputs: bool = Field(
        default=True, description="The reply to a picture repeats the ids of its inputs"
    )

    # Lifecycle

    lifecycle: Literal["mixed", "straight", "relapse", "slow"] = Field(
        default="mixed",
        description="mixed: one clip in eight goes back to the queue once; straight: none; relapse: all; "
        "slow: ten times as long in ACTIVE",
    )
    extend_source: Literal["media", "workflow", "either"] = Field(
        default="media",
        description="Which id an extension wants; with the other it is charged and never scheduled",
    )
    url_delay_s: float = Field(
        default=0.7, ge=0, description="From status 3 to the clip's address, in seconds times pace"
    )
    media_bytes: Literal["right", "no_ftyp", "wrong_size"] = Field(
        default="right",
        description="A clip's bytes: as rendered, without `ftyp`, or other than the record's size",
    )
    url_lifetime_s: float = Field(
        default=21600, gt=0, description="How long a media address works, in seconds"
    )
    url_path: Literal["content", "ai-sandbox-videofx"] = Field(
        default="content", description="The first part of media addresses (their host changed too)"
    )
    redirect_status: Literal[302, 307] = Field(
        default=307, description="Status of labs' redirect to a media address"
    )
    media_omni: Literal["refuse", "serve"] = Field(
        default="refuse", description="What labs' /v1/media does with Omni clips"
    )
    existing_upscale: Literal["inline", "operation"] = Field(
        default="inline", description="How labs returns an upscale that is there already"
    )
    upload_ttl_s: float | None = Field(
        default=None, gt=0, description="After how many seconds an upload is forgotten"
    )

    # Silent failures

    drop_references: bool = Field(
        default=False, description="References of pictures and clips are dropped without a word"
    )
    portrait_keys: Literal["listed", "unlisted"] = Field(
        default="listed",
        description="Whether Veo keys exist per orientation (listed) or plain keys take both",
    )
    upscale_slot_6: Literal["resolution", "aspect"] = Field(
        default="resolution", description="What p0UkFb reads in slot 6 (flow-wire §8)"
    )
    picture_levels: Literal["1/2", "2/3"] = Field(
        default="1/2", description="What SPrCad means by 2K/4K (flow-wire §4.3)"
    )

    # Limits

    quota: dict[str, int] = Field(
        default={}, description="How many more outputs a model key may make today"
    )
    concurrent_limit: int | None = Field(
        default=None, ge=1, description="How many clips may be in work at once"
    )
    submits_per_minute: int | None = Field(
        default=None, ge=1, description="More submits of an account in a minute are throttled"
    )
    picture_upscale_burst: int = Field(
        default=10, ge=1, description="More picture upscales in two minutes are too much traffic"
    )
    retry_after: Literal["none", "seconds", "date"] = Field(
        default="none", description="The Retry-After header of a 429 in lane labs"
    )
    retry_after_s: int = Field(default=30, ge=0, description="What that header asks for")

    # Books and listings

    poll_credits: Literal["mixed", "null", "always"] = Field(
        default="mixed", description="Credits in a poll; mixed: null while something is pending"
    )
    stale_credits: bool = Field(
        default=False, description="The balance read is the one before the latest booking"
    )
    listing_lag_s: float = Field(
        default=0, ge=0, description="New media are missing from listings for so long, in seconds"
    )
    listing_padding_mb: float = Field(
        default=0, ge=0, le=32, description="How much bigger a project's listing is made"
    )
    renamed_models: dict[str, str] = Field(
        default={}, description="Old model key to new one; the old one is not found any more"
    )
    moved_rpcs: dict[str, str] = Field(
        default={}, description="Old rpc id to new one; the old one is unknown"
    )
    upload_consent: bool = Field(
        default=False, description="An account's uploads are refused until it has consented once"
    )
