"""Loopback ports: is one taken, and which ones are free."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

HOST = "127.0.0.1"
#: Outgoing connections are given higher ones (on Linux from 32768): such a port may be gone when it is wanted.
_NOBODYS = range(20_000, 32_000)
_CLASSES = 7


def taken(port: int) -> bool:
    """Whether another program listens on it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":  # there it would mean sharing the port
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def owner(port: int) -> str | None:
    """Who listens on a port, as `process 4711 (node)`; None where the system does not tell."""
    if sys.platform == "linux":
        return _by_proc(port)
    if sys.platform == "win32":
        return _by_netstat(_told(["netstat", "-ano", "-p", "TCP"]), port)
    return _by_lsof(_told(["lsof", "-nP", f"-iTCP:{port}", "-sTCP:LISTEN", "-Fpc"]))


def _told(command: list[str]) -> str:
    try:
        ran = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ran.stdout


def _by_proc(port: int) -> str | None:
    """The socket's inode, and whose it is; of other users' processes Linux says nothing."""
    sockets: set[str] = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for handle in (process / "fd").iterdir():
                with suppress(OSError):
                    if str(handle.readlink()) in sockets:
                        name = (process / "comm").read_text(encoding="utf-8", errors="replace")
                        return f"process {process.name} ({name.strip()})"
    return None


def _by_lsof(text: str) -> str | None:
    fields = {line[:1]: line[1:] for line in text.splitlines()}
    return f"process {fields['p']} ({fields.get('c', '?')})" if "p" in fields else None


def _by_netstat(text: str, port: int) -> str | None:
    for line in text.splitlines():
        fields = line.split()
        if len(fields) == 5 and fields[3] == "LISTENING" and fields[1].endswith(f":{port}"):
            return f"process {fields[4]}"
    return None


def free_ports(count: int) -> list[int]:
    """Different ones that nobody uses at this moment, and that no passing connection will have taken in the next."""
    # Two processes that look at once are to find different ones: a port is free until whoever found it listens.
    ours = _NOBODYS[os.getpid() % _CLASSES :: _CLASSES]
    found: list[int] = []
    with ExitStack() as stack:
        while len(found) < count:
            probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            port = secrets.choice(ours)
            with suppress(OSError):  # it is in use
                probe.bind((HOST, port))
                found.append(port)
    return found
