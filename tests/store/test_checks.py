"""What the leader saw of the browser and of Flow, kept where every process can show it."""

from __future__ import annotations

from pathlib import Path

from flowkit_mcp.domain.models import Answer, BrowserSeen, CallCheck, Checks, SelfCheck
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.migrate import migrate

FLOW = "flow"


async def test_what_was_seen_is_kept_piece_by_piece_and_a_wish_to_look_hurts_none(
    tmp_path: Path,
) -> None:
    seen = BrowserSeen(at=1, label='Anna "home"', standing_by=("work",), tab="ready")
    found = CallCheck(call="account.credits", state="ok", message="")
    checked = SelfCheck(at=2, version="1", lane="labs", account="a", calls=(found,))
    answer = Answer(at=3, ok=False, message="no answer")
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        async with db.transaction() as tx:
            state = await operations.ensure_provider(tx, FLOW, 1)
            assert state.checks is None
            await operations.want_check(tx, FLOW, 7)
            await operations.set_check(tx, FLOW, "browser", seen, 8)
            await operations.set_check(tx, FLOW, "self_check", checked, 8)
            await operations.set_check(tx, FLOW, "answer", answer, 8)
        state = await operations.provider_state(db, FLOW)
        assert state is not None
        assert state.checks == Checks(browser=seen, answer=answer, self_check=checked, wanted_at=7)
        async with db.transaction() as tx:
            await operations.set_check(tx, FLOW, "browser", None, 9)
        state = await operations.provider_state(db, FLOW)
        assert state is not None and state.checks is not None
        assert state.checks.browser is None and state.checks.answer == answer
