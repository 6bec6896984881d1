"""Lane labs' tRPC procedures: projects, listing with the catalogue, media addresses (flow-wire §2.5, §3.2, §7.3).

Input is not strict here: what a procedure does not know it ignores.
"""

from __future__ import annotations

from typing import Any

from flowkit_mcp.simulator.catalogue import Catalogue, Family, Usage
from flowkit_mcp.simulator.faults import Grpc, Refusal
from flowkit_mcp.simulator.labs_call import Labs, LabsCall, Moved, Reply, as_dict
from flowkit_mcp.simulator.labs_records import VIDEO_ASPECTS, iso
from flowkit_mcp.simulator.rpcs import MEGABYTE
from flowkit_mcp.simulator.voices import VOICES

TIER_NAMES = {1: "SERVICE_TIER_ENTRY", 2: "SERVICE_TIER_INTERMEDIATE", 3: "SERVICE_TIER_ADVANCED"}
#: Inputs a usage wants; only TEXT, REFERENCES, EXTENSION and VIDEO_EDIT are known names.
NEEDS = {
    1: "TEXT",
    2: "START_IMAGE",
    3: "END_IMAGE",
    6: "REFERENCES",
    14: "EXTENSION",
    20: "VIDEO_EDIT",
}
SECONDS_TO_MAKE = {"image": 35, "video": 120}
DEFAULT_PAGE = 20


class BadInput(Exception):
    """HTTP 400 in tRPC's own envelope (§9.1)."""


class LabsTrpc:
    """Handlers; `call.body` is the `json` of the input."""

    def __init__(self, labs: Labs) -> None:
        self._labs = labs
        self._service = labs.service

    async def create_project(self, call: LabsCall) -> Reply:
        title = _text(call, "projectTitle")
        project = self._service.create_project(call.account.name, title)
        return {"projectId": project.id, "projectInfo": {"projectTitle": title}}

    async def update_project(self, call: LabsCall) -> Reply:
        project = self._service.project(call.account.name, _text(call, "projectId"))
        title = as_dict(call.body.get("projectInfo")).get("projectTitle")
        if "projectTitle" in call.body.get("updateMasks", ()) and isinstance(title, str):
            self._labs.shelf.rename_project(project, title)
        return {"projectId": project.id, "projectInfo": {"projectTitle": project.title}}

    async def delete_project(self, call: LabsCall) -> Reply:
        self._labs.shelf.delete_project(call.account.name, _text(call, "projectToDeleteId"))
        return {}

    async def search_projects(self, call: LabsCall) -> Reply:
        size, cursor = call.body.get("pageSize"), call.body.get("cursor")
        size = size if isinstance(size, int) and size > 0 else DEFAULT_PAGE
        mine = self._service.projects(call.account.name)
        ids = [project.id for project in mine]
        start = ids.index(cursor) if cursor in ids else 0
        rows: list[dict[str, Any]] = []
        for project in mine[start : start + size]:
            info: dict[str, Any] = {"projectTitle": project.title}
            if project.cover is not None:
                info["thumbnailMediaKey"] = project.cover
            created = iso(project.created_at)
            rows.append({"projectId": project.id, "projectInfo": info, "creationTime": created})
        more = ids[start + size] if start + size < len(ids) else None
        return {"projects": rows} if more is None else {"projects": rows, "nextPageToken": more}

    async def initial_data(self, call: LabsCall) -> Reply:
        """A whole project with the catalogue; may lag behind, by switch (§2.5)."""
        project = self._service.project(call.account.name, _text(call, "projectId"))
        tiles, media = self._service.contents(project)
        records = self._labs.records
        contents: dict[str, Any] = {
            "workflows": [records.workflow(tile) for tile in tiles],
            "media": [records.listed(one) for one in media],
            "externalReferenceMedia": [
                {"name": voice, "mediaMetadata": {"mediaTitle": voice.capitalize()}}
                for voice in VOICES
            ],
            "scenes": [records.scene(one)["scene"] for one in self._labs.shelf.scenes(project)],
            "entities": [records.entity(one) for one in self._labs.shelf.characters(project)],
        }
        reply: dict[str, Any] = {
            "projectName": project.title,
            "projectId": project.id,
            "projectContents": contents,
            "modelConfig": self._model_config(),
            "appConfig": {"isRegionSupported": True, "isAgeSupported": True, "isAbraEnabled": True},
            "userData": {"name": call.account.name},
            "agentInfo": {},
        }
        padding = int(self._service.state.switches.listing_padding_mb * MEGABYTE)
        return reply | {"padding": "x" * padding} if padding else reply

    def _model_config(self) -> dict[str, Any]:
        catalogue: Catalogue = self._service.catalogue
        families = {"image": list[Any](), "video": list[Any]()}
        for family in catalogue.family:
            families[family.media].append(self._family(family))
        return {
            "imageModelFamilies": families["image"],
            "videoModelFamilies": families["video"],
            "tierDefaults": dict.fromkeys(TIER_NAMES.values(), "abra"),
            "deprecatedModelKeys": ["GEM_PIX", "veo_3_0_t2v", "veo_2_0_t2v"],
            "audioModelKey": "gemini_v4s_tts_flow",
        }

    def _family(self, family: Family) -> dict[str, Any]:
        usages = [there for usage in family.usages if (there := self._service.shown(usage))]
        write = _image_usage if family.media == "image" else _video_usage
        told: dict[str, Any] = {
            "familyId": family.id,
            "displayName": family.name,
            "usages": [write(usage) for usage in usages],
        }
        return told | {"isHidden": True} if family.hidden else told

    async def delete_media(self, call: LabsCall) -> Reply:
        names = call.body.get("names")
        if not isinstance(names, list):
            raise BadInput("names")
        ids = [self._labs.media_id(str(name)) for name in names]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        self._labs.shelf.delete_media(call.account.name, ids)
        return {}

    async def create_entity(self, call: LabsCall) -> Reply:
        """`{"projectId", "collectionId": ""}`; null is refused, as on some builds (§6.9)."""
        collection = call.body.get("collectionId", "")
        if not isinstance(collection, str):
            raise BadInput("collectionId")
        project = _text(call, "projectId")
        made = self._labs.shelf.create_character(
            call.account.name, project, "Untitled character", collection or None
        )
        return {"entity": self._labs.records.entity(made)}

    async def media_url(self, call: LabsCall) -> Reply:
        """A redirect to a signed address; of a thumbnail the JPEG itself (§7.3)."""
        name = call.query.get("name")
        if not name:
            raise BadInput("name")
        media = self._service.media(call.account.name, self._labs.media_id(name))
        if call.query.get("mediaUrlType") == "MEDIA_URL_TYPE_THUMBNAIL":
            if not media.poster:
                raise Refusal(Grpc.NOT_FOUND)
            return Moved("", self._service.files.poster(media).read_bytes())
        if not media.ready or call.hide_url:
            raise Refusal(Grpc.NOT_FOUND)
        return Moved(self._labs.records.address(media.kind, media.id))


