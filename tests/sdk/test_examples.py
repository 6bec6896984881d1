"""The worked examples, each as a newcomer runs it: the script in one terminal, `flowkit-mcp simulate` in another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from flowkit_mcp.cli.ports import free_ports

pytestmark = pytest.mark.e2e  # a simulator that draws, and a script, as processes

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def env(tmp_path: Path) -> Generator[dict[str, str]]:
    """The environment of a script beside a running simulator, both with a library and ports of their own."""
    port, bridge = free_ports(2)
    env = os.environ | {
        "FLOWKIT_LIBRARY": str(tmp_path / "library"),
        "FLOWKIT_PORT": str(bridge),
        "FLOWKIT_SIMULATOR": f"http://127.0.0.1:{port}",
    }
    command = [
        sys.executable,
        "-m",
        "flowkit_mcp",
        "simulate",
        "--port",
        str(port),
        "--pace",
        "0.1",
    ]
    log = (tmp_path / "simulator.log").open("wb")
    with log, subprocess.Popen(command, env=env, stdout=log, stderr=log) as simulator:
        yield env
        simulator.terminate()


def run(name: str, env: dict[str, str]) -> str:
    """What the example says, once it has ended well."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", EXAMPLES / name],
        env=env,
        capture_output=True,
        encoding="utf-8",
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def files(said: str, ending: str) -> list[Path]:
    found = [Path(text) for text in re.findall(rf"/\S+\.{ending}\b", said)]
    assert all(path.is_file() for path in found)
    return found


def test_one_clip(env: dict[str, str]) -> None:
    said = run("one_clip.py", env)
    assert len(files(said, "jpg")) == len(files(said, "mp4")) == 1


def test_short_film_and_again_without_paying_again(env: dict[str, str]) -> None:
    said = run("short_film.py", env)
    films = [path.name for path in files(said, "mp4")]
    assert films == ["the-lantern-vertical-1.mp4", "the-lantern-horizontal-1.mp4"]
    assert "42 credits spent" in said
    again = run("short_film.py", env)
    assert "42 credits spent" in again


def test_references_and_upscale(env: dict[str, str]) -> None:
    said = run("references_and_upscale.py", env)
    assert "scene 1 horizontal clip (references): 10 credits" in said
    assert "scene 2 horizontal clip (extend): 10 credits" in said
    assert "scene 3 horizontal clip (text): 4 credits" in said
    assert "INVALID_SETTING" in said and "This account has: veo_3_1_upsampler_1080p" in said
    assert "in Flow: The Robot" in said
    assert len(files(said, "mp4")) == 4 and len(files(said, "jpg")) == 3
