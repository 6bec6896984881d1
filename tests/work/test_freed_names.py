"""A file cleaned away by the person frees its name; what gets the name next is recorded, and each asset has its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from fake_provider import FakeProvider, picture
from film import account_seen, good, scene_of, with_image, workshop_of

from flowkit_mcp import FlowKit, Orientation, Scene, Video
from flowkit_mcp.domain.files import MediaFile
from flowkit_mcp.domain.models import Asset, MediaKind
from flowkit_mcp.errors import MediaError
from flowkit_mcp.store import takes
from flowkit_mcp.work.restore import Restorer

H = Orientation.HORIZONTAL


async def picture_of(kit: FlowKit, scene: Scene) -> Asset:
    """What the newest take of a scene's picture consists of."""
    made = await takes.takes(kit.db, scene_id=scene.id, orientation=H)
    return await takes.asset(kit.db, made[-1].asset_id)


def digest(kit: FlowKit, asset: Asset) -> str:
    return hashlib.sha256(kit.media.absolute(asset.path).read_bytes()).hexdigest()


def restorer(kit: FlowKit, provider: FakeProvider) -> Restorer:
    return Restorer(workshop_of(kit, provider, kit.clock))


async def test_a_paid_take_is_recorded_under_the_name_of_a_removed_scenes_lost_file(
    kit: FlowKit, provider: FakeProvider
) -> None:
    scene = await with_image(kit)
    old = await picture_of(kit, scene)
    video = await Video.get(kit, scene.video.id)
    await video.remove_scene(1)
    kit.media.absolute(old.path).unlink()
    fresh = await (await Video.get(kit, video.id)).add_scene("A storm comes up")
    good(await fresh.execute_generate_image(H))
    new = await picture_of(kit, fresh)
    assert new.path == old.path and new.id != old.id and digest(kit, new) == new.sha256
    lost = await takes.asset(kit.db, old.id)
    assert lost.path != new.path and not kit.media.absolute(lost.path).exists()
    again = await restorer(kit, provider).here(lost)
    assert again.path == lost.path and digest(kit, again) == old.sha256
    assert digest(kit, new) == new.sha256, "each has its own"
    assert provider.submits == 2, "nothing is ordered twice"


async def test_after_scenes_changed_places_each_keeps_its_own_picture(
    kit: FlowKit, provider: FakeProvider
) -> None:
    await account_seen(kit)
    first = await scene_of(kit)
    good(await first.execute_generate_image(H))
    old = await picture_of(kit, first)
    kit.media.absolute(old.path).unlink()
    second = await (await Video.get(kit, first.video.id)).add_scene("A storm comes up")
    await (await Video.get(kit, first.video.id)).move_scene(second.id, 1)
    good(await (await Scene.get(kit, second.id)).execute_generate_image(H))
    new = await picture_of(kit, second)
    assert new.path == old.path

    async def flow_may_be_asked() -> bool:
        return True

    assert await restorer(kit, provider).in_use(flow_may_be_asked) == 1
    for scene in (first, second):
        asset = await picture_of(kit, scene)
        assert digest(kit, asset) == asset.sha256


async def test_a_persons_own_picture_gets_a_freed_name_and_the_lost_one_is_said_to_be_gone(
    kit: FlowKit, provider: FakeProvider, tmp_path: Path
) -> None:
    scene = await scene_of(kit)
    files = [tmp_path / f"{name}.jpg" for name in ("one", "two")]
    for file in files:
        file.write_bytes(picture((96, 54), file.name))
    await scene.set_image(files[0], H)
    old = await picture_of(kit, scene)
    video = await Video.get(kit, scene.video.id)
    await video.remove_scene(1)
    kit.media.absolute(old.path).unlink()
    fresh = await (await Video.get(kit, video.id)).add_scene("A storm comes up")
    await fresh.set_image(files[1], H)
    new = await picture_of(kit, fresh)
    assert new.path == old.path and digest(kit, new) == new.sha256
    with pytest.raises(MediaError, match="is gone from the library"):
        await restorer(kit, provider).here(await takes.asset(kit.db, old.id))


async def test_a_file_that_comes_home_under_a_freed_name_takes_it(kit: FlowKit) -> None:
    def file(path: str, sha: str) -> MediaFile:
        return MediaFile(
            path=kit.media.absolute(path), media=MediaKind.IMAGE, sha256=sha * 64, bytes=1,
            width=1, height=1, duration_ms=None,
        )  # fmt: skip

    async with kit.db.transaction() as tx:
        for id, name, sha in (("a", "f/take-1.jpg", "1"), ("b", "f/take-1.png", "2")):
            await takes.add_asset(tx, file(name, sha), id=id, path=name, now=1)
        home = await takes.refile(tx, "a", file("f/take-1.png", "3"), "f/take-1.png")
        other = await takes.asset(tx, "b")
        assert home.path == "f/take-1.png" and other.path == "f/gone-b-take-1.png"
        same = await takes.refile(tx, "a", file("f/take-1.png", "3"), "f/take-1.png")
        assert same == home, "its own name stays its own"
