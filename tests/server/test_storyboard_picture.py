"""The storyboard as one small picture, only where it is asked for."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image
from talk import Talk

LOOK = {"project": "Fox", "video": "Film", "picture": True}


async def test_a_storyboard_is_one_small_jpeg_beside_text_that_stands_alone(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    plain = await talk.call("get_project", project="Fox")
    assert [part.type for part in plain.content] == ["text"]
    seen = await talk.call("get_project", **LOOK)
    text, picture, link = seen.content
    assert seen.structured_content == plain.structured_content
    assert text.text == plain.content[0].text
    data = base64.b64decode(picture.data)
    assert picture.mime_type == "image/jpeg"
    assert len(data) < 200_000
    with Image.open(io.BytesIO(data)) as board:
        assert board.format == "JPEG"
        assert max(board.size) <= 900
    assert link.type == "resource_link"


async def test_a_storyboard_is_drawn_anew_only_when_something_has_changed(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    folder = talk.kit.settings.library / ".flowkit" / "looks"
    before = (await talk.call("get_project", **LOOK)).content[1].data
    drawn = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert (await talk.call("get_project", **LOOK)).content[1].data == before
    assert {file: file.stat().st_mtime_ns for file in folder.iterdir()} == drawn
    await talk.do("edit_image", scene=1, video="Film", prompt="at night")
    assert (await talk.do("wait"))["done"]
    assert (await talk.call("get_project", **LOOK)).content[1].data != before


async def test_a_file_that_was_away_or_damaged_is_in_the_storyboard_once_it_is_home(
    talk: Talk,
) -> None:
    await talk.production(scenes=1)
    await talk.images()
    view = await talk.do("get_project", project="Fox", detail="full")
    image = Path(view["scenes"][0]["slots"]["VERTICAL"]["image"]["path"])
    whole = image.read_bytes()

    async def drawn() -> str:
        return (await talk.call("get_project", **LOOK)).content[1].data

    image.unlink()
    away = await drawn()
    image.write_bytes(whole)
    home = await drawn()
    assert home != away
    image.unlink()
    assert await drawn() == away
    image.write_bytes(whole[:100])
    assert await drawn() == away  # drawn as one that cannot be read, too
    image.write_bytes(whole)
    assert await drawn() == home


async def test_without_scenes_there_is_no_picture_and_no_error(talk: Talk) -> None:
    await talk.account_seen()
    await talk.do("create_project", name="Empty")
    empty = await talk.call("get_project", project="Empty", picture=True)
    assert [part.type for part in empty.content] == ["text"]
