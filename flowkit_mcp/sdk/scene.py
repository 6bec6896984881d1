"""Scenes: what may be made of them, as jobs in the queue or awaited at once.

For each operation there are three calls: `plan_…` checks and prices it, the plain verb puts it into the queue and
returns a `Job`, `execute_…` waits for the same job, ahead of the queue, and returns a `GenerationResult`. All of them
raise what the plan raises; that a job fails is told in the result, never raised.
"""

from __future__ import annotations

from typing import Any, Unpack

from flowkit_mcp.app import FlowKit
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.jobs import GenerationResult, Job
from flowkit_mcp.sdk.options import (
    EditOptions,
    FrameOptions,
    ImageUpscaleOptions,
    RefsOptions,
    UpscaleOptions,
    VideoOptions,
)
from flowkit_mcp.sdk.rows import check_names
from flowkit_mcp.sdk.scene_plans import ScenePlans
from flowkit_mcp.store import catalog

CHANGEABLE = {"prompt", "image_prompt", "video_prompt", "narration", "trim_start", "trim_end"}


class Scene(ScenePlans):
    """One continuous generated shot of a video."""

    @classmethod
    async def get(cls, kit: FlowKit, handle: str | int, video: str | None = None) -> Scene:
        """By id, or by number within a video. Raises NotFound."""
        video_row = None if video is None else await catalog.video(kit.db, video)
        row = await catalog.scene_by_handle(kit.db, handle, video_row.id if video_row else None)
        video_row = await catalog.video(kit.db, row.video_id)
        return cls(kit, row, video_row, await catalog.project(kit.db, video_row.project_id))

    async def reload(self) -> Scene:
        """Read its row again."""
        self.row = await catalog.scene(self.kit.db, self.id)
        return self

    async def update(self, *, characters: list[str] | None = None, **values: Any) -> Scene:
        """Change prompts, narration, trim (seconds) or the cast. Raises InvalidSetting, NotFound."""
        check_names("scene", values, CHANGEABLE)
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

    # ---- the first frame -----------------------------------------------------------------------

    async def generate_image(
        self, orientation: Orientation, **options: Unpack[FrameOptions]
    ) -> Job:
        """Put the first frame into the queue; raises as `plan_image`."""
        return await Job.enqueue(self.kit, await self.plan_image(orientation, **options))

    async def execute_generate_image(
        self, orientation: Orientation, **options: Unpack[FrameOptions]
    ) -> GenerationResult:
        """Make the first frame now."""
        return await Job.execute(self.kit, await self.plan_image(orientation, **options))

    async def edit_image(
        self, orientation: Orientation, prompt: str, **options: Unpack[EditOptions]
    ) -> Job:
        """Put an edit of the image in use into the queue: a new take. `prompt` says what changes."""
        planned = await self.plan_image(orientation, edit_prompt=prompt, **options)
        return await Job.enqueue(self.kit, planned)

    async def execute_edit_image(
        self, orientation: Orientation, prompt: str, **options: Unpack[EditOptions]
    ) -> GenerationResult:
        """Edit the image in use now."""
        planned = await self.plan_image(orientation, edit_prompt=prompt, **options)
        return await Job.execute(self.kit, planned)

    async def upscale_image(
        self, orientation: Orientation, **options: Unpack[ImageUpscaleOptions]
    ) -> Job:
        """Put a larger version of the image into the queue; raises as `plan_image_upscale`."""
        return await Job.enqueue(self.kit, await self.plan_image_upscale(orientation, **options))

    async def execute_upscale_image(
        self, orientation: Orientation, **options: Unpack[ImageUpscaleOptions]
    ) -> GenerationResult:
        """Make a larger version of the image now."""
        return await Job.execute(self.kit, await self.plan_image_upscale(orientation, **options))

    # ---- the clip ------------------------------------------------------------------------------

    async def generate_video(
        self, orientation: Orientation, **options: Unpack[VideoOptions]
    ) -> Job:
        """Put the clip into the queue; raises as `plan_video`."""
        return await Job.enqueue(self.kit, await self.plan_video(orientation, **options))

    async def execute_generate_video(
        self, orientation: Orientation, **options: Unpack[VideoOptions]
    ) -> GenerationResult:
        """Make the clip now."""
        return await Job.execute(self.kit, await self.plan_video(orientation, **options))

    async def generate_video_refs(
        self, orientation: Orientation, **options: Unpack[RefsOptions]
    ) -> Job:
        """`generate_video` with mode `references`: the cast as they look, no first frame."""
        return await self.generate_video(orientation, mode="references", **options)

    async def execute_generate_video_refs(
        self, orientation: Orientation, **options: Unpack[RefsOptions]
    ) -> GenerationResult:
        """Make the clip from references now."""
        return await self.execute_generate_video(orientation, mode="references", **options)

    async def upscale_video(
        self, orientation: Orientation, **options: Unpack[UpscaleOptions]
    ) -> Job:
        """Put a larger version of the clip into the queue; raises as `plan_upscale`."""
        return await Job.enqueue(self.kit, await self.plan_upscale(orientation, **options))

    async def execute_upscale_video(
        self, orientation: Orientation, **options: Unpack[UpscaleOptions]
    ) -> GenerationResult:
        """Make a larger version of the clip now."""
        return await Job.execute(self.kit, await self.plan_upscale(orientation, **options))
