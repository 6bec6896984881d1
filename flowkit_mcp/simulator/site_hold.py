"""Requests to the simulated site that wait until somebody lets them go on: for tests of what dies meanwhile."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import Message, Send


class Hold:
    """The next request whose address contains `text`.

    It waits before Flow looks at it, or, with `answered`, when Flow has answered and the browser has heard nothing.
    """

    def __init__(self, text: str, *, answered: bool) -> None:
        self._text = text
        self._answered = answered
        self._go = asyncio.Event()
        #: Set when a request has come so far.
        self.reached = asyncio.Event()

    def release(self) -> None:
        """Let it go on; if it has not come yet, it will not be held."""
        self._go.set()

    def wants(self, request: Request, *, answered: bool) -> bool:
        free = not self.reached.is_set() and not self._go.is_set()
        free = free and request.method != "OPTIONS"  # which asks for leave only
        return free and answered == self._answered and self._text in str(request.url)

    async def wait(self) -> None:
        self.reached.set()
        await self._go.wait()


class Holds:
    """The holds of one site."""

    def __init__(self) -> None:
        self._holds: list[Hold] = []

    def add(self, text: str, *, answered: bool) -> Hold:
        hold = Hold(text, answered=answered)
        self._holds.append(hold)
        return hold

    def release_all(self) -> None:
        for hold in self._holds:
            hold.release()

    async def before(self, request: Request) -> None:
        hold = self._find(request, answered=False)
        if hold is not None:
            await hold.wait()

    def after(self, request: Request, send: Send) -> Send:
        """What to answer with: waits before the first word."""
        hold = self._find(request, answered=True)
        if hold is None:
            return send

        async def wait_and_send(message: Message) -> None:
            if not hold.reached.is_set():
                await hold.wait()
            await send(message)

        return wait_and_send

    def _find(self, request: Request, *, answered: bool) -> Hold | None:
        return next((one for one in self._holds if one.wants(request, answered=answered)), None)
