"""Lane labs' REST calls that read and tidy (flow-wire §2.5, §3, §6.7, §7.1, §7.3)."""

from __future__ import annotations

import base64
from typing import Any

from flowkit_mcp.simulator.faults import Grpc, Refusal
from flowkit_mcp.simulator.labs_bodies import (
    CancelGeneration,
    CheckStatus,
    CreateScene,
    DeleteAssets,
    UpdateEntity,
    UpdateProject,
    UpdateWorkflow,
)
from flowkit_mcp.simulator.labs_call import Labs, LabsCall, Reply, without_none
from flowkit_mcp.simulator.state import Media, Status, Tier

PAYGATES: dict[Tier, str] = {
    "free": "PAYGATE_TIER_NOT_PAID",
    "pro": "PAYGATE_TIER_ONE",
    "ultra": "PAYGATE_TIER_TWO",
}
SERVICE_TIERS: dict[Tier, str] = {
    "free": "SERVICE_TIER_ENTRY",
    "pro": "SERVICE_TIER_INTERMEDIATE",
    "ultra": "SERVICE_TIER_ADVANCED",
}
SKUS: dict[Tier, str] = {"free": "G1_TIER0", "pro": "G1_TIER1", "ultra": "G1_TIER2"}
#: What /v1/media says of a clip that is still being made: bytes that are no clip (§7.3).
NOT_YET = b"not a clip yet " * 100


