"""The way of a film to YouTube as a job: the transfer, then captions, playlist and thumbnail, each for itself.

How far a transfer is lies in `.flowkit/uploads/<job>.json`, written before the first byte leaves (publish/upload.py);
the row of the film is written as soon as it has arrived. So whoever runs the job after a crash goes on from there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowkit_mcp.config import Settings
from flowkit_mcp.domain.models import Asset, Job, JobState
from flowkit_mcp.domain.policy import Verb
from flowkit_mcp.domain.publication import DONE, LEFT, STEPS, Publication
from flowkit_mcp.domain.requests import Publish, request_of
from flowkit_mcp.errors import (
    Conflict,
    FlowKitError,
    MediaError,
    PublishError,
    PublishLater,
    PublishNeedsPerson,
)
from flowkit_mcp.publish import preflight, steps
from flowkit_mcp.publish.auth import signins_of
from flowkit_mcp.publish.client import translated
from flowkit_mcp.publish.upload import CHUNK, StandFile, Stop, Stopped, Transfer
from flowkit_mcp.store import jobs, publications, takes
from flowkit_mcp.work.publish_answers import LAST_SENT, PAUSED, SEND_AGAIN, THERE, answers
from flowkit_mcp.work.publish_line import SENT_SHARE, Gauge, Line
from flowkit_mcp.work.workshop import Replaced, Workshop


@dataclass(frozen=True)
class Pace:
    """How patient an upload is. The tests' one hook."""

    backoff_s: float = 2.0
    chunk: int = CHUNK
    step_tries: int = 5
    look_s: float = 10.0  #: first look at what YouTube makes of a film; doubles up to five minutes
    looks: int = 40


class _Later(Exception):
    """YouTube is still processing: look again then."""


