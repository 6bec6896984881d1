"""Bearers of lane labs: minted by its session endpoint, dead after an hour (flow-wire §1.2)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flowkit_mcp.clock import Clock

#: A session call hands out the bearer it has while that has so many minutes left.
FRESH_MIN = 10.0


@dataclass(frozen=True)
class _Bearer:
    account: str
    minted_at: int


class BearerDesk:
    """Hands out and checks bearers. They live in memory only: a restart makes them all worthless."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._good: dict[str, _Bearer] = {}

    def current(self, account: str, minutes: float) -> str:
        """The account's bearer, a new one where the old one is about to end."""
        now = self._clock.now()
        for text, bearer in self._good.items():
            left = bearer.minted_at + minutes * 60_000 - now
            if bearer.account == account and left > min(FRESH_MIN, minutes / 2) * 60_000:
                return text
        text = f"simulated-bearer-{secrets.token_urlsafe(48)}"
        self._good[text] = _Bearer(account, now)
        return text

    def account(self, text: str, minutes: float) -> str | None:
        """Whose bearer this is, if it is at most so many minutes old."""
        bearer = self._good.get(text)
        if bearer is None or self._clock.now() >= bearer.minted_at + minutes * 60_000:
            return None
        return bearer.account

    def revoke(self, account: str | None = None) -> None:
        """The account's bearers end now, or all."""
        self._good = {t: b for t, b in self._good.items() if account not in (None, b.account)}
