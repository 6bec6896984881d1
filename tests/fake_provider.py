"""A provider that is scripted by tests and keeps a ledger of what it accepted."""

from __future__ import annotations

import asyncio
import functools
import io
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.models import Account, MediaKind, Model, Orientation
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import FlowKitError, GenerationFailed, OutcomeUnknown
from flowkit_mcp.providers.base import (
    Brief,
    CannotTell,
    Capabilities,
    Done,
    Failed,
    Found,
    ImageBrief,
    ImageUpscaleBrief,
    InFlight,
    NeverSent,
    Pending,
    Progress,
    RemoteMedia,
    Sent,
    SentCall,
    Submission,
    UpscaleBrief,
)

QUICK = Capabilities(
    submit_spacing_s=(0, 0),
    max_in_flight=4,
    first_poll_s=0.01,
    poll_s=0.01,
    look_up_grace_s=0.05,
    account_refresh_s=60,
)

MODELS = (
    Model(
        key="PIC", family="pic", name="Pic", media=MediaKind.IMAGE, modes=("image",), credits=0,
        max_references=5,
    ),
    Model(
        key="clip_8s", family="clip", name="Clip", media=MediaKind.VIDEO, credits=12, duration_s=8,
        modes=("text", "start", "start_end", "extend"), resolution="720p",
    ),
    Model(
        key="clip_4s", family="clip", name="Clip", media=MediaKind.VIDEO, credits=7, duration_s=4,
        modes=("start", "start_end"), resolution="720p",
    ),
    Model(
        key="up_1080p", family="upscale", name="Upscale", media=MediaKind.VIDEO, credits=3,
        modes=("upscale",), resolution="1080p",
    ),
    Model(
        key="pic_2k", family="upscale", name="Picture 2K", media=MediaKind.IMAGE, credits=0,
        modes=("upscale_image",), resolution="2K",
    ),
    Model(
        key="pic_4k", family="upscale", name="Picture 4K", media=MediaKind.IMAGE, credits=5,
        modes=("upscale_image",), resolution="4K",
    ),
    Model(
        key="up_4k", family="upscale", name="Upscale 4K", media=MediaKind.VIDEO, credits=None,
        modes=("upscale",), resolution="4K",
    ),
)  # fmt: skip


@dataclass
class Accepted:
    """One line of the provider's own ledger."""

    client_ref: str
    remote_id: str
    brief: Brief
    credits: int
    refunded: bool = False
    looks: int = 0
    error: FlowKitError | None = None


