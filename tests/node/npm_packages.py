"""What comes from npm, by name and version: installed once into `build/`, which is not kept in git."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build"
NODE = "node@22.23.3"  # newer than what Debian has


def npm(folder: str, *packages: str) -> Path:
    """Installs them unless they are there, whole or not at all; the folder with their `node_modules`."""
    home = BUILD / f"{folder}-{'-'.join(p.rpartition('@')[2] for p in packages)}"
    if not home.is_dir():
        binary = shutil.which("npm")
        assert binary is not None, "npm is missing; .ci/run installs it"
        BUILD.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as work:
            new = Path(work) / "new"
            new.mkdir()
            quiet = ["--silent", "--no-audit", "--no-fund", "--prefix", str(new)]
            subprocess.run([binary, "install", *quiet, *packages], check=True, timeout=300)
            with contextlib.suppress(OSError):  # somebody else was quicker
                os.rename(new, home)
    return home / "node_modules"
