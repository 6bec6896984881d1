"""What a three-scene film costs in tokens of tool results: a table per call, against the bound of 15,000.

    python benchmarks/tokens.py

A client makes the film as an agent would, upright and wide, through `serve --simulate`: plan, cast, pictures, a
review, clips, another review, the cut, the thumbnail. Counted is what a model is shown of each result: its text, the
links, and pictures at width x height / 750. No tokenizer is at hand for every model, so text is counted at 3 bytes a
token, which is more than JSON takes with the usual ones (3.3 to 4). Exits with 1 if the bound is missed.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import socket
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, ElicitResult, ImageContent, ResourceLink, TextContent
from PIL import Image

MOST = 15_000
BYTES_A_TOKEN = 3
PIXELS_A_TOKEN = 750

SCENES = [
    {"prompt": "Mai climbs the lighthouse stairs with a lantern", "characters": ["Mai", "Pier"]},
    {
        "prompt": "Bolt the robot waves from the pier",
        "characters": ["Bolt", "Pier"],
        "continues": "previous",
    },
    {
        "prompt": "Mai and Bolt light the lamp together",
        "characters": ["Mai", "Bolt"],
        "continues": "previous",
    },
]
CAST = [
    {"name": "Mai", "description": "a girl of nine in a yellow raincoat"},
    {"name": "Bolt", "description": "a small rusty robot with one round eye"},
    {
        "name": "Pier",
        "entity_type": "location",
        "description": "a wooden pier under a white lighthouse",
    },
]


def tokens(result: CallToolResult) -> int:
    """What a model is shown of it."""
    counted = 0
    for block in result.content:
        if isinstance(block, TextContent):
            counted += -(-len(block.text.encode()) // BYTES_A_TOKEN)
        elif isinstance(block, ResourceLink):
            shown = f"[Resource link: {block.name}] {block.uri}"
            counted += -(-len(shown.encode()) // BYTES_A_TOKEN)
        elif isinstance(block, ImageContent):
            with Image.open(io.BytesIO(base64.b64decode(block.data))) as picture:
                counted += picture.width * picture.height // PIXELS_A_TOKEN
        else:
            counted += -(-len(block.model_dump_json()) // BYTES_A_TOKEN)
    return counted


class Film:
    """The calls, and what each result took."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.rows: list[tuple[str, int]] = []

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self._client.call_tool(tool, arguments)
        self.rows.append((tool, tokens(result)))
        if result.is_error:
            raise SystemExit(f"{tool}: {result.content}")
        return result.structured_content or {}

    async def settle(self) -> None:
        while not (await self.call("wait"))["done"]:
            pass

    async def all_of(self, tool: str) -> None:
        """Every round that an agent needs, each with its waiting."""
        while (await self.call(tool, video="Lamp", missing=True))["jobs"]:
            await self.settle()

    async def make(self) -> None:
        while not (await self.call("status"))["ready"]:
            self.rows.pop()  # an agent would be told once
            await asyncio.sleep(0.5)
        await self.call("create_project", name="Harbour", style="hand-painted, warm light")
        await self.call("add_character", project="Harbour", characters=CAST)
        await self.call("add_video", project="Harbour", title="Lamp")
        await self.call("add_scene", video="Lamp", scenes=SCENES)
        await self.call("check_plan", video="Lamp")
        await self.all_of("generate_image")
        await self.call("get_project", project="Harbour")
        await self.call("review", video="Lamp")
        await self.all_of("generate_video")
        await self.call("review", video="Lamp")
        await self.call("merge", video="Lamp")
        await self.settle()
        await self.call("thumbnail", video="Lamp", title="The Lamp")
        await self.call("get_project", project="Harbour")


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


async def measure(library: Path) -> list[tuple[str, int]]:
    async def agree(_context: Any, _params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={})

    env = {**os.environ, "FLOWKIT_SIMULATOR": f"http://127.0.0.1:{_port()}"}
    arguments = ["-m", "flowkit_mcp", "serve", "--simulate", "--library", str(library)]
    server = StdioServerParameters(
        command=sys.executable, args=[*arguments, "--port", str(_port())], env=env
    )
    async with Client(server, elicitation_callback=agree, read_timeout_seconds=120) as client:
        film = Film(client)
        await film.make()
        return film.rows


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder) / "library"))
    by_tool: dict[str, list[int]] = defaultdict(list)
    for tool, count in rows:
        by_tool[tool].append(count)
    print(f"{'tool':18}{'calls':>6}{'tokens':>8}{'largest':>9}")
    for tool, counts in by_tool.items():
        print(f"{tool:18}{len(counts):6}{sum(counts):8}{max(counts):9}")
    total = sum(count for _, count in rows)
    print(f"{'in all':18}{len(rows):6}{total:8}   of {MOST}")
    print(json.dumps({"tokens": total, "bound": MOST, "calls": len(rows)}))
    return int(total >= MOST)


if __name__ == "__main__":
    sys.exit(main())
