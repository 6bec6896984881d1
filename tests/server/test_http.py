"""`serve --http`: the same server over Streamable HTTP, for this machine alone."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.types import ElicitRequestParams, ElicitResult

from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.errors import Conflict, InvalidSetting
from flowkit_mcp.server.http import listen

PATIENCE_S = 60


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com", ""])
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    with pytest.raises(InvalidSetting, match="not this machine alone"):
        listen(host, 0)


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Conflict, match=f"port {port}"):
            listen("localhost", port)


async def test_small_answers_are_not_held_back() -> None:
    """With Nagle's algorithm each would wait 40 ms for the acknowledgement of the one before."""
    at_once: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted_one = writer.get_extra_info("socket")
        at_once.set_result(accepted_one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    with listen("127.0.0.1", 0) as bound:
        async with await asyncio.start_server(accepted, sock=bound):
            _, writer = await asyncio.open_connection(*bound.getsockname())
            assert await asyncio.wait_for(at_once, PATIENCE_S)
            writer.close()


@asynccontextmanager
async def serving(
    library: Path, *more: str
) -> AsyncGenerator[tuple[str, asyncio.subprocess.Process]]:
    """The command as a person runs it; gives its address."""
    (bridge,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flowkit_mcp", "serve", "--http", "--http-port", "0",
        "--library", str(library), "--port", str(bridge), *more,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            line = ""
            while "FlowKit listens on " not in line:
                line = (await process.stderr.readline()).decode()
                assert line, "it ended"
        yield line.split()[-1], process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.e2e
async def test_clients_of_both_eras_work_pages_are_refused_and_a_signal_ends_it(
    tmp_path: Path,
) -> None:
    async def agree(_context: object, _params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={})

    async with serving(tmp_path / "library") as (address, process):
        logs = tmp_path / "library" / ".flowkit" / "logs"  # it may work the queue
        assert [file.name for file in logs.iterdir()] == [f"flowkit-{process.pid}.log"]
        for mode in ("legacy", "auto"):
            async with Client(address, mode=mode, elicitation_callback=agree) as client:
                name = f"Fox {mode}"
                made = await client.call_tool("create_project", {"name": name})
                assert made.structured_content["project"]["name"] == name
                held = (await client.read_resource("flowkit://projects")).contents[0].text
                assert name in held
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        async with httpx2.AsyncClient() as web:
            for stranger, code in (
                ({"host": "evil.example"}, 421),
                ({"origin": "https://evil.example"}, 403),
                ({"origin": "http://localhost:1"}, 403),
            ):
                answer = await web.post(
                    address, content=json.dumps(call), headers=headers | stranger
                )
                assert answer.status_code == code, stranger
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
