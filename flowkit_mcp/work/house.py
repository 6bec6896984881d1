"""Free calls about what lies at the provider: list, rename, trash. No operation, no price; run again after a crash."""

from __future__ import annotations

import asyncio

from flowkit_mcp.domain.models import Job, JobState
from flowkit_mcp.domain.policy import Verb
from flowkit_mcp.domain.requests import Housekeeping, request_of
from flowkit_mcp.errors import OutcomeUnknown, Rejected, Transient
from flowkit_mcp.providers.base import Provider
from flowkit_mcp.store import catalog, jobs
from flowkit_mcp.work.workshop import Replaced, Workshop

#: After these, an earlier attempt may have done it already.
_BEFORE = {"retry", "wait", "orphaned", "interrupted"}


class HouseKeeper:
    """One call after the other, in the order they were asked for: of two names, the later one stays."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._turn = asyncio.Lock()

    async def run(self, provider: Provider, job: Job) -> None:
        """A claimed job, to its end or to its next try."""
        try:
            async with self._turn:
                request = request_of(job)
                assert isinstance(request, Housekeeping)
                self._shop.on_step("house_asked")
                answer = await self._ask(provider, job, request)
                self._shop.on_step("house_answered")
                await self._done(job, request, answer)
        except Replaced:
            raise
        except OutcomeUnknown as error:
            await self._shop.fail(job, Transient(error.message), Verb.HOUSE)
        except (
            Exception
        ) as error:  # free, harmless to repeat: policy retries what is not understood
            await self._shop.fail(job, error, Verb.HOUSE)

    async def _ask(self, provider: Provider, job: Job, request: Housekeeping) -> dict[str, object]:
        try:
            return await provider.keep_house(request)
        except Rejected as refusal:
            gone = request.action == "delete_project" and refusal.reason == "NOT_FOUND"
            events = await jobs.events(self._shop.db, job.id)
            if gone and any(event.type in _BEFORE for event in events):
                return {}  # this job's own earlier attempt did it; only the answer was lost
            raise

    async def _done(self, job: Job, request: Housekeeping, answer: dict[str, object]) -> None:
        shop = self._shop
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            await jobs.log(tx, job.id, "answer", now, **answer)
            if request.action == "delete_project" and request.project:
                await catalog.remote_project_gone(tx, job.provider, request.project, now)
            await shop.gate.went_well(tx, job.provider)
            await shop.move(tx, job, JobState.SUCCEEDED, "succeeded", progress=1.0)
