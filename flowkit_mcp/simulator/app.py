"""The simulator's HTTP surface: Flow's page and rpc endpoint, captcha, media, and the admin beside them.

Loopback only. Every request must name this host and port in `Host` (a rebound DNS name does not), and a POST
that says where it comes from must come from here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from flowkit_mcp.simulator import batchexecute, made, page
from flowkit_mcp.simulator.batchexecute import Malformed
from flowkit_mcp.simulator.faults import (
    ConnectionCut,
    Refusal,
    SignInPage,
    SorryPage,
    WholeCallError,
)
from flowkit_mcp.simulator.labs_app import COOKIE, LabsApp
from flowkit_mcp.simulator.links import Links
from flowkit_mcp.simulator.rpcs import Call, Rpcs, UnknownRpc
from flowkit_mcp.simulator.service import FaultOrder, FlowService
from flowkit_mcp.simulator.state import Session

BATCHEXECUTE = "/_/AiSandboxAngularFrontend/data/batchexecute"

_JSON_OBJECT = TypeAdapter(dict[str, Any])

_log = logging.getLogger(__name__)
_ACCOUNT_PREFIX = re.compile(r"^/u/\d+(?=/|$)")

Drop = Callable[[Request], Awaitable[None]]


class FlowApp:
    """The routes over one service. `drop` closes a request's connection without an answer."""

    def __init__(
        self,
        service: FlowService,
        rpcs: Rpcs,
        links: Links,
        drop: Drop,
        labs: LabsApp,
        beside: Sequence[BaseRoute] = (),
    ) -> None:
        self._service = service
        self._rpcs = rpcs
        self._links = links
        self._drop = drop
        self._labs = labs
        self._beside = beside
        self._replies = 0
        #: Signs an address of a medium.
        self.sign = rpcs.sign

    def asgi(self, host: str) -> ASGIApp:
        """For its own address `host` alone; refuses foreign hosts and origins."""
        return _guarded(self.unguarded(), host)

    def unguarded(self) -> Starlette:
        """The routes alone: whoever serves them checks where requests come from (`site.py`)."""
        routes = [
            Route("/", self._page),
            Route("/project/{rest:path}", self._page),
            Route("/about", self._about),
            Route("/signin", self._sign_in),
            Route("/signout", self._sign_out),
            Route(BATCHEXECUTE, self._batchexecute, methods=["POST"]),
            Route("/recaptcha/enterprise.js", self._grecaptcha),
            Route("/recaptcha/token", self._token, methods=["POST"]),
            Route("/content/{what}/{media_id}", self._content),
            Route("/ai-sandbox-videofx/{what}/{media_id}", self._content),
            Route("/made", self._made),
            Route("/made/data", self._made_data),
            Route("/sim/ledger", self._ledger),
            Route("/sim/state", self._state),
            Route("/sim/switch", self._switch, methods=["POST"]),
            Route("/sim/fault", self._fault, methods=["POST"]),
            *self._labs.routes(),
            *self._beside,
        ]
        return Starlette(routes=routes)

    # Flow

    async def _page(self, request: Request) -> Response:
        session = self._session(request)
        if session is not None:
            if self._service.account(session.account).lane == "labs":
                return RedirectResponse("/about", HTTPStatus.FOUND)
            self._service.load_page(session)
        text = page.flow_page(session, self._service.build_label)
        return HTMLResponse(text, headers={"cache-control": "no-store"})

    async def _about(self, request: Request) -> Response:
        return HTMLResponse(page.ABOUT)

    async def _sign_in(self, request: Request) -> Response:
        cookie = self._service.sign_in(request.query_params.get("account"))
        reply = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        reply.set_cookie(COOKIE, cookie, path="/", httponly=True, samesite="lax")
        return reply

    async def _sign_out(self, request: Request) -> Response:
        self._service.sign_out(request.cookies.get(COOKIE))
        reply = RedirectResponse("/", HTTPStatus.SEE_OTHER)
        reply.delete_cookie(COOKIE, path="/")
        return reply

    async def _grecaptcha(self, request: Request) -> Response:
        return PlainTextResponse(page.GRECAPTCHA, media_type="text/javascript")

    async def _token(self, request: Request) -> Response:
        session = self._session(request)
        if session is None:
            return JSONResponse({"error": "signed out"}, HTTPStatus.UNAUTHORIZED)
        form = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=8)
        action = form.get("action", [""])[0]
        if not action:
            return JSONResponse({"error": "no action"}, HTTPStatus.BAD_REQUEST)
        newest_only = self._service.state.switches.captcha_parallel == "newest_only"
        token = self._service.captcha.mint(session.account, action, newest_only=newest_only)
        return JSONResponse({"token": token})

    async def _batchexecute(self, request: Request) -> Response:
        """HTTP 200 for most failures; 401 signed out, 400 stale `at` or no call, 403 stale `bl` (§1.1)."""
        session = self._session(request)
        if session is None:
            return self._frames([batchexecute.whole_call_error(401)], HTTPStatus.UNAUTHORIZED)
        try:
            envelope = batchexecute.decode(await request.body())
        except Malformed:
            return self._frames([batchexecute.whole_call_error(400)], HTTPStatus.BAD_REQUEST)
        if envelope.at != session.at:
            return self._frames([batchexecute.whole_call_error(400)], HTTPStatus.BAD_REQUEST)
        if request.query_params.get("bl") != self._service.build_label:
            return self._frames([batchexecute.whole_call_error(403)], HTTPStatus.FORBIDDEN)
        if self._service.account(session.account).lane == "labs":
            return HTMLResponse(page.ABOUT)
        source_path = request.query_params.get("source-path", "")
        try:
            frames = [
                await self._frame(Call(rpc, args, session.account, source_path))
                for rpc, args in envelope.calls
            ]
        except UnknownRpc:
            return self._frames([batchexecute.whole_call_error(400)])
        except WholeCallError:
            return self._frames([batchexecute.whole_call_error(500)])
        except SignInPage:
            return self._sign_in_page()
        except SorryPage:
            return HTMLResponse(page.SORRY, HTTPStatus.FORBIDDEN)
        except ConnectionCut:
            await self._drop(request)
            return Response(status_code=HTTPStatus.BAD_GATEWAY)  # reaches nobody
        return self._frames(frames)

    async def _frame(self, call: Call) -> list[Any]:
        try:
            return batchexecute.answer(call.rpc, await self._rpcs.answer(call))
        except Refusal as refusal:
            _log.info("%s refused: %s", call.rpc, refusal)
            return batchexecute.refusal(call.rpc, refusal.slot)

    def _sign_in_page(self) -> Response:
        return HTMLResponse(page.flow_page(None, self._service.build_label))

    def _frames(self, frames: list[list[Any]], status: int = HTTPStatus.OK) -> Response:
        self._replies += 1
        text = batchexecute.encode(frames, self._replies, self._service.state.switches.framing)
        return Response(text, status, media_type=batchexecute.CONTENT_TYPE)

    async def _content(self, request: Request) -> Response:
        """A picture, a clip, or (as image) a clip's poster; Range is answered with 206 (§7.4)."""
        what, media_id = request.path_params["what"], request.path_params["media_id"]
        if not self._links.good(what, media_id, request.query_params):
            return PlainTextResponse("Access denied.", HTTPStatus.FORBIDDEN)
        media = self._service.state.media.get(media_id)
        if media is None or (media.kind == "image" and what != "image"):
            return PlainTextResponse("Not found.", HTTPStatus.NOT_FOUND)
        files = self._service.files
        path = files.path(media) if what == media.kind else files.poster(media)
        if not path.is_file():
            return PlainTextResponse("Not found.", HTTPStatus.NOT_FOUND)
        mime = media.mime if what == media.kind else "image/jpeg"
        damage = self._service.state.switches.media_bytes
        if what == "video" and damage != "right":
            data = path.read_bytes()
            data = data[:-7] if damage == "wrong_size" else data.replace(b"ftyp", b"ftxx", 1)
            return Response(data, media_type=mime)
        return FileResponse(path, media_type=mime, headers={"cache-control": "private, max-age=60"})

    def _session(self, request: Request) -> Session | None:
        return self._service.session(request.cookies.get(COOKIE))

    # For people and tests

    async def _made(self, request: Request) -> Response:
        return HTMLResponse(made.page())

    async def _made_data(self, request: Request) -> Response:
        return JSONResponse(
            made.data(self._service, self._rpcs.sign), headers={"cache-control": "no-store"}
        )

    async def _ledger(self, request: Request) -> Response:
        return JSONResponse(
            {
                "balance": self._service.account().balance,
                "charged": self._service.charged,
                "entries": [entry.model_dump() for entry in self._service.state.ledger],
            }
        )

    async def _state(self, request: Request) -> Response:
        return JSONResponse(made.state(self._service))

    async def _switch(self, request: Request) -> Response:
        return await self._change(request, lambda body: self._service.switch(body))

    async def _fault(self, request: Request) -> Response:
        def add(body: dict[str, Any]) -> None:
            order = FaultOrder.model_validate(body)
            self._service.add_fault(order.rpc, order.kind, order.times, order.for_s)

        return await self._change(request, add)

    async def _change(self, request: Request, change: Callable[[dict[str, Any]], None]) -> Response:
        try:
            change(_JSON_OBJECT.validate_json(await request.body()))
        except ValidationError as error:
            problems = [{"at": list(e["loc"]), "problem": e["msg"]} for e in error.errors()]
            return JSONResponse({"errors": problems}, HTTPStatus.BAD_REQUEST)
        return JSONResponse(made.state(self._service))


def _guarded(app: ASGIApp, host: str) -> ASGIApp:
    """Refuse foreign hosts and origins; take the account prefix `/u/<n>` off the path."""
    hosts = {host, host.replace("127.0.0.1", "localhost")}
    origins = {f"http://{name}" for name in hosts}

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        foreign = request.headers.getlist("host") not in [[name] for name in hosts]
        if request.method not in ("GET", "HEAD"):
            site = request.headers.get("sec-fetch-site", "same-origin")
            foreign = foreign or site not in ("same-origin", "none")
            foreign = foreign or not set(request.headers.getlist("origin")) <= origins
        if foreign:
            reply = PlainTextResponse("Not from here.", HTTPStatus.FORBIDDEN)
            await reply(scope, receive, send)
            return
        inner = dict(scope) | {"path": _ACCOUNT_PREFIX.sub("", scope["path"]) or "/"}
        await app(inner, receive, send)

    return guard
