"""Media whose file is gone from the library, or is no longer what was recorded, while Flow still has them.

They are looked up and fetched again, free. What lies under their name is never touched: what comes home gets the
next free one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from flowkit_mcp.domain.models import Asset, Gate
from flowkit_mcp.errors import FlowKitError, MediaError, NotConnected
from flowkit_mcp.providers.base import Done, Provider, RemoteMedia
from flowkit_mcp.store import jobs, operations, takes
from flowkit_mcp.work.workshop import Workshop, log

GONE = "{path} is gone from the library, and {why}"
CHANGED = "{path} is not what was recorded: its content has changed on the disk, and {why}"
HINT = "Put the file back, select another take, or generate it again."


class Restorer:
    """Brings files home again. `here` is for whoever needs one now, `in_use` for the leader's spare time."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._one_by_one = workshop.fetching

    async def here(self, asset: Asset, *, as_recorded: bool = False) -> Asset:
        """The asset with its file in place.

        as_recorded: its content has to be that of its hash, too, so that no flipped bit goes into a film unseen.

        Raises:
            MediaError: it is gone (or another), and Flow does not have it any more or cannot be asked now.
        """
        async with self._one_by_one:
            told = GONE
            file = self._shop.media.absolute(asset.path)
            if file.is_file():
                if not as_recorded or await asyncio.to_thread(_is, file, asset.sha256):
                    return asset
                told = CHANGED
            why = "it came from nowhere that could be asked for it again"
            for known in await takes.remotes(self._shop.db, asset.id):
                provider = self._shop.providers.get(known.provider)
                if provider is None:
                    continue
                if not provider.connected:
                    why = "the browser through which it can be fetched again is not connected"
                elif provider.account_label != known.account:
                    why = f"only the account {known.account!r} can fetch it again"
                elif await self._blocked(provider):
                    why = "Flow may not be asked for it now; status says what has to be done first"
                elif (media := await self._seen(provider, known, asset, told)) is None:
                    why = "Flow does not have it any more"
                else:
                    return await self._bring(provider, asset, media)
            raise MediaError(told.format(path=asset.path, why=why), hint=HINT)

    async def _blocked(self, provider: Provider) -> bool:
        """Behind a pause what is paid for is still read; behind this gate nothing is."""
        state = await operations.provider_state(self._shop.db, provider.name)
        return state is not None and state.gate is Gate.BLOCKED

    async def in_use(self, may_ask: Callable[[], Awaitable[bool]]) -> int:
        """Fetch what is selected and missing, as far as it can be had and asked for; how many files came home.

        What is not in use stays away: the person may have made room.
        """
        brought = 0
        for asset in await missing(self._shop):
            if not await may_ask():
                break
            try:
                await self.here(asset)
                brought += 1
            except (FlowKitError, OSError) as error:
                log.warning("cannot fetch %s again: %s", asset.path, error)
        return brought

    async def _seen(
        self, provider: Provider, known: takes.Remote, asset: Asset, told: str
    ) -> RemoteMedia | None:
        """A fresh address: those of last time have expired. Whoever asks need not be who made it."""
        id, project = known.remote_id, known.remote_project_id
        lies_in = {id: project} if project else None
        try:
            seen = (await provider.poll([id], asset.media, lies_in)).get(id)
        except NotConnected as error:
            raise MediaError(told.format(path=asset.path, why=error.message), hint=HINT) from error
        return seen.media if isinstance(seen, Done) else None

    async def _bring(self, provider: Provider, asset: Asset, media: RemoteMedia) -> Asset:
        shop = self._shop
        final = shop.media.absolute(asset.path)
        part = shop.media.part_for(final)
        try:
            await provider.fetch(media, part)
            file = await shop.media.keep(part, final, asset.media)
        finally:
            part.unlink(missing_ok=True)
        now = shop.clock.now()
        async with shop.db.transaction() as tx:
            again = await takes.refile(tx, asset.id, file, shop.media.relative(file.path))
            for job_id in await takes.jobs_of(tx, asset.id):
                same = again.sha256 == asset.sha256
                await jobs.log(tx, job_id, "fetched_again", now, path=again.path, same=same)
        log.info("%s is here again", again.path)
        return again


async def missing(shop: Workshop) -> list[Asset]:
    """Assets in use whose file is not there."""
    found = await takes.in_use(shop.db)

    def gone() -> list[Asset]:
        return [asset for asset in found if not shop.media.absolute(asset.path).is_file()]

    return await asyncio.to_thread(gone)


def _is(file: Path, sha256: str) -> bool:
    """Whether a file has this content. Blocking."""
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == sha256
    except OSError:
        return False  # it cannot be read, or went a moment ago
