"""Everything a clip or a picture can be made from: planned, priced and refused before any call."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_provider import FakeProvider, picture
from sdk.many_models import MANY_MODELS

from flowkit_mcp import FlowKit, Orientation, Planned, Project, Scene, SceneDraft, Video
from flowkit_mcp.domain.models import JobKind
from flowkit_mcp.domain.requests import GenerateVideo, UpscaleImage, UpscaleVideo
from flowkit_mcp.errors import InvalidSetting, NotReady

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(models=MANY_MODELS)


@pytest.fixture
async def video(kit: FlowKit) -> Video:
    await kit.ready()
    return await (await Project.create(kit, "P", style="ink drawing")).add_video("V")


def clip(planned: Planned) -> GenerateVideo:
    assert isinstance(planned.request, GenerateVideo)
    return planned.request


async def cast(video: Video, *names: str) -> None:
    """Characters of the project, each with a reference image."""
    project = await Project.get(video.kit, video.project.id)
    for name in names:
        member = await project.add_character(name, description=f"{name} in yellow")
        assert (await member.execute_generate_image(project.id)).success


async def with_clip(scene: Scene, model: str) -> Scene:
    assert (await scene.execute_generate_image(H)).success
    assert (await scene.execute_generate_video(H, mode="start", model=model)).success
    return scene


async def test_words_alone_need_no_picture_and_say_looks_and_style(video: Video) -> None:
    await cast(video, "Mai")
    scene = await video.add_scene("Mai runs", characters=["Mai"])
    planned = await scene.plan_video(H, mode="text")
    request = clip(planned)
    assert (planned.credits, request.model, request.mode) == (9, "words_8s", "text")
    assert planned.what == "scene 1 horizontal clip (text)"
    assert "Mai in yellow" in request.prompt and "ink drawing" in request.prompt
    assert request.kind is JobKind.GENERATE_VIDEO
    with pytest.raises(NotReady, match="generate_image"):
        await scene.plan_video(H, mode="start")


async def test_references_are_the_pictures_of_the_cast_and_all_must_be_there(
    video: Video, provider: FakeProvider
) -> None:
    await cast(video, "Mai", "Tom")
    project = await Project.get(video.kit, video.project.id)
    for name in ("Ida", "Bo"):
        await project.add_character(name)
    scenes = await video.add_scenes(
        [
            SceneDraft("Mai meets Tom", characters=["Mai", "Tom"]),
            SceneDraft("Ida meets Bo", characters=["Mai", "Ida", "Bo"]),
            SceneDraft("An empty street"),
        ]
    )
    planned = await scenes[0].plan_video(H, mode="references", voices=["Charon", "kore"])
    request = clip(planned)
    assert request.kind is JobKind.GENERATE_VIDEO_REFS and planned.credits == 15
    assert len(request.reference_take_ids) == 2 and request.voices == ("charon", "kore")
    assert "Tom as in reference image 2" in request.prompt
    with pytest.raises(NotReady, match=r"images of Ida, Bo\. Call generate_image"):
        await scenes[1].generate_video_refs(H)
    with pytest.raises(NotReady, match="mode='text'"):
        await scenes[2].generate_video_refs(H)
    await scenes[2].update(characters=["Mai", "Tom", "Ida"])
    file = video.kit.settings.library / "ida.jpg"
    file.write_bytes(picture((54, 96), "Ida"))
    (ida,) = [one for one in await project.get_characters() if one.name == "Ida"]
    await ida.set_reference(file)
    with pytest.raises(InvalidSetting, match="3 references, Clip takes 2"):
        await scenes[2].generate_video_refs(H)
    with pytest.raises(InvalidSetting, match=r"'darth'\. There are: achernar"):
        await scenes[0].plan_video(H, mode="references", voices=["darth"])
    with pytest.raises(InvalidSetting, match="3 voices are given, Clip takes 2"):
        await scenes[0].plan_video(H, mode="references", voices=["kore", "charon", "puck"])
    with pytest.raises(InvalidSetting, match="mode='references'"):
        await scenes[0].plan_video(H, mode="text", voices=["kore"])
    assert provider.submits == 2, "only the two reference images were ever made"


async def test_a_continuation_goes_on_where_its_parents_clip_ends(video: Video) -> None:
    first = await video.add_scene("one")
    second = await video.add_scene("two", continues=1)
    with pytest.raises(NotReady, match="continues no other scene"):
        await first.plan_video(H, mode="extend")
    with pytest.raises(NotReady, match=r"generate_video for scene 1"):
        await second.plan_video(H, mode="extend")
    await with_clip(first, "draft_8s")
    with pytest.raises(NotReady, match=r"cannot extend\. Make it again with model='long'"):
        await second.plan_video(H, mode="extend")
    assert (
        await first.execute_generate_video(H, mode="start", model="long", new_take=True)
    ).success
    planned = await second.plan_video(H, mode="extend")
    take = (await first.takes(H))[-1]
    assert (clip(planned).extended_take_id, planned.credits) == (take.id, 11)
    with pytest.raises(NotReady, match="no VERTICAL clip"):
        await second.plan_video(V, mode="extend")
    with pytest.raises(InvalidSetting, match="no duration"):
        await second.plan_video(H, mode="extend", duration_s=8)


async def test_models_lengths_and_sizes_that_the_account_lacks_are_refused_with_what_it_has(
    video: Video, provider: FakeProvider
) -> None:
    scene = await video.add_scene("one")
    assert (await scene.execute_generate_image(H)).success
    draft = await scene.plan_video(H, resolution="360p")
    assert (clip(draft).model, draft.credits) == ("draft_8s", 6)
    for wrong in ({"duration_s": 5}, {"resolution": "8K"}, {"model": "nobody"}):
        with pytest.raises(InvalidSetting, match=r"This account has: .*clip_8s \(.*12 credits\)"):
            await scene.plan_video(H, **wrong)  # type: ignore[arg-type]
    assert provider.submits == 1


async def test_a_larger_version_must_be_larger_and_in_the_plan(video: Video) -> None:
    scenes = await video.add_scenes([SceneDraft("one"), SceneDraft("two")])
    with pytest.raises(NotReady, match="no HORIZONTAL clip to upscale"):
        await scenes[0].plan_upscale(H)
    draft, full = await with_clip(scenes[0], "draft_8s"), await with_clip(scenes[1], "clip_8s")
    small = (await draft.plan_upscale(H, resolution="720p")).request
    assert isinstance(small, UpscaleVideo) and small.model == "up_720p"
    with pytest.raises(InvalidSetting, match=r"is 720p already.*1080p or 4K"):
        await full.plan_upscale(H, resolution="720p")
    with pytest.raises(InvalidSetting, match=r"plan\. This account has: .*up_1080p"):
        await full.plan_upscale(H, resolution="4K")
    assert (await full.plan_upscale(H)).credits == 3


async def test_a_picture_of_flows_own_making_can_be_enlarged(video: Video, tmp_path: Path) -> None:
    scene = await video.add_scene("one")
    with pytest.raises(NotReady, match="no HORIZONTAL image to upscale"):
        await scene.plan_image_upscale(H)
    assert (await scene.execute_generate_image(H)).success
    planned = await scene.plan_image_upscale(H)
    assert isinstance(planned.request, UpscaleImage)
    assert (planned.request.model, planned.request.resolution, planned.credits) == (
        "PIC_2K",
        "2K",
        1,
    )
    with pytest.raises(InvalidSetting, match=r"plan\. This account has: PIC_2K"):
        await scene.plan_image_upscale(H, resolution="4K")
    file = tmp_path / "mine.jpg"
    file.write_bytes(picture((96, 54), "mine"))
    await scene.set_image(file, H)
    with pytest.raises(InvalidSetting, match="only what it has made"):
        await scene.plan_image_upscale(H)