class LabsLook:
    """Handlers; each takes a call whose body was read into the model named in `labs_app.py`."""

    def __init__(self, labs: Labs) -> None:
        self._labs = labs
        self._service = labs.service

    async def credits(self, call: LabsCall) -> Reply:
        account, balance = call.account, self._labs.balance(call)
        return {
            "credits": balance,
            "userPaygateTier": PAYGATES[account.tier],
            "sku": SKUS[account.tier],
            "serviceTier": SERVICE_TIERS[account.tier],
            "subscriptionCredits": balance,
            "topUpCredits": 0,
        }

    async def model_statuses(self, call: LabsCall) -> Reply:
        usages = [u for family in self._service.catalogue.family for u in family.usages]
        shown = [there.key for usage in usages if (there := self._service.shown(usage))]
        healthy = "MODEL_HEALTH_STATUS_HEALTHY"
        return {"modelStatus": [{"modelKey": key, "status": healthy} for key in shown]}

    async def check_status(self, call: LabsCall) -> Reply:
        """Replies in the dialect it was asked in; ids that nobody knows are left out (§7.1)."""
        body: CheckStatus = call.body
        skip = 1 if call.lose_one else 0
        reply: dict[str, Any] = {}
        known: list[Media] = []
        if body.operations:
            handles = {one.handle: one for one in self._service.state.media.values() if one.handle}
            asked = [handles.get(one.operation.name) for one in body.operations[skip:]]
            known = [one for one in asked if one is not None and self._mine(call, one)]
            reply["operations"] = [self._labs.records.operation(media) for media in known]
        if body.media:
            entries: list[dict[str, Any]] = []
            for one in body.media[skip:]:
                entries += self._polled(call, one.name, known)
            reply["media"] = entries
        pending = any(media.status.pending for media in known)
        rule = self._service.state.switches.poll_credits
        if rule == "always" or (rule == "mixed" and not pending):
            reply["remainingCredits"] = self._labs.balance(call)
        return reply

    def _polled(self, call: LabsCall, name: str, known: list[Media]) -> list[dict[str, Any]]:
        if name in self._service.state.workflows:
            if self._service.state.switches.poll_by_workflow == "absent":
                return []
            failed = {
                "mediaGenerationStatus": "MEDIA_GENERATION_STATUS_FAILED",
                "error": {"code": 5, "message": "Media not found."},
            }
            return [{"name": name, "mediaMetadata": {"mediaStatus": failed}}]
        try:
            media = self._service.media(call.account.name, name)
        except Refusal:
            return []
        known.append(media)
        return [self._labs.records.polled(media)]

    def _mine(self, call: LabsCall, media: Media) -> bool:
        return self._service.state.projects[media.project].account == call.account.name

    async def media(self, call: LabsCall) -> Reply:
        """The bytes in base64; of a clip in the making bytes that are none; Omni is refused (§7.3)."""
        media = self._service.media(call.account.name, self._labs.media_id(call.path["media"]))
        if media.mode == "upload":
            return {
                "name": media.id,
                "userUploadedImage": {"image": self._labs.records.encoded(media)},
            }
        told: dict[str, Any] = {"prompt": media.prompt, "seed": media.seed}
        if media.kind == "image":
            image = told | {
                "modelNameType": media.model,
                "encodedImage": self._labs.records.encoded(media),
            }
            return {"name": media.id, "image": image}
        if media.omni and self._service.state.switches.media_omni == "refuse":
            raise Refusal(Grpc.INVALID_ARGUMENT)
        if media.status in (Status.FAILED, Status.CANCELED):
            raise Refusal(Grpc.NOT_FOUND)
        ready = media.ready and not call.hide_url
        encoded = (
            self._labs.records.encoded(media)
            if ready
            else base64.b64encode(NOT_YET).decode("ascii")
        )
        video = told | {"model": media.model, "encodedVideo": encoded}
        video["aspectRatio"] = self._labs.records.submitted(media)["video"]["generatedVideo"][
            "aspectRatio"
        ]
        return {"name": media.id, "video": video}

    async def cancel(self, call: LabsCall) -> Reply:
        body: CancelGeneration = call.body
        self._labs.counter.cancel(call.account, self._labs.media_id(body.media_id))
        return {}

    async def delete_assets(self, call: LabsCall) -> Reply:
        body: DeleteAssets = call.body
        ids = [self._labs.media_id(one) for one in body.media_ids]
        self._labs.shelf.delete_media(call.account.name, ids, body.project_id)
        if body.entity_ids and body.project_id:
            name = call.account.name
            self._labs.shelf.delete_characters(name, body.entity_ids, body.project_id)
        return {}

    async def update_workflow(self, call: LabsCall) -> Reply:
        """Unlike lane batchexecute a mask that nobody knows is refused here [inferred]."""
        body: UpdateWorkflow = call.body
        given = body.workflow.metadata
        tile = self._labs.shelf.tile(call.account.name, call.path["workflow"])
        places: dict[str, tuple[str, Any]] = {
            "metadata.displayName": ("title", given.display_name),
            "metadata.archived": ("archived", given.archived),
            "metadata.favorited": ("favorited", given.favorited),
            "metadata.primaryMediaId": ("primary", given.primary_media_id),
            "collectionId": ("collection", body.workflow.collection_id),
        }
        masks = body.update_mask.split(",")
        if not places.keys() >= set(masks):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        self._labs.shelf.update_tile(call.account.name, tile, dict(places[mask] for mask in masks))
        return self._labs.records.workflow(tile)

    async def update_project(self, call: LabsCall) -> Reply:
        """`PATCH …?updateMask=projectTitle`; the title was seen in neither place, so both are read."""
        body: UpdateProject = call.body
        project = self._service.project(call.account.name, call.path["project"])
        info = body.project_info
        title = info.project_title if info else body.project_title
        if "projectTitle" in call.query.get("updateMask", "") and title is not None:
            self._labs.shelf.rename_project(project, title)
        return {"projectId": project.id, "projectInfo": {"projectTitle": project.title}}

    async def update_entity(self, call: LabsCall) -> Reply:
        body: UpdateEntity = call.body
        given = body.entity.entity_info
        one = self._labs.shelf.character(call.account.name, body.entity.entity_id)
        voices = given.character_info.audio_references
        places: dict[str, tuple[str, Any]] = {
            "entityInfo.displayName": ("name", given.display_name),
            "entityInfo.characterInfo.personalityNotes": (
                "notes",
                given.character_info.personality_notes,
            ),
            "entityInfo.characterInfo.audioReferences": (
                "voices",
                None if voices is None else [voice.media_id for voice in voices],
            ),
            "entityInfo.isFavorited": ("favorited", given.is_favorited),
            "entityInfo.archived": ("archived", given.archived),
        }
        masks = body.update_mask.split(",")
        if not places.keys() >= set(masks):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        change = dict(places[mask] for mask in masks)
        self._labs.shelf.update_character(one, without_none(change))
        return self._labs.records.entity(one)

    async def create_scene(self, call: LabsCall) -> Reply:
        body: CreateScene = call.body
        name = call.account.name
        made = self._labs.shelf.create_scene(name, call.path["project"], body.workflow_ids, None)
        return self._labs.records.scene(made)
