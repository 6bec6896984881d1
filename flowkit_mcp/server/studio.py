"""The storyboard in a browser of one's own: the same page, for clients that cannot show it.

A small web server on loopback that is a client of our own MCP server, in memory: what the page does goes through the
same tools, and what costs is asked by the same `server/approval.py`. The question is shown in the page and answered by
the person's click there; nothing else answers it.

Who may come in: whoever has the link, once. It is exchanged for a cookie that no script can read. Every other request
needs that cookie and our own address in Host and, where browsers send them, in Origin and Sec-Fetch-Site.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from socket import socket
from typing import Any, cast
from urllib.parse import quote, urlencode

import uvicorn
from mcp import Client, MCPError
from mcp.types import BlobResourceContents, ElicitRequestParams, ElicitResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
)
from starlette.routing import Route

from flowkit_mcp.app import FlowKit
from flowkit_mcp.errors import BugError, FlowKitError
from flowkit_mcp.sdk.board import take_file
from flowkit_mcp.server.server import build
from flowkit_mcp.server.storyboard import page

HOST = "127.0.0.1"
log = logging.getLogger("flowkit.server")
#: What the page may call: what a person does in it, and no more.
CALLS = frozenset(
    "list_projects get_project generate_image edit_image generate_video upscale select_take move_scene "
    "cancel_job resolve_job".split()
)
_MOST_BYTES = 64_000
_OPEN_S = 600
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_FOREVER = {
    **_HEADERS,
    "Cache-Control": "private, max-age=31536000, immutable",
}  # takes never change


@dataclass
class _Call:
    """A tool call of the page: it comes to questions, and then to an end."""

    told: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue[dict[str, Any]])


@dataclass
class _Question:
    call: _Call
    answer: asyncio.Future[bool]


#: Whose question it is: asking happens inside the task that calls.
_calling: ContextVar[_Call] = ContextVar("calling")


class Studio:
    """The web application, for one library and one person."""

    def __init__(self, kit: FlowKit, client: Client, port: int) -> None:
        self._kit = kit
        self._client = client
        self._origin = f"http://{HOST}:{port}"
        self._cookie = f"flowkit_studio_{port}"  # cookies do not tell ports apart
        self._page = page()
        self._token: str | None = secrets.token_urlsafe(24)
        self._session = secrets.token_urlsafe(32)
        self._questions: dict[str, _Question] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.app = Starlette(
            routes=[
                Route("/", self._enter),
                Route("/read", self._read),
                Route("/picture/{take}", self._picture),
                Route("/clip/{take}", self._clip),
                Route("/call", self._call, methods=["POST"]),
                Route("/answer", self._answer, methods=["POST"]),
            ]
        )

    @property
    def link(self) -> str:
        """The address that lets one browser in, once."""
        return f"{self._origin}/?token={self._token}"

    # ---- who comes in ----------------------------------------------------------------------------

    async def _enter(self, request: Request) -> Response:
        if request.headers.get("host") != self._origin.removeprefix("http://"):
            return _refused("wrong address")
        given = request.query_params.get("token")
        if given is not None:
            if self._token is None or not _same(given, self._token):
                return _refused("this link has been used; run flowkit-mcp studio again")
            self._token = None
            return self._welcome(request)
        if not self._known(request):
            return _refused("open the link that flowkit-mcp studio prints; each works once")
        policy = (
            f"{_NOTHING}; script-src {self._page.script_hash}; style-src {self._page.style_hash}; "
            "img-src 'self' data:; media-src 'self'; connect-src 'self'"
        )
        return HTMLResponse(self._page.html, headers=_HEADERS | {"Content-Security-Policy": policy})

    def _welcome(self, request: Request) -> Response:
        """Goes on by itself, from our own address, so that a strict cookie is sent and the link is not kept."""
        place = {
            name: request.query_params[name]
            for name in ("project", "video")
            if name in request.query_params
        }
        on = f"/?{urlencode(place)}" if place else "/"
        html = f'<!doctype html><meta http-equiv="refresh" content="0; url={on.replace("&", "&amp;")}">'
        answer = HTMLResponse(html, headers=_HEADERS | {"Content-Security-Policy": _NOTHING})
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict", path="/")
        return answer

    def _known(self, request: Request) -> bool:
        return _same(request.cookies.get(self._cookie, ""), self._session)

    def _allowed(self, request: Request) -> bool:
        """A request of our own page, and of nobody else's."""
        headers = request.headers
        return (
            headers.get("host") == self._origin.removeprefix("http://")
            and headers.get("origin", self._origin) == self._origin
            and headers.get("sec-fetch-site", "same-origin") == "same-origin"
            and (request.method != "POST" or "origin" in headers)
            and self._known(request)
        )

    # ---- reading ---------------------------------------------------------------------------------

    async def _read(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused("not signed in")
        uri = request.query_params.get("uri", "")
        if not uri.startswith("flowkit://storyboard/"):
            return PlainTextResponse("only the storyboard is read here", 404, _HEADERS)
        return await self._resource(uri, _HEADERS)

    async def _picture(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused("not signed in")
        take = quote(request.path_params["take"], safe="")
        return await self._resource(f"flowkit://take/{take}/picture", _FOREVER)

    async def _resource(self, uri: str, headers: dict[str, str]) -> Response:
        try:
            (found,) = (await self._client.read_resource(uri)).contents
        except MCPError as error:
            return PlainTextResponse(str(error), 404, _HEADERS)
        if isinstance(found, BlobResourceContents):
            return Response(base64.b64decode(found.blob), 200, headers, found.mime_type)
        return Response(found.text, 200, headers, "application/json")

    async def _clip(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused("not signed in")
        try:
            file = await take_file(self._kit, request.path_params["take"])
        except FlowKitError as error:
            return PlainTextResponse(str(error), 404, _HEADERS)
        if file.suffix != ".mp4" or not file.is_file():
            return PlainTextResponse("no clip is there", 404, _HEADERS)
        return FileResponse(file, headers=_FOREVER, media_type="video/mp4")

    # ---- doing -----------------------------------------------------------------------------------

    async def _call(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused("not signed in")
        body = await _body(request)
        arguments = body.get("arguments") if body is not None else None
        if body is None or body.get("name") not in CALLS or not isinstance(arguments, dict):
            return PlainTextResponse("this page makes no such call", 400, _HEADERS)
        call = _Call()
        given = cast("dict[str, Any]", arguments)
        task = asyncio.create_task(self._run(call, body["name"], given))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return JSONResponse(await call.told.get(), headers=_HEADERS)

    async def _run(self, call: _Call, name: str, arguments: dict[str, Any]) -> None:
        _calling.set(call)
        try:
            result = await self._client.call_tool(name, arguments)
            told = {"result": result.model_dump(mode="json", by_alias=True, exclude_none=True)}
        except MCPError as error:
            told = _failed(error)
        except Exception as error:  # without an answer the page would wait for ever
            log.exception("a call of the studio's page")
            told = _failed(BugError(str(error) or type(error).__name__))
        call.told.put_nowait(told)

    async def ask(self, _context: Any, params: ElicitRequestParams) -> ElicitResult:
        """What the server asks the person: shown in the page that called, open for ten minutes."""
        call, id = _calling.get(), secrets.token_urlsafe(12)
        question = _Question(call, asyncio.get_running_loop().create_future())
        self._questions[id] = question
        call.told.put_nowait({"question": {"id": id, "message": params.message}})
        try:
            async with asyncio.timeout(_OPEN_S):
                accepted = await question.answer
        except TimeoutError:
            return ElicitResult(action="cancel")
        finally:
            del self._questions[id]
        return (
            ElicitResult(action="accept", content={})
            if accepted
            else ElicitResult(action="decline")
        )

    async def _answer(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused("not signed in")
        body = await _body(request)
        question = self._questions.get(str(body.get("id"))) if body is not None else None
        if body is None or question is None or question.answer.done():
            return PlainTextResponse("this question is no longer open", 409, _HEADERS)
        question.answer.set_result(body.get("accept") is True)
        return JSONResponse(await question.call.told.get(), headers=_HEADERS)

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _same(given: str, secret: str) -> bool:
    """As bytes, since Python compares no other text than ASCII in constant time."""
    return secrets.compare_digest(given.encode(), secret.encode())


def _failed(error: Exception) -> dict[str, Any]:
    return {"result": {"isError": True, "content": [{"type": "text", "text": str(error)}]}}


def _refused(why: str) -> Response:
    policy = {"Content-Security-Policy": _NOTHING}
    return PlainTextResponse(f"FlowKit studio: {why}.", 403, _HEADERS | policy)


async def _body(request: Request) -> dict[str, Any] | None:
    """The JSON object of a request; None if it is anything else."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return None
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > _MOST_BYTES:
            return None
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


class _Server(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def studio(kit: FlowKit, listener: socket) -> AsyncGenerator[Studio]:
    """Serve on a listening loopback socket until left."""
    made: list[Studio] = []

    async def ask(context: Any, params: ElicitRequestParams) -> ElicitResult:
        return await made[0].ask(context, params)

    # `mode`: the era in which a question is asked within the call's own task
    server = build(kit.settings, kit=kit)
    async with Client(server, mode="2026-07-28", elicitation_callback=ask, cache=None) as client:
        made.append(Studio(kit, client, listener.getsockname()[1]))
        config = uvicorn.Config(
            made[0].app, http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, timeout_graceful_shutdown=1,
        )  # fmt: skip
        web = _Server(config)
        serving = asyncio.create_task(web.serve(sockets=[listener]), name="studio")
        try:
            yield made[0]
        finally:
            await made[0].aclose()
            web.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)
