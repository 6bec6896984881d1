"""What all benchmarks share: clips, the clock, and how good a film is.

Wall time depends on what else the machine does, so processor time (of this process and of all it
started) is measured beside it, and only ratios within one run are compared with goals.
"""

from __future__ import annotations

import array
import contextlib
import os
import platform
import re
import resource
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from flowkit_mcp.media.run import output_of, run_ffmpeg

Way = Callable[[Path], Awaitable[object]]

#: Moving detail, a rotating pattern and a soft ground; grain over all, as generated clips have.
PICTURES = (
    "mandelbrot=size=1280x720:rate=24",
    "testsrc2=size=1280x720:rate=24",
    "gradients=size=1280x720:rate=24",
)
#: A bed of tone and noise, and a beep of 100 ms in the clip's second second.
SOUND = (
    "sine=frequency=330:sample_rate=48000,tremolo=f=3,volume={bed}[tone];"
    "anoisesrc=color=pink:amplitude=0.05:r=48000,volume={bed}[noise];"
    "aevalsrc='if(between(t,1,1.1),0.6*sin(2*PI*2000*t),0)':s=48000[beep];"
    "[tone][noise][beep]amix=inputs=3:normalize=0"
)
BEDS = (1, 0.3, 0.1)
#: One frame of white in the corner when the beep begins.
FLASH = "drawbox=w=64:h=64:c=black:t=fill,drawbox=w=64:h=64:c=white:t=fill:enable='eq(n,24)'"
#: What the usual ways encode with: visually lossless, as a script of this kind would choose.
ENCODER = ("-c:v", "libx264", "-preset", "fast", "-crf", "18", "-pix_fmt", "yuv420p")
LOSSLESS = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-pix_fmt", "yuv420p")
AAC = ("-c:a", "aac", "-b:a", "192k")


@dataclass(frozen=True)
class Cost:
    """Medians of the rounds: seconds of wall clock and of processors, and the most memory in MB."""

    wall: float
    cpu: float
    memory: float


async def make_clips(
    ffmpeg: Path, folder: Path, count: int, seconds: float, *, uneven: bool = False
) -> list[Path]:
    """Three different 720p clips of one encoder, each used in turn under names of their own; 6 MB a clip of 8 s.

    uneven: their sound lies up to 20 dB apart.
    """
    clips: list[Path] = []
    for number in range(count):
        clip = folder / f"clip-{number:02d}.mp4"
        if number >= len(PICTURES):
            clip.write_bytes(clips[number % len(PICTURES)].read_bytes())
        else:
            argv = [str(ffmpeg), "-f", "lavfi", "-i", PICTURES[number]]
            argv += ["-f", "lavfi", "-i", SOUND.format(bed=BEDS[number] if uneven else 1)]
            argv += ["-vf", f"noise=alls=5:allf=t,{FLASH},format=yuv420p,{BT709}", "-ac", "2"]
            argv += ["-t", f"{seconds}", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20.7"]
            argv += ["-g", "48", *AAC, "-movflags", "+faststart", f"file:{clip}"]
            await run_ffmpeg(argv)
        clips.append(clip)
    return clips


BT709 = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"


async def timed(work: Way, film: Path, rounds: int = 1) -> Cost:
    """Run `work` so often, keeping only its last film."""
    walls: list[float] = []
    cpus: list[float] = []
    most = 0.0
    for _ in range(rounds):
        for left in film.parent.glob(f"{film.stem}*"):
            left.unlink()
        with _memory() as memory:
            wall, cpu = time.perf_counter(), _cpu()
            await work(film)
            walls.append(time.perf_counter() - wall)
            cpus.append(_cpu() - cpu)
        most = max(most, memory[0])
    return Cost(statistics.median(walls), statistics.median(cpus), most)


def _cpu() -> float:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


@contextlib.contextmanager
def _memory() -> Iterator[list[float]]:
    """The most resident memory of this process and all below it, in MB; looked at ten times a second."""
    most, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            most[0] = max(most[0], _resident(os.getpid()) / 1e6)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield most
    finally:
        done.set()
        thread.join()


def _resident(pid: int) -> int:
    try:
        own = (
            int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
            * resource.getpagesize()
        )
        below = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text(encoding="utf-8").split()
        ]
    except (OSError, IndexError, ValueError):
        return 0  # gone, or not Linux
    return own + sum(map(_resident, below))


