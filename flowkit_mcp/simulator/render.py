"""Draws the simulator's pictures with Pillow and encodes its clips with ffmpeg.

Everything is deterministic: the same spec gives the same picture, byte for byte, on one machine.
`draw_*.py` beside this file hold the drawing; here are the agreed types, the threads and the processes.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from flowkit_mcp.errors import MediaError
from flowkit_mcp.simulator.draw_specs import ClipSpec, PictureSpec, Reference

__all__ = ["ClipSpec", "PictureSpec", "Reference", "Renderer"]


class Renderer:
    """Makes pictures and clips; at most `workers` of them at the same time.

    `ffmpeg` is the binary to run; without it the one on PATH, then the one of imageio-ffmpeg.
    """

    def __init__(self, ffmpeg: str | None = None, workers: int = 2) -> None:
        self._given = ffmpeg
        self._turn = asyncio.Semaphore(workers)
        self._running: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def picture(self, spec: PictureSpec) -> bytes:
        """Draw a JPEG of exactly `spec.width` × `spec.height`."""
        # late: Pillow is loaded on first use, the start must not wait for it.
        from flowkit_mcp.simulator.draw_picture import draw_picture

        async with self._turn:
            return await asyncio.to_thread(draw_picture, spec)

    async def clip(self, spec: ClipSpec, to: Path) -> None:
        """Film `spec` into `to`: MP4, H.264 High + AAC 48 kHz stereo, exactly duration × 24 frames.

        The first frame is `start`, the last is `end` where given. `to` appears only when complete.

        Raises:
            MediaError: ffmpeg is missing or failed; the message ends with what it said.
        """
        # late: Pillow is loaded on first use, the start must not wait for it.
        from flowkit_mcp.simulator.draw_clip import stage_clip

        async with self._turn:
            with tempfile.TemporaryDirectory(prefix=".clip-", dir=to.parent) as folder:
                arguments = await asyncio.to_thread(stage_clip, spec, Path(folder))
                await self._encode(arguments, to)

    async def upscale(self, source: Path, to: Path, width: int, height: int) -> None:
        """Write `source` at `width` × `height`, the sound copied unchanged.

        Raises:
            MediaError: ffmpeg is missing or failed; the message ends with what it said.
        """
        # late: draw_clip loads Pillow, as above.
        from flowkit_mcp.simulator.draw_clip import upscale_arguments

        async with self._turn:
            await self._encode(upscale_arguments(source, width, height), to)

    async def aclose(self) -> None:
        """Stop what is running; nothing can be rendered afterwards."""
        self._closed = True
        for process in list(self._running):
            _kill(process)
            await process.wait()

    async def _encode(self, arguments: list[str], to: Path) -> None:
        """Run ffmpeg into a temporary name beside `to`, then put it in place."""
        if self._closed:
            raise MediaError("The simulator's renderer is closed")
        part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
        command = [self._binary(), "-nostdin", "-v", "error", "-y", *arguments, str(part)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=sys.platform != "win32",
            )
        except OSError as error:
            raise MediaError(f"ffmpeg could not be started: {error}") from error
        self._running.add(process)
        if self._closed:  # closed while it was being started
            _kill(process)
        try:
            _, said = await process.communicate()
            # A zero exit alone is no proof (media.md §0, finding 6); a missing file is a failure too.
            if process.returncode != 0 or not part.is_file() or part.stat().st_size == 0:
                tail = said.decode("utf-8", "replace").strip()[-600:] or "it said nothing"
                raise MediaError(f"ffmpeg ended with {process.returncode}: {tail}")
            os.replace(part, to)
        finally:
            if process.returncode is None:
                _kill(process)
                await process.wait()
            self._running.discard(process)
            part.unlink(missing_ok=True)

    def _binary(self) -> str:
        found = self._given or shutil.which("ffmpeg")
        if found:
            return found
        # late: only wanted where no ffmpeg is on PATH.
        import imageio_ffmpeg

        try:
            return imageio_ffmpeg.get_ffmpeg_exe()
        except RuntimeError as error:
            raise MediaError(
                "No ffmpeg was found", hint="Install ffmpeg, then try again."
            ) from error


def _kill(process: asyncio.subprocess.Process) -> None:
    """End the process and, where it leads a group, its children; gone already is fine."""
    if process.returncode is not None:
        return
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
