"""A scene that starts from the last frame of the clip it continues (design.md §5, the third means of chaining)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_provider import FakeProvider, picture
from PIL import Image

from flowkit_mcp import FlowKit, Orientation, Project, Scene, Settings, Stage, Video
from flowkit_mcp.domain.models import JobKind, JobState
from flowkit_mcp.errors import InvalidSetting, NotReady
from flowkit_mcp.providers.base import VideoBrief
from flowkit_mcp.sdk.cut import trim
from flowkit_mcp.sdk.plan_check import check_plan
from flowkit_mcp.store import history

H = Orientation.HORIZONTAL


@pytest.fixture
async def video(kit: FlowKit) -> Video:
    await kit.ready()
    return await (await Project.create(kit, "P")).add_video("V", orientation=H)


@pytest.fixture
async def scenes(video: Video) -> tuple[Scene, Scene]:
    """Scene 2 continues scene 1, which has its clip."""
    first = await video.add_scene("A lamp is lit")
    second = await video.add_scene("The lamp turns", continues=1)
    assert (await first.execute_generate_image(H)).success
    assert (await first.execute_generate_video(H, mode="start")).success
    return first, second


async def made(scene: Scene, **options: bool) -> Path:
    result = await scene.execute_generate_image(H, last_frame=True, **options)
    assert result.success, result.error
    assert result.path is not None
    return result.path


def red(path: Path) -> int:
    """The fake clips' frames tell their number by 20 steps of red each."""
    with Image.open(path) as image:
        assert image.size == (96, 54)
        return round(image.convert("RGB").resize((1, 1)).getpixel((0, 0))[0] / 20)  # type: ignore[index]


async def filled(scene: Scene, stage: Stage = Stage.IMAGE) -> int | None:
    slot = (await scene.slots())[H, stage]
    return slot.take_number if slot.filled else None


async def test_the_frame_is_a_free_take_made_from_the_clip_and_uploaded_only_when_needed(
    scenes: tuple[Scene, Scene], provider: FakeProvider
) -> None:
    first, second = scenes
    paid = provider.submits
    planned = await second.plan_image(H, last_frame=True)
    assert (planned.credits, planned.what) == (0, "scene 2 horizontal image (last frame)")
    path = await made(second)
    assert (path.name, red(path)) == ("horizontal-image-take-1.png", 11)
    (take,) = await second.takes(H, Stage.IMAGE)
    (clip,) = await first.takes(H, Stage.VIDEO)
    assert (take.made_from_id, take.model, take.credits) == (clip.id, None, 0)
    assert provider.submits == paid and provider.uploads == [], "nothing is asked of Flow"
    assert (await second.execute_generate_video(H)).success
    assert (await second.execute_generate_video(H, new_take=True)).success
    assert provider.uploads == [path], "handed over once"
    brief = provider.ledger[-1].brief
    assert isinstance(brief, VideoBrief) and (brief.start, brief.mode) == ("upload-1", "start")


async def test_asking_again_is_the_same_job_and_another_take_is_asked_for(
    scenes: tuple[Scene, Scene],
) -> None:
    _, second = scenes
    job = await second.generate_image(H, last_frame=True)
    again = await second.generate_image(H, last_frame=True)
    assert (again.id, again.new) == (job.id, False)
    await job.result()
    assert (await job.state()).kind is JobKind.LAST_FRAME
    assert (await second.generate_image(H, last_frame=True)).id == job.id, "it is there already"
    await made(second, new_take=True)
    assert await filled(second) == 2


async def test_how_long_a_picture_takes_is_not_learned_from_frames(
    scenes: tuple[Scene, Scene], kit: FlowKit
) -> None:
    await made(scenes[1])
    assert [one.what for one in await history.took(kit.db)] == ["LAST_FRAME", "video", "image"]


async def test_a_trimmed_clip_ends_where_it_is_trimmed(
    scenes: tuple[Scene, Scene], kit: FlowKit
) -> None:
    first, second = scenes
    await trim(first, H, start_s=0.1, end_s=0.25)
    assert red(await made(second)) == 5, "six frames are a quarter of a second"


async def test_another_clip_makes_frame_and_clip_stale_and_the_old_one_brings_them_back(
    scenes: tuple[Scene, Scene],
) -> None:
    first, second = scenes
    await made(second)
    assert (await second.execute_generate_video(H)).success
    assert (await first.execute_generate_video(H, mode="start", new_take=True)).success
    assert (await filled(second), await filled(second, Stage.VIDEO)) == (None, None)
    with pytest.raises(NotReady, match="scene 2 has no HORIZONTAL image to start from"):
        await second.plan_video(H, new_take=True)
    await first.select_take(H, Stage.VIDEO, 1)
    assert (await filled(second), await filled(second, Stage.VIDEO)) == (1, 1)
    assert (await first.execute_generate_image(H, new_take=True)).success
    assert (await filled(second), await filled(second, Stage.VIDEO)) == (None, None), "its clip too"


