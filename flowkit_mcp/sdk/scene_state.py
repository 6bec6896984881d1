"""What a scene is and has: its row, its cast, its slots and takes. Making more of it is `sdk/scene.py`."""

from __future__ import annotations

from pathlib import Path

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import ChainType, Orientation, Slot, Stage, Take
from flowkit_mcp.domain.models import Project as ProjectRow
from flowkit_mcp.domain.models import Scene as SceneRow
from flowkit_mcp.domain.models import Video as VideoRow
from flowkit_mcp.errors import NotFound
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.rows import keep_own_picture
from flowkit_mcp.sdk.values import OrientationSlot, asset_of
from flowkit_mcp.store import catalog, takes

_SHOWN = (Stage.IMAGE, Stage.VIDEO, Stage.UPSCALE, Stage.IMAGE_UPSCALE)


class SceneState:
    """One continuous generated shot of a video, for reading and choosing."""

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
        """Its place in the video, from 1."""
        return self.row.number

    @property
    def continues(self) -> bool:
        """Whether it goes on where another scene ends."""
        return self.row.chain_type is ChainType.CONTINUATION

    async def cast(self) -> list[Character]:
        """Who is in it, in the order in which their references are passed."""
        return [Character(self.kit, row) for row in await catalog.scene_cast(self.kit.db, self.id)]

    async def slots(self) -> dict[tuple[Orientation, Stage], Slot]:
        """All eight slots, filled or not."""
        found = await takes.slots(self.kit.db, scene_id=self.id)
        return {(slot.orientation, slot.stage): slot for slot in found}

    async def orientation_slot(self, orientation: Orientation) -> OrientationSlot:
        """What this orientation holds, as values."""
        slots = await self.slots()
        return OrientationSlot(
            *[await asset_of(self.kit, slots[orientation, stage]) for stage in _SHOWN]
        )

    async def takes(
        self, orientation: Orientation | None = None, stage: Stage | None = None
    ) -> list[Take]:
        """Every attempt so far, by orientation, stage and number."""
        return await takes.takes(
            self.kit.db, scene_id=self.id, orientation=orientation, stage=stage
        )

    async def select_take(self, orientation: Orientation, stage: Stage, number: int) -> Take:
        """Put another take of a slot into use; what was made from it counts again downstream.

        Raises:
            NotFound: there is no such take.
        """
        for take in await self.takes(orientation, stage):
            if take.number == number:
                async with self.kit.db.transaction() as tx:
                    await takes.select_take(tx, take)
                return await takes.take(self.kit.db, take.id)
        raise NotFound(f"scene {self.number} has no {orientation} {stage} take {number}")

    async def set_image(self, file: Path, orientation: Orientation) -> Take:
        """Use a picture of your own as first frame; it is copied into the library. Raises InvalidSetting."""
        place: takes.Place = {
            "scene_id": self.id,
            "character_id": None,
            "orientation": orientation,
            "stage": Stage.IMAGE,
        }

        def target(number: int) -> Path:
            return self.kit.media.take_path(
                project=self.project.slug,
                video=self.video.slug,
                scene_number=self.number,
                orientation=orientation,
                stage=Stage.IMAGE,
                number=number,
                suffix=file.suffix.lower(),
            )

        return await keep_own_picture(self.kit, file, place, target)
