"""The MCP Inspector, a client we did not write, through its two command lines.

`mcp-inspector --cli` starts a server for each call; `mcpdo`, of the same package, holds one connection for many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from npm_packages import NODE, npm

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
IS_ERROR = 5  #: the Inspector's exit code for a tool's error


def installed() -> Path:
    """The folder with the Inspector's `node_modules` and a Node that it likes."""
    return npm("inspector", INSPECTOR, NODE)


def command_line(library: Path, era: str, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """`mcp-inspector --cli` with a server on this library: the exit code, every line that was printed."""
    home = installed()
    launcher = home / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    done = subprocess.run(
        [
            home / "node/bin/node", launcher, "--cli", "-e", f"FLOWKIT_LIBRARY={library}",
            "-e", "FLOWKIT_PORT=47998", sys.executable, "-m", "flowkit_mcp", "serve",
            "--protocol-era", era, "--format", "json", "--connect-timeout", "50000", *arguments,
        ],
        capture_output=True, text=True, timeout=90, check=False, env=os.environ, cwd=library.parent,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


class Connections:
    """What `mcpdo` does, on one connection a name."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, *command: str) -> tuple[int, dict[str, Any]]:
        """The exit code of a command and the JSON that it printed, or its complaint as `error`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return told["code"], json.loads(told["out"]) if told["out"] else {"error": told["error"]}

    def get(self, *command: str) -> dict[str, Any]:
        """What a command printed that has to succeed."""
        code, told = self.run(*command)
        assert code == 0, told
        return told


@contextmanager
def connections() -> Generator[Connections]:
    """`mcpdo` with a home and a daemon of its own, which ends with it."""
    home = installed()
    program = home / "@modelcontextprotocol/inspector/clients/mcpdo/build/mcp-bin.js"
    with tempfile.TemporaryDirectory() as own:  # a short name: a socket will lie in it
        env = {
            **os.environ,
            "HOME": own,
            "MCP_INSPECTOR_DAEMON_DIR": own,
            "MCP_INSPECTOR_DAEMON_TOKEN": "of-this-test-alone",
            "MCP_INSPECTOR_SECRET_STORE": "file",
        }
        driver = Path(__file__).with_name("inspect.mjs")
        with subprocess.Popen(
            [home / "node/bin/node", driver, program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=env,
        ) as process:  # fmt: skip
            seen = Connections(process)
            try:
                yield seen
            finally:
                seen.run("daemon", "stop")
