"""What may be asked of the queue: one frozen model per kind, and the fingerprint that makes asking twice harmless.

A request holds takes, not remote ids: which account knows a picture under which id is found out when the job runs.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from flowkit_mcp.domain.cut import Cut
from flowkit_mcp.domain.listing import Attachment, Listing
from flowkit_mcp.domain.models import Job, JobKind, Orientation, Priority, Stage


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Who does the work: a provider of media, `local` for ffmpeg, `youtube`.
    provider: ClassVar[str] = "flow"

    #: 0 for "fill the slot"; the take's number when another take is wanted on purpose.
    take_number: int = 0

    @property
    def priority(self) -> Priority:
        return Priority.LOCAL

    @property
    def fingerprint(self) -> str:
        """The same for two requests that would make the same thing: hash of all fields but `kind`.

        `kind` only tells how it was asked (again, as an edit), which depends on what is there already: the same call
        repeated later must find its job, whatever it is called by then (docs/decisions/0011).
        """
        values = {"request": type(self).__name__, **self.model_dump(mode="json", exclude={"kind"})}
        text = json.dumps(values, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class _Request(_Asked):
    project_id: str


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


VideoMode = Literal["text", "start", "start_end", "references", "extend"]

#: mode -> the inputs it needs and the ones it may have beside its prompt.
_INPUTS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "text": (frozenset(), frozenset()),
    "start": (frozenset({"start_take_id"}), frozenset()),
    "start_end": (frozenset({"start_take_id", "end_take_id"}), frozenset()),
    "references": (frozenset({"reference_take_ids"}), frozenset({"voices"})),
    "extend": (frozenset({"extended_take_id"}), frozenset()),
}
_ALL_INPUTS = {name for both in _INPUTS.values() for names in both for name in names}


class GenerateVideo(_Request):
    """A clip. Which inputs are set follows from `mode`:

    `text` only the prompt; `start` a first frame; `start_end` a first and a last frame; `references` pictures of the
    cast, and preset voices where the model takes them; `extend` goes on where another clip ends.
    """

    kind: Literal[JobKind.GENERATE_VIDEO, JobKind.GENERATE_VIDEO_REFS] = JobKind.GENERATE_VIDEO
    mode: VideoMode = "start"
    video_id: str
    scene_id: str
    orientation: Orientation
    prompt: str = Field(min_length=1)
    model: str
    start_take_id: str | None = None
    end_take_id: str | None = None
    reference_take_ids: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()  #: slugs of preset voices, e.g. `charon`
    extended_take_id: str | None = None  #: the clip that goes on
    seed: int | None = None

    @model_validator(mode="after")
    def _inputs_fit_the_mode(self) -> Self:
        needed, allowed = _INPUTS[self.mode]
        given = {name for name in _ALL_INPUTS if getattr(self, name)}
        if missing := sorted(needed - given):
            raise ValueError(f"mode {self.mode!r} needs {', '.join(missing)}")
        if extra := sorted(given - needed - allowed):
            raise ValueError(f"mode {self.mode!r} takes no {', '.join(extra)}")
        if (self.kind is JobKind.GENERATE_VIDEO_REFS) != (self.mode == "references"):
            raise ValueError(f"{self.kind} does not go with mode {self.mode!r}")
        return self

    @property
    def priority(self) -> Priority:
        return Priority.VIDEO

    @property
    def stage(self) -> Stage:
        return Stage.VIDEO


class UpscaleVideo(_Request):
    """A larger version of a clip, kept beside it. `720p` is for clips made at 360p."""

    kind: Literal[JobKind.UPSCALE_VIDEO] = JobKind.UPSCALE_VIDEO
    video_id: str
    scene_id: str
    orientation: Orientation
    model: str
    source_take_id: str
    resolution: Literal["720p", "1080p", "4K"] = "1080p"

    @property
    def priority(self) -> Priority:
        return Priority.VIDEO

    @property
    def stage(self) -> Stage:
        return Stage.UPSCALE


class UpscaleImage(_Request):
    """A larger version of a scene's image, kept beside it; clips go on being made from the image."""

    kind: Literal[JobKind.UPSCALE_IMAGE] = JobKind.UPSCALE_IMAGE
    video_id: str
    scene_id: str
    orientation: Orientation
    model: str
    source_take_id: str
    resolution: Literal["2K", "4K"] = "2K"

    @property
    def priority(self) -> Priority:
        return Priority.IMAGE

    @property
    def stage(self) -> Stage:
        return Stage.IMAGE_UPSCALE


