"""Chrome's DevTools protocol over its loopback socket: commands, and looking into pages."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ASK_EVERY_S = 0.1


class BrowserGone(Exception):
    """The browser has ended, or was closed by a person."""


class DevToolsRefused(Exception):
    """A command failed; the text is Chromium's own."""


class DevTools:
    """One connection to a browser; made by `connect`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._sessions: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str) -> AsyncGenerator[DevTools]:
        """`address` is `ws://127.0.0.1:<port>/devtools/browser/<id>`. Raises OSError."""
        async with connect(address, max_size=None, compression=None, proxy=None) as socket:
            tools = cls(socket)
            reading = asyncio.create_task(tools._read(), name="devtools")
            try:
                yield tools
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                told: dict[str, Any] = json.loads(text)
                answer = self._waiting.pop(told.get("id", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(told)
        except ConnectionClosed:
            pass
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(BrowserGone())

    async def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of one command.

        Raises:
            DevToolsRefused, BrowserGone.
        """
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            self._waiting.pop(number, None)
            raise BrowserGone from error
        told = await answer
        if "error" in told:
            raise DevToolsRefused(f"{method}: {told['error'].get('message')}")
        return dict(told["result"])

    async def targets(self) -> list[dict[str, Any]]:
        """Everything there is: pages, tabs, workers."""
        return list((await self.send("Target.getTargets", filter=[{}]))["targetInfos"])

    async def evaluate(self, target: str, expression: str) -> Any:
        """What an expression comes to in a page; promises are waited for."""
        told = await self.send(
            "Runtime.evaluate",
            await self._session(target),
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in told:
            raise DevToolsRefused(json.dumps(told["exceptionDetails"]))
        return told["result"].get("value")

    async def until(self, target: str, condition: str) -> None:
        """Ask a page again and again until a condition holds in it."""
        while True:
            with contextlib.suppress(DevToolsRefused):  # between two pages nothing can be asked
                if await self.evaluate(target, condition):
                    return
            await asyncio.sleep(ASK_EVERY_S)

    async def screenshot(self, target: str) -> bytes:
        """What a page shows, as PNG."""
        told = await self.send("Page.captureScreenshot", await self._session(target), format="png")
        return base64.b64decode(told["data"])

    async def _session(self, target: str) -> str:
        if target not in self._sessions:
            told = await self.send("Target.attachToTarget", targetId=target, flatten=True)
            self._sessions[target] = told["sessionId"]
        return self._sessions[target]
