"""Google's own client for YouTube, built without a network, and its errors in our words.

The discovery document is the one that comes with google-api-python-client (media.md §7.1). `root` points it at a local
stand-in for YouTube; anything but loopback is refused there.
"""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flowkit_mcp.errors import (
    FlowKitError,
    InvalidSetting,
    PublishError,
    PublishLater,
    PublishNeedsPerson,
)

if TYPE_CHECKING:
    from google.oauth2.credentials import Credentials

DAY_S = 24 * 3600.0

#: Reasons of flow-of-control, media.md §7.5; everything else of 4xx is final.
_BUSY = {"backendError", "rateLimitExceeded", "userRateLimitExceeded", "internalError"}
_QUOTA = {"quotaExceeded", "dailyLimitExceeded"}
_SIGN_IN = {
    "authError",
    "youtubeSignupRequired",
    "forbidden",
    "channelClosed",
    "channelSuspended",
    "insufficientPermissions",
}


def client(credentials: Credentials | None, root: str | None = None) -> Any:
    """The `youtube` v3 resource.

    Args:
        credentials: of one channel; None only for tests of the stand-in.
        root: e.g. `http://127.0.0.1:8099`, instead of Google.

    Raises:
        InvalidSetting: `root` is not on this machine.
    """
    from googleapiclient import discovery, discovery_cache  # late: 0.6 s, only to publish

    library: Any = discovery  # it comes without types
    store: Any = discovery_cache
    document = json.loads(store.get_static_doc("youtube", "v3"))
    if root is not None:
        document["rootUrl"] = f"{local(root)}/"
        document.pop("mtlsRootUrl", None)
    return library.build_from_document(document, credentials=credentials)


def local(root: str) -> str:
    """`root` without a slash at its end, if it is on this machine.

    Raises:
        InvalidSetting: it is not.
    """
    parts = urlsplit(root)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise InvalidSetting(
            f"youtube root {root!r} is not on this machine",
            hint="Leave the setting out for the real YouTube.",
        )
    return root.rstrip("/")


def session_now(youtube: Any, session: str) -> str:
    """Where an upload's session is answered now: a stand-in is on another port each time, YouTube stays."""
    here, there = urlsplit(str(youtube._baseUrl)), urlsplit(session)
    if here.scheme != "http" or there.scheme != "http":
        return session
    return there._replace(netloc=here.netloc).geturl()


def reason_of(error: Exception) -> str:
    """The finest reason in the answer, e.g. `quotaExceeded`; empty if there is none."""
    try:
        told = json.loads(getattr(error, "content", b""))["error"]
        if isinstance(told, str):  # OAuth's form
            return told
        return str(told["errors"][0]["reason"])
    except (ValueError, KeyError, IndexError, TypeError):
        return ""


def status_of(error: Exception) -> int | None:
    """The HTTP status of an answer that was an error; None if there was no answer."""
    from googleapiclient.errors import HttpError  # late: only to publish

    told: Any = error
    return int(told.resp.status) if isinstance(error, HttpError) else None


def busy(error: Exception) -> bool:
    """Whether the same may be tried again soon: the network, 5xx, too many at once."""
    from http.client import HTTPException  # late: as above, an answer that ends in the middle

    from google.auth.exceptions import TransportError  # late: only to publish
    from httplib2 import HttpLib2Error  # late: as above

    status = status_of(error)
    if status is None:
        return isinstance(error, OSError | HTTPException | HttpLib2Error | TransportError)
    return status in (408, 429) or status >= 500 or reason_of(error) in _BUSY


def translated(error: Exception, now: datetime) -> FlowKitError:
    """What an exception of Google's libraries means here. Never holds an address, a token or a body.

    Args:
        error: what was raised.
        now: for waits until a reset.
    """
    from google.auth.exceptions import RefreshError  # late: only to publish

    if isinstance(error, FlowKitError):
        return error
    if isinstance(error, RefreshError):
        return PublishNeedsPerson(
            "the sign-in to this channel is no longer good",
            hint="Run: flowkit-mcp youtube login. (Google ends it after 7 days while the OAuth project is in "
            "'Testing'; publish the project to keep it.)",
            reason="invalid_grant",
        )
    if busy(error):
        return PublishLater(
            f"YouTube cannot be reached or is busy ({_name(error)})",
            retry_after_s=60,
            reason=_name(error),
        )
    status = status_of(error)
    if status is None:
        return PublishError(
            f"the upload failed: {type(error).__name__}", reason=type(error).__name__
        )
    reason = reason_of(error)
    if reason in _QUOTA:
        return PublishLater(
            "YouTube's quota for today is used up",
            retry_after_s=until_reset(now),
            reason=reason,
        )
    if reason == "uploadLimitExceeded":
        return PublishLater(
            "the channel has uploaded as many films as YouTube allows a day",
            retry_after_s=DAY_S,
            reason=reason,
        )
    if status == 401 or reason in _SIGN_IN:
        return PublishNeedsPerson(
            f"YouTube does not let this sign-in do that ({reason or status})",
            hint="Run: flowkit-mcp youtube login, and choose the channel's owner.",
            reason=reason or str(status),
        )
    return PublishError(
        f"YouTube refused: {reason or status}",
        hint="Correct what it names and call upload again; nothing was published.",
        reason=reason or str(status),
    )


def until_reset(now: datetime) -> float:
    """Seconds until midnight, Pacific time, when YouTube's quotas begin anew."""
    here = _pacific(now)
    midnight = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - here).total_seconds()


def day_began(now: datetime) -> datetime:
    """The last midnight, Pacific time: what counts towards today's quotas came after it."""
    return _pacific(now).replace(hour=0, minute=0, second=0, microsecond=0)


def _pacific(now: datetime) -> datetime:
    try:
        zone: tzinfo = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:  # no time zone data here: winter time, at most an hour late
        zone = timezone(timedelta(hours=-8))
    return now.astimezone(zone)


def hang_up(youtube: Any) -> None:
    """End the connections of a client from another thread, so that a send under way ends at once."""
    for connection in list(youtube._http.http.connections.values()):
        line = getattr(connection, "sock", None)
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _name(error: Exception) -> str:
    status = status_of(error)
    return type(error).__name__ if status is None else reason_of(error) or str(status)
