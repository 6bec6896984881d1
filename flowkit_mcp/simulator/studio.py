"""Takes accepted media through their states in realistic time, rendering them on the way.

All durations are for pace 1 and are multiplied by the simulator's pace; a clip takes about three seconds,
or as long as rendering takes where that is longer.
"""

from __future__ import annotations

import asyncio
import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from flowkit_mcp.errors import MediaError
from flowkit_mcp.simulator.draw_specs import ClipSpec, PictureSpec, Reference
from flowkit_mcp.simulator.faults import Markers, without_markers
from flowkit_mcp.simulator.ids import spread
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.state import Media
from flowkit_mcp.simulator.state import replace as write

_log = logging.getLogger(__name__)

IMAGE_S = 0.3
QUEUE_S = 0.5
RELAPSE_S = 0.2
TO_POSTER_S = 0.9
TO_DONE_S = 0.7
#: One clip in so many goes back to the queue for a moment.
RELAPSE_ONE_IN = 8
#: How much longer a clip is ACTIVE with the switch on `slow`.
SLOWLY = 10
#: Failures that come before anything is rendered: 6→4.
AT_ONCE = ("PROMINENT_PEOPLE_FILTER_FAILED", "IP_INPUT_IMAGE")
#: Modes whose prompt is that of another medium: its markers were done with.
COPIES = ("upscale", "image_upscale")


class Draws(Protocol):
    """What the studio wants of a renderer; `render.Renderer` is the real one."""

    async def picture(self, spec: PictureSpec) -> bytes: ...
    async def clip(self, spec: ClipSpec, to: Path) -> None: ...
    async def upscale(self, source: Path, to: Path, width: int, height: int) -> None: ...
    async def aclose(self) -> None: ...


