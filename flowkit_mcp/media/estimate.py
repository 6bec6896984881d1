"""How long a merge will take, and how far one is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from flowkit_mcp.media.plan import Plan
from flowkit_mcp.media.run import Progress
from flowkit_mcp.media.timeline import FPS

#: Seconds of work, measured on one core of a small server of 2026: 720p clips, preset veryfast.
ENCODE_S_PER_MEGAPIXEL = 0.016
SOUND_S_PER_SECOND = 0.035
COPY_S_PER_FRAME = 0.00035
PIECE_S = 0.25
_UNSURE_S = 2.0


@dataclass(frozen=True)
class Stage:
    """Where a merge is: `share` done of the whole, `name` in words, `left_s` seconds to go as estimated."""

    name: str
    share: float
    left_s: float


def encode_seconds(plan: Plan) -> float:
    """Encoding, spread over the cores."""
    pixels = plan.format.width * plan.format.height / 1e6
    pieces = sum(not piece.copied for piece in plan.pieces)
    work = plan.encoded_frames * pixels * ENCODE_S_PER_MEGAPIXEL + pieces * PIECE_S
    return work / max(1, min(os.cpu_count() or 1, pieces, 4))


def sound_seconds(plan: Plan) -> float:
    return plan.frames / FPS * SOUND_S_PER_SECOND / max(1, min(2, os.cpu_count() or 1))


def splice_seconds(plan: Plan) -> float:
    return plan.frames * COPY_S_PER_FRAME


def estimated(plan: Plan) -> float:
    """Seconds a merge will take on a machine like the one it was measured on."""
    return 0.2 + encode_seconds(plan) + sound_seconds(plan) + splice_seconds(plan)


class Reporter:
    """Turns the stages' own shares into one that only rises, weighed by how long each takes."""

    def __init__(
        self, plan: Plan, progress: Progress | None, stage: Callable[[Stage], None] | None
    ) -> None:
        self._progress, self._stage = progress, stage
        self._loop = asyncio.get_running_loop()
        self._frames = max(1, plan.encoded_frames)
        self._encode = encode_seconds(plan) if plan.encoded_frames else 0.0
        self._sound, self._splice = sound_seconds(plan), splice_seconds(plan)
        self._total = self._encode + self._sound + self._splice
        self._began = time.monotonic()
        self._gained = 0.0
        self._told = 0.0

    def encoded(self, frames: float) -> None:
        """So many more frames of the picture are encoded; in the event loop's thread."""
        self._gained += frames
        self._tell("encoding", self._encode * min(1.0, self._gained / self._frames))

    def listened(self, share: float) -> None:
        self._from_thread("reading the sound", self._encode + 0.2 * self._sound * share)

    def mixed(self, share: float) -> None:
        self._from_thread("mixing", self._encode + self._sound * (0.2 + 0.8 * share))

    def spliced(self, share: float) -> None:
        self._from_thread("joining", self._encode + self._sound + 0.8 * self._splice * share)

    def verifying(self) -> None:
        self._from_thread("checking", self._encode + self._sound + 0.85 * self._splice)

    def end(self) -> None:
        self._tell("done", self._total)

    def _from_thread(self, name: str, done: float) -> None:
        self._loop.call_soon_threadsafe(self._tell, name, done)

    def _tell(self, name: str, done: float) -> None:
        share = min(1.0, done / self._total)
        if share <= self._told:
            return
        self._told = share
        if self._progress is not None:
            self._progress(share)
        if self._stage is not None:
            passed = time.monotonic() - self._began
            reckoned = self._total * (1 - share)
            left = reckoned if passed < _UNSURE_S else passed / share * (1 - share)
            self._stage(Stage(name, share, round(left, 1)))
