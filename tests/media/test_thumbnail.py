from __future__ import annotations

import pytest
from PIL import Image, ImageFilter

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import InvalidSetting, MediaError
from flowkit_mcp.media.thumbnail import MAX_BYTES, thumbnail, worth


async def test_the_sharp_and_lit_clip_is_chosen_over_the_dark_and_the_plain(make_clip, tmp_path):
    dark = make_clip(frames=12, picture="color=c=black")
    plain = make_clip(frames=12, picture="color=c=0x808080")
    lively = make_clip(frames=12)
    made = await thumbnail([dark, plain, lively], tmp_path / "t.jpg", Orientation.HORIZONTAL)
    assert made.source == lively and made.at_s is not None
    with Image.open(made.path) as image:
        assert image.size == (1280, 720) and image.format == "JPEG"


async def test_pictures_and_clips_stand_for_the_choice_together(make_clip, tmp_path):
    """As in a video whose clips are not all made."""
    dark, lively, picture = (
        make_clip(frames=12, picture="color=c=black"),
        make_clip(frames=12),
        tmp_path / "p.png",
    )
    Image.new("RGB", (1280, 720), "black").save(picture)
    for sources in ([lively, picture], [picture, lively]):
        made = await thumbnail(sources, tmp_path / "t.jpg", Orientation.HORIZONTAL)
        assert made.source == lively and made.at_s is not None
    Image.effect_noise((1280, 720), 90).convert("RGB").save(picture)
    made = await thumbnail([dark, picture], tmp_path / "t.jpg", Orientation.HORIZONTAL)
    assert made.source == picture and made.at_s is None
    with pytest.raises(InvalidSetting, match="no moments"):
        await thumbnail([picture], tmp_path / "t.jpg", Orientation.HORIZONTAL, at_s=1)


async def test_words_stand_on_an_upright_thumbnail_of_a_lying_picture(tmp_path):
    given = tmp_path / "given.png"
    Image.effect_noise((1600, 900), 90).convert("RGB").save(given)
    plain = await thumbnail([given], tmp_path / "a.jpg", Orientation.VERTICAL)
    named = await thumbnail(
        [given], tmp_path / "b.jpg", Orientation.VERTICAL, title="'100%': {x}", subtitle="夜 \\N"
    )
    assert plain.at_s is None
    with Image.open(plain.path) as one, Image.open(named.path) as two:
        assert one.size == two.size == (1080, 1920)
        middle = (140, 100, 940, 1800)  # words stand where they cover least
        bright = [sum(image.crop(middle).convert("L").histogram()[250:]) for image in (one, two)]
    assert bright[1] > bright[0] + 3_000
    assert max(plain.path.stat().st_size, named.path.stat().st_size) < MAX_BYTES


def test_a_blurred_picture_is_worth_less_than_its_sharp_self():
    sharp = Image.effect_noise((640, 360), 60).convert("RGB")
    assert worth(sharp) > 3 * worth(sharp.filter(ImageFilter.GaussianBlur(6)))


async def test_nothing_and_damaged_pictures_are_refused(tmp_path):
    with pytest.raises(InvalidSetting):
        await thumbnail([], tmp_path / "t.jpg", Orientation.VERTICAL)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"bad\.png"):
        await thumbnail([tmp_path / "bad.png"], tmp_path / "t.jpg", Orientation.VERTICAL)


async def test_words_keep_clear_of_what_is_to_be_seen(tmp_path):
    for busy, clear in ((0.5, (0.0, 0.45)), (0.15, (0.3, 0.9))):
        picture = tmp_path / "own.png"
        scene = Image.new("RGB", (1280, 720), "#203040")
        noise = Image.effect_noise((1280, 240), 120).convert("RGB")
        scene.paste(noise, (0, round(720 * busy) - 120))
        scene.save(picture)
        made = await thumbnail(
            [picture], tmp_path / f"{busy}.jpg", Orientation.HORIZONTAL, title="The lamp"
        )
        with Image.open(made.path) as image:
            white = image.convert("L").point(lambda level: 255 * (level > 200))
        rows = [
            y
            for y in range(720)
            if _is_blank(scene, y) and white.crop((0, y, 1280, y + 1)).getbbox()
        ]
        assert rows, busy
        assert clear[0] * 720 <= min(rows) and max(rows) <= clear[1] * 720, (
            busy,
            rows[0],
            rows[-1],
        )


def _is_blank(picture: Image.Image, row: int) -> bool:
    low, high = picture.convert("L").crop((0, row, picture.width, row + 1)).getextrema()
    return low == high
