"""The wall clock may be set while work is under way. What waits for a time does not wait for a day that is over.

Rows hold wall-clock times, since they outlive the process. When that clock goes back, everything that is due "in a
minute" would be due in a minute and the whole jump. When it goes forward, things are only looked at early; but how
long a reply has been missing is never taken from it alone (`Patience`), for that decides whether a call is sent again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flowkit_mcp.store import jobs, operations
from flowkit_mcp.work.workshop import Workshop, log

#: Clocks are corrected by less than this all the time.
NOTICED_MS = 2000
#: Nothing ever waits longer (a day's quota): what does was reckoned just before the clock went back and written after.
FARTHEST_MS = 26 * 3600 * 1000

Steady = Callable[[], float]


class Jumps:
    """Sees the clock go back, and pulls what waits along. `steady`: seconds that never jump."""

    def __init__(self, workshop: Workshop, steady: Steady = time.monotonic) -> None:
        self._shop = workshop
        self._steady = steady
        self._wall, self._since = workshop.clock.now(), steady()

    async def at_the_start(self) -> int:
        """The clock may have been set while nobody worked: history that lies in the future tells."""
        latest = await jobs.latest_event(self._shop.db)
        back = 0 if latest is None else latest - self._shop.clock.now()
        return await self._pull(back)

    async def look(self) -> int:
        """How far the clock has gone back since the last look, in milliseconds; 0: it has not."""
        wall, since = self._shop.clock.now(), self._steady()
        back = int(self._wall + 1000 * (since - self._since) - wall)
        self._wall, self._since = wall, since
        if back < NOTICED_MS and await self._stray(wall + FARTHEST_MS):
            back = (
                FARTHEST_MS * 1000
            )  # nobody knows by how much: all is looked at now, which is early and no harm
        return await self._pull(back)

    async def _stray(self, far: int) -> bool:
        states = await operations.provider_states(self._shop.db)
        times = [at for state in states for at in (state.next_submit_at, state.resume_at)]
        return any(at is not None and at > far for at in times) or await jobs.waits_past(
            self._shop.db, far
        )

    async def _pull(self, back: int) -> int:
        if back < NOTICED_MS:
            return 0
        now = self._shop.clock.now()
        log.warning("the clock of this machine went back; what waits is pulled along")
        async with self._shop.db.transaction() as tx:
            await jobs.pull_forward(tx, now, back)
            await operations.pull_forward(tx, now, back)
        return back


class Patience:
    """How long the outcome of a call has been looked for, by two clocks that are not believed blindly."""

    def __init__(self, steady: Steady = time.monotonic) -> None:
        self._steady = steady
        self._first: dict[int, float] = {}

    def age_s(self, operation_id: int, by_wall_s: float) -> float:
        """The smaller of what the wall clock says and of the time since this process first asked for this call.

        Below nothing the wall clock tells nothing (the call was sent while it was ahead), and the other, which never
        counts too much, is believed alone: else a look-up would go on for as long as that clock was ahead.
        """
        now = self._steady()
        steady_s = now - self._first.setdefault(operation_id, now)
        return steady_s if by_wall_s < 0 else min(by_wall_s, steady_s)
