"""One account under two labels: what was noted before the page said who is signed in (docs/decisions/0014)."""

from __future__ import annotations

import logging

from flowkit_mcp.domain.models import Account
from flowkit_mcp.providers.base import Done, Provider
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database

log = logging.getLogger("flowkit.work")

#: How a provider's label begins as long as only the browser profile is known.
NAMELESS = "browser "


class Labels:
    """Moves what is known of a profile's nameless account to its name, once it is proved to be the same."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tried: set[tuple[str, str]] = set()

    async def settle(self, provider: Provider, account: Account) -> None:
        """Free: the named account is asked for one of the nameless one's results."""
        if account.label.startswith(NAMELESS):
            return
        for label in await operations.labels(self._db, provider.name, provider.via, NAMELESS):
            if (label, account.label) in self._tried:
                continue
            try:
                same = await self._sees(provider, label)
            except (
                Exception
            ) as error:  # it must not stand in the way of work; asked again next time
                log.info(
                    "cannot tell whether %s is the account of %s: %r", account.label, label, error
                )
                continue
            self._tried.add((label, account.label))
            if same:
                async with self._db.transaction() as tx:
                    await operations.rename_account(tx, provider.name, label, account.label)

    async def _sees(self, provider: Provider, label: str) -> bool:
        """Whether the account connected now is shown a result of that label's: another would not be."""
        made = await operations.last_done(self._db, provider.name, label)
        if made is None:
            return False
        remote_id, stage = made
        seen = await provider.poll([remote_id], stage.media)
        return isinstance(seen.get(remote_id), Done)
