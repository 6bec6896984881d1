"""The stand-in's "Flow tab": reads the simulator's page and makes the allowed calls from inside it.

Where and as whom is decided here and nowhere else: `browser_calls.py` has the places, `browser_lanes.py` the session's
credentials, and a captcha token is minted right before the call. None of them leaves these modules.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

from flowkit_mcp.bridge.protocol import Call, FlowState, Phase, Result
from flowkit_mcp.simulator.browser_calls import AnyRow, CannotCall, stop, with_token
from flowkit_mcp.simulator.browser_lanes import BatchLane, Elsewhere, LabsLane, Lane

if TYPE_CHECKING:
    import httpx2

LaneName = Literal["batchexecute", "labs"]
PAGE_LIMIT_S = 10.0
#: Waiting for other mints included; the server's own patience before `sent` is longer.
MINT_LIMIT_S = 40.0


class FlowPage:
    """A signed-in page of the simulator. `on_state` hears what a person would see change."""

    def __init__(
        self, simulator: str, account: str, on_state: Callable[[FlowState], Awaitable[None]]
    ) -> None:
        # late: it takes a fifth of a second that no other command should pay.
        import httpx2

        self._errors = (httpx2.HTTPError, httpx2.InvalidURL)
        # Loopback only: no proxy from the environment, and no trusted roots (which take 50 ms to load),
        # so that there is nobody else it could speak to.
        self._http: httpx2.AsyncClient = httpx2.AsyncClient(
            base_url=simulator,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            timeout=PAGE_LIMIT_S,
        )
        self._account = account
        self._on_state = on_state
        self._minting = asyncio.Lock()
        self._loading = asyncio.Lock()
        self._lanes: dict[LaneName, Lane[Any]] = {"batchexecute": BatchLane(), "labs": LabsLane()}
        #: What the page of the lane holds; None = to be read again.
        self._opened: Any = None
        #: A tab is not navigated while its requests are under way: that would end them.
        self._in_flight = 0
        self.state = FlowState(
            lane="batchexecute", account=f"simulated:{account}", tab="none", simulated=True
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def sign_in(self) -> None:
        """What the person does once in their browser. The cookie stays in this object."""
        try:
            await self._http.get(
                "/signin", params={"account": self._account}, follow_redirects=True
            )
        except self._errors:
            return  # not running yet: `look` says so, and the next look tries again
        await self.look()

    async def look(self) -> None:
        """Read the page, unless it is busy, and report what it shows."""
        with contextlib.suppress(CannotCall):
            async with self._loading:
                if not self._in_flight:
                    await self._read("/")

    async def call(
        self, call: Call, row: AnyRow, reach: Callable[[Phase], Awaitable[None]]
    ) -> Result:
        """Make the call; `reach` is awaited before what each phase announces.

        Raises:
            CannotCall: there is no answer.
        """
        async with self._loading:
            opened = await self._ready(call)
            self._in_flight += 1
        try:
            if call.captcha is not None:
                await reach(Phase.MINTING)
            args = await self._args(call)
            await reach(Phase.SENT)
            reply = await self._reply(call, row, opened, args)
        finally:
            self._in_flight -= 1
        status, body = self._lanes[call.lane].answer(call, reply)
        keep = ("retry-after", "content-type")
        headers = {name: reply.headers[name] for name in keep if name in reply.headers}
        return Result(id=call.id, ok=True, status=status, headers=headers, body=body)

    async def _reply(
        self, call: Call, row: AnyRow, opened: Any, args: dict[str, Any]
    ) -> httpx2.Response:
        lane = self._lanes[call.lane]
        try:
            async with asyncio.timeout(min(call.timeout_s, row.limit_s)):
                reply = await lane.send(self._http, call, opened, args)
                if lane.refused(reply):
                    # Not accepted, so once more is safe, with a fresh page and a fresh token. The second
                    # answer counts.
                    again = await self._again(call, opened)
                    if again is not None:
                        reply = await lane.send(self._http, call, *again)
                elif lane.doubtful(reply):
                    await self._again(call, opened, mint=False)
                return reply
        except TimeoutError:
            raise stop("TIMEOUT", "Flow did not answer in time", sent=True) from None
        except self._errors as error:
            raise stop("NETWORK", type(error).__name__, sent=True) from None

    async def _again(
        self, call: Call, stale: Any, *, mint: bool = True
    ) -> tuple[Any, dict[str, Any]] | None:
        """The page of this call as it is now, unless another call has read it again already."""
        try:
            async with self._loading:
                opened = self._opened
                if opened is stale or opened is None:
                    await self._show(page_loads=self.state.page_loads + 1)
                    opened = await self._read(call.args.get("source_path", "/"))
                if call.lane != self.state.lane:
                    return None
            return opened, await self._args(call) if mint else {}
        except CannotCall:
            return None  # the refusal stands as the answer

    async def _ready(self, call: Call) -> Any:
        """What the call's lane needs of the page. Raises CannotCall."""
        lane = self._lanes[call.lane]
        now = asyncio.get_running_loop().time()
        opened = self._opened
        if opened is None or not (self._in_flight or lane.fresh(opened, now)):
            opened = await self._read(call.args.get("source_path", "/"))
        if call.lane != self.state.lane:
            raise self._moved()
        return opened

    async def _read(self, path: str) -> Any:
        """Load the page of the lane that is known, or of the other one if this account has moved.

        Raises:
            CannotCall: there is no page, or nobody is signed in there.
        """
        known: LaneName = self.state.lane or "batchexecute"
        other: LaneName = "labs" if known == "batchexecute" else "batchexecute"
        self._opened, found = None, known
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(PAGE_LIMIT_S):
                try:
                    self._opened = await self._lanes[known].open(self._http, path, now)
                except Elsewhere:
                    with contextlib.suppress(Elsewhere):
                        self._opened = await self._lanes[other].open(self._http, "/", now)
                        found = other if self._opened is not None else known
        except (TimeoutError, *self._errors):
            await self._show(tab="none", signed_in=False)
            raise stop("NO_FLOW_TAB", "the simulator does not answer") from None
        await self._show(lane=found, tab="ready", signed_in=self._opened is not None)
        if self._opened is None:
            raise stop("NOT_SIGNED_IN", "the Flow page is signed out")
        return self._opened

    def _moved(self) -> CannotCall:
        return stop("NO_FLOW_TAB", f"this account is served lane {self.state.lane}")

    async def _show(self, **change: Any) -> None:
        state = self.state.model_copy(update=change)
        if state != self.state:
            self.state = state
            await self._on_state(state)

    async def _args(self, call: Call) -> dict[str, Any]:
        """The call's arguments, with a token minted for this call alone where it wants one."""
        if call.captcha is None:
            return call.args
        return with_token(call.args, await self._mint(call.captcha))

    async def _mint(self, action: str) -> str:
        try:
            async with asyncio.timeout(MINT_LIMIT_S), self._minting:
                reply = await self._http.post("/recaptcha/token", data={"action": action})
            token = reply.json()["token"] if reply.status_code == 200 else None
        except TimeoutError:
            raise stop("CAPTCHA_TIMEOUT", "no captcha token in time") from None
        except (ValueError, KeyError, TypeError, *self._errors):
            token = None
        else:
            if reply.status_code == 401:
                self._opened = None
                await self._show(signed_in=False)
                raise stop("NOT_SIGNED_IN", "the Flow page is signed out")
        if not isinstance(token, str) or not 0 < len(token) <= 16384:
            raise stop("CAPTCHA_FAILED", "the page gave no captcha token")
        return token
