"""What is being asked and what was quoted: in memory, for one process, for a short while.

A question keeps its wording while it is open, since a client of 2026-07-28 asks by being called again and an
answer counts only for the very text that was shown (mcp.md §1.5). A quote is the way round for clients that cannot
ask: good once, for exactly one request at one price.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from mcp.types import CallToolResult

from flowkit_mcp.clock import Clock

OPEN_MS = 15 * 60 * 1000
_MOST = 200


@dataclass(frozen=True)
class Proposal:
    """Something checked and priced. `carry_out` does it; nothing has been done before that.

    `question`: what the person is asked, even though it is free, because it cannot be undone.
    """

    key: str
    credits: int
    lines: tuple[str, ...]
    carry_out: Callable[[], Awaitable[CallToolResult]]
    question: str | None = None
    #: Whose budget it keeps to.
    project_id: str | None = None

    @property
    def what(self) -> str:
        """What a person says yes or no to, in a few words."""
        return "this" if self.question else f"{self.credits} credits"


def key_of(parts: Iterable[object]) -> str:
    """The same for two proposals that would do and cost the same."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


@dataclass
class _Kept:
    until: int
    text: str


class Desk:
    """Open questions by proposal, and quotes by the proposal they were given for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._questions: dict[str, _Kept] = {}
        self._quotes: dict[str, _Kept] = {}

    def question(self, proposal: Proposal, wording: str) -> str:
        """The wording in which this proposal is being asked: the first one, as long as it is open."""
        return self._keep(self._questions, proposal.key, wording)

    def answered(self, proposal: Proposal) -> None:
        """The next time it is asked anew, with the balance as it then is."""
        self._questions.pop(proposal.key, None)

    def quote(self, proposal: Proposal) -> str:
        """A quote for this proposal; the same one while it is good."""
        return self._keep(self._quotes, proposal.key, f"q-{secrets.token_hex(4)}")

    def redeem(self, proposal: Proposal, quote: str) -> bool:
        """Whether the quote was given for exactly this and is still good; it is used up by that."""
        self._sweep(self._quotes)
        kept = self._quotes.get(proposal.key)
        if kept is None or not secrets.compare_digest(kept.text, quote):
            return False
        del self._quotes[proposal.key]
        return True

    def _keep(self, book: dict[str, _Kept], key: str, text: str) -> str:
        self._sweep(book)
        kept = book.setdefault(key, _Kept(self._clock.now() + OPEN_MS, text))
        return kept.text

    def _sweep(self, book: dict[str, _Kept]) -> None:
        now = self._clock.now()
        for key in [key for key, kept in book.items() if kept.until <= now]:
            del book[key]
        while len(book) > _MOST:
            del book[next(iter(book))]
