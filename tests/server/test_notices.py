"""A client that listens to a resource is told when it changes, in both eras, whoever changed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from fake_provider import FakeProvider
from mcp import Client, MCPError
from mcp.types import ResourceUpdatedNotification
from talk import Talk

from flowkit_mcp.app import FlowKit
from flowkit_mcp.errors import LibraryTrouble
from flowkit_mcp.sdk.project import Project
from flowkit_mcp.server import server as server_module
from flowkit_mcp.server.notices import Notices

PATIENCE_S = 60.0
Next = Callable[[], Awaitable[str]]


async def _within(coming: Awaitable[str]) -> str:
    return await asyncio.wait_for(coming, PATIENCE_S)  # type: ignore[arg-type]


@asynccontextmanager
async def listening(kit: FlowKit, mode: str, *uris: str) -> AsyncGenerator[tuple[Client, Next]]:
    """A client that is told of these addresses, each in the way of its era; `next` is the next one it is told of."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.put_nowait(str(message.params.uri))

    async def told() -> str:
        return await _within(heard.get())

    server = server_module.build(kit.settings, kit=kit)
    async with Client(server, mode=mode, message_handler=hear, read_timeout_seconds=60) as client:
        if mode == "legacy":
            for uri in uris:
                await client.session.subscribe_resource(uri)
            yield client, told
            return
        async with client.listen(resource_subscriptions=uris) as stream:

            async def first() -> str:
                return (await anext(stream)).uri  # type: ignore[union-attr]

            async def streamed() -> str:
                return await _within(first())

            yield client, streamed


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[Notices]:
    """The notices of every server that is built, to look at."""
    made: list[Notices] = []

    class Kept(Notices):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(server_module, "Notices", Kept)
    return made


pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")


async def test_a_change_is_told_and_other_addresses_stay_silent(kit: FlowKit, mode: str) -> None:
    fox = await Project.create(kit, "Fox")
    crow = await Project.create(kit, "Crow")
    uri = f"flowkit://project/{fox.id}"
    async with listening(kit, mode, uri, f"flowkit://project/{crow.id}") as (client, told):
        await client.call_tool("update_project", {"project": "Fox", "style": "ink"})
        assert await told() == uri
        await client.call_tool("add_video", {"project": "Fox", "title": "Film"})
        assert await told() == uri


async def test_a_change_by_another_process_is_told_too(
    kit: FlowKit, mode: str, provider: FakeProvider
) -> None:
    """Another library object is another set of connections: what it writes is not seen by events of this one."""
    async with listening(kit, mode, "flowkit://projects") as (_, told):
        async with FlowKit.open(kit.settings, provider=provider) as other:
            await Project.create(other, "From elsewhere")
        assert await told() == "flowkit://projects"


async def test_a_job_tells_of_its_steps(talk: Talk, kit: FlowKit, mode: str) -> None:
    await talk.production(scenes=1)
    await talk.images()
    talk.provider.looks_until_done = 10**9
    started = await talk.do("generate_video", video="Film", missing=True)
    uri = f"flowkit://job/{started['jobs'][0]['job']}"
    async with listening(kit, mode, uri) as (client, told):
        talk.provider.looks_until_done = 1
        while True:
            assert await told() == uri
            held = (await client.read_resource(uri)).contents[0].text
            if '"succeeded"' in held:
                break


async def test_nothing_runs_while_nobody_listens(
    kit: FlowKit, mode: str, quiet: list[Notices]
) -> None:
    await Project.create(kit, "Fox")
    async with listening(kit, mode) as (client, _):
        await client.read_resource("flowkit://projects")
        assert not quiet[0].watching
    async with listening(kit, mode, "flowkit://projects") as (client, _):
        assert quiet[1].watching
        if mode == "legacy":
            await client.session.unsubscribe_resource("flowkit://projects")
            assert not quiet[1].watching
    assert not quiet[1].watching


async def test_a_new_project_changes_the_list_of_resources(kit: FlowKit) -> None:
    server = server_module.build(kit.settings, kit=kit)
    async with Client(server) as client, client.listen(resources_list_changed=True) as stream:
        await Project.create(kit, "Fox")
        with anyio.fail_after(PATIENCE_S):
            assert type(await anext(stream)).__name__ == "ResourcesListChanged"
        listed = (await client.list_resources()).resources
        assert "Fox" in [one.name for one in listed]


