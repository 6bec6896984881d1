"""Claude Code itself looks at the plugin and connects to the server. It needs no account for that, and no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from npm_packages import npm

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from film_by_tools import server

pytestmark = [pytest.mark.node, pytest.mark.timeout(400)]

CLAUDE_CODE = "@anthropic-ai/claude-code@2.1.330"
ROOT = Path(__file__).parents[2]
SKILLS = sorted(path.name for path in (ROOT / "skills").iterdir() if path.is_dir())

Claude = Callable[..., str]


@pytest.fixture
def claude(tmp_path: Path) -> Claude:
    """`claude …` of somebody who has just installed it: a home of its own, and nothing asked of the network."""
    binary = npm("claude-code", CLAUDE_CODE) / ".bin" / "claude"
    own = {
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "PATH": os.environ["PATH"],
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }

    def run(*words: str, **more: str) -> str:
        done = subprocess.run(
            [binary, *words], capture_output=True, encoding="utf-8", timeout=120, check=False,
            cwd=tmp_path, env=more | own,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_claude_code_finds_no_fault_with_plugin_and_marketplace(claude: Claude) -> None:
    told = claude("plugin", "validate", "--strict", str(ROOT))
    assert "Validation passed" in told
    for name in SKILLS:
        assert f"flowkit:{name}" in told


def test_the_one_line_of_the_readme_makes_claude_code_connect(
    claude: Claude, tmp_path: Path
) -> None:
    command, env = server(tmp_path / "library")
    claude("mcp", "add", "flowkit", "--", *command)
    told = claude("mcp", "list", **env)
    assert "flowkit: " in told and "Connected" in told


def test_the_plugin_can_be_installed_from_this_folder(claude: Claude, tmp_path: Path) -> None:
    source = tmp_path / "flowkit clone"
    for part in (".claude-plugin", "skills"):
        shutil.copytree(ROOT / part, source / part)
    claude("plugin", "marketplace", "add", str(source))
    claude("plugin", "install", "flowkit@flowkit", "--config", "simulate=true")
    (plugin,) = json.loads(claude("plugin", "list", "--json"))
    assert plugin["enabled"] is True
    assert set(plugin["mcpServers"]) == {"flowkit"}
