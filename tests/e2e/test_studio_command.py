"""`flowkit-mcp studio` as a person starts it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from flowkit_mcp.cli.ports import free_ports

pytestmark = pytest.mark.e2e

#: Stands for the person's browser: notes what it is to open.
BROWSER = """import sys
from pathlib import Path
Path(sys.argv[1]).write_text(sys.argv[2], encoding="utf-8")
"""


def test_it_opens_the_browser_on_a_link_that_works_and_ends_in_good_order(tmp_path: Path) -> None:
    script, noted = tmp_path / "browser.py", tmp_path / "opened"
    script.write_text(BROWSER, encoding="utf-8")
    (port,) = free_ports(1)
    command = [
        sys.executable,
        "-m",
        "flowkit_mcp",
        "studio",
        "--library",
        str(tmp_path / "library"),
    ]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env={"PATH": "", "BROWSER": f"{sys.executable} {script} {noted} %s", "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        link = re.fullmatch(
            r"Storyboard: (http://127\.0\.0\.1:\d+/\?token=\S+)\n", process.stdout.readline()
        )
        assert link is not None
        assert "works once" in process.stdout.readline()
        logs = tmp_path / "library" / ".flowkit" / "logs"  # it may work the queue
        assert [file.name for file in logs.iterdir()] == [f"flowkit-{process.pid}.log"]
        with httpx2.Client(trust_env=False) as client:
            client.get(link[1]).raise_for_status()
            page = client.get(link[1].partition("?")[0])
            assert "<title>Storyboard</title>" in page.text
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert noted.read_text(encoding="utf-8") == link[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "flowkit_mcp", "studio", "--no-open", "--page-port", port]
        done = subprocess.run(
            [*command, "--library", str(tmp_path / "library")],
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"CONFLICT: port {port} is taken")
    assert "--page-port" in done.stderr
