"""The demo through a real Chromium: the same film and books, and nothing left of the browser however it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from demo_run import Books, Clip, DemoRun, all_ended, children, environment, flowkit, interrupt

from flowkit_mcp.simulator.chromium_find import NoChromium, find_chromium

pytestmark = [pytest.mark.e2e, pytest.mark.browser]

PROFILE = "--user-data-dir="


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
def test_a_real_browser_makes_the_film_and_the_books_agree(tmp_path: Path, lane: str) -> None:
    run = DemoRun(
        tmp_path / "film", tmp_path, "--browser", "--headless", "--screenshots", "--lane", lane
    )
    report = run.end()
    assert run.process.returncode == 0, "\n".join(run.said)
    assert any("with the FlowKit extension, without a window" in line for line in run.said)
    assert [film["orientation"] for film in report["films"]] == ["HORIZONTAL", "VERTICAL"]
    assert all(Clip(film["path"]).frames == 3 * 4 * 24 for film in report["films"])
    credits = report["credits"]
    assert credits["program"] == credits["ledger"] == 42
    Books(run.out).check()
    assert (run.out / "simulator.log").read_text(encoding="utf-8") == ""
    shots = {path.name for path in (run.out / "browser").iterdir()}
    assert {"flow-end.png", "panel-end.png"} <= shots


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and /proc")
@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_nothing_of_the_browser_outlives_the_demo(tmp_path: Path, how: str) -> None:
    run = DemoRun(tmp_path / "film", tmp_path, "--browser", "--headless")
    run.until("Cast and location")
    family = children(run.process.pid)
    profiles = {found for pid in family for found in profile_of(pid)}
    assert len(profiles) == 1, profiles
    profile = profiles.pop()
    assert profile.is_dir()
    if how == "interrupted":
        interrupt(run.process)
        run.end()
        assert run.process.returncode == 130
    else:
        run.process.kill()
        run.process.communicate()
    assert all_ended(family)
    assert not profile.parent.exists()


def profile_of(pid: int) -> list[Path]:
    """The profile that a process was started on."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []
    return [Path(word.removeprefix(PROFILE)) for word in words if word.startswith(PROFILE)]


def test_without_a_chromium_it_says_what_to_install(tmp_path: Path) -> None:
    home = str(tmp_path)
    told = subprocess.run(
        flowkit("demo", "--browser", "--out", str(tmp_path / "film")),
        capture_output=True,
        encoding="utf-8",
        env=environment(PATH=home, HOME=home),
    )
    assert told.returncode == 1
    assert told.stderr.startswith("NO_CHROMIUM: there is no Chromium here. Install Chromium")
    for system in ("Debian", "Ubuntu", "macOS", "Windows"):
        assert f"  {system} " in told.stderr
    assert "since version 137 it takes no extension" in told.stderr
    assert not (tmp_path / "film").exists()


def test_branded_chrome_is_named_as_what_will_not_do(tmp_path: Path) -> None:
    chrome = tmp_path / "google-chrome"
    chrome.touch(mode=0o755)
    with pytest.raises(NoChromium, match="there is Google Chrome here, but no Chromium"):
        find_chromium({"PATH": str(tmp_path), "HOME": str(tmp_path)})


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux keeps it")
def test_the_newest_chrome_for_testing_is_found(tmp_path: Path) -> None:
    for number in ("99.0.1", "156.0.8"):
        binary = tmp_path / f".cache/puppeteer/chrome/linux-{number}/chrome-linux64/chrome"
        binary.parent.mkdir(parents=True)
        binary.touch()
    found = find_chromium({"PATH": "", "HOME": str(tmp_path)})
    assert found.parents[1].name == "linux-156.0.8"
