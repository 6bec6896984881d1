"""The demo as a newcomer meets it: it ends with two films, and survives what goes wrong on the way."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo_run import Books, Clip, DemoRun, all_ended, children, environment, flowkit, interrupt
from PIL import Image

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
]  # up to three whole demos, on a busy machine

#: Said while clips are made; a slow look may come when some are there already.
CLIPS = r"Clips: [0-5] of 6"
SIZES = {"HORIZONTAL": (1280, 720), "VERTICAL": (720, 1280)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoRun, dict[str, Any]]:
    """One run from nothing, in a folder that holds nothing else."""
    home = tmp_path_factory.mktemp("demo")
    run = DemoRun(home / "film", cwd=home)
    report = run.end()
    assert run.process.returncode == 0, "\n".join(run.said)
    return run, report


def clips_of(film: Path) -> list[Path]:
    name = "vertical" if "-vertical-" in film.name else "horizontal"
    return sorted(film.parent.glob(f"scene-*/{name}-video-take-*.mp4"))


def test_two_films_of_the_right_kind_and_length(made: tuple[DemoRun, dict[str, Any]]) -> None:
    _, report = made
    assert [film["orientation"] for film in report["films"]] == ["HORIZONTAL", "VERTICAL"]
    for film in report["films"]:
        whole = Clip(film["path"])
        parts = [Clip(path) for path in clips_of(Path(film["path"]))]
        assert len(parts) == 3
        assert whole.codecs == ("h264", "aac")
        assert whole.rate == 24
        assert whole.size == SIZES[film["orientation"]]
        assert whole.duration_s == pytest.approx(sum(part.duration_s for part in parts), abs=0.1)
        assert whole.frames == sum(part.frames for part in parts) == 3 * 4 * 24
        assert whole.samples == pytest.approx(whole.frames * 2000, abs=1024), "sound in step"


def test_the_upscale_is_a_file_of_its_own(made: tuple[DemoRun, dict[str, Any]]) -> None:
    _, report = made
    large = Clip(report["upscale"])
    assert large.size == (1920, 1080)
    assert large.frames == 4 * 24
    assert report["upscale"] not in [film["path"] for film in report["films"]]


def test_credits_by_the_program_equal_the_simulators_ledger(
    made: tuple[DemoRun, dict[str, Any]],
) -> None:
    run, report = made
    credits = report["credits"]
    assert credits["program"] == credits["ledger"] == credits["this_run"] > 0
    assert credits["balance"] == 1000 - credits["ledger"]
    books = Books(run.out)
    books.check()
    assert books.spent == credits["ledger"]


def test_the_wide_film_is_on_the_local_youtube_byte_for_byte(
    made: tuple[DemoRun, dict[str, Any]],
) -> None:
    run, report = made
    wide = next(film for film in report["films"] if film["orientation"] == "HORIZONTAL")
    copy = Path(report["uploaded"])
    assert copy.read_bytes() == Path(wide["path"]).read_bytes()
    assert report["watch"].endswith(f"/youtube/watch/{copy.stem}")
    assert any("to the LOCAL stand-in for YouTube" in line for line in run.said)


def test_a_storyboard_of_six_pictures(made: tuple[DemoRun, dict[str, Any]]) -> None:
    _, report = made
    with Image.open(report["contact_sheet"]) as sheet:
        assert sheet.format == "JPEG"
        assert max(sheet.size) <= 1568


def test_it_says_what_how_far_how_long_and_what_it_asks(
    made: tuple[DemoRun, dict[str, Any]],
) -> None:
    run, report = made
    assert any(re.search(r"\[4/7\] Clips: \d of 6, about \d+ s left", line) for line in run.said)
    assert any("Spend 42 credits in the Flow simulator" in line for line in run.said)
    assert any("The demo agrees: simulated credits are free." in line for line in run.said)
    assert any("flowkit-mcp pair" in step for step in report["next"])
    # The promise of a minute is for a machine with nothing else to do; there CI's own `make demo` keeps it.
    assert run.cpu_s < 60


def test_nothing_is_written_outside_the_chosen_folder(
    made: tuple[DemoRun, dict[str, Any]],
) -> None:
    run, _ = made
    assert [path.name for path in run.out.parent.iterdir()] == [run.out.name]
    for log in ("server.log", "simulator.log"):
        assert (run.out / log).read_text(encoding="utf-8") == "", "nothing to complain of"


def test_afterwards_status_and_doctor_know_the_library_as_simulated(
    made: tuple[DemoRun, dict[str, Any]],
) -> None:
    _, report = made
    for command in ("status", "doctor"):
        told = subprocess.run(
            flowkit(command, "--library", report["library"]),
            capture_output=True,
            encoding="utf-8",
            env=environment(),
        )
        assert told.returncode == 0, told.stdout + told.stderr
        assert "simulated" in told.stdout
        assert "Spent so far: 42 credits" in told.stdout


def test_a_second_run_makes_another_film_with_the_same_cast(
    made: tuple[DemoRun, dict[str, Any]],
) -> None:
    run, report = made
    again = DemoRun(run.out, cwd=run.out.parent)
    second = again.end()
    assert again.process.returncode == 0, "\n".join(again.said)
    assert second["project"] == report["project"]
    assert second["video"] == f"{report['video']} 2"
    assert all(Path(film["path"]).is_file() for film in report["films"]), "the first ones stay"
    assert not any("Cast and location" in line for line in again.said), "the cast is there already"
    Books(run.out).check()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and /proc")
def test_a_server_killed_while_clips_are_made_costs_nothing_twice(tmp_path: Path) -> None:
    run = DemoRun(tmp_path / "film", cwd=tmp_path)
    run.until("Cast and location")
    server = run.server()
    run.until(CLIPS)
    os.kill(server, signal.SIGKILL)
    report = run.end()
    assert run.process.returncode == 0, "\n".join(run.said)
    assert report["server_restarts"] == 1
    assert len(report["films"]) == 2
    assert report["credits"]["program"] == report["credits"]["ledger"] == 42
    Books(run.out).check()


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and /proc")
def test_a_killed_and_an_interrupted_demo_are_finished_by_the_next(tmp_path: Path) -> None:
    killed = DemoRun(tmp_path / "film", cwd=tmp_path)
    killed.until(CLIPS)
    family = children(killed.process.pid)
    assert family
    killed.kill()

    stopped = DemoRun(tmp_path / "film", cwd=tmp_path)
    stopped.until("There is an unfinished film here")
    stopped.until(r"Under way from before|\[\d/7\]")  # Flow may have made all of them meanwhile
    family += children(stopped.process.pid)
    interrupt(stopped.process)
    assert stopped.end() == {}
    assert stopped.process.returncode == 130
    assert "pays nothing twice" in stopped.said[-1]
    assert all_ended(family)

    last = DemoRun(tmp_path / "film", cwd=tmp_path)
    report = last.end()
    assert last.process.returncode == 0, "\n".join(last.said)
    assert report["credits"]["program"] == report["credits"]["ledger"] == 42
    Books(last.out).check()


def test_two_demos_in_one_folder_do_not_mix(tmp_path: Path) -> None:
    first = DemoRun(tmp_path / "film", cwd=tmp_path)
    first.until("Cast and location")
    second = DemoRun(tmp_path / "film", cwd=tmp_path)
    assert second.end() == {}
    assert second.process.returncode == 1
    assert second.said[-1].startswith("CONFLICT: another demo works in")
    interrupt(first.process)
    first.end()
