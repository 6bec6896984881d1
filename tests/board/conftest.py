"""The storyboard in a real Chromium: in the studio, and in a chat's frame behind the official host bridge."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncGenerator

import own_pages
import pytest
import pytest_asyncio
from board_pages import Windows
from npm_packages import npm
from playwright.async_api import Browser

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
    """The official host bridge as one script."""
    packages, folder = npm("ext-apps", *BRIDGE), tmp_path_factory.mktemp("host")
    source, made = folder / "host.mjs", folder / "host.js"
    source.write_text(
        'import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";\n'
        "Object.assign(globalThis, { AppBridge, PostMessageTransport });\n",
        encoding="utf-8",
    )
    bundle = [
        str(packages / ".bin" / "esbuild"),
        str(source),
        "--bundle",
        "--format=iife",
        f"--outfile={made}",
        "--log-level=warning",
    ]
    env = {**os.environ, "NODE_PATH": str(packages)}
    subprocess.run(bundle, check=True, timeout=120, env=env)
    return made.read_text(encoding="utf-8")
