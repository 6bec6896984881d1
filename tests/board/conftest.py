"""The storyboard in a real Chromium: in the studio, and in a chat's frame behind the official host bridge."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import own_pages
import pytest
import pytest_asyncio
from board_pages import Windows
from playwright.async_api import Browser

ROOT = Path(__file__).parents[2]
BRIDGE = ("@modelcontextprotocol/ext-apps@2.0.4", "esbuild@0.25.12")

browser = own_pages.browser
pictures = own_pages.pictures


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
