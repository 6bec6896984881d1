from __future__ import annotations

import io
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.sheet import SheetItem, contact_sheet
from flowkit_mcp.media.stills import last_frame, poster, thumbnail_bytes


async def test_the_last_frame_is_exactly_the_last(make_clip, tmp_path):
    clip = make_clip(frames=41)
    with av.open(str(clip)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    path = await last_frame(clip, tmp_path / "last.png")
    with Image.open(path) as saved:
        assert saved.format == "PNG"
        assert ImageChops.difference(saved, frames[-1]).getbbox() is None
        assert ImageChops.difference(saved, frames[-2]).getbbox() is not None


async def test_a_poster_shows_the_moment_asked_for(make_clip, tmp_path):
    clip = make_clip(frames=41)
    with av.open(str(clip)) as container:
        frames = [frame.to_image() for frame in container.decode(video=0)]
    for at_s, frame in ((0.0, 0), (0.5, 12), (0.52, 12), (99.0, 40)):
        path = await poster(clip, tmp_path / "poster.png", at_s)
        with Image.open(path) as saved:
            assert ImageChops.difference(saved, frames[frame]).getbbox() is None
    small = await poster(clip, tmp_path / "small.jpg", width=100)
    with Image.open(small) as saved:
        assert (saved.format, saved.size) == ("JPEG", (100, 56))


async def test_a_part_name_keeps_the_type_of_its_final_name(make_clip, tmp_path):
    part = tmp_path / ".last.png.1-2-3.part"
    await last_frame(make_clip(frames=24), part)
    with Image.open(part) as saved:
        assert saved.format == "PNG"


async def test_a_thumbnail_of_anything_is_a_small_jpeg(make_clip, tmp_path):
    picture = tmp_path / "wide.png"
    Image.new("RGBA", (2000, 1000), (255, 0, 0, 128)).save(picture)
    for path, size in ((picture, (300, 150)), (make_clip(frames=24), (300, 169))):
        with Image.open(io.BytesIO(await thumbnail_bytes(path, 300))) as image:
            assert (image.format, image.size) == ("JPEG", size)
    with pytest.raises(MediaError):
        await thumbnail_bytes(tmp_path / "none.png")


def items(tmp_path: Path, clip: Path, scenes: int) -> list[SheetItem]:
    noise = tmp_path / "noise.png"
    Image.effect_noise((720, 1280), 90).convert("RGB").save(noise)
    found: list[SheetItem] = []
    for scene in range(1, scenes + 1):
        label = f"Scene {scene}"
        found.append(SheetItem(noise, label, "take 1 · image", Orientation.VERTICAL))
        missing = None if scene % 3 == 0 else clip
        found.append(SheetItem(missing, label, "take 2 · video", Orientation.HORIZONTAL))
    return found


@pytest.mark.parametrize(
    ("scenes", "columns"),
    [(1, None), (3, None), (7, 2), pytest.param(30, None, marks=pytest.mark.media)],
)
async def test_a_contact_sheet_is_small_enough_for_a_model(make_clip, tmp_path, scenes, columns):
    shown = items(tmp_path, make_clip(frames=24), scenes)
    path = await contact_sheet(
        shown, tmp_path / "sheet.jpg", columns=columns, title="Đêm hội · storyboard"
    )
    assert path.stat().st_size < 200_000
    with Image.open(path) as sheet:
        assert sheet.format == "JPEG"
        assert max(sheet.size) <= 1568
        assert min(sheet.size) >= 300


async def test_scenes_can_be_told_apart_however_many_they_are(tmp_path):
    Image.new("RGB", (90, 160), "#808080").save(tmp_path / "one.png")

    async def drawn(last: str) -> Image.Image:
        labels = [*(f"Scene {number}" for number in range(41, 60)), last]
        shown = [
            SheetItem(tmp_path / "one.png", label, "clip 1", Orientation.VERTICAL)
            for label in labels
        ]
        path = await contact_sheet(shown, tmp_path / "sheet.jpg", longest=900)
        with Image.open(path) as sheet:
            return sheet.convert("L")

    assert ImageChops.difference(await drawn("Scene 60"), await drawn("Scene 61")).getbbox()


async def test_a_sheet_survives_missing_and_damaged_files(tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    shown = [
        SheetItem(broken, "Scene 1", "", Orientation.VERTICAL),
        SheetItem(tmp_path / "none.png", "Scene 2", "夜 " * 80, Orientation.VERTICAL),
    ]
    path = await contact_sheet(shown, tmp_path / "sheet.jpg")
    assert path.is_file()
    with pytest.raises(InvalidSetting):
        await contact_sheet([], tmp_path / "none.jpg")
