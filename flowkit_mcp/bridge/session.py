"""One socket: the handshake in which both sides prove themselves, then frames in and out.

What the frames mean is `host.py`'s business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from flowkit_mcp.bridge import pairing
from flowkit_mcp.bridge.pairing import PairingBook
from flowkit_mcp.bridge.protocol import (
    ASKING_LIMIT_S,
    HANDSHAKE_LIMIT_S,
    LIBRARY_SHOWN,
    MAX_MESSAGE,
    PROTOCOL,
    SILENCE_LIMIT_S,
    Bye,
    Challenge,
    FromExtension,
    Hello,
    Malformed,
    Proof,
    Queue,
    Welcome,
    dump,
    parse_from_extension,
)
from flowkit_mcp.errors import InvalidSetting

log = logging.getLogger("flowkit.bridge")

_M = TypeVar("_M", Hello, Proof)

#: How long a closing handshake may take before the socket is cut.
CLOSE_LIMIT_S = 1.0
MALFORMED, VERSION, NOT_PROVED, REPLACED, SIMULATED, TOO_SLOW = 4001, 4002, 4003, 4004, 4006, 4008


@dataclass(frozen=True)
class Patience:
    """How long the host waits for what. All in seconds."""

    handshake_s: float = HANDSHAKE_LIMIT_S
    silence_s: float = SILENCE_LIMIT_S
    #: Reading the page and queueing for the captcha, before `sent`; the extension gives up earlier.
    before_sent_s: float = 60.0
    #: For the person's word on a paid call; the extension gives up earlier here too.
    asking_s: float = ASKING_LIMIT_S
    #: On top of a call's own limit, so that the extension's verdict arrives before ours.
    grace_s: float = 5.0
    lookup_s: float = 10.0
    #: At shutdown, for closing frames to get out.
    goodbye_s: float = 0.1


@dataclass(frozen=True)
class Greeting:
    """What this host says of itself in the handshake."""

    port: int
    generation: int
    version: str
    library: str
    simulated: bool


class Refused(Exception):
    """The socket is closed with this code; `bye` says why, in words a person may read."""

    def __init__(self, code: int, bye: Bye | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.bye = bye


def _malformed(reason: str) -> Refused:
    log.warning("closed a connection: %s", reason)
    return Refused(MALFORMED)


class Session:
    """A socket whose far end has proved itself; `flow` and `paused` are what it last said."""

    def __init__(
        self, connection: ServerConnection, instance: str, proof: Proof, since: int
    ) -> None:
        self.instance = instance
        self.label = proof.label
        self.version = proof.version
        self.flow = proof.flow
        self.journal = proof.journal
        self.since = since
        self.paused = False
        #: The queue as this profile was last told.
        self.shown: Queue | None = None
        self._connection = connection
        self._outbox: asyncio.Queue[str | int] = asyncio.Queue()
        self._open = True
        self._closing = False

    @property
    def open(self) -> bool:
        return self._open

    def post(self, message: BaseModel) -> bool:
        """Hand a message over for sending; False if this socket takes no more (then nothing left)."""
        if self._open:
            self._outbox.put_nowait(dump(message))
        return self._open

    def close(self, code: int, bye: Bye | None = None) -> None:
        """Close once everything posted so far is out; `run` then returns."""
        if not self._open:
            return
        if bye is not None:
            self.post(bye)
        self._open = False
        self._closing = True
        self._outbox.put_nowait(code)
        # A peer that does not read is not waited for.
        loop = asyncio.get_running_loop()
        loop.call_later(CLOSE_LIMIT_S, self._connection.transport.abort)

    def abort(self) -> None:
        """Close without waiting for anything."""
        self._open = False
        self._connection.transport.abort()

    async def run(self, handle: Callable[[FromExtension], None], silence_s: float) -> None:
        """Read until the socket ends, whatever ends it. Nothing is handled after `close`."""
        writer = asyncio.create_task(self._write())
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    frame = await self._connection.recv()
                if not self._open:
                    continue
                message = parse_from_extension(frame)
                if isinstance(message, Hello | Proof):
                    raise Malformed("a second handshake")
                handle(message)
        except Malformed as error:
            log.warning("closed the link to profile %s: %s", self.instance[:8], error)
            self.close(MALFORMED)
        except TimeoutError:
            log.warning("dropped profile %s: silent for %g s", self.instance[:8], silence_s)
            self.abort()
        except ConnectionClosed:
            self._open = False
        finally:
            if not writer.done():
                await asyncio.wait([writer], timeout=CLOSE_LIMIT_S if self._closing else 0)
            self._open = False
            writer.cancel()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                item = await self._outbox.get()
                if isinstance(item, int):
                    await self._connection.close(item)
                    return
                await self._connection.send(item)


async def shake_hands(
    connection: ServerConnection,
    greeting: Greeting,
    book: PairingBook,
    now: Callable[[], int],
    in_use: Callable[[], str | None],
) -> Session:
    """Run the handshake of docs/bridge-protocol.md; the socket is not registered anywhere yet.

    `in_use` is asked at its end which profile has the calls.

    Raises:
        Refused: the far end is not who it should be, or does not fit this library.
        ConnectionClosed: it went away.
    """
    hello = _expect(Hello, await connection.recv())
    if hello.protocol != PROTOCOL:
        raise Refused(VERSION, Bye(code="version", message=f"protocol {PROTOCOL} is spoken here"))
    key = _key(book, hello)
    if key is None:
        raise Refused(NOT_PROVED, Bye(code="unpaired", message="Run flowkit-mcp pair."))
    nonce = pairing.new_nonce()

    def proof_of(side: str) -> str:
        return pairing.proof(
            key, side, greeting.port, hello.instance, hello.nonce, nonce, greeting.generation
        )

    challenge = Challenge(
        protocol=PROTOCOL, nonce=nonce, generation=greeting.generation, proof=proof_of("srv")
    )
    await connection.send(dump(challenge))
    proof = _expect(Proof, await connection.recv())
    # Read again: the code may have been used, or the profile revoked, since the challenge went out.
    if not pairing.same(proof.proof, proof_of("ext")) or _key(book, hello) != key:
        log.warning("refused a connection: its proof was not good")
        raise Refused(NOT_PROVED)
    if proof.flow.simulated != greeting.simulated:
        raise Refused(SIMULATED, simulated_bye(greeting.simulated))
    book.confirm(hello.instance, key, proof.label)
    connection.protocol.max_message_size = MAX_MESSAGE
    session = Session(connection, hello.instance, proof, now())
    session.post(
        Welcome(
            generation=greeting.generation,
            version=greeting.version,
            library=greeting.library[-LIBRARY_SHOWN:],
            standby=in_use() not in {None, hello.instance},
        )
    )
    return session


def simulated_bye(simulated: bool) -> Bye:
    """Why a real browser may not meet a simulated library, or the other way round."""
    kind = "simulated" if simulated else "real"
    return Bye(code="simulated", message=f"this library is for {kind} work only")


def _expect(kind: type[_M], frame: str | bytes) -> _M:
    try:
        message = parse_from_extension(frame)
    except Malformed as error:
        raise _malformed(str(error)) from None
    if not isinstance(message, kind):
        raise _malformed(f"{message.type} instead of {kind.__name__.lower()}")
    return message


def _key(book: PairingBook, hello: Hello) -> bytes | None:
    try:
        return book.key_for(hello.instance, pairing=hello.pairing)
    except InvalidSetting as error:
        log.error("nobody can connect: %s", error.message)
        return None
