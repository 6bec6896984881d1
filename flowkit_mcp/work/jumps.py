"""The wall clock may be set while work is under way. What waits for a time does not wait for a day that is over.

Rows hold wall-clock times, since they outlive the process. When that clock goes back, everything that is due "in a
minute" would be due in a minute and the whole jump. When it goes forward, things are only looked at early; but how
long a reply has been missing is never taken from it alone (`Patience`), for that decides whether a call is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowkit_mcp.clock import Clock
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.work.workshop import Workshop, log

#: Clocks are corrected by less than this all the time.
NOTICED_MS = 2000
#: Between two looks there is never more.
LOOKED_MS = 60_000
#: Nothing ever waits longer (a day's quota): what does was written by another process while its clock was ahead.
FARTHEST_MS = 26 * 3600 * 1000


@dataclass(frozen=True)
class Back:
    """Milliseconds by which a clock was ahead of now: at the last look, and at any reading since (farthest first)."""

    before: int
    seen: tuple[int, ...]

    def pull(self, at: int, now: int) -> int:
        """When something is due that is noted for `at`.

        What was noted since the last look by a clock that was ahead lies that far in the future. What was noted
        earlier is ahead as that look was: not at all, if the clock was only set forward and back again in between. So
        pauses stay as long as they are, but for one that was longer than the jump: it looks like one noted by the
        clock that was ahead, and ends early. Beyond what anything waits for, it is now.
        """
        if at <= now:
            return at
        by = next((by for by in self.seen if at - by >= now - LOOKED_MS), self.before)
        due = at - by if by >= NOTICED_MS else at
        return max(now, due) if due <= now + FARTHEST_MS else now


class Watched(Clock):
    """A clock that remembers how far it was ahead of itself, however often it is set between two looks.

    A clock that is set forward by a day and back by two seems to have gone back by one, and what was written on the
    day in between would wait for it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offsets = [self._offset(clock.now())]

    def now(self) -> int:
        wall = self._clock.now()
        offset = self._offset(wall)
        if abs(offset - self._offsets[-1]) >= NOTICED_MS:
            self._offsets.append(offset)
        return wall

    def steady(self) -> float:
        return self._clock.steady()

    def back(self) -> Back | None:
        """How far it was ahead of what it says now, since this was last asked; None: it has not gone back."""
        here = self._offset(self.now())
        ahead = [there - here for there in self._offsets]
        self._offsets = [here]
        seen = tuple(sorted({by for by in ahead if by >= NOTICED_MS}, reverse=True))
        return Back(ahead[0], seen) if seen else None

    def _offset(self, wall: int) -> int:
        return wall - int(1000 * self._clock.steady())


class Jumps:
    """Sees the clock go back, and pulls what waits along."""

    def __init__(self, workshop: Workshop, watched: Watched) -> None:
        self._shop = workshop
        self._watched = watched

    async def at_the_start(self) -> None:
        """The clock may have been set while nobody worked: history that lies in the future tells."""
        self._watched.back()  # while others led it was theirs to pull what waits; not twice
        latest = await jobs.latest_event(self._shop.db)
        ahead = 0 if latest is None else latest - self._shop.clock.now()
        if ahead >= NOTICED_MS:
            await self._pull(Back(ahead, (ahead,)))

    async def look(self) -> Back | None:
        """None: the clock has not gone back since the last look."""
        back = self._watched.back()
        if back is not None:
            await self._pull(back)
        elif await self._strays():
            await self._pull(Back(0, ()))
        return back

    async def _strays(self) -> bool:
        far = self._shop.clock.now() + FARTHEST_MS
        states = await operations.provider_states(self._shop.db)
        times = [at for state in states for at in (state.next_submit_at, state.resume_at)]
        return any(at is not None and at > far for at in times) or await jobs.waits_past(
            self._shop.db, far
        )

    async def _pull(self, back: Back) -> None:
        log.warning("the clock of this machine went back; what waits is pulled along")
        async with self._shop.db.transaction() as tx:
            now = self._shop.clock.now()
            await jobs.pull_along(tx, now, lambda at: back.pull(at, now))
            await operations.pull_along(tx, now, lambda at: back.pull(at, now))


class Patience:
    """How long the outcome of a call has been looked for, by two clocks that are not believed blindly."""

    def __init__(self, steady: Callable[[], float]) -> None:
        """`steady`: seconds that never jump."""
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
