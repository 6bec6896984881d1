"""Which SQLite this Python brings, and what its errors mean for the person whose library it is."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Generator

from flowkit_mcp.errors import LibraryTrouble

#: A file that is no database, or a broken one.
Damaged = sqlite3.DatabaseError
_MENDED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))

FULL = (
    "the disk of the library is full",
    "Make room; what was sent and paid for is kept, and the work goes on.",
)
READ_ONLY = (
    "the library cannot be written",
    "Make its folder and files writable, or choose another with FLOWKIT_LIBRARY.",
)
DAMAGED = (
    "the library's database is damaged",
    "Run flowkit-mcp doctor: it says how to put the newest sound copy in its place. The media are not touched.",
)
BUSY = (
    "another program holds the library's database",
    "Try again; if it stays so, run flowkit-mcp doctor.",
)
CLOSED = (
    "the library's database cannot be opened",
    "See that its folder is there and can be written (a disk that is not connected, or read-only?), or choose another "
    "with FLOWKIT_LIBRARY.",
)
UNREADABLE = "the library's database cannot be read", "Run flowkit-mcp doctor."

_BY_CODE = {
    "SQLITE_FULL": FULL,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_NOTADB": DAMAGED,
    "SQLITE_BUSY": BUSY,
    "SQLITE_CANTOPEN": CLOSED,
    "SQLITE_IOERR": UNREADABLE,
}
_BY_ERRNO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
}


def sqlite_version() -> str:
    return sqlite3.sqlite_version


def has_wal_reset_bug(version: str) -> bool:
    """Whether two writers that checkpoint at the same instant may damage a WAL database (design.md §3.8)."""
    numbers = tuple(int(part) for part in version.split("."))
    return (
        not any(numbers[:2] == mended[:2] and numbers >= mended for mended in _MENDED)
        and numbers < _MENDED[-1]
    )


@contextlib.contextmanager
def in_words() -> Generator[None]:
    """Raises LibraryTrouble in place of what SQLite says about the disk or the file; all else as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if (trouble := trouble_of(error)) is not None:
            raise trouble from error
        raise


def trouble_of(error: BaseException) -> LibraryTrouble | None:
    """What an error says about the disk or the database; None: it says something else, and may be a bug."""
    found: tuple[str, str] | None = None
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", None) or ""
        found = next((told for code, told in _BY_CODE.items() if name.startswith(code)), None)
    elif isinstance(error, OSError) and error.errno is not None:
        found = _BY_ERRNO.get(error.errno)
    if found is None:
        return None
    what, hint = found
    return LibraryTrouble(
        f"{what} ({str(error).splitlines()[0][:120]})" if str(error) else what, hint=hint
    )
