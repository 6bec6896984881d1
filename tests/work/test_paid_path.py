"""The queue from request to take: money, refusals, missing replies, gates."""

from __future__ import annotations

import asyncio

import pytest
from fake_provider import FakeProvider
from film import account_seen, away, good, scene_of, two_scenes, with_image

from flowkit_mcp import FlowKit, Orientation
from flowkit_mcp.domain.models import Gate, JobState, OperationState, Stage
from flowkit_mcp.errors import (
    Conflict,
    GenerationFailed,
    HumanCheckRequired,
    NotConnected,
    NotReady,
    RateLimited,
    Rejected,
    RequestError,
    Transient,
)
from flowkit_mcp.store import jobs, operations

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


@pytest.fixture(autouse=True)
async def _account(kit: FlowKit) -> None:
    await account_seen(kit)


async def test_a_scene_goes_from_prompt_to_image_to_clip_to_upscale(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    image = good(await scene.execute_generate_image(H))
    clip = good(await scene.execute_generate_video(H, duration_s=4))
    upscale = good(await scene.execute_upscale_video(H))
    assert [line.credits for line in provider.ledger] == [0, 7, 3]
    assert (image.credits, clip.credits, upscale.credits) == (0, 7, 3)
    for result in (image, clip, upscale):
        assert result.path is not None and result.path.is_file()
        assert result.path.is_relative_to(kit.settings.library)
    assert (await kit.status()).spent_credits == provider.charged == 10
    slot = await scene.orientation_slot(H)
    assert slot.video.status == slot.upscale.status == "COMPLETED"
    assert slot.video.media_id == clip.media_id


async def test_the_same_request_twice_is_one_job_and_one_charge(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    provider.hold = asyncio.Event()
    first = await scene.generate_video(H)
    await provider.submitted.wait()
    second = await scene.generate_video(H)
    assert (second.id, second.new) == (first.id, False)
    provider.hold.set()
    good(await second.result(60))
    assert provider.charged == 12


async def test_another_take_is_made_only_when_asked_for(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    good(await scene.execute_generate_image(H, new_take=True))
    takes = await scene.takes(H, Stage.IMAGE)
    assert [(take.number, take.selected) for take in takes] == [(1, False), (2, True)]


async def test_every_call_has_a_committed_intent_before_it_is_made(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    op = await operations.live_operation(kit.db, job.id)
    assert op is not None and op.state is OperationState.INTENDED
    assert op.client_ref == provider.ledger[0].client_ref
    provider.hold.set()
    good(await job.result(60))


async def test_a_lost_reply_is_looked_up_and_never_sent_again(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [FakeProvider.LOSE]
    good(await scene.execute_generate_image(H))
    assert provider.submits == len(provider.ledger) == 1


async def test_a_call_that_provably_never_arrived_is_sent_as_a_new_operation(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [FakeProvider.CUT]
    provider.in_flight_looks = 1
    result = good(await scene.execute_generate_image(H))
    found = await operations.operations(kit.db, result.job_id)
    assert [op.state for op in found] == [OperationState.VOID, OperationState.DONE]
    assert found[0].client_ref != found[1].client_ref
    assert len(provider.ledger) == 1


@pytest.mark.parametrize("action", ["attach", "submit_again", "give_up"])
async def test_an_unknown_outcome_asks_the_person_and_does_what_they_say(
    kit: FlowKit, provider: FakeProvider, action: str
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up = False
    provider.script = [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    result = await job.result(60)
    row = await job.state()
    assert not result.success and row.state is JobState.NEEDS_ATTENTION
    assert row.reason == "OUTCOME_UNKNOWN" and "resolve_job" in (row.message or "")
    media = provider.ledger[0].remote_id if action == "attach" else None
    await kit.resolve(job.id, action, media)
    result = await job.result(60)
    assert result.success is (action != "give_up")
    assert len(provider.ledger) == (2 if action == "submit_again" else 1)


async def test_a_job_that_has_ended_waits_for_nobodys_decision(kit: FlowKit) -> None:
    scene = await scene_of(kit)
    result = good(await scene.execute_generate_image(V))
    with pytest.raises(Conflict, match="waits for nobody"):
        await kit.resolve(result.job_id, "submit_again")


async def test_an_action_that_does_not_fit_is_refused_and_names_those_that_do(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up = False
    provider.script = [FakeProvider.LOSE]
    job = await scene.generate_image(H)
    await job.result(60)
    with pytest.raises(RequestError, match="submit_again, attach"):
        await kit.resolve(job.id, "retry")
    assert (await job.state()).state is JobState.NEEDS_ATTENTION


async def test_a_refusal_ends_the_job_uncharged_and_says_what_to_change(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [Rejected("the prompt was refused", reason="PUBLIC_ERROR_UNSAFE_GENERATION")]
    result = await scene.execute_generate_image(H)
    assert not result.success and (result.error or "").startswith(
        "REJECTED: the prompt was refused"
    )
    assert provider.charged == 0 and (await kit.status()).spent_credits == 0
    # the slot is free again: the same call makes a new job
    good(await scene.execute_generate_image(H))


async def test_an_upload_that_expired_is_handed_over_again_once(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await with_image(kit)
    gone = Rejected("Requested entity was not found", reason="NOT_FOUND")
    provider.script = [gone]
    good(await scene.execute_generate_video(H))
    assert len(provider.uploads) == 1
    assert provider.ledger[-1].brief.start == "upload-1"  # type: ignore[union-attr]
    provider.script = [gone, gone]
    result = await scene.execute_generate_video(H, new_take=True)
    assert not result.success and "REJECTED" in (result.error or "")
    assert provider.charged == 12


async def test_a_generation_that_fails_later_is_refunded_and_not_repeated(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)

    def spoil(line: object) -> None:
        line.error = GenerationFailed("the model failed")  # type: ignore[attr-defined]

    provider.on_accept = spoil
    result = await scene.execute_generate_video(H)
    assert not result.success and "GENERATION_FAILED" in (result.error or "")
    assert provider.charged == (await kit.status()).spent_credits == 0
    assert len(provider.ledger) == 2


async def test_a_random_filter_hit_is_tried_again_as_often_as_the_service_allows(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await scene_of(kit)
    provider.on_accept = lambda line: setattr(
        line, "error", GenerationFailed("the sound was filtered", again=2)
    )
    result = await scene.execute_generate_image(H)
    assert not result.success
    assert len(provider.ledger) == 3, "one attempt and two more"


async def test_unusual_activity_stops_all_submits_until_the_person_reopens(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [HumanCheckRequired("unusual activity")]
    job = await scene.generate_image(H)
    await _gate(kit, Gate.PAUSED)
    other = await scene.generate_image(V)
    assert (await kit.wait(other.id, 0.3)).state is JobState.QUEUED
    assert (await job.state()).state is JobState.QUEUED
    assert len(provider.ledger) == 0
    state = await kit.provider_state()
    assert state is not None and state.reason == "HUMAN_CHECK_REQUIRED"
    await kit.reopen()
    good(await job.result(60))
    good(await other.result(60))


async def test_a_rate_limit_pauses_then_one_probe_opens_again(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [RateLimited("too fast", retry_after_s=0.3)]
    provider.hold = asyncio.Event()  # the probe is answered once the pause has been seen
    job = await scene.generate_image(H)
    await _gate(kit, Gate.PAUSED)
    provider.hold.set()
    good(await job.result(60))
    await _gate(kit, Gate.OPEN)
    assert [op.state for op in await operations.operations(kit.db, job.id)] == [
        OperationState.REFUSED,
        OperationState.DONE,
    ]


async def test_a_proven_network_failure_is_tried_again_with_a_new_reference(
    kit: FlowKit, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    scene = await scene_of(kit)
    provider.script = [Transient("no captcha"), Transient("no captcha")]
    good(await scene.execute_generate_image(H))
    assert len(provider.ledger) == 1


async def test_an_unexpected_error_while_submitting_counts_as_unknown(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.can_look_up = False

    def explode(line: object) -> None:
        raise ZeroDivisionError("a bug after the money was spent")

    provider.on_accept = explode
    job = await scene.generate_image(H)
    await job.result(60)
    assert (await job.state()).reason == "OUTCOME_UNKNOWN"
    assert provider.submits == 1


async def test_a_higher_live_price_than_agreed_asks_before_anything_is_sent(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    planned = await scene.plan_video(H)
    row, _ = await kit.enqueue(planned.request, credits=planned.credits - 1)
    row = await kit.wait(row.id, 10)
    assert (row.state, row.reason) == (JobState.NEEDS_ATTENTION, "PRICE_CHANGED")
    assert provider.charged == 0


async def test_jobs_wait_for_the_browser_and_go_on_when_it_is_back(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.script = [NotConnected("the browser went away")]
    good(await scene.execute_generate_image(H))
    await away(kit, provider)
    job = await scene.generate_image(V)
    assert (await kit.wait(job.id, 0.3)).state is JobState.QUEUED
    provider.connected = True
    kit._wake()
    good(await job.result(60))


async def test_a_clip_is_refused_while_its_image_is_missing_and_names_the_tool(
    kit: FlowKit,
) -> None:
    scene = await scene_of(kit)
    with pytest.raises(NotReady, match="generate_image"):
        await scene.generate_video(H)


async def test_an_image_is_refused_while_a_reference_is_missing(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit, cast=True)
    with pytest.raises(NotReady, match="Mai"):
        await scene.generate_image(H)
    (mai,) = await scene.cast()
    good(await mai.execute_generate_image(scene.project.id))
    good(await scene.execute_generate_image(H))
    assert len(provider.ledger[-1].brief.references) == 1  # type: ignore[union-attr]


async def test_a_continuation_edits_its_parents_image_and_the_parents_clip_ends_on_it(
    kit: FlowKit, provider: FakeProvider
) -> None:
    _, _, first, second = await two_scenes(kit)
    with pytest.raises(NotReady, match="continues scene 1"):
        await second.generate_image(H)
    one = good(await first.execute_generate_image(H))
    with pytest.raises(NotReady, match="scene 2"):
        await first.generate_video(H)
    two = good(await second.execute_generate_image(H))
    assert provider.ledger[-1].brief.base == one.media_id  # type: ignore[union-attr]
    good(await first.execute_generate_video(H))
    brief = provider.ledger[-1].brief
    assert (brief.start, brief.end) == (one.media_id, two.media_id)  # type: ignore[union-attr]


async def test_cancelling_a_queued_job_costs_nothing(kit: FlowKit, provider: FakeProvider) -> None:
    scene = await scene_of(kit)
    await away(kit, provider)
    job = await scene.generate_image(H)
    assert (await job.cancel()).state is JobState.CANCELLED
    with pytest.raises(Conflict):
        await job.cancel()
    provider.connected = True
    kit._wake()
    good(await scene.execute_generate_image(V))
    assert len(provider.ledger) == 1


async def test_cancelling_a_submitted_job_stops_caring_and_keeps_the_ledger(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.looks_until_done = 10_000
    job = await scene.generate_image(H)
    await provider.submitted.wait()
    await job.cancel()
    assert not (await job.result(60)).success
    assert (await job.state()).state is JobState.CANCELLED
    (op,) = await operations.operations(kit.db, job.id)
    assert op.state is OperationState.ABANDONED and op.remote_id == provider.ledger[0].remote_id


async def test_the_history_of_a_job_tells_its_story(kit: FlowKit) -> None:
    scene = await scene_of(kit)
    result = good(await scene.execute_generate_image(H))
    types = [event.type for event in await jobs.events(kit.db, result.job_id)]
    assert types[0] == "enqueued" and types[-1] == "succeeded"
    assert types.index("intended") < types.index("submitted") < types.index("operation_done")


async def test_many_jobs_run_side_by_side_within_the_providers_limit(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await scene_of(kit)
    provider.hold = asyncio.Event()
    batch = [await scene.generate_image(H, new_take=n > 0, seed=n) for n in range(8)]
    await _submitted(provider, 4)
    assert (await kit.wait(batch[-1].id, 0.2)).state is JobState.QUEUED
    assert provider.submits == 4
    provider.hold.set()
    for job in batch:
        good(await job.result(60))


async def _submitted(provider: FakeProvider, count: int) -> None:
    while provider.submits < count:
        provider.submitted.clear()
        async with asyncio.timeout(60):
            await provider.submitted.wait()


async def _gate(kit: FlowKit, gate: Gate) -> None:
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.gate is not gate:
        version = await kit.db.changed(version, 5)
