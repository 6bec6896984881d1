"""The panel in a real Chromium, with a worker that the test plays."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import own_pages
import pytest
import pytest_asyncio
from panel_world import OpenPanel
from playwright.async_api import Browser, expect

#: Bounds a hang, measures nothing: the machine may be busy. (The default is 5 s.)
expect.set_options(timeout=30_000)

ROOT = Path(__file__).parents[2]
UI = ROOT / "extension/ui"
#: Stricter than Chrome's rule for extension pages: no inline style either.
CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'"


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        if (
            self.path == "/favicon.ico"
        ):  # a browser's own idea; extension pages are not asked for one
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", CSP)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what the tests want to know of, they ask the page for."""


browser = own_pages.browser
pictures = own_pages.pictures


@pytest.fixture(scope="session")
def panel_url() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(UI)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/panel.html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_panel(browser: Browser, panel_url: str) -> AsyncGenerator[OpenPanel]:
    opener = OpenPanel(browser, panel_url)
    yield opener
    assert await opener.close() == []
