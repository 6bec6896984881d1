"""Where an asset is known: which of several ids is given when all came at once."""

from __future__ import annotations

from pathlib import Path

from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.store import takes
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.migrate import migrate


async def test_of_ids_that_came_in_one_millisecond_the_same_one_is_given_whatever_their_order(
    tmp_path: Path,
) -> None:
    ids = ["m", "a", "z"]
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        async with db.transaction() as tx:
            for name, order in (("one", ids), ("other", ids[::-1])):
                await tx.insert(
                    "asset", id=name, media=MediaKind.IMAGE, path=f"{name}.jpg", sha256="0" * 64, bytes=1,
                    created_at=1,
                )  # fmt: skip
                for id in order:
                    await takes.add_remote(
                        tx, asset_id=name, provider="flow", account="me", remote_id=f"{name} {id}",
                        remote_project_id=None, now=2,
                    )  # fmt: skip
        for name in ("one", "other"):
            known = [one.remote_id for one in await takes.remotes(db, name)]
            assert known == [f"{name} {id}" for id in sorted(ids)]
            assert await takes.any_remote_id(db, name) == known[0]
            assert await takes.remote_id(db, name, "flow", "me", None) == known[0]
