"""Attacks before any frame is read (bridge.md (c) 1, 2, 3, 5): all must fail if the gate were opened."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import pytest
from bridge_world import World, bare

from flowkit_mcp.bridge.gate import MAX_OPENING, MAX_STRANGERS
from flowkit_mcp.bridge.protocol import EXTENSION_ID, HANDSHAKE_LIMIT_S, ORIGIN, Hello
from flowkit_mcp.bridge.session import Patience
from flowkit_mcp.errors import Conflict

GOOD_HELLO = Hello(protocol=1, instance="0" * 32, nonce="0" * 64).model_dump_json()
OTHER_ID = "abcdefghijklmnopabcdefghijklmnop"


def upgrade(
    port: int,
    *,
    path: str = "/ext",
    origins: tuple[str, ...] = (ORIGIN,),
    hosts: tuple[str, ...] | None = None,
    method: str = "GET",
    extra: tuple[str, ...] = (
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ),
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"Host: {host}" for host in (hosts if hosts is not None else (f"127.0.0.1:{port}",))]
    lines += [f"Origin: {origin}" for origin in origins]
    return ("\r\n".join([*lines, *extra]) + "\r\n\r\n").encode()


async def answer_to(port: int, request: bytes) -> tuple[bytes, bytes]:
    """Head and body; ends at the head where the socket was upgraded."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(60):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as cut:
                return cut.partial, b""
            return head, b"" if b" 101 " in head else await reader.read()
    finally:
        writer.close()


async def test_the_extension_s_own_origin_host_and_path_open_the_gate(world: World) -> None:
    head, _ = await answer_to(world.port, upgrade(world.port))
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"server:" not in head.lower()


@pytest.mark.parametrize(
    "origins",
    [
        (),
        ("null",),
        ("https://evil.example",),
        ("https://flow.google.com",),
        (f"chrome-extension://{OTHER_ID}",),
        (f"{ORIGIN}.evil.example",),
        (f"{ORIGIN}/",),
        (ORIGIN.upper(),),
        (f"chrome-extension://{EXTENSION_ID.upper()}",),
        (ORIGIN[:-1],),
        (ORIGIN, ORIGIN),
        (ORIGIN, "https://evil.example"),
        (f"{ORIGIN}, https://evil.example",),
    ],
)
async def test_any_other_origin_is_refused_without_a_word(
    world: World, origins: tuple[str, ...]
) -> None:
    head, body = await answer_to(world.port, upgrade(world.port, origins=origins))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert body == b""
    assert b"access-control" not in head.lower()
    assert b"server:" not in head.lower()


async def test_where_another_extension_is_set_that_one_is_let_in_and_no_other(world: World) -> None:
    world.extension_id = OTHER_ID
    await world.lead(port=0)
    other = f"chrome-extension://{OTHER_ID}"
    for origins, status in [((other,), 101), ((ORIGIN,), 403), ((other, ORIGIN), 403)]:
        head, _ = await answer_to(world.port, upgrade(world.port, origins=origins))
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), origins


@pytest.mark.parametrize(
    "hosts",
    [
        (),
        ("evil.example:{port}",),
        ("localhost:{port}",),
        ("127.0.0.1",),
        ("127.0.0.1:1",),
        ("[::1]:{port}",),
        ("127.0.0.1:{port}", "127.0.0.1:{port}"),
        ("127.0.0.1:{port}", "evil.example"),
    ],
)
async def test_any_other_host_is_refused_even_with_the_right_origin(
    world: World, hosts: tuple[str, ...]
) -> None:
    named = tuple(host.format(port=world.port) for host in hosts)
    head, body = await answer_to(world.port, upgrade(world.port, hosts=named))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert body == b""


@pytest.mark.parametrize("path", ["/", "/ext/", "/ext?x=1", "/EXT", "//ext", "/ext/../ext"])
async def test_any_other_path_is_refused(world: World, path: str) -> None:
    head, body = await answer_to(world.port, upgrade(world.port, path=path))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert body == b""


async def test_a_rebinding_page_s_plain_get_learns_nothing(world: World) -> None:
    request = upgrade(world.port, path="/", origins=(), hosts=("evil.example",), extra=())
    head, body = await answer_to(world.port, request)
    assert head.startswith(b"HTTP/1.1 403 ")
    assert body == b""


async def test_a_plain_get_with_everything_right_is_not_explained_either(world: World) -> None:
    head, body = await answer_to(world.port, upgrade(world.port, extra=()))
    assert head.startswith(b"HTTP/1.1 403 ")
    assert body == b""


