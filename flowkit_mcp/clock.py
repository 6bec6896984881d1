"""The one source of time and of new ids, so that tests can hand in another."""

from __future__ import annotations

import secrets
import time


class Clock:
    """Wall-clock time in integer milliseconds since 1970 UTC, and one that nobody can set."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def steady(self) -> float:
        """Seconds since some moment of this process; they never jump."""
        return time.monotonic()

    def new_id(self) -> str:
        """A UUIDv7 (RFC 9562): sorts by time of creation."""
        value = (self.now() & 0xFFFFFFFFFFFF) << 80 | secrets.randbits(80)
        value = value & ~(0xF << 76) | 0x7 << 76
        value = value & ~(0x3 << 62) | 0x2 << 62
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
