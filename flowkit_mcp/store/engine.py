"""Which SQLite this Python brings, and what it raises about a damaged file; `doctor` tells both."""

from __future__ import annotations

import sqlite3

#: A file that is no database, or a broken one.
Damaged = sqlite3.DatabaseError


def sqlite_version() -> str:
    return sqlite3.sqlite_version
