"""The paid path: prepare, intend, submit, park, poll, fetch, record. Only here is `submit` ever called.

Each step that matters after a crash is announced to `on_step`; `docs/states.md` says what the next leader does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from flowkit_mcp.domain.models import (
    Account,
    Gate,
    Job,
    JobState,
    MediaKind,
    Operation,
    OperationState,
)
from flowkit_mcp.domain.policy import Verb, poll_delay
from flowkit_mcp.domain.requests import (
    GenerateImage,
    GenerateReference,
    GenerateVideo,
    PaidRequest,
    UpscaleImage,
    UpscaleVideo,
    paid_request_of,
)
from flowkit_mcp.errors import FlowKitError, Rejected, Transient
from flowkit_mcp.providers.base import (
    Brief,
    Done,
    Failed,
    Pending,
    Progress,
    Provider,
    RemoteMedia,
)
from flowkit_mcp.store import catalog, jobs, operations, takes
from flowkit_mcp.store.database import Tx
from flowkit_mcp.store.takes import Place
from flowkit_mcp.work.brief import BriefWriter, pictures_of
from flowkit_mcp.work.workshop import Replaced, Workshop, log

SUFFIX = {MediaKind.IMAGE: ".jpg", MediaKind.VIDEO: ".mp4"}


def media_of(request: PaidRequest) -> MediaKind:
    """What comes out of it."""
    return request.stage.media


def source_of(request: PaidRequest) -> str | None:
    """The take that the new take is made from (its `made_from_id`)."""
    match request:
        case GenerateVideo():
            return request.start_take_id or request.extended_take_id
        case UpscaleVideo() | UpscaleImage():
            return request.source_take_id
        case GenerateImage() | GenerateReference():
            return request.base_take_id


class PaidPath:
    """Carries paid jobs from claim to take."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._pace = asyncio.Lock()
        self._record = asyncio.Lock()
        self._briefs = BriefWriter(workshop)
        #: Set at shutdown: no intent is written any more.
        self.closing = False

    # ---- submit ------------------------------------------------------------------------------

    async def submit(self, job: Job, *, probe: bool = False) -> None:
        """A claimed job with nothing sent yet: make the one call that may cost. `probe`: through a pause."""
        shop = self._shop
        shop.on_step("claimed")
        provider = shop.providers[job.provider]
        via = provider.via
        try:
            request = paid_request_of(job)
            account = await shop.account(provider)
            if not await self._price_holds(job, request.model, account):
                return
            brief = await self._briefs.write(provider, account, request)
        except Exception as error:  # nothing was sent: any error is answered, none is lost
            await shop.fail(job, error, Verb.LOCAL)
            return
        op = await self._intend(job, provider, account, brief, via, probe=probe)
        if op is None:
            return
        shop.on_step("intent_committed")
        try:
            submission = await provider.submit(brief, op.client_ref, op.via)
        except Exception as error:  # whatever it is, policy must see it: money may be at stake
            again = job.attempts == 0 and await self._forgotten(op, brief, error)
            gone = Transient("Flow no longer knows a picture it was given; it is handed over again")
            await shop.fail(job, gone if again else error, Verb.SUBMIT, counts=not again)
            if await operations.live_operation(shop.db, job.id) is None:
                await self.forget(provider, op)
            return
        shop.on_step("reply_not_saved")
        await self.accepted(job, op, submission.remote_id, submission.credits_after)
        shop.on_step("operation_saved")
        await self.forget(provider, op)

    async def _forgotten(self, op: Operation, brief: Brief, error: Exception) -> bool:
        """Whether the refusal may mean that uploads have expired (flow-wire §5.2, §9.2: re-upload once).

        Their ids are struck out then, so that the next try hands the pictures over anew.
        """
        pictures = pictures_of(brief)
        if not (isinstance(error, Rejected) and error.reason == "NOT_FOUND" and pictures):
            return False
        shop = self._shop
        async with shop.db.transaction() as tx:
            for id in pictures:
                await takes.mark_gone(tx, op.provider, op.account, id, shop.clock.now())
        return True

    @staticmethod
    async def forget(provider: Provider, op: Operation) -> None:
        """The end of the call is saved here: the browser may drop its copy of the reply."""
        try:
            await provider.forget(op.client_ref)
        except FlowKitError as error:
            log.info("the browser could not be told that call %d is saved: %s", op.id, error.code)

    async def _price_holds(self, job: Job, key: str, account: Account) -> bool:
        """Ask again if the live price is above what was agreed to. True: go on."""
        shop = self._shop
        model = shop.model(account, key)
        price = None if model is None else model.credits
        if price is not None and price <= job.credits_estimate:
            return True
        if price is None:
            reason, message = (
                "MODEL_UNAVAILABLE",
                (
                    f"this account cannot use {key!r} now; nothing was sent or charged. "
                    "Cancel the job and choose another model."
                ),
            )
        else:
            reason, message = (
                "PRICE_CHANGED",
                (
                    f"{key!r} now costs {price} credits, {job.credits_estimate} were agreed; nothing was sent "
                    "or charged. Cancel the job and generate again to approve the new price."
                ),
            )
        async with shop.db.transaction() as tx:
            await shop.move(
                tx,
                job,
                JobState.NEEDS_ATTENTION,
                "needs_attention",
                reason=reason,
                message=message,
                data={"price": price},
            )
        return False

    async def _intend(
        self,
        job: Job,
        provider: Provider,
        account: Account,
        brief: Brief,
        via: str | None,
        *,
        probe: bool,
    ) -> Operation | None:
        """Wait for our turn, then write down that the call is about to be made.

        None: meanwhile there is a reason not to make it, and the job is back in the queue.
        """
        shop = self._shop
        low, high = provider.capabilities.submit_spacing_s
        async with self._pace:
            state = await operations.provider_state(shop.db, provider.name)
            wait_ms = (state.next_submit_at if state else 0) - shop.clock.now()
            if wait_ms > 0:  # never longer than the spacing: the clock may have been ahead
                await asyncio.sleep(min(wait_ms / 1000, high))
            spacing = 1000 * (low + (high - low) * shop.roll())
            now = shop.clock.now()
            async with shop.db.transaction() as tx:
                if await self._held_back(tx, job, provider, account, via, probe=probe):
                    await shop.move(tx, job, JobState.QUEUED, "held_back", run_at=now)
                    return None
                return await operations.intend(
                    tx,
                    job,
                    account=account.label,
                    client_ref=provider.new_client_ref(),
                    via=via,
                    estimate=brief.credits,
                    before=account.credits,
                    now=now,
                    next_submit_at=int(now + spacing),
                )

    async def _held_back(
        self,
        tx: Tx,
        job: Job,
        provider: Provider,
        account: Account,
        via: str | None,
        *,
        probe: bool,
    ) -> bool:
        """Whether something happened while the job waited its turn: the last look before money is at stake."""
        state = await operations.provider_state(tx, provider.name)
        through = state is not None and (
            state.gate is Gate.OPEN or (probe and state.gate is Gate.PAUSED and state.probing)
        )
        return (
            not through
            or self.closing
            or not provider.connected
            or provider.via != via  # ids were looked up for the other profile's account
            or provider.account_label != account.label  # or somebody else signed in there
            or (await jobs.job(tx, job.id)).cancel_requested
        )

    async def accepted(
        self, job: Job, op: Operation, remote_id: str, credits_after: int | None
    ) -> None:
        """The provider took it: one transaction parks the job, from here on only reading remains."""
        shop = self._shop
        now = shop.clock.now()
        image = media_of_job(job) is MediaKind.IMAGE
        pace = shop.providers[job.provider].capabilities
        delay = 0 if image else poll_delay(0, pace.first_poll_s, pace.poll_s, 1e9, 0, shop.roll())
        async with shop.db.transaction() as tx:
            await operations.submitted(
                tx, op, remote_id=remote_id, credits_after=credits_after, now=now
            )
            await shop.gate.went_well(tx, job.provider, accepted=True)
            await shop.move(tx, job, JobState.WAITING, "waiting", run_at=now + delay, attempts=0)

    # ---- poll, fetch, record -----------------------------------------------------------------

    async def poll(self, provider: Provider, due: Sequence[tuple[Job, Operation]]) -> None:
        """Look at all of these in as few calls as the provider needs; all wait for the same medium."""
        shop = self._shop
        kind = media_of_job(due[0][0])
        ids = [op.remote_id for _, op in due if op.remote_id]
        try:
            progress: Mapping[str, Progress] = await provider.poll(ids, kind)
        except Exception as error:  # a reading call: policy retries what nobody understands
            for number, (job, _) in enumerate(due):
                await shop.fail(job, error, Verb.POLL, counts=number == 0)
            return
        shop.on_step("polled")
        async with asyncio.TaskGroup() as group:  # if one is replaced, all are
            for job, op in due:
                group.create_task(self._one(provider, job, op, progress))

    async def _one(
        self, provider: Provider, job: Job, op: Operation, progress: Mapping[str, Progress]
    ) -> None:
        shop = self._shop
        match progress.get(op.remote_id or ""):
            case Done(media=media, credits_after=credits_after):
                await self._finish(provider, job, op, media, credits_after)
            case Failed(error=error):
                await shop.fail(job, error, Verb.SUBMIT, ended=True)
            case Pending() | None:
                await self._park(provider, job, op)

    async def _park(self, provider: Provider, job: Job, op: Operation) -> None:
        """Not done: look again later. After half an hour a person is told, and looking goes on."""
        shop = self._shop
        now = shop.clock.now()
        pace = provider.capabilities
        age_s = (now - (op.submitted_at or op.intended_at)) / 1000
        late = age_s > pace.give_up_after_s
        delay = (
            300_000
            if late
            else poll_delay(
                age_s,
                pace.first_poll_s,
                pace.poll_s,
                pace.slow_poll_after_s,
                pace.slow_poll_s,
                shop.roll(),
            )
        )
        why = {}
        if late:
            why = {
                "reason": "SLOW",
                "message": f"the provider has been at it for {int(age_s / 60)} min; it is paid for and "
                "FlowKit keeps looking. Call resolve_job to give it up.",
            }
        async with shop.db.transaction() as tx:
            await shop.move(
                tx,
                job,
                JobState.WAITING,
                "looked",
                run_at=now + delay,
                attempts=0,
                progress=min(0.9, age_s / (age_s + 30)),
                **why,
            )

    async def _finish(
        self,
        provider: Provider,
        job: Job,
        op: Operation,
        media: RemoteMedia,
        credits_after: int | None,
    ) -> None:
        shop = self._shop
        part: Path | None = None
        try:
            target = await self._target(job, number=0)
            part = shop.media.part_for(target.with_name(f"job-{job.id}{target.suffix}"))
            await provider.fetch(media, part)
            shop.on_step("fetched")
            async with self._record:
                await self._record_take(job, op, media, part, credits_after)
        except Replaced:
            raise
        except OSError as error:
            full = Transient(f"cannot write to the library: {error.strerror or error}")
            await shop.fail(job, full, Verb.FETCH, counts=False)
        except Exception as error:  # it is paid for: no fault of ours may lose it
            await shop.fail(job, error, Verb.FETCH, counts=isinstance(error, FlowKitError))
        finally:
            if part is not None:
                part.unlink(missing_ok=True)

    async def _target(self, job: Job, number: int) -> Path:
        """Where the file of a take belongs."""
        shop = self._shop
        request = paid_request_of(job)
        suffix = SUFFIX[media_of(request)]
        if isinstance(request, GenerateReference):
            character = await catalog.character(shop.db, request.character_id)
            return shop.media.reference_path(character=character.slug, number=number, suffix=suffix)
        project = await catalog.project(shop.db, request.project_id)
        video = await catalog.kept_video(shop.db, request.video_id)
        scene = await catalog.scene(shop.db, request.scene_id)
        return shop.media.take_path(
            project=project.slug,
            video=video.slug,
            scene_number=scene.number,
            orientation=request.orientation,
            stage=request.stage,
            number=number,
            suffix=suffix,
        )

    async def _record_take(
        self, job: Job, op: Operation, media: RemoteMedia, part: Path, credits_after: int | None
    ) -> None:
        """File in place, then everything about it in one transaction."""
        shop = self._shop
        request = paid_request_of(job)
        place: Place = {
            "scene_id": job.scene_id,
            "character_id": job.character_id,
            "orientation": request.orientation,
            "stage": request.stage,
        }
        number = await takes.next_number(shop.db, **place)
        file = await shop.media.keep(part, await self._target(job, number), media_of(request))
        shop.on_step("file_renamed")
        now = shop.clock.now()
        source = source_of(request)
        async with shop.db.transaction() as tx:
            project = await catalog.remote_project(tx, request.project_id, op.provider, op.account)
            number = await takes.next_number(
                tx, **place
            )  # a person's picture may have come between
            asset = await takes.add_asset(
                tx, file, id=shop.clock.new_id(), path=shop.media.relative(file.path), now=now
            )
            await takes.add_remote(
                tx,
                asset_id=asset.id,
                provider=op.provider,
                account=op.account,
                remote_id=media.remote_id,
                remote_project_id=project,
                now=now,
            )
            take = await takes.add_take(
                tx,
                id=shop.clock.new_id(),
                number=number,
                now=now,
                select=True,
                asset_id=asset.id,
                made_from_id=source,
                ends_on_id=getattr(request, "end_take_id", None),
                job_id=job.id,
                model=request.model,
                prompt=getattr(request, "prompt", None),
                credits=op.credits_estimate,
                params=request.model_dump(mode="json", exclude={"prompt", "kind", "project_id"}),
                **place,
            )
            await operations.settle(
                tx, op, OperationState.DONE, now=now, credits_after=credits_after
            )
            await shop.gate.went_well(tx, job.provider)
            await shop.move(
                tx,
                job,
                JobState.SUCCEEDED,
                "succeeded",
                take_id=take.id,
                credits=op.credits_estimate,
                progress=1.0,
                data={"take": take.id},
            )
            shop.on_step("record_uncommitted")
        shop.on_step("recorded")


def media_of_job(job: Job) -> MediaKind:
    """What a paid job makes."""
    if job.stage is None:
        raise TypeError(f"job {job.id} ({job.kind}) makes no take")
    return job.stage.media
