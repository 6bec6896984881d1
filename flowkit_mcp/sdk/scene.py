"""Scenes: what may be made of them, what it costs, and the slots they fill."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import (
    ChainType,
    JobKind,
    MediaKind,
    Orientation,
    Priority,
    Slot,
    Stage,
    Take,
)
from flowkit_mcp.domain.models import Project as ProjectRow
from flowkit_mcp.domain.models import Scene as SceneRow
from flowkit_mcp.domain.models import Video as VideoRow
from flowkit_mcp.domain.prompts import continuation_prompt, image_prompt, video_prompt
from flowkit_mcp.domain.requests import GenerateImage, GenerateVideo, UpscaleVideo
from flowkit_mcp.errors import InvalidSetting, NotFound, NotReady
from flowkit_mcp.providers.flow.catalogue import choose
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.jobs import GenerationResult, Job, Planned
from flowkit_mcp.store import catalog, takes

CHANGEABLE = {"prompt", "image_prompt", "video_prompt", "narration", "trim_start", "trim_end"}
VideoMode = Literal["auto", "start", "start_end"]


@dataclass(frozen=True)
class MediaAsset:
    """What one slot holds. `status`: PENDING, PROCESSING, COMPLETED or FAILED."""

    status: str
    take_id: str | None
    media_id: str | None
    path: Path | None

    @property
    def url(self) -> str | None:
        return None if self.path is None else self.path.as_uri()


@dataclass(frozen=True)
class OrientationSlot:
    """Image, video and upscale of one orientation."""

    image: MediaAsset
    video: MediaAsset
    upscale: MediaAsset


class Scene:
    """One continuous generated shot of a video."""

    def __init__(self, kit: FlowKit, row: SceneRow, video: VideoRow, project: ProjectRow) -> None:
        self.kit = kit
        self.row = row
        self.video = video
        self.project = project

    def __repr__(self) -> str:
        return f"Scene({self.row.number})"

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def number(self) -> int:
        return self.row.number

    @classmethod
    async def get(cls, kit: FlowKit, handle: str | int, video: str | None = None) -> Scene:
        """By id, or by number within a video. Raises NotFound."""
        video_row = None if video is None else await catalog.video(kit.db, video)
        row = await catalog.scene_by_handle(kit.db, handle, video_row.id if video_row else None)
        video_row = await catalog.video(kit.db, row.video_id)
        return cls(kit, row, video_row, await catalog.project(kit.db, video_row.project_id))

    async def reload(self) -> Scene:
        self.row = await catalog.scene(self.kit.db, self.id)
        return self

    async def cast(self) -> list[Character]:
        return [Character(self.kit, row) for row in await catalog.scene_cast(self.kit.db, self.id)]

    async def update(self, *, characters: list[str] | None = None, **values: Any) -> Scene:
        """Change prompts, narration, trim (seconds) or the cast. Raises InvalidSetting, NotFound."""
        unknown = set(values) - CHANGEABLE
        if unknown:
            raise InvalidSetting(f"a scene has no {', '.join(sorted(unknown))}")
        if "prompt" in values and not (values["prompt"] or "").strip():
            raise InvalidSetting("prompt must not be empty")
        start = values.get("trim_start", self.row.trim_start) or 0.0
        end = values.get("trim_end", self.row.trim_end)
        if start < 0 or (end is not None and end <= start):
            raise InvalidSetting(f"trim_end ({end}) must be after trim_start ({start})")
        async with self.kit.db.transaction() as tx:
            if values:
                await catalog.change(tx, "scene", self.id, values, self.kit.clock.now())
            if characters is not None:
                ids = [(await catalog.character(tx, handle)).id for handle in characters]
                for id in ids:
                    await catalog.link_character(tx, self.project.id, id)
                await catalog.set_scene_cast(tx, self.id, ids)
        return await self.reload()

    async def slots(self) -> dict[tuple[Orientation, Stage], Slot]:
        found = await takes.slots(self.kit.db, scene_id=self.id)
        return {(slot.orientation, slot.stage): slot for slot in found}

    async def orientation_slot(self, orientation: Orientation) -> OrientationSlot:
        """What this orientation holds, as values."""
        slots = await self.slots()
        stages = (Stage.IMAGE, Stage.VIDEO, Stage.UPSCALE)
        return OrientationSlot(*[await self._asset(slots[orientation, stage]) for stage in stages])

    async def _asset(self, slot: Slot) -> MediaAsset:
        status = "COMPLETED" if slot.filled else "PENDING"
        if slot.job_state in ("running", "waiting"):
            status = "PROCESSING"
        elif slot.job_state == "needs_attention":
            status = "FAILED"
        if not slot.filled or slot.asset_id is None or slot.path is None:
            return MediaAsset(status, None, None, None)
        remote = await takes.any_remote_id(self.kit.db, slot.asset_id)
        return MediaAsset(status, slot.take_id, remote, self.kit.media.absolute(slot.path))

    async def takes(
        self, orientation: Orientation | None = None, stage: Stage | None = None
    ) -> list[Take]:
        return await takes.takes(
            self.kit.db, scene_id=self.id, orientation=orientation, stage=stage
        )

    async def select_take(self, orientation: Orientation, stage: Stage, number: int) -> Take:
        """Put another take of a slot into use; what was made from it counts again downstream."""
        for take in await self.takes(orientation, stage):
            if take.number == number:
                async with self.kit.db.transaction() as tx:
                    await takes.select_take(tx, take)
                return await takes.take(self.kit.db, take.id)
        raise NotFound(f"scene {self.number} has no {orientation} {stage} take {number}")

    async def set_image(self, file: Path, orientation: Orientation) -> Take:
        """Use a picture of your own as first frame. Raises InvalidSetting."""
        kit = self.kit
        place: takes.Place = {
            "scene_id": self.id,
            "character_id": None,
            "orientation": orientation,
            "stage": Stage.IMAGE,
        }
        number = await takes.next_number(kit.db, **place)
        target = kit.media.take_path(
            project=self.project.slug,
            video=self.video.slug,
            scene_number=self.number,
            orientation=orientation,
            stage=Stage.IMAGE,
            number=number,
            suffix=file.suffix.lower(),
        )
        kept = await kit.media.import_file(file, target, MediaKind.IMAGE)
        now = kit.clock.now()
        async with kit.db.transaction() as tx:
            asset = await takes.add_asset(
                tx, kept, id=kit.clock.new_id(), path=kit.media.relative(kept.path), now=now
            )
            return await takes.add_take(
                tx,
                id=kit.clock.new_id(),
                number=number,
                now=now,
                select=True,
                asset_id=asset.id,
                note=f"uploaded: {file.name}",
                credits=0,
                **place,
            )

    # ---- images ------------------------------------------------------------------------------

    async def plan_image(
        self,
        orientation: Orientation,
        *,
        model: str | None = None,
        new_take: bool = False,
        edit_prompt: str | None = None,
        seed: int | None = None,
    ) -> Planned:
        """Check and price the first frame; `edit_prompt` edits the one in use.

        Every character of the scene is passed as a reference. A CONTINUATION is by default an edit of its
        parent's image.

        Raises:
            NotReady: a reference, the parent's image or the image to edit is missing; names the tool.
        """
        slot = (await self.slots())[orientation, Stage.IMAGE]
        cast = [] if edit_prompt is not None else await self.cast()
        references = await self._references(cast)
        base: str | None = None
        rows = [character.row for character in cast]
        if edit_prompt is not None:
            if not slot.filled:
                raise NotReady(
                    f"scene {self.number} has no {orientation} image to edit",
                    hint="Call generate_image for it first.",
                )
            base, prompt = slot.take_id, edit_prompt
        elif self.row.chain_type is ChainType.CONTINUATION:
            base = await self._parent_image(orientation)
            prompt = continuation_prompt(self.row, rows, self.project)
        else:
            prompt = image_prompt(self.row, rows, self.project)
        account = await self.kit.account()
        chosen = choose(
            account.models,
            "image",
            wanted=model,
            duration_s=None,
            orientation=orientation,
            resolution=None,
        )
        if chosen.max_references and len(references) + bool(base) > chosen.max_references:
            raise InvalidSetting(
                f"scene {self.number} has {len(references)} references, {chosen.name} takes "
                f"{chosen.max_references}",
                hint="Take characters out of the scene or choose another model.",
            )
        again = new_take or edit_prompt is not None
        kind = JobKind.GENERATE_IMAGE
        if edit_prompt is not None:
            kind = JobKind.EDIT_IMAGE
        elif again and slot.takes:
            kind = JobKind.REGENERATE_IMAGE
        request = GenerateImage(
            kind=kind,
            project_id=self.project.id,
            video_id=self.video.id,
            scene_id=self.id,
            orientation=orientation,
            prompt=prompt,
            model=chosen.key,
            seed=seed,
            reference_take_ids=tuple(references),
            base_take_id=base,
            take_number=slot.takes + 1 if again else 0,
        )
        return Planned(
            request, chosen.credits or 0, f"scene {self.number} {orientation.value.lower()} image"
        )

    async def _references(self, cast: list[Character]) -> list[str]:
        ids: list[str] = []
        missing: list[str] = []
        for character in cast:
            slot = await character.slot()
            if slot.filled and slot.take_id is not None:
                ids.append(slot.take_id)
            else:
                missing.append(character.name)
        if missing:
            raise NotReady(
                f"scene {self.number} needs reference images of {', '.join(missing)}",
                hint=f"Call generate_image with characters={missing!r} first, then wait.",
            )
        return ids

    async def _parent_image(self, orientation: Orientation) -> str:
        parent = await catalog.scene(self.kit.db, self.row.parent_scene_id or "")
        slots = await takes.slots(self.kit.db, scene_id=parent.id)
        for slot in slots:
            if slot.orientation is orientation and slot.stage is Stage.IMAGE and slot.take_id:
                return slot.take_id
        raise NotReady(
            f"scene {self.number} continues scene {parent.number}, which has no {orientation} image",
            hint=f"Call generate_image for scene {parent.number} first, then wait.",
        )

    async def generate_image(self, orientation: Orientation, **options: Any) -> Job:
        """Put the first frame into the queue; options as `plan_image`."""
        return await Job.enqueue(self.kit, await self.plan_image(orientation, **options))

    async def edit_image(self, orientation: Orientation, prompt: str, **options: Any) -> Job:
        """Put an edit of the image in use into the queue."""
        planned = await self.plan_image(orientation, edit_prompt=prompt, **options)
        return await Job.enqueue(self.kit, planned)

    async def execute_generate_image(
        self, orientation: Orientation, **options: Any
    ) -> GenerationResult:
        """The same job, ahead of the queue and awaited."""
        return await self._execute(await self.plan_image(orientation, **options))

    async def execute_edit_image(
        self, orientation: Orientation, prompt: str, **options: Any
    ) -> GenerationResult:
        """The same job as `edit_image`, ahead of the queue and awaited."""
        planned = await self.plan_image(orientation, edit_prompt=prompt, **options)
        return await self._execute(planned)

    # ---- videos ------------------------------------------------------------------------------

    async def plan_video(
        self,
        orientation: Orientation,
        *,
        mode: VideoMode = "auto",
        model: str | None = None,
        duration_s: int | None = None,
        new_take: bool = False,
        seed: int | None = None,
    ) -> Planned:
        """Check and price the clip.

        `auto` ends on the image of the scene that continues this one, if there is one (`start_end`).

        Raises:
            NotReady: an image is missing; names the tool that makes it.
        """
        slots = await self.slots()
        image, slot = slots[orientation, Stage.IMAGE], slots[orientation, Stage.VIDEO]
        if not image.filled or image.take_id is None:
            raise NotReady(
                f"scene {self.number} has no {orientation} image to start from",
                hint=f"Call generate_image for scene {self.number} first, then wait.",
            )
        end = await self._end_image(orientation, mode)
        account = await self.kit.account()
        chosen = choose(
            account.models,
            "start_end" if end else "start",
            wanted=model,
            duration_s=duration_s,
            orientation=orientation,
            resolution=None,
        )
        cast = [character.row for character in await self.cast()]
        request = GenerateVideo(
            project_id=self.project.id,
            video_id=self.video.id,
            scene_id=self.id,
            orientation=orientation,
            prompt=video_prompt(self.row, cast, self.project),
            model=chosen.key,
            mode="start_end" if end else "start",
            start_take_id=image.take_id,
            end_take_id=end,
            seed=seed,
            take_number=slot.takes + 1 if new_take else 0,
        )
        return Planned(
            request, chosen.credits or 0, f"scene {self.number} {orientation.value.lower()} clip"
        )

    async def _end_image(self, orientation: Orientation, mode: VideoMode) -> str | None:
        if mode == "start":
            return None
        follower = await catalog.continued_by(self.kit.db, self.id)
        if follower is None:
            if mode == "start_end":
                raise NotReady(
                    f"no scene continues scene {self.number}, so there is no image to end on",
                    hint="Use mode='start', or add a CONTINUATION scene.",
                )
            return None
        for slot in await takes.slots(self.kit.db, scene_id=follower.id):
            if slot.orientation is orientation and slot.stage is Stage.IMAGE and slot.take_id:
                return slot.take_id
        raise NotReady(
            f"scene {follower.number} continues scene {self.number}, and its {orientation} image is missing",
            hint=f"Call generate_image for scene {follower.number} first, or use mode='start'.",
        )

    async def generate_video(self, orientation: Orientation, **options: Any) -> Job:
        """Put the clip into the queue; options as `plan_video`."""
        return await Job.enqueue(self.kit, await self.plan_video(orientation, **options))

    async def execute_generate_video(
        self, orientation: Orientation, **options: Any
    ) -> GenerationResult:
        """The same job, ahead of the queue and awaited."""
        return await self._execute(await self.plan_video(orientation, **options))

    # ---- upscale -----------------------------------------------------------------------------

    async def plan_upscale(
        self,
        orientation: Orientation,
        *,
        resolution: Literal["1080p", "4K"] = "1080p",
        model: str | None = None,
        new_take: bool = False,
    ) -> Planned:
        """Check and price a larger version of the clip in use. Raises NotReady."""
        slots = await self.slots()
        clip, slot = slots[orientation, Stage.VIDEO], slots[orientation, Stage.UPSCALE]
        if not clip.filled or clip.take_id is None:
            raise NotReady(
                f"scene {self.number} has no {orientation} clip to upscale",
                hint=f"Call generate_video for scene {self.number} first, then wait.",
            )
        account = await self.kit.account()
        chosen = choose(
            account.models,
            "upscale",
            wanted=model,
            duration_s=None,
            orientation=orientation,
            resolution=resolution,
        )
        request = UpscaleVideo(
            project_id=self.project.id,
            video_id=self.video.id,
            scene_id=self.id,
            orientation=orientation,
            model=chosen.key,
            source_take_id=clip.take_id,
            resolution=resolution,
            take_number=slot.takes + 1 if new_take else 0,
        )
        what = f"scene {self.number} {orientation.value.lower()} upscale to {resolution}"
        return Planned(request, chosen.credits or 0, what)

    async def upscale_video(self, orientation: Orientation, **options: Any) -> Job:
        """Put the upscale into the queue; options as `plan_upscale`."""
        return await Job.enqueue(self.kit, await self.plan_upscale(orientation, **options))

    async def execute_upscale_video(
        self, orientation: Orientation, **options: Any
    ) -> GenerationResult:
        """The same job, ahead of the queue and awaited."""
        return await self._execute(await self.plan_upscale(orientation, **options))

    async def _execute(self, planned: Planned) -> GenerationResult:
        return await (await Job.enqueue(self.kit, planned, Priority.DIRECT)).result()
