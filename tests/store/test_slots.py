"""Slots, takes and the cascade: what counts is derived, and nothing paid for is erased."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.models import MediaKind, Orientation, Stage, Take
from flowkit_mcp.errors import Conflict, NotFound
from flowkit_mcp.store import catalog, takes
from flowkit_mcp.store.database import Database
from flowkit_mcp.store.migrate import migrate

H = Orientation.HORIZONTAL
V = Orientation.VERTICAL


class Studio:
    """One project, one video, and a way to add takes."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._ids = (f"id-{n}" for n in itertools.count())

    async def build(self) -> None:
        async with self.db.transaction() as tx:
            await catalog.add_project(tx, {"name": "Film"}, id="p", slug="film", now=1)
            await catalog.add_video(
                tx, {"project_id": "p", "title": "One"}, id="v", slug="one", now=1
            )

    async def scene(self, id: str, **values: object) -> str:
        async with self.db.transaction() as tx:
            await catalog.add_scene(tx, {"video_id": "v", "prompt": id, **values}, id=id, now=1)
        return id

    async def take(
        self,
        scene: str,
        stage: Stage,
        *,
        source: Take | None = None,
        end: Take | None = None,
        orientation: Orientation = H,
    ) -> Take:
        async with self.db.transaction() as tx:
            name = next(self._ids)
            file = MediaFile(path=Path(name), media=MediaKind.VIDEO, sha256="0" * 64, bytes=1)
            asset = await takes.add_asset(tx, file, id=f"a-{name}", path=name, now=1)
            await takes.add_remote(
                tx,
                asset_id=asset.id,
                provider="flow",
                account="me",
                remote_id=f"r-{name}",
                remote_project_id="rp",
                now=1,
            )
            number = await takes.next_number(
                tx, scene_id=scene, character_id=None, orientation=orientation, stage=stage
            )
            return await takes.add_take(
                tx,
                id=f"t-{name}",
                number=number,
                now=1,
                select=True,
                asset_id=asset.id,
                scene_id=scene,
                orientation=orientation,
                stage=stage,
                made_from_id=source.id if source else None,
                ends_on_id=end.id if end else None,
            )

    async def select(self, take: Take) -> None:
        async with self.db.transaction() as tx:
            await takes.select_take(tx, take)

    async def filled(self, scene: str, orientation: Orientation = H) -> dict[Stage, str | None]:
        found = await takes.slots(self.db, scene_id=scene)
        return {
            slot.stage: slot.take_id if slot.filled else None
            for slot in found
            if slot.orientation is orientation
        }


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncGenerator[Studio]:
    async with Database.open(tmp_path / "x.db") as db:
        await migrate(db)
        studio = Studio(db)
        await studio.build()
        yield studio


async def test_a_new_image_empties_video_and_upscale_and_choosing_the_old_one_fills_them_again(
    studio: Studio,
) -> None:
    scene = await studio.scene("s")
    image = await studio.take(scene, Stage.IMAGE)
    video = await studio.take(scene, Stage.VIDEO, source=image)
    upscale = await studio.take(scene, Stage.UPSCALE, source=video)
    assert list((await studio.filled(scene)).values()) == [image.id, video.id, upscale.id, None]
    again = await studio.take(scene, Stage.IMAGE)
    assert list((await studio.filled(scene)).values()) == [again.id, None, None, None]
    await studio.select(image)
    assert list((await studio.filled(scene)).values()) == [image.id, video.id, upscale.id, None]


async def test_choosing_an_old_image_brings_back_its_own_clip_even_after_a_newer_one(
    studio: Studio,
) -> None:
    scene = await studio.scene("s")
    first = await studio.take(scene, Stage.IMAGE)
    old = await studio.take(scene, Stage.VIDEO, source=first)
    second = await studio.take(scene, Stage.IMAGE)
    new = await studio.take(scene, Stage.VIDEO, source=second)
    assert (await studio.filled(scene))[Stage.VIDEO] == new.id
    await studio.select(first)
    assert (await studio.filled(scene))[Stage.VIDEO] == old.id
    await studio.select(second)
    assert (await studio.filled(scene))[Stage.VIDEO] == new.id


async def test_a_new_video_empties_only_its_upscale_and_orientations_are_apart(
    studio: Studio,
) -> None:
    scene = await studio.scene("s")
    image = await studio.take(scene, Stage.IMAGE)
    video = await studio.take(scene, Stage.VIDEO, source=image)
    await studio.take(scene, Stage.UPSCALE, source=video)
    other = await studio.take(scene, Stage.IMAGE, orientation=V)
    video_2 = await studio.take(scene, Stage.VIDEO, source=image)
    assert list((await studio.filled(scene)).values()) == [image.id, video_2.id, None, None]
    assert list((await studio.filled(scene, V)).values()) == [other.id, None, None, None]


