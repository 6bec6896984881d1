"""The simulator with its real renderer: what is downloaded is a real picture and a real clip."""

from __future__ import annotations

import io
from pathlib import Path

import av
import httpx2
import pytest
from PIL import Image
from sim_tab import simulator

pytestmark = pytest.mark.media


async def download(http: httpx2.AsyncClient, address: str, to: Path) -> Path:
    reply = await http.get(address)
    assert reply.status_code == 200
    to.write_bytes(reply.content)
    return to


@pytest.mark.parametrize(("aspect", "size"), [(1, (720, 1280)), (2, (1280, 720))])
async def test_a_clip_between_two_pictures_and_its_upscale_are_real_media(
    tmp_path: Path, aspect: int, size: tuple[int, int]
) -> None:
    shape = {1: 2, 2: 3}[aspect]  # the image enum is another one than the video enum
    async with simulator(tmp_path / "flow", renderer=None) as (_, tab):
        start = await tab.picture("a fox by the sea", aspect=shape)
        picture = (await tab.http.get(start[0][0][6][0][13])).content
        with Image.open(io.BytesIO(picture)) as image:
            assert image.format == "JPEG" and list(image.size) == start[0][0][6][2]
        end = await tab.picture_id("the fox at night", aspect=shape)
        media = await tab.clip_id("night falls", start=start[0][0][0], end=end, aspect=aspect)
        record = await tab.published(media, within_s=60)
        clip = await download(tab.http, record[7][0][8], tmp_path / "clip.mp4")
        assert clip.stat().st_size == record[5][13]
        bigger = await tab.upscale(media)
        record = await tab.published(bigger[3][0][0], within_s=120)
        upscaled = await download(tab.http, record[7][0][8], tmp_path / "upscaled.mp4")
    for path, factor in ((clip, 1.0), (upscaled, 1.5)):
        with av.open(str(path)) as file:
            [video], [sound] = file.streams.video, file.streams.audio
            assert (video.width, video.height) == (size[0] * factor, size[1] * factor)
            assert (video.codec_context.name, sound.codec_context.name) == ("h264", "aac")
            assert (video.average_rate, video.frames) == (24, 4 * 24)
