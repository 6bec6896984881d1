"""A real Chromium with the real extension, on a network that is the simulated site and nothing else.

Through Playwright. It attaches to the extension's worker, which then never idles: tests of idle death use
`quiet_chromium.py` instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page, Playwright, Worker, expect
from playwright.async_api import Error as PlaywrightError

from flowkit_mcp.bridge.protocol import EXTENSION_ID
from flowkit_mcp.simulator.site import Site

EXTENSION = Path(__file__).resolve().parents[2] / "extension"
OURS = f"chrome-extension://{EXTENSION_ID}"
PANEL = f"{OURS}/ui/panel.html"
LIMIT_MS = 30_000


def binary() -> str:
    """Debian's Chromium, or Chrome for Testing; branded Chrome takes no --load-extension."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "these tests need Chromium (apt-get install chromium)"
    return found


def flags(site: Site, extensions: Sequence[Path]) -> list[str]:
    """`extensions` are folders to load, and then the only ones."""
    listed = ",".join(str(path) for path in extensions)
    loading = [f"--load-extension={listed}", f"--disable-extensions-except={listed}"]
    return [
        "--no-sandbox",  # as root, which CI is, it exits without
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        *(loading if extensions else []),
        *site.chromium_flags(),
    ]


def environment() -> dict[str, str]:
    """Ours without proxies: nothing here is to reach one."""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}


