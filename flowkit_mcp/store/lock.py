"""The lock that says who leads: an exclusive transaction on a small SQLite file of its own.

The kernel frees it when the process dies, on every platform, without a clock (design.md §4.2). The file holds no
data, stays in the legacy journal mode, is never deleted and never opened by other means: on POSIX, closing any
other handle to it in this process would drop the lock.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path


class LeaderLock:
    """Held by at most one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    @property
    def held(self) -> bool:
        return self._connection is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free; never waits."""
        if self._connection is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=0, check_same_thread=False
        )
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            connection.close()
            return False
        self._connection = connection
        return True

    def release(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
