"""The storyboard in a real Chromium: in the studio, and in a chat's frame behind the official host bridge."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from board_pages import Windows
from playwright.async_api import Browser, async_playwright

ROOT = Path(__file__).parents[2]
BRIDGE = ("@modelcontextprotocol/ext-apps@2.0.4", "esbuild@0.25.12")


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where the screenshots go: $FLOWKIT_SCREENSHOTS, which CI keeps."""
    folder = Path(os.environ.get("FLOWKIT_SCREENSHOTS") or ROOT / "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    binary = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=binary,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def windows(browser: Browser) -> AsyncGenerator[Windows]:
    opened = Windows(browser)
    yield opened
    assert await opened.close() == []


@pytest.fixture(scope="session")
def host_script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The official host bridge as one script; installed once beside the checkout, `build/` is not kept in git."""
    home = ROOT / "build" / "ext-apps"
    esbuild = home / "node_modules" / ".bin" / "esbuild"
    if not esbuild.exists():
        home.mkdir(parents=True, exist_ok=True)
        npm = shutil.which("npm")
        assert npm is not None, "npm is missing; .ci/run installs it"
        install = [
            npm,
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(home),
            *BRIDGE,
        ]
        subprocess.run(install, check=True, timeout=300)
    source = home / "host.mjs"
    source.write_text(
        'import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";\n'
        "Object.assign(globalThis, { AppBridge, PostMessageTransport });\n",
        encoding="utf-8",
    )
    made = tmp_path_factory.mktemp("host") / "host.js"
    bundle = [
        str(esbuild),
        str(source),
        "--bundle",
        "--format=iife",
        f"--outfile={made}",
        "--log-level=warning",
    ]
    subprocess.run(bundle, check=True, timeout=120, cwd=home)
    return made.read_text(encoding="utf-8")