async def test_an_edited_frame_stands_for_itself(scenes: tuple[Scene, Scene]) -> None:
    first, second = scenes
    await made(second)
    assert (await second.execute_edit_image(H, "make it night")).success
    assert (await first.execute_generate_video(H, mode="start", new_take=True)).success
    assert await filled(second) == 2


async def test_a_clip_is_never_made_to_end_on_its_own_last_frame(
    scenes: tuple[Scene, Scene], kit: FlowKit
) -> None:
    first, second = scenes
    assert (await check_plan(kit, first.video.id)).positions[0].what == "image"
    await made(second)
    planned = await first.plan_video(H, new_take=True)
    assert planned.request.mode == "start"  # type: ignore[union-attr]
    with pytest.raises(NotReady, match="is the last frame of a clip"):
        await first.plan_video(H, mode="start_end", new_take=True)


async def test_a_clip_that_ends_on_the_scenes_image_already_meets_it(video: Video) -> None:
    """Replacing the image would make the clip stale that the frame is to be cut from."""
    first = await video.add_scene("one")
    second = await video.add_scene("two", continues=1)
    for scene in (first, second):
        assert (await scene.execute_generate_image(H)).success
    assert (await first.execute_generate_video(H)).success
    with pytest.raises(NotReady, match="the two meet"):
        await second.plan_image(H, last_frame=True, new_take=True)


async def test_what_cannot_be_cut_is_refused_with_what_to_do(
    video: Video, provider: FakeProvider
) -> None:
    first = await video.add_scene("one")
    second = await video.add_scene("two", continues=1)
    with pytest.raises(NotReady, match="scene 1 continues no other scene"):
        await first.plan_image(H, last_frame=True)
    with pytest.raises(NotReady, match=r"no HORIZONTAL clip .*Call generate_video for scene 1"):
        await second.plan_image(H, last_frame=True)
    with pytest.raises(InvalidSetting, match="no model, seed or edit_prompt"):
        await second.plan_image(H, last_frame=True, seed=1)
    assert provider.submits == 0


async def test_flow_does_not_enlarge_a_frame_that_it_did_not_make(
    scenes: tuple[Scene, Scene],
) -> None:
    _, second = scenes
    await made(second)
    with pytest.raises(InvalidSetting, match="was not made by Flow"):
        await second.plan_image_upscale(H)


async def test_a_damaged_clip_is_fetched_again_before_its_frame_is_cut(
    scenes: tuple[Scene, Scene],
) -> None:
    first, second = scenes
    clip = (await first.orientation_slot(H)).video.path
    assert clip is not None
    clip.write_bytes(b"not a clip")
    result = await second.execute_generate_image(H, last_frame=True)
    assert result.success, result.error
    assert clip.read_bytes() == b"not a clip", "what lies there is left alone"


async def test_a_damaged_clip_that_nobody_has_ends_the_job_with_its_reason(
    scenes: tuple[Scene, Scene], provider: FakeProvider
) -> None:
    first, second = scenes
    clip = (await first.orientation_slot(H)).video.path
    assert clip is not None
    clip.write_bytes(b"not a clip")
    provider.ledger.clear()
    result = await second.execute_generate_image(H, last_frame=True)
    assert not result.success and (result.error or "").startswith("MEDIA_ERROR")
    assert "is not what was recorded" in (result.error or "")
    assert await filled(second) is None


async def test_the_same_picture_in_the_place_of_a_removed_scene_is_kept(
    video: Video, tmp_path: Path
) -> None:
    """Its file is there already, and so is the row of that file."""
    file = tmp_path / "mine.jpg"
    file.write_bytes(picture((320, 180), "mine"))
    for _ in range(2):
        scene = await video.add_scene("one")
        take = await scene.set_image(file, H)
        assert (take.number, await filled(scene)) == (1, 1)
        await video.remove_scene(scene.number)


@pytest.mark.parametrize("step", ["frame_kept", "looking_at_joins", "merged"])
async def test_a_local_job_that_is_stopped_before_its_file_has_a_row_leaves_no_file(
    settings: Settings, provider: FakeProvider, step: str
) -> None:
    reached = asyncio.Event()

    def stop(at: str) -> None:
        task = asyncio.current_task()
        if at == step and task is not None and not reached.is_set():
            reached.set()
            task.cancel()  # as the worker does once the person has cancelled

    async with FlowKit.open(settings, provider=provider, on_step=stop) as kit:
        await kit.ready()
        video = await (await Project.create(kit, "P")).add_video("V", orientation=H)
        first = await video.add_scene("one")
        second = await video.add_scene("two", continues=1)
        assert (await first.execute_generate_image(H)).success
        assert (await first.execute_generate_video(H, mode="start")).success
        before = {file for file in settings.library.rglob("*.*") if "-take-" in file.name}
        if step != "frame_kept":
            await video.remove_scene(2)
            job = await video.merge(H)
        else:
            job = await second.generate_image(H, last_frame=True)
        await reached.wait()
        await job.cancel()
        assert (await kit.wait(job.id, 10)).state is JobState.CANCELLED
        left = {file for file in settings.library.rglob("*.*") if file.suffix in (".mp4", ".png")}
        assert {file for file in left if file not in before} == set()
