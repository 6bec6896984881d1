"""Lane labs' calls that make media (flow-wire §4.2, §4.3, §5.2, §6.3, §8)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from flowkit_mcp.simulator import captcha
from flowkit_mcp.simulator.catalogue import Mode
from flowkit_mcp.simulator.faults import Grpc, Refusal
from flowkit_mcp.simulator.ids import spread
from flowkit_mcp.simulator.labs_bodies import (
    ClipItem,
    CopyMedia,
    GenerateImages,
    GenerationContext,
    ImageRequest,
    Metadata,
    ReferencesItem,
    StartEndItem,
    StartItem,
    Submit,
    SubmitUpsample,
    UploadImage,
    UpsampleImage,
    VideoItem,
)
from flowkit_mcp.simulator.labs_call import Labs, LabsCall, Reply
from flowkit_mcp.simulator.labs_records import IMAGE_ASPECTS, operation_name
from flowkit_mcp.simulator.orders import AS_THE_BASE, Identity, Order
from flowkit_mcp.simulator.state import Input, Media, Status

MOST_PICTURES = 4
IMAGE_CODES = {f"IMAGE_ASPECT_RATIO_{name}": code for code, name in IMAGE_ASPECTS.items()} | {
    "IMAGE_ASPECT_RATIO_UNSPECIFIED": AS_THE_BASE
}
VIDEO_CODES = {
    "VIDEO_ASPECT_RATIO_PORTRAIT": 1,
    "VIDEO_ASPECT_RATIO_LANDSCAPE": 2,
    "VIDEO_ASPECT_RATIO_SQUARE": 0,
}
RESOLUTIONS = {
    "VIDEO_RESOLUTION_720P": 1,
    "VIDEO_RESOLUTION_1080P": 2,
    "VIDEO_RESOLUTION_4K": 3,
}
BY_KEY = {
    "omni_upsampler_360p": 1,
    "veo_3_1_upsampler_1080p": 2,
    "veo_3_1_upsampler_4k": 3,
}


class LabsMake:
    """Handlers; each takes a call whose body was read into the model named in `labs_app.py`."""

    def __init__(self, labs: Labs) -> None:
        self._labs = labs

    async def images(self, call: LabsCall) -> Reply:
        body: GenerateImages = call.body
        project = call.path["project"]
        one_model = len({item.image_model_name for item in body.requests}) == 1
        if not one_model or len(body.requests) > MOST_PICTURES:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        if body.client_context.project_id not in (None, project):
            raise Refusal(Grpc.INVALID_ARGUMENT)
        context = body.media_generation_context
        batch = context.batch_id if context else None
        orders = [self._picture_order(call, item, project, batch) for item in body.requests]
        self._labs.check_captcha(call, captcha.IMAGE)
        done = await self._labs.counter.pictures(call.account, orders)
        return {
            "media": [self._labs.records.picture(media) for media in done],
            "workflows": self._workflows(done),
            "remainingCredits": self._labs.balance(call),
        }

    def _picture_order(
        self, call: LabsCall, item: ImageRequest, project: str, batch: str | None
    ) -> Order:
        text = item.structured_prompt.text if item.structured_prompt else item.prompt or ""
        aspect = IMAGE_CODES.get(item.image_aspect_ratio)
        if not text.strip() or aspect is None:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        inputs = [
            Input(
                id=self._labs.media_id(given.name),
                use="base" if given.image_input_type.endswith("BASE_IMAGE") else "reference",
            )
            for given in item.image_inputs
        ]
        return Order(
            rpc=call.twin,
            project=project,
            mode="image",
            key=item.image_model_name,
            prompt=text,
            aspect=aspect,
            inputs=tuple(inputs),
            characters=tuple(one.entity_id for one in item.reference_entities),
            seed=item.seed,
            identity=Identity(
                media_seed=item.media_id_seed,
                workflow_seed=item.workflow_id_seed,
                workflow=self._tile_of_edit(call, inputs),
                batch=batch,
            ),
        )

    def _tile_of_edit(self, call: LabsCall, inputs: Sequence[Input]) -> str | None:
        """An edit goes to the tile of its base, unless the context names one (§0.4)."""
        named = call.body.client_context.workflow_id
        if named is not None:
            return named
        base = next((one.id for one in inputs if one.use == "base"), None)
        media = self._labs.service.state.media.get(base or "")
        return None if media is None else media.workflow

    async def upsample_image(self, call: LabsCall) -> Reply:
        """Only the picture: its new id is not in lean replies (§4.3)."""
        body: UpsampleImage = call.body
        self._labs.check_captcha(call, captcha.IMAGE)
        size = "2K" if body.target_resolution.endswith("2K") else "4K"
        media = await self._labs.counter.upscale_picture(
            call.account, self._labs.media_id(body.media_id), size, call.twin
        )
        return {"encodedImage": self._labs.records.encoded(media)}

    async def upload(self, call: LabsCall) -> Reply:
        body: UploadImage = call.body
        try:
            data = base64.b64decode(body.image_bytes, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refusal(Grpc.INVALID_ARGUMENT) from error
        context = body.media_generation_context
        identity = Identity(
            media_seed=body.media_id_seed,
            workflow_seed=body.workflow_id_seed,
            batch=context.batch_id if context else None,
        )
        project = body.client_context.project_id
        media = self._labs.counter.upload(call.account, project, body.file_name, data, identity)
        told = self._labs.records.picture(media)
        as_array = self._labs.service.state.switches.upload_media == "array"
        [tile] = self._workflows([media])
        return {"media": [told] if as_array else told, "workflow": tile}

    async def copy(self, call: LabsCall) -> Reply:
        body: CopyMedia = call.body
        name, place = call.account.name, body.character_slot
        if place is not None:
            self._labs.shelf.character(name, place.entity_id)
        identity = Identity(media_seed=body.media_id_seed, workflow_seed=body.workflow_id_seed)
        source = self._labs.media_id(body.media_id)
        media = self._labs.counter.copy(call.account, source, body.project_id, identity)
        if place is not None:
            self._labs.shelf.add_portrait(name, place.entity_id, media.id)
        [tile] = self._workflows([media])
        return {"media": self._labs.records.picture(media), "workflow": tile}

    # Clips

    async def video(self, call: LabsCall, *, mode: Mode) -> Reply:
        """One item per submit; Flow's own page never sends more (§6)."""
        body: Submit = call.body
        if len(body.requests) != 1:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        item = body.requests[0]
        text = item.text_input.text
        aspect = VIDEO_CODES.get(item.aspect_ratio)
        if not text.strip() or aspect is None:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        voices, characters, frames = (), (), None
        if isinstance(item, ReferencesItem):
            voices = tuple(voice.media_id for voice in item.reference_audio)
            characters = tuple(one.entity_id for one in item.reference_entities)
        if isinstance(item, ClipItem):
            source = item.video_input
            frames = (source.start_frame_index or 0, source.end_frame_index or 0)
        order = Order(
            rpc=call.twin,
            project=body.client_context.project_id,
            mode=mode,
            key=item.video_model_key,
            prompt=text,
            aspect=aspect,
            inputs=tuple(self._inputs(item)),
            voices=voices,
            characters=characters,
            frames=frames,
            scene=item.metadata.scene_id,
            by_media=True,
            seed=item.seed,
            identity=_identity(item.metadata, body.media_generation_context),
        )
        self._labs.check_captcha(call, captcha.VIDEO)
        if self._creates_nothing(call, order.key):
            return {"operations": []}
        return self._submitted(call, self._labs.counter.clip(call.account, order))

    def _inputs(self, item: VideoItem) -> list[Input]:
        read = self._labs.media_id
        found: list[Input] = []
        if isinstance(item, StartItem):
            found.append(Input(id=read(item.start_image.media_id), use="start"))
        if isinstance(item, StartEndItem):
            found.append(Input(id=read(item.end_image.media_id), use="end"))
        if isinstance(item, ClipItem):
            found.append(Input(id=read(item.video_input.media_id), use="source"))
        if isinstance(item, ReferencesItem):
            images = item.reference_images
            found += [Input(id=read(one.media_id), use="reference") for one in images]
        return found

    async def upsample_video(self, call: LabsCall) -> Reply:
        body: SubmitUpsample = call.body
        if len(body.requests) != 1:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        item = body.requests[0]
        aspect = VIDEO_CODES.get(item.aspect_ratio)
        if aspect is None:
            raise Refusal(Grpc.INVALID_ARGUMENT)
        order = Order(
            rpc=call.twin,
            project=body.client_context.project_id,
            mode="upscale",
            key=item.video_model_key,
            prompt="",
            aspect=aspect,
            inputs=(Input(id=self._labs.media_id(item.video_input.media_id), use="source"),),
            identity=_identity(item.metadata, body.media_generation_context),
        )
        wanted = BY_KEY.get(order.key) if item.resolution is None else None
        resolution = wanted or RESOLUTIONS.get(item.resolution or "")
        self._labs.check_captcha(call, captcha.VIDEO)
        if self._creates_nothing(call, order.key):
            return {"operations": []}
        media, _ = self._labs.counter.upscale(call.account, order, resolution, key_decides=True)
        inline = self._labs.service.state.switches.existing_upscale == "inline"
        if media.status is Status.DONE and media.ready and inline:
            ready = {
                "mediaGenerationId": self._labs.records.long_id(media),
                "rawBytes": self._labs.records.encoded(media),
                "status": "MEDIA_GENERATION_STATUS_SUCCESSFUL",
            }
            return {"operations": [ready], "remainingCredits": self._labs.balance(call)}
        return self._submitted(call, media)

    def _creates_nothing(self, call: LabsCall, key: str) -> bool:
        """Accepted, and empty: retired relaxed keys on the highest tier, or by switch (§6.3 d)."""
        relaxed = key.endswith("_ultra_relaxed") and call.account.service_tier == 3
        return relaxed or self._labs.service.state.switches.submit_shape == "empty"

    def _submitted(self, call: LabsCall, media: Media) -> Reply:
        """Three of the four shapes; which, is kept in what the old poll knows the job by (§6.3)."""
        shape = self._labs.service.state.switches.submit_shape
        if shape == "mix":
            place = spread(f"shape {media.id}", 10)
            shape = "media" if place < 7 else "both" if place < 9 or media.omni else "operations"
            shape = "operations" if media.mode == "upscale" else shape
        reply: dict[str, object] = {"remainingCredits": self._labs.balance(call)}
        if shape == "operations":
            media.handle = operation_name(media)
        elif shape == "both":
            media.handle = media.id if media.mode == "text" and not media.omni else None
        self._labs.service.save()
        if shape != "media":
            reply["operations"] = [self._labs.records.operation(media)]
        if shape != "operations":
            reply["workflows"] = self._workflows([media])
            reply["media"] = [self._labs.records.submitted(media)]
        return reply

    def _workflows(self, made: Sequence[Media]) -> list[dict[str, object]]:
        tiles = {
            media.workflow: self._labs.service.state.workflows[media.workflow] for media in made
        }
        return [self._labs.records.workflow(tile) for tile in tiles.values()]


def _identity(metadata: Metadata, context: GenerationContext | None) -> Identity:
    return Identity(
        media_seed=metadata.media_id_seed,
        workflow_seed=metadata.workflow_id_seed,
        workflow=metadata.workflow_id,
        batch=context.batch_id if context else None,
    )
