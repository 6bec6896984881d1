"""`Site`: the simulated Flow under its real names, for a real browser with the real extension in it.

One TLS port on loopback plays all hosts; the browser is told to find them there and nothing else anywhere
(`chromium_flags`). It is the same Flow as the simulator's own address serves: the same accounts, media,
ledger, switches and faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from flowkit_mcp.simulator.listen import HOST, Door, listen
from flowkit_mcp.simulator.server import Simulator
from flowkit_mcp.simulator.site_app import ExtraPage, Seen, SiteApp
from flowkit_mcp.simulator.site_cert import make_certificate
from flowkit_mcp.simulator.site_hold import Hold
from flowkit_mcp.simulator.site_hosts import HOSTS


class Site:
    """A running site; made by `run`. Its attributes change how it behaves from the next request on."""

    def __init__(
        self,
        app: SiteApp,
        door: Door,
        hosts: tuple[str, ...],
        rebound: tuple[str, ...],
        port: int,
        spki: str,
    ) -> None:
        self._app = app
        self._door = door
        self._hosts = hosts
        self._rebound = rebound
        self.port = port
        #: The fingerprint of its certificate, as Chromium's flag wants it.
        self.spki = spki

    @classmethod
    @asynccontextmanager
    async def run(
        cls,
        simulator: Simulator,
        folder: Path,
        *,
        extra_hosts: tuple[str, ...] = (),
        rebound: tuple[str, ...] = (),
    ) -> AsyncGenerator[Site]:
        """Serve a running simulator on a free port of 127.0.0.1; the certificate goes into `folder`.

        `extra_hosts` are names of other people's sites, for pages given to `add_page`; `rebound` are names
        that lead to loopback and keep the port that an address has, as a rebound DNS name does.

        Raises:
            OSError: the folder cannot be written.
        """
        hosts = (*HOSTS, *extra_hosts)
        pem, spki = make_certificate(folder, hosts, simulator.service.clock)
        listener = listen(0)
        port = int(listener.getsockname()[1])
        app = SiteApp(simulator.service, simulator.app, simulator.url)
        door = Door()
        door.serve_app(app, pem)
        simulator.doors.append(door)
        serving = asyncio.create_task(door.serve([listener]), name="site")
        try:
            await door.up.wait()
            yield cls(app, door, hosts, rebound, port, spki)
        finally:
            app.holds.release_all()
            door.down.set()
            await serving
            pem.unlink(missing_ok=True)

    def play(self, simulator: Simulator) -> None:
        """Be another simulator's Flow from now on, for the same browser. The one before may have ended."""
        self._app.play(simulator.service, simulator.app, simulator.url)
        simulator.doors.append(self._door)

    def chromium_flags(self) -> list[str]:
        """Names lead here or nowhere, and this certificate is good. For a browser with a profile of its own."""
        names = [f"MAP {host} {HOST}:{self.port}" for host in self._hosts]
        names += [f"MAP {host} {HOST}" for host in self._rebound]
        return [
            f"--host-resolver-rules={','.join(names)},MAP * ~NOTFOUND,EXCLUDE {HOST}",
            f"--ignore-certificate-errors-spki-list={self.spki}",
        ]

    def add_page(self, url: str, page: ExtraPage) -> None:
        """A page of somebody else's, at `https://<one of extra_hosts>/<path>`."""
        self._app.extra[url] = page

    def hold(self, text: str, *, answered: bool = False) -> Hold:
        """Make the next request whose address contains `text` wait; see `Hold`."""
        return self._app.holds.add(text, answered=answered)

    @property
    def requests(self) -> list[Seen]:
        """The latest requests to any of the hosts, oldest first."""
        return list(self._app.seen)

    @property
    def challenge(self) -> bool:
        """Whether a captcha token wants a person's click in the page first."""
        return self._app.google.challenge

    @challenge.setter
    def challenge(self, wanted: bool) -> None:
        self._app.google.challenge = wanted

    @property
    def hostile(self) -> str | None:
        """What pages are made to do to clients inside them: a name of `site_hostile.SCRIPTS`, or None."""
        return self._app.hostile

    @hostile.setter
    def hostile(self, name: str | None) -> None:
        self._app.hostile = name

    @property
    def captcha_delay_s(self) -> float:
        """How long a captcha token takes, in seconds."""
        return self._app.google.captcha_delay_s

    @captcha_delay_s.setter
    def captcha_delay_s(self, seconds: float) -> None:
        self._app.google.captcha_delay_s = seconds
