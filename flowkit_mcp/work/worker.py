"""The leader's loop: what may be read, what may be paid, what is due; each claimed job in a task of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from flowkit_mcp.domain.models import Gate, Job, JobKind, JobState, OperationState
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.providers.base import Provider
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.work.generate import PaidPath
from flowkit_mcp.work.house import HouseKeeper
from flowkit_mcp.work.jumps import Jumps, Patience
from flowkit_mcp.work.leftovers import take_up_leftovers
from flowkit_mcp.work.local import run_local
from flowkit_mcp.work.publish import Publisher
from flowkit_mcp.work.record import Recorder, media_of_job
from flowkit_mcp.work.recover import adopt_orphans, reconcile
from flowkit_mcp.work.stop import let_go, stop_at_provider
from flowkit_mcp.work.upkeep import Upkeep
from flowkit_mcp.work.workshop import Workshop, log

LOCAL, YOUTUBE = "local", "youtube"
LONGEST_SLEEP_S = 5.0
SUBMIT_GRACE_S = 2.0
RECONNECT_LOOK_MS = 3000
LONGEST_LOOK_MS = 15_000


class Worker:
    """Works the queue until stopped or replaced."""

    def __init__(self, workshop: Workshop, publisher: Publisher, jumps: Jumps) -> None:
        self._shop = workshop
        self._publisher = publisher
        self._path = PaidPath(workshop)
        self._recorder = Recorder(workshop)
        self._house = HouseKeeper(workshop)
        self._upkeep = Upkeep(workshop)
        self._jumps = jumps
        self._patience = Patience(workshop.clock.steady)
        self._wake = asyncio.Event()
        self._stopping = False
        self._looking = asyncio.Lock()
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by job id
        self._submitting: set[int] = set()
        self._account_due: dict[str, int] = {}
        self._refreshing: set[str] = set()
        self._unread: dict[str, int] = {}  # looks at the account that failed in a row
        #: Which browser profile's account is known, by provider; nothing is sent as anybody else.
        self._known_as: dict[str, tuple[str | None, str | None]] = {}
        self._side: set[asyncio.Task[Any]] = set()

    def wake(self) -> None:
        """Something changed: look at the queue now."""
        self._wake.set()

    async def run(self) -> None:
        """Until `stop`. Raises Replaced if another process leads."""
        await self._jumps.at_the_start()
        await adopt_orphans(self._shop)
        await take_up_leftovers(self._shop, self._recorder)
        for name in self._shop.providers:
            await self._shop.gate.end_probe(name)  # whoever probed is gone
        beside = [asyncio.create_task(self._watch()), asyncio.create_task(self._upkeep.run())]
        try:
            while not self._stopping:
                self._wake.clear()
                back = await self._jumps.look()
                looked_at = self._shop.clock.now()
                if back is not None:
                    due = self._account_due
                    self._account_due = {n: back.pull(at, looked_at) for n, at in due.items()}
                async with self._looking:
                    await self._round()
                nap = await self._nap(looked_at)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(nap):
                        await self._wake.wait()
                self._raise_failures()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def stop(self) -> None:
        """Claim nothing more, give a submit in flight 2 s to answer, leave the rest to recovery."""
        self._stopping = self._path.closing = True
        self._wake.set()
        async with self._looking:
            pass  # a round under way may still start a job; from here on none does
        submits = [self._tasks[id] for id in self._submitting if id in self._tasks]
        if submits:
            await asyncio.wait(submits, timeout=SUBMIT_GRACE_S)
        left = [*self._tasks.values(), *self._side]
        interrupted = [id for id, task in self._tasks.items() if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._give_back(interrupted)

    async def _give_back(self, ids: list[int]) -> None:
        """An interrupted attempt is not the job's fault; a call without a reply stays for look-up."""
        shop = self._shop
        for id in ids:
            now = shop.clock.now()
            async with shop.db.transaction() as tx:
                op = await operations.live_operation(tx, id)
                await jobs.transition(
                    tx,
                    id,
                    JobState.QUEUED if op is None else JobState.WAITING,
                    now=now,
                    generation=shop.generation,
                    event="interrupted",
                    run_at=now,
                )

    # ---- one look at everything --------------------------------------------------------------

    async def _round(self) -> None:
        await self._heed_cancels()
        for provider in self._shop.providers.values():
            await self._serve(provider)
        if LOCAL not in {task.get_name() for task in self._tasks.values()}:
            for job in await self._claim(payable=[LOCAL], limit=1):
                self._start(job, run_local(self._shop, job), name=LOCAL)
        if YOUTUBE not in {task.get_name() for task in self._tasks.values()}:
            for job in await self._claim(readable=[YOUTUBE], payable=[YOUTUBE], limit=1):
                self._start(job, self._publisher.run(job), name=YOUTUBE)

    async def _serve(self, provider: Provider) -> None:
        shop = self._shop
        state = await operations.provider_state(shop.db, provider.name)
        if state is None or state.connected != provider.connected or state.lane != provider.lane:
            async with shop.db.transaction() as tx:
                state = await operations.ensure_provider(tx, provider.name, shop.clock.now())
                await operations.set_connection(
                    tx,
                    provider.name,
                    connected=provider.connected,
                    lane=provider.lane,
                    now=shop.clock.now(),
                )
            self._account_due[provider.name] = 0
            self._known_as.pop(provider.name, None)
        if not provider.connected:
            return
        if self._known_as.get(provider.name, _who(provider)) != _who(provider):
            del self._known_as[provider.name]  # another profile is in use, or another account in it
            self._account_due[provider.name] = 0
        self._keep_account_fresh(provider)
        if state.gate is Gate.BLOCKED:
            return
        await self._read(provider)
        if not shop.gate.lets_submit(state) or provider.name not in self._known_as:
            return
        room = provider.capabilities.max_in_flight - await operations.in_flight(
            shop.db, provider.name
        )
        room -= len(self._submitting - await self._intended(provider))
        probe = state.gate is Gate.PAUSED
        for job in await self._claim(
            payable=[provider.name], limit=min(room, 1) if probe else room
        ):
            if probe:
                await shop.gate.begin_probe(provider.name)
            self._submitting.add(job.id)
            self._start(job, self._submit(job, probe=probe), name="submit")

    async def _intended(self, provider: Provider) -> set[int]:
        """Jobs of ours whose intent is already counted as in flight."""
        counted: set[int] = set()
        for id in list(self._submitting):  # tasks end while we look
            if await operations.live_operation(self._shop.db, id) is not None:
                counted.add(id)
        return counted

    async def _submit(self, job: Job, *, probe: bool) -> None:
        try:
            await self._path.submit(job, probe=probe)
        finally:
            self._submitting.discard(job.id)
            if probe:
                await self._shop.gate.end_probe(job.provider)
            self._account_due[job.provider] = 0

    async def _read(self, provider: Provider) -> None:
        """Polls of one medium go into one call; calls without a reply are looked up one by one."""
        due = await self._claim(readable=[provider.name], limit=50)
        by_media: dict[str, list[tuple[Job, Any]]] = {}
        for job in due:
            if job.kind is JobKind.HOUSEKEEPING:
                self._start(job, self._house.run(provider, job), name="housekeeping")
                continue
            op = await operations.live_operation(self._shop.db, job.id)
            if op is None:
                async with self._shop.db.transaction() as tx:
                    await self._shop.move(
                        tx, job, JobState.QUEUED, "nothing_sent", run_at=self._shop.clock.now()
                    )
            elif op.state is OperationState.INTENDED:
                looking = reconcile(self._shop, self._path, provider, job, op, self._patience)
                self._start(job, looking, name="look_up")
            elif self._shop.replies.has(op):
                self._start(job, self._recorder.from_reply(job, op), name="reply")
            else:
                by_media.setdefault(media_of_job(job), []).append((job, op))
        for group in by_media.values():
            task = asyncio.create_task(self._recorder.poll(provider, group), name="poll")
            for job, _ in group:
                self._keep(job.id, task)

    async def _claim(
        self, *, readable: list[str] | None = None, payable: list[str] | None = None, limit: int
    ) -> list[Job]:
        if limit <= 0 or self._stopping:
            return []
        shop = self._shop
        if not await jobs.anything_due(shop.db, shop.clock.now()):
            return []  # the usual answer, without a write
        async with shop.db.transaction() as tx:
            return await jobs.claim(
                tx,
                now=shop.clock.now(),
                generation=shop.generation,
                readable=readable or [],
                payable=payable or [],
                limit=limit,
            )

    # ---- tasks -------------------------------------------------------------------------------

    def _start(self, job: Job, work: Coroutine[Any, Any, None], *, name: str) -> None:
        self._keep(job.id, asyncio.create_task(work, name=name))

    def _keep(self, job_id: int, task: asyncio.Task[None]) -> None:
        self._tasks[job_id] = task
        task.add_done_callback(lambda _: self._wake.set())

    def _raise_failures(self) -> None:
        for id, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[id]
                if not task.cancelled() and (error := task.exception()) is not None:
                    raise error

    async def _heed_cancels(self) -> None:
        """The person wants a running or parked job to stop."""
        shop = self._shop
        for job in await jobs.to_cancel(shop.db):
            task = self._tasks.get(job.id)
            if job.provider in (LOCAL, YOUTUBE) and task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                self._tasks.pop(job.id, None)
            elif task is not None and not task.done():
                continue  # a submit or a poll is under way; its end is heeded in the next round
            if job.provider == YOUTUBE:
                await self._publisher.let_go(job)
                continue
            op = await operations.live_operation(shop.db, job.id)
            provider = await self._askable(job)
            if op is not None and op.state is OperationState.SUBMITTED and provider is not None:
                stopping = stop_at_provider(shop, self._recorder, provider, job, op)
                self._start(job, stopping, name="stop")
                continue
            async with shop.db.transaction() as tx:
                await let_go(
                    tx, job.id, shop.clock.now(), "the provider could not be asked to stop it"
                )

    async def _askable(self, job: Job) -> Provider | None:
        """The provider of a job, if a free call can be made there now."""
        provider = self._shop.providers.get(job.provider)
        if provider is None or not provider.connected:
            return None
        state = await operations.provider_state(self._shop.db, job.provider)
        return None if state is not None and state.gate is Gate.BLOCKED else provider

    # ---- time --------------------------------------------------------------------------------

    def _keep_account_fresh(self, provider: Provider) -> None:
        now = self._shop.clock.now()
        if provider.name in self._refreshing or self._account_due.get(provider.name, 0) > now:
            return
        self._account_due[provider.name] = now + int(1000 * provider.capabilities.account_refresh_s)
        self._refreshing.add(provider.name)
        task = asyncio.create_task(self._refresh(provider), name="account")
        self._side.add(task)
        task.add_done_callback(self._side.discard)

    async def _refresh(self, provider: Provider) -> None:
        shop, name, who = self._shop, provider.name, _who(provider)
        try:
            await shop.refresh_account(provider)
            await shop.gate.account_seen(name)
            self._unread.pop(name, None)
            if provider.connected and _who(provider) == who:
                self._known_as[name] = who
                self._upkeep.account_seen()
            else:  # whoever it is now has not been read
                self._account_due[name] = 0
        except Exception as error:  # free, and repeated: whatever it was must not end the term
            code = error.code if isinstance(error, FlowKitError) else repr(error)
            log.info("cannot read the account: %s", code)
            failed = self._unread[name] = self._unread.get(name, 0) + 1
            again = min(LONGEST_LOOK_MS, RECONNECT_LOOK_MS * 2 ** min(failed - 1, 10))
            self._account_due[name] = shop.clock.now() + again
            if isinstance(error, FlowKitError):
                await shop.gate.account_failed(name, error)
        finally:
            self._refreshing.discard(name)
            self._wake.set()

    async def _nap(self, looked_at: int) -> float:
        """Seconds until something is due by the clock alone that was not due at the last look.

        What was due then and is still there waits for something else (room, a gate), whose end wakes us.
        """
        shop = self._shop
        times = [looked_at + int(1000 * LONGEST_SLEEP_S)]
        due = await jobs.next_run_at(shop.db, after=looked_at)
        if due is not None:
            times.append(due)
        for state in await operations.provider_states(shop.db):
            if state.resume_at is not None and state.resume_at > looked_at:
                times.append(state.resume_at)
        times += [due for due in self._account_due.values() if due > looked_at]
        return max(0.005, (min(times) - shop.clock.now()) / 1000)

    async def _watch(self) -> None:
        """Jobs that other processes enqueue or cancel are seen through the database."""
        version = await self._shop.db.version()
        while True:
            version = await self._shop.db.changed(version)
            self._wake.set()


def _who(provider: Provider) -> tuple[str | None, str | None]:
    """The browser profile in use and the account signed in there."""
    return provider.via, provider.account_label
