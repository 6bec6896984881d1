"""The demo's end of the protocol: an MCP client, and the server as a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp.client.stdio import stdio_client
from mcp.types import CONNECTION_CLOSED, ElicitRequestParams, ElicitResult, TextContent

from flowkit_mcp.config import Settings
from flowkit_mcp.errors import FlowKitError

Say = Callable[[str], None]

#: Handed on because the SDK starts servers with almost no environment.
_HANDED_ON = ("PYTHONPATH", "FLOWKIT_FFMPEG", "TMPDIR", "LANG")


class ServerLost(Exception):
    """The server process has ended in the middle of a call, or did not come up."""


class DemoFailed(FlowKitError):
    """A tool said no; the message holds its words."""

    code = "DEMO_FAILED"
    default_hint = (
        "Run flowkit-mcp doctor, then the same command again: it goes on where it stopped."
    )


class Tools:
    """Calls tools, and nothing else. Made by `connect`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings, log: Path, say: Say) -> AsyncGenerator[Tools]:
        """Start a server for this library and end it afterwards; what it logs goes to a file."""
        env = {name: os.environ[name] for name in _HANDED_ON if name in os.environ} | {
            "FLOWKIT_LIBRARY": str(settings.library),
            "FLOWKIT_PORT": str(settings.port),
            "FLOWKIT_SIMULATOR": settings.simulator or "",
        }
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "flowkit_mcp", "serve"], env=env
        )

        async def answer(
            context: ClientRequestContext, params: ElicitRequestParams
        ) -> ElicitResult:
            say("FlowKit asks the person:")
            for line in params.message.splitlines():
                say(f"  | {line}")
            say("  The demo agrees: simulated credits are free.")
            return ElicitResult(action="accept", content={})

        with log.open("a", encoding="utf-8") as errors:
            transport = stdio_client(server, errlog=errors)
            async with Client(transport, elicitation_callback=answer) as client:
                yield cls(client)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured result of one tool call.

        Raises:
            DemoFailed: the tool said no.
            ServerLost: there is nobody there any more.
        """
        try:
            result = await self._client.call_tool(tool, arguments)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise ServerLost from error
            raise DemoFailed(f"{tool}: {error.message}") from error
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise ServerLost from error
        if result.is_error:
            words = " ".join(
                block.text for block in result.content if isinstance(block, TextContent)
            )
            raise DemoFailed(f"{tool} answered {words}")
        return result.structured_content or {}
