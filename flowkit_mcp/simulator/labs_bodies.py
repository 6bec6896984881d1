"""Request bodies of lane labs: an unknown name is refused, as Flow does (flow-wire §2.1, §4.2, §5.2, §6.3).

Where the document gives no name for a field that lane batchexecute has, the name is a guess and says so.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)


class Recaptcha(Body):
    token: str = ""
    application_type: str | None = None


class ClientContext(Body):
    project_id: str | None = None
    session_id: str | None = None
    tool: str | None = None
    user_paygate_tier: str | None = None
    recaptcha_context: Recaptcha | None = None
    workflow_id: str | None = None  #: a guess: slot 4 of lane batchexecute's context


class SceneContext(Body):
    scene_id: str
    position: int = 0


class GenerationContext(Body):
    batch_id: str | None = None
    audio_failure_preference: str | None = None
    scene_context: SceneContext | None = None


class Part(Body):
    text: str | None = None


class StructuredPrompt(Body):
    parts: list[Part]

    @property
    def text(self) -> str:
        return " ".join(part.text for part in self.parts if part.text)


# Pictures


class ImageInput(Body):
    name: str
    image_input_type: Literal["IMAGE_INPUT_TYPE_REFERENCE", "IMAGE_INPUT_TYPE_BASE_IMAGE"] = (
        "IMAGE_INPUT_TYPE_REFERENCE"
    )


class EntityRef(Body):
    entity_id: str


class ImageRequest(Body):
    client_context: ClientContext | None = None
    image_model_name: str
    image_aspect_ratio: str = "IMAGE_ASPECT_RATIO_UNSPECIFIED"
    structured_prompt: StructuredPrompt | None = None
    prompt: str | None = None  #: flat, of 2025 and early 2026
    seed: int | None = None
    image_inputs: list[ImageInput] = []
    reference_entities: list[EntityRef] = []
    media_id_seed: str | None = None  #: a guess: the last two slots of a batchexecute item
    workflow_id_seed: str | None = None


class GenerateImages(Body):
    client_context: ClientContext
    media_generation_context: GenerationContext | None = None
    use_new_media: bool = False
    requests: list[ImageRequest]


class UpsampleImage(Body):
    media_id: str
    target_resolution: Literal["UPSAMPLE_IMAGE_RESOLUTION_2K", "UPSAMPLE_IMAGE_RESOLUTION_4K"]
    client_context: ClientContext
    request_context: dict[str, Any] | None = None


class UploadImage(Body):
    client_context: ClientContext
    file_name: str = "Untitled"
    image_bytes: str
    is_hidden: bool = False
    is_user_uploaded: bool = True
    mime_type: str | None = None
    crop_coordinates: dict[str, Any] | None = None
    is_not_ingredient: bool | None = None
    media_generation_context: GenerationContext | None = None
    media_id_seed: str | None = None
    workflow_id_seed: str | None = None
    parent_media_generation_id: str | None = None


# Clips


class Crop(Body):
    top: float | None = None
    left: float | None = None
    bottom: float | None = None
    right: float | None = None


class Frame(Body):
    media_id: str
    crop_coordinates: Crop | None = None


class ReferenceImage(Body):
    media_id: str
    image_usage_type: str | None = None


class ReferenceAudio(Body):
    media_id: str


class VideoInput(Body):
    media_id: str
    start_frame_index: int | None = None
    end_frame_index: int | None = None


class TextInput(Body):
    structured_prompt: StructuredPrompt | None = None
    prompt: str | None = None  #: flat, v1

    @property
    def text(self) -> str:
        return self.structured_prompt.text if self.structured_prompt else self.prompt or ""


class Metadata(Body):
    scene_id: str | None = None
    workflow_id: str | None = None
    collection_id: str | None = None
    media_id_seed: str | None = None
    workflow_id_seed: str | None = None


class OutputSpec(Body):
    resolution: str | None = None


class VideoItem(Body):
    """What all generating video items have."""

    aspect_ratio: str = "VIDEO_ASPECT_RATIO_LANDSCAPE"
    seed: int | None = None
    text_input: TextInput
    video_model_key: str
    metadata: Metadata = Metadata()
    output_spec: OutputSpec | None = None
    prompt_expansion_input: dict[str, Any] | None = None


class StartItem(VideoItem):
    start_image: Frame


class StartEndItem(StartItem):
    end_image: Frame


class ReferencesItem(VideoItem):
    reference_images: list[ReferenceImage] = []
    reference_audio: list[ReferenceAudio] = []
    reference_entities: list[EntityRef] = []


class ClipItem(ReferencesItem):
    """To extend or to edit."""

    video_input: VideoInput


class UpsampleItem(Body):
    aspect_ratio: str
    seed: int | None = None
    video_input: VideoInput
    video_model_key: str
    resolution: str | None = None
    metadata: Metadata = Metadata()


class Envelope(Body):
    """Around one kind of item; `EditVideo` knows no `useV2ModelConfig`."""

    client_context: ClientContext
    media_generation_context: GenerationContext | None = None


class V2Envelope(Envelope):
    use_v2_model_config: bool = False


class SubmitText(V2Envelope):
    requests: list[VideoItem]


class SubmitStart(V2Envelope):
    requests: list[StartItem]


class SubmitStartEnd(V2Envelope):
    requests: list[StartEndItem]


class SubmitReferences(V2Envelope):
    requests: list[ReferencesItem]


class SubmitExtend(V2Envelope):
    requests: list[ClipItem]


class SubmitEdit(Envelope):
    requests: list[ClipItem]


class SubmitUpsample(V2Envelope):
    requests: list[UpsampleItem]


Submit = SubmitText | SubmitStart | SubmitStartEnd | SubmitReferences | SubmitExtend | SubmitEdit


# Looking and tidying


class Operation(Body):
    name: str


class OperationRef(Body):
    operation: Operation
    scene_id: str | None = None
    status: str | None = None


class MediaRef(Body):
    name: str
    project_id: str | None = None


class CheckStatus(Body):
    operations: list[OperationRef] = []
    media: list[MediaRef] = []


class CharacterSlot(Body):
    entity_id: str
    slot: int = 0


class CopyMedia(Body):
    """The names are guesses: `Sc7aEb`'s slots in lane batchexecute (§6.9)."""

    media_id: str
    project_id: str
    character_slot: CharacterSlot | None = None
    media_id_seed: str | None = None
    workflow_id_seed: str | None = None


