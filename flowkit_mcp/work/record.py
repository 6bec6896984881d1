"""The second half of the paid path, all of it free: poll, fetch, record the take. `generate.py` is the first.

Each step that matters after a crash is announced to `on_step`; `docs/states.md` says what the next leader does.
"""

from __future__ import annotations

import asyncio
import filecmp
import hashlib
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from flowkit_mcp.domain.models import Job, JobState, MediaKind, Operation, OperationState
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
from flowkit_mcp.errors import FlowKitError, GenerationFailed, Transient
from flowkit_mcp.providers.base import Done, Failed, Pending, Progress, Provider
from flowkit_mcp.store import catalog, jobs, operations, takes
from flowkit_mcp.store.database import Tx
from flowkit_mcp.store.takes import Place
from flowkit_mcp.work.workshop import Replaced, Workshop, log

SUFFIX = {MediaKind.IMAGE: ".jpg", MediaKind.VIDEO: ".mp4"}
TOO_LATE = "it had finished before it could be stopped, so its take is kept"
REPLY_LOST = (
    "the media came with the reply and are gone from this library, and the provider does not show them. The call cost "
    "about {credits} credits. Call resolve_job with action 'retry' to look again, 'submit_again' to pay for another, "
    "or 'give_up'"
)
STUCK = (
    "{why} The call counts as charged ({credits} credits). Call resolve_job with action 'retry' to look again, "
    "'submit_again' to pay for another, or 'give_up'"
)

#: A listing may lag behind, or leave one out.
ATTACHED_LOOKS = 3

#: How a provider names media that it gave no id of their own: they cannot be referred to (providers/base.py).
NAMELESS = "inline/"
#: Writes the media to a file.
Bring = Callable[[Path], Awaitable[None]]


def media_of_job(job: Job) -> MediaKind:
    """What a paid job makes."""
    if job.stage is None:
        raise TypeError(f"job {job.id} ({job.kind}) makes no take")
    return job.stage.media


def sources_of(request: PaidRequest) -> dict[str, str | None]:
    """The takes that the new take is made from, as its row names them."""
    match request:
        case GenerateVideo():
            return {
                "made_from_id": request.start_take_id or request.extended_take_id,
                "ends_on_id": request.end_take_id,
            }
        case UpscaleVideo() | UpscaleImage():
            return {"made_from_id": request.source_take_id}
        case GenerateImage() | GenerateReference():
            return {"made_from_id": request.base_take_id}


def cost_of(op: Operation) -> int:
    """What an accepted call took, in credits: its price, unless the provider was seen to take nothing."""
    return 0 if (op.reply or {}).get("charged") == "no" else op.credits_estimate


def projects_of(due: Sequence[tuple[Job, Operation]]) -> dict[str, str]:
    """Where these were ordered, by remote id: whoever polls need not be who sent them."""
    told = {op.remote_id: op.brief.get("project") for _, op in due if op.remote_id}
    return {remote: project for remote, project in told.items() if isinstance(project, str)}


