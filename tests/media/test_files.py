from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from flowkit_mcp.domain.models import MediaKind, Orientation, Stage
from flowkit_mcp.errors import InvalidSetting, MediaError, NotFound
from flowkit_mcp.media.files import MediaStore, slug


@pytest.fixture
def store(tmp_path: Path) -> MediaStore:
    return MediaStore(tmp_path / "library")


def picture(path: Path, colour: str = "teal", kind: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 36), colour).save(path, kind)
    return path


def take(store: MediaStore, number: int = 1, suffix: str = "png") -> Path:
    return store.take_path(
        project="Đêm hội",
        video="Part 1: The Gate",
        scene_number=3,
        orientation=Orientation.VERTICAL,
        stage=Stage.IMAGE,
        number=number,
        suffix=suffix,
    )


def test_paths_read_like_the_production(store):
    relative = store.relative(take(store, 2, ".MP4"))
    assert relative == "dem-hoi/part-1-the-gate/scene-03/vertical-image-take-2.mp4"
    reference = store.reference_path(character="Bà Lan", number=1, suffix=".jpg")
    assert store.relative(reference) == "characters/ba-lan/reference-take-1.jpg"
    render = store.render_path(
        project="P", video="The Gate", orientation=Orientation.HORIZONTAL, number=1
    )
    assert store.relative(render) == "p/the-gate/the-gate-horizontal-1.mp4"
    assert store.absolute(relative) == take(store, 2, "mp4")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "CON",
        "nul",
        "com1",
        "Đêm trăng",
        "夜の物語",
        "a/b\\c:d*e?",
        "x" * 300,
        "🌙",
        "Œuvre ß",
        *["trailing dot.", " lpt9 ", "../../etc", "İstanbul", "\x00", "Привет"],
    ],
)
def test_a_slug_is_a_safe_name_and_its_own_slug(text):
    name = slug(text)
    assert 1 <= len(name) <= 60
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-") and not name.endswith("-")
    assert name not in {"con", "nul", "com1", "lpt9"}
    assert slug(name) == name


def test_different_names_in_other_scripts_get_different_slugs():
    assert slug("夜 2") != slug("昼 2")
    assert slug("x" * 300) != slug("x" * 301)
    assert slug("Đêm trăng") == "dem-trang"


async def test_a_kept_file_is_checked_hashed_and_named(store):
    final = take(store)
    part = picture(store.part_for(final))
    assert part.name.startswith(".") and part.suffix == ".part" and part.parent == final.parent
    data = part.read_bytes()
    kept = await store.keep(part, final, MediaKind.IMAGE)
    assert kept.path == final and final.read_bytes() == data
    assert (kept.width, kept.height, kept.bytes, kept.duration_ms) == (64, 36, len(data), None)
    assert kept.sha256 == hashlib.sha256(data).hexdigest()
    assert not part.exists()


async def test_a_kept_clip_knows_its_length(store, make_clip):
    final = take(store, suffix="mp4")
    part = store.part_for(final)
    part.write_bytes(make_clip(frames=36).read_bytes())
    kept = await store.keep(part, final, MediaKind.VIDEO)
    assert (kept.width, kept.height, kept.duration_ms) == (320, 180, 1500)


