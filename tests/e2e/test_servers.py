"""Servers as clients start them: two at once on one library, and the newcomer's `serve --simulate`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from demo_run import environment, flowkit
from mcp import Client, StdioServerParameters

from flowkit_mcp.cli.ports import free_ports, taken

pytestmark = pytest.mark.e2e

PATIENCE_S = 60.0


class Place:
    """A library and two ports of its own."""

    def __init__(self, library: Path) -> None:
        self.bridge, self.simulator = free_ports(2)
        self.env = {
            "FLOWKIT_LIBRARY": str(library),
            "FLOWKIT_PORT": str(self.bridge),
            "FLOWKIT_SIMULATOR": f"http://127.0.0.1:{self.simulator}",
        }

    @asynccontextmanager
    async def client(self, *options: str) -> AsyncGenerator[Client]:
        server = StdioServerParameters(
            command=sys.executable, args=flowkit("serve", *options)[1:], env=self.env
        )
        async with Client(server) as client:
            yield client

    def server(self, *options: str) -> subprocess.Popen[str]:
        """A server whose client says nothing."""
        return subprocess.Popen(
            flowkit("serve", *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment(**self.env),
            encoding="utf-8",
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "library")


@pytest.fixture
def simulator(place: Place) -> Generator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        flowkit("simulate", "--port", str(place.simulator)),
        env=environment(**place.env),
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    yield process
    process.terminate()
    process.communicate(timeout=60)


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content or {}


async def ready(client: Client) -> dict[str, Any]:
    """`status` as soon as Flow is connected."""
    async with asyncio.timeout(PATIENCE_S):
        while not (told := await call(client, "status"))["ready"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        return told


async def draw_somebody(client: Client) -> None:
    """One picture through the whole stack, wherever the queue is worked."""
    await call(client, "create_project", name="Shared")
    cast = [{"name": "Ada", "description": "a fox in a blue coat"}]
    await call(client, "add_character", project="Shared", characters=cast)
    started = await call(client, "generate_image", project="Shared", characters=["Ada"])
    job = started["jobs"][0]["job"]
    while not (ended := await call(client, "wait", jobs=[job]))["done"]:
        pass
    assert ended["jobs"][0]["state"] == "succeeded", ended


async def until(true: Callable[[], bool]) -> None:
    """Another process makes it so; no event of ours can tell."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)


async def test_two_servers_on_one_library_both_answer_and_one_works(
    place: Place, simulator: subprocess.Popen[str]
) -> None:
    async with place.client() as one, place.client() as other:
        await ready(one)
        await ready(other)
        told = [(await call(client, "status"))["process"] for client in (one, other)]
        assert sorted("this process works the queue" == text for text in told) == [False, True]

        follower = other if told[0] == "this process works the queue" else one
        await draw_somebody(follower)
        leader = one if follower is other else other
        listed = await call(leader, "list_projects")
        assert [project["name"] for project in listed["projects"]] == ["Shared"]


async def test_a_follower_takes_over_when_the_one_that_works_is_killed(
    place: Place, simulator: subprocess.Popen[str]
) -> None:
    leader = place.server()
    try:
        await until(lambda: taken(place.bridge))
        async with place.client() as client:
            told = await ready(client)
            assert told["process"].startswith(f"process {leader.pid} works the queue")
            leader.kill()
            await draw_somebody(client)
            assert (await call(client, "status"))["process"] == "this process works the queue"
    finally:
        leader.kill()
        leader.communicate(timeout=60)


async def test_a_newcomer_needs_nothing_but_serve_simulate(place: Place) -> None:
    async with place.client("--simulate") as client:
        told = await ready(client)
        assert told["simulated"] is True
        assert told["credits"] == 1000
        assert taken(place.simulator)
    await until(lambda: not taken(place.simulator))


async def test_the_simulator_of_a_killed_server_ends_and_the_next_one_goes_on(place: Place) -> None:
    first = place.server("--simulate")
    try:
        await until(lambda: taken(place.simulator))
        async with place.client("--simulate") as client:
            await ready(client)
            first.kill()
            await draw_somebody(client)
    finally:
        first.kill()
        first.communicate(timeout=60)


def test_the_simulator_says_where_it_is_and_ends_when_told(
    place: Place, simulator: subprocess.Popen[str]
) -> None:
    assert simulator.stdout is not None
    first = simulator.stdout.readline()
    assert f"http://127.0.0.1:{place.simulator}" in first
    assert "SIMULATED" in first
    assert simulator.stdout.readline().split()[-1] == f"http://127.0.0.1:{place.simulator}/made"
    taken_port = subprocess.run(
        flowkit("simulate", "--port", str(place.simulator)),
        env=environment(**place.env),
        capture_output=True,
        encoding="utf-8",
    )
    assert taken_port.returncode == 1
    assert taken_port.stderr.startswith("CONFLICT: a simulator already runs on port")
