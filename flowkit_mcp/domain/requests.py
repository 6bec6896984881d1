"""What may be asked of the queue: one frozen model per kind, and the fingerprint that makes asking twice harmless.

A request holds takes, not remote ids: which account knows a picture under which id is found out when the job runs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from flowkit_mcp.domain.models import Job, JobKind, Orientation, Priority, Stage


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    project_id: str
    #: 0 for "fill the slot"; the take's number when another take is wanted on purpose.
    take_number: int = 0

    @property
    def priority(self) -> Priority:
        return Priority.LOCAL

    @property
    def fingerprint(self) -> str:
        """The same for two requests that would make the same thing: hash of all fields."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class GenerateReference(_Request):
    """The picture that shows what a character looks like; `base_take_id` when an earlier one is edited."""

    kind: Literal[
        JobKind.GENERATE_CHARACTER_IMAGE,
        JobKind.REGENERATE_CHARACTER_IMAGE,
        JobKind.EDIT_CHARACTER_IMAGE,
    ] = JobKind.GENERATE_CHARACTER_IMAGE
    character_id: str
    orientation: Orientation
    prompt: str = Field(min_length=1)
    model: str
    base_take_id: str | None = None
    seed: int | None = None

    @property
    def priority(self) -> Priority:
        return Priority.REFERENCE

    @property
    def stage(self) -> Stage:
        return Stage.REFERENCE


class GenerateImage(_Request):
    """The first frame of a scene. With `base_take_id` the base image is edited (also a CONTINUATION's way)."""

    kind: Literal[JobKind.GENERATE_IMAGE, JobKind.REGENERATE_IMAGE, JobKind.EDIT_IMAGE] = (
        JobKind.GENERATE_IMAGE
    )
    video_id: str
    scene_id: str
    orientation: Orientation
    prompt: str = Field(min_length=1)
    model: str
    reference_take_ids: tuple[str, ...] = ()
    base_take_id: str | None = None
    seed: int | None = None

    @property
    def priority(self) -> Priority:
        return Priority.IMAGE

    @property
    def stage(self) -> Stage:
        return Stage.IMAGE


class GenerateVideo(_Request):
    """A clip from a start image, and to an end image where one is given."""

    kind: Literal[JobKind.GENERATE_VIDEO] = JobKind.GENERATE_VIDEO
    video_id: str
    scene_id: str
    orientation: Orientation
    prompt: str = Field(min_length=1)
    model: str
    start_take_id: str
    end_take_id: str | None = None
    seed: int | None = None

    @property
    def priority(self) -> Priority:
        return Priority.VIDEO

    @property
    def stage(self) -> Stage:
        return Stage.VIDEO


class UpscaleVideo(_Request):
    """A larger version of a clip, kept beside it."""

    kind: Literal[JobKind.UPSCALE_VIDEO] = JobKind.UPSCALE_VIDEO
    video_id: str
    scene_id: str
    orientation: Orientation
    model: str
    source_take_id: str
    resolution: Literal["1080p", "4K"] = "1080p"

    @property
    def priority(self) -> Priority:
        return Priority.VIDEO

    @property
    def stage(self) -> Stage:
        return Stage.UPSCALE


class Merge(_Request):
    """The clips of a video joined in order into one film."""

    kind: Literal[JobKind.MERGE] = JobKind.MERGE
    video_id: str
    orientation: Orientation
    clip_take_ids: tuple[str, ...] = Field(min_length=1)


PaidRequest = GenerateReference | GenerateImage | GenerateVideo | UpscaleVideo
Request = Annotated[PaidRequest | Merge, Field(discriminator="kind")]

_adapter: TypeAdapter[PaidRequest | Merge] = TypeAdapter(Request)


def request_of(job: Job) -> PaidRequest | Merge:
    """The request a job was made from."""
    return _adapter.validate_python(job.request)


def paid_request_of(job: Job) -> PaidRequest:
    """The request of a job that a provider carries out."""
    request = request_of(job)
    if isinstance(request, Merge):
        raise TypeError(f"job {job.id} is a merge and needs no provider")
    return request