async def psnr(
    ffmpeg: Path, film: Path, ideal: Path, *, frames: int, first: int = 0, only: str = "null"
) -> tuple[float, float]:
    """Mean and worst brightness PSNR in dB of `frames` frames from `first` on; 99 for equal pictures.

    ideal: the film as it should be, or a list of clips for ffmpeg's concat demuxer.
    only: a filter that leaves the part of the picture that is looked at.
    """
    listed = ["-f", "concat", "-safe", "0"] if ideal.suffix == ".txt" else []
    stats = film.with_name("quality.psnr")  # a name that a filter string can hold
    part = f"trim=start_frame={first}:end_frame={first + frames},settb=1/24,setpts=N,format=yuv420p,{only}"
    graph = f"[0:v]{part}[a];[1:v]{part}[b];[a][b]psnr=stats_file={stats.name}"
    argv = [str(ffmpeg), "-i", f"file:{film}", *listed, "-i", f"file:{ideal}"]
    await run_ffmpeg([*argv, "-lavfi", graph, "-an", "-f", "null", "-"], cwd=film.parent)
    found = re.findall(r"psnr_y:([\d.]+|inf)", stats.read_text(encoding="utf-8"))
    stats.unlink()
    each = [99.0 if value == "inf" else min(99.0, float(value)) for value in found]
    return statistics.fmean(each), min(each)


def clip_list(clips: Sequence[Path], to: Path) -> Path:
    """A list for ffmpeg's concat demuxer."""
    to.write_text("".join(f"file 'file:{clip}'\n" for clip in clips), encoding="utf-8")
    return to


def drift_ms(film: Path) -> tuple[int, float]:
    """Frames in the film, and by how many ms its last beep misses its last flash.

    Sound is counted in samples from its beginning, as a player does that only fills its buffer.
    """
    with av.open(str(film)) as container:
        track = container.streams.video[0]
        frames = sum(1 for packet in container.demux(track) if packet.size)
        base = float(track.time_base.numerator) / track.time_base.denominator
        length = (track.duration or 0) * base
        container.seek(int(max(0.0, length - 9) / base), stream=track)
        flash = [frame.pts * base for frame in container.decode(track) if _is_white(frame)]
    samples = array.array("f")
    with av.open(str(film)) as container:
        track = container.streams.audio[0]
        rate = track.codec_context.sample_rate
        for frame in container.decode(track):
            samples.frombytes(bytes(frame.planes[0])[: frame.samples * 4])
    loud, last, beeps = 0.6 * max(samples), -rate, list[int]()
    for start in range(0, len(samples), 1024):
        part = samples[start : start + 1024]
        if max(part) > loud:
            for place, value in enumerate(part, start):
                if value > loud:
                    if place - last > rate // 2:
                        beeps.append(place)
                    last = place
    if not flash or not beeps:
        return frames, float("nan")
    return frames, (beeps[-1] / rate - flash[-1]) * 1000


def _is_white(frame: object) -> bool:
    plane = frame.planes[0]  # pyright: ignore
    rows = bytes(plane)
    return min(rows[32 * plane.line_size + 16 : 32 * plane.line_size + 48]) > 200


async def machine(ffmpeg: Path) -> str:
    """One line about where this runs."""
    first = (await output_of([str(ffmpeg), "-hide_banner", "-version"])).splitlines()[0]
    cpu = platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        cpu = next(line.split(":")[1].strip() for line in text.splitlines() if "model name" in line)
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{os.cpu_count()} × {cpu}{load}; Python {platform.python_version()}, PyAV {av.__version__}, "
        f"{' '.join(first.split()[:3])}"
    )


def row(label: str, cost: Cost, base: Cost, note: str = "") -> None:
    """One way beside ours: its figures and how many times ours it took."""
    print(
        f"{label:28} {cost.wall:8.2f} s {cost.wall / base.wall:7.2f}× "
        f"{cost.cpu:8.2f} s {cost.cpu / base.cpu:7.2f}× {cost.memory:7.0f} MB  {note}",
        flush=True,
    )


def head() -> None:
    print(f"{'':28} {'wall':>10} {'ratio':>8} {'CPU':>10} {'ratio':>8} {'memory':>10}")


def verdict(goal: str, found: float, met: bool) -> bool:
    print(f"goal: {goal}: {found:.2f}, {'met' if met else 'NOT met'}", flush=True)
    return met
