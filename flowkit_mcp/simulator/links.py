"""Signed addresses of media that expire (flow-wire §7.4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlencode

from flowkit_mcp.clock import Clock

KEY_NAME = "labs-flow-prod-cdn-key"
What = Literal["image", "video"]


class Links:
    """Makes and checks `<base>/<path>/<what>/<id>?Expires=…&KeyName=…&Signature=…`."""

    def __init__(self, base: str, key: str, clock: Clock) -> None:
        self._base = base
        self._key = key.encode("utf-8")
        self._clock = clock

    def sign(self, what: What, media_id: str, lifetime_s: float, path: str) -> str:
        # Millisecond expiry would show in the address; whole seconds are what Flow prints.
        expires = int(self._clock.now() / 1000 + lifetime_s)
        query = urlencode(
            {
                "Expires": expires,
                "KeyName": KEY_NAME,
                "Signature": self._signature(what, media_id, str(expires)),
            }
        )
        return f"{self._base}/{path}/{what}/{media_id}?{query}"

    def good(self, what: str, media_id: str, query: Mapping[str, str]) -> bool:
        expires = query.get("Expires", "")
        wanted = self._signature(what, media_id, expires)
        return (
            hmac.compare_digest(wanted.encode(), query.get("Signature", "").encode())
            and query.get("KeyName") == KEY_NAME
            and self._clock.now() < int(expires) * 1000
        )

    def _signature(self, what: str, media_id: str, expires: str) -> str:
        text = f"{what}/{media_id}?{expires}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
