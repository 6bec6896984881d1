"""Which Chromium there is: a build that takes an extension from the command line.

Google's own Chrome does not any more, from version 137 on (bridge.md (b)); Chromium and Chrome for Testing do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from flowkit_mcp.errors import FlowKitError

#: Names a binary to use instead of the one that would be found.
VARIABLE = "FLOWKIT_CHROMIUM"

_NAMES = ("chromium", "chromium-browser")
_BRANDED = ("google-chrome", "google-chrome-stable", "chrome")
_FOR_TESTING = "npx @puppeteer/browsers install chrome@stable --path ~/.cache/puppeteer"
#: How each system gets one. Chrome for Testing is found where this line puts it.
_INSTALL = {
    "Debian": "sudo apt install chromium",
    "Ubuntu": "sudo snap install chromium",
    "macOS": _FOR_TESTING,
    "Windows": "winget install Hibbiki.Chromium",
    "any, with Node": _FOR_TESTING,
}


class NoChromium(FlowKitError):
    """There is none that can be used; the hint says how to get one."""

    code = "NO_CHROMIUM"

    def __init__(self, message: str) -> None:
        width = max(map(len, _INSTALL))
        lines = [f"  {system:<{width}}  {line}" for system, line in _INSTALL.items()]
        super().__init__(
            message,
            hint="\n".join(
                [
                    "Install Chromium or Chrome for Testing:",
                    *lines,
                    "Google Chrome itself will not do: since version 137 it takes no extension from the command line.",
                    f"One that lies elsewhere: set {VARIABLE} to the program.",
                ]
            ),
        )


def find_chromium(env: Mapping[str, str] | None = None) -> Path:
    """The program. `env` is looked at instead of the environment.

    Raises:
        NoChromium: with what to install.
    """
    env = os.environ if env is None else env
    if named := env.get(VARIABLE):
        path = Path(named).expanduser()
        if not path.is_file():
            raise NoChromium(f"{VARIABLE} names {path}, which is no program")
        return path
    for name in _NAMES:
        if found := shutil.which(name, path=env.get("PATH", "")):
            return Path(found)
    for path in _places(sys.platform, env):
        if path.is_file():
            return path
    branded = any(shutil.which(name, path=env.get("PATH", "")) for name in _BRANDED)
    raise NoChromium(
        "there is Google Chrome here, but no Chromium" if branded else "there is no Chromium here"
    )


def chromium_version(binary: Path) -> str | None:
    """As it calls itself, `Chromium 156.0.8078.79`; None if it does not say (on Windows a window would open)."""
    if sys.platform == "win32":
        return None
    try:
        told = subprocess.run(
            [binary, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=10,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.strip().partition(" built on")[0] or None


def _places(platform: str, env: Mapping[str, str]) -> Iterator[Path]:
    """Where installers, Puppeteer and Playwright put one; the newest of each first."""
    home = Path(env.get("USERPROFILE" if platform == "win32" else "HOME") or Path.home())
    testing = "Google Chrome for Testing.app/Contents/MacOS/Google Chrome for Testing"
    if platform == "darwin":
        for root in (Path("/Applications"), home / "Applications"):
            yield root / "Chromium.app/Contents/MacOS/Chromium"
            yield root / testing
        inside, playwright = f"chrome-mac*/{testing}", home / "Library/Caches/ms-playwright"
    elif platform == "win32":
        local = Path(env.get("LOCALAPPDATA") or home / "AppData/Local")
        for root in (local, *(Path(env[n]) for n in ("ProgramFiles", "ProgramW6432") if n in env)):
            yield root / "Chromium/Application/chrome.exe"
        inside, playwright = "chrome-win*/chrome.exe", local / "ms-playwright"
    else:
        yield Path("/snap/bin/chromium")
        inside, playwright = "chrome-linux*/chrome", home / ".cache/ms-playwright"
    yield from _newest(home / ".cache/puppeteer", f"chrome/*/{inside}")
    yield from _newest(playwright, f"chromium-*/{inside}")


def _newest(folder: Path, pattern: str) -> list[Path]:
    def numbers(path: Path) -> list[int]:
        text = "".join(c if c.isdigit() else " " for c in path.relative_to(folder).parts[-3:][0])
        return [int(number) for number in text.split()]

    return sorted(folder.glob(pattern), key=lambda p: (numbers(p), str(p)), reverse=True)
