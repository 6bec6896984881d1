"""Runs `flowkit-mcp` as a person does, and reads what it left behind with other people's tools."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import av

LIMIT_S = 540
PATIENCE_S = 60.0


def environment(**given: str) -> dict[str, str]:
    """Ours, without any setting of FlowKit."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLOWKIT_")}
    return kept | given


def flowkit(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "flowkit_mcp", *arguments]


class DemoRun:
    """One `flowkit-mcp demo --json`; its progress is on stderr."""

    def __init__(self, out: Path, cwd: Path, *more: str) -> None:
        self.out = out
        self.said: list[str] = []
        self.cpu_s = 0.0  #: processor time of it and all its children, known at its end
        self.process = subprocess.Popen(
            flowkit("demo", "--json", "--out", str(out), *more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=cwd,
            env=environment(),
        )

    def until(self, words: str) -> str:
        """Read its progress up to the line in which this pattern is found."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line.rstrip())
            if re.search(words, line):
                return line
        raise AssertionError(f"it never said {words!r}:\n" + "\n".join(self.said))

    def end(self) -> dict[str, Any]:
        """Wait for its end; the report, or {} if there is none."""
        before = _children_cpu_s()
        out, rest = self.process.communicate(timeout=LIMIT_S)
        self.cpu_s = _children_cpu_s() - before
        self.said += rest.splitlines()
        return json.loads(out) if out.strip() else {}

    def server(self) -> int:
        """The process that leads its library: the one server there is."""
        told = subprocess.run(
            flowkit("status", "--json", "--library", str(self.out / "library")),
            capture_output=True,
            encoding="utf-8",
            env=environment(),
            check=True,
        )
        return int(json.loads(told.stdout)["leader"]["pid"])

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=LIMIT_S)


def _children_cpu_s() -> float:
    """Of all children that have ended and been waited for, and theirs."""
    used = os.times()
    return used.children_user + used.children_system


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A killed child of a process that has not asked yet is still in the table.
    state = Path(f"/proc/{pid}/stat")
    return (
        not state.exists() or state.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    )


def all_ended(pids: list[int]) -> bool:
    """Whether they end; a killed process of a busy machine is there for a moment yet."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and any(alive(pid) for pid in pids):
        time.sleep(0.1)
    return not any(alive(pid) for pid in pids)


def children(pid: int) -> list[int]:
    """All descendants of a process, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        parents[int(entry.parent.name)] = int(fields[1])
    found, front = [], [pid]
    while front:
        front = [child for child, parent in parents.items() if parent in front]
        found += front
    return found


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


class Books:
    """FlowKit's operations and the simulator's ledger, read from the files both keep."""

    def __init__(self, out: Path) -> None:
        state = out / "library" / ".flowkit"
        with sqlite3.connect(f"file:{state / 'flowkit.db'}?mode=ro", uri=True) as db:
            self.operations = db.execute("SELECT state, remote_id FROM operation").fetchall()
            self.spent = int(
                db.execute(
                    "SELECT coalesce(sum(credits), 0) FROM job WHERE state = 'succeeded'"
                ).fetchone()[0]
            )
        db.close()
        kept = json.loads(
            next((out / "library-simulator" / "flow").glob("*.json")).read_text(encoding="utf-8")
        )
        self.ledger: list[dict[str, Any]] = kept["ledger"]

    def check(self) -> None:
        """Nothing is paid twice, and both books say the same."""
        charges = [entry for entry in self.ledger if entry["kind"] == "charge"]
        each = Counter(entry["media_id"] for entry in charges)
        assert max(each.values()) == 1, each
        sent = [state for state, _ in self.operations if state not in ("refused", "void")]
        assert len(charges) == len(sent), (len(charges), Counter(sent))
        assert set(sent) == {"done"}
        assert self.spent == sum(entry["credits"] for entry in charges)


class Clip:
    """What players see and hear of a file."""

    def __init__(self, path: Path | str) -> None:
        with av.open(str(path)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            self.codecs = (video.codec_context.name, audio.codec_context.name)
            self.size = (video.width, video.height)
            self.rate = video.average_rate
            self.duration_s = float(container.duration / av.time_base)
            self.samples = round(
                audio.duration * audio.time_base.numerator * 48_000 / audio.time_base.denominator
            )
        with av.open(str(path)) as container:
            self.frames = sum(1 for _ in container.decode(video=0))
