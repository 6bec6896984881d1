"""Extensions that Flow took and never begins with: sources disagree on which id names the clip (flow-wire §6.6)."""

from __future__ import annotations

from flowkit_mcp.providers.flow.records import MediaRecord, Status
from flowkit_mcp.providers.flow.table import Table

#: "Read the job back within 60 s and stop if it never leaves status 6."
PATIENCE_S = 60
_NOT_BEGUN = (Status.SCHEDULED, Status.PENDING)


class Extensions:
    """Which extensions are under way here. After a restart, what Flow says of a job has to do."""

    def __init__(self, facts: Table) -> None:
        self._facts = facts
        self._taken: dict[str, int] = {}
        self._begun: set[str] = set()

    def taken(self, media: str, now: int) -> None:
        """Flow accepted an extension at this time (milliseconds)."""
        self._taken[media] = now

    def complaint(self, media: str, record: MediaRecord, now: int) -> str | None:
        """A sentence, if this is an extension that should have begun long ago."""
        if record.status not in _NOT_BEGUN:
            self._taken.pop(media, None)
            if record.status == Status.ACTIVE:
                self._begun.add(media)  # it may fall back to the queue for a moment (§7.1)
            else:
                self._begun.discard(media)
            return None
        since = self._taken.get(media)
        if since is None and self._is_extension(record) and record.created_s is not None:
            since = record.created_s * 1000
        if since is None or media in self._begun or now - since < PATIENCE_S * 1000:
            return None
        other = "media" if self._facts.switches.extend_source == "workflow" else "workflow"
        return (
            f"Flow took this extension {(now - since) // 1000} s ago and has not begun with it; it may never start, "
            f"although it was charged. If that happens every time, set extend_source to {other!r} under [switches]."
        )

    def _is_extension(self, record: MediaRecord) -> bool:
        key = record.echo.model
        return key is not None and self._facts.mode_of(key) == "extend"
