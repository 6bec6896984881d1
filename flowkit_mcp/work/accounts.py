"""One account under two labels: what was noted before the page said who is signed in (docs/decisions/0014)."""

from __future__ import annotations

from flowkit_mcp.domain.models import Account
from flowkit_mcp.errors import FlowKitError
from flowkit_mcp.providers.base import Done, Provider
from flowkit_mcp.store import operations
from flowkit_mcp.store.database import Database


class Labels:
    """Moves what is known of a profile's nameless account to its name, once it is proved to be the same."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._tried: set[tuple[str, str]] = set()

    async def settle(self, provider: Provider, account: Account) -> bool:
        """Whether something was moved. Free: the named account is asked for one of the nameless one's results."""
        if account.nameless:
            return False
        moved = False
        for label in await operations.nameless(self._db, provider.name, provider.via):
            if (label, account.label) in self._tried:
                continue
            self._tried.add((label, account.label))
            if await self._sees(provider, label):
                async with self._db.transaction() as tx:
                    await operations.rename_account(tx, provider.name, label, account.label)
                moved = True
        return moved

    async def _sees(self, provider: Provider, label: str) -> bool:
        """Whether the account connected now is shown a result of that label's: another would not be."""
        made = await operations.last_done(self._db, provider.name, label)
        if made is None:
            return False
        remote_id, stage = made
        try:
            seen = await provider.poll([remote_id], stage.media)
        except FlowKitError:
            return False
        return isinstance(seen.get(remote_id), Done)
