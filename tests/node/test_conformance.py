"""The official conformance suite of MCP against our server over HTTP: every scenario passes."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from npm_packages import NODE, npm

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

SUITE = "@modelcontextprotocol/conformance@0.1.16"
SCENARIOS = 30
PATIENCE_S = 90


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def address(tmp_path: Path) -> Generator[str]:
    """Our server with the suite's fixtures, as a process."""
    port = free_port()
    program = Path(__file__).with_name("conformance_server.py")
    log = tmp_path / "server.log"
    with log.open("wb") as errors:
        server = subprocess.Popen(
            [sys.executable, program, str(tmp_path / "library"), str(port), str(free_port())],
            stderr=errors,
        )
        try:
            deadline = time.monotonic() + PATIENCE_S
            while b"FlowKit listens on" not in log.read_bytes():
                assert server.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < deadline, "the server does not come up"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            server.terminate()
            server.wait(30)


def test_every_scenario_passes(address: str, tmp_path: Path) -> None:
    home = npm("conformance", SUITE, NODE)
    done = subprocess.run(
        [
            home / "node" / "bin" / "node",
            home / "@modelcontextprotocol" / "conformance" / "dist" / "index.js",
            "server", "--url", address, "-o", str(tmp_path / "out"),
        ],
        capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
    told = re.findall(r"^([✓✗]) ([\w-]+): (\d+) passed, (\d+) failed", done.stdout, re.MULTILINE)
    assert [name for mark, name, _, _ in told if mark == "✗"] == [], done.stdout[-3000:]
    assert len(told) == SCENARIOS, "the suite has more or fewer scenarios than it had"
    assert all(int(passed) > 0 and failed == "0" for _, _, passed, failed in told)
    assert done.returncode == 0