async def test_a_clip_made_from_words_alone_counts_whatever_becomes_of_the_image(
    studio: Studio,
) -> None:
    scene = await studio.scene("s")
    first = await studio.take(scene, Stage.IMAGE)
    await studio.take(scene, Stage.VIDEO, source=first)
    words = await studio.take(scene, Stage.VIDEO)
    await studio.take(scene, Stage.IMAGE)
    assert (await studio.filled(scene))[Stage.VIDEO] == words.id
    await studio.select(first)
    assert (await studio.filled(scene))[Stage.VIDEO] == words.id, "it counted, so it stays"


async def test_a_clip_is_stale_once_the_image_it_ends_on_is_another(studio: Studio) -> None:
    one, two = await studio.scene("one"), await studio.scene("two")
    start = await studio.take(one, Stage.IMAGE)
    end = await studio.take(two, Stage.IMAGE)
    clip = await studio.take(one, Stage.VIDEO, source=start, end=end)
    large = await studio.take(one, Stage.UPSCALE, source=clip)
    other = await studio.take(two, Stage.IMAGE)
    filled = await studio.filled(one)
    assert (filled[Stage.IMAGE], filled[Stage.VIDEO], filled[Stage.UPSCALE]) == (
        start.id,
        None,
        None,
    )
    again = await studio.take(one, Stage.VIDEO, source=start, end=other)
    assert (await studio.filled(one))[Stage.VIDEO] == again.id
    await studio.select(end)
    filled = await studio.filled(one)
    assert (filled[Stage.VIDEO], filled[Stage.UPSCALE]) == (clip.id, large.id)


async def test_an_extension_counts_as_long_as_the_clip_it_goes_on_from_counts(
    studio: Studio,
) -> None:
    scenes = [await studio.scene(name) for name in "abc"]
    image = await studio.take(scenes[0], Stage.IMAGE)
    clip = await studio.take(scenes[0], Stage.VIDEO, source=image)
    second = await studio.take(scenes[1], Stage.VIDEO, source=clip)
    third = await studio.take(scenes[2], Stage.VIDEO, source=second)

    async def clips() -> list[str | None]:
        return [(await studio.filled(scene))[Stage.VIDEO] for scene in scenes]

    assert await clips() == [clip.id, second.id, third.id]
    other = await studio.take(scenes[0], Stage.VIDEO, source=image)
    assert await clips() == [other.id, None, None], "the clip is not selected"
    new = await studio.take(scenes[1], Stage.VIDEO, source=other)
    assert await clips() == [other.id, new.id, None]
    await studio.select(clip)
    assert await clips() == [clip.id, second.id, third.id], "all three are back"
    await studio.take(scenes[0], Stage.IMAGE)
    assert await clips() == [None, None, None], "the clip itself is stale"


async def test_a_larger_picture_is_stale_with_its_image_and_an_edited_image_never_is(
    studio: Studio,
) -> None:
    scene = await studio.scene("s")
    image = await studio.take(scene, Stage.IMAGE)
    poster = await studio.take(scene, Stage.IMAGE_UPSCALE, source=image)
    edited = await studio.take(scene, Stage.IMAGE, source=image)
    filled = await studio.filled(scene)
    assert (filled[Stage.IMAGE], filled[Stage.IMAGE_UPSCALE]) == (edited.id, None)
    await studio.select(image)
    assert (await studio.filled(scene))[Stage.IMAGE_UPSCALE] == poster.id


async def test_a_clip_that_goes_on_in_its_own_slot_stands_for_itself(studio: Studio) -> None:
    scene = await studio.scene("s")
    image = await studio.take(scene, Stage.IMAGE)
    short = await studio.take(scene, Stage.VIDEO, source=image)
    longer = await studio.take(scene, Stage.VIDEO, source=short)
    assert (await studio.filled(scene))[Stage.VIDEO] == longer.id
    await studio.take(scene, Stage.IMAGE)
    assert (await studio.filled(scene))[Stage.VIDEO] is None


async def test_a_take_whose_source_was_replaced_meanwhile_pushes_nothing_aside(
    studio: Studio,
) -> None:
    one, two = await studio.scene("one"), await studio.scene("two")
    start, old_end = await studio.take(one, Stage.IMAGE), await studio.take(two, Stage.IMAGE)
    new_end = await studio.take(two, Stage.IMAGE)
    good = await studio.take(one, Stage.VIDEO, source=start, end=new_end)
    late = await studio.take(one, Stage.VIDEO, source=start, end=old_end)
    assert not late.selected
    assert (await studio.filled(one))[Stage.VIDEO] == good.id


