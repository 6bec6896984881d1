"""At the start of a term: media that have their name and no row, because a process ended between the two.

They are paid for, so they become takes, whatever became of their job meanwhile: cancelled before it went on, given up,
ended badly at the provider. A note in the job's history, written before the name, says whose they are (record.py).
Films and last frames cost nothing and are made again from the start, so theirs are removed.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from flowkit_mcp.domain.models import OperationState
from flowkit_mcp.store import jobs, operations, takes
from flowkit_mcp.work.record import Recorder, sha256_of
from flowkit_mcp.work.workshop import Replaced, Workshop, log


async def take_up_leftovers(shop: Workshop, recorder: Recorder) -> int:
    """Record what has no row yet; needs no browser and costs nothing. Returns how many. Raises Replaced."""
    taken = 0
    for note in await jobs.fetched_unrecorded(shop.db):
        try:
            taken += await _take_up(shop, recorder, note.job_id, note.data or {})
        except Replaced:
            raise
        except Exception:  # the file stays where it is; the term goes on without it
            log.exception("media of job %d have no row and could not be recorded", note.job_id)
    for note in await jobs.made_unrecorded(shop.db):
        try:
            await _remove(shop, note.data or {})
        except Exception:
            log.exception("files of job %d have no row and could not be removed", note.job_id)
    if taken:
        log.info("recorded %d take(s) whose files an earlier process left without a row", taken)
    return taken


async def _take_up(shop: Workshop, recorder: Recorder, job_id: int, note: dict[str, Any]) -> bool:
    file = await _left(shop, note)
    if file is None:
        return False
    op = await operations.operation(shop.db, note["operation"])
    job = await jobs.job(shop.db, job_id)
    if not job.state.final:
        if op.state is not OperationState.SUBMITTED:
            return (
                False  # submitted again: the job goes on with another call, and its end comes first
            )
        async with shop.db.transaction() as tx:
            claimed = await jobs.claim_one(tx, job_id, shop.generation)
        if claimed is None:
            return False  # a person is asked how it goes on
        job = claimed
    await recorder.take_up(job, op, note["remote_id"], file, note["credits_after"])
    return True


async def _left(shop: Workshop, note: dict[str, Any]) -> Path | None:
    """The noted media under a name of ours, if no row has them. A person's own file has other content."""
    folder = shop.media.absolute(note["folder"])
    if not folder.is_dir():
        return None
    for file in sorted(folder.glob("*-take-*")):
        if file.name.startswith(".") or not file.is_file():
            continue
        if await takes.has_file(shop.db, shop.media.relative(file)):
            continue
        if await asyncio.to_thread(sha256_of, file) == note["sha256"]:
            return file
    return None


async def _remove(shop: Workshop, note: dict[str, Any]) -> None:
    """Only if the first, which would have got the row, is there without one: else the others may be another film's."""
    folder = shop.media.absolute(note["folder"])
    found = [await _same(folder, one["name"], one["sha256"]) for one in note["files"]]
    first = found[0]
    if first is None or await takes.has_file(shop.db, shop.media.relative(first)):
        return
    for file in reversed(found):
        if file is not None:
            file.unlink(missing_ok=True)


async def _same(folder: Path, name: str, sha256: str) -> Path | None:
    """The file of that content under that name, or with the number that it gets where the name is taken."""
    wanted = Path(name)
    names = re.compile(rf"{re.escape(wanted.stem)}( \(\d+\))?{re.escape(wanted.suffix)}")
    for file in sorted(folder.glob("*")):
        if names.fullmatch(file.name) and file.is_file():
            if await asyncio.to_thread(sha256_of, file) == sha256:
                return file
    return None