class Studio:
    """Runs one task per unfinished medium."""

    def __init__(self, service: FlowService, renderer: Draws, pace: float) -> None:
        self._service = service
        self._renderer = renderer
        self._pace = pace
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def resume(self) -> None:
        """Go on with what an earlier run of the simulator left unfinished."""
        for media in list(self._service.state.media.values()):
            if media.unfinished:
                self.begin(media)

    def begin(self, media: Media) -> None:
        task = asyncio.create_task(self._make(media), name=f"make {media.id}")
        self._tasks[media.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(media.id, None))

    def stop(self, media: Media) -> None:
        """Make no more of it; what it becomes is for the caller to say."""
        task = self._tasks.get(media.id)
        if task is not None:
            task.cancel()

    async def finished(self, media: Media) -> None:
        """Wait until the medium is made, has failed, or the studio closes.

        Being cancelled does not stop the making.
        """
        task = self._tasks.get(media.id)
        if task is not None:
            await asyncio.wait([task])

    async def aclose(self) -> None:
        """Stop; what is unfinished stays so, and `resume` goes on with it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._renderer.aclose()

    async def _make(self, media: Media) -> None:
        markers = Markers.of(media.prompt) if media.mode not in COPIES else Markers()
        if media.fate is not None and markers.failure is None:
            markers = replace(markers, failure=media.fate)
        if markers.stuck or media.stuck:
            await asyncio.Event().wait()
        try:
            if media.kind == "image":
                await self._make_image(media, markers)
            else:
                await self._make_clip(media, markers)
        except MediaError as error:
            _log.warning("%s could not be rendered: %s", media.id, error)
            self._service.fail(media, "SOMETHING_WENT_WRONG")
        # Whatever the drawing stumbles over, the job must end and be refunded, or a client waits for ever.
        except Exception:
            _log.exception("%s could not be rendered", media.id)
            self._service.fail(media, "SOMETHING_WENT_WRONG")

    async def _make_image(self, media: Media, markers: Markers) -> None:
        await self._rest(IMAGE_S + markers.slow_s)
        if markers.failure is not None:
            self._service.fail(media, markers.failure)
            return
        if media.mode == "image_upscale":
            data = await asyncio.to_thread(self._enlarged, media)
        else:
            data = await self._renderer.picture(self._picture(media))
        write(self._service.files.path(media), data)
        self._service.finish(media, len(data))

    async def _make_clip(self, media: Media, markers: Markers) -> None:
        path = self._service.files.path(media)
        if media.status.pending:
            await self._rest(QUEUE_S)
            if markers.failure in AT_ONCE:
                self._service.fail(media, markers.failure)
                return
            self._service.start(media)
            if markers.failure is not None:
                await self._rest(TO_POSTER_S + markers.slow_s)
                self._service.fail(media, markers.failure)
                return
            await self._film(media, path, markers.slow_s)
            self._service.finish(media, path.stat().st_size)
        await self._rest(self._service.state.switches.url_delay_s)
        self._service.publish(media)

    async def _film(self, media: Media, path: Path, slow_s: float) -> None:
        """Render in the background; meanwhile a relapse now and then, and the poster before the clip."""
        filming = asyncio.create_task(self._render(media, path))
        try:
            cycle = self._service.state.switches.lifecycle
            by_chance = cycle == "mixed" and spread(media.id, RELAPSE_ONE_IN) == 0
            if cycle == "relapse" or by_chance:
                await self._rest(RELAPSE_S)
                self._service.back_to_queue(media)
                await self._rest(RELAPSE_S)
                self._service.start(media)
            await self._rest(TO_POSTER_S * (SLOWLY if cycle == "slow" else 1) + slow_s)
            write(self._service.files.poster(media), await self._poster(media))
            self._service.show_poster(media)
            await self._rest(TO_DONE_S)
            await filming
        finally:
            filming.cancel()
            await asyncio.gather(filming, return_exceptions=True)

    async def _render(self, media: Media, path: Path) -> None:
        if media.mode == "upscale":
            source = self._service.state.media[media.inputs[0].id]
            await self._renderer.upscale(
                self._service.files.path(source), path, media.width, media.height
            )
            return
        spec = ClipSpec(
            prompt=without_markers(media.prompt),
            width=media.width,
            height=media.height,
            duration_s=media.seconds or 8,
            seed=media.seed,
            start=await self._first_frame(media),
            end=self._frame(media, "end"),
        )
        await self._renderer.clip(spec, path)

    async def _first_frame(self, media: Media) -> bytes | None:
        """What a clip begins with: its start picture, its source, or its references in one picture."""
        source = self._input(media, "source")
        if source is not None:
            return await self._source_frame(source, last=media.mode == "extend")
        if media.mode == "references":
            return await self._renderer.picture(self._picture(media))
        return self._frame(media, "start")

    async def _source_frame(self, source: Media, *, last: bool) -> bytes:
        """The last frame of a clip, where it can be read, else its poster."""
        # late: PyAV is loaded on first use, the start must not wait for it.
        from flowkit_mcp.media import stills

        still = self._service.files.poster(source)
        if last:
            to = still.with_name(f".{source.id}.last.png")
            try:
                still = await stills.last_frame(self._service.files.path(source), to)
                return still.read_bytes()
            except MediaError:
                still = self._service.files.poster(source)
            finally:
                to.unlink(missing_ok=True)
        return still.read_bytes()

    def _enlarged(self, media: Media) -> bytes:
        # late: Pillow is loaded on first use, the start must not wait for it.
        from PIL import Image

        # late: draw_shapes loads Pillow, as above.
        from flowkit_mcp.simulator.draw_shapes import scaled

        source = self._service.state.media[media.inputs[0].id]
        out = io.BytesIO()
        with Image.open(self._service.files.path(source)) as picture:
            bigger = scaled(picture.convert("RGB"), (media.width, media.height))
        bigger.save(out, "JPEG", quality=90)
        return out.getvalue()

    async def _poster(self, media: Media) -> bytes:
        if media.mode == "upscale":
            source = self._service.state.media[media.inputs[0].id]
            return self._service.files.poster(source).read_bytes()
        source = self._input(media, "source")
        if source is not None:
            return self._service.files.poster(source).read_bytes()
        start = self._input(media, "start")
        if start is not None and start.mime == "image/jpeg":
            return self._service.files.path(start).read_bytes()
        return await self._renderer.picture(
            PictureSpec(
                prompt=without_markers(media.prompt),
                width=media.width,
                height=media.height,
                seed=media.seed,
                base=self._frame(media, "start"),
                title=media.title,
            )
        )

    def _picture(self, media: Media) -> PictureSpec:
        references = [
            Reference(label=self._label(source.id), image=self._bytes(source.id))
            for source in media.inputs
            if source.use == "reference"
        ]
        return PictureSpec(
            prompt=without_markers(media.prompt),
            width=media.width,
            height=media.height,
            seed=media.seed,
            references=tuple(references),
            base=self._frame(media, "base"),
            title=media.title,
        )

    def _input(self, media: Media, use: str) -> Media | None:
        found = next((source.id for source in media.inputs if source.use == use), None)
        return None if found is None else self._service.state.media[found]

    def _frame(self, media: Media, use: str) -> bytes | None:
        source = self._input(media, use)
        return None if source is None else self._service.files.path(source).read_bytes()

    def _bytes(self, media_id: str) -> bytes:
        return self._service.files.path(self._service.state.media[media_id]).read_bytes()

    def _label(self, media_id: str) -> str:
        """What a picture was made from: its prompt, or the file name of an upload."""
        media = self._service.state.media[media_id]
        return without_markers(media.prompt) or media.title

    async def _rest(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._pace)
