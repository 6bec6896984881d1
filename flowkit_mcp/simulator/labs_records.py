"""How lane labs writes the same objects as JSON with names (flow-wire §4.2, §6.3, §7.1, §2.5)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from flowkit_mcp.simulator import long_ids
from flowkit_mcp.simulator.ids import spread
from flowkit_mcp.simulator.links import What
from flowkit_mcp.simulator.records import STEP_IDS, Sign
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Character, Media, Scene, Status, Workflow
from flowkit_mcp.simulator.switches import Switches

IMAGE_ASPECTS = {
    1: "SQUARE",
    2: "PORTRAIT",
    3: "LANDSCAPE",
    4: "PORTRAIT_THREE_FOUR",
    5: "LANDSCAPE_FOUR_THREE",
}
VIDEO_ASPECTS = {1: "PORTRAIT", 2: "LANDSCAPE"}
STATUSES = {
    Status.ACTIVE: "ACTIVE",
    Status.DONE: "SUCCESSFUL",
    Status.FAILED: "FAILED",
    Status.CANCELED: "CANCELED",
    Status.SCHEDULED: "SCHEDULED",
}
MODES = {
    "text": "TEXT_TO_VIDEO",
    "start": "IMAGE_TO_VIDEO",
    "start_end": "IMAGE_TO_VIDEO",
    "references": "REFERENCE_TO_VIDEO",
    "extend": "VIDEO_EXTENSION",
    "edit": "EDIT_VIDEO",
    "upscale": "VIDEO_TO_VIDEO",
}
MEDIA_TYPE = "type.googleapis.com/google.internal.labs.aisandbox.v1.Media"
#: Reasons that are about an input; their media are FILTERED (§9.2).
FILTERED = {"IP_INPUT_IMAGE": "IP_PROHIBITED", "PROMINENT_PEOPLE_FILTER_FAILED": "PROMINENT_PEOPLE"}


def iso(at_ms: int) -> str:
    told = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return told.replace("+00:00", "Z")


def status_name(media: Media) -> str:
    return f"MEDIA_GENERATION_STATUS_{STATUSES[media.status]}"


def operation_name(media: Media) -> str:
    """32 hex digits that have nothing to do with the media id."""
    return hashlib.sha256(f"operation {media.id}".encode()).hexdigest()[:32]


class LabsRecords:
    """Writes for one service; `sign` makes addresses."""

    def __init__(self, service: FlowService, sign: Sign) -> None:
        self._service = service
        self._sign = sign

    @property
    def _switches(self) -> Switches:
        return self._service.state.switches

    def long_id(self, media: Media) -> str:
        return long_ids.encode(media.kind, media.project, media.workflow, media.id)

    def workflow(self, tile: Workflow) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "displayName": tile.title,
            "createTime": iso(tile.created_at),
            "primaryMediaId": tile.primary,
            "batchId": tile.batch,
            "updateTime": iso(tile.updated_at),
            "archived": tile.archived or None,
            "favorited": tile.favorited or None,
        }
        metadata = {name: value for name, value in metadata.items() if value is not None}
        told = {"name": tile.id, "metadata": metadata, "projectId": tile.project}
        return told if tile.collection is None else told | {"collectionId": tile.collection}

    # Pictures

    def picture(self, media: Media) -> dict[str, Any]:
        """One of `media[]` in the reply to batchGenerateImages, and in a listing."""
        told: dict[str, Any] = {
            "name": self.long_id(media) if self._switches.image_names == "long" else media.id,
            "workflowId": media.workflow,
        }
        size = {"width": media.width, "height": media.height}
        if media.mode == "upload":
            told |= {"projectId": media.project}
            uploaded = {"mediaId": media.id, "fileName": media.title}
            return told | {"image": {"userUploadedImage": uploaded, "dimensions": size}}
        how = self._switches.image_address
        if how == "later":
            scheduled = {"mediaGenerationStatus": "MEDIA_GENERATION_STATUS_SCHEDULED"}
            return told | {"mediaStatus": scheduled}
        generated: dict[str, Any] = {
            "seed": media.seed,
            "mediaGenerationId": self.long_id(media),
            "mediaId": media.id,
            "mediaVisibility": "PRIVATE",
            "prompt": media.prompt,
            "modelNameType": media.model,
            "workflowId": media.workflow,
            "aspectRatio": f"IMAGE_ASPECT_RATIO_{IMAGE_ASPECTS.get(media.aspect, 'UNSPECIFIED')}",
            "requestData": self._request_data(media),
        }
        if how == "encodedImage":
            generated["encodedImage"] = self.encoded(media)
        else:
            generated[how] = self._sign("image", media.id)
        return told | {"image": {"generatedImage": generated, "dimensions": size}}

    def _request_data(self, media: Media) -> dict[str, Any]:
        if not media.inputs or not self._switches.echo_inputs:
            return {}
        return {"imageInputs": [{"name": source.id} for source in media.inputs]}

    def encoded(self, media: Media) -> str:
        return base64.b64encode(self._service.files.path(media).read_bytes()).decode("ascii")

    # Clips

    def submitted(self, media: Media) -> dict[str, Any]:
        """One of `media[]` in the reply to a video submit, and in a listing."""
        aspect = f"VIDEO_ASPECT_RATIO_{VIDEO_ASPECTS.get(media.aspect, 'SQUARE')}"
        height = min(media.width, media.height)
        resolution = "4K" if height == 2160 else f"{height}P"
        control = {
            "videoModelName": f"backend-{media.model}",
            "videoGenerationMode": f"VIDEO_GENERATION_MODE_{MODES[media.mode]}",
            "videoAspectRatio": aspect,
            "videoResolution": f"VIDEO_RESOLUTION_{resolution}",
        }
        metadata: dict[str, Any] = {
            "createTime": iso(media.created_at),
            "mediaTitle": media.title,
            "requestData": {
                "videoGenerationRequestData": {"videoModelControlInput": control},
                "promptInputs": [{"structuredPrompt": {"parts": [{"text": media.prompt}]}}],
                "clientPlatform": "CLIENT_PLATFORM_WEB",
                **(
                    {"imageInputs": [{"name": one.id} for one in media.inputs]}
                    if media.inputs or media.mode == "references"
                    else {}
                ),
            },
            "mediaStatus": self.status(media),
            "visibility": "FILTERED" if media.reason in FILTERED else "PRIVATE",
        }
        told: dict[str, Any] = {
            "name": media.id,
            "projectId": media.project,
            "workflowId": media.workflow,
            "mediaMetadata": metadata,
            "video": {
                "generatedVideo": self._clip(media, aspect),
                "dimensions": {"length": f"{media.seconds or 8}s"},
            },
        }
        steps = self._switches.step_ids
        step = STEP_IDS[spread(media.id, len(STEP_IDS))] if steps == "mixed" else steps
        return told if step in (None, "null") else told | {"workflowStepId": step}

    def _clip(self, media: Media, aspect: str) -> dict[str, Any]:
        return {
            "seed": media.seed,
            "prompt": media.prompt,
            "model": media.model,
            "aspectRatio": aspect,
            "isLooped": False,
        }

    def listed(self, media: Media) -> dict[str, Any]:
        """As `projectInitialData` shows it; of finished media the status may be missing (§2.5)."""
        if media.kind == "image":
            return self.picture(media)
        told = self.submitted(media)
        by_turns = self._switches.status_path == "mix" and spread(media.id, 2) == 0
        if media.status is Status.DONE and (self._switches.status_path == "absent" or by_turns):
            del told["mediaMetadata"]["mediaStatus"]
        return told

    def polled(self, media: Media) -> dict[str, Any]:
        """One of `media[]` in a status reply: the status at one of two paths, and no address."""
        told: dict[str, Any] = {"name": media.id, "projectId": media.project}
        path = self._switches.status_path
        if path == "mix":
            inside = media.status is Status.FAILED or spread(media.id, 2) == 0
            path = "metadata" if inside else "top"
        status = self.status(media)
        if path == "metadata" or (path == "absent" and media.status is not Status.DONE):
            visibility = "FILTERED" if media.reason in FILTERED else "PRIVATE"
            told["mediaMetadata"] = {"mediaStatus": status, "visibility": visibility}
        elif path == "top":
            told["mediaStatus"] = status
        if media.status is Status.FAILED:
            return told
        video: dict[str, Any] = {
            "dimensions": {"length": f"{media.seconds or 8}s"},
            "operation": {"name": media.id},
        }
        if media.status is Status.DONE and path == "absent":
            aspect = f"VIDEO_ASPECT_RATIO_{VIDEO_ASPECTS.get(media.aspect, 'SQUARE')}"
            video["generatedVideo"] = self._clip(media, aspect)
        if media.status is Status.DONE and self._switches.status_url and media.ready:
            video["fifeUrl"] = self._sign("video", media.id)
        return told | {"workflowId": media.workflow, "video": video}

    def status(self, media: Media) -> dict[str, Any]:
        told: dict[str, Any] = {"mediaGenerationStatus": status_name(media)}
        if media.status is Status.FAILED and media.reason:
            told["error"] = {"code": 3, "message": f"PUBLIC_ERROR_{media.reason}"}
            if media.reason in FILTERED:
                told["failureReasons"] = [FILTERED[media.reason]]
        return told

    def operation(self, media: Media) -> dict[str, Any]:
        """One of `operations[]`, of 2025's dialect; a scheduled job is PENDING there."""
        name = media.handle or operation_name(media)
        status = status_name(media).replace("_SCHEDULED", "_PENDING")
        told: dict[str, Any] = {"operation": {"name": name}, "status": status}
        if media.scene is not None:
            told["sceneId"] = media.scene
        if media.status is Status.FAILED and media.reason:
            told["operation"]["error"] = {"code": 3, "message": f"PUBLIC_ERROR_{media.reason}"}
        if media.status is Status.DONE:
            aspect = f"VIDEO_ASPECT_RATIO_{VIDEO_ASPECTS.get(media.aspect, 'SQUARE')}"
            long = self.long_id(media)
            video: dict[str, Any] = {
                "seed": media.seed,
                "mediaGenerationId": long,
                "mediaId": media.id,
                "prompt": media.prompt,
                "model": media.model,
                "aspectRatio": aspect,
            }
            if self._switches.status_url and media.ready:
                video["fifeUrl"] = self._sign("video", media.id)
                video["servingBaseUri"] = self._sign("image", media.id)
            told["operation"]["metadata"] = {"@type": MEDIA_TYPE, "name": long, "video": video}
            told["mediaGenerationId"] = long
        return told

    def entity(self, one: Character) -> dict[str, Any]:
        """Names are those of the masks of lane batchexecute (§6.9) [I]."""
        about = {
            "personalityNotes": one.notes or "",
            "audioReferences": [{"mediaId": voice} for voice in one.voices],
        }
        return {
            "entityId": one.id,
            "projectId": one.project,
            "entityInfo": {
                "displayName": one.name,
                "characterInfo": about,
                "isFavorited": one.favorited,
                "archived": one.archived,
            },
            "primaryMediaId": one.primary,
        }

    def scene(self, one: Scene) -> dict[str, Any]:
        """`{"scene", "sceneWorkflows"}` as in the reply to creating one (§6.7)."""
        aspect = "PORTRAIT" if one.aspect == 1 else "LANDSCAPE"
        state = self._service.state
        clips: list[dict[str, Any]] = []
        for at, tile in enumerate(state.workflows[workflow] for workflow in one.workflows):
            length = f"{state.media[tile.primary].seconds or 8}s"
            times = {"totalDuration": length, "startTime": "0s", "endTime": length}
            metadata: dict[str, Any] = times | {"mediaType": {"type": "VIDEO"}}
            metadata |= {"position": at} if at else {}
            clips.append(
                {
                    "workflow": self.workflow(tile),
                    "sceneId": one.id,
                    "sceneWorkflowMetadata": metadata,
                }
            )
        info = {
            "sceneId": one.id,
            "displayName": one.title,
            "aspectRatio": f"SCENE_ASPECT_RATIO_{aspect}",
            "sceneMetadata": {"createTime": iso(one.created_at), "updateTime": iso(one.updated_at)},
        }
        return {"scene": info, "sceneWorkflows": clips}

    def address(self, what: What, media_id: str) -> str:
        return self._sign(what, media_id)
