"""When the service objects, everything stops; when it may go on, it does; nothing asks in a tight loop."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest
from fake_provider import QUICK, FakeProvider
from film import account_seen, good, scene_of, with_image

from flowkit_mcp import FlowKit, Job, Orientation, Settings
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.domain.models import Gate, JobState, MediaKind, ProviderState
from flowkit_mcp.domain.models import Job as Row
from flowkit_mcp.errors import (
    FlowKitError,
    HumanCheckRequired,
    LibraryTrouble,
    NotConnected,
    RateLimited,
    Rejected,
    SignInRequired,
    Transient,
)
from flowkit_mcp.providers.base import Progress
from flowkit_mcp.sdk.flow_library import FlowLibrary
from flowkit_mcp.store import operations

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


class Grumpy(FakeProvider):
    """`grumbles` are raised by the next polls; the last one goes on."""

    grumbles: Sequence[FlowKitError] = ()
    polls: int = 0

    async def poll(
        self,
        remote_ids: Sequence[str],
        media: MediaKind,
        projects: Mapping[str, str] | None = None,
    ) -> Mapping[str, Progress]:
        self.polls += 1
        if self.grumbles:
            raise self.grumbles[min(self.polls, len(self.grumbles)) - 1]
        return await super().poll(remote_ids, media, projects)


@pytest.fixture
def provider() -> Grumpy:
    return Grumpy()


@pytest.fixture(autouse=True)
async def _account(kit: FlowKit) -> None:
    await account_seen(kit)


async def test_jobs_already_waiting_their_turn_are_not_sent_once_the_service_objects(
    kit: FlowKit, provider: Grumpy
) -> None:
    scene = await scene_of(kit)
    provider.capabilities = QUICK.model_copy(update={"submit_spacing_s": (0.1, 0.1)})
    provider.script = [HumanCheckRequired("unusual activity")]
    batch = [await scene.generate_image(H, new_take=n > 0, seed=n) for n in range(3)]
    await _gate(kit, Gate.PAUSED)
    for job in batch:  # those that were waiting already are held back when it is their turn
        await _until(kit, job, lambda row: row.state is JobState.QUEUED)
    assert provider.submits == 1
    await kit.reopen()
    for job in batch:
        good(await job.result(60))


@pytest.mark.parametrize(
    "ending",
    [Rejected("not this prompt"), NotConnected("away"), FakeProvider.CUT, FakeProvider.LOSE],
)
async def test_a_probe_that_ends_for_its_own_reasons_lets_the_next_job_try(
    kit: FlowKit, provider: Grumpy, ending: FlowKitError | str
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up = False
    provider.script = [RateLimited("too fast", retry_after_s=0.1), ending]
    both = [await scene.generate_image(H), await scene.generate_image(V)]
    assert any([(await job.result(60)).success for job in both])
    await _gate(kit, Gate.OPEN)


async def test_a_probe_that_a_dead_process_left_does_not_hold_the_next_leader_up(
    settings: Settings, kit: FlowKit
) -> None:
    other = Settings(library=settings.library.with_name("other"), port=settings.port)
    async with FlowKit.open(other, provider=FakeProvider()) as dying:
        await account_seen(dying)
        scene = await scene_of(dying)
        async with dying.db.transaction() as tx:
            await operations.set_gate(
                tx, "flow", Gate.PAUSED, now=1, reason="RATE_LIMITED", resume_at=1, probing=True
            )
    async with FlowKit.open(other, provider=FakeProvider()) as heir:
        job = await (await type(scene).get(heir, scene.id)).generate_image(H)
        good(await job.result(60))


@pytest.mark.parametrize("by_a_person", [False, True])
async def test_while_a_probe_is_under_way_nothing_else_is_sent(
    kit: FlowKit, provider: Grumpy, by_a_person: bool
) -> None:
    scene = await scene_of(kit)
    pause = {"now": 1, "reason": "RATE_LIMITED", "resume_at": None if by_a_person else 1}
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.PAUSED, **pause)
    if by_a_person:
        await kit.reopen()
    provider.hold = asyncio.Event()
    provider.house = {"list_projects": {"projects": []}}
    batch = [await scene.generate_image(H), await scene.generate_image(V)]
    await provider.submitted.wait()
    await kit.reopen()  # said twice, it changes nothing
    for _ in range(2):  # free calls go on, so the queue is looked at all the while
        await FlowLibrary(kit).list_projects()
    assert provider.submits == 1
    provider.hold.set()
    for job in batch:
        good(await job.result(60))


@pytest.mark.parametrize("probing", [False, True])
async def test_a_clip_that_comes_home_behind_a_pause_is_no_probe_and_opens_nothing(
    kit: FlowKit, provider: Grumpy, probing: bool
) -> None:
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    job = await scene.generate_image(H)
    version = await kit.db.version()
    while (op := await operations.live_operation(kit.db, job.id)) is None or not op.remote_id:
        version = await kit.db.changed(version, 5)
    later = kit.clock.now() + 3_600_000
    pause = {"now": 1, "reason": "RATE_LIMITED", "resume_at": later, "probing": probing}
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.PAUSED, **pause)
    provider.looks_until_done = 0
    good(await job.result(60))
    state = await _state(kit)
    assert (state.gate, state.probing, state.resume_at) == (Gate.PAUSED, probing, later)


@pytest.mark.parametrize(
    "grumble",
    [
        RateLimited("too fast", retry_after_s=60),
        HumanCheckRequired("unusual traffic"),
        SignInRequired("signed out"),
    ],
)
async def test_a_service_that_objects_to_polls_is_not_polled_in_a_tight_loop(
    kit: FlowKit, provider: Grumpy, grumble: FlowKitError
) -> None:
    scene = await scene_of(kit)
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.PAUSED, now=1, reason="HUMAN_CHECK_REQUIRED")
    await kit.reopen()
    provider.grumbles = [HumanCheckRequired("unusual traffic"), grumble]
    job = await scene.generate_image(H)
    await _until(kit, job, lambda row: row.reason == HumanCheckRequired.code)
    assert (await kit.wait(job.id, 0.5)).state is JobState.WAITING
    assert provider.polls <= 2


async def test_one_poll_that_fails_for_many_jobs_is_one_failure(
    kit: FlowKit, provider: Grumpy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    batch = [await scene.generate_image(H, new_take=n > 0, seed=n) for n in range(4)]
    while provider.submits < 4:
        provider.submitted.clear()
        await provider.submitted.wait()
    poll, failed = provider.poll, asyncio.Event()

    async def once(
        remote_ids: Sequence[str], media: MediaKind, projects: Mapping[str, str]
    ) -> Mapping[str, Progress]:
        if len(remote_ids) == 4 and not failed.is_set():
            failed.set()
            raise Transient("a hiccup")
        return await poll(remote_ids, media, projects) if failed.is_set() else {}

    monkeypatch.setattr(provider, "poll", once)
    provider.hold.set()
    async with asyncio.timeout(60):
        await failed.wait()
    for job in batch:
        good(await job.result(60))
    types = [event.type for job in batch for event in await job.events()]
    assert types.count("retry") == 4
    assert (await _state(kit)).gate is Gate.OPEN


async def test_behind_a_blocked_gate_nothing_is_read_either(kit: FlowKit, provider: Grumpy) -> None:
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    parked, *others = [await scene.generate_image(H, new_take=n > 0, seed=n) for n in range(3)]
    version = await kit.db.version()
    while len(await operations.live_ids(kit.db)) < 3 or provider.polls < 3:
        version = await kit.db.changed(version, 5)
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.BLOCKED, now=1, reason="PORT_TAKEN")
    polls: list[int] = []
    for job in others:  # each cancel shows that the leader has been round
        await kit.cancel(job.id)
        assert (await kit.wait(job.id, 60)).state is JobState.CANCELLED
        await kit.wait(parked.id, 0.2)
        polls.append(provider.polls)
    assert polls[0] == polls[1]
    provider.looks_until_done = 0
    await kit.reopen()
    good(await parked.result(60))


async def test_failing_polls_do_not_open_what_only_a_person_may_open(
    kit: FlowKit, provider: Grumpy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    async with kit.db.transaction() as tx:
        await operations.set_gate(tx, "flow", Gate.PAUSED, now=1, reason="HUMAN_CHECK_REQUIRED")
    provider.grumbles = [Transient("hiccup")]
    version = await kit.db.version()
    while provider.polls < 5:
        version = await kit.db.changed(version, 5)
    await kit.wait(job.id, 0.1)
    state = await _state(kit)
    assert (state.gate, state.reason, state.resume_at) == (
        Gate.PAUSED,
        "HUMAN_CHECK_REQUIRED",
        None,
    )


async def test_a_longer_pause_is_not_shortened_by_a_smaller_trouble(
    kit: FlowKit, provider: Grumpy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    await scene.generate_image(H)
    await provider.submitted.wait()
    provider.script = [RateLimited("much too fast", retry_after_s=900)]
    await scene.generate_image(V)
    await _gate(kit, Gate.PAUSED)
    before = (await _state(kit)).resume_at
    provider.grumbles = [Transient("hiccup")]
    version = await kit.db.version()
    while provider.polls < 5:
        version = await kit.db.changed(version, 5)
    assert (await _state(kit)).resume_at == before


async def test_calls_refused_as_if_signed_out_are_not_repeated_for_ever(
    kit: FlowKit, provider: Grumpy
) -> None:
    scene = await scene_of(kit)
    provider.capabilities = QUICK.model_copy(update={"account_refresh_s": 0.02})
    provider.script = [SignInRequired("HTTP 400")] * 100
    job = await scene.generate_image(H)
    await _gate(kit, Gate.PAUSED)
    assert provider.submits == 3, "the account could be read each time, so the gate was opened"
    state = await _state(kit)
    assert state.resume_at is None and "reopen" in (state.message or "")
    provider.script = []
    await kit.reopen()
    good(await job.result(60))


async def test_unknown_outcomes_in_a_row_stop_new_submits(kit: FlowKit, provider: Grumpy) -> None:
    scene = await scene_of(kit)
    provider.can_look_up = False
    provider.capabilities = QUICK.model_copy(update={"max_in_flight": 1})
    provider.script = [FakeProvider.LOSE] * 10
    for n in range(6):
        await scene.generate_image(H, new_take=n > 0, seed=n)
    await _gate(kit, Gate.PAUSED)
    assert provider.submits == 3


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A port that another program has, until this is closed."""
    monkeypatch.setattr("flowkit_mcp.work.contact.RETRY_S", 0.05)
    with socket.socket() as taken:
        (port,) = free_ports(
            1
        )  # not one that a passing connection may have taken when it is wanted
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield taken


