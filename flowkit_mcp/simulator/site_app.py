"""The hosts of the simulated site as one ASGI application: who is asked, by the request's `Host`.

What belongs to Flow's wire is answered by the simulator's own routes, as if the request had come to its own
address; here is what only a browser meets: pages, cookies, origins, CORS and the captcha's host.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
)
from starlette.types import Message, Receive, Scope, Send

from flowkit_mcp.simulator import site_hostile, site_pages
from flowkit_mcp.simulator.app import BATCHEXECUTE, FlowApp
from flowkit_mcp.simulator.labs_app import COOKIE
from flowkit_mcp.simulator.service import FlowService
from flowkit_mcp.simulator.site_google import GoogleHosts
from flowkit_mcp.simulator.site_hold import Holds
from flowkit_mcp.simulator.site_hosts import (
    ACCOUNTS,
    API,
    COOKIES,
    FLOW,
    GOOGLE,
    HOSTS,
    LABS,
    MEDIA,
    OLD_MEDIA,
    cors,
    nothing,
    refusal,
    set_cookie,
)
from flowkit_mcp.simulator.site_tiles import tiles
from flowkit_mcp.simulator.state import Session

_ACCOUNT_PREFIX = re.compile(r"^/u/\d+(?=/|$)")
_LABS_PAGE = re.compile(r"^/fx/tools/flow(/project/[^/]*)?$")
#: Requests remembered; the oldest go first.
_KEPT = 2000
_TILES_EVERY_MS = 2000


@dataclass(frozen=True)
class Seen:
    """A request as it came: its whole address, header names in lower case, no body."""

    host: str
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class ExtraPage:
    """A page of somebody else's site."""

    html: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class SiteApp:
    """See `Site`, which is what others use."""

    def __init__(self, service: FlowService, flow: FlowApp, simulator: str) -> None:
        self.play(service, flow, simulator)
        self.extra: dict[str, ExtraPage] = {}
        self.seen: deque[Seen] = deque(maxlen=_KEPT)
        self.holds = Holds()
        self.hostile: str | None = None

    def play(self, service: FlowService, flow: FlowApp, simulator: str) -> None:
        """Be this Flow from now on."""
        self._service = service
        self._flow = flow
        self._inner = flow.unguarded()
        self._simulator = simulator
        self.google = GoogleHosts(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        host = request.headers.get("host", "")
        self.seen.append(Seen(host, request.method, str(request.url), dict(request.headers)))
        await self.holds.before(request)
        send = self.holds.after(request, send)
        reply = await self._answer(request, host)
        extra = cors(request, host)
        if reply is not None:
            reply.headers.update(extra)
            await reply(scope, receive, send)
            return
        await self._pass_on(request, host, extra, receive, send)

    async def _answer(self, request: Request, host: str) -> Response | None:
        """The reply, or None for what the simulator's own routes answer."""
        if host not in HOSTS:
            return self._foreign(request, host)
        if request.method == "OPTIONS":
            allowed = bool(cors(request, host))
            return Response(status_code=HTTPStatus.OK if allowed else HTTPStatus.FORBIDDEN)
        refused = refusal(request, host)
        if refused is not None:
            return refused
        path = request.url.path
        if host == FLOW:
            return self._flow_host(request, path)
        if host == LABS:
            return self._labs_host(request, path)
        if host == GOOGLE:
            return await self.google.captcha(request, self._session(request, GOOGLE))
        if host == ACCOUNTS:
            return self.google.accounts(request)
        known = "/v1" if host == API else ("/image/", "/video/", "/ai-sandbox-videofx/")
        return None if path.startswith(known) else nothing()

    def _foreign(self, request: Request, host: str) -> Response:
        page = self.extra.get(f"https://{host}{request.url.path}")
        return HTMLResponse(page.html, headers=dict(page.headers)) if page else nothing()

    def _session(self, request: Request, host: str) -> Session | None:
        return self._service.session(request.cookies.get(COOKIES.get(host, "")))

    # flow.google.com

    def _flow_host(self, request: Request, full_path: str) -> Response | None:
        path = _ACCOUNT_PREFIX.sub("", full_path) or "/"
        if request.method == "POST":
            return None if path == BATCHEXECUTE else nothing()
        session = self._session(request, FLOW)
        if path == "/accounts/SetOSID":
            return self.google.arrive(request, FLOW)
        if path == "/_/sim/tiles":
            return self._tiles(request, session)
        if path == "/about":
            return HTMLResponse(site_pages.ABOUT)
        if path.startswith("/_/"):
            return nothing()
        # Every other path has the page, with status 200 (flow-wire §1.1).
        if session is not None and self._service.account(session.account).lane == "labs":
            return RedirectResponse("/about", HTTPStatus.FOUND)
        values = {"cfb2h": self._service.build_label, "qwAQke": "AiSandboxAngularFrontend"}
        if session is not None:
            self._service.load_page(session)
            values |= {
                "cfb2h": self._service.build_label,
                "SNlM0e": session.at,
                "FdrFJe": session.sid,
                "oPEP7c": session.account,
            }
        return site_pages.app_page(
            "batchexecute",
            account=session and session.account,
            values=values,
            # The captcha is loaded in a project only.
            captcha=session is not None and path.startswith("/project/"),
            hostile=self.hostile and site_hostile.script(self.hostile),
            every_ms=_TILES_EVERY_MS,
            path=full_path,
        )

    # labs.google

    def _labs_host(self, request: Request, path: str) -> Response | None:
        if path == "/fx/api/auth/callback/google":
            return self.google.arrive(request, LABS)
        session = self._session(request, LABS)
        if path == "/fx/_sim/tiles":
            return self._tiles(request, session)
        if not _LABS_PAGE.match(path):
            return None if path.startswith("/fx/api/") else nothing()
        if session is not None and self._service.account(session.account).lane != "labs":
            _, found, project = path.partition("/project/")
            to = f"https://{FLOW}" + (f"/project/{project}" if found else "/")
            # The account may be moved back while a test runs, which a browser must notice.
            kept = {"cache-control": "no-store"}
            return RedirectResponse(to, HTTPStatus.PERMANENT_REDIRECT, headers=kept)
        return site_pages.app_page(
            "labs",
            account=session and session.account,
            values=None,
            captcha=session is not None,
            hostile=self.hostile and site_hostile.script(self.hostile),
            every_ms=_TILES_EVERY_MS,
            path=path,
        )

    def _tiles(self, request: Request, session: Session | None) -> Response:
        if session is None:
            return JSONResponse({}, HTTPStatus.UNAUTHORIZED)
        told = tiles(
            self._service,
            session.account,
            request.query_params.get("page", ""),
            lambda what, media: self._outside(self._flow.sign(what, media)),
        )
        return JSONResponse(told, headers={"cache-control": "no-store"})

    def _outside(self, url: str) -> str:
        """An address of the simulator's own as the world knows it."""
        if not url.startswith(self._simulator):
            return url
        parts = urlsplit(url)
        where = f"https://{OLD_MEDIA}{parts.path}"
        if parts.path.startswith("/content/"):
            where = f"https://{MEDIA}{parts.path.removeprefix('/content')}"
        return f"{where}?{parts.query}"

    # What the simulator's own routes answer

    async def _pass_on(
        self, request: Request, host: str, extra: Mapping[str, str], receive: Receive, send: Send
    ) -> None:
        """As if it had come to the simulator's address, with its cookie; the answer as the host gives it."""
        headers = MutableHeaders(
            raw=[pair for pair in request.scope["headers"] if pair[0] != b"cookie"]
        )
        cookie = request.cookies.get(COOKIES.get(host, ""))
        if cookie is not None:
            headers["cookie"] = f"{COOKIE}={cookie}"
        path = _ACCOUNT_PREFIX.sub("", request.url.path) if host == FLOW else request.url.path
        path = f"/content{path}" if host == MEDIA else path
        inner = dict(request.scope) | {"path": path, "headers": headers.raw}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = MutableHeaders(raw=list(message["headers"]))
                told.update(extra)
                if "location" in told:
                    told["location"] = self._moved(told["location"])
                    told["cache-control"] = "no-store"
                if "set-cookie" in told:
                    told["set-cookie"] = _renamed(told["set-cookie"], host)
                message = dict(message) | {"headers": told.raw}
            await send(message)

        await self._inner(inner, receive, answer)

    def _moved(self, location: str) -> str:
        # Lane labs redirects to the page of the other lane, or to a medium. That address stays as it is:
        # it is for the program, which has no browser's idea of where Flow's names lead.
        return f"https://{FLOW}{location}" if location.startswith("/") else location


def _renamed(cookie: str, host: str) -> str:
    """The simulator's session cookie as this host sets it."""
    reply = Response()
    set_cookie(reply, host, cookie.partition("=")[2].partition(";")[0])
    return reply.headers["set-cookie"]
