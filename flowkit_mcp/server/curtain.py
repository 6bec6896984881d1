"""The server as it starts on stdio: the handshake is answered first, and the library is opened behind the curtain.

A client waits for the answer to `initialize`, and that needs neither the tools nor the library, whose modules take a
third of a second to load (docs/decisions/0017). So the handshake is served by a bare server, the rest is loaded right
after it, and every other request waits until the curtain is up.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.types import (
    INTERNAL_ERROR,
    CompleteRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from flowkit_mcp import __version__
from flowkit_mcp.config import Settings
from flowkit_mcp.errors import BugError, FlowKitError
from flowkit_mcp.server.instructions import INSTRUCTIONS, NAME

#: If no client says anything, the queue is worked all the same, after this many seconds.
PATIENCE_S = 1.0
#: The answer to the handshake is on its way before the loading takes the processor.
PAUSE_S = 0.02
_AT_ONCE = frozenset({"initialize", "ping"})
_DISCOVER = "server/discover"
#: Served by the whole server and told of in the handshake; nobody gets through to these stand-ins.
_PROMISED = {
    "resources/subscribe": SubscribeRequestParams,
    "resources/unsubscribe": UnsubscribeRequestParams,
    "completion/complete": CompleteRequestParams,
}

Ctx = ServerRequestContext[Any, Any]
log = logging.getLogger("flowkit.server")


class Stage:
    """What requests find as their lifespan; filled when the curtain goes up."""

    kit: Any
    desk: Any


class Curtain:
    """Middleware that holds requests back until the whole server stands; made by `build`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.server: MCPServer[Any] | None = None
        self.stage = Stage()
        self._more: list[ServerMiddleware[Any]] = []
        self._holding: asyncio.Task[None] | None = None
        self._up: asyncio.Future[None] | None = None
        self._over = asyncio.Event()

    async def __call__(self, ctx: Ctx, call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None:
            return await call_next(ctx)
        if ctx.method in _AT_ONCE:
            asyncio.get_running_loop().call_later(PAUSE_S, self.raise_)
            return await call_next(ctx)
        try:
            await asyncio.shield(self.raise_())
        except FlowKitError as error:  # e.g. a library of a newer version: the client can show that
            if (
                ctx.method == _DISCOVER
            ):  # but not from here: it would go on to try an older handshake
                return await call_next(ctx)
            raise MCPError(INTERNAL_ERROR, str(error)) from error
        for one in reversed(self._more):
            call_next = partial(one, call_next=call_next)
        return await call_next(ctx)

    def raise_(self) -> asyncio.Future[None]:
        """Begin to open, again if it failed before; done when everything stands."""
        if self._up is None:
            self._up = asyncio.get_running_loop().create_future()
            self._holding = asyncio.create_task(self._hold(self._up), name="library")
        return self._up

    async def aclose(self) -> None:
        """Close the library, if it was opened."""
        self._over.set()
        if self._holding is not None:
            await asyncio.gather(self._holding, return_exceptions=True)

    async def _hold(self, up: asyncio.Future[None]) -> None:
        """The library is opened and closed by one task, whoever needed it first."""
        try:
            whole = await asyncio.to_thread(_load, self.settings)
            if self._over.is_set():  # the client has left meanwhile: nothing is opened for nobody
                up.cancel()
                return
            lifespan = whole.settings.lifespan
            assert lifespan is not None
            async with lifespan(whole) as backstage:
                self._graft(whole)
                self.stage.kit, self.stage.desk = backstage.kit, backstage.desk
                up.set_result(None)
                await self._over.wait()
        except Exception as error:
            if up.done():
                raise
            if isinstance(error, FlowKitError):
                print(error, file=sys.stderr)
                up.set_exception(error)
            else:
                log.exception("the library was not opened")
                up.set_exception(BugError(f"the library: {error}"))
            up.exception()  # told to whoever asks; nobody need have asked yet
            self._up = self._holding = None  # it may be mended by the next request

    def _graft(self, whole: MCPServer[Any]) -> None:
        """From now on requests are answered as the whole server answers them."""
        assert self.server is not None
        here = self.server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
        there = whole._lowlevel_server  # pyright: ignore[reportPrivateUsage]
        handlers = there._request_handlers  # pyright: ignore[reportPrivateUsage]
        for method, entry in handlers.items():
            here.add_request_handler(method, entry.params_type, entry.handler)
        here.extensions.update(there.extensions)
        # what both have (tracing, sealed request states) has run by then
        self._more = list(whole.middleware[len(self.server.middleware) - 1 :])


def build(settings: Settings) -> MCPServer[Any]:
    """The server for a library, ready for a handshake; the library is opened after it."""
    curtain = Curtain(settings)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Any]) -> AsyncGenerator[Stage]:
        # The transport holds the wire by now; a stray print() must not reach it, not even at exit (mcp.md §3).
        stdout, sys.stdout = sys.stdout, sys.stderr
        late = asyncio.get_running_loop().call_later(PATIENCE_S, curtain.raise_)
        try:
            yield curtain.stage
        finally:
            late.cancel()
            await curtain.aclose()
            sys.stdout = stdout

    server = MCPServer(
        NAME,
        title="FlowKit",
        version=__version__,
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        log_level="WARNING",
        middleware=[curtain],
    )
    for method, params in _PROMISED.items():
        below = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
        below.add_request_handler(method, params, _never)
    curtain.server = server
    return server


def _load(settings: Settings) -> MCPServer[Any]:
    gc.disable()
    try:
        # late: this is what the handshake does not wait for
        from flowkit_mcp.server.server import build as build_whole

        return build_whole(settings)
    finally:
        gc.enable()
        gc.freeze()


async def _never(_ctx: Any, _params: Any) -> HandlerResult:
    raise AssertionError("the curtain was up before anything was asked")
