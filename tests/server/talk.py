"""A person with a client, talking to the server in memory as an agent would."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fake_provider import FakeProvider
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult

from flowkit_mcp.app import FlowKit
from flowkit_mcp.server.server import build


@dataclass
class Person:
    """Answers what the client shows; `answer` is accept, decline or cancel."""

    answer: str = "accept"
    asked: list[ElicitRequestParams] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None  #: happens while the question is open

    async def __call__(self, _context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params)
        if self.meanwhile is not None:
            await self.meanwhile()
        return ElicitResult(
            action=self.answer,  # type: ignore[arg-type]
            content={} if self.answer == "accept" else None,
        )

    @property
    def questions(self) -> list[str]:
        return [params.message for params in self.asked]


@dataclass
class Talk:
    """One client session. `do` expects success and returns the structured half, `fail` the text of the error."""

    client: Client
    kit: FlowKit
    provider: FakeProvider
    person: Person

    async def call(self, name: str, /, **arguments: Any) -> CallToolResult:
        return await self.client.call_tool(name, arguments)

    async def do(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        result = await self.call(name, **arguments)
        assert not result.is_error, result.content[0].text
        assert result.structured_content is not None
        # each half stands alone: the text says all that the structured half says
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    async def fail(self, name: str, /, **arguments: Any) -> str:
        result = await self.call(name, **arguments)
        assert result.is_error, result.content[0].text
        return result.content[0].text

    # ---- steps that many tests need ------------------------------------------------------------

    async def account_seen(self) -> None:
        version = await self.kit.db.version()
        while (state := await self.kit.provider_state()) is None or state.account is None:
            version = await self.kit.db.changed(version, 5)

    async def production(self, *, scenes: int = 2, orientation: str = "VERTICAL") -> None:
        """Project "Fox" with Mai, video "Film" with scenes that do not continue each other."""
        await self.account_seen()
        await self.do("create_project", name="Fox")
        await self.do("add_character", project="Fox", characters=[{"name": "Mai"}])
        await self.do("add_video", project="Fox", title="Film", orientation=orientation)
        drafts = [{"prompt": f"Mai does thing {n}"} for n in range(1, scenes + 1)]
        await self.do("add_scene", video="Film", scenes=drafts)

    async def images(self) -> None:
        await self.do("generate_image", video="Film", missing=True)
        assert (await self.do("wait"))["done"]

    async def clips(self) -> None:
        await self.images()
        await self.do("generate_video", video="Film", missing=True)
        assert (await self.do("wait"))["done"]


@asynccontextmanager
async def talking(
    kit: FlowKit, provider: FakeProvider, mode: str, *, can_ask: bool = True
) -> AsyncGenerator[Talk]:
    """`mode`: `legacy` or `auto`, the two protocol eras."""
    person = Person()
    async with Client(
        build(kit.settings, kit=kit),
        mode=mode,
        elicitation_callback=person if can_ask else None,
        read_timeout_seconds=60,
    ) as client:
        yield Talk(client, kit, provider, person)
