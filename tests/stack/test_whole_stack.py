"""Codec against simulator through the real bridge: a film, and every fault that this lane can meet."""

from __future__ import annotations

from pathlib import Path

import pytest
from whole import Stack, stack

from flowkit_mcp import Orientation, Project, Scene
from flowkit_mcp.domain.models import Gate, JobState, OperationState
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.sdk.jobs import GenerationResult, Job
from flowkit_mcp.store import operations

pytestmark = pytest.mark.e2e  # a simulator, a browser and a server each

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


def good(result: GenerationResult) -> GenerationResult:
    assert result.success, result.error
    return result


async def scene(world: Stack, prompt: str = "A lamp is lit", motion: str | None = None) -> Scene:
    project = await Project.create(world.kit, "Film")
    video = await project.add_video("Film")
    return await video.add_scene(prompt, video_prompt=motion)


async def with_image(world: Stack, motion: str) -> Scene:
    """A scene whose clip prompt holds a marker for the simulator."""
    made = await scene(world, motion=motion)
    good(await made.execute_generate_image(H))
    return made


async def books_agree(world: Stack) -> None:
    """The simulator's ledger and our own account of credits are equal, to the credit."""
    assert (await world.kit.status()).spent_credits == world.sim.charged


async def test_a_production_with_cast_chain_upscale_and_film(tmp_path: Path) -> None:
    async with stack(tmp_path) as world:
        project = await Project.create(world.kit, "Harbour", style="storybook")
        mai = await project.add_character("Mai", description="a girl in a yellow coat")
        good(await mai.execute_generate_image(project.id))
        video = await project.add_video("Harbour")
        first = await video.add_scene("Mai at the pier", characters=["Mai"])
        second = await video.add_scene("Mai looks up", characters=["Mai"], continues=1)
        for one in (first, second):
            good(await one.execute_generate_image(H))
        good(await second.execute_edit_image(H, "make it rain"))
        clips = [good(await one.execute_generate_video(H, duration_s=4)) for one in (first, second)]
        upscale = good(await first.execute_upscale_video(H))
        film = good(await video.execute_merge(H))
        assert upscale.media_id == f"{clips[0].media_id}_upsampled"
        assert film.path is not None and film.path.is_file()
        assert world.sim.charged == 14
        await books_agree(world)
        # Flow's own account says the same
        state = await world.kit.provider_state()
        assert (
            state is not None and state.account is not None and state.account.tier == "INTERMEDIATE"
        )


async def test_a_reply_cut_off_after_the_charge_is_found_by_its_seeds_and_paid_once(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns [[cut]]")
        good(await made.execute_generate_video(H))
        assert world.sim.charged == 12
        await books_agree(world)


async def test_a_refused_prompt_ends_uncharged_and_names_the_reason(tmp_path: Path) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns [[unsafe]]")
        result = await made.execute_generate_video(H)
        assert not result.success and (result.error or "").startswith("REJECTED")
        assert world.sim.charged == 0
        await books_agree(world)


@pytest.mark.parametrize("marker", ["fail", "prominent", "audio-filtered", "fail-noreason"])
async def test_a_clip_that_fails_later_is_refunded_on_both_sides(
    tmp_path: Path, marker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.domain.policy.LONGEST_BACKOFF_MS", 10)
    async with stack(tmp_path) as world:
        made = await with_image(world, f"it turns [[{marker}]]")
        result = await made.execute_generate_video(H)
        assert not result.success
        assert world.sim.charged == 0
        await books_agree(world)


async def test_unusual_activity_stops_submits_at_once_and_says_what_to_do(tmp_path: Path) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns")
        world.sim.fault("eb1hJf", "unusual")
        job = await made.generate_video(H)
        version = await world.kit.db.version()
        while (state := await world.kit.provider_state()) is None or state.gate is Gate.OPEN:
            version = await world.kit.db.changed(version, 5)
        assert state.gate is Gate.PAUSED and state.reason == "HUMAN_CHECK_REQUIRED"
        while (
            await job.state()
        ).state is not JobState.QUEUED:  # until Flow shows that it made nothing
            version = await world.kit.db.changed(version, 5)
        await world.kit.reopen()
        good(await job.result())
        ops = await operations.operations(world.kit.db, job.id)
        assert [op.state for op in ops] == [OperationState.VOID, OperationState.DONE]
        await books_agree(world)


async def test_an_internal_error_of_a_submit_is_looked_up_and_never_guessed(tmp_path: Path) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns")
        world.sim.fault("eb1hJf", "internal")
        job = await made.generate_video(H)
        result = await job.result()
        row = await job.state()
        charges = [line for line in world.sim.ledger() if line.rpc == "eb1hJf"]
        assert len(charges) <= 1
        if not result.success:
            assert row.state is JobState.NEEDS_ATTENTION and row.reason == "OUTCOME_UNKNOWN"
        else:
            await books_agree(world)


@pytest.mark.parametrize("kind", ["throttled", "quota"])
async def test_a_limit_refuses_before_anything_is_charged(tmp_path: Path, kind: str) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns")
        world.sim.fault("eb1hJf", kind)  # type: ignore[arg-type]
        job = await made.generate_video(H)
        version = await world.kit.db.version()
        while not (ops := await operations.operations(world.kit.db, job.id)) or (
            ops[0].state is OperationState.INTENDED
        ):
            version = await world.kit.db.changed(version, 5)
        assert ops[0].state is OperationState.REFUSED
        assert world.sim.charged == 0
        await books_agree(world)


async def test_a_model_that_the_plan_lacks_is_refused_before_any_call(tmp_path: Path) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns")
        before = len(world.sim.ledger())
        with pytest.raises(InvalidSetting, match="plan"):
            await made.plan_video(H, model="veo_3_1_i2v_s_fast_4s")
        assert len(world.sim.ledger()) == before


async def test_after_a_restart_of_everything_what_was_paid_is_found_and_nothing_is_paid_again(
    tmp_path: Path,
) -> None:
    async with stack(tmp_path) as world:
        made = await with_image(world, "it turns [[cut]]")
        job = await made.generate_video(H)
        version = await world.kit.db.version()
        while world.sim.charged == 0:
            version = await world.kit.db.changed(version, 0.05)
    async with stack(tmp_path) as world:
        good(await Job(world.kit, job.id).result())
        assert world.sim.charged == 12
        await books_agree(world)
