"""Warnings on stderr, and the log on disk: one small file for each process, the newest kept, nothing secret in it.

A file of its own for each process, since several write at once and Windows cannot rename what another has open.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import re
import sys
from pathlib import Path

from flowkit_mcp.config import Settings

LARGEST_BYTES = 1_000_000
KEPT_FILES = 24

#: Nothing like these is meant to be logged anywhere; if it ever is, it does not reach the disk.
_SECRETS = (
    (re.compile(r"ya29\.[\w.\-/+=]+"), "ya29.…"),
    (re.compile(r"(?i)\b(bearer|sapisid\w*hash)\s+[^\s,;'\"]+"), r"\1 …"),
    # A header of any spelling takes the rest of its line with it: who knows where its value ends?
    (re.compile(r"(?i)\b(authorization|cookies?)([\\\"']*\s*[:=]|[\\\"']+\s*,)\s*[^\n]+"), r"\1\2 …"),
    (re.compile(r"(https?://[^\s?#'\"]+)\?[^\s'\"]+"), r"\1?…"),
    (re.compile(r"[\w\-+/]{80,}={0,2}"), "…"),
)  # fmt: skip


def redact(text: str) -> str:
    """The text without bearers, cookies, signed addresses and long tokens."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class Redacting(logging.Formatter):
    """Tracebacks go through it, too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Quiet(logging.handlers.RotatingFileHandler):
    """A full disk ends no work over a line of log."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def folder_of(settings: Settings) -> Path:
    """Where the logs of a library are."""
    return settings.state_dir / "logs"


def start(settings: Settings) -> None:
    """From now on warnings go to stderr, and with FlowKit's own notes to a file of this process.

    Where there can be no file, stderr is all.
    """
    told = logging.StreamHandler(sys.stderr)
    told.setLevel(logging.WARNING)
    told.setFormatter(Redacting("%(levelname)s %(name)s: %(message)s"))
    handlers: list[logging.Handler] = [told]
    folder = folder_of(settings)
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(folder)
        file = folder / f"flowkit-{os.getpid()}.log"
        kept = _Quiet(file, maxBytes=LARGEST_BYTES, backupCount=1, encoding="utf-8")
        kept.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers.append(kept)
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    for handler in handlers:
        root.addHandler(handler)
    logging.getLogger("flowkit").setLevel(logging.INFO)


def _forget_old(folder: Path) -> None:
    """All but the newest, so that this one makes the last. Another process may be at it, too."""
    files: list[tuple[float, Path]] = []
    for file in folder.glob("flowkit-*.log*"):
        with contextlib.suppress(OSError):
            files.append((file.stat().st_mtime, file))
    for _, file in sorted(files)[: max(0, len(files) - KEPT_FILES + 1)]:
        with contextlib.suppress(OSError):  # on Windows, of a process that lives on
            file.unlink()
