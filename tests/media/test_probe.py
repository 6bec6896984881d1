from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import imageio_ffmpeg
import pytest

from flowkit_mcp.errors import MediaError
from flowkit_mcp.media.probe import Colour, probe
from flowkit_mcp.media.run import run_ffmpeg


async def test_a_clip_is_described_as_it_is(make_clip):
    clip = await probe(make_clip(frames=36, channels=1, rate=44_100))
    picture = clip.picture
    assert (picture.codec, picture.tag, picture.pixel_format) == ("h264", "avc1", "yuv420p")
    assert (picture.width, picture.height, picture.sample_aspect) == (320, 180, Fraction(1))
    assert (picture.fps, clip.frames, clip.seconds) == (Fraction(24), 36, Fraction(3, 2))
    assert picture.colour == Colour(1, 1, 1, 1)
    assert picture.keys == (0, 24)
    assert clip.duration_ms == 1500
    assert clip.sound is not None
    assert (clip.sound.codec, clip.sound.channels, clip.sound.rate) == ("aac", 1, 44_100)


async def test_a_clip_cut_short_is_refused_with_its_numbers(make_clip, tmp_path):
    whole = make_clip(frames=36).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(MediaError, match=r"cut\.mp4 is cut short: \d+ of \d+"):
        await probe(cut)


async def test_a_clip_whose_sound_alone_is_cut_short_is_refused(make_clip, tmp_path):
    whole = make_clip(frames=36).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[:-20])
    with pytest.raises(MediaError, match=r"cut\.mp4"):
        await probe(cut)


async def test_playlists_in_disguise_open_nothing(make_clip, tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(make_clip(frames=24).read_bytes())
    disguises = {
        "concat.mp4": f"ffconcat version 1.0\nfile 'file:{secret}'\n",
        "hls.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "svg.mp4": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    for name, text in disguises.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(MediaError, match=name):
            await probe(path)


async def test_missing_files_and_sound_without_picture_are_refused(ffmpeg, tmp_path):
    with pytest.raises(MediaError, match="not there"):
        await probe(tmp_path / "none.mp4")
    with pytest.raises(MediaError, match="not there"):
        await probe(tmp_path)
    only_sound = tmp_path / "sound.mp4"
    argv = [str(ffmpeg), "-f", "lavfi", "-t", "0.2", "-i", "sine", str(only_sound)]
    await run_ffmpeg(argv)
    with pytest.raises(MediaError, match="no picture"):
        await probe(only_sound)


async def test_odd_bytes_in_a_title_do_not_make_a_clip_unreadable(ffmpeg, make_clip, tmp_path):
    odd = tmp_path / "odd.mp4"
    argv = [str(ffmpeg), "-i", str(make_clip(frames=24)), "-c", "copy"]
    argv += ["-metadata", "title=TITLE", str(odd)]
    await run_ffmpeg(argv)
    data = odd.read_bytes()
    assert b"TITLE" in data
    odd.write_bytes(data.replace(b"TITLE", b"T\xff\xfeLE"))
    assert (await probe(odd)).frames == 24


async def test_a_turned_clip_is_known_to_be_turned(make_clip, tmp_path: Path):
    turned = tmp_path / "turned.mp4"
    argv = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-display_rotation",
        "90",
        "-i",
        str(make_clip(frames=24)),
    ]
    await run_ffmpeg([*argv, "-c", "copy", str(turned)])
    clip = await probe(turned)
    assert clip.picture.rotation in {90, 270}
    assert clip.picture.display_size == (180, 320)


@pytest.mark.parametrize("missing", [1, 20, 300])
async def test_a_clip_cut_short_within_its_last_packet_is_refused(make_clip, tmp_path, missing):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(make_clip(frames=36).read_bytes()[:-missing])
    with pytest.raises(MediaError, match=r"cut\.mp4"):
        await probe(cut)