async def test_damaged_content_is_refused_and_removed(store, make_clip):
    clip = make_clip(frames=36).read_bytes()
    whole = picture(store.library / "whole.png").read_bytes()
    cases = [
        (MediaKind.VIDEO, clip[: len(clip) // 2]),
        (MediaKind.VIDEO, whole),
        (MediaKind.IMAGE, whole[: len(whole) // 2]),
        (MediaKind.IMAGE, clip),
        (MediaKind.IMAGE, b"<html>Sign in</html>"),
        (MediaKind.IMAGE, b""),
    ]
    for kind, content in cases:
        final = take(store)
        part = store.part_for(final)
        part.write_bytes(content)
        with pytest.raises(MediaError, match=r"MEDIA_ERROR: vertical-image-take-1\.png "):
            await store.keep(part, final, kind)
        assert list(final.parent.iterdir()) == []


async def test_other_content_never_overwrites_and_the_same_is_not_kept_twice(store):
    final = take(store)
    first = await store.keep(picture(store.part_for(final), "teal"), final, MediaKind.IMAGE)
    again = await store.keep(picture(store.part_for(final), "teal"), final, MediaKind.IMAGE)
    other = await store.keep(picture(store.part_for(final), "red"), final, MediaKind.IMAGE)
    assert first == again
    assert other.path.name == "vertical-image-take-1 (2).png"
    assert hashlib.sha256(final.read_bytes()).hexdigest() == first.sha256
    assert len(list(final.parent.iterdir())) == 2


async def test_a_picture_gets_the_suffix_of_what_it_is(store):
    final = take(store, suffix="png")
    kept = await store.keep(picture(store.part_for(final), kind="JPEG"), final, MediaKind.IMAGE)
    assert kept.path.suffix == ".jpg"


async def test_a_persons_picture_is_copied_and_stays_theirs(store, tmp_path):
    own = picture(tmp_path / "my own.webp", kind="WEBP")
    final = store.reference_path(character="Lan", number=1, suffix="webp")
    kept = await store.import_file(own, final, MediaKind.IMAGE)
    assert kept.path == final and own.exists() and final.read_bytes() == own.read_bytes()


async def test_a_persons_file_that_cannot_be_used_is_explained(store, tmp_path):
    final = store.reference_path(character="Lan", number=1, suffix="png")
    with pytest.raises(NotFound, match="no file"):
        await store.import_file(tmp_path / "none.png", final, MediaKind.IMAGE)
    for content, reason in {
        b"%PDF-1.7": "not a PNG",
        b"\0\0\0\x18ftypheic": "HEIC",
        b"\x89PNG\r\n\x1a\n" + bytes(20_000_000): "20.0 MB; at most 20 MB",
    }.items():
        own = tmp_path / "own.png"
        own.write_bytes(content)
        with pytest.raises(InvalidSetting, match=reason):
            await store.import_file(own, final, MediaKind.IMAGE)
        assert own.exists() and not final.exists()


@pytest.mark.parametrize(
    "relative",
    [
        "../x.png",
        "a/../../x.png",
        "/etc/passwd",
        "C:\\x.png",
        "\\\\host\\share\\x",
        "a\\..\\..\\x",
        "",
    ],
)
def test_paths_out_of_the_library_are_refused(store, relative):
    with pytest.raises(InvalidSetting):
        store.absolute(relative)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
async def test_a_link_out_of_the_library_is_refused(store, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    store.library.mkdir()
    (store.library / "link").symlink_to(outside)
    with pytest.raises(InvalidSetting):
        store.absolute("link/x.png")
    part = picture(outside / "x.part")
    with pytest.raises(InvalidSetting):
        await store.keep(part, store.library / "link" / "x.png", MediaKind.IMAGE)


def test_a_sweep_takes_only_parts_of_dead_runs(store):
    final = take(store)
    live = store.part_for(final)
    live.write_bytes(b"being written")
    run = live.name.split(".")[-2]
    same_pid = live.with_name(f".x.png.{os.getpid()}-000000-000000.part")
    other_alive = live.with_name(f".x.png.{os.getppid()}-000000-000000.part")
    dead = live.with_name(f".x.png.{2**22 + 5}-000000-000000.part")
    person = live.with_name("notes.part")
    for path in (same_pid, other_alive, dead, person):
        path.write_bytes(b"")
    assert run.startswith(f"{os.getpid()}-")
    assert store.sweep_parts() == 2
    assert {path.name for path in final.parent.iterdir()} == {
        live.name,
        other_alive.name,
        person.name,
    }


def test_free_space_is_known_before_the_library_is_there(store):
    assert not store.library.exists()
    assert store.free_bytes() > 0
