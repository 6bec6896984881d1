"""A library on a real small disk that fills up, or cannot be written: told in words, nothing lost or paid twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from work.film import account_seen, good, scene_of

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.errors import FlowKitError, LibraryTrouble

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="mounts a disk: Linux, as root"
    ),
]
H = Orientation.HORIZONTAL


class Disk:
    """A file system of its own, of 6 MB."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._ballast = place / "of-somebody-else"

    def mount(self) -> None:
        self.place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", self.place], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.place], check=True)

    def fill(self) -> None:
        """To the last byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError:
                    pass

    def make_room(self) -> None:
        self._ballast.unlink()

    def writable(self, yes: bool) -> None:
        mode = "remount,rw" if yes else "remount,ro"
        subprocess.run(["mount", "-o", mode, self.place], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    disk.mount()
    yield disk
    disk.unmount()


@pytest.fixture
def settings(disk: Disk) -> Settings:
    return Settings(library=disk.place / "library", port=47999)


async def test_what_was_paid_while_the_disk_filled_up_arrives_once_there_is_room(
    settings: Settings, provider: FakeProvider, disk: Disk
) -> None:
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        scene = await scene_of(kit)
        good(await scene.execute_generate_image(H))

        def full(_: object) -> None:
            provider.on_accept = None
            disk.fill()

        provider.on_accept = full
        job = await scene.generate_video(H, mode="start")
        version = await kit.db.version()
        while provider.charged == 0:
            version = await kit.db.changed(version, 0.1)
        with pytest.raises(FlowKitError, match="full") as told:
            await scene.generate_image(H, new_take=True)
        assert "Make room" in told.value.hint
        assert len(await scene.takes()) == 1, "what was asked for on a full disk is not half there"
        disk.make_room()
        result = good(await job.result(90))
        assert result.path is not None and result.path.is_file()
        assert provider.charged == (await kit.status()).spent_credits == 12
        assert len(provider.ledger) == 2, "one picture, one clip"


async def test_a_library_that_cannot_be_written_says_so_and_is_whole_once_it_can(
    settings: Settings, provider: FakeProvider, disk: Disk
) -> None:
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        good(await (await scene_of(kit)).execute_generate_image(H))
    disk.writable(False)
    with pytest.raises(LibraryTrouble) as told:
        async with FlowKit.open(settings, provider=provider):
            pass
    assert "read-only" in told.value.hint
    disk.writable(True)
    async with FlowKit.open(settings, provider=provider) as kit:
        assert await kit.db.quick_check() == "ok"
        assert (await kit.status()).jobs[JobState.SUCCEEDED] == 1
        assert len(provider.ledger) == 1
