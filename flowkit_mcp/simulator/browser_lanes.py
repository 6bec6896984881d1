"""How the stand-in opens and calls each of the two lanes. Credentials live here, and go only into requests."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar
from urllib.parse import urljoin

from flowkit_mcp.bridge.protocol import Call

if TYPE_CHECKING:
    import httpx2

BATCHEXECUTE = "/_/AiSandboxAngularFrontend/data/batchexecute"
#: Of a bearer; it lives for about an hour (flow-wire §1.2).
BEARER_KEPT_S = 45 * 60.0
_STALE = {400, 401, 403}
_WIZ = re.compile(r"window\.WIZ_global_data\s*=\s*(?=\{)")
#: Permanent redirects lead an account to its other lane (flow-wire §0.1).
_TO_A_FILE = {302, 303, 307}


class Elsewhere(Exception):
    """This account is not served this lane."""


@dataclass(frozen=True)
class Values:
    """What a page of lane `batchexecute` puts into its requests (flow-wire §1.1); good until the next page load."""

    at: str
    session: str
    build: str


@dataclass(frozen=True)
class Bearer:
    """What a page of lane `labs` puts into requests to `api`; `until` is in seconds of the loop's clock."""

    text: str
    until: float

    def __repr__(self) -> str:
        return "Bearer(…)"


C = TypeVar("C")


class Lane(Protocol, Generic[C]):
    """One lane as seen from inside its page."""

    async def open(self, http: httpx2.AsyncClient, path: str, now: float) -> C | None:
        """Load the page. None: signed out. Raises Elsewhere, and what the client raises."""
        ...

    def fresh(self, opened: C, now: float) -> bool:
        """Whether what was read can be used once more without another look."""
        ...

    async def send(
        self, http: httpx2.AsyncClient, call: Call, opened: C, args: dict[str, Any]
    ) -> httpx2.Response: ...

    def refused(self, reply: httpx2.Response) -> bool:
        """Not accepted, most likely for what was read being stale: once more is safe (flow-wire §1.1)."""
        ...

    def doubtful(self, reply: httpx2.Response) -> bool:
        """Worth a look at the page, although the answer stands."""
        ...

    def answer(self, call: Call, reply: httpx2.Response) -> tuple[int, str]:
        """Status and body as the server gets them."""
        ...


class BatchLane:
    """Lane `batchexecute`: page values and cookies, one address (flow-wire §2.1)."""

    async def open(self, http: httpx2.AsyncClient, path: str, now: float) -> Values | None:
        page = await http.get(path, follow_redirects=True)
        if page.url.path == "/about":
            raise Elsewhere
        return page_values(page.text)

    def fresh(self, opened: Values, now: float) -> bool:
        return False  # read before each call, never kept

    async def send(
        self, http: httpx2.AsyncClient, call: Call, opened: Values, args: dict[str, Any]
    ) -> httpx2.Response:
        inner = json.dumps(args["args"], ensure_ascii=False, separators=(",", ":"))
        outer = [[[args["rpc"], inner, None, "generic"]]]
        body = json.dumps(outer, ensure_ascii=False, separators=(",", ":"))
        return await http.post(
            BATCHEXECUTE,
            params={
                "rpcids": args["rpc"],
                "source-path": args.get("source_path", "/"),
                "bl": opened.build,
                "f.sid": opened.session,
                "hl": "en",
                "_reqid": str(100_000 + secrets.randbelow(900_000)),
                "rt": "c",
            },
            data={"f.req": body, "at": opened.at},
            headers={"x-same-domain": "1"},
            timeout=None,  # the caller's own limit covers both attempts
        )

    def refused(self, reply: httpx2.Response) -> bool:
        return reply.status_code in _STALE and not _is_html(reply)

    def doubtful(self, reply: httpx2.Response) -> bool:
        return reply.status_code == 200 and _is_html(reply)

    def answer(self, call: Call, reply: httpx2.Response) -> tuple[int, str]:
        return reply.status_code, _text(reply)


class LabsLane:
    """Lane `labs`: `site` by cookie, `api` with a bearer (flow-wire §1.2). The simulator serves both."""

    async def open(self, http: httpx2.AsyncClient, path: str, now: float) -> Bearer | None:
        page = await http.get("/fx/tools/flow")
        session = await http.get("/fx/api/auth/session")
        if page.is_redirect or session.is_redirect:
            raise Elsewhere
        try:
            told: Any = session.json()
            text = told.get("access_token")
        except (ValueError, AttributeError):
            return None
        return Bearer(text, now + BEARER_KEPT_S) if isinstance(text, str) and text else None

    def fresh(self, opened: Bearer, now: float) -> bool:
        return now < opened.until

    async def send(
        self, http: httpx2.AsyncClient, call: Call, opened: Bearer, args: dict[str, Any]
    ) -> httpx2.Response:
        api = args["host"] == "api"
        headers = {"authorization": f"Bearer {opened.text}"} if api else {}
        content: str | None = None
        if "body" in args:
            content = json.dumps(args["body"], ensure_ascii=False, separators=(",", ":"))
            headers["content-type"] = "text/plain;charset=UTF-8" if api else "application/json"
        return await http.request(
            args["method"],
            args["path"],
            params=args.get("query") or None,
            content=content,
            headers=headers,
            timeout=None,
        )

    def refused(self, reply: httpx2.Response) -> bool:
        return reply.status_code == 401

    def doubtful(self, reply: httpx2.Response) -> bool:
        return reply.is_redirect and reply.status_code not in _TO_A_FILE

    def answer(self, call: Call, reply: httpx2.Response) -> tuple[int, str]:
        where = reply.headers.get("location")
        if call.name == "media.url" and where and reply.status_code in _TO_A_FILE:
            return 200, json.dumps({"url": urljoin(str(reply.url), where)})
        return reply.status_code, _text(reply)


def page_values(html: str) -> Values | None:
    """None where `SNlM0e` is missing: that is what signed out looks like, with status 200."""
    start = _WIZ.search(html)
    if start is None:
        return None
    try:
        data = json.JSONDecoder().raw_decode(html, start.end())[0]
        return Values(str(data["SNlM0e"]), str(data["FdrFJe"]), str(data["cfb2h"]))
    except (ValueError, KeyError):
        return None


def _text(reply: httpx2.Response) -> str:
    return reply.content.decode("utf-8", errors="replace")


def _is_html(reply: httpx2.Response) -> bool:
    return reply.headers.get("content-type", "").startswith("text/html")