class CreateScene(Body):
    workflow_ids: list[str]


class CancelGeneration(Body):
    media_id: str


class DeleteAssets(Body):
    media_ids: list[str] = []
    entity_ids: list[str] = []
    project_id: str | None = None


class WorkflowMetadata(Body):
    display_name: str | None = None
    primary_media_id: str | None = None
    archived: bool | None = None
    favorited: bool | None = None


class WorkflowBody(Body):
    name: str | None = None
    project_id: str | None = None
    collection_id: str | None = None
    metadata: WorkflowMetadata = WorkflowMetadata()


class UpdateWorkflow(Body):
    workflow: WorkflowBody
    update_mask: str


class ProjectInfo(Body):
    project_title: str | None = None


class UpdateProject(Body):
    project_info: ProjectInfo | None = None
    project_title: str | None = None


class CharacterInfo(Body):
    personality_notes: str | None = None
    audio_references: list[ReferenceAudio] | None = None


class EntityInfo(Body):
    display_name: str | None = None
    character_info: CharacterInfo = CharacterInfo()
    is_favorited: bool | None = None
    archived: bool | None = None


class EntityBody(Body):
    entity_id: str
    project_id: str | None = None
    entity_info: EntityInfo = EntityInfo()


class UpdateEntity(Body):
    """Names follow the masks of lane batchexecute; `imageReferences` is refused, as Flow does (§6.9)."""

    entity: EntityBody
    update_mask: str
