"""Ids as Flow makes them: random, or derived from the seed a client sent (flow-wire §0.6)."""

from __future__ import annotations

import hashlib
import uuid


def random_id() -> str:
    return str(uuid.uuid4())


def derived_id(seed: str) -> str:
    """The id that follows from a seed, hashed exactly as it was sent: its letter case matters."""
    digits = list(hashlib.sha256(seed[:64].encode("utf-8")).hexdigest()[:32])
    digits[12] = "4"
    digits[16] = f"{8 | int(digits[16], 16) & 3:x}"
    return str(uuid.UUID("".join(digits)))


def spread(text: str, modulo: int) -> int:
    """A number below `modulo` that is always the same for the same text."""
    return int(hashlib.sha256(text.encode("utf-8")).hexdigest()[:8], 16) % modulo
