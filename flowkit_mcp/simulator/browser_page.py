"""The stand-in's "Flow tab": reads the simulator's page and makes the allowed calls from inside it.

Where and as whom is decided here and nowhere else: one path, the session cookie, the page's own values
and a captcha token minted right before the call. None of them leaves this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from flowkit_mcp.bridge.protocol import RECAPTCHA, Call, CallError, FlowState, Phase, Result

if TYPE_CHECKING:
    import httpx2

BATCHEXECUTE = "/_/AiSandboxAngularFrontend/data/batchexecute"
PAGE_LIMIT_S = 10.0
#: Waiting for other mints included; the server's own patience before `sent` is longer.
MINT_LIMIT_S = 40.0
_REFUSED = {400, 401, 403}
_RPC = re.compile(r"[A-Za-z0-9]{5,6}")
_SOURCE_PATH = re.compile(r"/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")
_WIZ = re.compile(r"window\.WIZ_global_data\s*=\s*(?=\{)")


class Row(NamedTuple):
    """An allowed call: the RPC it means today, the captcha it may mint, whether it costs, its limit."""

    rpc: str
    captcha: str | None
    paid: bool
    limit_s: float


#: docs/bridge-protocol.md, "Calls".
TABLE = {
    "account.credits": Row("nzlxg", None, False, 20),
    "account.models": Row("HTrJv", None, False, 20),
    "project.create": Row("jHPbke", None, False, 20),
    "project.contents": Row("Zzl0ze", None, False, 60),
    "project.list": Row("UpteDb", None, False, 60),
    "media.get": Row("as29s", None, False, 60),
    "image.upload": Row("maseQ", "IMAGE_GENERATION", False, 90),
    "image.generate": Row("ogiZ0b", "IMAGE_GENERATION", True, 180),
    "video.start": Row("eb1hJf", "VIDEO_GENERATION", True, 90),
    "video.start_end": Row("nprQif", "VIDEO_GENERATION", True, 90),
    "video.upscale": Row("p0UkFb", "VIDEO_GENERATION", True, 90),
    "video.status": Row("jwpduf", None, False, 30),
}
_NAME_OF = {row.rpc: name for name, row in TABLE.items()}


class CannotCall(Exception):
    """The call ends without an answer from Flow; `error` is what the server is told."""

    def __init__(self, error: CallError) -> None:
        super().__init__(error.code)
        self.error = error


def stop(code: str, message: str, *, sent: bool = False) -> CannotCall:
    """The exception for one of the codes of `CallError`."""
    return CannotCall(CallError.model_validate({"code": code, "message": message, "sent": sent}))


def check(call: Call) -> Row:
    """Raises CannotCall unless a row of the table allows exactly this."""
    row = TABLE.get(call.name)
    if row is None or call.lane != "batchexecute":
        raise stop("UNKNOWN_CALL", "this browser knows no such call")
    args = call.args
    rpc, path = args.get("rpc"), args.get("source_path", "/")
    faults = {
        "args": args.keys() <= {"rpc", "args", "source_path"}
        and isinstance(args.get("args"), list),
        "rpc": isinstance(rpc, str)
        and _RPC.fullmatch(rpc) is not None
        and _NAME_OF.get(rpc, call.name) == call.name,
        "source_path": isinstance(path, str) and _SOURCE_PATH.fullmatch(path) is not None,
        "captcha": call.captcha in {None, row.captcha},
        "paid": call.paid == row.paid,
    }
    for field, good in faults.items():
        if not good:
            raise stop("BAD_ARGUMENTS", f"{field} is not what {call.name} allows")
    return row


@dataclass(frozen=True)
class _Values:
    """What the page itself puts into its requests (flow-wire §1.1); good until the next page load."""

    at: str
    session: str
    build: str


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
        self._values: _Values | None = None
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

    async def call(self, call: Call, row: Row, reach: Callable[[Phase], Awaitable[None]]) -> Result:
        """Make the call; `reach` is awaited before what each phase announces.

        Raises:
            CannotCall: there is no answer.
        """
        path: str = call.args.get("source_path", "/")
        async with self._loading:
            values = self._values if self._in_flight else None
            values = values or await self._read(path)
            self._in_flight += 1
        try:
            if call.captcha is not None:
                await reach(Phase.MINTING)
            body = await self._body(call)
            await reach(Phase.SENT)
            reply = await self._reply(call, row, path, values, body)
        finally:
            self._in_flight -= 1
        keep = ("retry-after", "content-type")
        return Result(
            id=call.id,
            ok=True,
            status=reply.status_code,
            headers={name: reply.headers[name] for name in keep if name in reply.headers},
            body=reply.content.decode("utf-8", errors="replace"),
        )

    async def _reply(
        self, call: Call, row: Row, path: str, values: _Values, body: str
    ) -> httpx2.Response:
        try:
            async with asyncio.timeout(min(call.timeout_s, row.limit_s)):
                reply = await self._post(call, path, values, body)
                if reply.status_code in _REFUSED and not _is_html(reply):
                    # Refused as a whole, most likely stale page values: not accepted, so once more is
                    # safe, with fresh values and a fresh token (flow-wire §1.1). A page in HTML is a
                    # person's business and stands.
                    again = await self._again(call, path, values)
                    if again is not None:
                        reply = await self._post(call, path, *again)
                return reply
        except TimeoutError:
            raise stop("TIMEOUT", "Flow did not answer in time", sent=True) from None
        except self._errors as error:
            raise stop("NETWORK", type(error).__name__, sent=True) from None

    async def _again(self, call: Call, path: str, stale: _Values) -> tuple[_Values, str] | None:
        try:
            async with self._loading:
                values = self._values
                if values is stale or values is None:
                    await self._show(page_loads=self.state.page_loads + 1)
                    values = await self._read(path)
            return values, await self._body(call)
        except CannotCall:
            return None  # the refusal stands as the answer

    async def _read(self, path: str) -> _Values:
        try:
            async with asyncio.timeout(PAGE_LIMIT_S):
                page = await self._http.get(path, follow_redirects=True)
        except (TimeoutError, *self._errors):
            self._values = None
            await self._show(tab="none", signed_in=False)
            raise stop("NO_FLOW_TAB", "the simulator does not answer") from None
        values = self._values = _page_values(page.text)
        await self._show(tab="ready", signed_in=values is not None)
        if values is None:
            raise stop("NOT_SIGNED_IN", "the Flow page is signed out")
        return values

    async def _show(self, **change: Any) -> None:
        state = self.state.model_copy(update=change)
        if state != self.state:
            self.state = state
            await self._on_state(state)

    async def _body(self, call: Call) -> str:
        """The `f.req` text, with a token minted for this call alone where it wants one."""
        args = call.args["args"]
        if call.captcha is not None:
            token = await self._mint(call.captcha)
            args = _filled_in(args, token)
        inner = json.dumps(args, ensure_ascii=False, separators=(",", ":"))
        outer = [[[call.args["rpc"], inner, None, "generic"]]]
        return json.dumps(outer, ensure_ascii=False, separators=(",", ":"))

    async def _mint(self, action: str) -> str:
        try:
            async with asyncio.timeout(MINT_LIMIT_S), self._minting:
                reply = await self._http.post("/recaptcha/token", data={"action": action})
            token = reply.json()["token"] if reply.status_code == 200 else None
        except TimeoutError:
            raise stop("CAPTCHA_TIMEOUT", "no captcha token in time") from None
        except (ValueError, KeyError, TypeError, *self._errors):
            token = None
        if not isinstance(token, str) or not 0 < len(token) <= 16384:
            raise stop("CAPTCHA_FAILED", "the page gave no captcha token")
        return token

    async def _post(self, call: Call, path: str, values: _Values, body: str) -> httpx2.Response:
        return await self._http.post(
            BATCHEXECUTE,
            params={
                "rpcids": call.args["rpc"],
                "source-path": path,
                "bl": values.build,
                "f.sid": values.session,
                "hl": "en",
                "_reqid": str(100_000 + secrets.randbelow(900_000)),
                "rt": "c",
            },
            data={"f.req": body, "at": values.at},
            headers={"x-same-domain": "1"},
            timeout=None,  # the caller's own limit covers both attempts
        )


def _page_values(html: str) -> _Values | None:
    """None where `SNlM0e` is missing: that is what signed out looks like, with status 200."""
    start = _WIZ.search(html)
    if start is None:
        return None
    try:
        data = json.JSONDecoder().raw_decode(html, start.end())[0]
        return _Values(str(data["SNlM0e"]), str(data["FdrFJe"]), str(data["cfb2h"]))
    except (ValueError, KeyError):
        return None


def _is_html(reply: httpx2.Response) -> bool:
    return reply.headers.get("content-type", "").startswith("text/html")


def _filled_in(value: Any, token: str) -> Any:
    if isinstance(value, list):
        return [_filled_in(item, token) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return token if value == RECAPTCHA else value