async def test_an_address_that_leads_nowhere_cannot_be_subscribed_to(kit: FlowKit) -> None:
    async with listening(kit, "legacy") as (client, _):
        with pytest.raises(MCPError, match="no resource"):
            await client.session.subscribe_resource("flowkit://job/4711")


async def test_a_client_that_cannot_be_reached_is_forgotten(kit: FlowKit) -> None:
    held = ["one"]

    async def look(_kit: FlowKit, _address: str) -> str:
        return held[-1]

    called = asyncio.Event()

    async def gone(_address: str) -> None:
        called.set()
        raise ConnectionError("gone")

    notices = Notices(look)
    await notices.subscribe(kit, 1, "flowkit://projects", gone)
    await notices.subscribe(kit, 1, "flowkit://status", gone)
    held.append("two")
    await Project.create(kit, "Fox")
    await asyncio.wait_for(called.wait(), PATIENCE_S)
    await asyncio.sleep(0)  # back in the watching task, which now forgets this client
    assert not notices.watching
    await notices.aclose()


async def test_a_look_that_fails_ends_no_notices(
    kit: FlowKit, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither for others nor for what could not be read just then: it is read again, without another change."""
    held, failed = {"broken": "one", "sound": "one"}, asyncio.Event()
    unreadable: set[str] = set()
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def look(_kit: FlowKit, address: str) -> str:
        if address in unreadable:
            failed.set()
            raise OSError("the disk is away")
        return held[address]

    async def tell(address: str) -> None:
        heard.put_nowait(address)

    notices = Notices(look)
    for address in held:
        await notices.subscribe(kit, 1, address, tell)
    unreadable.add("broken")
    held.update(broken="two", sound="two")
    await Project.create(kit, "Fox")
    assert await _within(heard.get()) == "sound"
    assert failed.is_set()
    unreadable.clear()
    assert await _within(heard.get()) == "broken"
    (logged,) = [one for one in caplog.records if one.name == "flowkit.server"]  # once
    assert logged.exc_info is not None
    await notices.aclose()


async def test_a_database_that_cannot_be_watched_for_a_while_is_watched_again(
    kit: FlowKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    held, watched, changed = ["one"], asyncio.Event(), kit.db.changed

    async def look(_kit: FlowKit, _address: str) -> str:
        return held[-1]

    async def tell(address: str) -> None:
        heard.put_nowait(address)

    async def trouble(since: int, timeout: float | None = None) -> int:
        task = asyncio.current_task()
        if task is None or task.get_name() != "notices":  # the leader waits as well
            return await changed(since, timeout)
        monkeypatch.setattr(kit.db, "changed", changed)
        watched.set()
        raise LibraryTrouble("the database is locked")

    monkeypatch.setattr(kit.db, "changed", trouble)
    notices = Notices(look)
    await notices.subscribe(kit, 1, "flowkit://projects", tell)
    await asyncio.wait_for(watched.wait(), PATIENCE_S)
    held.append("two")
    await Project.create(kit, "Fox")
    assert await _within(heard.get()) == "flowkit://projects"
    await notices.aclose()


async def test_who_leaves_while_being_let_in_is_not_listened_for(kit: FlowKit) -> None:
    looking = asyncio.Event()

    async def look(_kit: FlowKit, address: str) -> str:
        if address == "slow":
            looking.set()
            await asyncio.Event().wait()
        return "one"

    async def tell(_address: str) -> None:
        raise AssertionError("nobody is there")

    notices = Notices(look)

    async def listen() -> None:
        async with notices.listening(kit, ["quick", "slow"]):
            raise AssertionError("not let in yet")

    for coming in (listen(), notices.subscribe(kit, 1, "slow", tell)):
        looking.clear()
        entering = asyncio.create_task(coming)
        await asyncio.wait_for(looking.wait(), PATIENCE_S)
        entering.cancel()
        await asyncio.gather(entering, return_exceptions=True)
        assert not notices.watching
    async with notices.listening(kit, ["quick"]):
        assert notices.watching
    assert not notices.watching  # nothing is left that would still be wanted
    await notices.aclose()
