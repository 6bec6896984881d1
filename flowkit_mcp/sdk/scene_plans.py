"""Plans for a scene: checked against what is there, priced by the live catalogue, nothing made yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowkit_mcp.domain.models import ChainType, JobKind, Model, Orientation, Slot, Stage, Take
from flowkit_mcp.domain.prompts import (
    continuation_prompt,
    frameless_video_prompt,
    image_prompt,
    video_prompt,
)
from flowkit_mcp.domain.requests import (
    GenerateImage,
    GenerateVideo,
    LastFrame,
    UpscaleImage,
    UpscaleVideo,
)
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.jobs import Planned
from flowkit_mcp.sdk.options import VOICES, ClipSize, PictureSize, VideoMode, choose_model
from flowkit_mcp.sdk.scene_sources import SceneSources
from flowkit_mcp.store import takes

#: The shorter side of a clip in pixels, by what Flow calls its resolution.
_LINES = {"360p": 360, "720p": 720, "1080p": 1080, "4K": 2160}


class ScenePlans(SceneSources):
    """Each `plan_…` returns a `Planned`: the request, its price in credits, and what it is in words."""

    # ---- images ------------------------------------------------------------------------------

    async def plan_image(
        self,
        orientation: Orientation,
        *,
        model: str | None = None,
        new_take: bool = False,
        edit_prompt: str | None = None,
        last_frame: bool = False,
        seed: int | None = None,
    ) -> Planned:
        """Check and price the first frame; `edit_prompt` edits the one in use.

        Every character of the scene is passed as a reference. A CONTINUATION is by default an edit of its
        parent's image; with `last_frame` it is the last frame shown of its parent's clip, cut here for nothing and
        handed to Flow when something is made from it.

        Raises:
            NotReady: a reference, the parent's image or clip or the image to edit is missing; names the tool.
            InvalidSetting: the model, or more references than it takes. NotConnected: no catalogue yet.
        """
        slot = (await self.slots())[orientation, Stage.IMAGE]
        if last_frame:
            if edit_prompt is not None or model is not None or seed is not None:
                raise InvalidSetting(
                    "a last frame is cut from a clip: it has no model, seed or edit_prompt",
                    hint="Leave them out, or edit the image afterwards with edit_image.",
                )
            return await self._plan_last_frame(orientation, slot, again=new_take)
        cast = [] if edit_prompt is not None else await self.cast()
        references = await self._references(cast)
        base: str | None = None
        rows = [character.row for character in cast]
        if edit_prompt is not None:
            base, prompt = self._in_use(slot, "image to edit", "generate_image"), edit_prompt
        elif self.row.chain_type is ChainType.CONTINUATION:
            base = await self._parent_image(orientation)
            prompt = continuation_prompt(self.row, rows, self.project)
        else:
            prompt = image_prompt(self.row, rows, self.project)
        chosen = await choose_model(self.kit, "image", orientation, model=model)
        self._check_room(chosen, len(references) + bool(base))
        again = new_take or edit_prompt is not None
        kind = JobKind.GENERATE_IMAGE
        if edit_prompt is not None:
            kind = JobKind.EDIT_IMAGE
        elif again and slot.takes:
            kind = JobKind.REGENERATE_IMAGE
        request = GenerateImage(
            kind=kind,
            prompt=prompt,
            seed=seed,
            reference_take_ids=tuple(references),
            base_take_id=base,
            **self._common(orientation, chosen, slot, again),
        )
        return self._planned(request, chosen, orientation, "image")

    async def _plan_last_frame(
        self, orientation: Orientation, slot: Slot, *, again: bool
    ) -> Planned:
        clip, end_s = await self._cut_from(orientation)
        request = LastFrame(
            project_id=self.project.id,
            video_id=self.video.id,
            scene_id=self.id,
            orientation=orientation,
            take_number=slot.takes + 1 if again else 0,
            clip_take_id=clip,
            end_s=end_s,
        )
        side = orientation.value.lower()
        return Planned(request, 0, f"scene {self.number} {side} image (last frame)")

    # ---- clips -------------------------------------------------------------------------------

    async def plan_video(
        self,
        orientation: Orientation,
        *,
        mode: VideoMode = "auto",
        model: str | None = None,
        duration_s: int | None = None,
        resolution: str | None = None,
        voices: Sequence[str] = (),
        new_take: bool = False,
        seed: int | None = None,
    ) -> Planned:
        """Check and price the clip.

        | mode | made from |
        |---|---|
        | `auto` | `start_end` if a scene continues this one (but not from its last frame), else `start` |
        | `start` | the scene's image as first frame |
        | `start_end` | that, and the image of the scene that continues it as last frame |
        | `references` | pictures of everybody in the scene; no first frame |
        | `text` | words alone |
        | `extend` | the parent's clip, which goes on; for a CONTINUATION |

        Args:
            orientation: which of the two.
            mode: see above.
            model: family (`omni`, `veo-lite`, `veo-fast` …) or exact key; None for the usual one of the mode.
            duration_s: seconds; None for about 8. An extension is as long as Flow makes it.
            resolution: `360p` (cheaper, Omni) or `720p`; None for 720p.
            voices: preset voices such as `charon`, for `references`; how many, says the model.
            new_take: another attempt, though there is a clip.
            seed: for the same picture again; by chance if None.

        Raises:
            NotReady: something it is made from is missing; names the tool that makes it.
            InvalidSetting: model, duration or resolution that the account lacks (the hint lists what it has,
                with prices), voices nobody has, more references than the model takes.
            NotConnected: no catalogue yet.
        """
        if voices and mode != "references":
            raise InvalidSetting(
                f"voices do not go with mode {mode!r}", hint="Use mode='references'."
            )
        if duration_s is not None and mode == "extend":
            raise InvalidSetting(
                "an extension has no duration to choose", hint="Leave duration_s out."
            )
        slot = (await self.slots())[orientation, Stage.VIDEO]
        inputs = await self._inputs(orientation, mode, voices)
        chosen = await choose_model(
            self.kit,
            inputs["mode"],
            orientation,
            model=model,
            duration_s=duration_s,
            resolution=resolution,
        )
        if inputs["mode"] == "references":
            self._check_room(chosen, len(inputs["reference_take_ids"]))
            self._check_voices(chosen, inputs["voices"])
        request = GenerateVideo(
            prompt=await self._video_prompt(inputs["mode"]),
            seed=seed,
            **inputs,
            **self._common(orientation, chosen, slot, new_take),
        )
        how = "" if request.mode in ("start", "start_end") else f" ({request.mode})"
        return self._planned(request, chosen, orientation, f"clip{how}")

    async def _inputs(
        self, orientation: Orientation, mode: VideoMode, voices: Sequence[str]
    ) -> dict[str, Any]:
        """The fields of the request that say what the clip is made from."""
        match mode:
            case "text":
                return {"mode": mode}
            case "references":
                return {
                    "mode": mode,
                    "kind": JobKind.GENERATE_VIDEO_REFS,
                    "reference_take_ids": tuple(await self._shown()),
                    "voices": _known(voices),
                }
            case "extend":
                return {"mode": mode, "extended_take_id": await self._extended_clip(orientation)}
            case _:
                image = (await self.slots())[orientation, Stage.IMAGE]
                start = self._in_use(image, "image to start from", "generate_image")
                end = await self._end_image(orientation, mode)
                return {
                    "mode": "start_end" if end else "start",
                    "start_take_id": start,
                    "end_take_id": end,
                }

    async def _video_prompt(self, mode: str) -> str:
        cast = [character.row for character in await self.cast()]
        if mode in ("text", "references"):
            referenced = mode == "references"
            return frameless_video_prompt(self.row, cast, self.project, referenced=referenced)
        return video_prompt(self.row, cast, self.project)

    # ---- larger versions ---------------------------------------------------------------------

    async def plan_upscale(
        self,
        orientation: Orientation,
        *,
        resolution: ClipSize = "1080p",
        model: str | None = None,
        new_take: bool = False,
    ) -> Planned:
        """Check and price a larger version of the clip in use; `720p` is for clips made at 360p.

        Raises:
            NotReady: there is no clip. InvalidSetting: the clip is that large already, or the account cannot make
                that size; the hint lists what it can, with prices.
        """
        slots = await self.slots()
        clip = self._in_use(slots[orientation, Stage.VIDEO], "clip to upscale", "generate_video")
        size = await self._resolution(await takes.take(self.kit.db, clip))
        if _LINES[resolution] <= _LINES.get(size, 0):
            larger = [name for name, lines in _LINES.items() if lines > _LINES[size]]
            raise InvalidSetting(
                f"the {orientation} clip of scene {self.number} is {size} already, not less than {resolution}",
                hint=f"Larger would be {' or '.join(larger)}." if larger else "Nothing is larger.",
            )
        chosen = await choose_model(
            self.kit, "upscale", orientation, model=model, resolution=resolution
        )
        request = UpscaleVideo(
            source_take_id=clip,
            resolution=resolution,
            **self._common(orientation, chosen, slots[orientation, Stage.UPSCALE], new_take),
        )
        return self._planned(request, chosen, orientation, f"upscale to {resolution}")

    async def plan_image_upscale(
        self,
        orientation: Orientation,
        *,
        resolution: PictureSize = "2K",
        model: str | None = None,
        new_take: bool = False,
    ) -> Planned:
        """Check and price a larger version of the image in use, for posters and thumbnails.

        Raises:
            NotReady: there is no image. InvalidSetting: it is a picture of the person's own or the frame of a clip,
                which Flow does not enlarge (flow-wire §4.3), or the account cannot make that size.
        """
        slots = await self.slots()
        image = self._in_use(slots[orientation, Stage.IMAGE], "image to upscale", "generate_image")
        if (await takes.take(self.kit.db, image)).model is None:
            raise InvalidSetting(
                f"the {orientation} image of scene {self.number} was not made by Flow",
                hint="Flow enlarges only what it has made: call edit_image or generate_image first.",
            )
        chosen = await choose_model(
            self.kit, "upscale_image", orientation, model=model, resolution=resolution
        )
        slot = slots[orientation, Stage.IMAGE_UPSCALE]
        request = UpscaleImage(
            source_take_id=image,
            resolution=resolution,
            **self._common(orientation, chosen, slot, new_take),
        )
        return self._planned(request, chosen, orientation, f"image upscale to {resolution}")

    async def _resolution(self, clip: Take) -> str:
        """What Flow calls the size of a clip: by its model, else by its measures."""
        account = await self.kit.account()
        for model in account.models:
            if model.key == clip.model and model.resolution in _LINES:
                return model.resolution
        asset = await takes.asset(self.kit.db, clip.asset_id)
        short = min(asset.width or 0, asset.height or 0)
        return next((name for name, lines in _LINES.items() if lines == short), "")

    # ---- the request ---------------------------------------------------------------------------

    def _common(
        self, orientation: Orientation, model: Model, slot: Slot, another: bool
    ) -> dict[str, Any]:
        return {
            "project_id": self.project.id,
            "video_id": self.video.id,
            "scene_id": self.id,
            "orientation": orientation,
            "model": model.key,
            "take_number": slot.takes + 1 if another else 0,
        }

    def _planned(
        self,
        request: GenerateImage | GenerateVideo | UpscaleVideo | UpscaleImage,
        model: Model,
        orientation: Orientation,
        what: str,
    ) -> Planned:
        side = orientation.value.lower()
        return Planned(request, model.credits or 0, f"scene {self.number} {side} {what}")


def _known(voices: Sequence[str]) -> tuple[str, ...]:
    """Raises InvalidSetting for a voice that is none: Flow would leave it out without a word."""
    wanted = tuple(dict.fromkeys(voice.strip().lower() for voice in voices))
    if unknown := [voice for voice in wanted if voice not in VOICES]:
        raise InvalidSetting(
            f"no preset voice is called {', '.join(map(repr, unknown))}",
            hint=f"There are: {', '.join(sorted(VOICES))}.",
        )
    return wanted