@dataclass
class FakeProvider:
    """`script` holds what the next submits do: None accepts, an error refuses, `LOSE` accepts and loses the reply."""

    name: str = "flow"
    capabilities: Capabilities = QUICK
    connected: bool = True
    via: str | None = "profile-a"
    lane: str | None = "batchexecute"
    credits: int = 1000
    looks_until_done: int = 1
    can_look_up: bool = True
    in_flight_looks: int = 0
    script: list[FlowKitError | str | None] = field(default_factory=list)
    ledger: list[Accepted] = field(default_factory=list)
    uploads: list[Path] = field(default_factory=list)
    projects: list[str] = field(default_factory=list)
    submitted: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    account_error: FlowKitError | None = None
    models: tuple[Model, ...] = MODELS
    on_accept: Callable[[Accepted], None] | None = None
    submits: int = 0
    label: str = "fake"
    kept: list[Housekeeping] = field(default_factory=list)
    #: What `keep_house` answers, by action, or raises.
    house: dict[str, dict[str, Any] | FlowKitError] = field(default_factory=dict)
    #: Said with every acceptance.
    warnings: tuple[str, ...] = ()
    #: What polls say instead of "not done yet".
    stuck: str | None = None
    #: Clips made larger are there already: the reply carries them, like larger pictures.
    inline_clips: bool = False
    #: Whether a look-up still finds what the reply carried.
    keeps_inline: bool = True
    can_cancel: bool | FlowKitError = False
    cancelled: list[str] = field(default_factory=list)
    looked_up: list[SentCall] = field(default_factory=list)
    polled: list[str] = field(default_factory=list)
    #: In which projects they were said to lie.
    polled_in: dict[str, str] = field(default_factory=dict)

    LOSE = "lose"
    CUT = "cut"

    def new_client_ref(self) -> str:
        return uuid.uuid4().hex

    @property
    def account_label(self) -> str:
        return self.label

    @property
    def charged(self) -> int:
        return sum(line.credits for line in self.ledger if not line.refunded)

    async def account(self) -> Account:
        if self.account_error is not None:
            raise self.account_error
        return Account(
            label=self.label, tier="PRO", credits=self.credits - self.charged, models=self.models
        )

    async def create_project(self, name: str) -> str:
        self.projects.append(name)
        return f"remote-project-{len(self.projects)}"

    async def upload_image(self, path: Path, project: str) -> str:
        assert path.is_file()
        self.uploads.append(path)
        return f"upload-{len(self.uploads)}"

    async def submit(self, brief: Brief, client_ref: str, via: str | None) -> Submission:
        self.submits += 1
        action = self.script.pop(0) if self.script else None
        if isinstance(action, FlowKitError):
            raise action
        if action == self.CUT:
            raise OutcomeUnknown("the connection went away before anything was sent")
        remote_id = f"media-{client_ref[:12]}"
        if isinstance(brief, ImageUpscaleBrief):
            remote_id = f"inline/{brief.source}/{brief.resolution}"
        line = Accepted(client_ref, remote_id, brief, brief.credits)
        self.ledger.append(line)
        self.submitted.set()
        if self.on_accept is not None:
            self.on_accept(line)
        if self.hold is not None:
            await self.hold.wait()
        if action == self.LOSE:
            raise OutcomeUnknown("the reply was lost")
        return self._reply(line)

    def _reply(self, line: Accepted) -> Submission:
        return Submission(
            remote_id=line.remote_id,
            credits_after=self.credits - self.charged,
            inline=self._media(line) if self._inline(line) else None,
            warnings=self.warnings,
            existed=isinstance(line.brief, UpscaleBrief) and self.inline_clips,
        )

    def _inline(self, line: Accepted) -> bool:
        if isinstance(line.brief, UpscaleBrief):
            return self.inline_clips
        return isinstance(line.brief, ImageUpscaleBrief)

    async def look_up(self, call: SentCall) -> Found:
        self.looked_up.append(call)
        if self.in_flight_looks > 0:
            self.in_flight_looks -= 1
            return InFlight()
        if not self.can_look_up:
            return CannotTell(evidence="this provider cannot be asked")
        for line in self.ledger:
            if line.client_ref == call.client_ref:
                if isinstance(line.brief, ImageUpscaleBrief) and not self.keeps_inline:
                    return CannotTell(evidence="no id follows for such a call")
                return Sent(submission=self._reply(line))
        return NeverSent(evidence="not in the ledger")

    async def forget(self, client_ref: str) -> None:
        pass

    async def poll(
        self,
        remote_ids: Sequence[str],
        media: MediaKind,
        projects: Mapping[str, str] | None = None,
    ) -> Mapping[str, Progress]:
        answer: dict[str, Progress] = {}
        self.polled += remote_ids
        self.polled_in |= projects or {}
        for line in self.ledger:
            if line.remote_id not in remote_ids:
                continue
            if isinstance(line.brief, ImageUpscaleBrief):
                answer[line.remote_id] = Failed(error=GenerationFailed("only in the reply"))
                continue
            line.looks += 1
            if line.looks < self.looks_until_done:
                answer[line.remote_id] = Pending(stuck=self.stuck)
            elif line.error is not None:
                if isinstance(line.error, GenerationFailed):
                    line.refunded = line.error.charged == "refunded"
                else:
                    line.refunded = True
                answer[line.remote_id] = Failed(error=line.error)
            else:
                found = RemoteMedia(remote_id=line.remote_id, media=media, url="memory:")
                answer[line.remote_id] = Done(media=found)
        return answer

    async def keep_house(self, request: Housekeeping) -> dict[str, Any]:
        self.kept.append(request)
        answer = self.house.get(request.action, {})
        if isinstance(answer, FlowKitError):
            raise answer
        return answer

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        line = next(line for line in self.ledger if line.remote_id == media.remote_id)
        to.write_bytes(self._media(line))

    @staticmethod
    def _media(line: Accepted) -> bytes:
        wide = line.brief.orientation is Orientation.HORIZONTAL
        size = (96, 54) if wide else (54, 96)
        large = (size[0] * 2, size[1] * 2)
        match line.brief:
            case ImageBrief():
                return picture(size, line.client_ref)
            case ImageUpscaleBrief():
                return picture(large, line.client_ref)
            case UpscaleBrief():
                return clip(large)
            case _:
                return clip(size)

    async def cancel(self, remote_id: str) -> bool:
        self.cancelled.append(remote_id)
        if isinstance(self.can_cancel, FlowKitError):
            raise self.can_cancel
        return self.can_cancel

    async def aclose(self) -> None:
        pass


def picture(size: tuple[int, int], text: str) -> bytes:
    """A small JPEG whose colour follows `text`."""
    from PIL import Image

    colour = tuple(hash(text + str(part)) % 256 for part in range(3))
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG")
    return file.getvalue()


@functools.cache
def clip(size: tuple[int, int], frames: int = 12) -> bytes:
    """A tiny H.264/AAC clip, 24 fps."""
    from fractions import Fraction

    import av
    from PIL import Image

    width, height = size[0] // 2 * 2, size[1] // 2 * 2
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="stereo")
        for index in range(frames):
            frame = av.VideoFrame.from_image(
                Image.new("RGB", (width, height), (20 * index, 90, 120))
            )
            frame.pts, frame.time_base = index, Fraction(1, 24)
            container.mux(video.encode(frame))
        silence = av.AudioFrame(format="fltp", layout="stereo", samples=2000 * frames)
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        silence.sample_rate, silence.pts = 48000, 0
        container.mux(audio.encode(silence))
        container.mux(video.encode())
        container.mux(audio.encode())
    return file.getvalue()
