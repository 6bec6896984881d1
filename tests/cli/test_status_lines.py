"""What `status` says, line by line: the browser, the account, the gate, whether Flow answers as expected."""

from __future__ import annotations

import pytest

from flowkit_mcp.app import Status
from flowkit_mcp.cli.status import connection
from flowkit_mcp.domain.models import (
    Account,
    CallCheck,
    Checks,
    Gate,
    ProviderState,
    SelfCheck,
)
from flowkit_mcp.work.connection import Connection

READY = Connection(state="ready", what="connected and answering ('Chrome', me, lane labs)")


def status(
    browser: Connection = READY,
    *,
    calls: tuple[CallCheck, ...] = (),
    gate: Gate = Gate.OPEN,
    resume_at: int | None = None,
    trouble: str | None = None,
) -> Status:
    checked = SelfCheck(at=1, version="1", lane="labs", account="me", calls=calls)
    provider = ProviderState.model_validate(
        {
            "provider": "flow",
            "gate": gate,
            "reason": None if gate is Gate.OPEN else "RATE_LIMITED",
            "message": None if gate is Gate.OPEN else "Flow is busy. FlowKit waits.",
            "resume_at": resume_at,
            "probing": False,
            "failures": 0,
            "next_submit_at": 0,
            "connected": True,
            "lane": "labs",
            "account": Account(label="me", tier="PRO", credits=7).model_dump_json(),
            "account_at": 1,
            "checks": Checks(self_check=checked if calls else None).model_dump_json(),
            "updated_at": 1,
        }
    )
    return Status(
        version="1",
        library="l",
        simulated=False,
        leading=False,
        leader=None,
        leader_silent=False,
        provider=provider,
        browser=browser,
        facts_trouble=trouble,
        jobs={},
        spent_credits=0,
    )


def test_when_all_is_well_it_is_two_lines_and_no_advice() -> None:
    assert connection(status()) == [
        "Browser: connected and answering ('Chrome', me, lane labs).",
        "Account: me, tier PRO, 7 credits.",
    ]


def test_what_is_missing_comes_with_its_next_step_and_the_balance_is_marked_as_old() -> None:
    away = Connection(state="away", what="the paired browser is not connected", next="Open Chrome.")
    lines = connection(status(away))
    assert lines[:2] == ["Browser: the paired browser is not connected.", "  -> Open Chrome."]
    assert lines[2].endswith("7 credits when last seen.")


def test_a_closed_gate_says_why() -> None:
    assert (
        connection(status(gate=Gate.PAUSED))[-1] == "Flow is paused: Flow is busy. FlowKit waits."
    )


def test_a_pause_that_is_over_is_not_told_any_more() -> None:
    assert connection(status(gate=Gate.PAUSED, resume_at=1)) == connection(status())


@pytest.mark.parametrize(
    ("state", "words"), [("ok", "as expected"), ("changed", "does not answer")]
)
def test_the_self_check_is_one_line(state: str, words: str) -> None:
    call = CallCheck.model_validate(
        {"call": "project.list", "state": state, "message": "could not be read"}
    )
    line = connection(status(calls=(call,)))[-1]
    assert words in line and "lane labs" in line
    assert ("project.list changed: could not be read" in line) == (state == "changed")


def test_a_file_of_facts_that_cannot_be_used_is_named() -> None:
    assert connection(status(trouble="in lib: flow.toml: tool: bad."))[-1] == (
        "Ignored: in lib: flow.toml: tool: bad."
    )
