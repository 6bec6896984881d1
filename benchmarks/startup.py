"""Start-up, idle memory and answers of our server, each beside a bare `MCPServer` measured in the same minute.

    python benchmarks/startup.py [--runs 9]

The bare server has one tool that returns a short text and nothing else. Minima of alternating runs are compared, since
what other programs do to the machine only ever adds. Exits with 1 if a bound is missed: 1.25x to the handshake's
answer, 3 ms a reading tool, 40 MB idle.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_TIMES, MOST_MS, MOST_MB = 1.25, 3.0, 40.0
CALLS = 40

BARE = """
from mcp.server import MCPServer
server = MCPServer("bare", version="1")
@server.tool()
async def ping() -> str:
    "Answer."
    return "pong"
server.run("stdio")
"""
OURS = ["-m", "flowkit_mcp", "serve"]
HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "benchmark", "version": "1"},
}


@dataclass
class Measured:
    """Seconds to the handshake's answer, MB of memory when idle, ms a call by tool."""

    start_s: float
    idle_mb: float
    call_ms: dict[str, float]


class Server:
    """A server process, spoken to in plain JSON lines."""

    def __init__(self, arguments: list[str], library: Path) -> None:
        env = os.environ | {"FLOWKIT_LIBRARY": str(library), "FLOWKIT_PORT": "47991"}
        self._began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
        )
        self._id = 0

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        assert self._process.stdout is not None
        while True:
            answer = json.loads(self._process.stdout.readline())
            if answer.get("id") == self._id:
                return answer["result"]

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()

    def greet(self) -> float:
        """Seconds from the start of the process to the answer."""
        self.ask("initialize", **HELLO)
        took = time.perf_counter() - self._began
        self._send({"method": "notifications/initialized"})
        return took

    def timed(self, tool: str, **arguments: Any) -> float:
        """Milliseconds of the quickest of many calls."""
        took: list[float] = []
        for _ in range(CALLS):
            began = time.perf_counter()
            result = self.ask("tools/call", name=tool, arguments=arguments)
            took.append(time.perf_counter() - began)
            assert not result.get("isError"), result
        return min(took) * 1000

    def idle_mb(self) -> float:
        """Resident memory a moment after the last answer, in MB."""
        time.sleep(0.7)
        for line in Path(f"/proc/{self._process.pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def one(arguments: list[str], library: Path, calls: dict[str, dict[str, Any]]) -> Measured:
    server = Server(arguments, library)
    try:
        start = server.greet()
        took = {tool: server.timed(tool, **given) for tool, given in calls.items()}
        return Measured(start, server.idle_mb(), took)  # everything is loaded by then
    finally:
        server.end()


def prepare(library: Path) -> dict[str, dict[str, Any]]:
    """A library as in the middle of a small production, and the reading tools to time on it."""
    server = Server(OURS, library)
    try:
        server.greet()
        for tool, arguments in (
            ("create_project", {"name": "Harbour"}),
            ("add_character", {"project": "Harbour", "characters": [{"name": "Mai"}]}),
            ("add_video", {"project": "Harbour", "title": "Lamp"}),
            (
                "add_scene",
                {"video": "Lamp", "scenes": [{"prompt": f"Shot {n}"} for n in (1, 2, 3)]},
            ),
        ):
            assert not server.ask("tools/call", name=tool, arguments=arguments).get("isError")
    finally:
        server.end()
    return {
        "status": {},
        "list_projects": {},
        "list_jobs": {},
        "get_project": {"project": "Harbour"},
    }


def best(found: list[Measured]) -> Measured:
    tools = found[0].call_ms
    return Measured(
        min(one.start_s for one in found),
        min(one.idle_mb for one in found),
        {tool: min(one.call_ms[tool] for one in found) for tool in tools},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=9)
    runs = parser.parse_args().runs
    bare: list[Measured] = []
    ours: list[Measured] = []
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "library"
        calls = prepare(library)
        for _ in range(runs):
            bare.append(one(["-c", BARE], library, {"ping": {}}))
            ours.append(one(OURS, library, calls))
    us, them = best(ours), best(bare)
    times, more_mb = us.start_s / them.start_s, us.idle_mb - them.idle_mb
    ping = them.call_ms["ping"]
    print(f"{'':24}{'bare':>10}{'FlowKit':>10}   bound")
    print(
        f"{'start to answer, ms':24}{them.start_s * 1000:10.0f}{us.start_s * 1000:10.0f}   "
        f"{times:.2f}x of {MOST_TIMES}x"
    )
    print(
        f"{'idle memory, MB':24}{them.idle_mb:10.1f}{us.idle_mb:10.1f}   +{more_mb:.1f} of +{MOST_MB:.0f}"
    )
    for tool, took in us.call_ms.items():
        print(f"{tool + ', ms':24}{ping:10.2f}{took:10.2f}   +{took - ping:.2f} of +{MOST_MS:.0f}")
    slow = [tool for tool, took in us.call_ms.items() if took - ping > MOST_MS]
    missed = times > MOST_TIMES or more_mb > MOST_MB or bool(slow)
    print("a bound is missed" if missed else "within all bounds")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
