"""Fetching media from Flow's own host, and nothing else. A signed URL is a secret: it is in no error and no log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import InvalidSetting, MediaError, RateLimited, Transient
from flowkit_mcp.providers.base import RemoteMedia

if TYPE_CHECKING:
    import httpx2

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_INLINE = "data:;base64,"
_ALPHABET = str.maketrans("-_", "+/", "\r\n")
_REDIRECTS = 3
_CHUNK = 256 * 1024
_HEAD = 12
_TIMEOUT_S = 60.0
_MAX_BYTES = {MediaKind.IMAGE: 64 * 1024**2, MediaKind.VIDEO: 2 * 1024**3}
_ANY_TYPE = ("", "application/octet-stream", "binary/octet-stream")


def _is_image(head: bytes) -> bool:
    jpeg, png = head.startswith(b"\xff\xd8\xff"), head.startswith(b"\x89PNG\r\n\x1a\n")
    return jpeg or png or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def _is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


_LOOKS_LIKE: dict[MediaKind, Callable[[bytes], bool]] = {
    MediaKind.IMAGE: _is_image,
    MediaKind.VIDEO: _is_mp4,
}


@dataclass(frozen=True)
class Origins:
    """Where media may come from: Flow's hosts over https, or one simulator on loopback.

    A host may be followed by the only path that counts, with `/` at its end: `host/folder/`.
    """

    hosts: frozenset[str]
    simulator: tuple[str, int] | None = None

    @classmethod
    def of(cls, hosts: Sequence[str], simulator: str | None) -> Origins:
        """Raises InvalidSetting if the simulator is not `http://` on loopback with a port."""
        if simulator is None:
            return cls(frozenset(host.lower() for host in hosts))
        parts = urlsplit(simulator)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK or not parts.port:
            raise InvalidSetting("the simulator must be http://127.0.0.1:<port>")
        return cls(frozenset(), (parts.hostname, parts.port))

    def allow(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        if parts.username is not None or parts.password is not None:
            return False
        if self.simulator is not None:
            return parts.scheme == "http" and (parts.hostname, port) == self.simulator
        if parts.scheme != "https" or port not in (None, 443) or ".." in parts.path:
            return False
        place = f"{parts.hostname}{parts.path}"
        return any(
            place.startswith(host) if "/" in host else parts.hostname == host for host in self.hosts
        )


class Fetcher:
    """One HTTP client for all downloads; `aclose` it."""

    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._client: httpx2.AsyncClient | None = None

    async def fetch(self, media: RemoteMedia, to: Path) -> None:
        """Write the bytes to `to`, checked for host, type, size and first bytes, and synced to disk.

        Raises:
            Transient: expired, cut off, not the right file yet: poll again and fetch from the new address.
            RateLimited: the host asks to go slower.
            MediaError: an address outside Flow's hosts, which is not asked; or the file cannot be written.
        """
        import httpx2  # late: 60 ms that a server start does not need

        try:
            with to.open("wb") as file:
                if media.url.startswith(_INLINE):
                    _unpack(media, file)
                else:
                    await self._stream(media, file)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
        except httpx2.HTTPError as error:
            to.unlink(missing_ok=True)
            raise Transient(f"the download broke off ({type(error).__name__})") from None
        except OSError as error:
            to.unlink(missing_ok=True)
            raise MediaError(
                f"cannot write {to.name}: {error.strerror or type(error).__name__}",
                hint="Check the library's disk and folder, then try again.",
            ) from error
        except BaseException:
            to.unlink(missing_ok=True)
            raise

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _stream(self, media: RemoteMedia, file: BinaryIO) -> None:
        url = media.url
        for _ in range(_REDIRECTS + 1):
            if not self._origins.allow(url):
                host = _host(url)
                raise MediaError(
                    f"Flow names {host} as the place of the media, which is not on the list",
                    hint="Update FlowKit; the media stays in the Flow project.",
                )
            async with self._http().stream("GET", url) as response:
                location = response.headers.get("location")
                if response.is_redirect and location:
                    url = urljoin(url, location)
                    continue
                await _save(response, media, file)
                return
        raise Transient("the media's address leads in circles")

    def _http(self) -> httpx2.AsyncClient:
        import httpx2  # late: as in fetch

        if self._client is None:
            for name in ("httpx2", "httpcore2"):
                # They log addresses, and these carry a signature.
                logging.getLogger(name).setLevel(logging.WARNING)
            self._client = httpx2.AsyncClient(
                timeout=_TIMEOUT_S,
                follow_redirects=False,
                headers={"accept-encoding": "identity"},
                # A proxy of the environment has no business with a loopback simulator.
                trust_env=self._origins.simulator is None,
            )
        return self._client


def inline_url(data: str) -> str:
    """For media that an answer brought along in base64: an address that leads to themselves."""
    return _INLINE + data


def unpacked(data: str) -> bytes:
    """The bytes of base64 text, in either alphabet. Raises Transient if it is something else."""
    try:
        plain = data.translate(_ALPHABET)
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Transient("the media in Flow's answer are damaged") from None


def _unpack(media: RemoteMedia, file: BinaryIO) -> None:
    content = unpacked(media.url.removeprefix(_INLINE))
    if not _LOOKS_LIKE[media.media](content[:_HEAD]):
        raise Transient(f"what Flow handed out is no {media.media} file")
    file.write(content)


async def _save(response: httpx2.Response, media: RemoteMedia, file: BinaryIO) -> None:
    _check_status(response.status_code, response.headers.get("retry-after"))
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _ANY_TYPE and not kind.startswith(f"{media.media}/"):
        raise Transient(f"Flow handed out {kind} where {media.media} is due")
    most = media.bytes or _MAX_BYTES[media.media]
    head, size = b"", 0
    async for chunk in response.aiter_raw(_CHUNK):
        size += len(chunk)
        if size > most:
            raise Transient(f"the download is larger than the {most} bytes expected")
        if len(head) < _HEAD:
            head += chunk[:_HEAD]
        file.write(chunk)
    if not _LOOKS_LIKE[media.media](head):
        raise Transient(f"what Flow handed out is no {media.media} file")
    if media.bytes is not None and size != media.bytes:
        raise Transient(f"the download has {size} bytes, {media.bytes} were promised")


def _check_status(status: int, retry_after: str | None) -> None:
    if status == 200:
        return
    if status == 403:
        raise Transient("the media's address has expired", reason="EXPIRED")
    if status == 429:
        wait = float(retry_after) if retry_after and retry_after.isdigit() else None
        raise RateLimited("the media host asks to go slower", retry_after_s=wait)
    raise Transient(f"the media host answered with HTTP {status}")


def _host(url: str) -> str:
    try:
        parts: SplitResult = urlsplit(url)
    except ValueError:
        return "an unreadable address"
    return parts.hostname or "an unreadable address"
