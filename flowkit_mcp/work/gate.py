"""The gate of a provider: when it closes, for how long, and who may open it (docs/states.md).

Two rules run through it: a pause never gets shorter by another trouble, and what waits for a person is opened by
nobody else.
"""

from __future__ import annotations

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Gate, ProviderState
from flowkit_mcp.errors import FlowKitError, HumanCheckRequired, OutOfCredits, SignInRequired
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database, Tx

FAILURES_BEFORE_PAUSE = 3
SHORTEST_PAUSE_MS = 30_000
LONGEST_PAUSE_MS = 600_000
STILL_REFUSED = (
    "Flow refuses calls as if nobody were signed in, although the account can be read. Reload the Flow tab and make "
    "one picture by hand, then call resolve_job(provider='flow', action='reopen')."
)


def waits_for_person(state: ProviderState) -> bool:
    """Closed without a time at which it opens."""
    return state.gate is not Gate.OPEN and state.resume_at is None and not state.probing


class Gatekeeper:
    """Closes and opens gates for the leader; the row itself is the store's."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        #: How many of a provider's failures in a row are looks and downloads.
        self._reading: dict[str, int] = {}

    def lets_submit(self, state: ProviderState) -> bool:
        """Open, or due for one probe after a pause."""
        return not state.closed(self._clock.now()) and not state.probing

    # ---- closing -----------------------------------------------------------------------------

    async def close(
        self,
        tx: Tx,
        provider: str,
        gate: Gate,
        error: FlowKitError,
        resume_at: int | None,
        *,
        failed: bool = True,
    ) -> None:
        """The service objects. `resume_at` (ms) None: until a person acts. `failed`: a call of ours was refused."""
        state = await self._state(tx, provider)
        if waits_for_person(state):
            return  # asked already; do not turn that into a timer
        if resume_at is not None:
            resume_at = max(resume_at, state.resume_at or 0)
            if state.probing and getattr(error, "retry_after_s", None) is None:
                resume_at = max(resume_at, self._clock.now() + _pause(state.failures))
        await self._set(
            tx,
            state,
            gate=gate,
            reason=error.code,
            message=f"{error.message}. {error.hint}",
            resume_at=resume_at,
            probing=False,
            failures=state.failures + failed,
        )

    async def count_failure(
        self, tx: Tx, provider: str, error: FlowKitError, *, reading: bool = False
    ) -> None:
        """A call went wrong without a reason against others; the third in a row pauses. `reading`: one that is free."""
        state = await self._state(tx, provider)
        if reading and state.gate is not Gate.OPEN and (state.resume_at or 0) > self._clock.now():
            return  # it waits already; looks that fail meanwhile, perhaps the same one again, double nothing
        self._reading[provider] = self._reading.get(provider, 0) + reading
        failures = state.failures + 1
        over = failures - FAILURES_BEFORE_PAUSE
        if over < 0 or waits_for_person(state):
            await self._set(tx, state, failures=failures)
            return
        await self._set(
            tx,
            state,
            gate=Gate.PAUSED,
            reason=error.code,
            message=f"{error.message}. New work waits, running work goes on.",
            resume_at=max(state.resume_at or 0, self._clock.now() + _pause(over)),
            probing=False,
            failures=failures,
        )

    async def account_failed(self, provider: str, error: FlowKitError) -> None:
        """The free look at the account failed: a signed-out tab closes the gate for all jobs at once."""
        if isinstance(error, SignInRequired | HumanCheckRequired):
            gate = Gate.BLOCKED if isinstance(error, SignInRequired) else Gate.PAUSED
            async with self._db.transaction() as tx:
                await self.close(tx, provider, gate, error, None, failed=False)

    # ---- opening -----------------------------------------------------------------------------

    async def went_well(self, tx: Tx, provider: str, *, accepted: bool = False) -> None:
        """A call was answered as it should: close the book on failures. An accepted probe opens."""
        state = await self._state(tx, provider)
        self._reading.pop(provider, None)
        if accepted and state.probing:
            await operations.set_gate(tx, provider, Gate.OPEN, now=self._clock.now())
        elif state.failures:
            await self._set(tx, state, failures=0)

    async def read_well(self, provider: str) -> None:
        """A look was answered: those that were not are no row any more. What was refused to submits stays counted."""
        looks = self._reading.pop(provider, 0)
        if looks:
            async with self._db.transaction() as tx:
                state = await self._state(tx, provider)
                if state.gate is Gate.OPEN:
                    await self._set(tx, state, failures=max(0, state.failures - looks))

    async def account_seen(self, provider: str) -> None:
        """The account can be read, so somebody is signed in. If calls are refused all the same, a person must look."""
        async with self._db.transaction() as tx:
            state = await self._state(tx, provider)
            if state.gate is not Gate.BLOCKED or state.reason != SignInRequired.code:
                return
            if state.failures < FAILURES_BEFORE_PAUSE:
                await operations.set_gate(
                    tx, provider, Gate.OPEN, now=self._clock.now(), failures=state.failures
                )
            else:
                await self._set(tx, state, gate=Gate.PAUSED, message=STILL_REFUSED)

    async def other_account(self, tx: Tx, provider: str) -> None:
        """The credits that are used up are those of an account that is not in use any more."""
        if (await self._state(tx, provider)).reason == OutOfCredits.code:
            await operations.set_gate(tx, provider, Gate.OPEN, now=self._clock.now())

    async def begin_probe(self, provider: str) -> None:
        """One job goes through a pause that is over."""
        async with self._db.transaction() as tx:
            await self._set(tx, await self._state(tx, provider), probing=True)

    async def end_probe(self, provider: str) -> None:
        """The probe is over. If it told nothing about the provider, the next job may be one."""
        async with self._db.transaction() as tx:
            state = await self._state(tx, provider)
            if state.probing:
                await self._set(tx, state, probing=False)

    # ---- the row -----------------------------------------------------------------------------

    async def _state(self, tx: Tx, provider: str) -> ProviderState:
        return await operations.ensure_provider(tx, provider, self._clock.now())

    async def _set(self, tx: Tx, state: ProviderState, **changes: object) -> None:
        new = state.model_copy(update=changes)
        await operations.set_gate(
            tx,
            new.provider,
            new.gate,
            now=self._clock.now(),
            reason=new.reason,
            message=new.message,
            resume_at=new.resume_at,
            probing=new.probing,
            failures=new.failures,
        )


def _pause(times: int) -> int:
    """Milliseconds; doubles each time."""
    return min(LONGEST_PAUSE_MS, SHORTEST_PAUSE_MS * 2 ** min(times, 10))
