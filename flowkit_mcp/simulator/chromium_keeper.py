"""Holds a Chromium for a parent: when stdin ends, however the parent ended, the browser and its folder go.

A program of its own, run by its path with nothing but the standard library:
`python -I chromium_keeper.py <folder to remove> <chromium> <flags…>`. It exits when the browser does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

#: A browser that was asked to close has this long before it is ended, in seconds.
GRACE_S = 3.0


def keep(folder: Path, argv: list[str]) -> int:
    """Run the browser until it or stdin ends."""
    with (folder / "chromium.log").open("wb") as log:
        browser = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=sys.platform != "win32",
        )
    ended = threading.Event()

    def parent() -> None:
        while os.read(0, 4096):
            pass
        ended.set()

    threading.Thread(target=parent, daemon=True).start()
    while browser.poll() is None and not ended.wait(0.1):
        pass
    if not ended.is_set():  # by itself: the parent may want to read why
        ended.wait(GRACE_S)
    else:
        _wait(browser)
    _end(browser)
    _remove(folder)
    return browser.wait()


def _wait(browser: subprocess.Popen[bytes]) -> None:
    try:
        browser.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        pass


def _end(browser: subprocess.Popen[bytes]) -> None:
    """It and its helpers, which may outlive it for a moment."""
    if sys.platform == "win32":
        if browser.poll() is None:
            tree = ["taskkill", "/F", "/T", "/PID", str(browser.pid)]
            subprocess.run(tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return
    try:
        os.killpg(browser.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _remove(folder: Path) -> None:
    """A helper that is just ending may still write a file."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(keep(Path(sys.argv[1]), sys.argv[2:]))
