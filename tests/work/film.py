"""A small production that tests of the queue build on."""

from __future__ import annotations

from fake_provider import FakeProvider

from flowkit_mcp import Character, FlowKit, Orientation, Project, Scene, Video
from flowkit_mcp.clock import Clock
from flowkit_mcp.sdk.jobs import GenerationResult
from flowkit_mcp.work.replies import Replies
from flowkit_mcp.work.workshop import Workshop


async def scene_of(kit: FlowKit, *, cast: bool = False) -> Scene:
    """One scene in one video; with a character if asked."""
    project = await Project.create(kit, "Harbour film")
    video = await project.add_video("Harbour")
    if cast:
        mai = await Character.create(kit, "Mai", description="a girl in a yellow coat")
        await project.add_character(mai)
    return await video.add_scene("A harbour at dawn", characters=["Mai"] if cast else [])


async def account_seen(kit: FlowKit) -> None:
    """The worker asks for the account by itself; wait until it has."""
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.account is None:
        version = await kit.db.changed(version, 5)


async def away(kit: FlowKit, provider: FakeProvider) -> None:
    """The browser goes away, and the worker has seen it: nothing more is claimed for it."""
    provider.connected = False
    kit._wake()
    version = await kit.db.version()
    while (state := await kit.provider_state()) is None or state.connected:
        version = await kit.db.changed(version, 5)


async def with_image(kit: FlowKit) -> Scene:
    """Once the account is seen: one scene, and its horizontal image is there."""
    await account_seen(kit)
    scene = await scene_of(kit)
    good(await scene.execute_generate_image(Orientation.HORIZONTAL))
    return scene


def good(result: GenerationResult) -> GenerationResult:
    assert result.success, result.error
    return result


async def two_scenes(kit: FlowKit) -> tuple[Project, Video, Scene, Scene]:
    """Scene 2 continues scene 1."""
    project = await Project.create(kit, "Two")
    video = await project.add_video("Two scenes")
    first = await video.add_scene("A lamp is lit")
    second = await video.add_scene("The lamp turns", continues=1)
    return project, video, first, second


def workshop_of(kit: FlowKit, provider: FakeProvider, clock: Clock) -> Workshop:
    """What a leader of this library would work with."""
    return Workshop(
        db=kit.db, clock=clock, media=kit.media, ffmpeg="", generation=1,
        providers={provider.name: provider}, replies=Replies(kit.db.path),
    )  # fmt: skip
