"""What the stand-in for the browser keeps on disk: who it is, its key, and the journal of its calls.

The journal holds ids and phases only, and every line is on disk before what it announces happens.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, Field

from flowkit_mcp.bridge.protocol import Phase, Standing

TOMBSTONES = 500
#: What the list of open calls may take of a handshake frame, in bytes.
OPEN_LIST_BYTES = 2500

#: It is certain that nothing left, and that nothing will.
VOID: Literal["void"] = "void"
Stage = Phase | Literal["void"]


class Identity(BaseModel):
    """One browser profile. `generation` is the highest seen since it was paired."""

    instance: str
    key: str | None = Field(default=None, repr=False)
    port: int | None = None
    generation: int = 0


class BrowserProfile:
    """The folder of one browser profile. One process at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._file = folder / "profile.json"
        if self._file.exists():
            self.identity = Identity.model_validate_json(self._file.read_bytes())
        else:
            self.save(Identity(instance=secrets.token_hex(16)))

    def save(self, identity: Identity) -> None:
        """Make this the profile's identity, on disk first."""
        _replace(self._file, identity.model_dump_json())
        self.identity = identity

    def open_journal(self) -> Journal:
        """Begin a new life of this browser; close the journal at its end."""
        return Journal(self._folder / "journal.jsonl")


class Entry(NamedTuple):
    stage: Stage
    paid: bool


class Journal:
    """`{id: phase}`, one appended line per change; rewritten short at each start.

    Opening it is the start of a new life: what was accepted or minting when the last one ended never left
    and never will; results of free calls are gone and not missed.
    """

    def __init__(self, file: Path) -> None:
        self._entries: dict[str, Entry] = {}
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
            self._read(line)
        for call_id, (stage, paid) in list(self._entries.items()):
            if stage in {Phase.ACCEPTED, Phase.ASKING, Phase.MINTING}:
                self._entries[call_id] = Entry(VOID, paid)
            elif stage == Phase.DONE and not paid:
                self._entries[call_id] = Entry(Phase.ACKED, paid)
        self._prune()
        _replace(file, "".join(map(_line, self._entries, self._entries.values())))
        self._file = file.open("a", encoding="utf-8")

    def close(self) -> None:
        self._file.close()

    def write(self, call_id: str, stage: Stage, *, paid: bool) -> None:
        """Returns when it is on disk."""
        entry = Entry(stage, paid)
        self._entries.pop(call_id, None)  # to the end: the newest change is the youngest
        self._entries[call_id] = entry
        self._file.write(_line(call_id, entry))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._prune()

    def get(self, call_id: str) -> Entry | None:
        return self._entries.get(call_id)

    def standing(self, call_id: str) -> Standing:
        """The answer to `lookup` for a call that is not running.

        An id never seen is void from now on: `never_received` allows the server to send again under
        another id, so a late copy of this one must not run.
        """
        entry = self._entries.get(call_id)
        if entry is None:
            self.write(call_id, VOID, paid=False)
            return Standing.NEVER_RECEIVED
        if entry.stage == VOID:
            return Standing.NEVER_RECEIVED
        return Standing.SENT_NO_ANSWER if entry.stage == Phase.SENT else Standing.ANSWERED

    def open_calls(self) -> dict[str, Phase]:
        """Calls without an ack, the newest, as many as fit in a handshake frame."""
        room = OPEN_LIST_BYTES
        found: dict[str, Phase] = {}
        for call_id, (stage, _) in reversed(self._entries.items()):
            if stage == VOID or stage == Phase.ACKED:
                continue
            room -= len(json.dumps(call_id)) + len(stage) + 4
            if room < 0:
                break
            found[call_id] = stage
        return found

    def _read(self, line: str) -> None:
        try:
            record: Any = json.loads(line)
            stage = record["phase"]
            entry = Entry(VOID if stage == VOID else Phase(stage), bool(record["paid"]))
            self._entries.pop(record["id"], None)
            self._entries[str(record["id"])] = entry
        except (ValueError, KeyError, TypeError):
            return  # the last line of a life that was cut short: what it announced did not happen

    def _prune(self) -> None:
        """Forget the oldest tombstones beyond 500, those of free calls first."""
        ended = [one for one, (stage, _) in self._entries.items() if stage in {VOID, Phase.ACKED}]
        ended.sort(key=lambda one: self._entries[one].paid)
        for call_id in ended[: max(0, len(ended) - TOMBSTONES)]:
            del self._entries[call_id]


def _line(call_id: str, entry: Entry) -> str:
    return json.dumps({"id": call_id, "phase": entry.stage, "paid": entry.paid}) + "\n"


def _replace(file: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".new-")  # 0600 by itself
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    Path(name).replace(file)
