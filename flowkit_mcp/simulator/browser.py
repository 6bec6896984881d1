"""Stands in for the extension where there is no Chrome: the same pairing, messages and journal rules.

It keeps to docs/bridge-protocol.md as the extension will, and acts in a page of the simulator. It can
talk to nothing else: a library of real work refuses it (close 4006).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Origin

from flowkit_mcp.bridge import pairing
from flowkit_mcp.bridge.pairing import PairingCode
from flowkit_mcp.bridge.protocol import (
    HANDSHAKE_LIMIT_S,
    MAX_MESSAGE,
    ORIGIN,
    PATH,
    PING_EVERY_S,
    PROTOCOL,
    SILENCE_LIMIT_S,
    Ack,
    Bye,
    Call,
    CallError,
    Challenge,
    Event,
    FlowState,
    Found,
    FromServer,
    Hello,
    Lookup,
    Malformed,
    Pause,
    Phase,
    PhaseNote,
    Ping,
    Proof,
    Resend,
    Result,
    Standing,
    Welcome,
    Withdraw,
    dump,
    parse_from_server,
)
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.simulator.browser_calls import AnyRow, CannotCall, check, stop
from flowkit_mcp.simulator.browser_page import FlowPage
from flowkit_mcp.simulator.browser_profile import VOID, BrowserProfile

log = logging.getLogger("flowkit.browser")

VERSION = "stand-in 1"
BACKOFF_S = (0.5, 15.0)
#: How often the page is looked at while nothing is asked of it: soon while it is not ready.
LOOK_EVERY_S, LOOK_AGAIN_S = 20.0, 1.0
#: Results of free calls that nobody has acked; the oldest go first.
FREE_RESULTS_HELD = 64 * 1024 * 1024

OnPhase = Callable[[str, Phase], Awaitable[None] | None]


class _Refused(Exception):
    """The handshake ended before `welcome`; `str()` says why."""


class StandInBrowser:
    """One browser profile with a Flow tab of the simulator. `connected` is set while the link is up."""

    def __init__(
        self,
        *,
        simulator: str,
        code: PairingCode | None = None,
        port: int | None = None,
        profile: Path,
        account: str = "demo",
        label: str = "stand-in",
        on_phase: OnPhase | None = None,
    ) -> None:
        """`on_phase` is awaited after a phase is on disk and before what it announces; if it raises,
        this browser dies as if killed there.

        Raises:
            InvalidSetting: no code is given and the profile has never paired.
        """
        self.connected = asyncio.Event()
        self._profile = BrowserProfile(profile)
        identity = self._profile.identity
        self._code = code
        #: The code's key is used until the server has taken it; the hello says which key is meant.
        self._pairing = code is not None and identity.key != self._code_key().hex()
        chosen = port or (code.port if code else identity.port)
        if chosen is None or (code is None and identity.key is None):
            raise InvalidSetting(
                "this browser profile has not paired yet",
                hint="Run flowkit-mcp pair and pass its code.",
            )
        self._port = chosen
        self._label = label
        self._on_phase = on_phase
        self._page = FlowPage(simulator, account, self._flow_changed)
        self._paused = False
        self._link: ClientConnection | None = None
        self._running: set[str] = set()
        #: Acked while still running: nobody wants the result any more.
        self._given_up: set[str] = set()
        #: Taken back by the server: they end where they would be sent.
        self._withdrawn: set[str] = set()
        self._held: dict[str, Result] = {}

    @property
    def instance(self) -> str:
        """The random id of this browser profile."""
        return self._profile.identity.instance

    async def run(self) -> None:
        """Connect, serve, reconnect, until cancelled. Runs once; a new life is a new object."""
        self._journal = self._profile.open_journal()
        try:
            await self._page.sign_in()
            async with asyncio.TaskGroup() as self._calls:
                self._calls.create_task(self._watch_page())
                await self._stay_connected()
        finally:
            self._journal.close()
            await self._page.aclose()

    async def pause(self, paused: bool) -> None:
        """What the person does with the button: no paid call starts while paused."""
        self._paused = paused
        await self._send(Pause(paused=paused))

    async def sign_in(self) -> None:
        """What the person does on the page after having been signed out."""
        await self._page.sign_in()

    # ---- the link ------------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        shortest, longest = BACKOFF_S
        delay = shortest
        while True:
            try:
                async with connect(
                    f"ws://127.0.0.1:{self._port}{PATH}",
                    origin=Origin(ORIGIN),
                    proxy=None,
                    compression=None,
                    ping_interval=None,
                    open_timeout=HANDSHAKE_LIMIT_S,
                    close_timeout=1,
                    max_size=MAX_MESSAGE,
                    user_agent_header=None,
                    logger=_quiet(),
                ) as link:
                    await self._shake_hands(link)
                    delay = shortest
                    await self._serve(link)
            except _Refused as refused:
                log.warning("FlowKit did not let this browser in: %s", refused)
                if self._code is not None and self._profile.identity.key == self._code_key().hex():
                    self._pairing = not self._pairing  # did it take the code last time, or not?
            except (OSError, InvalidHandshake, ConnectionClosed) as error:
                log.debug("no link: %s", type(error).__name__)
            await asyncio.sleep(random.uniform(delay / 2, delay))
            delay = min(longest, delay * 2)

    async def _shake_hands(self, link: ClientConnection) -> None:
        """Raises _Refused, ConnectionClosed or TimeoutError."""
        async with asyncio.timeout(HANDSHAKE_LIMIT_S):
            identity = self._profile.identity
            hello = Hello(
                protocol=PROTOCOL,
                instance=identity.instance,
                nonce=pairing.new_nonce(),
                pairing=self._pairing,
            )
            await link.send(dump(hello))
            challenge = await _expect(link, Challenge)
            key = self._code_key() if self._pairing else bytes.fromhex(identity.key or "")

            def proof_of(side: str) -> str:
                return pairing.proof(
                    key,
                    side,
                    self._port,
                    identity.instance,
                    hello.nonce,
                    challenge.nonce,
                    challenge.generation,
                )

            if not pairing.same(challenge.proof, proof_of("srv")):
                await link.close(4003)
                raise _Refused("the program on this port could not prove that it is FlowKit")
            if not self._pairing and challenge.generation < identity.generation:
                await link.close(4005)
                raise _Refused("an older generation answered")
            # Kept before the proof goes out: a browser that dies here can still come back.
            kept = {"key": key.hex(), "port": self._port, "generation": challenge.generation}
            if identity != (new := identity.model_copy(update=kept)):
                self._profile.save(new)
            flow = self._page.state
            proof = Proof(
                proof=proof_of("ext"),
                version=VERSION,
                label=self._label,
                flow=flow,
                journal=self._journal.open_calls(),
            )
            await link.send(dump(proof))
            await _expect(link, Welcome)
        self._pairing = False
        self._link = link
        if self._page.state != flow:
            await self._flow_changed(self._page.state)
        if self._paused:
            await self._send(Pause(paused=True))

    async def _serve(self, link: ClientConnection) -> None:
        pings = asyncio.create_task(self._ping())
        self.connected.set()
        try:
            while True:
                async with asyncio.timeout(SILENCE_LIMIT_S):
                    frame = await link.recv()
                await self._handle(parse_from_server(frame))
        except Malformed as error:
            log.warning("closed the link: %s", error)
            await link.close(4001)
        finally:
            self.connected.clear()
            self._link = None
            pings.cancel()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            await self._send(Ping(at=int(asyncio.get_running_loop().time() * 1000)))

    async def _send(self, message: BaseModel) -> None:
        """Send if there is a link; what does not get through is asked for after the next handshake."""
        if self._link is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._link.send(dump(message))

    async def _flow_changed(self, flow: FlowState) -> None:
        await self._send(Event(flow=flow))

    async def _watch_page(self) -> None:
        while True:
            ready = self._page.state.tab == "ready"
            await asyncio.sleep(LOOK_EVERY_S if ready else LOOK_AGAIN_S)
            await (self._page.look() if ready else self._page.sign_in())

    # ---- messages ------------------------------------------------------------------------

    async def _handle(self, message: FromServer) -> None:
        match message:
            case Call():
                await self._take(message)
            case Lookup(id=call_id):
                await self._send(self._found(call_id))
            case Resend(id=call_id):
                await self._send(self._held.get(call_id) or self._duplicate(call_id))
            case Withdraw(id=call_id):
                self._withdrawn.update(self._running & {call_id})
            case Ack(id=call_id):
                self._drop(call_id)
            case Bye(code=code):
                log.info("FlowKit says goodbye: %s", code)
            case _:  # pong; the panel's queue; a second challenge or welcome means nothing
                pass

    async def _take(self, call: Call) -> None:
        """Accept a call, or answer at once. The same id never runs twice."""
        if call.id in self._running:
            return  # its result follows
        if call.id in self._held or self._journal.get(call.id) is not None:
            await self._send(self._held.get(call.id) or self._duplicate(call.id))
            return
        try:
            if call.generation < self._profile.identity.generation:
                raise stop("STALE_GENERATION", "a newer FlowKit has taken over")
            if call.paid and self._paused:
                raise stop("PAUSED", "the person pressed pause")
            row = check(call)
        except CannotCall as refusal:
            await self._send(Result(id=call.id, ok=False, error=refusal.error))
            return
        self._journal.write(call.id, Phase.ACCEPTED, paid=call.paid)
        self._running.add(call.id)
        self._calls.create_task(self._make(call, row))

    async def _make(self, call: Call, row: AnyRow) -> None:
        async def reach(phase: Phase) -> None:
            if phase is Phase.SENT and call.id in self._withdrawn:
                raise stop("WITHDRAWN", "FlowKit took the call back")
            self._journal.write(call.id, phase, paid=call.paid)
            await self._announce(call.id, phase)

        await self._announce(call.id, Phase.ACCEPTED)
        try:
            result = await self._page.call(call, row, reach)
            await reach(Phase.DONE)
        except CannotCall as ending:
            result = Result(id=call.id, ok=False, error=ending.error)
            if not ending.error.sent:
                self._journal.write(call.id, VOID, paid=call.paid)
        self._running.discard(call.id)
        self._withdrawn.discard(call.id)
        self._held[call.id] = result
        if call.id in self._given_up:
            self._given_up.discard(call.id)
            self._drop(call.id)
        self._make_room()
        await self._send(result)

    async def _announce(self, call_id: str, phase: Phase) -> None:
        await self._send(PhaseNote(id=call_id, phase=phase))
        if self._on_phase is not None:
            waiting = self._on_phase(call_id, phase)
            if inspect.isawaitable(waiting):
                await waiting

    def _found(self, call_id: str) -> Found:
        if call_id in self._running:
            return Found(id=call_id, standing=Standing.IN_FLIGHT)
        standing = self._journal.standing(call_id)
        return Found(id=call_id, standing=standing, result=self._held.get(call_id))

    def _duplicate(self, call_id: str) -> Result:
        entry = self._journal.get(call_id)
        sent = entry is not None and entry.stage != VOID
        error = CallError(code="DUPLICATE", message="this id has been used", sent=sent)
        return Result(id=call_id, ok=False, error=error)

    def _drop(self, call_id: str) -> None:
        """The server has what it wants: no result is held any more, a tombstone stays."""
        if call_id in self._running:
            self._given_up.add(call_id)
            return
        self._held.pop(call_id, None)
        entry = self._journal.get(call_id)
        if entry is not None and entry.stage not in {VOID, Phase.ACKED}:
            self._journal.write(call_id, Phase.ACKED, paid=entry.paid)

    def _make_room(self) -> None:
        """Free results without an ack (their server died) do not pile up; paid ones are small and stay."""
        free = [one for one in self._held if (e := self._journal.get(one)) and not e.paid]
        size = sum(len(self._held[one].body or "") for one in free)
        for call_id in free[:-1]:
            if size <= FREE_RESULTS_HELD:
                return
            size -= len(self._held[call_id].body or "")
            self._drop(call_id)

    def _code_key(self) -> bytes:
        assert self._code is not None
        return pairing.profile_key(self._code.secret, self.instance)


_M = TypeVar("_M", Challenge, Welcome)


async def _expect(link: ClientConnection, kind: type[_M]) -> _M:
    try:
        message = parse_from_server(await link.recv())
    except Malformed as error:
        await link.close(4001)
        raise _Refused(str(error)) from None
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else None
        if code in {4002, 4003, 4006}:
            raise _Refused(f"closed with {code}") from None
        raise
    if isinstance(message, Bye):
        raise _Refused(f"{message.code}. {message.message}")
    if not isinstance(message, kind):
        await link.close(4001)
        raise _Refused(f"{message.type} instead of {kind.__name__.lower()}")
    return message


def _quiet() -> logging.Logger:
    """At DEBUG the websockets library logs whole frames; this logger nobody can turn on."""
    logger = logging.Logger("websockets")
    logger.disabled = True
    return logger
