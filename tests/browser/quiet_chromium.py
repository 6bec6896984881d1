"""A Chromium that nobody watches: DevTools over a pipe, attached only while something is asked.

Without a session on the extension's worker, Chrome stops it when it idles, as it does at a person's.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chromium import binary, copy_extension, environment, flags, prepare_profile
from packed import Packed

from flowkit_mcp.bridge.protocol import EXTENSION_ID
from flowkit_mcp.simulator.site import Site

#: Puts the two ends of the pipe where Chromium looks for them, and becomes Chromium.
PUT_IN_PLACE = """
import os, sys
for high, given in ((90, sys.argv[1]), (91, sys.argv[2])):
    os.dup2(int(given), high)
os.dup2(90, 3)
os.dup2(91, 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Refused(Exception):
    """A command failed: between two pages, for one, nothing can be asked."""


class QuietChromium:
    """Commands over file descriptors 3 and 4: JSON, each message ended by a NUL."""

    def __init__(self, process: Process, write: int, extension_id: str) -> None:
        self.process = process
        self.panel = f"chrome-extension://{extension_id}/ui/panel.html"
        self._write = write
        self._ids = itertools.count(1)
        #: By number; with the session that a command belongs to.
        self._waiting: dict[int, tuple[str | None, asyncio.Future[dict[str, Any]]]] = {}

    @classmethod
    @asynccontextmanager
    async def run(
        cls, site: Site, folder: Path, packed: Packed | None = None, *, bare: bool = False
    ) -> AsyncGenerator[QuietChromium]:
        """`packed` is installed as a package; else the extension is loaded from a folder, `bare`: not yet."""
        prepare_profile(folder / "profile")
        if packed:
            packed.install(folder / "profile")
        extensions = [] if packed or bare else [copy_extension(folder / "extension")]
        to_it, write = os.pipe()
        read, from_it = os.pipe()
        argv = [
            binary(),
            "--headless=new",
            f"--user-data-dir={folder / 'profile'}",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--enable-unsafe-extension-debugging",  # else nothing is loaded later
            *flags(site, extensions),
        ]
        argv = [sys.executable, "-c", PUT_IN_PLACE, str(to_it), str(from_it), *argv]
        process = await asyncio.create_subprocess_exec(
            *argv,
            pass_fds=(to_it, from_it),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=environment(),
        )
        os.close(to_it)
        os.close(from_it)
        browser = cls(process, write, packed.id if packed else EXTENSION_ID)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: _Reader(browser), os.fdopen(read, "rb", 0)
        )
        try:
            if packed:  # it is there before any page, as a person's is
                await browser.close(await browser.open_panel())
            yield browser
        finally:
            with contextlib.suppress(OSError):
                os.write(write, b'{"id": 0, "method": "Browser.close"}\0')
            ended = asyncio.create_task(process.wait())
            await asyncio.wait([ended], timeout=8)
            if not ended.done():
                process.kill()
            await ended
            transport.close()
            os.close(write)

    async def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = session, answer
        os.write(self._write, json.dumps(message).encode() + b"\0")
        told = await answer
        if "error" in told:
            raise Refused(method, told["error"])
        return told["result"]

    def heard(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answer(message["id"], message)
        elif message["method"] == "Target.detachedFromTarget":
            # What was asked of a page that is gone is not answered any more.
            ended = message["params"]["sessionId"]
            for number in [one for one, (session, _) in self._waiting.items() if session == ended]:
                self._answer(number, {"error": "the page is gone"})

    def lost(self) -> None:
        for number in list(self._waiting):
            self._answer(number, {"error": "the browser has ended"})

    def _answer(self, number: int, told: dict[str, Any]) -> None:
        _, answer = self._waiting.pop(number, (None, None))
        if answer is not None and not answer.done():  # it is, where nobody waits any more
            answer.set_result(told)

    async def worker_runs(self) -> bool:
        """Whether the extension's worker is alive; asking does not keep it so."""
        return any(
            one["type"] == "service_worker" and one["url"].startswith("chrome-extension://")
            for one in await self._targets()
        )

    async def _targets(self) -> list[dict[str, Any]]:
        return (await self.send("Target.getTargets", filter=[{}]))["targetInfos"]

    async def load(self, extension: Path) -> None:
        """As "Load unpacked" on chrome://extensions does."""
        await self.send("Extensions.loadUnpacked", path=str(extension))

    async def open(self, url: str) -> str:
        return (await self.send("Target.createTarget", url=url))["targetId"]

    async def open_panel(self) -> str:
        """In a tab of its own, opened anew while there is no extension yet: a package is installed after the start."""
        while not await self.loaded(panel := await self.open(self.panel), self.panel):
            await self.close(panel)
        return panel

    async def sign_in(self, page: str) -> str:
        """Open a page of Flow as somebody who is signed in."""
        tab = await self.open(f"https://accounts.google.com/signin?account=demo&continue={page}")
        assert await self.loaded(tab, page)
        return tab

    async def reload_extension(self) -> None:
        """As its button on chrome://extensions does, and Chrome after an update; its pages are closed by that."""
        panel = await self.open_panel()
        with contextlib.suppress(Refused):
            await self.evaluate(panel, "void setTimeout(() => chrome.runtime.reload(), 200)")
        while panel in [one["targetId"] for one in await self._targets()]:  # noqa: ASYNC110 - to listen would wake
            await asyncio.sleep(0.05)

    async def stop_worker(self, page: str) -> None:
        """As Chrome does it. Asked from a page that is there already: a tab that comes or goes would wake it again."""
        session = (await self.send("Target.attachToTarget", targetId=page, flatten=True))[
            "sessionId"
        ]
        await self.send("ServiceWorker.enable", session)
        await self.send("ServiceWorker.stopAllWorkers", session)
        await self.send("Target.detachFromTarget", sessionId=session)

    async def close(self, target: str) -> None:
        await self.send("Target.closeTarget", targetId=target)

    async def evaluate(self, target: str, expression: str) -> Any:
        """What an expression comes to in a page; attached only for so long."""
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))[
            "sessionId"
        ]
        try:
            told = await self.send(
                "Runtime.evaluate",
                session,
                expression=expression,
                awaitPromise=True,
                returnByValue=True,
            )
        finally:
            await self.send("Target.detachFromTarget", sessionId=session)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def loaded(self, target: str, url: str) -> bool:
        """Waits for a page; False: there is none at this address.

        It is asked again and again, since a session that listens would keep things awake.
        """
        while True:
            with contextlib.suppress(Refused):
                at = await self.evaluate(
                    target, "document.readyState === 'complete' && location.href"
                )
                if at == url:
                    return True
                if at and at.startswith("chrome-error:"):
                    return False
            await asyncio.sleep(0.05)

    async def pair(self, code: str) -> None:
        """Through the panel, which is closed again: an open one keeps the worker awake."""
        panel = await self.open_panel()
        typed = f"""new Promise((resolve) => {{
            const look = () => {{
              const field = document.querySelector('#code');
              if (!field || document.querySelector('#pairing').hidden) return setTimeout(look, 20);
              field.value = {json.dumps(code)};
              document.querySelector('#pair').click();
              const paired = () => document.querySelector('#pairing').hidden ? resolve(true) : setTimeout(paired, 20);
              paired();
            }};
            look();
        }})"""
        await self.evaluate(panel, typed)
        await self.close(panel)


class _Reader(asyncio.Protocol):
    def __init__(self, browser: QuietChromium) -> None:
        self._browser = browser
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\0")
        for message in whole:
            self._browser.heard(json.loads(message))

    def connection_lost(self, exc: Exception | None) -> None:
        self._browser.lost()