async def test_scenes_are_numbered_without_gaps_through_moves_and_removals(studio: Studio) -> None:
    for name in "abcd":
        await studio.scene(name)
    async with studio.db.transaction() as tx:
        await catalog.move_scene(tx, await catalog.scene(tx, "d"), 1)
        await catalog.remove_scene(tx, await catalog.scene(tx, "b"), 2)
    found = await catalog.scenes(studio.db, "v")
    assert [(scene.number, scene.id) for scene in found] == [(1, "d"), (2, "a"), (3, "c")]
    assert (await catalog.scene_by_handle(studio.db, "Scene 3", "v")).id == "c"
    with pytest.raises(NotFound, match="4"):
        await catalog.scene_by_handle(studio.db, 4, "v")


async def test_a_scene_that_continued_a_removed_one_continues_its_parent(studio: Studio) -> None:
    await studio.scene("a")
    await studio.scene("b", chain_type="CONTINUATION", parent_scene_id="a")
    await studio.scene("c", chain_type="CONTINUATION", parent_scene_id="b")
    async with studio.db.transaction() as tx:
        await catalog.remove_scene(tx, await catalog.scene(tx, "b"), 2)
    assert (await catalog.scene(studio.db, "c")).parent_scene_id == "a"
    async with studio.db.transaction() as tx:
        await catalog.remove_scene(tx, await catalog.scene(tx, "a"), 2)
    orphan = await catalog.scene(studio.db, "c")
    assert (orphan.parent_scene_id, orphan.chain_type) == (None, "ROOT")


async def test_names_are_handles_and_ambiguity_names_the_ids(studio: Studio) -> None:
    async with studio.db.transaction() as tx:
        await catalog.add_character(tx, {"name": "Mai"}, id="m1", slug="mai", now=1)
        await catalog.add_character(tx, {"name": "Mai"}, id="m2", slug="mai", now=1)
    assert (await catalog.character(studio.db, "mai-2")).id == "m2"
    assert (await catalog.character(studio.db, "mai")).id == "m1", "the slug is exact"
    with pytest.raises(Conflict, match="m1, m2"):
        await catalog.character(studio.db, " MAI ")
    with pytest.raises(NotFound, match="'Mai'"):
        await catalog.character(studio.db, "nobody")


async def test_the_flat_views_tell_on_which_picture_a_clip_ends_and_what_a_character_looks_like(
    studio: Studio,
) -> None:
    one, two = await studio.scene("one"), await studio.scene("two")
    start, end = await studio.take(one, Stage.IMAGE), await studio.take(two, Stage.IMAGE)
    await studio.take(one, Stage.VIDEO, source=start, end=end)
    first, second = await studio.db.all("SELECT * FROM scene_flat ORDER BY display_order")
    assert first["horizontal_end_scene_media_id"] == second["horizontal_image_media_id"] == "r-id-1"
    assert (first["vertical_end_scene_media_id"], second["horizontal_end_scene_media_id"]) == (
        None,
        None,
    )
    async with studio.db.transaction() as tx:
        await catalog.add_character(tx, {"name": "Mai"}, id="c", slug="mai", now=1)
    (mai,) = await studio.db.all("SELECT * FROM character_flat")
    assert (mai["name"], mai["entity_type"], mai["media_id"]) == ("Mai", "character", None)


async def test_the_flat_views_show_what_an_earlier_tool_showed(studio: Studio) -> None:
    scene = await studio.scene("s")
    image = await studio.take(scene, Stage.IMAGE)
    await studio.take(scene, Stage.VIDEO, source=image)
    (flat,) = await studio.db.all("SELECT * FROM scene_flat")
    assert flat["horizontal_image_status"] == flat["horizontal_video_status"] == "COMPLETED"
    assert flat["vertical_image_status"] == "PENDING" and flat["vertical_image_url"] is None
    assert flat["horizontal_image_media_id"] == "r-id-0" and flat["horizontal_image_url"] == "id-0"
    await studio.take(scene, Stage.IMAGE)
    (flat,) = await studio.db.all("SELECT * FROM scene_flat")
    assert flat["horizontal_video_status"] == "PENDING" and flat["horizontal_video_url"] is None
    (video,) = await studio.db.all("SELECT * FROM video_flat")
    assert (video["status"], video["vertical_url"]) == ("DRAFT", None)
    assert await studio.db.all("SELECT * FROM request") == []
