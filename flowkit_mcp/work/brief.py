"""From a request to a brief: every take as the connected account knows it. Everything here is free."""

from __future__ import annotations

import asyncio
from typing import Any

from flowkit_mcp.domain.models import Account, Job, Operation, Stage
from flowkit_mcp.domain.requests import (
    GenerateImage,
    GenerateReference,
    GenerateVideo,
    Housekeeping,
    PaidRequest,
    UpscaleImage,
    UpscaleVideo,
)
from flowkit_mcp.errors import FlowKitError, NotReady, Rejected, Transient
from flowkit_mcp.providers.base import (
    Brief,
    ImageBrief,
    ImageUpscaleBrief,
    Provider,
    UpscaleBrief,
    VideoBrief,
)
from flowkit_mcp.store import catalog, takes
from flowkit_mcp.work.restore import Restorer
from flowkit_mcp.work.workshop import Workshop, log


class BriefWriter:
    """Looks up ids, makes the remote project once, and hands over pictures the account does not know."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._restorer = Restorer(workshop)
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def write(self, provider: Provider, account: Account, request: PaidRequest) -> Brief:
        """Resolve every id for this account; hands over pictures that it does not know yet."""
        shop = self._shop
        model = shop.model(account, request.model)
        common: dict[str, Any] = {
            "project": await self._project(provider, account, request.project_id),
            "model": request.model,
            "orientation": request.orientation,
            "credits": (model.credits if model else None) or 0,
        }
        seed = getattr(request, "seed", None)
        common["seed"] = int(shop.roll() * 1_000_000_000) if seed is None else seed

        async def remote(take_id: str) -> str:
            return await self._remote(provider, account, common["project"], take_id)

        match request:
            case GenerateReference():
                base = await remote(request.base_take_id) if request.base_take_id else None
                return ImageBrief(**common, prompt=request.prompt, base=base)
            case GenerateImage():
                references = [await remote(id) for id in request.reference_take_ids]
                base = await remote(request.base_take_id) if request.base_take_id else None
                return ImageBrief(
                    **common, prompt=request.prompt, references=tuple(references), base=base
                )
            case GenerateVideo():
                extended = request.extended_take_id
                references = [await remote(id) for id in request.reference_take_ids]
                return VideoBrief(
                    **common,
                    mode=request.mode,
                    prompt=request.prompt,
                    start=await remote(request.start_take_id) if request.start_take_id else None,
                    end=await remote(request.end_take_id) if request.end_take_id else None,
                    references=tuple(references),
                    voices=request.voices,
                    extends=await remote(extended) if extended else None,
                )
            case UpscaleVideo():
                source = await remote(request.source_take_id)
                return UpscaleBrief(**common, source=source, resolution=request.resolution)
            case UpscaleImage():
                source = await remote(request.source_take_id)
                return ImageUpscaleBrief(**common, source=source, resolution=request.resolution)

    async def _project(self, provider: Provider, account: Account, project_id: str) -> str:
        shop = self._shop
        async with self._lock("project", project_id):
            known = await catalog.remote_project(shop.db, project_id, provider.name, account.label)
            if known is not None:
                return known
            project = await catalog.project(shop.db, project_id)
            remote_id = await provider.create_project(project.name)
            async with shop.db.transaction() as tx:
                await catalog.set_remote_project(
                    tx, project_id, provider.name, account.label, remote_id, shop.clock.now()
                )
            return remote_id

    async def _remote(
        self, provider: Provider, account: Account, project: str, take_id: str
    ) -> str:
        """Under which id this account knows a take in this project; a picture it lacks is uploaded."""
        shop = self._shop
        take = await takes.take(shop.db, take_id)
        async with self._lock("asset", take.asset_id):
            known = await takes.remote_id(
                shop.db, take.asset_id, provider.name, account.label, project
            )
            if known is not None:
                return known
            if take.stage in (Stage.VIDEO, Stage.UPSCALE):
                raise NotReady(
                    "the account that is connected does not have this clip in this project (any more), and Flow "
                    "cannot take it from the library",
                    hint="Connect the account that made it, or generate the clip again with this one.",
                )
            asset = await self._restorer.here(await takes.asset(shop.db, take.asset_id))
            remote_id = await provider.upload_image(shop.media.absolute(asset.path), project)
            async with shop.db.transaction() as tx:
                await takes.add_remote(
                    tx,
                    asset_id=asset.id,
                    provider=provider.name,
                    account=account.label,
                    remote_id=remote_id,
                    remote_project_id=project,
                    now=shop.clock.now(),
                )
            return remote_id

    # ---- what the provider has forgotten -----------------------------------------------------

    async def strike_out(
        self,
        provider: Provider,
        job: Job,
        error: Exception,
        op: Operation | None = None,
        brief: Brief | None = None,
    ) -> Transient | None:
        """Whether "not found" means that Flow has lost what we believed it has (flow-wire §5.2, §9.2: once).

        That is a project which the person has deleted in Flow, or uploads that have expired. Their ids are struck
        out, so that the next try makes the project and hands the pictures over anew; returned is the reason for it.
        """
        refused = isinstance(error, Rejected) and error.reason == "NOT_FOUND"
        if not refused or job.attempts or job.project_id is None:
            return None
        shop = self._shop
        account = op.account if op is not None else provider.account_label or ""
        project = await catalog.remote_project(shop.db, job.project_id, provider.name, account)
        if brief is not None and brief.project != project:
            return Transient("the project was deleted in Flow; there is another one by now")
        if project is not None and await self._is_gone(provider, project):
            async with shop.db.transaction() as tx:
                await catalog.remote_project_gone(tx, provider.name, project, shop.clock.now())
            return Transient("the project was deleted in Flow; another one is made")
        pictures = pictures_of(brief) if brief is not None else ()
        if not pictures:
            return None
        async with shop.db.transaction() as tx:
            for id in pictures:
                await takes.mark_gone(tx, provider.name, account, id, shop.clock.now())
        return Transient("Flow no longer knows a picture it was given; it is handed over again")

    @staticmethod
    async def _is_gone(provider: Provider, project: str) -> bool:
        """Not listed, which may be a matter of seconds, and refused when asked for by its id. Free."""
        try:
            listed = await provider.keep_house(Housekeeping(action="list_projects"))
            if any(row["id"] == project for row in listed.get("projects", ())):
                return False
            await provider.keep_house(Housekeeping(action="list_contents", project=project))
        except Rejected as refusal:
            return refusal.reason == "NOT_FOUND"
        except FlowKitError as trouble:
            log.info("whether the project is still there could not be asked: %s", trouble.code)
        return False

    def _lock(self, kind: str, id: str) -> asyncio.Lock:
        """Two jobs that need the same upload must not both make it."""
        return self._locks.setdefault((kind, id), asyncio.Lock())


def pictures_of(brief: Brief) -> tuple[str, ...]:
    """The remote ids of pictures a brief hands over; the library has each of them to upload anew."""
    match brief:
        case ImageBrief(references=references, base=base):
            ids = (*references, base)
        case VideoBrief(references=references, start=start, end=end):
            ids = (*references, start, end)
        case ImageUpscaleBrief(source=source):
            ids = (source,)
        case _:
            ids = ()
    return tuple(id for id in ids if id is not None)
