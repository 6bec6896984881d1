"""Stand-in for reCAPTCHA Enterprise: tokens that work once, for one action, for two minutes (flow-wire §1.3)."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from flowkit_mcp.clock import Clock

SITE_KEY = "6LdsFiUsAAAAAIjVDZcuLhaHiDn5nnHVXVRQGeMV"

IMAGE = ("IMAGE_GENERATION",)
VIDEO = ("VIDEO_GENERATION",)
#: The sources disagree on the action of an upload, so either is accepted (flow-wire §1.3).
UPLOAD = ("IMAGE_GENERATION", "UPLOAD_IMAGE")
#: Whose token it is where browsers keep google.com's cookies from other sites: nobody's in particular.
ANYONE = ""
#: Unused tokens held; the oldest go first.
_KEPT = 10_000


@dataclass(frozen=True)
class _Token:
    account: str
    action: str
    minted_at: int


class CaptchaDesk:
    """Mints and redeems tokens. They live in memory only: a restart makes them all worthless."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, _Token] = {}

    def mint(self, account: str, action: str, *, newest_only: bool = False) -> str:
        """A token of 2400 characters for one call by this account."""
        if newest_only:
            self._open = {t: token for t, token in self._open.items() if token.account != account}
        text = secrets.token_urlsafe(1800)
        self._open[text] = _Token(account, action, self._clock.now())
        while len(self._open) > _KEPT:
            del self._open[next(iter(self._open))]
        return text

    def redeem(
        self, text: object, account: str, actions: Collection[str], lifetime_s: float
    ) -> bool:
        """Use a token up, and say whether it was good for one of `actions`."""
        token = self._open.pop(text, None) if isinstance(text, str) else None
        return (
            token is not None
            and token.account in (account, ANYONE)
            and token.action in actions
            and self._clock.now() < token.minted_at + lifetime_s * 1000
        )
