"""What `doctor` finds in a library that was worked in, and on the machine around it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sqlite3
import sys
from pathlib import Path

import pytest
from fake_provider import FakeProvider
from work.film import account_seen, good, scene_of

from flowkit_mcp import FlowKit, Orientation, Settings
from flowkit_mcp.cli import ports
from flowkit_mcp.cli.doctor import examine, report
from flowkit_mcp.cli.doctor_check import Check
from flowkit_mcp.cli.library import share_among
from flowkit_mcp.domain.models import JobState
from flowkit_mcp.store.engine import has_wal_reset_bug

H = Orientation.HORIZONTAL


async def checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check async for check in examine(settings)}


async def test_calls_of_which_nobody_knows_whether_they_were_charged_are_named_with_their_evidence(
    settings: Settings, provider: FakeProvider
) -> None:
    provider.can_look_up = False
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        scene = await scene_of(kit)
        good(await scene.execute_generate_image(H))
        assert (await checks(settings))["outcomes"].verdict == "ok"
        provider.script = [FakeProvider.LOSE]
        job = await scene.generate_video(H)
        assert (await kit.wait(job.id, 20)).state is JobState.NEEDS_ATTENTION
    told = (await checks(settings))["outcomes"]
    assert told.verdict == "warning" and "look_again" in told.next
    assert f"job {job.id}, 12 credits, sent 20" in told.found
    assert "this provider cannot be asked" in told.found


async def test_files_that_are_gone_copies_and_the_log_are_told(
    settings: Settings, provider: FakeProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        good(await (await scene_of(kit)).execute_generate_image(H))
        picture = next(settings.library.rglob("*take-1.jpg"))
        await kit.db.backup(settings.state_dir / "backup-2026-11-27.db")
    found = await checks(settings)
    assert found["media"].found == "1 files in use, all there"
    assert "1 of the database, the newest backup-2026-11-27.db" in found["copies"].found
    assert str(settings.state_dir) in found["log"].found
    picture.unlink()
    found = await checks(settings)
    assert found["media"].verdict == "warning" and picture.name in found["media"].found
    assert await report(examine(settings), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] and {c["name"] for c in told["checks"]} == set(found)


async def test_a_damaged_database_is_put_back_as_doctor_says(
    settings: Settings, provider: FakeProvider
) -> None:
    async with FlowKit.open(settings, provider=provider) as kit:
        await account_seen(kit)
        good(await (await scene_of(kit)).execute_generate_image(H))
        await kit.db.backup(settings.state_dir / "backup-2026-11-27.db")
    damaged = bytearray(settings.database.read_bytes())
    for page in range(4096, len(damaged), 4096):
        damaged[page : page + 1000] = os.urandom(1000)
    settings.database.write_bytes(bytes(damaged))
    told = (await checks(settings))["database"]
    assert told.verdict == "broken" and "damaged" in told.found
    for step in ("backup-2026-11-27.db", "flowkit.db-wal", "flowkit.db-shm"):
        assert step in told.next
    for suffix in ("-wal", "-shm"):
        settings.database.with_name(f"flowkit.db{suffix}").unlink(missing_ok=True)
    (settings.state_dir / "backup-2026-11-27.db").replace(settings.database)
    assert (await checks(settings))["database"].verdict == "ok"
    async with FlowKit.open(settings, provider=provider) as kit:
        assert [job["state"] for job in await kit.db.all("SELECT state FROM job")] == ["succeeded"]


@pytest.mark.skipif(sys.platform == "darwin", reason="lsof may not be there")
async def test_who_has_the_port_is_named(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(os.getpid()) in (ports.owner(port) or "")
        told = (await checks(settings.model_copy(update={"port": port})))["bridge"]
        assert told.verdict == "broken" and f"process {os.getpid()}" in told.found
    assert ports.owner(port) is None


@pytest.mark.skipif(sys.platform == "darwin", reason="lsof may not be there")
async def test_who_has_the_port_is_named_also_while_flowkit_waits_for_it(
    settings: Settings,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mine = settings.model_copy(update={"port": taken.getsockname()[1]})
        async with FlowKit.open(mine) as kit, asyncio.timeout(60):
            version = await kit.db.version()
            while (await kit.status()).browser.state != "port_taken":
                version = await kit.db.changed(version, None)
            told = await checks(mine)
    assert told["worker"].found.startswith(f"process {os.getpid()} works this library")
    assert told["bridge"].verdict == "broken"
    assert f"process {os.getpid()}" in told["bridge"].found


def test_what_lsof_and_netstat_say_is_read() -> None:
    assert ports._by_lsof("p4711\ncnode\nf19\n") == "process 4711 (node)"
    assert ports._by_lsof("") is None
    table = "  TCP    127.0.0.1:47815   0.0.0.0:0    LISTENING    812\n  UDP  x\n"
    assert ports._by_netstat(table, 47815) == "process 812"
    assert ports._by_netstat(table, 815) is None


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
nas:/films /mnt/films nfs4 rw 0 0
//box/share /mnt/box\\040two cifs rw 0 0
/dev/sdb1 /mnt/films/local ext4 rw 0 0
me@far: /mnt/far fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ann/films", None),
        ("/mnt/films/ann", "nfs4"),
        ("/mnt/films/local/ann", None),
        ("/mnt/box two/films", "cifs"),
        ("/mnt/far", "fuse.sshfs"),
    ],
)
def test_a_network_drive_is_noticed(folder: str, kind: str | None) -> None:
    assert share_among(MOUNTS, Path(folder)) == kind


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ("3.40.1", True), ("3.44.5", True), ("3.44.6", False), ("3.45.0", True), ("3.50.6", True),
        ("3.50.7", False), ("3.51.2", True), ("3.51.3", False), ("3.52.0", False), ("4.0.0", False),
    ],
)  # fmt: skip
def test_which_versions_of_sqlite_have_the_wal_reset_bug(version: str, has: bool) -> None:
    assert has_wal_reset_bug(version) is has


async def test_this_sqlites_bug_is_told(settings: Settings) -> None:
    told = (await checks(settings))["database"].found
    assert ("WAL-reset bug" in told) is has_wal_reset_bug(sqlite3.sqlite_version)


async def test_a_disk_that_is_nearly_full_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nearly_full(_: object) -> object:
        return shutil._ntuple_diskusage(10**12, 10**12 - 10**9, 10**9)  # type: ignore[attr-defined]

    monkeypatch.setattr("flowkit_mcp.cli.doctor.shutil.disk_usage", nearly_full)
    told = (await checks(settings))["library"]
    assert (
        told.verdict == "warning" and "only 0.9 GB free" in told.found and "make room" in told.next
    )