@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "HEAD"])
async def test_other_methods_get_no_cors_header_and_no_body(world: World, method: str) -> None:
    extra = ("Content-Type: text/plain", "Content-Length: 0")
    head, body = await answer_to(world.port, upgrade(world.port, method=method, extra=extra))
    assert b"access-control" not in head.lower()
    assert b" 101 " not in head and b" 200 " not in head
    assert b"FlowKit" not in head + body


async def test_a_refusal_leaves_no_traceback_and_none_of_the_caller_s_text_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await answer_to(world.port, upgrade(world.port, origins=("https://evil.example",)))
    await answer_to(world.port, b"\x00\xff not http at all\r\n\r\n")
    assert "evil" not in caplog.text
    assert "Traceback" not in caplog.text
    ours = [one for one in caplog.records if one.name.startswith("flowkit")]
    assert [one.getMessage() for one in ours] == ["refused a connection: wrong origin"]


async def test_the_port_is_open_on_ipv4_loopback_only(world: World) -> None:
    def listening(file: str) -> set[str]:
        rows = [line.split() for line in Path(file).read_text(encoding="ascii").splitlines()[1:]]
        return {row[1].split(":")[0] for row in rows if row[3] == "0A" and row[1].endswith(port)}

    if not Path("/proc/net/tcp").exists():
        pytest.skip("reads /proc/net")
    port = f":{world.port:04X}"
    assert listening("/proc/net/tcp") == {"0100007F"}
    if Path("/proc/net/tcp6").exists():
        assert listening("/proc/net/tcp6") == set()


async def test_a_port_in_use_is_reported_and_its_owner_left_alone(world: World) -> None:
    await world.pair()
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port} .* in use by another program"):
            await world.lead(port=port)
        socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(Conflict):
        await world.lead(port=world.port)
    assert len(world.host.profiles) == 1


async def test_a_fifth_stranger_costs_the_oldest_its_place(world: World) -> None:
    world.patience = Patience(handshake_s=60)  # so that none of them is closed for its silence
    await world.lead(port=0)
    async with bare(world.port) as oldest:
        others = [bare(world.port) for _ in range(MAX_STRANGERS)]
        for one in others:
            await one.__aenter__()
        assert await oldest.closed() == 1006
        for one in others:
            await one.__aexit__(None, None, None)


async def test_a_flood_of_silent_sockets_does_not_lock_the_extension_out(world: World) -> None:
    world.patience = Patience(handshake_s=60)  # so that none of them is closed for its silence
    await world.lead(port=0)
    flood = [
        await asyncio.open_connection("127.0.0.1", world.port) for _ in range(MAX_OPENING + 40)
    ]
    async with asyncio.timeout(60):
        for reader, _ in flood[:40]:
            await reader.read()
    browser, _ = await world.pair()
    assert world.host.instance == browser.instance
    for _, writer in flood:
        writer.close()


async def test_a_socket_that_says_nothing_is_closed_as_too_slow(world: World) -> None:
    async with bare(world.port) as extension:
        world.later(HANDSHAKE_LIMIT_S)
        assert await extension.closed() == 4008
    world.patience = Patience(handshake_s=0.2)
    await world.lead(port=0)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


async def test_a_frame_over_4_kib_before_the_proof_ends_the_connection(world: World) -> None:
    async with bare(world.port) as extension:
        await extension.send(" " * 4097)
        assert await extension.closed() == 1009


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x01",
        GOOD_HELLO.encode(),
        f'{GOOD_HELLO[:-1]},"etc":1}}',
        "{",
        "[]",
        "null",
        "[" * 4000,
        '{"type":"nonsense"}',
        '{"type":"hello","protocol":1,"instance":"../../etc","nonce":"00"}',
        '{"type":"event","flow":{}}',
        '{"type":"result","id":"x","ok":true,"status":200,"body":"x"}',
        '{"type":"found","id":"x","standing":"never_received"}',
        '{"type":"ping","at":1}',
    ],
)
async def test_anything_but_a_hello_closes_4001_with_one_log_line(
    world: World, frame: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="flowkit.bridge")
    async with bare(world.port) as extension:
        await extension.send(frame)
        assert await extension.closed() == 4001
    lines = [one for one in caplog.records if one.name == "flowkit.bridge"]
    assert len(lines) == 1
    assert lines[0].exc_info is None
    assert "etc" not in lines[0].getMessage()


async def test_bytes_that_are_no_text_end_the_connection_quietly(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with bare(world.port) as extension:
        await extension.link.send(b"\xff\xfe", text=True)
        assert await extension.closed() in {1007, 4001}
    assert "Traceback" not in caplog.text
