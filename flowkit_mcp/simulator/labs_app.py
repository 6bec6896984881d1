"""Lane labs over HTTP: routes, bearer and cookie, faults, status codes (flow-wire §1.2, §2.5, §2.6).

On the real net these paths are on two hosts, `labs.google` (`/fx/…`, cookies) and
`aisandbox-pa.googleapis.com` (`/v1/…`, bearer); here they share the simulator's.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from flowkit_mcp.simulator import faults, labs_bodies, labs_errors, page
from flowkit_mcp.simulator.faults import (
    ConnectionCut,
    Grpc,
    NoData,
    Refusal,
    SignInPage,
    SorryPage,
    WholeCallError,
)
from flowkit_mcp.simulator.labs_call import Handler, Labs, LabsCall, Moved, Reply, as_dict
from flowkit_mcp.simulator.labs_look import LabsLook
from flowkit_mcp.simulator.labs_make import LabsMake
from flowkit_mcp.simulator.labs_records import iso
from flowkit_mcp.simulator.labs_trpc import BadInput, LabsTrpc
from flowkit_mcp.simulator.state import Account, Session

COOKIE = "flow-simulator-session"
TRPC = "/fx/api/trpc"
SESSION_DAYS = 30
_OBJECT = TypeAdapter(dict[str, Any])
_BODY_TYPES = ("text/plain", "application/json", "")

_log = logging.getLogger(__name__)

Drop = Callable[[Request], Awaitable[None]]


class LabsApp:
    """The routes of lane labs over one service."""

    def __init__(self, labs: Labs, drop: Drop) -> None:
        self._labs = labs
        self._service = labs.service
        self._drop = drop
        self._make = LabsMake(labs)
        self._look = LabsLook(labs)
        self._trpc = LabsTrpc(labs)

    def routes(self) -> list[Route]:
        return [
            Route("/fx/tools/flow", self._page),
            Route("/fx/tools/flow/{rest:path}", self._page),
            Route("/fx/api/auth/session", self._session_call),
            *self._rest_routes(),
            *self._trpc_routes(),
        ]

    def _rest_routes(self) -> list[Route]:
        make, look, b = self._make, self._look, labs_bodies
        submit = "/v1/video:batchAsyncGenerateVideo"
        video = make.video
        return [
            self._post("/v1/projects/{project}/flowMedia:batchGenerateImages", "ogiZ0b", make.images, b.GenerateImages),
            self._post("/v1/flow/uploadImage", "maseQ", make.upload, b.UploadImage),
            self._post("/v1/flow/upsampleImage", "SPrCad", make.upsample_image, b.UpsampleImage),
            self._post(f"{submit}Text", "YhhmEf", partial(video, mode="text"), b.SubmitText),
            self._post(f"{submit}StartImage", "eb1hJf", partial(video, mode="start"), b.SubmitStart),
            self._post(f"{submit}StartAndEndImage", "nprQif", partial(video, mode="start_end"), b.SubmitStartEnd),
            self._post(f"{submit}ReferenceImages", "MZZa6b", partial(video, mode="references"), b.SubmitReferences),
            self._post(f"{submit}ExtendVideo", "fZytfe", partial(video, mode="extend"), b.SubmitExtend),
            self._post(f"{submit}EditVideo", "jIps6", partial(video, mode="edit"), b.SubmitEdit),
            self._post(f"{submit}UpsampleVideo", "p0UkFb", make.upsample_video, b.SubmitUpsample),
            self._post("/v1/video:batchCheckAsyncVideoGenerationStatus", "jwpduf", look.check_status, b.CheckStatus),
            self._post("/v1/flowMedia:cancelGeneration", "CK0Pk", look.cancel, b.CancelGeneration),
            self._post("/v1/flow:batchDeleteAssets", "cz8Z4b", look.delete_assets, b.DeleteAssets),
            self._post("/v1/flow:copyProjectMedia", "Sc7aEb", make.copy, b.CopyMedia),
            self._post("/v1/flow/projects/{project}/scenes", "rqZuUc", look.create_scene, b.CreateScene),
            self._get("/v1/credits", "nzlxg", look.credits),
            self._get("/v1/flow/models/statuses", "yBhWQ", look.model_statuses),
            self._get("/v1/media/{media}", "as29s", look.media),
            self._patch("/v1/flowWorkflows/{workflow}", "mYWVGd", look.update_workflow, b.UpdateWorkflow),
            self._patch("/v1/projects/{project}", "o8DA4", look.update_project, b.UpdateProject),
            self._patch("/v1/flow/entities", "rzMKMb", look.update_entity, b.UpdateEntity),
        ]  # fmt: skip

    def _trpc_routes(self) -> list[Route]:
        trpc = self._trpc
        procedures: list[tuple[str, str, str, Handler]] = [
            ("POST", "project.createProject", "jHPbke", trpc.create_project),
            ("POST", "project.updateProject", "o8DA4", trpc.update_project),
            ("POST", "project.deleteProject", "QI2zvc", trpc.delete_project),
            ("GET", "project.searchUserProjects", "UpteDb", trpc.search_projects),
            ("GET", "flow.projectInitialData", "Zzl0ze", trpc.initial_data),
            ("POST", "flow.createEntity", "C4BZMd", trpc.create_entity),
            ("POST", "media.deleteMedia", "cz8Z4b", trpc.delete_media),
            ("GET", "media.getMediaUrlRedirect", "uurnC", trpc.media_url),
        ]
        return [
            Route(
                f"{TRPC}/{name}",
                partial(self._procedure, name=name, twin=twin, handler=handler),
                methods=[method],
            )
            for method, name, twin, handler in procedures
        ]

    def _get(self, path: str, twin: str, handler: Handler) -> Route:
        return Route(path, partial(self._rest, twin=twin, handler=handler, model=None))

    def _post(self, path: str, twin: str, handler: Handler, model: type[BaseModel]) -> Route:
        call = partial(self._rest, twin=twin, handler=handler, model=model)
        return Route(path, call, methods=["POST"])

    def _patch(self, path: str, twin: str, handler: Handler, model: type[BaseModel]) -> Route:
        call = partial(self._rest, twin=twin, handler=handler, model=model)
        return Route(path, call, methods=["PATCH"])

    # The page and its session

    async def _page(self, request: Request) -> Response:
        """The page of lane labs; a migrated account is sent to the other one for good (§0.1)."""
        session = self._session(request)
        if session is not None and self._account(session).lane != "labs":
            _, found, project = request.url.path.partition("/project/")
            to = f"/project/{project}" if found else "/"
            return RedirectResponse(to, HTTPStatus.PERMANENT_REDIRECT)
        text = page.labs_page(session)
        return HTMLResponse(text, headers={"cache-control": "no-store"})

    async def _session_call(self, request: Request) -> Response:
        """`{user, expires, access_token}`, or `{}` signed out; a migrated account gets a page (§1.2)."""
        session = self._session(request)
        if session is None:
            return JSONResponse({})
        account = self._account(session)
        if account.lane != "labs":
            return RedirectResponse("/", HTTPStatus.PERMANENT_REDIRECT)
        switches = self._service.state.switches
        now = self._service.clock.now()
        address = f"{account.name}@simulated.invalid"
        told = {
            "user": {"name": account.name, "email": address, "image": ""},
            "expires": iso(now + SESSION_DAYS * 86_400_000),
            "access_token": self._service.bearers.current(account.name, switches.bearer_minutes),
        }
        reply = JSONResponse(told, headers={"cache-control": "no-store"})
        if switches.rotate_cookie:
            fresh = self._service.rotate_cookie(request.cookies[COOKIE])
            reply.set_cookie(COOKIE, fresh, path="/", httponly=True, samesite="lax")
        return reply

    def _session(self, request: Request) -> Session | None:
        return self._service.session(request.cookies.get(COOKIE))

    def _account(self, session: Session) -> Account:
        return self._service.account(session.account)

    # REST

    async def _rest(
        self, request: Request, *, twin: str, handler: Handler, model: type[BaseModel] | None
    ) -> Response:
        """Bearer first, then the shape, then faults, then the handler's own checks (§1.3)."""
        account = self._bearer(request)
        if account is None:
            return self._refused(Refusal(Grpc.UNAUTHENTICATED))
        body: BaseModel | None = None
        if model is not None:
            kind = request.headers.get("content-type", "").partition(";")[0].strip()
            if kind not in _BODY_TYPES:
                return self._refused(Refusal(Grpc.INVALID_ARGUMENT))
            try:
                body = model.model_validate_json(await request.body())
            except ValidationError as error:
                if twin == "ogiZ0b":  # the one call that does not say what is wrong (§2.1)
                    return self._refused(Refusal(Grpc.INVALID_ARGUMENT))
                return labs_errors.bad_shape(error)
        call = LabsCall(twin, account, request.path_params, request.query_params, body)
        try:
            reply = await self._carried_out(call, handler)
        except Refusal as refusal:
            _log.info("labs %s refused: %s", twin, refusal)
            return self._refused(refusal)
        except (ConnectionCut, SorryPage, SignInPage, WholeCallError) as trouble:
            return await self._troubled(request, trouble)
        return JSONResponse({} if isinstance(reply, Moved) else reply)

    def _bearer(self, request: Request) -> Account | None:
        """Whose call it is; one call may find a bearer dead before the others do (§1.2)."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        switches = self._service.state.switches
        minutes = switches.bearer_minutes
        if switches.bearer_early and switches.bearer_early in request.url.path:
            minutes -= switches.bearer_early_minutes
        name = self._service.bearers.account(text, minutes) if scheme == "Bearer" else None
        account = None if name is None else self._service.account(name)
        return account if account is not None and account.lane == "labs" else None

    async def _carried_out(self, call: LabsCall, handler: Handler) -> Reply:
        fault = self._service.take_fault(call.twin)
        if fault is None:
            return await handler(call)
        faults.raise_before(fault)
        hide, lose = fault == "missing_url", fault == "poll_missing"
        changed = LabsCall(
            call.twin, call.account, call.path, call.query, call.body, hide_url=hide, lose_one=lose
        )
        reply = await handler(changed)
        try:
            faults.raise_after(fault)
        except NoData:
            return {}
        return reply

    def _refused(self, refusal: Refusal) -> Response:
        return labs_errors.reply(refusal, self._service.state.switches, self._service.clock.now())

    async def _troubled(self, request: Request, trouble: Exception) -> Response:
        if isinstance(trouble, SorryPage):
            return HTMLResponse(page.SORRY, HTTPStatus.FORBIDDEN)
        if isinstance(trouble, SignInPage):
            return HTMLResponse(page.labs_page(None))
        if isinstance(trouble, WholeCallError):
            return self._refused(Refusal(Grpc.INTERNAL))
        await self._drop(request)
        return Response(status_code=HTTPStatus.BAD_GATEWAY)  # reaches nobody

    # tRPC

    async def _procedure(
        self, request: Request, *, name: str, twin: str, handler: Handler
    ) -> Response:
        """By cookie. A refusal is an inner status under HTTP 200, but for the redirect (§2.5)."""
        session = self._session(request)
        if session is None:
            return _trpc_error(name, "UNAUTHORIZED", HTTPStatus.UNAUTHORIZED, -32001)
        account = self._account(session)
        redirects = twin == "uurnC"
        if account.lane != "labs":
            if redirects:
                return _trpc_error(name, "NOT_FOUND", HTTPStatus.NOT_FOUND, -32004)
            return RedirectResponse("/", HTTPStatus.PERMANENT_REDIRECT)
        try:
            body = {} if redirects else await _input(request)
            call = LabsCall(twin, account, request.path_params, request.query_params, body)
            reply = await self._carried_out(call, handler)
        except (BadInput, ValidationError, ValueError):
            return _trpc_error(name, "BAD_REQUEST", HTTPStatus.BAD_REQUEST, -32600)
        except Refusal as refusal:
            status = HTTPStatus(labs_errors.HTTP[refusal.code])
            if redirects:
                return _trpc_error(name, status.name, status, -32603)
            return _inner(labs_errors.body(refusal), status)
        except (ConnectionCut, SorryPage, SignInPage, WholeCallError) as trouble:
            return await self._troubled(request, trouble)
        if isinstance(reply, Moved):
            if reply.thumbnail is not None:
                return Response(reply.thumbnail, media_type="image/jpeg")
            return RedirectResponse(reply.to, self._service.state.switches.redirect_status)
        return _inner(reply, HTTPStatus.OK)


async def _input(request: Request) -> dict[str, Any]:
    """The `json` of a query's `input` or of a mutation's body."""
    raw = request.query_params.get("input", "") if request.method == "GET" else await request.body()
    return as_dict(_OBJECT.validate_json(raw or "{}").get("json"))


def _inner(result: Reply, status: HTTPStatus) -> Response:
    inner = {"result": result, "status": status.value, "statusText": status.phrase}
    text = json.dumps({"result": {"data": {"json": inner}}}, ensure_ascii=False)
    return Response(text, media_type="application/json")


def _trpc_error(name: str, code: str, status: HTTPStatus, number: int) -> Response:
    data = {"code": code, "httpStatus": status.value, "path": name}
    told = {"message": status.phrase, "code": number, "data": data}
    return JSONResponse({"error": {"json": told}}, status)
