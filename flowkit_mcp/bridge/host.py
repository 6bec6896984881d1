"""The leader's end of the bridge: who is connected, who is in use, and the public calls.

It knows nothing of Flow: bodies pass through unread. `gate.py` decides who may open a socket,
`session.py` reads and writes one, `calls.py` keeps the calls that outlive it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from flowkit_mcp.bridge.calls import Calls
from flowkit_mcp.bridge.gate import Gate
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.bridge.protocol import (
    EXTENSION_ID,
    MAX_HANDSHAKE_MESSAGE,
    Bye,
    Call,
    Event,
    FlowState,
    Found,
    FromExtension,
    Pause,
    PhaseNote,
    Ping,
    Pong,
    Queue,
    Result,
    dump,
)
from flowkit_mcp.bridge.session import (
    CLOSE_LIMIT_S,
    NOT_PROVED,
    REPLACED,
    SIMULATED,
    TOO_SLOW,
    Greeting,
    Patience,
    Refused,
    Session,
    shake_hands,
    simulated_bye,
)
from flowkit_mcp.clock import Clock
from flowkit_mcp.errors import Conflict, InvalidSetting, NotConnected

log = logging.getLogger("flowkit.bridge")

GOING_AWAY = 1001


class Connected(NamedTuple):
    """A connected browser profile; `since` in milliseconds since 1970."""

    instance: str
    label: str
    active: bool
    since: int
    flow: FlowState


class BridgeHost:
    """Loopback WebSocket host. Make one per leadership; `start`, use, `aclose`."""

    def __init__(
        self,
        *,
        port: int,
        book: PairingBook,
        clock: Clock,
        generation: int,
        version: str,
        library: str,
        simulated: bool,
        changed: Callable[[], None],
        patience: Patience | None = None,
        extension_id: str | None = None,
    ) -> None:
        """`changed` is called whenever flow, instance, paused or profiles may have changed.

        `extension_id` is let in instead of the extension as it is unpacked.
        """
        self._greeting = Greeting(port, generation, version, library, simulated)
        self._book = book
        self._clock = clock
        self._changed = changed
        self._patience = patience or Patience()
        self._gate = Gate(lambda: self.port, extension_id or EXTENSION_ID)
        self._server: Server | None = None
        #: One per instance, by age; the first one open is in use, the others stand by.
        self._sessions: dict[str, Session] = {}
        self._calls = Calls(self._patience, self._session)
        self._queue: Queue | None = None

    # ---- life ----------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen on 127.0.0.1, if it does not yet.

        Raises:
            Conflict: another program has the port. It is left alone, and no other port is tried.
        """
        if self._server is not None:
            return
        # Not registered, so nobody can turn it on: at DEBUG this library logs whole frames.
        quiet = logging.Logger("websockets")
        quiet.disabled = True
        try:
            self._server = await serve(
                self._serve,
                "127.0.0.1",
                self._greeting.port,
                process_request=self._gate.check,
                process_response=self._gate.only_upgrades,
                create_connection=self._gate.connection_class(),
                server_header=None,
                compression=None,
                # Protocol pings do not keep an extension's worker alive; ours are messages.
                ping_interval=None,
                open_timeout=self._patience.handshake_s,
                close_timeout=CLOSE_LIMIT_S,
                max_size=MAX_HANDSHAKE_MESSAGE,
                logger=quiet,
            )
        except OSError as error:
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise
            raise Conflict(
                f"port {self._greeting.port} on 127.0.0.1 is in use by another program",
                hint="Stop that program, or set another port with FLOWKIT_PORT and pair the browser "
                "again: the code names the port. Everything that needs no browser goes on.",
            ) from error
        port = self._server.sockets[0].getsockname()[1]
        self._greeting = replace(self._greeting, port=port)

    @property
    def port(self) -> int:
        """The port listened on (for port 0, the one given by the system)."""
        return self._greeting.port

    async def aclose(self) -> None:
        """Say goodbye and let go of the port, well under 300 ms. Calls still open are cancelled.

        Their outcome is not known here; the journal in the browser knows, and the next leader asks it.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self._gate.clear()
        for session in self._sessions.values():
            session.close(GOING_AWAY, Bye(code="shutdown"))
        self._calls.cancel_all()
        server.close(close_connections=False)
        try:
            async with asyncio.timeout(self._patience.goodbye_s):
                await server.wait_closed()
        except TimeoutError:
            for session in self._sessions.values():
                session.abort()
            self._gate.clear()
            await server.wait_closed()

    # ---- what is connected ---------------------------------------------------------------

    def _session(self, instance: str) -> Session | None:
        session = self._sessions.get(instance)
        return session if session and session.open else None

    @property
    def _active(self) -> Session | None:
        return next((one for one in self._sessions.values() if one.open), None)

    @property
    def flow(self) -> FlowState | None:
        """Flow as the profile in use sees it; None while no browser is connected."""
        session = self._active
        return session.flow if session else None

    @property
    def instance(self) -> str | None:
        """The profile in use."""
        session = self._active
        return session.instance if session else None

    @property
    def paused(self) -> bool:
        """The person pressed pause in the profile in use."""
        session = self._active
        return session.paused if session else False

    @property
    def profiles(self) -> list[Connected]:
        """All connected profiles, the one in use first."""
        active = self._active
        return [
            Connected(one.instance, one.label, one is active, one.since, one.flow)
            for one in self._sessions.values()
            if one.open
        ]

    def show_queue(self, queue: Queue) -> None:
        """What the panel of the profile in use shows from now on; told again to one that takes over."""
        self._queue = queue
        self._tell_queue()

    def _tell_queue(self) -> None:
        session = self._active
        if session is not None and self._queue is not None and session.shown != self._queue:
            session.shown = self._queue
            session.post(self._queue)

    # ---- calls ---------------------------------------------------------------------------

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
        """Have the browser make one named call; waits through reconnects of the same profile.

        `timeout_s` counts from the moment the browser sends. A free call is acked here; a paid one
        stays in the browser's journal until `ack`. `what` it is for is shown to the person.

        Raises:
            NotConnected: nothing has left this process, and nothing will.
        """
        session = self._active
        if session is None or instance not in {None, session.instance}:
            what = "no browser" if session is None else "another browser profile"
            raise NotConnected(f"{what} is connected")
        call = Call.model_validate(
            {
                "id": id or self._clock.new_id(),
                "generation": self._greeting.generation,
                "lane": lane,
                "name": name,
                "what": what or None,
                "args": args,
                "captcha": captcha,
                "paid": paid,
                "credits": credits,
                "timeout_s": timeout_s,
            }
        )
        try:
            return await self._calls.run(session, call)
        finally:
            if not paid:
                # Also when the caller gave up: nobody will ask for a free result again.
                await self.ack(call.id)

    async def lookup(self, id: str, *, instance: str | None = None) -> Found:
        """What a profile's journal says of this id: the given one's, else that of the one in use.

        Raises:
            NotConnected: there is no such profile.
            Transient: it did not answer, or left before it did.
        """
        session = self._session(instance) if instance else self._active
        if session is None:
            raise NotConnected("the browser profile to ask is not connected")
        return await self._calls.ask(session, id, self._patience.lookup_s)

    def withdraw(self, id: str) -> None:
        """Take a call back if the browser has not sent it yet; the call's own result tells which."""
        self._calls.withdraw(id)

    async def ack(self, id: str) -> None:
        """The result is committed: browsers may drop it. Told again to those that are away now."""
        self._calls.ack(self._sessions.values(), id)

    # ---- sockets -------------------------------------------------------------------------

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            await self._welcome(connection)
        except ConnectionClosed:
            pass
        except Exception as error:  # a bug of ours must not vanish in the quiet logger
            where = "".join(
                traceback.format_tb(error.__traceback__)
            )  # without the values in its text
            log.error("a connection ended with %s\n%s", type(error).__name__, where)

    async def _welcome(self, connection: ServerConnection) -> None:
        """One connection that passed the gate, from its first frame to its last."""
        try:
            async with asyncio.timeout(self._patience.handshake_s):
                session = await shake_hands(
                    connection, self._greeting, self._book, self._clock.now, lambda: self.instance
                )
        except Refused as refused:
            if refused.bye is not None:
                await connection.send(dump(refused.bye))
            await connection.close(refused.code)
            return
        except TimeoutError:
            await connection.close(TOO_SLOW)
            return
        except (InvalidSetting, OSError) as error:
            log.error("a profile could not be paired: %s", error)
            await connection.close(NOT_PROVED)
            return
        self._gate.forget(connection)
        self._enter(session)
        try:
            await session.run(
                lambda message: self._handle(session, message), self._patience.silence_s
            )
        finally:
            self._leave(session)

    def _enter(self, session: Session) -> None:
        before = self._sessions.get(session.instance)
        if before is not None:
            before.close(REPLACED, Bye(code="replaced"))
        # Same key, so a reconnecting profile keeps its place in the order.
        self._sessions[session.instance] = session
        log.info("profile %s connected", session.instance[:8])
        self._calls.entered(session)
        self._tell_queue()
        self._changed()

    def _leave(self, session: Session) -> None:
        if self._sessions.get(session.instance) is not session:
            return  # replaced: its successor is in place
        del self._sessions[session.instance]
        log.info("profile %s disconnected", session.instance[:8])
        self._calls.left(session)
        self._tell_queue()
        self._changed()

    # ---- messages ------------------------------------------------------------------------

    def _handle(self, session: Session, message: FromExtension) -> None:
        match message:
            case Ping(at=at):
                session.post(Pong(at=at))
                self._check_still_paired(session)
            case Event(flow=flow):
                session.flow = flow
                if flow.simulated != self._greeting.simulated:
                    session.close(SIMULATED, simulated_bye(self._greeting.simulated))
                self._changed()
            case Pause(paused=paused):
                session.paused = paused
                self._changed()
            case PhaseNote():
                self._calls.noted(session, message)
            case Result():
                self._calls.settled(session, message)
            case Found():
                self._calls.found(session, message)
            case Bye(code="unpaired"):
                self._forget(session)
            case _:  # another bye: the socket's end follows by itself
                pass

    def _forget(self, session: Session) -> None:
        """The person unpaired in the panel, which ends the socket by itself: no key is left there."""
        try:
            self._book.revoke(session.instance)
        except (InvalidSetting, OSError) as error:
            log.error("profile %s unpaired, and stays in the list: %s", session.instance[:8], error)

    def _check_still_paired(self, session: Session) -> None:
        try:
            paired = self._book.key_for(session.instance, pairing=False) is not None
        except InvalidSetting as error:
            log.error("the pairing file cannot be used: %s", error.message)
            paired = False
        if not paired:
            session.close(NOT_PROVED, Bye(code="unpaired", message="This profile was revoked."))
