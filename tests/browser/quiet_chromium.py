"""A Chromium that nobody watches: DevTools over a pipe, attached only while something is asked.

Without a session on the extension's worker, Chrome stops it when it idles, as it does at a person's.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from chromium import PANEL, binary, copy_extension, environment, flags, prepare_profile

from flowkit_mcp.simulator.site import Site


class QuietChromium:
    """Commands over file descriptors 3 and 4: JSON, each message ended by a NUL."""

    def __init__(self, process: Process, write: int) -> None:
        self.process = process
        self._write = write
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    @classmethod
    @asynccontextmanager
    async def run(cls, site: Site, folder: Path) -> AsyncGenerator[QuietChromium]:
        prepare_profile(folder / "profile")
        extension = copy_extension(folder / "extension")
        to_it, write = os.pipe()
        read, from_it = os.pipe()
        argv = [
            binary(),
            "--headless=new",
            f"--user-data-dir={folder / 'profile'}",
            "--remote-debugging-pipe",
            "--no-first-run",
            *flags(site, [extension]),
        ]
        # The shell puts the two ends where Chromium looks for them; what it runs takes its place.
        argv = ["/bin/sh", "-c", f'exec "$@" 3<&{to_it} 4>&{from_it}', "sh", *argv]
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
        browser = cls(process, write)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: _Reader(browser), os.fdopen(read, "rb", 0)
        )
        try:
            yield browser
        finally:
            await asyncio.wait([asyncio.create_task(browser.send("Browser.close"))], timeout=5)
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
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        os.write(self._write, json.dumps(message).encode() + b"\0")
        told = await answer
        assert "error" not in told, (method, told["error"])
        return told["result"]

    def heard(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._waiting.pop(message["id"]).set_result(message)

    async def worker_runs(self) -> bool:
        """Whether the extension's worker is alive; asking does not keep it so."""
        targets = (await self.send("Target.getTargets", filter=[{}]))["targetInfos"]
        return any(
            one["type"] == "service_worker" and one["url"].startswith("chrome-extension://")
            for one in targets
        )

    async def open(self, url: str) -> str:
        return (await self.send("Target.createTarget", url=url))["targetId"]

    async def close(self, target: str) -> None:
        await self.send("Target.closeTarget", targetId=target)

    async def evaluate(self, target: str, expression: str) -> Any:
        """What an expression comes to in a page; attached only for so long."""
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))[
            "sessionId"
        ]
        told = await self.send(
            "Runtime.evaluate",
            session,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        await self.send("Target.detachFromTarget", sessionId=session)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def pair(self, code: str) -> None:
        """Through the panel, which is closed again: an open one keeps the worker awake."""
        panel = await self.open(PANEL)
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
