"""A local YouTube: resumable uploads, thumbnails, captions, playlists, channels, and sign-in, on loopback.

Enough of Data API v3 for the real google-api-python-client (media.md §7), with faults on demand. What is uploaded is
kept as files; nothing ever leaves the machine. Answers have the shapes of Google's documentation.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route

from flowkit_mcp.clock import Clock
from flowkit_mcp.simulator.listen import HOST, Door, drop, listen
from flowkit_mcp.simulator.youtube_answers import error, multipart, refusal_of
from flowkit_mcp.simulator.youtube_shelf import Session, Shelf, Video

Fault = Literal[
    "500",
    "503",
    "429",
    "401",
    "rate",  # 403 rateLimitExceeded
    "quota",  # 403 quotaExceeded
    "upload_limit",  # 400 uploadLimitExceeded
    "forbidden",
    "invalid_tags",
    "invalid_image",
    "gone",  # the session is forgotten: 404 from now on
    "drop",  # the connection ends before the bytes are kept
    "drop_half",  # it ends in the middle; half of them are kept
    "drop_reply",  # all is done, and the answer is lost
    "half_reply",  # … and half of it comes
    "slow_reply",  # … and the answer takes its time, or comes with `heal`
    "partial",  # only part of the chunk is kept, 308
    "slow",
]
#: Where a fault strikes: opening a session, a chunk, asking where it stands, or any other call by its name.
At = str

GRAIN = 256 << 10
CHANNEL = "UCstandin0000000000000000"
UPLOADS = "UUstandin0000000000000000"
_ERRORS: dict[str, tuple[int, str]] = {
    "500": (500, "backendError"),
    "503": (503, "backendError"),
    "429": (429, "rateLimitExceeded"),
    "401": (401, "authError"),
    "rate": (403, "rateLimitExceeded"),
    "quota": (403, "quotaExceeded"),
    "upload_limit": (400, "uploadLimitExceeded"),
    "forbidden": (403, "forbidden"),
    "invalid_tags": (400, "invalidTags"),
    "invalid_image": (400, "invalidImage"),
}


class LocalYouTube:
    """A running stand-in; made by `run`."""

    def __init__(
        self, folder: Path, clock: Clock, cut: Callable[[Request], Awaitable[None]]
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.url = ""
        self.title = "Stand-in channel"
        self.channel = CHANNEL
        folder.mkdir(parents=True, exist_ok=True)
        self._shelf = Shelf(folder)
        self.videos, self.sessions = self._shelf.read()
        self.playlists: dict[str, list[str]] = {"PLstandin": []}
        self.calls: Counter[str] = Counter()
        self.revoked: list[str] = []
        self.tokens: set[str] = {"stand-in"}
        #: How many looks at a video's state come before it is processed.
        self.processing_looks = 1
        self.slow_s = 0.2
        self._healed = asyncio.Event()
        #: Called with the step's name before anything happens: `open`, `chunk`, `status`, `thumbnail` …, and with
        #: `answer` when a session is open, a film has arrived or is in a playlist, and nobody has been told.
        self.before: Callable[[str], None] = lambda step: None
        self._faults: list[tuple[At, Fault]] = []
        self._codes: dict[str, str] = {}
        self._cut = cut

    @classmethod
    @asynccontextmanager
    async def run(
        cls, folder: Path, *, port: int = 0, clock: Clock | None = None
    ) -> AsyncGenerator[LocalYouTube]:
        """Serve on 127.0.0.1; port 0 takes a free one. Raises OSError if it is taken."""
        listener = listen(port)
        door = Door()
        youtube = cls(folder, clock or Clock(), partial(drop, [door]))
        youtube.url = f"http://{HOST}:{listener.getsockname()[1]}"
        door.serve_app(Starlette(routes=youtube._routes()))
        serving = asyncio.create_task(door.serve([listener]), name="youtube")
        try:
            await door.up.wait()
            yield youtube
        finally:
            door.down.set()
            await serving

    def mount(self, path: str) -> Mount:
        """It beside something else, under `path`; the caller sets `url`."""
        return Mount(path, routes=self._routes())

    def fault(self, kind: Fault, at: At = "chunk", times: int = 1) -> None:
        """Let the next calls of a step go wrong."""
        for _ in range(times):
            self._faults.append((at, kind))

    def heal(self) -> None:
        """No ordered fault is left, and answers that take their time are given."""
        self._faults.clear()
        self._healed.set()
        self._healed = asyncio.Event()

    @property
    def received(self) -> int:
        """Bytes of films that came in so far, re-sends included."""
        return sum(session.received for session in self.sessions.values())

    # ---- routes ------------------------------------------------------------------------------

    def _routes(self) -> list[Route]:
        api, up = "/youtube/v3", "/upload/youtube/v3"
        return [
            Route(f"{up}/videos", self._open, methods=["POST"]),
            Route(f"{up}/session/{{id}}", self._put, methods=["PUT"]),
            Route(f"{up}/thumbnails/set", self._thumbnail, methods=["POST"]),
            Route(f"{up}/captions", self._captions, methods=["POST", "PUT"]),
            Route(f"{api}/captions", self._caption_list, methods=["GET"]),
            Route(f"{api}/channels", self._channels, methods=["GET"]),
            Route(f"{api}/videos", self._videos, methods=["GET"]),
            Route(f"{api}/playlistItems", self._items, methods=["GET"]),
            Route(f"{api}/playlistItems", self._add_item, methods=["POST"]),
            Route("/auth", self._agree, methods=["GET"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/revoke", self._revoke, methods=["POST"]),
            Route("/watch/{id}", self._watch, methods=["GET"]),
        ]

    async def _fault(self, step: str, request: Request) -> Response | Fault | None:
        """What is ordered for this step: an answer, a kind the caller must act on, or nothing."""
        self.calls[step] += 1
        self.before(step)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer not in self.tokens:
            return error(401, "authError")
        for number, (at, kind) in enumerate(self._faults):
            if at == step:
                del self._faults[number]
                if kind == "slow":
                    await asyncio.sleep(self.slow_s)
                    return None
                return error(*_ERRORS[kind]) if kind in _ERRORS else kind
        return None

    # ---- films -------------------------------------------------------------------------------

    async def _open(self, request: Request) -> Response:
        fault = await self._fault("open", request)
        if isinstance(fault, Response):
            return fault
        listing = json.loads(await request.body())
        wrong = refusal_of(listing)
        if wrong is not None:
            return error(400, wrong)
        id = secrets.token_hex(12)
        file = self.folder / f"{id}.part"
        file.touch()
        self.sessions[id] = Session(
            listing=listing,
            notify=request.query_params.get("notifySubscribers", "true") == "true",
            size=int(request.headers["x-upload-content-length"]),
            file=file,
        )
        self._shelf.write(id, self.sessions[id])
        here = {"location": f"{self.url}/upload/youtube/v3/session/{id}"}
        return await self._done(Response(headers=here), fault, request)

    async def _put(self, request: Request) -> Response:
        session = self.sessions.get(request.path_params["id"])
        span = request.headers.get("content-range", "bytes */0").removeprefix("bytes ")
        asked = span.startswith("*")
        fault = await self._fault("status" if asked else "chunk", request)
        if fault == "gone" and session is not None:
            session.gone = True
        if session is None or session.gone:
            return error(404, "notFound")
        if isinstance(fault, Response):
            await request.body()
            return fault
        if session.video_id is not None:
            return JSONResponse(self._resource(self.videos[session.video_id]))
        if asked:
            return self._incomplete(session)
        if fault == "drop":
            await self._cut(request)
        return await self._keep(request, session, int(span.split("-")[0]), fault)

    async def _keep(
        self, request: Request, session: Session, start: int, fault: Fault | None
    ) -> Response:
        """One chunk that begins at `start`."""
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        session.received += len(body)
        if start != session.kept:
            return error(400, "badContentRange")
        if fault in ("partial", "drop_half"):
            body = body[: len(body) // 2 // GRAIN * GRAIN]
        with session.file.open("ab") as file:
            file.write(body)
        session.kept += len(body)
        if fault == "drop_half":
            await self._cut(request)
        if session.kept < session.size:
            return self._incomplete(session)
        video = self._arrive(session)
        return await self._done(JSONResponse(self._resource(video)), fault, request)

    async def _done(self, answer: Response, fault: Fault | None, request: Request) -> Response:
        """All is done, and only the answer is left to go wrong."""
        self.before("answer")
        if fault == "slow_reply":
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.slow_s):
                    await self._healed.wait()
        if fault == "drop_reply":
            await self._cut(request)
        if fault != "half_reply":
            return answer

        async def half() -> AsyncGenerator[bytes]:
            yield bytes(answer.body[: len(answer.body) // 2])
            await self._cut(request)

        return StreamingResponse(half(), headers=dict(answer.headers))

    @staticmethod
    def _incomplete(session: Session) -> Response:
        kept = {"range": f"bytes=0-{session.kept - 1}"} if session.kept else {}
        return Response(status_code=308, headers=kept)

    def _arrive(self, session: Session) -> Video:
        id = secrets.token_urlsafe(8)[:11]
        film = session.file.rename(self.folder / f"{id}.mp4")
        at = datetime.fromtimestamp(self.clock.now() / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.sha256(film.read_bytes()).hexdigest()
        self.videos[id] = Video(id, session.listing, session.notify, film, digest, at)
        session.video_id = id
        self._shelf.write(id, self.videos[id])
        self._shelf.write(session.file.stem, session)
        return self.videos[id]

    def _resource(self, video: Video) -> dict[str, Any]:
        done = video.looks > self.processing_looks
        status = {**video.listing["status"], "uploadStatus": "processed" if done else "uploaded"}
        if video.refusal is not None:
            how, why = video.refusal
            name = "failureReason" if how == "failed" else "rejectionReason"
            status |= {"uploadStatus": how, name: why}
        return {
            "kind": "youtube#video",
            "id": video.id,
            "snippet": {**video.listing["snippet"], "channelId": CHANNEL, "publishedAt": video.at},
            "status": status,
            "processingDetails": {"processingStatus": "succeeded" if done else "processing"},
        }

    async def _videos(self, request: Request) -> Response:
        fault = await self._fault("videos", request)
        if isinstance(fault, Response):
            return fault
        found = [
            video
            for id in request.query_params["id"].split(",")
            if (video := self.videos.get(id)) is not None
        ]
        for video in found:
            video.looks += 1
        return JSONResponse({"items": [self._resource(video) for video in found]})

    # ---- beside the film ---------------------------------------------------------------------

    async def _thumbnail(self, request: Request) -> Response:
        fault = await self._fault("thumbnail", request)
        body = await request.body()
        if isinstance(fault, Response):
            return fault
        video = self.videos.get(request.query_params["videoId"])
        if video is None:
            return error(404, "videoNotFound")
        if not body.startswith((b"\xff\xd8", b"\x89PNG")):
            return error(400, "invalidImage")
        video.thumbnail = body
        return JSONResponse({"items": [{}]})

    async def _captions(self, request: Request) -> Response:
        fault = await self._fault("captions", request)
        if isinstance(fault, Response):
            return fault
        told, file = multipart(request.headers["content-type"], await request.body())
        if request.method == "PUT":
            for video in self.videos.values():
                for language, (id, _) in video.captions.items():
                    if id == told["id"]:
                        video.captions[language] = (id, file)
                        return JSONResponse({"id": id})
            return error(404, "captionNotFound")
        video = self.videos.get(told["snippet"]["videoId"])
        if video is None:
            return error(404, "videoNotFound")
        language = told["snippet"]["language"]
        if language in video.captions:
            return error(409, "captionExists")
        video.captions[language] = (secrets.token_hex(8), file)
        return JSONResponse({"id": video.captions[language][0]})

    async def _caption_list(self, request: Request) -> Response:
        fault = await self._fault("caption_list", request)
        if isinstance(fault, Response):
            return fault
        video = self.videos[request.query_params["videoId"]]
        items = [
            {"id": id, "snippet": {"videoId": video.id, "language": language}}
            for language, (id, _) in video.captions.items()
        ]
        return JSONResponse({"items": items})

    async def _channels(self, request: Request) -> Response:
        fault = await self._fault("channels", request)
        if isinstance(fault, Response):
            return fault
        channel = {
            "id": self.channel,
            "snippet": {"title": self.title},
            "contentDetails": {"relatedPlaylists": {"uploads": UPLOADS}},
        }
        return JSONResponse({"items": [channel]})

    async def _items(self, request: Request) -> Response:
        fault = await self._fault("playlist_items", request)
        if isinstance(fault, Response):
            return fault
        playlist = request.query_params["playlistId"]
        known = {**self.playlists, UPLOADS: [*reversed(self.videos)]}
        if playlist not in known:
            return error(404, "playlistNotFound")
        wanted = request.query_params.get("videoId")
        items = [
            {
                "snippet": self._resource(self.videos[id])["snippet"],
                "contentDetails": {"videoId": id},
            }
            for id in known[playlist]
            if wanted in (None, id)
        ]
        return JSONResponse({"items": items})

    async def _add_item(self, request: Request) -> Response:
        fault = await self._fault("playlist_add", request)
        if isinstance(fault, Response):
            return fault
        snippet = (await request.json())["snippet"]
        if snippet["playlistId"] not in self.playlists:
            return error(404, "playlistNotFound")
        self.playlists[snippet["playlistId"]].append(snippet["resourceId"]["videoId"])
        return await self._done(JSONResponse({"snippet": snippet}), fault, request)

    async def _watch(self, request: Request) -> Response:
        """A page for people: what has become of an upload."""
        video = self.videos.get(request.path_params["id"])
        if video is None:
            return Response(status_code=404)
        return Response(video.file.read_bytes(), media_type="video/mp4")

    # ---- sign-in -----------------------------------------------------------------------------

    async def _agree(self, request: Request) -> Response:
        """The consent page; with `agree=1` (the click) it leads back with a code."""
        asked = request.query_params
        if "agree" not in asked:
            again = f"/auth?{urlencode({**asked, 'agree': '1'})}"
            return HTMLResponse(f'<p>FlowKit wants to upload films.</p><a href="{again}">Agree</a>')
        code = secrets.token_hex(8)
        self._codes[code] = asked["scope"]
        back = {"code": code, "state": asked["state"], "scope": asked["scope"]}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}")

    async def _token(self, request: Request) -> Response:
        self.calls["token"] += 1
        form = dict(parse_qsl((await request.body()).decode()))
        token = secrets.token_hex(16)
        answer = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        if form["grant_type"] == "refresh_token":
            if str(form["refresh_token"]) in self.revoked:
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
        else:
            scope = self._codes.pop(str(form["code"]), None)
            if scope is None:
                return JSONResponse({"error": "invalid_grant"}, status_code=400)
            answer |= {"refresh_token": secrets.token_hex(16), "scope": scope}
        self.tokens.add(token)
        return JSONResponse(answer)

    async def _revoke(self, request: Request) -> Response:
        self.revoked.append(dict(parse_qsl((await request.body()).decode()))["token"])
        return JSONResponse({})
