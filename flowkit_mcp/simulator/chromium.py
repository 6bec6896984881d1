"""A real Chromium with the real extension, on a network that is the simulated site and nothing else.

Its profile is new and goes with it. The flags are those of bridge.md (b).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from flowkit_mcp.bridge.protocol import EXTENSION_ID
from flowkit_mcp.simulator.chromium_devtools import BrowserGone, DevTools, DevToolsRefused
from flowkit_mcp.simulator.chromium_find import NoChromium
from flowkit_mcp.simulator.site import Site
from flowkit_mcp.simulator.site_hosts import ACCOUNTS, FLOW, LABS
from flowkit_mcp.simulator.state import Lane

PANEL = f"chrome-extension://{EXTENSION_ID}/ui/panel.html"
START_S = 20.0
CLOSE_S = 6.0
PROJECTS: dict[Lane, str] = {
    "batchexecute": f"https://{FLOW}/project/",
    "labs": f"https://{LABS}/fx/tools/flow/project/",
}


class Chromium:
    """A running browser; made by `run`. Tabs are named by their DevTools target ids."""

    def __init__(self, devtools: DevTools) -> None:
        self.devtools = devtools
        #: The tab with Flow, and the panel, once they are open.
        self.flow = ""
        self.panel = ""

    @classmethod
    @asynccontextmanager
    async def run(
        cls, binary: Path, site: Site, extension: Path, *, headless: bool
    ) -> AsyncGenerator[Chromium]:
        """Start it with a copy of this extension; at the end it is gone, with its profile.

        Raises:
            NoChromium: the program does not start; the text holds its last words.
        """
        folder = Path(tempfile.mkdtemp(prefix="flowkit-chromium-", dir=_room(binary)))
        ours = _copy_extension(extension, folder / "extension")
        profile = folder / "profile"
        profile.mkdir()
        keeper = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(Path(__file__).with_name("chromium_keeper.py")),
            str(folder),
            str(binary),
            *_flags(site, profile, ours, headless=headless),
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=_environment(folder),
            start_new_session=True,  # Ctrl-C in a terminal is for us; the keeper hears of our end
        )
        try:
            address = await _address(keeper, profile, folder / "chromium.log")
            async with DevTools.connect(address) as devtools:
                try:
                    yield cls(devtools)
                finally:
                    with contextlib.suppress(BrowserGone, DevToolsRefused):
                        closing = asyncio.create_task(devtools.send("Browser.close"))
                        await asyncio.wait({closing}, timeout=CLOSE_S)
                        closing.cancel()
                        await asyncio.gather(closing, return_exceptions=True)
        finally:
            assert keeper.stdin is not None
            keeper.stdin.close()
            await keeper.wait()

    async def open_flow(self, lane: Lane, account: str, project: str) -> None:
        """Sign in and open a project of Flow, in the window's first tab."""
        page = PROJECTS[lane] + project
        query = urlencode({"account": account, "continue": page})
        tabs = [one for one in await self.devtools.targets() if one["type"] == "page"]
        blank = next((one for one in tabs if one["url"] == "about:blank"), None)
        if blank is None:
            self.flow = (await self.devtools.send("Target.createTarget", url="about:blank"))[
                "targetId"
            ]
        else:
            self.flow = str(blank["targetId"])
        await self.devtools.evaluate(
            self.flow, f"location.href = {json.dumps(f'https://{ACCOUNTS}/signin?{query}')}"
        )
        await self.devtools.until(
            self.flow,
            f"location.href === {json.dumps(page)} && document.readyState === 'complete'",
        )

    async def show_project(self, lane: Lane, project: str) -> None:
        """Open another project in a tab in front, for whoever watches. Calls go on in the tab they were made in."""
        told = await self.devtools.send("Target.createTarget", url=PROJECTS[lane] + project)
        self.flow = str(told["targetId"])

    async def open_panel(self) -> None:
        """Beside the Flow tab, as a click on the extension's button does; in a tab if that does not work."""
        tab = next(
            (
                one["targetId"]
                for one in await self.devtools.targets()
                if one["type"] == "tab" and one["url"].startswith("https://")
            ),
            None,
        )
        if tab is not None:
            with contextlib.suppress(DevToolsRefused):
                await self.devtools.send("Extensions.triggerAction", id=EXTENSION_ID, targetId=tab)
                for _ in range(50):
                    if found := await self._panel():
                        self.panel = found
                        return
                    await asyncio.sleep(0.1)
        self.panel = (await self.devtools.send("Target.createTarget", url=PANEL))["targetId"]

    async def _panel(self) -> str | None:
        targets = await self.devtools.targets()
        return next(
            (one["targetId"] for one in targets if one["type"] == "page" and one["url"] == PANEL),
            None,
        )

    async def pair(self, code: str) -> None:
        """Paste a code into the panel and click; until the panel says that the link is up."""
        await self.devtools.until(
            self.panel, "document.querySelector('#pairing')?.hidden === false"
        )
        await self.devtools.evaluate(
            self.panel,
            f"document.querySelector('#code').value = {json.dumps(code)};"
            "document.querySelector('#pair').click()",
        )
        await self.devtools.until(self.panel, "document.querySelector('#pairing').hidden")


def has_display() -> bool:
    """Whether a window could be seen by anybody."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _flags(site: Site, profile: Path, extension: Path, *, headless: bool) -> list[str]:
    flags = [
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "--no-first-run",
        "--no-default-browser-check",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--password-store=basic",
        "--use-mock-keychain",
        "--window-size=1360,860",
        f"--load-extension={extension}",
        f"--disable-extensions-except={extension}",
        *site.chromium_flags(),
        "about:blank",
    ]
    if headless:
        flags[:0] = ["--headless=new", "--disable-gpu"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.insert(0, "--no-sandbox")  # as root it does not start otherwise
    return flags


def _environment(folder: Path) -> dict[str, str]:
    """Ours without proxies; what it leaves in temporary folders goes with its own."""
    ours = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return ours | ({"TMPDIR": str(folder)} if sys.platform == "linux" else {})


def _room(binary: Path) -> str | None:
    """Where a folder for it is made; a snap sees nothing of /tmp."""
    common = Path.home() / "snap/chromium/common"
    snap = str(binary).startswith("/snap/") or str(binary.resolve()).startswith("/snap/")
    if not snap and binary.name == "chromium-browser":  # on Ubuntu a script that calls the snap
        snap = Path("/snap/bin/chromium").exists()
    return str(common) if snap and common.is_dir() else None


def _copy_extension(extension: Path, to: Path) -> Path:
    """With the hosts of lane labs allowed, which a person would do by a click in the panel."""
    shutil.copytree(extension, to)
    file = to / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["host_permissions"] += manifest.pop("optional_host_permissions", [])
    file.write_text(json.dumps(manifest), encoding="utf-8")
    return to


async def _address(keeper: asyncio.subprocess.Process, profile: Path, log: Path) -> str:
    """Where its DevTools listen: the file that Chromium writes when it is up."""
    told = profile / "DevToolsActivePort"
    loop = asyncio.get_running_loop()
    until = loop.time() + START_S
    while loop.time() < until:
        with contextlib.suppress(FileNotFoundError, ValueError):
            port, path = told.read_text(encoding="ascii").split()
            return f"ws://127.0.0.1:{int(port)}{path}"
        if keeper.returncode is not None:
            break
        await asyncio.sleep(0.05)
    words = ""
    with contextlib.suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
        words = next((line for line in reversed(lines) if line.strip()), "")
    raise NoChromium("Chromium does not start" + (f" (it says: {words[:300]})" if words else ""))
