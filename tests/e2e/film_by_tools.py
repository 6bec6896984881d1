"""A short film by tool calls alone, for any client: what an agent would do with `serve --simulate`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import ElicitRequestParams, ElicitResult

from flowkit_mcp.cli.ports import free_ports

SCENES = [
    {"prompt": "Mai lights a lamp on a pier at dusk", "characters": ["Mai"]},
    {"prompt": "Mai looks out to the sea", "characters": ["Mai"], "continues": "previous"},
]
#: (tool, arguments) of the making; each is called until it starts nothing more.
MAKING: list[tuple[str, dict[str, Any]]] = [
    ("generate_image", {"video": "Lamp", "missing": True}),
    ("generate_video", {"video": "Lamp", "missing": True}),
]


def server(library: Path) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a server with a simulator of its own."""
    bridge, simulator = free_ports(2)
    command = [
        sys.executable, "-m", "flowkit_mcp", "serve", "--simulate", "--library", str(library),
        "--port", str(bridge),
    ]  # fmt: skip
    kept = ("PATH", "TMPDIR", "HOME", "PYTHONPATH", "FLOWKIT_FFMPEG", "LANG")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    return command, env | {"FLOWKIT_SIMULATOR": f"http://127.0.0.1:{simulator}"}


def stdio(command: list[str], env: dict[str, str]) -> StdioServerParameters:
    return StdioServerParameters(command=command[0], args=command[1:], env=env)


@dataclass
class Person:
    """Says yes to every price, and remembers what was asked."""

    asked: list[str] = field(default_factory=list)

    async def __call__(self, _context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params.message)
        return ElicitResult(action="accept", content={})


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content[0].text  # type: ignore[union-attr]
    assert result.structured_content is not None
    return result.structured_content


async def settle(client: Client) -> None:
    """Until nothing moves."""
    while not (await call(client, "wait", max_wait_s=20))["done"]:
        pass


async def planned(client: Client) -> None:
    """The browser is there, and the film is written down."""
    while not (seen := await call(client, "status"))["ready"]:
        assert seen["simulated"]
        await call(client, "wait", max_wait_s=1)
    await call(client, "create_project", name="Harbour", style="ink and wash")
    mai = [{"name": "Mai", "description": "a girl in a yellow raincoat"}]
    await call(client, "add_character", project="Harbour", characters=mai)
    await call(client, "add_video", project="Harbour", title="Lamp", orientation="VERTICAL")
    await call(client, "add_scene", video="Lamp", scenes=SCENES)


async def made(client: Client, tool: str, arguments: dict[str, Any]) -> None:
    """Everything that this tool can make, however many calls that takes."""
    while True:
        told = await call(client, tool, **arguments)
        await settle(client)
        if not told["jobs"] and not told.get("not_ready"):
            return


async def joined(client: Client) -> Path:
    """The film."""
    await call(client, "merge", video="Lamp")
    await settle(client)
    view = await call(client, "get_project", project="Harbour")
    (film,) = view["videos"][0]["films"]
    return Path(film["path"])
