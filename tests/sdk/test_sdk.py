"""FlowKit for Python programs: productions, handles, direct execution, clear refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_provider import FakeProvider, picture

from flowkit_mcp import (
    Character,
    EntityType,
    FlowKit,
    Job,
    Orientation,
    Project,
    Scene,
    SceneDraft,
    Settings,
    Video,
)
from flowkit_mcp.domain.models import Stage
from flowkit_mcp.errors import InvalidSetting, NotConnected, NotFound, NotReady

H, V = Orientation.HORIZONTAL, Orientation.VERTICAL


async def ready(kit: FlowKit) -> None:
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.account is None:
        version = await kit.db.changed(version, 5)


async def test_a_plain_script_makes_a_film(kit: FlowKit, provider: FakeProvider) -> None:
    await ready(kit)
    project = await Project.create(kit, "Harbour", style="watercolour")
    mai = await project.add_character("Mai", description="a girl in a yellow coat")
    assert (await mai.execute_generate_image(project.id)).success
    video = await project.add_video("Harbour", orientation=V)
    scene = await video.add_scene("Mai lights the lamp", characters=["Mai"])
    job = await scene.generate_image(V)
    result = await job.result()
    assert result.success and result.url is not None and result.url.startswith("file:")
    assert (await scene.execute_generate_video(V)).success
    film = await video.execute_merge(V)
    assert film.success and film.path is not None and film.path.is_file()
    assert [render.orientation for render in await video.renders()] == [V]
    assert provider.charged == 12


async def test_what_is_made_is_found_again_by_name_slug_and_id(kit: FlowKit) -> None:
    project = await Project.create(kit, "My Film")
    video = await project.add_video("Part One")
    scene = await video.add_scene("a")
    for handle in ("My Film", "my film", "my-film", project.id):
        assert (await Project.get(kit, handle)).id == project.id
    for handle in ("Part One", "part-one", video.id):
        assert (await Video.get(kit, handle, project="My Film")).id == video.id
    for handle in (1, "1", "scene 1", scene.id):
        assert (await Scene.get(kit, handle, video=video.id)).id == scene.id
    with pytest.raises(NotFound, match="'My Film'"):
        await Project.get(kit, "Other")


async def test_characters_stand_alone_and_star_in_several_projects(kit: FlowKit) -> None:
    one, two = await Project.create(kit, "One"), await Project.create(kit, "Two")
    mai = await one.add_character("Mai", entity_type=EntityType.CREATURE)
    await two.add_character(mai)
    assert [c.id for c in await two.get_characters()] == [mai.id]
    await one.remove_character("Mai")
    assert await one.get_characters() == [] and [c.id for c in await Character.list(kit)] == [
        mai.id
    ]


async def test_scenes_are_added_in_one_go_or_not_at_all(kit: FlowKit) -> None:
    video = await (await Project.create(kit, "P")).add_video("V")
    scenes = await video.add_scenes(
        [SceneDraft("one"), SceneDraft("two", continues=1), SceneDraft("three", continues=2)]
    )
    assert [scene.number for scene in scenes] == [1, 2, 3]
    assert scenes[2].row.parent_scene_id == scenes[1].id
    with pytest.raises(NotFound, match="Nobody"):
        await video.add_scenes([SceneDraft("four"), SceneDraft("five", characters=["Nobody"])])
    with pytest.raises(InvalidSetting, match=r"scenes\[2\]"):
        await video.add_scenes([SceneDraft("four"), SceneDraft(" ")])
    assert len(await video.get_scenes()) == 3
    await video.move_scene(3, 1)
    await video.remove_scene(2)
    assert [scene.row.prompt for scene in await video.get_scenes()] == ["three", "two"]


async def test_values_show_what_a_slot_holds(kit: FlowKit) -> None:
    await ready(kit)
    scene = await (await (await Project.create(kit, "P")).add_video("V")).add_scene("one")
    slot = await scene.orientation_slot(H)
    assert (slot.image.status, slot.image.path, slot.image.url) == ("PENDING", None, None)
    result = await scene.execute_generate_image(H)
    slot = await scene.orientation_slot(H)
    assert (slot.image.status, slot.image.media_id) == ("COMPLETED", result.media_id)
    assert slot.image.path == result.path and slot.video.status == "PENDING"


async def test_a_picture_of_ones_own_becomes_a_take_and_is_uploaded_only_when_needed(
    kit: FlowKit, provider: FakeProvider, tmp_path: Path
) -> None:
    await ready(kit)
    file = tmp_path / "mine.jpg"
    file.write_bytes(picture((320, 180), "mine"))
    scene = await (await (await Project.create(kit, "P")).add_video("V")).add_scene("one")
    await scene.set_image(file, H)
    assert provider.uploads == []
    assert (await scene.execute_generate_video(H)).success
    assert (await scene.execute_generate_video(H, new_take=True)).success
    assert len(provider.uploads) == 1, "the account knows it now"
    (take,) = await scene.takes(H, Stage.IMAGE)
    assert take.note == "uploaded: mine.jpg"


async def test_a_picture_made_by_another_account_is_uploaded_to_the_one_connected_now(
    kit: FlowKit, provider: FakeProvider
) -> None:
    await ready(kit)
    scene = await (await (await Project.create(kit, "P")).add_video("V")).add_scene("one")
    assert (await scene.execute_generate_image(H)).success
    await sign_in_as(kit, provider, "another account")
    assert (await scene.execute_generate_video(H)).success
    assert provider.ledger[-1].brief.start == "upload-1"  # type: ignore[union-attr]
    assert provider.projects == ["P", "P"], "the other account has its own project"


async def sign_in_as(kit: FlowKit, provider: FakeProvider, label: str) -> None:
    """The person signs out and in as somebody else; wait until FlowKit has seen it."""
    provider.connected = False
    kit._wake()
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.connected:
        version = await kit.db.changed(version, 5)
    provider.label, provider.connected = label, True
    kit._wake()
    while (await kit.account()).label != label:
        version = await kit.db.changed(version, 5)


async def test_a_job_handle_stays_good_after_a_restart(kit: FlowKit) -> None:
    await ready(kit)
    scene = await (await (await Project.create(kit, "P")).add_video("V")).add_scene("one")
    job = await scene.generate_image(H)
    again = Job(kit, job.id)
    assert (await again.result()).success
    assert [event.type for event in await again.events()][-1] == "succeeded"


async def test_without_an_account_planning_says_how_to_connect(settings: Settings) -> None:
    async with FlowKit.open(settings, provider=FakeProvider(connected=False)) as kit:
        scene = await (await (await Project.create(kit, "P")).add_video("V")).add_scene("one")
        with pytest.raises(NotConnected, match="pair"):
            await scene.plan_image(H)


async def test_a_film_with_gaps_is_refused_and_names_the_scenes(kit: FlowKit) -> None:
    video = await (await Project.create(kit, "P")).add_video("V")
    await video.add_scenes([SceneDraft("one"), SceneDraft("two")])
    with pytest.raises(NotReady, match="scene 1, 2"):
        await video.merge(H)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"trim_start": 3, "trim_end": 2}, "trim_end"),
        ({"prompt": " "}, "prompt"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_is_changed(
    kit: FlowKit, values: dict[str, object], field: str
) -> None:
    scene = await (await (await Project.create(kit, "P")).add_video("V")).add_scene("one")
    with pytest.raises(InvalidSetting, match=field):
        await scene.update(**values)  # type: ignore[arg-type]
    assert (await scene.reload()).row.prompt == "one"
