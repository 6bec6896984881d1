from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from fake_provider import FakeProvider
from talk import Talk, talking

from flowkit_mcp.app import FlowKit


@pytest.fixture(params=["legacy", "auto"])
def mode(request: pytest.FixtureRequest) -> str:
    """Both protocol eras."""
    return request.param


@pytest.fixture
async def talk(kit: FlowKit, provider: FakeProvider, mode: str) -> AsyncGenerator[Talk]:
    async with _in_one_task(talking(kit, provider, mode)) as talk:
        yield talk


@pytest.fixture
async def silent_talk(kit: FlowKit, provider: FakeProvider, mode: str) -> AsyncGenerator[Talk]:
    """A client that cannot ask its person anything."""
    async with _in_one_task(talking(kit, provider, mode, can_ask=False)) as talk:
        yield talk


@asynccontextmanager
async def _in_one_task(session: AbstractAsyncContextManager[Talk]) -> AsyncGenerator[Talk]:
    """pytest-asyncio sets up and tears down in different tasks, which the client's task group does not allow."""
    opened: asyncio.Future[Talk] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def hold() -> None:
        async with session as talk:
            opened.set_result(talk)
            await over.wait()

    holding = asyncio.create_task(hold())
    await asyncio.wait({holding, opened}, return_when=asyncio.FIRST_COMPLETED)
    if holding.done():
        await holding
    try:
        yield opened.result()
    finally:
        over.set()
        await holding