class Recorder:
    """Follows what is at the provider until its take is in the library."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._record = asyncio.Lock()

    async def poll(self, provider: Provider, due: Sequence[tuple[Job, Operation]]) -> None:
        """Look at all of these in as few calls as the provider needs; all wait for the same medium."""
        shop = self._shop
        kind = media_of_job(due[0][0])
        ids = [op.remote_id for _, op in due if op.remote_id]
        try:
            progress: Mapping[str, Progress] = await provider.poll(ids, kind, projects_of(due))
        except Exception as error:  # a reading call: policy retries what nobody understands
            for number, (job, _) in enumerate(due):
                await shop.fail(job, error, Verb.POLL, counts=number == 0)
            return
        shop.on_step("polled")
        await shop.gate.read_well(provider.name)
        async with asyncio.TaskGroup() as group:  # if one is replaced, all are
            for job, op in due:
                group.create_task(self._one(provider, job, op, progress))

    async def from_reply(self, job: Job, op: Operation) -> None:
        """The media came with the reply and are on disk: nobody need be asked."""

        async def copy(part: Path) -> None:
            kept = await self._shop.replies.read(op)
            if kept is None or kept.inline is None:
                raise Transient("the media that came with the reply are not here any more")
            await asyncio.to_thread(part.write_bytes, kept.inline)

        await self._finish(job, op, op.remote_id or "", copy, op.credits_after)

    async def last_look(self, provider: Provider, job: Job, op: Operation) -> None:
        """Of a claimed job that is to be cancelled: bring home what is done already."""
        if self._shop.replies.has(op):
            await self.from_reply(job, op)
            return
        try:
            seen = await provider.poll(
                [op.remote_id or ""], media_of_job(job), projects_of([(job, op)])
            )
        except Exception as error:  # free, and the job is cancelled anyway
            log.info("no last look at job %d: %r", job.id, error)
            return
        if isinstance(seen.get(op.remote_id or ""), Done):
            await self._one(provider, job, op, seen)

    async def _one(
        self, provider: Provider, job: Job, op: Operation, progress: Mapping[str, Progress]
    ) -> None:
        shop = self._shop
        match progress.get(op.remote_id or ""):
            case Done(media=media, credits_after=credits_after):
                bring = partial(provider.fetch, media)
                await self._finish(job, op, media.remote_id, bring, credits_after)
            case Failed() if (op.reply or {}).get("inline"):
                await self._reply_lost(job, op)
            case Failed(error=error):
                await shop.fail(job, error, Verb.SUBMIT, ended=True)
            case Pending(stuck=str(why)):
                async with shop.db.transaction() as tx:
                    await self._stuck(tx, job, op, why)
            case None if (op.reply or {}).get("resolved") == "attach":
                await self._attached(provider, job, op)
            case Pending() | None:
                await self._park(provider, job, op)

    async def _stuck(self, tx: Tx, job: Job, op: Operation, why: str) -> None:
        """Paid for, and looking brings nothing any more."""
        message = STUCK.format(why=_sentence(why), credits=op.credits_estimate)
        await self._shop.ask(tx, job, "STUCK", message)

    async def _attached(self, provider: Provider, job: Job, op: Operation) -> None:
        """The provider does not know the media id that a person gave: looked for a few times, then asked again."""
        shop = self._shop
        async with shop.db.transaction() as tx:
            if job.attempts < ATTACHED_LOOKS:
                later = shop.clock.now() + int(1000 * provider.capabilities.poll_s)
                await shop.move(
                    tx, job, JobState.WAITING, "looked", run_at=later, attempts=job.attempts + 1
                )
                return
            why = f"Flow does not know media id {op.remote_id!r}"
            accepted_as = (op.reply or {}).get("accepted_as")
            if accepted_as is None:
                await shop.doubt(tx, job, op, why)
                await operations.detach(tx, op)
                return
            await operations.give_back_id(tx, op, accepted_as)
            await self._stuck(tx, job, op, why)

    async def _reply_lost(self, job: Job, op: Operation) -> None:
        """Its media were on this disk alone. What never costs is made again, once (docs/decisions/0012)."""
        if (
            op.credits_estimate
        ):  # also where this one was found there already: the next may be charged
            message = REPLY_LOST.format(credits=cost_of(op))
            async with self._shop.db.transaction() as tx:
                await self._shop.ask(tx, job, "REPLY_LOST", message)
            return
        lost = GenerationFailed(
            "the media came with the reply and are gone from this library",
            charged="no",
            again=1,
        )
        await self._shop.fail(job, lost, Verb.SUBMIT, ended=True)

    async def _park(self, provider: Provider, job: Job, op: Operation) -> None:
        """Not done: look again later. After half an hour a person is told, and looking goes on."""
        shop = self._shop
        now = shop.clock.now()
        pace = provider.capabilities
        age_s = max(0.0, (now - (op.submitted_at or op.intended_at)) / 1000)  # the clock may be set
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
        self, job: Job, op: Operation, remote_id: str, bring: Bring, credits_after: int | None
    ) -> None:
        shop = self._shop
        part: Path | None = None
        try:
            target = await self._target(job, number=0)
            part = shop.media.part_for(target.with_name(f"job-{job.id}{target.suffix}"))
            await bring(part)
            shop.on_step("fetched")
            async with self._record:
                await self._record_take(job, op, remote_id, part, credits_after)
        except Replaced:
            raise
        except OSError as error:
            full = Transient(f"cannot write to the library: {error.strerror or error}")
            await shop.fail(job, full, Verb.FETCH, counts=False)
        except Exception as error:  # it is paid for: no fault of ours may lose it
            await shop.fail(job, error, Verb.FETCH, counts=isinstance(error, FlowKitError))
        else:
            shop.replies.drop(op)
        finally:
            if part is not None:
                part.unlink(missing_ok=True)

    async def _target(self, job: Job, number: int) -> Path:
        """Where the file of a take belongs."""
        shop = self._shop
        request = paid_request_of(job)
        suffix = SUFFIX[media_of_job(job)]
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

    async def _left_behind(self, part: Path) -> Path | None:
        """The same media under their name already, from a process that ended before it had written their row.

        Meanwhile another take may have got the number that is in that name.
        """
        for file in sorted(part.parent.iterdir()):
            if file.suffix == ".part" or not file.is_file():
                continue
            if await takes.has_file(self._shop.db, self._shop.media.relative(file)):
                continue
            if await asyncio.to_thread(filecmp.cmp, file, part, shallow=False):
                return file
        return None

    async def take_up(
        self, job: Job, op: Operation, remote_id: str, file: Path, credits_after: int | None
    ) -> None:
        """Media that have their name and no row yet (leftovers.py): of a claimed job, or of one that has ended."""

        async def copy(part: Path) -> None:
            await asyncio.to_thread(shutil.copyfile, file, part)

        if not job.state.final:
            await self._finish(job, op, remote_id, copy, credits_after)
            return
        part = self._shop.media.part_for(file)
        try:
            await copy(part)
            async with self._record:
                await self._record_take(job, op, remote_id, part, credits_after)
        finally:
            part.unlink(missing_ok=True)

    async def _note(
        self,
        job: Job,
        op: Operation,
        remote_id: str,
        part: Path,
        folder: Path,
        credits_after: int | None,
    ) -> None:
        """Before the media get their name: should their row never follow, the next leader knows whose they are."""
        digest = await asyncio.to_thread(sha256_of, part)
        async with self._shop.db.transaction() as tx:
            await jobs.log(
                tx,
                job.id,
                "fetched",
                self._shop.clock.now(),
                operation=op.id,
                folder=self._shop.media.relative(folder),
                sha256=digest,
                remote_id=remote_id,
                credits_after=credits_after,
            )

    async def _record_take(
        self, job: Job, op: Operation, remote_id: str, part: Path, credits_after: int | None
    ) -> None:
        """File in place, then everything about it in one transaction.

        A job that has ended already stays as it ended, its call too; only the take is added.
        """
        shop = self._shop
        request = paid_request_of(job)
        place: Place = {
            "scene_id": job.scene_id,
            "character_id": job.character_id,
            "orientation": request.orientation,
            "stage": request.stage,
        }
        number = await takes.next_number(shop.db, **place)
        final = await self._left_behind(part) or await self._target(job, number)
        if not job.state.final:
            await self._note(job, op, remote_id, part, final.parent, credits_after)
        file = await shop.media.keep(part, final, media_of_job(job))
        shop.on_step("file_renamed")
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            op = await operations.operation(
                tx, op.id
            )  # its account may have got its name meanwhile
            project = await catalog.remote_project(tx, request.project_id, op.provider, op.account)
            number = await takes.next_number(
                tx, **place
            )  # a person's picture may have come between
            asset = await takes.add_asset(
                tx, file, id=shop.clock.new_id(), path=shop.media.relative(file.path), now=now
            )
            if not remote_id.startswith(NAMELESS):
                await takes.add_remote(
                    tx,
                    asset_id=asset.id,
                    provider=op.provider,
                    account=op.account,
                    remote_id=remote_id,
                    remote_project_id=project,
                    now=now,
                )
            late = job.state.final or (await jobs.job(tx, job.id)).cancel_requested
            take = await takes.add_take(
                tx,
                id=shop.clock.new_id(),
                number=number,
                now=now,
                select=not late or not await takes.is_filled(tx, **place),
                asset_id=asset.id,
                job_id=job.id,
                model=request.model,
                prompt=getattr(request, "prompt", None),
                credits=cost_of(op),
                params=request.model_dump(mode="json", exclude={"prompt", "kind", "project_id"}),
                **sources_of(request),
                **place,
            )
            if job.state.final:
                await jobs.log(tx, job.id, "take_kept", now, take=take.id, operation=op.id)
                return
            await operations.settle(
                tx, op, OperationState.DONE, now=now, credits_after=credits_after
            )
            await shop.gate.went_well(tx, job.provider)
            notes = [TOO_LATE] if late else []
            notes += await jobs.warnings(tx, job.id, op.id)
            await shop.move(
                tx,
                job,
                JobState.SUCCEEDED,
                "succeeded",
                message=" ".join(_sentence(note) for note in notes) or None,
                take_id=take.id,
                credits=cost_of(op),
                progress=1.0,
                data={"take": take.id},
            )
            shop.on_step("record_uncommitted")
        shop.on_step("recorded")


def sha256_of(file: Path) -> str:
    """In hex; blocking."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _sentence(text: str) -> str:
    text = text.strip()
    return text[:1].upper() + text[1:].rstrip(".") + "."
