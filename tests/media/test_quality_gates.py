"""What a film must be, measured with other means than those that made it: ffmpeg's hashes and its PSNR,
bar-coded frames, a flash and a beep in each of sixty clips, and Chromium's own player."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess

import pytest
from coded import BITS, code, coded_clip, read_codes
from film_checks import left_channel, onsets, picture_times
from playwright.async_api import async_playwright

from flowkit_mcp.domain.cut import Cut, Join, JoinAt, JoinKind, Narration, Trim
from flowkit_mcp.media.merge import merge

pytestmark = pytest.mark.media


def framemd5(ffmpeg, film):
    argv = [str(ffmpeg), "-v", "error", "-nostdin", "-i", f"file:{film}", "-map", "0:v"]
    said = subprocess.run([*argv, "-f", "framemd5", "-"], check=True, capture_output=True).stdout
    return [line.split(",")[-1].strip() for line in said.decode().splitlines() if line[:1] == "0"]


def worst_psnr(ffmpeg, film, graph, inputs):
    """Of `film` beside what `graph` makes of `inputs`, in dB."""
    argv = [str(ffmpeg), "-v", "error", "-nostdin", "-i", f"file:{film}"]
    for clip in inputs:
        argv += ["-i", f"file:{clip}"]
    same = "settb=1/24,setpts=N,format=yuv420p"
    whole = f"{graph};[0:v]{same}[a];[ideal]{same}[b];[a][b]psnr=stats_file=-"
    said = subprocess.run(
        [*argv, "-lavfi", whole, "-an", "-f", "null", "-"], check=True, capture_output=True
    )
    found = re.findall(r"psnr_y:([\d.]+|inf)", said.stdout.decode())
    return [99.0 if value == "inf" else float(value) for value in found]


@pytest.fixture(scope="module")
def grainy(ffmpeg, tmp_path_factory):
    """Moving detail under grain, as generated clips are; the hardest thing to encode again."""
    folder = tmp_path_factory.mktemp("grainy")
    made = []
    for number, picture in enumerate(("mandelbrot", "testsrc2")):
        made.append(folder / f"{number}.mp4")
        argv = [str(ffmpeg), "-v", "error", "-f", "lavfi", "-i", f"{picture}=size=640x360:rate=24"]
        tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
        argv += ["-vf", f"noise=alls=5:allf=t,format=yuv420p,{tags}", "-t", "3"]
        argv += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-g", "48"]
        subprocess.run([*argv, f"file:{made[-1]}"], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def of_one_group(ffmpeg, tmp_path_factory):
    """Eight seconds with one key picture, as cameras and other programs make them: a trim encodes all of it."""
    path = tmp_path_factory.mktemp("group") / "one.mp4"
    argv = [str(ffmpeg), "-v", "error", "-f", "lavfi", "-i", "mandelbrot=size=640x360:rate=24"]
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    argv += ["-vf", f"noise=alls=5:allf=t,format=yuv420p,{tags}", "-t", "8", "-c:v", "libx264"]
    argv += ["-preset", "veryfast", "-crf", "23", "-g", "250", f"file:{path}"]
    subprocess.run(argv, check=True, capture_output=True)
    return path


@pytest.fixture
def spoken(ffmpeg, tmp_path):
    """1.3 s of a voice for the right ear only, so that beeps on the left stay countable."""
    path = tmp_path / "voice.wav"
    argv = [str(ffmpeg), "-v", "error", "-f", "lavfi", "-i", "aevalsrc='0|0.3*sin(2000*t)'"]
    subprocess.run([*argv, "-t", "1.3", f"file:{path}"], check=True, capture_output=True)
    return path


async def test_copied_frames_are_the_sources_frames_bit_for_bit(grainy, ffmpeg, tmp_path):
    film = await merge([*grainy, *grainy], tmp_path / "film.mp4", ffmpeg="/no/ffmpeg")
    each = [framemd5(ffmpeg, clip) for clip in grainy]
    assert framemd5(ffmpeg, film.file.path) == (each[0] + each[1]) * 2


async def test_encoded_edges_of_crossfades_and_trims_are_as_good_as_the_eye_needs(
    grainy, ffmpeg, tmp_path
):
    cut = Cut(
        join=Join(kind=JoinKind.CROSSFADE, seconds=0.5),
        trims=(Trim(clip=1, start_s=0.5), Trim(clip=2, end_s=2.5)),
    )
    film = await merge(grainy, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    assert film.frames == 60 + 60 - 12
    assert 0 < film.plan["encoded_frames"] < film.frames
    ideal = (
        "[1:v]trim=start_frame=12,setpts=PTS-STARTPTS[one];[2:v]trim=end_frame=60[two];"
        "[one][two]xfade=duration=0.5:offset=2[ideal]"
    )
    found = worst_psnr(ffmpeg, film.file.path, ideal, grainy)
    assert len(found) == film.frames
    assert min(found) >= 44, sorted(found)[:5]
    copied = [piece for piece in film.plan["pieces"] if piece[2] == "copied"]
    assert copied and all(
        value == 99 for start, frames, _ in copied for value in found[start : start + frames]
    )


async def test_a_long_edge_beside_a_copy_is_as_good_as_a_short_one(
    grainy, of_one_group, ffmpeg, tmp_path
):
    clips, cut = [of_one_group, grainy[1]], Cut(trims=(Trim(clip=1, start_s=0.5),))
    film = await merge(clips, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    assert film.plan["encoded_frames"] == 192 - 12
    ideal = "[1:v]trim=start_frame=12,setpts=PTS-STARTPTS[one];[one][2:v]concat[ideal]"
    found = worst_psnr(ffmpeg, film.file.path, ideal, clips)
    assert len(found) == film.frames == 192 - 12 + 72
    assert min(found) >= 44, sorted(found)[:5]


async def test_every_flash_and_beep_of_sixty_clips_are_together_and_every_frame_is_in_its_place(
    ffmpeg, tmp_path, spoken
):
    """Cuts, trims, crossfades and a held frame: what the eye sees and what the ear hears, clip by clip."""
    lengths = (24, 26, 29)
    made = [
        coded_clip(ffmpeg, tmp_path / f"{n}.mp4", n, lengths[n % 3], beep_frame=12)
        for n in range(60)
    ]
    crossed = (4, 19, 33, 58)
    cut = Cut(
        joins=tuple(JoinAt(after=n, kind=JoinKind.CROSSFADE, seconds=0.25) for n in crossed),
        trims=(
            Trim(clip=10, start_s=0.25),
            Trim(clip=20, end_s=0.9),
            Trim(clip=40, start_s=5 / 24),
        ),
        narration=(Narration(file=str(spoken), clip=50, delay_s=0, tail_s=0, fit="freeze"),),
    )
    out = tmp_path / "out"
    film = await merge(made, out / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    shown = film.plan["clips"]
    assert shown[49]["held"] > 0
    codes = read_codes(film.file.path)
    assert len(codes) == film.frames
    assert picture_times(film.file.path) == [frame * 512 for frame in range(film.frames)]
    blended = {
        frame
        for n in crossed
        for frame in range(shown[n]["start_frame"], shown[n]["start_frame"] + 6)
    }
    for n, entry in enumerate(shown):
        moving = entry["frames"] - entry.get("held", 0)
        for at in range(entry["frames"]):
            frame = entry["start_frame"] + at
            if frame not in blended:
                assert codes[frame] == code(n, entry["first"] + min(at, moving - 1)), (n, at)
    heard = onsets(left_channel(film.file.path), level=0.05, quiet=4_000)
    flashes = [codes.index(code(n, 12)) * 2000 for n in range(60)]
    assert len(heard) == 60
    assert max(abs(a - b) for a, b in zip(heard, flashes, strict=True)) <= 96  # 2 ms


PLAYER = """
async ([data, bits]) => {
  const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
  const video = document.createElement('video');
  video.muted = true;
  video.src = URL.createObjectURL(new Blob([bytes], {type: 'video/mp4'}));
  const failed = new Promise((_, no) => { video.onerror = () => no(new Error(video.error.message)); });
  const event = name => Promise.race([failed, new Promise(yes => video.addEventListener(name, yes, {once: true}))]);
  await event('loadeddata');
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth; canvas.height = video.videoHeight;
  const brush = canvas.getContext('2d', {willReadFrequently: true});
  const read = () => {
    brush.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < bits; bit++) {
      const x = Math.round((bit + 0.5) / bits * canvas.width);
      number |= (brush.getImageData(x, canvas.height >> 2, 1, 1).data[1] > 128) << bit;
    }
    return number;
  };
  window.look = async frame => {
    video.currentTime = (frame + 0.5) / 24;
    await event('seeked');
    // The new frame may reach the screen a moment later; a wrong one is read all the same, at last.
    for (let turn = 0; turn < 600; turn++) {
      const shown = new VideoFrame(video), at = shown.timestamp / 1e6 * 24;
      shown.close();
      if (Math.abs(at - frame) < 0.5) break;
      await new Promise(requestAnimationFrame);
    }
    return read();
  };
  window.play = async () => {
    video.currentTime = 0;
    await event('seeked');
    const ended = event('ended');
    await video.play();
    await ended;
    return [video.ended, video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames];
  };
  return [video.duration, video.videoWidth, video.videoHeight];
}
"""


@pytest.mark.browser
async def test_the_joined_film_plays_to_its_end_and_seeks_exactly_in_chromium(ffmpeg, tmp_path):
    """With copied and encoded pieces, so two sets of H.264 parameters lie in one track."""
    made = [coded_clip(ffmpeg, tmp_path / f"{n}.mp4", n, 36, beep_frame=12) for n in range(1, 5)]
    cut = Cut(
        joins=(JoinAt(after=2, kind=JoinKind.CROSSFADE, seconds=0.5),),
        trims=(Trim(clip=4, start_s=0.25),),
    )
    film = await merge(made, tmp_path / "film.mp4", ffmpeg=ffmpeg, cut=cut)
    codes = read_codes(film.file.path)
    ways = {piece[2] for piece in film.plan["pieces"]}
    assert ways == {"copied", "encoded"}
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    data = base64.b64encode(film.file.path.read_bytes()).decode()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        page = await browser.new_page()
        (tmp_path / "page.html").write_text("<!doctype html>", encoding="utf-8")
        await page.goto(
            (tmp_path / "page.html").as_uri()
        )  # `VideoFrame` is for pages of some place
        duration, width, height = await page.evaluate(PLAYER, [data, BITS])
        assert (width, height) == (240, 136)
        assert duration == pytest.approx(film.frames / 24, abs=0.01)
        starts = [piece[0] for piece in film.plan["pieces"]]
        wanted = [*starts, *(start - 1 for start in starts if start), film.frames - 1, 3, 100, 50]
        got = [await page.evaluate("frame => look(frame)", frame) for frame in wanted]
        assert got == [codes[frame] for frame in wanted]
        ended, at, played = await page.evaluate("() => play()")
        assert ended and at == pytest.approx(duration, abs=0.01)
        assert played > 0  # a busy machine drops frames; the seeks have seen what is there
        await browser.close()