async def test_a_port_that_was_taken_does_not_open_what_a_person_must_open(
    settings: Settings, taken: socket.socket
) -> None:
    port = taken.getsockname()[1]
    other = Settings(library=settings.library.with_name("other"), port=port)
    async with FlowKit.open(other, provider=FakeProvider()) as before:
        await account_seen(before)
        async with before.db.transaction() as tx:
            await operations.set_gate(tx, "flow", Gate.PAUSED, now=1, reason="HUMAN_CHECK_REQUIRED")
    async with FlowKit.open(other) as kit:
        await asyncio.sleep(0.2)
        taken.close()
        await _listening(port)
        await asyncio.sleep(0.1)  # it says what it has to say about the port at once
        assert (await _state(kit)).reason == "HUMAN_CHECK_REQUIRED"


async def test_a_port_is_tried_again_though_it_could_not_be_written_down_that_it_was_taken(
    settings: Settings, taken: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = operations.set_gate, asyncio.Event()

    async def full(*_: object, **__: object) -> None:
        monkeypatch.setattr(operations, "set_gate", real)
        failed.set()
        raise LibraryTrouble("the disk of the library is full")

    monkeypatch.setattr(operations, "set_gate", full)
    port = taken.getsockname()[1]
    other = Settings(library=settings.library.with_name("other"), port=port)
    async with FlowKit.open(other) as kit, asyncio.timeout(60):
        await failed.wait()
        await _gate(kit, Gate.BLOCKED)
        taken.close()
        await _listening(port)
        await _gate(kit, Gate.OPEN)


async def _listening(port: int) -> None:
    """Until FlowKit has the port."""
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def _until(kit: FlowKit, job: Job, true: Callable[[Row], bool]) -> None:
    version = await kit.db.version()
    while not true(await job.state()):
        version = await kit.db.changed(version, 5)


async def _state(kit: FlowKit) -> ProviderState:
    state = await kit.provider_state()
    assert state is not None
    return state


async def _gate(kit: FlowKit, gate: Gate) -> None:
    version = await kit.db.version()
    async with asyncio.timeout(60):
        while (await _state(kit)).gate is not gate:
            version = await kit.db.changed(version, 5)


async def test_nothing_is_submitted_for_an_account_that_has_not_been_read(
    kit: FlowKit, provider: FakeProvider
) -> None:
    """Somebody else signs in within the same browser profile, between the last look and the submit."""
    scene = await with_image(kit)
    provider.label = "somebody else"
    result = good(await scene.execute_generate_video(H))
    (op,) = await operations.operations(kit.db, result.job_id)
    assert op.account == "somebody else"
    assert provider.ledger[-1].brief.start == "upload-1"  # type: ignore[union-attr]


async def test_looks_that_fail_now_and_then_among_many_that_do_not_pause_nothing(
    kit: FlowKit, provider: FakeProvider
) -> None:
    """Three failures in a row pause; a look that was answered ends the row, though nothing is done yet."""
    scene = await with_image(kit)
    provider.looks_until_done = 5
    poll = provider.poll
    looks = itertools.count()

    async def shaky(ids: Sequence[str], media: MediaKind, *more: Any) -> Mapping[str, Progress]:
        if next(looks) % 2:
            raise Transient("the look went wrong")
        return await poll(ids, media, *more)

    provider.poll = shaky  # type: ignore[method-assign]
    paused: list[ProviderState] = []
    job = await scene.generate_video(H)
    version = await kit.db.version()
    while not (await kit.job(job.id)).state.final:
        state = await kit.provider_state()
        if state is not None and state.gate is not Gate.OPEN:
            paused.append(state)
        version = await kit.db.changed(version, 5)
    assert (await kit.job(job.id)).state is JobState.SUCCEEDED
    assert next(looks) >= 9 and paused == []
