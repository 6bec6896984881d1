"""What a scene's pictures and clips are made from: takes in use of this scene, its cast and the scenes beside it."""

from __future__ import annotations

from collections.abc import Sequence

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Model, Orientation, Slot, Stage, Take
from flowkit_mcp.errors import InvalidSetting, NotReady
from flowkit_mcp.sdk.character import Character
from flowkit_mcp.sdk.options import VideoMode
from flowkit_mcp.sdk.scene_state import SceneState
from flowkit_mcp.store import catalog, takes, trims

#: Only clips up to 8 s can be extended (flow-wire §6.4); files may be a few frames longer.
_LONGEST_EXTENDED_MS = 8500


class SceneSources(SceneState):
    """Each names what is missing, and the tool that makes it."""

    def _in_use(self, slot: Slot, what: str, tool: str) -> str:
        """The take of a slot that something is to be made from."""
        if slot.filled and slot.take_id is not None:
            return slot.take_id
        raise NotReady(
            f"scene {self.number} has no {slot.orientation} {what}",
            hint=f"Call {tool} for scene {self.number} first, then wait.",
        )

    async def _references(self, cast: Sequence[Character]) -> list[str]:
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

    async def _shown(self) -> list[str]:
        """References of everybody in the scene, who must be somebody."""
        cast = await self.cast()
        if not cast:
            raise NotReady(
                f"scene {self.number} has nobody whose reference images could be used",
                hint="Call update_scene with characters=[…], or use mode='text'.",
            )
        return await self._references(cast)

    def _check_room(self, model: Model, references: int) -> None:
        if model.max_references and references > model.max_references:
            raise InvalidSetting(
                f"scene {self.number} has {references} references, {model.name} takes "
                f"{model.max_references}",
                hint="Take characters out of the scene or choose another model.",
            )

    @staticmethod
    def _check_voices(model: Model, voices: Sequence[str]) -> None:
        """Flow leaves out what is too much without a word."""
        if model.max_voices is not None and len(voices) > model.max_voices:
            raise InvalidSetting(
                f"{len(voices)} voices are given, {model.name} takes {model.max_voices or 'none'}",
                hint="Name fewer voices or choose another model.",
            )

    async def _parent_image(self, orientation: Orientation) -> str:
        parent = await catalog.scene(self.kit.db, self.row.parent_scene_id or "")
        slot = await _slot(self.kit, parent.id, orientation, Stage.IMAGE)
        if slot.filled and slot.take_id is not None:
            return slot.take_id
        raise NotReady(
            f"scene {self.number} continues scene {parent.number}, which has no {orientation} image",
            hint=f"Call generate_image for scene {parent.number} first, then wait.",
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
        if await starts_from_clip(self.kit, follower.id, orientation):
            if mode == "start_end":
                raise NotReady(
                    f"the {orientation} image of scene {follower.number} is the last frame of a clip, "
                    f"so no clip of scene {self.number} can be made to end on it",
                    hint=f"Use mode='start', or edit_image or generate_image for scene {follower.number}.",
                )
            return None
        slot = await _slot(self.kit, follower.id, orientation, Stage.IMAGE)
        if slot.filled and slot.take_id is not None:
            return slot.take_id
        raise NotReady(
            f"scene {follower.number} continues scene {self.number}, and its {orientation} image is missing",
            hint=f"Call generate_image for scene {follower.number} first, or use mode='start'.",
        )

    async def _parent_clip(self, orientation: Orientation, what: str) -> Take:
        """The clip in use of the scene that this one continues; `what` it is wanted for, e.g. "clip to extend"."""
        if not self.continues or self.row.parent_scene_id is None:
            raise NotReady(
                f"scene {self.number} continues no other scene, so there is no {what}",
                hint="Use another mode, or add the scene with continues=<scene>.",
            )
        parent = await catalog.scene(self.kit.db, self.row.parent_scene_id)
        slot = await _slot(self.kit, parent.id, orientation, Stage.VIDEO)
        if not slot.filled or slot.take_id is None:
            raise NotReady(
                f"scene {self.number} continues scene {parent.number}, which has no {orientation} {what}",
                hint=f"Call generate_video for scene {parent.number} first, then wait.",
            )
        return await takes.take(self.kit.db, slot.take_id)

    async def _extended_clip(self, orientation: Orientation) -> str:
        """The clip that goes on in this scene. That the connected account knows it, is checked when it is sent."""
        clip = await self._parent_clip(orientation, "clip to extend")
        parent = await catalog.scene(self.kit.db, clip.scene_id or "")
        await self._check_extendable(clip, parent.number)
        return clip.id

    async def _cut_from(self, orientation: Orientation) -> tuple[str, float | None]:
        """The clip whose last frame this scene is to start from, and where it is trimmed to end, in seconds."""
        clip = await self._parent_clip(orientation, "clip whose last frame it could start from")
        parent = await catalog.scene(self.kit.db, clip.scene_id or "")
        if clip.ends_on_id is not None:
            end = await takes.take(self.kit.db, clip.ends_on_id)
            if end.scene_id == self.id:
                raise NotReady(
                    f"the clip of scene {parent.number} was made to end on the image of scene {self.number}, "
                    "which would be replaced",
                    hint="Nothing needs to be done: the two meet. For another frame make the clip again with "
                    "mode='start' and new_take=true first.",
                )
        own = await trims.trims(self.kit.db, parent.video_id, orientation)
        _, end_s = own.get(parent.id, (0.0, parent.trim_end))
        return clip.id, end_s

    async def _check_extendable(self, clip: Take, number: int) -> None:
        """Flow extends clips of families that have a key for it, not Omni's (flow-wire §6.4)."""
        account = await self.kit.account()
        able = list(dict.fromkeys(m.family for m in account.models if "extend" in m.modes))
        made_by = next((model for model in account.models if model.key == clip.model), None)
        if able and made_by is not None and made_by.family not in able:
            raise NotReady(
                f"the clip of scene {number} was made by {made_by.name}, whose clips Flow cannot extend",
                hint=f"Make it again with model={able[0]!r} and new_take=true, or use another mode.",
            )
        length = (await takes.asset(self.kit.db, clip.asset_id)).duration_ms or 0
        if length > _LONGEST_EXTENDED_MS:
            raise NotReady(
                f"the clip of scene {number} has {length / 1000:.1f} s, Flow extends up to 8 s",
                hint="Make it again with duration_s=8 and new_take=true, or use another mode.",
            )


async def starts_from_clip(kit: FlowKit, scene_id: str, orientation: Orientation) -> bool:
    """Whether a scene's image is the last frame of a clip: that clip cannot be made to end on it."""
    slot = await _slot(kit, scene_id, orientation, Stage.IMAGE)
    if slot.take_id is None:
        return False
    source = (await takes.take(kit.db, slot.take_id)).made_from_id
    return source is not None and (await takes.take(kit.db, source)).stage is Stage.VIDEO


async def _slot(kit: FlowKit, scene_id: str, orientation: Orientation, stage: Stage) -> Slot:
    found = await takes.slots(kit.db, scene_id=scene_id)
    return next(one for one in found if (one.orientation, one.stage) == (orientation, stage))
