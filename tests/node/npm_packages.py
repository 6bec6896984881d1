"""What comes from npm, by name and version: installed once into `build/`, which is not kept in git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build"
NODE = "node@22.23.3"  # newer than what Debian has


def npm(folder: str, *packages: str) -> Path:
    """Installs them unless they are there; the folder with their `node_modules`."""
    home = BUILD / folder
    done = home / "installed"
    wanted = "\n".join(packages)
    if not done.is_file() or done.read_text(encoding="utf-8") != wanted:
        binary = shutil.which("npm")
        assert binary is not None, "npm is missing; .ci/run installs it"
        home.mkdir(parents=True, exist_ok=True)
        quiet = ["--silent", "--no-audit", "--no-fund", "--prefix", str(home)]
        subprocess.run([binary, "install", *quiet, *packages], check=True, timeout=300)
        done.write_text(wanted, encoding="utf-8")
    return home / "node_modules"
