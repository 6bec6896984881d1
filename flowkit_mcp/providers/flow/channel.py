"""What the provider needs of the bridge. `bridge/host.py` satisfies it; tests hand in a scripted one."""

from __future__ import annotations

from typing import Any, Protocol

from flowkit_mcp.bridge.protocol import FlowState, Found, Result


class Channel(Protocol):
    """One browser profile with the extension, as seen from here."""

    @property
    def flow(self) -> FlowState | None:
        """Flow's state in the active profile; None = not connected."""
        ...

    @property
    def instance(self) -> str | None:
        """Which profile is active."""
        ...

    async def call(
        self,
        name: str,
        args: dict[str, Any],
        *,
        lane: str,
        captcha: str | None = None,
        paid: bool = False,
        credits: int = 0,
        what: str = "",
        timeout_s: float,
        id: str | None = None,
        instance: str | None = None,
    ) -> Result:
        """Make one named Flow call.

        If the link drops after sending, the answer is a `Result` with the error `LOST` (`sent=True`).

        Raises:
            NotConnected: only if nothing can have left this process.
        """
        ...

    async def lookup(self, id: str, *, instance: str | None = None) -> Found:
        """What became of this call, by the journal of the given profile, else of the active one.

        Raises:
            NotConnected: that profile is not connected.
            Transient: it did not answer.
        """
        ...

    async def ack(self, id: str) -> None:
        """The result is committed: the extension may drop its copy."""
        ...
