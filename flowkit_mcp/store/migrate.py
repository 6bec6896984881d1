"""Brings a database up to the schema this program knows. Only the leader calls this.

`migrations/NNNN_name.sql` are plain SQL and never edited after a release; `user_version` counts them.
"""

from __future__ import annotations

import sqlite3
from importlib import resources

from flowkit_mcp.errors import LibraryTooNew
from flowkit_mcp.store.database import APPLICATION_ID, Database, Reads


def migrations() -> list[tuple[int, str]]:
    """(version, SQL) in order."""
    folder = resources.files("flowkit_mcp.store") / "migrations"
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in files]


def newest() -> int:
    """The schema version this program knows."""
    return migrations()[-1][0]


async def schema_version(reads: Reads) -> int:
    return int((await reads.all("PRAGMA user_version"))[0]["user_version"])


async def migrate(db: Database) -> list[int]:
    """Apply what is missing, each migration in one transaction; returns the versions applied.

    A library that already holds something is copied to `backup-v<old>.db` beside it first.

    Raises:
        LibraryTooNew: written by a newer program.
    """
    before = await schema_version(db)
    known = migrations()
    if before > known[-1][0]:
        raise LibraryTooNew(
            f"{db.path} has schema {before}, this FlowKit knows up to {known[-1][0]}"
        )
    if 0 < before < known[-1][0]:
        await db.backup(db.path.with_name(f"backup-v{before}.db"))
    applied: list[int] = []
    for version, sql in known:
        async with db.transaction() as tx:
            if await schema_version(tx) >= version:
                continue
            for statement in statements(sql):
                await tx.run(statement)
            await tx.run(f"PRAGMA application_id = {APPLICATION_ID}")
            await tx.run(f"PRAGMA user_version = {version}")
            applied.append(version)
    return applied


def statements(sql: str) -> list[str]:
    """Split a script; semicolons in strings, comments and triggers stay where they are."""
    found: list[str] = []
    current = ""
    for line in sql.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current) and line.rstrip().split("--")[0].rstrip().endswith(
            ";"
        ):
            found.append(current.strip())
            current = ""
    if _code(current):
        found.append(current.strip())
    return [statement for statement in found if _code(statement)]


def _code(sql: str) -> str:
    return "".join(line for line in sql.splitlines() if not line.lstrip().startswith("--")).strip()