class Publisher:
    """Runs upload jobs, one at a time."""

    def __init__(self, workshop: Workshop, settings: Settings, pace: Pace | None = None) -> None:
        self._shop = workshop
        self._settings = settings
        self._pace = pace or Pace()
        self._line = Line(workshop, settings)

    async def run(self, job: Job) -> None:
        """A claimed job, to its end or to its next try. Cancelling the task cuts the line."""
        request = request_of(job)
        assert isinstance(request, Publish)
        try:
            await self._publish(job, request)
        except Replaced:
            raise
        except Stopped:
            async with self._shop.db.transaction() as tx:
                await self._shop.move(tx, job, JobState.NEEDS_ATTENTION, "paused", **PAUSED)
        except _Later:
            await self._look_later(job)
        except Exception as error:  # Google's libraries raise many kinds; `translated` knows them
            await self._shop.fail(job, self._known(error), Verb.LOCAL)

    async def let_go(self, job: Job) -> None:
        """The person has cancelled it, and nothing runs any more."""
        done = await publications.of_job(self._shop.db, job.id)
        stand = StandFile(self._settings.uploads / f"{job.id}.json").read()
        message = "cancelled on request; what was sent is not shown to anybody"
        if done is not None:
            left = ", ".join(name for name, state in done.steps.items() if state == LEFT)
            without = f", without {left}" if left else ""
            message = f"cancelled on request; the film is up at {done.url}{without}"
        elif stand is not None and (stand.finishing or stand.video_id):
            message = LAST_SENT
        async with self._shop.db.transaction() as tx:
            if (await jobs.job(tx, job.id)).state.final:
                return
            await jobs.transition(
                tx,
                job.id,
                JobState.CANCELLED,
                now=self._shop.clock.now(),
                event="cancelled",
                reason="CANCELLED",
                message=message,
            )

    # ---- the film ----------------------------------------------------------------------------

    async def _publish(self, job: Job, request: Publish) -> None:
        shop = self._shop
        render = await takes.render(shop.db, request.render_id)
        film = await takes.asset(shop.db, render.asset_id)
        done = await publications.of_job(shop.db, job.id)
        if done is None:
            file = shop.media.absolute(film.path)
            if not file.is_file():
                raise MediaError(f"the film {film.path} is gone", hint="Merge it again.")
            await self._check(request)
            stand = StandFile(self._settings.uploads / f"{job.id}.json")
            await self._inherit(job, request, stand)
            await self._heed(job, request, stand, file)
            video_id = await self._send(job, request, stand, file)
            shop.on_step("film_sent")
            done = await self._record(job, request, video_id)
            shop.on_step("film_recorded")
        await self._steps(job, request, film, done)

    async def _check(self, request: Publish) -> None:
        """What can have changed since the person agreed."""
        if self._settings.simulated and self._settings.youtube_root is None:
            raise PublishError("simulated films stay on this machine")
        there = await publications.of_render(self._shop.db, request.render_id, request.channel_id)
        if there and not request.take_number:
            raise Conflict(
                f"this film is on that channel already: {there[0].url}",
                hint="Pass again=true to have it twice.",
            )

    async def _inherit(self, job: Job, request: Publish, stand: StandFile) -> None:
        """Go on with what an earlier job of the same film left, if that may have become a video or costs nothing."""
        if stand.read() is not None:
            return
        for earlier in await publications.ended_before(self._shop.db, job):
            file = StandFile(self._settings.uploads / f"{earlier.id}.json")
            left = file.read()
            if left is None or (left.session is None and left.video_id is None):
                continue
            if left.video_id and await publications.by_remote_id(self._shop.db, left.video_id):
                continue
            same = request_of(earlier).model_dump()["listing"] == request.listing.model_dump()
            if same or left.finishing or left.video_id:
                file.path.replace(stand.path)
                async with self._shop.db.transaction() as tx:
                    now = self._shop.clock.now()
                    await jobs.log(tx, job.id, "goes_on", now, of=earlier.id, listing_same=same)
                return

    async def _heed(self, job: Job, request: Publish, stand: StandFile, film: Path) -> None:
        """Do with the transfer what the person has said since."""
        said = await answers(self._shop.db, job.id)
        if said is None:
            return
        if said.type == SEND_AGAIN:
            stand.forget_session()
        elif said.type == THERE:
            video_id = str((said.data or {})["video"])
            await self._prove(request, video_id)
            stand.attach(video_id, film)

    async def _prove(self, request: Publish, video_id: str) -> None:
        """A person may mistype."""

        def look(youtube: Any, stop: Stop) -> steps.Standing | None:
            return steps.standing(youtube, video_id)

        if await self._line.call(request.channel_id, look) is None:
            raise PublishNeedsPerson(
                f"this channel sees no video {video_id!r}",
                hint="resolve_job with action 'attach' and the right id, or 'submit_again'.",
            )

    async def _send(self, job: Job, request: Publish, stand: StandFile, film: Path) -> str:
        before = stand.read()
        if before is None or (before.session is None and before.video_id is None):
            async with self._shop.db.transaction() as tx:
                await publications.spend(tx, job.id, "uploads", 1, self._shop.clock.now())
        gauge = Gauge(self._shop.clock.now)
        known = await publications.remote_ids(self._shop.db)

        def send(youtube: Any, stop: Stop) -> str:
            return Transfer(
                youtube,
                film,
                request.listing,
                stand,
                clock=self._shop.clock,
                stop=stop,
                note=gauge.note,
                known=known,
                backoff_s=self._pace.backoff_s,
                chunk=self._pace.chunk,
            ).run()

        return await self._line.call(request.channel_id, send, watch=(job, gauge))

    async def _record(self, job: Job, request: Publish, video_id: str) -> Publication:
        shop, listing = self._shop, request.listing
        wanted = {
            "captions": request.captions,
            "playlist": listing.playlist,
            "thumbnail": request.thumbnail,
        }
        signins = await asyncio.to_thread(signins_of, self._settings)
        at = listing.publish_at
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            added = await publications.add(
                tx,
                id=shop.clock.new_id(),
                render_id=request.render_id,
                job_id=job.id,
                channel_id=request.channel_id,
                channel=listing.channel or request.channel_id,
                remote_id=video_id,
                url=signins.watch(video_id),
                privacy=listing.privacy,
                publish_at=None if at is None else int(at.timestamp() * 1000),
                metadata={**listing.body(), "notifySubscribers": listing.notify_subscribers}
                | ({"reason": listing.synthetic_reason} if listing.synthetic_reason else {}),
                steps={name: LEFT for name in STEPS if wanted[name]},
                now=now,
            )
            await jobs.log(tx, job.id, "published", now, video=video_id, url=added.url)
        return added

    # ---- after the film ----------------------------------------------------------------------

    async def _steps(self, job: Job, request: Publish, film: Asset, done: Publication) -> None:
        shop = self._shop
        for name in STEPS:
            if done.steps.get(name) != LEFT:
                continue
            if name == "thumbnail" and _short(film):
                standing = await self._look(job, request, done)
                busy = not standing.processed and not standing.refused
                if busy and await self._looked(job) < self._pace.looks:
                    raise _Later
            state = await self._step(job, request, done, name)
            async with shop.db.transaction() as tx:
                done = await publications.set_step(tx, done.id, name, state, shop.clock.now())
                await jobs.log(tx, job.id, "step", shop.clock.now(), step=name, state=state)
            shop.on_step(f"{name}_{'done' if state == DONE else 'failed'}")
        done = await self._last_look(job, request, done)
        async with shop.db.transaction() as tx:
            failed = [f"{name}: {s}" for name, s in done.steps.items() if s != DONE]
            told = f"the film is up, but {'; '.join(failed)}" if failed else None
            await shop.move(
                tx,
                job,
                JobState.SUCCEEDED,
                "succeeded",
                render_id=request.render_id,
                progress=1.0,
                message=told,
                data={"video": done.remote_id, "url": done.url},
            )

    async def _step(self, job: Job, request: Publish, done: Publication, name: str) -> str:
        """`done`, or why it cannot be. Raises PublishLater when a quota has to be waited for."""
        units, act = self._action(request, done, name)
        last = ""
        for attempt in range(self._pace.step_tries):
            async with self._shop.db.transaction() as tx:
                await publications.spend(tx, job.id, "units", units, self._shop.clock.now())
            try:
                await self._line.call(request.channel_id, act)
            except Exception as error:  # as above
                known = self._known(error)
                if not isinstance(known, PublishLater):
                    return f"failed: {known.message}. {known.hint}"
                if known.reason in ("quotaExceeded", "dailyLimitExceeded"):
                    raise known from None
                if attempt + 1 < self._pace.step_tries:
                    await asyncio.sleep(self._pace.backoff_s * 2**attempt)
                last = known.message
            else:
                return DONE
        return f"failed: {last}. Tried {self._pace.step_tries} times."

    @staticmethod
    def _action(
        request: Publish, done: Publication, name: str
    ) -> tuple[int, Callable[[Any, Stop], None]]:
        """What a step costs of the daily units, and what it does."""
        id, listing = done.remote_id, request.listing
        if name == "playlist":
            playlist = listing.playlist or ""
            return (
                preflight.PLAYLIST_UNITS + preflight.LIST_UNITS,
                lambda youtube, _: steps.add_to_playlist(youtube, id, playlist),
            )
        file = request.captions if name == "captions" else request.thumbnail
        assert file is not None
        path = Path(file.path)

        def act(youtube: Any, _: Stop) -> None:
            if digest_of(path) != file.sha256:
                raise PublishError(f"{path.name} is not what the person agreed to any more")
            if name == "captions":
                steps.add_captions(youtube, id, path, listing.language)
            else:
                steps.set_thumbnail(youtube, id, path)

        captions = name == "captions"
        return preflight.CAPTIONS_UNITS if captions else preflight.THUMBNAIL_UNITS, act

    async def _look(self, job: Job, request: Publish, done: Publication) -> steps.Standing:
        """What YouTube makes of the film; kept with it. Costs one unit."""
        now = self._shop.clock.now()
        async with self._shop.db.transaction() as tx:
            await publications.spend(tx, job.id, "units", preflight.LIST_UNITS, now)

        def look(youtube: Any, stop: Stop) -> steps.Standing | None:
            return steps.standing(youtube, done.remote_id)

        found = await self._line.call(request.channel_id, look)
        standing = found or steps.Standing(
            upload="deleted", processing=None, reason=None, privacy=done.privacy, publish_at=None
        )
        await keep_standing(self._shop, done, standing)
        return standing

    async def _last_look(self, job: Job, request: Publish, done: Publication) -> Publication:
        """Only to tell more: that it cannot be had changes nothing."""
        try:
            await self._look(job, request, done)
        except Exception as error:  # as above
            known = self._known(error)
            async with self._shop.db.transaction() as tx:
                now = self._shop.clock.now()
                await jobs.log(tx, job.id, "not_looked", now, why=known.message)
        return await publications.of_job(self._shop.db, job.id) or done

    async def _looked(self, job: Job) -> int:
        events = await jobs.events(self._shop.db, job.id)
        return sum(event.type == "processing" for event in events)

    async def _look_later(self, job: Job) -> None:
        pause = min(300.0, self._pace.look_s * 2 ** min(await self._looked(job), 10))
        async with self._shop.db.transaction() as tx:
            await self._shop.move(
                tx,
                job,
                JobState.WAITING,
                "processing",
                run_at=self._shop.clock.now() + int(1000 * pause),
                progress=SENT_SHARE,
                reason="PROCESSING",
                message="the film is up; its thumbnail can be set when YouTube has processed it",
            )

    def _known(self, error: Exception) -> FlowKitError:
        at = datetime.fromtimestamp(self._shop.clock.now() / 1000, UTC)
        return translated(error, at)


def digest_of(file: Path) -> str | None:
    """None if it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None


async def keep_standing(shop: Workshop, done: Publication, standing: steps.Standing) -> None:
    """What was seen of a film at YouTube."""
    async with shop.db.transaction() as tx:
        await publications.set_standing(
            tx,
            done.id,
            processing=standing.state,
            trouble=standing.reason,
            privacy=standing.privacy,
            now=shop.clock.now(),
        )


def _short(film: Asset) -> bool:
    return preflight.FilmFile(
        bytes=film.bytes,
        duration_s=(film.duration_ms or 0) / 1000,
        width=film.width or 0,
        height=film.height or 0,
    ).short
