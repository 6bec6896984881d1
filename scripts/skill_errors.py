"""Write the error catalogue that the skill flowkit-doctor opens: `make skill-errors`. A test looks after it.

What each code means, whether it costs and what happens by itself comes from the program: the tree of `errors.py`,
`domain/policy.py` and Flow's own reasons. Only what a job waits for is worded here (`WAITS_FOR`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from flowkit_mcp import errors
from flowkit_mcp.domain.models import Gate
from flowkit_mcp.domain.policy import Ask, Decision, Retry, Stop, Verb, Wait, decide
from flowkit_mcp.errors import Charged, FlowKitError
from flowkit_mcp.providers.flow.errors import REASONS, Row
from flowkit_mcp.server import approval

PAGE = Path(__file__).parents[1] / "skills/flowkit-doctor/references/errors.md"
#: Where the errors stand that a client can meet; those of the demo and the simulator are none.
MET = (errors.__name__, approval.__name__)

CHARGED: dict[Charged, str] = {
    "no": "not charged",
    "yes": "charged",
    "refunded": "charged and given back, unless its message says otherwise",
    "unknown": "not known",
}

#: Reasons with which a job shows that it waits, or how it ended; every one that `work/` gives stands here.
WAITS_FOR = {
    "OUTCOME_UNKNOWN": (
        "The answer to a paid call is missing; FlowKit is looking, or could not find out.",
        "not known",
        "look_again (free); if the person finds it in Flow: attach with its id; if it is not there: submit_again, in "
        "their words; or give_up.",
    ),
    "NEVER_SENT": (
        "The call did not arrive, several times.",
        "not charged",
        "Look at the browser (status), then retry or give_up.",
    ),
    "STUCK": (
        "Flow accepted the call and says that it will not run.",
        "charged, as far as anybody can tell",
        "retry looks once more; submit_again is a new call, which costs again; or give_up.",
    ),
    "REPLY_LOST": (
        "Media that only the answer carried are gone from this disk.",
        "charged",
        "Look for it in Flow and attach it; or submit_again, which costs again.",
    ),
    "PUT_BACK": (
        "The library was put back from a copy, which does not know what was paid after it.",
        "not known",
        "Look for it in Flow (or YouTube) with the person. Then what its message offers: retry and submit_again make "
        "it anew, which may cost a second time; look_again is free.",
    ),
    "SLOW": (
        "Accepted long ago and still not there. FlowKit goes on looking.",
        "charged",
        "Wait. Only if the person does not want it any more: give_up.",
    ),
    "PRICE_CHANGED": (
        "The live price is above what the person agreed to.",
        "not charged",
        "cancel_job, then generate again: the person is asked with the new price.",
    ),
    "MODEL_UNAVAILABLE": (
        "The account cannot use this model now.",
        "not charged",
        "cancel_job, choose another model (status with detail full).",
    ),
    "BUDGET": (
        "It would go over a budget of the person's.",
        "not charged",
        "Tell the figures. Only if they say so: set_budget; the job then goes on by itself.",
    ),
    "PAUSED": (
        "An upload that was paused on request.",
        "no credits at stake",
        "retry goes on where YouTube says it stands.",
    ),
    "PROCESSING": (
        "The film is up; the thumbnail of a Short waits until YouTube has processed it.",
        "no credits at stake",
        "Nothing.",
    ),
    "CANCELLED": (
        "Stopped on request.",
        "as its message says",
        "Nothing; what had arrived at Flow may still finish there.",
    ),
    "GIVEN_UP": ("Ended by the person's decision.", "as its history says", "Nothing."),
}


def page() -> str:
    """The whole file."""
    parts = [
        "# Errors and reasons",
        "Generated from FlowKit's own catalogue (`make skill-errors`); do not edit. An error reads "
        "`CODE: what happened. What to do next.` The text of the error itself wins over this page.",
        "## Codes",
        _table(("code", "means", "credits", "what FlowKit does", "what to do"), _codes()),
        "## Why a job waits or how it ended",
        _table(
            ("reason", "means", "credits", "what to do"),
            ((f"`{reason}`", *row) for reason, row in WAITS_FOR.items()),
        ),
        "## What Flow itself says",
        "Before acceptance none of these is charged. When one comes after acceptance the message says what became of "
        "the credits.",
        _table(("reason", "means", "what to do"), _reasons()),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _codes() -> Iterator[tuple[str, ...]]:
    seen: set[str] = set()
    for kind in _tree(FlowKitError):
        if "code" not in vars(kind) or kind.code in seen:
            continue
        seen.add(kind.code)
        error = _example(kind)
        means = re.sub(r"\s+", " ", (kind.__doc__ or "").strip()).replace(
            "; nothing was done and nothing was spent", ""
        )
        yield (
            f"`{kind.code}`",
            means,
            CHARGED[error.charged],
            _does(decide(error, Verb.SUBMIT, attempts=0, now=0, roll=0.5)),
            error.hint,
        )


def _tree(kind: type[FlowKitError]) -> Iterator[type[FlowKitError]]:
    for below in kind.__subclasses__():
        if below.__module__ in MET:
            yield below
            yield from _tree(below)


def _example(kind: type[FlowKitError]) -> FlowKitError:
    if kind is errors.PublishLater:
        return errors.PublishLater("", retry_after_s=60)
    return kind("")


def _does(decision: Decision) -> str:
    match decision:
        case Retry():
            return "tries again by itself"
        case Wait(gate=Gate.PAUSED):
            return "pauses all new calls, goes on by itself"
        case Wait():
            return "waits, goes on by itself"
        case Ask(scope="provider"):
            return "stops all new calls until the person has acted"
        case Ask():
            return "keeps the job for the person's decision"
        case Stop():
            return "ends there"


def _reasons() -> Iterator[tuple[str, ...]]:
    groups: dict[Row, list[str]] = {}
    for reason, row in REASONS.items():
        groups.setdefault(row, []).append(f"`{reason}`")
    for row, reasons in groups.items():
        example = row.error("")
        yield ", ".join(reasons), row.text, row.hint or example.hint


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stderr.write(f"{PAGE.name}: written\n")
