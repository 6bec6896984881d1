"""A film's way to YouTube that survives anything: one session, resumed where the server says it stands.

What is known of a transfer lies in a file of its own, readable only by its owner: the session's address is a bearer
secret and goes nowhere else. It is written before the first byte leaves, and the video's id after the last, so that a
process killed in between goes on and never makes a second video (media.md §7.2).
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import random
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.listing import Listing
from flowkit_mcp.errors import PublishLater, PublishNeedsPerson
from flowkit_mcp.publish.client import busy, reason_of, session_now, status_of, translated

CHUNK = 8 << 20
EDGE = 1 << 20
TRIES = 8
LOOKS = 3
#: From here on a session that is gone may have been finished: nobody opens a second one unasked.
NEARLY = 0.95


class Stopped(Exception):
    """The person cancelled or paused, or the process ends; the transfer goes on later."""


class Stop(threading.Event):
    """Tells a transfer, from another thread, to end at the next request."""

    def __init__(self) -> None:
        super().__init__()
        #: The film's bytes are under way, and their connection may be cut: YouTube knows how far it is. What any other
        #: request has done is known only by its answer.
        self.sending = False


class Stand(BaseModel):
    """What is known of a transfer."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str
    session: str | None = None
    opened_at: int | None = None  #: ms
    acknowledged: int = 0
    #: The last bytes were sent at least once, so the server may have made the video.
    finishing: bool = False
    video_id: str | None = None


class StandFile:
    """The file that a transfer's stand is kept in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Stand | None:
        """None if there is none, or it cannot be read (then nothing had begun or the disk lost it)."""
        try:
            return Stand.model_validate_json(self.path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def write(self, stand: Stand) -> None:
        """Whole or not at all, and only for the owner's eyes."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(stand.model_dump_json().encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def forget_session(self) -> None:
        """The person has looked and the film is not there: a new session may be opened."""
        stand = self.read()
        if stand is not None:
            self.write(Stand(fingerprint=stand.fingerprint))

    def attach(self, video_id: str, film: Path) -> None:
        """The person has found the film: this is it."""
        self.write(Stand(fingerprint=fingerprint_of(film), video_id=video_id))


