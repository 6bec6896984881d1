"""A library with one job in the queue, the processes that work it, and what is left when they are gone."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crash_provider import charges
from fake_provider import Accepted, FakeProvider
from tally import TALLY

from flowkit_mcp import FlowKit, Orientation, Project, Scene, Video
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import Asset, Job, JobEvent, JobState, Operation, Render, Take
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.store import jobs, operations, takes
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.lock import LeaderLock

H = Orientation.HORIZONTAL
CHILD = Path(__file__).with_name("crash_child.py")
Kind = Literal["image", "video", "merge", "frame", "larger", "house", "many"]


@dataclass(frozen=True)
class Left:
    """What the database holds about the one job when no process runs any more."""

    job: Job
    events: list[JobEvent]
    operations: list[Operation]
    takes: list[Take]
    renders: list[Render]
    assets: list[Asset]


@dataclass(frozen=True)
class World:
    """One library, the provider's ledger beside it, and the jobs that are worked; `job` is the first."""

    folder: Path
    jobs: tuple[int, ...]

    @property
    def job(self) -> int:
        return self.jobs[0]

    @property
    def library(self) -> Path:
        return self.folder / "library"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def charges(self) -> list[Accepted]:
        return charges(self.ledger)

    def killed_at(self, step: str, look_up: str = "yes") -> None:
        """Let a process work until it dies at `step`."""
        assert self.run(look_up, step) == -signal.SIGKILL, f"nobody came to {step}"

    def worked(self, look_up: str = "yes") -> Left:
        """Let a process work until the job rests; what it leaves."""
        assert self.run(look_up, "-") == 0
        self._count()
        return self.left(self.job)

    def _count(self) -> None:
        """For the line at the end: by the provider's own ledger, what was paid twice, and what is in no take."""
        accepted = [line.client_ref for line in self.charges]
        double, lost = len(accepted) - len(set(accepted)), 0
        for left in map(self.left, self.jobs):
            mine = [op for op in left.operations if op.client_ref in accepted]
            double += max(0, len(mine) - 1)
            ended = left.job.state in (JobState.SUCCEEDED, JobState.FAILED)
            lost += bool(mine) and ended and not left.takes
        TALLY.add(jobs=len(self.jobs), double=double, lost=lost)

    def left(self, id: int) -> Left:
        """What the database holds about a job now."""
        return asyncio.run(self._left(id))

    def cancel(self, id: int) -> None:
        """A person's word, given to a server that does not work the queue itself."""
        asyncio.run(_cancel(self.library, id))

    def kept_replies(self) -> list[Path]:
        """Media that came with a reply and wait for their row."""
        return list((self.library / ".flowkit" / "replies").glob("*"))

    def check_files(self, left: Left) -> None:
        """No unfinished file, none that no row knows, and each is what its row says."""
        files = [file for file in self.library.rglob("*") if file.is_file()]
        media = {file for file in files if ".flowkit" not in file.parts}
        known = {self.library / asset.path: asset for asset in left.assets}
        assert not [file for file in media if file.suffix == ".part"]
        assert media == set(known)
        for file, asset in known.items():
            assert hashlib.sha256(file.read_bytes()).hexdigest() == asset.sha256

    def run(self, look_up: str, step: str) -> int:
        """One process from start to end; returns its exit code. `step`: a name, `#7` for the seventh, or `-`."""
        # A fixed hash seed, since the colours of the scripted pictures follow from hashes.
        ran = subprocess.run(
            [sys.executable, str(CHILD), str(self.library), str(self.ledger), look_up, step, *map(str, self.jobs)],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            timeout=60,
            check=False,
        )  # fmt: skip
        TALLY.add(kills=ran.returncode == -signal.SIGKILL)
        return ran.returncode

    async def _left(self, id: int) -> Left:
        async with Database.open(Settings(library=self.library).database) as db:
            job = await jobs.job(db, id)
            return Left(
                job=job,
                events=await jobs.events(db, job.id),
                operations=await operations.operations(db, job.id),
                takes=[take for take in await _takes(db, job) if take.job_id == job.id],
                renders=await takes.renders(db, job.video_id or ""),
                assets=[Asset.model_validate(row) for row in await db.all("SELECT * FROM asset")],
            )


async def _takes(db: Database, job: Job) -> list[Take]:
    return await takes.takes(db, scene_id=job.scene_id) if job.scene_id else []


def build(folder: Path, kind: Kind) -> World:
    """A film with everything that `kind` needs, and its job in the queue."""
    return World(folder, tuple(asyncio.run(_prepare(folder / "library", kind))))


async def _prepare(library: Path, kind: Kind) -> list[int]:
    settings = Settings(library=library, port=47998)
    async with FlowKit.open(settings, provider=FakeProvider()) as kit:
        version = await kit.db.version()
        while (state := await kit.provider_state()) is None or state.account is None:
            version = await kit.db.changed(version, 5)
        video = await (await Project.create(kit, "Harbour film")).add_video("Harbour")
        scene = await video.add_scene("A harbour at dawn")
        if kind != "image":
            assert (await scene.execute_generate_image(H)).success
        if kind in ("merge", "frame"):
            assert (await scene.execute_generate_video(H)).success
        if kind == "frame":
            scene = await video.add_scene("The harbour wakes", continues=1)
    async with _server(library) as kit:
        scene = await Scene.get(kit, scene.id)
        if kind == "merge":
            made = [await (await Video.get(kit, video.id)).merge(H)]
        elif kind == "frame":
            made = [await scene.generate_image(H, last_frame=True)]
        elif kind == "image":
            made = [await scene.generate_image(H)]
        elif kind == "larger":
            made = [await scene.upscale_image(H, resolution="4K")]
        elif kind == "house":
            row, _ = await kit.enqueue(Housekeeping(action="trash", project="rp", items=("w",)))
            return [row.id]
        elif kind == "video":
            made = [await scene.generate_video(H)]
        else:
            made = [await scene.generate_image(H, new_take=True, seed=seed) for seed in range(3)]
            made += [await scene.generate_video(H, new_take=True, seed=seed) for seed in range(2)]
            made += [
                await scene.upscale_image(H, resolution="4K", new_take=n > 0) for n in range(2)
            ]
            made += [await scene.generate_video(H, mode="text", new_take=True)]
            row, _ = await kit.enqueue(Housekeeping(action="trash", project="rp", items=("w",)))
            return [row.id, *(job.id for job in made)]
        return [job.id for job in made]


@asynccontextmanager
async def _server(library: Path) -> AsyncGenerator[FlowKit]:
    """A process that only serves tools: somebody else has the lock, so the queue stands still."""
    settings = Settings(library=library, port=47998)
    lock = LeaderLock(settings.leader_lock)
    assert lock.try_acquire()
    try:
        async with FlowKit.open(settings, provider=FakeProvider()) as kit:
            yield kit
    finally:
        lock.release()


async def _cancel(library: Path, id: int) -> None:
    async with _server(library) as kit:
        await kit.cancel(id)
