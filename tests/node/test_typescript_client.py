"""The TypeScript client of MCP, which we did not write, makes a whole film over stdio in either era.

It declares tasks in both. The server has them in the newer era alone (docs/decisions/0016).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from npm_packages import NODE, npm

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from demo_run import Clip
from film_by_tools import server

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

CLIENT = "@modelcontextprotocol/client@2.4.0"
TASKS = "io.modelcontextprotocol/tasks"


@pytest.mark.parametrize(("era", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_a_film_by_the_typescript_client(tmp_path: Path, era: str, version: str) -> None:
    home = npm("typescript-client", CLIENT, NODE)
    command, env = server(tmp_path / "library")
    script = Path(__file__).with_name("film.mjs")
    done = subprocess.run(
        [home / "node" / "bin" / "node", script, era, *command],
        capture_output=True, encoding="utf-8", timeout=400, check=False, cwd=home.parent, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["version"] == version
    film = Clip(told["film"])
    assert film.size == (720, 1280)
    assert film.duration_s > 6
    assert told["asked"]
    assert all("credits" in question for question in told["asked"])
    declared = told["declared"].get("extensions", {})
    if version == "2026-07-28":
        assert TASKS in declared
        tools = {task.partition(".")[0] for task, _ in told["tasks"]}
        assert tools == {"generate_image", "generate_video", "merge"}
        assert max(looks for _, looks in told["tasks"]) > 1
    else:
        assert TASKS not in declared and "tasks" not in told["declared"]
        assert told["tasks"] == []
