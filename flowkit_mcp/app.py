"""FlowKit, the composition root: one library opened, its leader elected, its queue reachable.

`async with FlowKit.open() as kit:` is all a program needs. Nothing here is global.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from pydantic import BaseModel, ConfigDict

from flowkit_mcp import __version__
from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import (
    Account,
    Job,
    JobState,
    Leader,
    Priority,
    ProviderState,
)
from flowkit_mcp.domain.requests import AnyRequest, GenerateReference, PaidRequest, SlotRequest
from flowkit_mcp.errors import Conflict, LibraryTooNew, NotConnected
from flowkit_mcp.media.binaries import find_ffmpeg
from flowkit_mcp.media.files import MediaStore
from flowkit_mcp.providers.base import Provider
from flowkit_mcp.providers.flow.provider import FlowProvider
from flowkit_mcp.store import jobs, money, operations, takes
from flowkit_mcp.store.database import Database, Tx
from flowkit_mcp.store.lock import LeaderLock
from flowkit_mcp.store.migrate import migrate, newest, schema_version
from flowkit_mcp.work import resolve
from flowkit_mcp.work.connection import Connection, connection, facts_trouble, look, paired
from flowkit_mcp.work.contact import Contact
from flowkit_mcp.work.jumps import Jumps, Watched
from flowkit_mcp.work.leader import Leadership
from flowkit_mcp.work.publish import Publisher
from flowkit_mcp.work.replies import Replies
from flowkit_mcp.work.worker import Worker
from flowkit_mcp.work.workshop import Workshop, log, no_step

FLOW = "flow"
SILENT_LEADER_MS = 30_000
SCHEMA_PATIENCE_S = 20.0


class Status(BaseModel):
    """The truth about this library, from the database and this process.

    `browser` is how things stand between FlowKit and Flow, in words with the next step. `facts_trouble` is what is
    wrong with the library's own `flow.toml`, if anything.
    """

    model_config = ConfigDict(frozen=True)

    version: str
    library: str
    simulated: bool
    leading: bool
    leader: Leader | None
    leader_silent: bool
    provider: ProviderState | None
    browser: Connection
    facts_trouble: str | None
    jobs: dict[JobState, int]
    spent_credits: int


class FlowKit:
    """An open library. Made by `FlowKit.open`."""

    def __init__(self, settings: Settings, db: Database, clock: Clock, lock: LeaderLock) -> None:
        self.settings = settings
        self.db = db
        self.clock = Watched(clock)
        self.media = MediaStore(settings.library)
        self._replies = Replies(db.path)
        self._lock = lock
        self._worker: Worker | None = None
        self._leadership: Leadership | None = None
        self._provider: Provider | None = None
        self._contact: Contact | None = None
        self._on_step: Callable[[str], None] = no_step

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings | None = None,
        *,
        provider: Provider | None = None,
        clock: Clock | None = None,
        on_step: Callable[[str], None] = no_step,
    ) -> AsyncGenerator[FlowKit]:
        """Open the library and work its queue whenever no other process does.

        Args:
            settings: default: from the environment and `settings.toml`.
            provider: instead of Flow through the browser; for tests.
            clock: instead of the wall clock; for tests.
            on_step: hook of the crash tests.

        Raises:
            LibraryTooNew: the library was written by a newer FlowKit.
        """
        settings = settings or Settings.load()
        clock = clock or Clock()
        async with Database.open(settings.database) as db:
            kit = cls(settings, db, clock, LeaderLock(settings.leader_lock))
            kit._provider = provider
            kit._on_step = on_step
            try:
                await kit._ready()
                kit._leadership = Leadership(db, clock, kit._lock, __version__, kit._lead)
                leading = asyncio.create_task(kit._leadership.run(), name="leadership")
                try:
                    yield kit
                finally:
                    leading.cancel()
                    await asyncio.gather(leading, return_exceptions=True)
            finally:
                kit._lock.release()  # a task cancelled before its first step runs no `finally`

    async def _ready(self) -> None:
        """The schema is the one this program knows; if nobody else leads, this process sees to it."""
        if self._lock.try_acquire():
            await migrate(self.db)
            return
        deadline = asyncio.get_running_loop().time() + SCHEMA_PATIENCE_S
        while (version := await schema_version(self.db)) != newest():
            if version > newest():
                raise LibraryTooNew(
                    f"{self.db.path} has schema {version}, this FlowKit knows {newest()}"
                )
            leader = await operations.leader(self.db) if version else None
            if leader is not None and not leader.resign_requested:
                # again, if another old one has followed: a new term begins with the wish forgotten
                async with self.db.transaction() as tx:
                    await operations.request_resign(tx)
            if self._lock.try_acquire():
                await migrate(self.db)
                return
            if asyncio.get_running_loop().time() > deadline:
                raise Conflict(
                    "an older FlowKit holds the library and does not let go",
                    hint="Close the other program that uses FlowKit, then start again.",
                )
            await asyncio.sleep(0.1)

    # ---- leading -----------------------------------------------------------------------------

    async def _lead(self, generation: int, stop: asyncio.Event) -> None:
        """One term: the bridge, the provider, the worker. Returns when `stop` is set."""
        async with contextlib.AsyncExitStack() as stack:
            provider = self._provider or await self._flow(stack, generation)
            workshop = Workshop(
                db=self.db,
                clock=self.clock,
                media=self.media,
                ffmpeg=str(find_ffmpeg(self.settings.ffmpeg)),
                providers={provider.name: provider},
                generation=generation,
                replies=self._replies,
                on_step=self._on_step,
            )
            await asyncio.to_thread(self.media.sweep_parts)
            publisher = Publisher(workshop, self.settings)
            self._worker = worker = Worker(workshop, publisher, Jumps(workshop, self.clock))
            running = asyncio.create_task(worker.run(), name="worker")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            try:
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    self._note_end(running)
            finally:
                self._worker = None
                stopping.cancel()
                await worker.stop()
                await asyncio.gather(running, stopping, return_exceptions=True)

    @staticmethod
    def _note_end(running: asyncio.Task[None]) -> None:
        """A worker that ends by itself has a bug or was replaced; the next term starts afresh."""
        error = running.exception()
        if error is not None:
            log.error("the worker ended", exc_info=error)

    async def _flow(self, stack: contextlib.AsyncExitStack, generation: int) -> Provider:
        host = BridgeHost(
            port=self.settings.port,
            book=self._book(),
            clock=self.clock,
            generation=generation,
            version=__version__,
            library=str(self.settings.library),
            simulated=self.settings.simulated,
            changed=self._wake,
            extension_id=self.settings.extension_id,
        )
        stack.push_async_callback(host.aclose)
        facts = self.settings.flow_facts
        if (trouble := facts_trouble(facts)) is not None:
            log.error("%s Until then the facts of this version are used.", trouble)
            facts = None
        provider = FlowProvider(
            host, clock=self.clock, simulator=self.settings.simulator, overrides=facts
        )
        stack.push_async_callback(provider.aclose)
        self._contact = contact = Contact(
            self.db, self.clock, host, provider, probe=provider.account, version=__version__
        )
        running = asyncio.create_task(contact.run(), name="contact")

        async def end() -> None:
            self._contact = None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        stack.push_async_callback(end)
        return provider

    def _book(self) -> PairingBook:
        return PairingBook(self.settings.pairing_file, self.clock)

    def _wake(self) -> None:
        if self._worker is not None:
            self._worker.wake()
        if self._contact is not None:
            self._contact.wake()

    @property
    def leading(self) -> bool:
        """Whether this process works the queue now."""
        return self._leadership is not None and self._leadership.generation is not None

    # ---- the queue ---------------------------------------------------------------------------

    async def enqueue(
        self,
        request: AnyRequest,
        *,
        credits: int = 0,
        priority: Priority | None = None,
    ) -> tuple[Job, bool]:
        """Put a request into the queue, or find the job that is already at work on the same thing.

        `credits` is what the person agreed to pay at most; the worker asks again if the live price is
        higher. Returns the job and whether it is new. The job that has filled the slot with exactly this is
        found too: another take is made only when asked for (`take_number`).

        Raises:
            Conflict: the slot is at work on something else, and no other take is asked for.
            OverBudget: it would exceed the project's or the day's budget.
        """
        paid = isinstance(request, PaidRequest)
        fills = isinstance(request, SlotRequest)
        async with self.db.transaction() as tx:
            if fills and not request.take_number:
                made = await self._made_already(tx, request)
                if made is not None:
                    return made, False
            if paid and await jobs.live_job(tx, request.fingerprint) is None:
                await money.check_room(tx, request.project_id, credits, self.clock.now())
            job, new = await jobs.enqueue(
                tx,
                now=self.clock.now(),
                kind=request.kind,
                request=request.model_dump(mode="json"),
                fingerprint=request.fingerprint,
                provider=request.provider,
                project_id=getattr(request, "project_id", None),
                video_id=getattr(request, "video_id", None),
                scene_id=getattr(request, "scene_id", None),
                character_id=getattr(request, "character_id", None),
                orientation=getattr(request, "orientation", None),
                stage=request.stage if fills else None,
                priority=request.priority if priority is None else priority,
                credits_estimate=credits,
            )
        self._wake()
        return job, new

    @staticmethod
    async def _made_already(tx: Tx, request: SlotRequest) -> Job | None:
        if isinstance(request, GenerateReference):
            (slot,) = await takes.slots(tx, character_id=request.character_id)
        else:
            (slot,) = [
                slot
                for slot in await takes.slots(tx, scene_id=request.scene_id)
                if (slot.orientation, slot.stage) == (request.orientation, request.stage)
            ]
        if await jobs.live_job(tx, request.fingerprint) is not None:
            return None
        if slot.job_id is not None:
            raise Conflict(
                f"job {slot.job_id} is already at work on this slot, with another request",
                hint="Wait for it, cancel it, or ask for another take (new_take=true).",
            )
        take = await takes.take(tx, slot.take_id) if slot.filled and slot.take_id else None
        made = await jobs.job(tx, take.job_id) if take is not None and take.job_id else None
        return made if made is not None and made.fingerprint == request.fingerprint else None

    async def job(self, id: int) -> Job:
        """Raises NotFound."""
        return await jobs.job(self.db, id)

    async def wait(self, id: int, timeout: float | None = None) -> Job:
        """Until the job is final or needs a person, or `timeout` seconds; returns it as it then is."""
        return (await self.wait_all([id], timeout))[0]

    async def wait_all(
        self,
        ids: list[int],
        timeout: float | None = None,
        note: Callable[[list[Job]], None] | None = None,
    ) -> list[Job]:
        """Until none of the jobs can go on by itself, or `timeout` seconds; `note` sees every change."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        version = await self.db.version()
        while True:
            found = [await jobs.job(self.db, id) for id in ids]
            if note is not None:
                note(found)
            if all(job.state.final or job.state is JobState.NEEDS_ATTENTION for job in found):
                return found
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return found
            version = await self.db.changed(version, left)

    async def cancel(self, id: int) -> Job:
        """Stop a job that has not ended. What is already at the provider may still finish there.

        Raises:
            NotFound: no such job. Conflict: it has ended.
        """
        async with self.db.transaction() as tx:
            await resolve.cancel(tx, id, self.clock.now())
        self._wake()
        return await jobs.job(self.db, id)

    async def resolve(self, id: int, action: str, media_id: str | None = None) -> Job:
        """The person's answer for a job that needs attention.

        `submit_again`: send it as a new call (it may be charged a second time). `attach`: it is there, under
        `media_id`. `give_up`: end the job. `retry`: what was wrong is mended, go on.

        Raises:
            NotFound: no such job. Conflict: it waits for nobody. RequestError: the action does not fit.
        """
        async with self.db.transaction() as tx:
            await resolve.resolve(tx, id, action, media_id, self.clock.now())
        self._wake()
        return await jobs.job(self.db, id)

    async def reopen(self) -> ProviderState:
        """The person says that the provider may be used again."""
        async with self.db.transaction() as tx:
            state = await resolve.reopen(tx, FLOW, self.clock.now())
        self._wake()
        return state

    # ---- reading -----------------------------------------------------------------------------

    async def provider_state(self) -> ProviderState | None:
        return await operations.provider_state(self.db, FLOW)

    async def account(self) -> Account:
        """The account and its catalogue as last seen by the leader. Raises NotConnected."""
        state = await self.provider_state()
        if state is None or state.account is None:
            raise (await self.status()).browser.no_account()
        return state.account

    async def ready(self, timeout: float = 60) -> Account:
        """Wait until the browser has connected and the account has been seen; at most `timeout` seconds.

        Raises:
            NotConnected: still nobody there; the hint says what to do.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        version = await self.db.version()
        while True:
            state = await self.provider_state()
            if state is not None and state.connected and state.account is not None:
                return state.account
            left = deadline - loop.time()
            if left <= 0:
                await self.account()  # says how to connect for the first time
                raise NotConnected("the browser with Flow is not connected")
            version = await self.db.changed(version, left)

    async def look(self, timeout: float = 5.0) -> None:
        """Have the leader ask Flow something free, if it has not answered within the last minute.

        Returns when it has, or after `timeout` seconds; `status` then tells the truth of this moment. Without a
        leader or a browser there is nothing to wait for.
        """
        await look(self.db, self.clock, FLOW, timeout)

    async def status(self, *, led: bool | None = None) -> Status:
        """`led`: whether a process works the library, for who only looks and knows; else by the leader's heartbeat."""
        now = self.clock.now()
        leader = await operations.leader(self.db)
        silent = leader is not None and now - leader.heartbeat_at > SILENT_LEADER_MS
        provider = await self.provider_state()
        if led is None:
            # who stands for leadership leads, or soon does, or somebody else does
            led = self._leadership is not None or (leader is not None and not silent)
        return Status(
            version=__version__,
            library=str(self.settings.library),
            simulated=self.settings.simulated,
            leading=self.leading,
            leader=leader,
            leader_silent=silent and not self.leading,
            provider=provider,
            browser=connection(
                provider,
                led=led,
                paired=await asyncio.to_thread(paired, self._book()),
                simulated=self.settings.simulated,
                now=now,
            ),
            facts_trouble=await asyncio.to_thread(facts_trouble, self.settings.flow_facts),
            jobs=await jobs.count_by_state(self.db),
            spent_credits=await money.spent(self.db),
        )
