"""The leader's line to the browser: the panel's queue, what is seen of the browser, free calls that prove it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from bridge_world import INSTANCE, SIMULATED, BareExtension, bare

from flowkit_mcp import FlowKit, Settings
from flowkit_mcp.bridge.host import BridgeHost
from flowkit_mcp.bridge.pairing import PairingBook, profile_key
from flowkit_mcp.bridge.protocol import (
    Call,
    CallError,
    Event,
    FlowState,
    Pause,
    Phase,
    PhaseNote,
    Queue,
    QueuedJob,
    Result,
    Welcome,
    Withdraw,
)
from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Checks, Gate
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.errors import LibraryTrouble, Transient
from flowkit_mcp.providers.flow.drift import Check
from flowkit_mcp.store import jobs, operations
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.migrate import migrate
from flowkit_mcp.work import contact
from flowkit_mcp.work.connection import FRESH_MS, Connection, connection, facts_trouble, look
from flowkit_mcp.work.contact import PORT_TAKEN, Contact

CLOCK = Clock()


@dataclass
class ScriptedFlow:
    """Answers as told."""

    name: str = "flow"
    account_label: str | None = "simulated:demo"
    checked: int = 0
    probed: int = 0
    trouble: Exception | None = None
    #: What it waits for before it answers.
    answering: asyncio.Event | None = None
    calls: list[Check] = field(
        default_factory=lambda: [Check(call="account.credits", state="ok", message="")]
    )

    async def self_check(self) -> list[Check]:
        self.checked += 1
        if self.answering is not None:
            await self.answering.wait()
        return self.calls

    async def probe(self) -> None:
        self.probed += 1
        if self.answering is not None:
            await self.answering.wait()
        if self.trouble is not None:
            raise self.trouble


@dataclass
class Line:
    db: Database
    flow: ScriptedFlow
    extension: BareExtension
    host: BridgeHost

    async def checks(self, true: Callable[[Checks], object]) -> Checks:
        """What the leader wrote down, once it is so."""
        async with asyncio.timeout(60):
            version = await self.db.version()
            while True:
                state = await operations.provider_state(self.db, "flow")
                if state is not None and state.checks is not None and true(state.checks):
                    return state.checks
                version = await self.db.changed(version, 0.05)

    async def connection(self, *, later_ms: int = 0) -> Connection:
        state = await operations.provider_state(self.db, "flow")
        now = CLOCK.now() + later_ms
        return connection(state, led=True, paired=1, simulated=True, now=now)

    async def report(self, **changes: object) -> Connection:
        """The browser tells a new state of Flow; what is then said of it."""
        flow = FlowState.model_validate(SIMULATED.model_dump() | changes)
        await self.extension.send(Event(flow=flow))
        wanted = (flow.tab, flow.signed_in, flow.lane, flow.person_needed)
        await self.checks(
            lambda found: (
                (seen := found.browser) is not None
                and (seen.tab, seen.signed_in, seen.lane, seen.person_needed) == wanted
            )
        )
        return await self.connection()


@pytest.fixture
async def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Line]:
    """A library whose leader watches one connected browser."""
    monkeypatch.setattr(contact, "LOOK_EVERY_S", 0.01)
    book, flow = PairingBook(tmp_path / "pairing.json", CLOCK), ScriptedFlow()
    bound = asyncio.Event()
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        host = BridgeHost(
            port=0,
            book=book,
            clock=CLOCK,
            generation=1,
            version="1",
            library="test",
            simulated=True,
            changed=lambda: one.wake(),
        )
        one = Contact(db, CLOCK, host, flow, probe=flow.probe, version="1")
        running = asyncio.create_task(one.run())
        try:
            while not host.port:
                await asyncio.wait({asyncio.ensure_future(bound.wait())}, timeout=0.01)
            key = profile_key(book.issue_code(host.port).secret, INSTANCE)
            book.confirm(INSTANCE, key, "bare")
            async with bare(host.port) as extension:
                await extension.greet(key)
                assert isinstance(await extension.receive(), Welcome)
                assert await extension.receive() == Queue(jobs=[])
                yield Line(db, flow, extension, host)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await host.aclose()


async def enqueue(db: Database, action: str) -> int:
    request = Housekeeping.model_validate({"action": action, "project": "p", "title": "x"})
    async with db.transaction() as tx:
        job, _ = await jobs.enqueue(
            tx,
            now=CLOCK.now(),
            kind=request.kind,
            request=request.model_dump(mode="json"),
            fingerprint=request.fingerprint,
            provider="flow",
            priority=request.priority,
            credits_estimate=7,
        )
    return job.id


async def test_the_panel_is_told_what_is_open_and_why_nothing_is_sent(line: Line) -> None:
    id = await enqueue(line.db, "rename_project")
    shown = QueuedJob(id=id, what="Flow: rename project", state="queued", credits=7)
    assert await line.extension.receive() == Queue(jobs=[shown])
    async with line.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.PAUSED, now=1, message="Flow is busy")
    assert await line.extension.receive() == Queue(jobs=[shown], paused_reason="Flow is busy")


async def test_a_cancelled_job_s_call_is_taken_back_while_the_person_is_still_asked(
    line: Line,
) -> None:
    id = await enqueue(line.db, "rename_project")
    await line.extension.receive()  # the queue
    async with line.db.transaction() as tx:
        (job,) = await jobs.claim(
            tx, now=CLOCK.now(), generation=1, readable=["flow"], payable=["flow"], limit=1
        )
        await operations.intend(
            tx,
            job,
            account="a",
            client_ref="op-1",
            via=INSTANCE,
            brief={},
            estimate=7,
            before=None,
            now=1,
            next_submit_at=1,
        )
    await line.extension.receive()  # the queue, with the job at work
    call = asyncio.create_task(
        line.host.call("image.generate", {}, lane="batchexecute", paid=True, timeout_s=5, id="op-1")
    )
    assert isinstance(await line.extension.receive(), Call)
    await line.extension.send(PhaseNote(id="op-1", phase=Phase.ASKING))
    async with line.db.transaction() as tx:
        await jobs.request_cancel(tx, id, CLOCK.now())
    assert await line.extension.receive() == Withdraw(id="op-1")
    taken_back = CallError(code="WITHDRAWN", sent=False)
    await line.extension.send(Result(id="op-1", ok=False, error=taken_back))
    assert (await call).error == taken_back


async def test_at_first_contact_flow_is_asked_once_whether_it_answers_as_expected(
    line: Line,
) -> None:
    found = (await line.checks(lambda found: found.self_check and found.answer)).self_check
    assert found is not None
    assert (found.lane, found.account, found.version) == ("batchexecute", "simulated:demo", "1")
    assert [call.model_dump() for call in found.calls] == [
        {"call": "account.credits", "state": "ok", "message": ""}
    ]
    assert (await line.report(page_loads=7)).fine
    await line.extension.send(Pause(paused=True))
    await line.checks(lambda found: found.browser and found.browser.paused)
    assert (line.flow.checked, line.flow.probed) == (1, 1)


async def test_another_lane_and_another_account_are_checked_anew(line: Line) -> None:
    await line.checks(lambda found: found.self_check)
    await line.report(lane="labs")
    await line.checks(lambda found: found.self_check and found.self_check.lane == "labs")
    line.flow.account_label = "simulated:other"
    await line.report(page_loads=9)
    await line.checks(
        lambda found: found.self_check and found.self_check.account == "simulated:other"
    )
    assert line.flow.checked == 3


async def test_an_account_that_changes_while_it_is_checked_is_checked_at_once(line: Line) -> None:
    await line.checks(lambda found: found.self_check)
    line.flow.answering = asyncio.Event()
    await line.report(lane="labs")
    line.flow.account_label = "simulated:other"
    await line.extension.send(Event(flow=SIMULATED.model_copy(update={"lane": "labs"})))
    await line.checks(lambda found: found.browser and found.browser.account == "simulated:other")
    line.flow.answering.set()
    await line.checks(
        lambda found: found.self_check and found.self_check.account == "simulated:other"
    )


async def test_a_look_that_began_before_flow_answered_does_not_ask_it_again(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    await line.checks(lambda found: found.answer and found.self_check)
    monkeypatch.setattr("flowkit_mcp.work.connection.FRESH_MS", -1)
    line.flow.answering = asyncio.Event()
    asking = asyncio.create_task(look(line.db, CLOCK, "flow", 30))
    async with asyncio.timeout(30):
        while line.flow.probed < 2:
            await line.extension.heard()
    queue_shown, looking, on = contact.queue_shown, asyncio.Event(), asyncio.Event()

    async def slowly(*about: Any) -> Queue:
        looking.set()
        await on.wait()
        return await queue_shown(*about)

    monkeypatch.setattr(contact, "queue_shown", slowly)
    await line.extension.send(Pause(paused=True))
    await looking.wait()
    line.flow.answering.set()
    await asking
    on.set()
    await line.checks(lambda found: found.browser and found.browser.paused)
    await line.report(tab="loading")
    assert line.flow.probed == 2


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"tab": "none"}, "no_tab"),
        ({"tab": "loading"}, "tab_loading"),
        ({"tab": "discarded"}, "tab_asleep"),
        ({"signed_in": False}, "signed_out"),
        ({"lane": None}, "wrong_lane"),
        ({"person_needed": "a captcha"}, "person_needed"),
        ({"person_needed": "Out of date.\nReload.", "signed_in": False}, "person_needed"),
    ],
)
async def test_what_the_browser_lacks_is_named_with_the_next_step(
    line: Line, changes: dict[str, object], state: str
) -> None:
    await line.checks(lambda found: found.answer)
    said = await line.report(**changes)
    assert said.state == state and said.next and "'bare'" in said.what


async def test_what_only_the_browser_can_tell_is_told_in_its_words(line: Line) -> None:
    await line.checks(lambda found: found.answer)
    said = await line.report(person_needed="Out of date.\nReload the tab.", signed_in=False)
    assert said.what.endswith("a person is needed: Out of date")
    assert said.next == "Reload the tab."


async def test_ready_is_said_only_after_an_answer_within_the_last_minute(line: Line) -> None:
    await line.checks(lambda found: found.answer)
    assert (await line.connection()).state == "ready"
    assert (await line.connection(later_ms=FRESH_MS + 1000)).state == "unproved"


async def test_a_look_asks_flow_now_and_its_trouble_is_told(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    await line.checks(lambda found: found.answer)
    await look(line.db, CLOCK, "flow", 5)
    assert line.flow.probed == 1  # that answer is fresh enough
    monkeypatch.setattr("flowkit_mcp.work.connection.FRESH_MS", -1)
    line.flow.trouble = Transient("Flow did not answer in time")
    await look(line.db, CLOCK, "flow", 5)
    assert line.flow.probed == 2
    said = await line.connection()
    assert said.state == "no_answer" and said.what.endswith("did not answer in time")
    assert said.next == "FlowKit tries again by itself."


async def test_a_pause_by_the_person_is_told(line: Line) -> None:
    await line.checks(lambda found: found.answer)
    await line.extension.send(Pause(paused=True))
    await line.checks(lambda found: found.browser and found.browser.paused)
    said = await line.connection()
    assert said.state == "paused" and "Resume" in said.next, "the button's own word"


async def test_what_could_not_be_written_for_a_while_is_written_afterwards(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    await line.checks(lambda found: found.answer and found.self_check)
    monkeypatch.setattr(contact, "RETRY_S", 0.01)
    real = operations.set_check

    async def full(*_: object) -> None:
        monkeypatch.setattr(operations, "set_check", real)
        raise LibraryTrouble("the disk of the library is full")

    monkeypatch.setattr(operations, "set_check", full)
    assert (await line.report(signed_in=False)).state == "signed_out"
    id = await enqueue(line.db, "rename_project")
    shown = QueuedJob(id=id, what="Flow: rename project", state="queued", credits=7)
    assert await line.extension.receive() == Queue(jobs=[shown]), "the panel is told, too"


async def test_a_browser_that_left_is_not_shown_as_connected(line: Line) -> None:
    await line.checks(lambda found: found.browser)
    await line.extension.link.close()
    await line.checks(lambda found: found.browser is None)
    assert (await line.connection()).state == "away"


def test_without_a_leader_a_browser_or_a_pairing_the_next_step_is_another() -> None:
    def said(*, led: bool = True, paired: int = 0, simulated: bool = False) -> Connection:
        return connection(None, led=led, paired=paired, simulated=simulated, now=0)

    assert (said(led=False).state, said(led=False).fine) == ("no_server", False)
    assert (said().state, "flowkit-mcp pair" in said().next) == ("not_paired", True)
    assert (said(paired=2).state, "Chrome" in said(paired=2).next) == ("away", True)
    assert "simulate" in said(simulated=True).next


async def test_a_port_that_another_program_has_is_named_with_its_next_step(tmp_path: Path) -> None:
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        async with db.transaction() as tx:
            await operations.ensure_provider(tx, "flow", 1)
            await operations.set_gate(
                tx,
                "flow",
                Gate.BLOCKED,
                now=1,
                reason=PORT_TAKEN,
                message="port 5 is in use. Stop it.",
            )
        state = await operations.provider_state(db, "flow")
        said = connection(state, led=True, paired=1, simulated=False, now=1)
        assert said == Connection(state="port_taken", what="port 5 is in use", next="Stop it.")


async def test_a_port_that_stays_taken_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(contact, "RETRY_S", 0.01)
    tried, third, start = 0, asyncio.Event(), BridgeHost.start

    async def counted(host: BridgeHost) -> None:
        nonlocal tried
        tried += 1
        if tried == 3:
            third.set()
        await start(host)

    monkeypatch.setattr(BridgeHost, "start", counted)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(library=tmp_path, port=taken.getsockname()[1])
        async with FlowKit.open(settings), asyncio.timeout(60):
            await third.wait()
    assert caplog.text.count("is in use by another program") == 1


def test_trouble_with_the_own_facts_names_file_and_field(tmp_path: Path) -> None:
    file = tmp_path / "flow.toml"
    assert facts_trouble(file) is None
    file.write_text('[calls."media.get"]\nrpc = "as29s"\n', encoding="utf-8")
    assert facts_trouble(file) is None
    file.write_text('[calls."media.get"]\nrpc = 7\n', encoding="utf-8")
    told = facts_trouble(file) or ""
    assert str(tmp_path) in told and "flow.toml: calls.media.get" in told
    file.write_text("calls = ", encoding="utf-8")
    assert "flow.toml cannot be read as TOML" in (facts_trouble(file) or "")