def copy_extension(to: Path, *, source: Path = EXTENSION, granted: bool = True) -> Path:
    """A copy to load. `granted`: the optional hosts as if the person had allowed them."""
    shutil.copytree(source, to)
    manifest = json.loads((to / "manifest.json").read_text(encoding="utf-8"))
    if granted:
        hosts = manifest.pop("optional_host_permissions", [])
        manifest["host_permissions"] = [*manifest.get("host_permissions", []), *hosts]
    (to / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return to


def prepare_profile(profile: Path) -> None:
    """Developer mode, without which a reloaded extension stays off."""
    (profile / "Default").mkdir(parents=True, exist_ok=True)
    preferences = {"extensions": {"ui": {"developer_mode": True}}}
    (profile / "Default" / "Preferences").write_text(json.dumps(preferences), encoding="utf-8")


# The extension loads a page of yesterday anew by itself, and may do so in the moment in which the person does.


@contextmanager
def _unless_overtaken() -> Generator[None]:
    """A load that another load of the same tab cut short, or that was taken for it, is no fault."""
    try:
        yield
    except PlaywrightError as error:
        if not re.search("net::ERR_ABORTED|is interrupted by another navigation", error.message):
            raise


async def reload(tab: Page) -> None:
    """As a person does: whichever load of the tab it comes to, that one is waited for."""
    async with tab.expect_event("load"):
        with _unless_overtaken():
            await tab.reload()


async def go(tab: Page, url: str) -> None:
    """As a person does: overtaken on the way, they go there again."""
    arrived = False
    while not arrived:
        with _unless_overtaken():
            await tab.goto(url)
            arrived = True


class Chromium:
    """One browser on one profile. `start` and `stop` may be repeated: the profile stays."""

    def __init__(
        self,
        playwright: Playwright,
        site: Site,
        profile: Path,
        extensions: Sequence[Path],
        more_flags: Sequence[str] = (),
    ) -> None:
        self._playwright = playwright
        self._site = site
        self._profile = profile
        self._extensions = extensions
        self._more_flags = more_flags
        self._context: BrowserContext | None = None
        self._cdp: CDPSession | None = None
        self._version = ""

    @classmethod
    @asynccontextmanager
    async def run(
        cls,
        playwright: Playwright,
        site: Site,
        folder: Path,
        *more_extensions: Path,
        granted: bool = True,
        public: bool = False,
    ) -> AsyncGenerator[Chromium]:
        """`public`: Chrome takes the site for one of the public web, not of this machine."""
        profile = folder / "profile"
        prepare_profile(profile)
        ours = copy_extension(folder / "extension", granted=granted)
        override = [f"--ip-address-space-overrides=127.0.0.1:{site.port}=public"]
        browser = cls(
            playwright, site, profile, [ours, *more_extensions], override if public else ()
        )
        await browser.start()
        try:
            yield browser
        finally:
            await browser.stop()

    @property
    def context(self) -> BrowserContext:
        assert self._context is not None, "the browser is not running"
        return self._context

    async def start(self) -> None:
        self._context = await self._playwright.chromium.launch_persistent_context(
            self._profile,
            executable_path=binary(),
            headless=True,
            args=[*flags(self._site, self._extensions), *self._more_flags],
            env=environment(),
        )
        self._context.set_default_timeout(LIMIT_MS)
        await self.worker()

    async def stop(self) -> None:
        if self._context is not None:
            await self._context.close()
        self._context = self._cdp = None

    async def restart(self) -> None:
        """The same profile in a new process."""
        await self.stop()
        await self.start()

    async def worker(self) -> Worker:
        """The extension's worker, waited for."""
        for one in self.context.service_workers:
            if one.url.startswith(OURS):
                return one
        return await self.context.wait_for_event(
            "serviceworker", predicate=lambda one: one.url.startswith(OURS)
        )

    # What a person does

    async def panel(self) -> Page:
        """The panel, in a tab of its own."""
        page = await self.context.new_page()
        await page.goto(PANEL)
        return page

    async def pair(self, code: str) -> Page:
        """Paste a code; the panel, once it says that the link is up."""
        panel = await self.panel()
        again = panel.get_by_role("button", name="Pair with a new code")
        field = panel.get_by_label("Pairing code")
        await expect(again.or_(field).first).to_be_visible()
        if await again.is_visible():
            await again.click()
        await field.fill(code)
        await panel.get_by_role("button", name="Pair", exact=True).click()
        await expect(panel.locator("#pairing")).to_be_hidden(timeout=LIMIT_MS)
        return panel

    async def open_flow(
        self, *, account: str = "demo", page: str = "https://flow.google.com/project/first"
    ) -> Page:
        """Sign in and open a page of Flow, in a tab of its own."""
        tab = await self.context.new_page()
        await tab.goto(f"https://accounts.google.com/signin?account={account}&continue={page}")
        assert tab.url == page
        return tab

    # What happens to browsers

    async def stop_worker(self) -> None:
        """Chrome stops the extension's worker, wherever it stands."""
        cdp = await self._devtools()
        # What tabs have done so far is heard before: it shall not wake the worker again.
        await (await self.worker()).evaluate("chrome.tabs.query({}).then(() => {})")
        runs, gone = asyncio.Event(), asyncio.Event()

        def hear(told: dict[str, Any]) -> None:
            for one in told["versions"]:
                if one["scriptURL"].startswith(OURS):
                    self._version = one["versionId"]
                    (gone if one["runningStatus"] == "stopped" else runs).set()

        cdp.on("ServiceWorker.workerVersionUpdated", hear)
        await cdp.send("ServiceWorker.enable")  # reports what runs
        await runs.wait()
        gone.clear()
        await cdp.send("ServiceWorker.stopWorker", {"versionId": self._version})
        await gone.wait()
        await cdp.send("ServiceWorker.disable")
        cdp.remove_listener("ServiceWorker.workerVersionUpdated", hear)

    async def _devtools(self) -> CDPSession:
        """A session on a page that is nobody's, so that stopping workers works while others come and go."""
        if self._cdp is None:
            self._cdp = await self.context.new_cdp_session(await self.context.new_page())
        return self._cdp

    async def reload_extension(self) -> None:
        """As the button on chrome://extensions does."""
        worker = await self.worker()
        async with self.context.expect_event("serviceworker", lambda one: one is not worker):
            # Not before the answer to this is out, or nobody would give it.
            await worker.evaluate("void setTimeout(() => chrome.runtime.reload(), 200)")
