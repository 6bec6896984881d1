"""When what is under way will have ended, learned from this library's own past."""

from __future__ import annotations

from collections.abc import Iterable

from flowkit_mcp.app import FLOW, FlowKit
from flowkit_mcp.domain.eta import Experience, Pace, forecast, in_words
from flowkit_mcp.domain.models import Gate
from flowkit_mcp.providers.base import Capabilities
from flowkit_mcp.providers.flow.provider import QUICK
from flowkit_mcp.store import history


class Forecast:
    """Seconds from now, by job. A job that needs a person, or whose gate does, has none."""

    def __init__(self, seconds: dict[int, float]) -> None:
        self.seconds = seconds

    def of(self, job_id: int) -> str | None:
        """`about 3 min`, or None if nobody can know."""
        return in_words(self.seconds[job_id]) if job_id in self.seconds else None

    def of_all(self, ids: Iterable[int] | None = None) -> str | None:
        """Until the last of these (default: of all) has ended, as far as that can be known."""
        known = [
            self.seconds[id] for id in (self.seconds if ids is None else ids) if id in self.seconds
        ]
        return in_words(max(known)) if known else None

    @classmethod
    async def now(cls, kit: FlowKit) -> Forecast:
        """As things stand."""
        jobs = await history.under_way(kit.db)
        if not jobs:
            return cls({})
        past = Experience(await history.took(kit.db))
        return cls(forecast(jobs, past, {FLOW: await _pace(kit)}, kit.clock.now()))


async def _pace(kit: FlowKit) -> Pace:
    capabilities = QUICK if kit.settings.simulated else Capabilities()
    state = await kit.provider_state()
    opens_at: int | None = 0
    if state is None or not state.connected:
        opens_at = None
    elif state.gate is not Gate.OPEN:
        opens_at = state.resume_at
    elif state.next_submit_at:
        opens_at = state.next_submit_at
    return Pace(
        spacing_s=sum(capabilities.submit_spacing_s) / 2,
        at_once=capabilities.max_in_flight,
        opens_at=opens_at,
    )
