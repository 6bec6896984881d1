"""What comes from npm, by name and version: installed once into `build/`, which is not kept in git."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build"
NODE = "node@22.23.3"  # newer than what Debian has
PAUSE_S = 10


def npm(folder: str, *packages: str) -> Path:
    """Installs them unless they are there, whole or not at all; the folder with their `node_modules`."""
    home = BUILD / f"{folder}-{'-'.join(p.rpartition('@')[2] for p in packages)}"
    if not home.is_dir():
        binary = shutil.which("npm")
        if binary is None:
            sys.exit("npm is missing: install Node.js")
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as work:
            new = Path(work) / "new"
            new.mkdir()
            _download([binary, "install", "--no-audit", "--no-fund", "--prefix", new, *packages])
            with contextlib.suppress(OSError):  # somebody else was quicker
                os.rename(new, home)
    return home / "node_modules"


def _download(command: list[str | Path]) -> None:
    """Once more if it fails: npm itself gives up at once on a name that is not resolved just then."""
    quiet = [*command, "--silent"]
    if subprocess.run(quiet, check=False, timeout=150).returncode != 0:
        time.sleep(PAUSE_S)
        subprocess.run(command, check=True, timeout=150)  # aloud: it is read if it fails again