def _text(call: LabsCall, name: str) -> str:
    value = call.body.get(name)
    if not isinstance(value, str) or not value:
        raise BadInput(name)
    return value


def _image_usage(usage: Usage) -> dict[str, Any]:
    told = {"key": usage.key, "creditMapping": _prices(usage)}
    most = usage.max_inputs[2]
    return told | {"generationTimeSeconds": SECONDS_TO_MAKE["image"], "maxImageInputs": most}


def _video_usage(usage: Usage) -> dict[str, Any]:
    voices, characters, images = usage.max_inputs
    aspects = [f"VIDEO_ASPECT_RATIO_{VIDEO_ASPECTS[aspect]}" for aspect in usage.aspects]
    told: dict[str, Any] = {
        "key": usage.key,
        "creditMapping": _prices(usage),
        "videoLengthSeconds": usage.seconds or 8,
        "generationTimeSeconds": SECONDS_TO_MAKE["video"],
        "supportedAspectRatios": aspects,
        "supportedResolutions": [f"VIDEO_RESOLUTION_{usage.resolution.upper()}"],
        "outputsAudio": True,
        "maxImageReferences": images,
        "inputSpec": {"maxAudioReferences": voices, "maxCharacters": characters},
        "requirements": [[NEEDS[need] for need in usage.needs]],
    }
    if usage.mode == "edit":
        told["inputSpec"]["maxInputV2vVideoDuration"] = "10s"
    return told


def _prices(usage: Usage) -> dict[str, Any]:
    prices = {name: usage.price(tier) for tier, name in TIER_NAMES.items()}
    return {
        name: "UNAVAILABLE" if cost is None else {"cost": cost} for name, cost in prices.items()
    }
