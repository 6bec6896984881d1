"""Which earlier calls may show that ids follow from what was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowkit_mcp.domain.models import JobKind, Stage
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Database, Tx
from flowkit_mcp.store.migrate import migrate


async def accepted(tx: Tx, kind: JobKind, ref: str) -> None:
    job, _ = await jobs.enqueue(
        tx,
        now=1,
        kind=kind,
        request={},
        fingerprint=ref,
        provider="flow",
        priority=1,
        stage=Stage.VIDEO if kind is JobKind.GENERATE_VIDEO else None,
    )
    op = await operations.intend(
        tx,
        job,
        account="me",
        client_ref=ref,
        via=None,
        brief={},
        estimate=0,
        before=None,
        now=1,
        next_submit_at=1,
    )
    await operations.submitted(tx, op, remote_id=f"id of {ref}", credits_after=None, now=1)


@pytest.mark.parametrize("larger", [JobKind.UPSCALE_IMAGE, JobKind.UPSCALE_VIDEO])
async def test_larger_versions_are_named_otherwise_and_neither_prove_nor_disprove_the_rule(
    tmp_path: Path, larger: JobKind
) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        async with db.transaction() as tx:
            await operations.ensure_provider(tx, "flow", 1)
            await accepted(tx, JobKind.GENERATE_VIDEO, "clip")
            for number in range(30):  # however many of them came since
                await accepted(tx, larger, f"larger {number}")
        assert await operations.proven(db, "flow", "me") == (("clip", "id of clip", True),)
