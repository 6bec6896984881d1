"""Downloads against a real HTTP server on loopback."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from scripted_flow import ScriptedChannel

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import MediaKind
from flowkit_mcp.errors import MediaError, RateLimited, Transient
from flowkit_mcp.providers.base import RemoteMedia
from flowkit_mcp.providers.flow.fetch import Origins
from flowkit_mcp.providers.flow.provider import FlowProvider

JPEG = b"\xff\xd8\xff\xe0" + b"j" * 5000
PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100
WEBP = b"RIFF\x00\x00\x00\x00WEBP" + b"w" * 100
MP4 = b"\x00\x00\x00\x20ftypisom" + b"m" * 700_000


@dataclass
class Media:
    """A server of fixed answers by path: (status, headers, bytes, bytes promised)."""

    answers: dict[str, tuple[int, dict[str, str], bytes, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def give(
        self,
        path: str,
        data: bytes,
        kind: str = "",
        status: int = 200,
        promised: int | None = None,
        **headers: str,
    ) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if kind:
            named["content-type"] = kind
        self.answers[path] = (status, named, data, len(data) if promised is None else promised)
        return f"http://127.0.0.1:{self.port}{path}?Signature=SECRET"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = request.split(" ")[1].partition("?")[0]
        self.asked.append(path)
        status, headers, data, promised = self.answers[path]
        lines = [f"HTTP/1.1 {status} x", f"content-length: {promised}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def host() -> AsyncIterator[Media]:
    media = Media()
    server = await asyncio.start_server(media.serve, "127.0.0.1", 0)
    media.port = server.sockets[0].getsockname()[1]
    async with server:
        yield media


@pytest.fixture
async def provider(host: Media) -> AsyncIterator[FlowProvider]:
    provider = FlowProvider(
        ScriptedChannel(), clock=Clock(), simulator=f"http://127.0.0.1:{host.port}"
    )
    yield provider
    await provider.aclose()


def image(url: str, size: int | None = None) -> RemoteMedia:
    return RemoteMedia(remote_id="m", media=MediaKind.IMAGE, url=url, bytes=size)


def clip(url: str, size: int | None = None) -> RemoteMedia:
    return RemoteMedia(remote_id="m", media=MediaKind.VIDEO, url=url, bytes=size)


@pytest.mark.parametrize(
    ("data", "kind"), [(JPEG, "image/jpeg"), (PNG, "image/png"), (WEBP, "image/webp"), (JPEG, "")]
)
async def test_a_picture_arrives_as_it_is(host, provider, tmp_path: Path, data: bytes, kind: str):
    await provider.fetch(image(host.give("/a", data, kind), len(data)), tmp_path / "a.part")
    assert (tmp_path / "a.part").read_bytes() == data


async def test_a_clip_arrives_as_it_is(host, provider, tmp_path: Path):
    url = host.give("/v", MP4, "video/mp4; codecs=avc1")
    await provider.fetch(clip(url, len(MP4)), tmp_path / "v.part")
    assert (tmp_path / "v.part").read_bytes() == MP4


async def refusal(provider: FlowProvider, media: RemoteMedia, to: Path) -> Exception:
    with pytest.raises((Transient, RateLimited, MediaError)) as caught:
        await provider.fetch(media, to)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert "SECRET" not in str(shown) and "Signature" not in repr(shown)
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    assert not to.exists(), "half a file is left"
    return caught.value


async def test_a_poster_in_place_of_the_clip_is_refused(host, provider, tmp_path: Path):
    error = await refusal(provider, clip(host.give("/v", JPEG, "image/jpeg")), tmp_path / "v.part")
    assert isinstance(error, Transient)


async def test_bytes_that_are_no_clip_are_refused_whatever_their_type(
    host, provider, tmp_path: Path
):
    error = await refusal(provider, clip(host.give("/v", JPEG, "video/mp4")), tmp_path / "v.part")
    assert isinstance(error, Transient)


async def test_a_page_in_place_of_a_picture_is_refused(host, provider, tmp_path: Path):
    url = host.give("/a", b"<html>", "text/html")
    assert isinstance(await refusal(provider, image(url), tmp_path / "a.part"), Transient)


async def test_a_body_that_ends_early_is_refused(host, provider, tmp_path: Path):
    url = host.give("/v", MP4, "video/mp4", promised=len(MP4) + 1)
    assert isinstance(await refusal(provider, clip(url), tmp_path / "v.part"), Transient)


@pytest.mark.parametrize("size", [len(JPEG) - 1, len(JPEG) + 1])
async def test_another_size_than_flow_promised_is_refused(
    host, provider, tmp_path: Path, size: int
):
    url = host.give("/a", JPEG, "image/jpeg")
    assert isinstance(await refusal(provider, image(url, size), tmp_path / "a.part"), Transient)


async def test_more_bytes_than_promised_are_not_even_awaited(host, provider, tmp_path: Path):
    url = host.give("/v", MP4, "video/mp4", promised=10**9)
    error = await refusal(provider, clip(url, 1000), tmp_path / "v.part")
    assert isinstance(error, Transient) and "larger" in error.message


async def test_an_empty_file_is_refused(host, provider, tmp_path: Path):
    url = host.give("/a", b"", "image/jpeg")
    assert isinstance(await refusal(provider, image(url), tmp_path / "a.part"), Transient)


async def test_an_expired_address_asks_for_a_fresh_one(host, provider, tmp_path: Path):
    url = host.give("/a", b"expired", "text/plain", status=403)
    error = await refusal(provider, image(url), tmp_path / "a.part")
    assert isinstance(error, Transient) and error.reason == "EXPIRED"


async def test_too_fast_says_how_long_to_wait(host, provider, tmp_path: Path):
    url = host.give("/a", b"", status=429, retry_after="7")
    error = await refusal(provider, image(url), tmp_path / "a.part")
    assert isinstance(error, RateLimited) and error.retry_after_s == 7


@pytest.mark.parametrize("status", [404, 500, 206])
async def test_any_other_status_is_tried_again(host, provider, tmp_path: Path, status: int):
    url = host.give("/a", JPEG, "image/jpeg", status=status)
    assert isinstance(await refusal(provider, image(url), tmp_path / "a.part"), Transient)


async def test_a_redirect_within_the_host_is_followed(host, provider, tmp_path: Path):
    host.give("/b", JPEG, "image/jpeg")
    await provider.fetch(
        image(host.give("/a", b"", status=307, location="/b")), tmp_path / "a.part"
    )
    assert host.asked == ["/a", "/b"]


async def test_a_redirect_to_another_host_is_not_followed(host, provider, tmp_path: Path):
    elsewhere = host.give("/b", JPEG, "image/jpeg").replace("127.0.0.1", "localhost")
    url = host.give("/a", b"", status=302, location=elsewhere)
    error = await refusal(provider, image(url), tmp_path / "a.part")
    assert isinstance(error, MediaError) and "localhost" in error.message
    assert host.asked == ["/a"]


async def test_a_circle_of_redirects_ends(host, provider, tmp_path: Path):
    url = host.give("/a", b"", status=302, location="/a")
    assert isinstance(await refusal(provider, image(url), tmp_path / "a.part"), Transient)


async def test_a_host_that_is_not_listed_is_never_asked(host, tmp_path: Path):
    real = FlowProvider(ScriptedChannel(), clock=Clock())
    error = await refusal(real, image(host.give("/a", JPEG)), tmp_path / "a.part")
    assert isinstance(error, MediaError)
    assert host.asked == []
    await real.aclose()


async def test_a_server_that_is_gone_is_tried_again(provider, host, tmp_path: Path):
    async with await asyncio.start_server(host.serve, "127.0.0.1", 0) as closing:
        port = closing.sockets[0].getsockname()[1]
    gone = FlowProvider(ScriptedChannel(), clock=Clock(), simulator=f"http://127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}/a?Signature=SECRET"
    assert isinstance(await refusal(gone, image(url), tmp_path / "a.part"), Transient)
    await gone.aclose()


async def test_a_file_that_cannot_be_written_is_a_media_error(host, provider, tmp_path: Path):
    url = host.give("/a", JPEG, "image/jpeg")
    error = await refusal(provider, image(url), tmp_path / "no-such-folder" / "a.part")
    assert isinstance(error, MediaError) and host.asked == []


async def test_no_log_line_carries_the_address(host, provider, tmp_path: Path, caplog):
    caplog.set_level(logging.DEBUG)
    await provider.fetch(image(host.give("/a", JPEG, "image/jpeg")), tmp_path / "a.part")
    assert "SECRET" not in caplog.text


FLOW = Origins.of(["flow-content.google"], None)
SIMULATOR = Origins.of(["flow-content.google"], "http://127.0.0.1:47816")


@pytest.mark.parametrize(
    ("origins", "url", "allowed"),
    [
        (FLOW, "https://flow-content.google/video/x?Signature=s", True),
        (FLOW, "https://FLOW-CONTENT.google:443/video/x", True),
        (FLOW, "http://flow-content.google/video/x", False),
        (FLOW, "https://flow-content.google:8443/x", False),
        (FLOW, "https://flow-content.google.evil.example/x", False),
        (FLOW, "https://evil.example/flow-content.google", False),
        (FLOW, "https://flow-content.google@evil.example/x", False),
        (FLOW, "https://user:pw@flow-content.google/x", False),
        (FLOW, "https://flow-content.google:bad/x", False),
        (FLOW, "file:///etc/passwd", False),
        (FLOW, "", False),
        (SIMULATOR, "http://127.0.0.1:47816/media/x", True),
        (SIMULATOR, "http://127.0.0.1:47817/media/x", False),
        (SIMULATOR, "http://127.0.0.1/media/x", False),
        (SIMULATOR, "https://flow-content.google/video/x", False),
    ],
)
def test_only_the_right_origin_may_hand_out_media(origins: Origins, url: str, allowed: bool):
    assert origins.allow(url) is allowed