class Transfer:
    """One film on its way. Blocking: runs in a thread of its own."""

    def __init__(
        self,
        youtube: Any,
        film: Path,
        listing: Listing,
        file: StandFile,
        *,
        clock: Clock,
        stop: Stop,
        note: Callable[[int, int], None],
        known: Collection[str] = (),
        backoff_s: float = 2.0,
        chunk: int = CHUNK,
    ) -> None:
        """`note` is told (bytes the server has, bytes in all); `stop` ends it at the next chunk.

        `known` are ids of other films of ours, which may have the same title: none of them is this one.
        """
        self._youtube = youtube
        self._film = film
        self._listing = listing
        self._file = file
        self._clock = clock
        self._stop = stop
        self._note = note
        self._known = known
        self._backoff_s = backoff_s
        self._chunk = chunk

    def run(self) -> str:
        """To the end; returns the video's id. A finished transfer returns it without a request.

        Raises:
            Stopped: `stop` was set.
            PublishLater, PublishNeedsPerson, PublishError: as `client.translated` says.
        """
        fingerprint = fingerprint_of(self._film)
        stand = self._file.read()
        if stand is None or stand.fingerprint != fingerprint:
            stand = Stand(fingerprint=fingerprint)
        if stand.video_id is not None:
            return stand.video_id
        tries = 0
        while True:
            if self._stop.is_set():
                raise Stopped
            before = stand.acknowledged
            try:
                self._attempt(stand)
            except (
                Exception
            ) as error:  # Google's libraries raise many kinds; `translated` knows them
                tries = 0 if stand.acknowledged > before else tries + 1
                self._answer(error, stand, tries)
            if stand.video_id is not None:
                return stand.video_id

    # ---- one attempt -------------------------------------------------------------------------

    def _attempt(self, stand: Stand) -> None:
        """Open or resume the session and send chunks until the end or the first error."""
        from googleapiclient.http import MediaFileUpload  # late: only to publish

        media: Any = MediaFileUpload(
            str(self._film), mimetype="video/mp4", chunksize=self._chunk, resumable=True
        )
        # A chunk as bytes can be sent again whole, by whoever re-sends it; a stream that was read cannot.
        media.has_stream = lambda: False
        with closing(media.stream()):
            request: Any = self._youtube.videos().insert(
                part="snippet,status",
                body=self._listing.body(),
                media_body=media,
                notifySubscribers=self._listing.notify_subscribers,
            )
            session = stand.session or self._open(request, media, stand)
            request.resumable_uri = session_now(self._youtube, session)
            request._in_error_state = True  # makes it ask first where the server stands
            self._send(request, media, stand)

    def _open(self, request: Any, media: Any, stand: Stand) -> str:
        """Only the listing is sent here: a session whose address is lost leaves no video behind."""
        from googleapiclient.errors import ResumableUploadError  # late: only to publish

        headers = {
            **request.headers,
            "X-Upload-Content-Type": media.mimetype(),
            "X-Upload-Content-Length": str(media.size()),
            "content-length": str(request.body_size),
        }
        reply, content = request.http.request(
            request.uri, method=request.method, body=request.body, headers=headers
        )
        if reply.status != 200 or "location" not in reply:
            raise ResumableUploadError(reply, content)
        if self._stop.is_set() and (self._file.read() or stand).session is not None:
            raise Stopped  # so late that another run has gone on with a session of its own
        session = str(reply["location"])
        stand.session, stand.opened_at = session, self._clock.now()
        stand.acknowledged, stand.finishing = 0, False
        self._file.write(stand)
        return session

    def _send(self, request: Any, media: Any, stand: Stand) -> None:
        size = media.size()
        answer: dict[str, Any] | None = None
        while answer is None:
            if self._stop.is_set():
                raise Stopped
            last = request.resumable_progress + self._chunk >= size
            if last and not stand.finishing:
                stand.finishing = True
                self._file.write(stand)
            self._stop.sending = True
            try:
                _, answer = request.next_chunk(num_retries=0)
            finally:
                self._stop.sending = False
            stand.session = request.resumable_uri
            stand.acknowledged = size if answer else request.resumable_progress
            if answer is None:
                self._file.write(stand)
            self._note(stand.acknowledged, size)
        stand.video_id = str(answer["id"])
        self._file.write(stand)

    # ---- what went wrong ---------------------------------------------------------------------

    def _answer(self, error: Exception, stand: Stand, tries: int) -> None:
        """Wait and return to go on, or raise what ends the run for now."""
        if (
            isinstance(error, Stopped) or self._stop.is_set()
        ):  # its line was cut, whatever that broke
            raise Stopped from None
        if status_of(error) in (404, 410) and stand.session:
            self._gone(stand)
            return
        if not busy(error) and not self._misplaced(error, stand):
            # without its cause, which may hold the session's address
            raise translated(error, self._now()) from None
        if tries >= TRIES:
            raise PublishLater(
                "YouTube could not be reached for a while; what was sent is kept there",
                retry_after_s=300,
                reason=type(error).__name__,
            ) from None
        if self._stop.wait(self._backoff_s * min(32, 2**tries) * (0.5 + random() / 2)):
            raise Stopped

    @staticmethod
    def _misplaced(error: Exception, stand: Stand) -> bool:
        """A chunk the server did not expect there: httplib2 re-sends one when a connection ends under it."""
        placed = reason_of(error) not in ("", "badRequest", "badContentRange", "invalid")
        return stand.session is not None and status_of(error) in (400, 416) and not placed

    def _gone(self, stand: Stand) -> None:
        """The session has expired. If it may have been finished, look for the film before opening another."""
        size = self._film.stat().st_size
        if stand.finishing or stand.acknowledged >= NEARLY * size:
            found = self._look(stand)
            if found is None:
                raise PublishNeedsPerson(
                    "the upload was nearly or wholly sent, then YouTube forgot it; it is not in the channel's list",
                    hint="Look at studio.youtube.com. If the film is there: resolve_job with action 'attach' and "
                    "its id; if not: action 'submit_again'.",
                    reason="SESSION_GONE",
                )
            stand.video_id = found
        stand.session, stand.acknowledged = None, 0
        self._file.write(stand)

    def _look(self, stand: Stand) -> str | None:
        """The channel's own list of uploads, which takes a while to show a new film."""
        for look in range(LOOKS):
            since = stand.opened_at or 0
            found = find_upload(self._youtube, self._listing.title, since, self._known)
            if found is not None:
                return found
            if look + 1 < LOOKS and self._stop.wait(self._backoff_s * 5 * (look + 1)):
                raise Stopped
        return None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now() / 1000, UTC)


def find_upload(youtube: Any, title: str, since: int, known: Collection[str]) -> str | None:
    """The newest upload of the channel with this title, published since (ms), but none of `known`; 2 units of quota."""
    channels = youtube.channels().list(part="contentDetails", mine=True).execute()["items"]
    if not channels:
        return None
    uploads = channels[0]["contentDetails"]["relatedPlaylists"]["uploads"]
    listed = (
        youtube.playlistItems()
        .list(part="snippet,contentDetails", playlistId=uploads, maxResults=50)
        .execute()
    )
    for item in listed["items"]:
        snippet = item["snippet"]
        at = datetime.fromisoformat(snippet["publishedAt"].replace("Z", "+00:00"))
        # YouTube's clock and ours may differ a little
        id = str(item["contentDetails"]["videoId"])
        ours = snippet["title"] == title and at.timestamp() * 1000 >= since - 120_000
        if ours and id not in known:
            return id
    return None


def fingerprint_of(film: Path) -> str:
    """Size and the hash of the first and last MiB: whether a file is still the one that was begun with."""
    size = film.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with film.open("rb") as file:
        digest.update(file.read(EDGE))
        file.seek(max(0, size - EDGE))
        digest.update(file.read(EDGE))
    return digest.hexdigest()