class LastFrame(_Request):
    """The first frame of a CONTINUATION: the last frame that is shown of its parent's clip, cut here for nothing."""

    provider: ClassVar[str] = "local"

    kind: Literal[JobKind.LAST_FRAME] = JobKind.LAST_FRAME
    video_id: str
    scene_id: str
    orientation: Orientation
    clip_take_id: str
    end_s: float | None = None  #: where the clip is trimmed to end, in seconds; None: at its end

    @property
    def priority(self) -> Priority:
        return Priority.IMAGE

    @property
    def stage(self) -> Stage:
        return Stage.IMAGE


class Merge(_Request):
    """The clips of a video joined in order into one film, as `cut` says."""

    provider: ClassVar[str] = "local"

    kind: Literal[JobKind.MERGE] = JobKind.MERGE
    video_id: str
    orientation: Orientation
    clip_take_ids: tuple[str, ...] = Field(min_length=1)
    cut: Cut = Cut()
    #: Size and time of each file of the person's own that the cut names: another music is another film.
    file_marks: tuple[str, ...] = ()

    def recipe(self) -> dict[str, Any]:
        """What makes two films the same; part of a render's recipe."""
        return {
            "clips": list(self.clip_take_ids),
            "cut": self.cut.model_dump(mode="json", exclude_defaults=True),
            "files": list(self.file_marks),
        }


class Publish(_Request):
    """A film's way to one YouTube channel, with the listing exactly as the person approved it.

    `take_number` counts the publications of the film there when it is wanted once more on purpose.
    """

    provider: ClassVar[str] = "youtube"

    kind: Literal[JobKind.PUBLISH] = JobKind.PUBLISH
    video_id: str
    orientation: Orientation
    render_id: str
    channel_id: str
    listing: Listing
    thumbnail: Attachment | None = None
    captions: Attachment | None = None

    @property
    def fingerprint(self) -> str:
        """The same for the same film on the same channel, whatever it is called there: one session at a time."""
        text = f"publish {self.render_id} {self.channel_id} {self.take_number}"
        return hashlib.sha256(text.encode()).hexdigest()


HousekeepingAction = Literal[
    "list_projects",
    "list_contents",
    "rename_project",
    "delete_project",
    "rename",
    "trash",
    "restore",
]


class Housekeeping(_Asked):
    """A free call about what lies at the provider; its answer is the `answer` event of the job.

    | action | takes | answer |
    |---|---|---|
    | `list_projects` | – | `{"projects": [{"id", "title", …}]}` |
    | `list_contents` | project | `{"items": [{"workflow", "title", "media": […], "archived"}]}` |
    | `rename_project` | project, title | `{}` |
    | `delete_project` | project | `{}`: gone for good at the provider; the library keeps its files |
    | `rename` | project, items (one), title | `{}` |
    | `trash`, `restore` | project, items | `{}` |

    `project` is an id of the provider; `items` are ids of its workflows (the tiles of its grid).
    """

    kind: Literal[JobKind.HOUSEKEEPING] = JobKind.HOUSEKEEPING
    action: HousekeepingAction
    project: str | None = None
    items: tuple[str, ...] = ()
    title: str | None = Field(default=None, min_length=1, max_length=200)

    @model_validator(mode="after")
    def _inputs_fit_the_action(self) -> Self:
        if self.action != "list_projects" and not self.project:
            raise ValueError(f"action {self.action!r} needs project")
        if self.action in ("rename", "trash", "restore") and not self.items:
            raise ValueError(f"action {self.action!r} needs items")
        if self.action == "rename" and len(self.items) != 1:
            raise ValueError("action 'rename' takes one item")
        if self.action in ("rename", "rename_project") and not self.title:
            raise ValueError(f"action {self.action!r} needs title")
        return self


PaidRequest = GenerateReference | GenerateImage | GenerateVideo | UpscaleVideo | UpscaleImage
#: Those whose job ends in a take.
SlotRequest = PaidRequest | LastFrame
AnyRequest = SlotRequest | Merge | Publish | Housekeeping
Request = Annotated[AnyRequest, Field(discriminator="kind")]

_adapter: TypeAdapter[AnyRequest] = TypeAdapter(Request)


def request_of(job: Job) -> AnyRequest:
    """The request a job was made from."""
    return _adapter.validate_python(job.request)


def paid_request_of(job: Job) -> PaidRequest:
    """The request of a job that may cost."""
    request = request_of(job)
    if not isinstance(request, PaidRequest):
        raise TypeError(f"job {job.id} ({job.kind}) never costs anything")
    return request
