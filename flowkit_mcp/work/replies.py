"""Media that came in the reply to a submit: on disk before anything is committed, for nobody can fetch them again.

One file for each operation, in the folder `replies` beside the database: a line of JSON with the rest of the reply,
then the bytes. It is there before the operation counts as submitted, and goes when its take is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Collection
from pathlib import Path

from flowkit_mcp.domain.models import Operation
from flowkit_mcp.providers.base import Submission

_SUFFIX = ".reply"
_PART = ".part"
_ASIDE = ".unclaimed"
_NUMBER = re.compile(r"operation-(\d+)\.reply")


class Replies:
    """The kept replies of one library; only the leader uses them."""

    def __init__(self, database: Path) -> None:
        self._folder = database.parent / "replies"
        #: What could not be written: a full disk must not lose it as long as this process lives.
        self._unwritten: dict[int, Submission] = {}

    async def keep(self, op: Operation, submission: Submission) -> None:
        """Write a reply that carries media, synced. Raises OSError; `read` knows it all the same."""
        self._unwritten[op.id] = submission
        await asyncio.to_thread(_write, self._file(op.id), submission)
        del self._unwritten[op.id]

    def has(self, op: Operation) -> bool:
        """Whether the media of this operation are here."""
        return op.id in self._unwritten or self._file(op.id).is_file()

    async def read(self, op: Operation) -> Submission | None:
        """The reply with its media, or None if none was kept."""
        if op.id in self._unwritten:
            return self._unwritten[op.id]
        try:
            data = await asyncio.to_thread(self._file(op.id).read_bytes)
        except FileNotFoundError:
            return None
        head, _, media = data.partition(b"\n")
        return Submission.model_validate_json(head).model_copy(update={"inline": media})

    def drop(self, op: Operation) -> None:
        """Its take is recorded: the reply is not needed any more."""
        self._unwritten.pop(op.id, None)
        with contextlib.suppress(OSError):  # swept at the next start
            self._file(op.id).unlink(missing_ok=True)

    def sweep(self, live: Collection[int], newest: int) -> list[Path]:
        """Remove what belongs to no call of `live`, and what was never finished.

        A reply to a call after the `newest` is of a time that this library has forgotten, since it was put back from a
        copy: that is put aside, for its number will be given anew. Returns what was.
        """
        aside: list[Path] = []
        for id in self._unwritten.keys() - set(live):
            del self._unwritten[id]
        for file in sorted(self._folder.iterdir()) if self._folder.is_dir() else ():
            number = _NUMBER.fullmatch(file.name)
            if file.suffix == _ASIDE or (number and int(number[1]) in live):
                continue
            with contextlib.suppress(OSError):
                if number and int(number[1]) > newest:
                    since = file.stat().st_mtime_ns
                    aside.append(file.replace(file.with_suffix(f".{since}{_ASIDE}")))
                else:
                    file.unlink()
        return aside

    def _file(self, id: int) -> Path:
        return self._folder / f"operation-{id}{_SUFFIX}"


def _write(file: Path, submission: Submission) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(_PART)
    with part.open("wb") as out:
        out.write(submission.model_dump_json(exclude={"inline"}).encode() + b"\n")
        out.write(submission.inline or b"")
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    if os.name == "posix":  # the new name must survive a power cut, too
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
