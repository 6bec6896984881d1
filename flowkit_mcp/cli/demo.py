"""`flowkit-mcp demo`: a film from nothing, through the real stack, with Google played by the simulator.

The simulator lives in this process; the server is a process of its own, as with any client, and is started
again if it dies. Everything is written into one folder.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path

import anyio
from mcp import MCPError

from flowkit_mcp.cli import demo_film, demo_report, demo_story, stopping
from flowkit_mcp.cli.demo_browser import Window, in_chromium
from flowkit_mcp.cli.demo_client import DemoFailed, ServerLost, Tools
from flowkit_mcp.cli.demo_film import Made, Production
from flowkit_mcp.cli.demo_progress import Journey, Stage, stage
from flowkit_mcp.cli.demo_report import Credits, Report
from flowkit_mcp.cli.library import claim
from flowkit_mcp.cli.ports import free_ports
from flowkit_mcp.cli.simulate import Kind, simulator
from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict, FlowKitError
from flowkit_mcp.simulator import Simulator
from flowkit_mcp.simulator.state import Lane
from flowkit_mcp.store.lock import LeaderLock

SERVER_LIVES = 3
LOG_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def demo(
    out: Path, *, lane: Lane | None = None, window: Window | None = None, as_json: bool
) -> int:
    """Make the film, show progress and the result; the exit code.

    `lane` is the protocol in which the simulator serves from now on; None: as it did, at first `batchexecute`.
    `window` is the real browser to work through; None: the stand-in.

    Raises:
        FlowKitError: it cannot be made; the text says why and what to do.
    """
    begun = time.monotonic()
    with stage(sys.stderr if as_json else sys.stdout) as where:
        reports: list[Report] = []

        async def run() -> int:
            out.mkdir(parents=True, exist_ok=True)
            # What the simulator and its browser complain of belongs to the folder, not between the lines.
            logging.basicConfig(filename=out / "simulator.log", encoding="utf-8", format=LOG_LINE)
            reports.append(await _demo(out.absolute(), Kind(lane=lane), window, where, begun))
            return 0

        code = stopping.run(run())
    if not reports:
        print(
            "\nStopped. The same command goes on where it stopped and pays nothing twice.",
            file=sys.stderr,
        )
        return code
    report = reports[0]
    print(report.model_dump_json(indent=2) if as_json else "\n" + demo_report.as_text(report))
    return 0 if report.ok else 1


async def _demo(out: Path, kind: Kind, window: Window | None, where: Stage, begun: float) -> Report:
    bridge, service_port = free_ports(2)
    settings = _settings(out, bridge, service_port)
    with _alone(settings):
        where.say(f"A film in {out}, made with the simulator: no account, nothing is spent.")
        async with _world(settings, kind, window, service_port, where) as service:
            before = service.charged
            made, spent, restarts = await _film(settings, out / "server.log", where)
            sheet = await demo_report.storyboard(made, out / "storyboard.jpg")
            credits = Credits(
                program=spent,
                ledger=service.charged,
                this_run=service.charged - before,
                balance=service.balance,
            )
            uploaded = service.youtube.videos[made.watch.rsplit("/", 1)[-1]].file
    upscaled = next(one for one in made.scenes if one["scene"] == demo_story.UPSCALED_SCENE)
    return Report(
        ok=credits.agree,
        project=made.project,
        video=made.video,
        films=demo_report.films(made),
        upscale=str(demo_film.slot(upscaled, demo_story.UPSCALED_ORIENTATION, "upscale").path),
        contact_sheet=str(sheet),
        watch=made.watch,
        uploaded=str(uploaded),
        credits=credits,
        seconds=round(time.monotonic() - begun, 1),
        server_restarts=restarts,
        library=str(settings.library),
        next=demo_report.next_steps(settings.library),
    )


def _world(
    settings: Settings, kind: Kind, window: Window | None, port: int, where: Stage
) -> AbstractAsyncContextManager[Simulator]:
    """Google's side, and the browser between."""
    if window is None:
        return simulator(settings, port=port, kind=kind)
    return in_chromium(settings, kind, window, port=port, say=where.say)


async def _film(settings: Settings, log: Path, where: Stage) -> tuple[Made, int, int]:
    """The finished video, the credits FlowKit says it spent in this library, how often its server died."""
    journey = Journey(demo_film.STAGES, where.show)
    video: str | None = None
    for restarts in range(SERVER_LIVES):
        outcome: list[tuple[Made, int] | FlowKitError] = []
        with _server_may_die():
            async with Tools.connect(settings, log, where.say) as tools:
                production = Production(tools, journey, where.say)
                try:
                    made = await production.make(video)
                    outcome.append((made, int((await tools.call("status"))["spent_credits"])))
                except FlowKitError as error:
                    outcome.append(error)  # raised below: a task group bundles what is raised in it
                finally:
                    video = production.video
        for ending in outcome:
            if isinstance(ending, FlowKitError):
                raise ending
            return *ending, restarts
        where.say("The server has died. Starting it again: it finds what it had sent, and goes on.")
    raise DemoFailed(
        f"the server died {SERVER_LIVES} times; the end of {log.name} says why",
        hint=f"Read {log}, then run the same command again.",
    )


@contextmanager
def _server_may_die() -> Generator[None]:
    """Whatever a connection to a dead server ends with is for the caller to look at, not a crash."""
    try:
        yield
    except* (ServerLost, MCPError, OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass


def _settings(out: Path, bridge: int, service_port: int) -> Settings:
    """A library of its own, whatever the environment says."""
    return claim(
        out / "library",
        bridge,
        env={"FLOWKIT_SIMULATOR": f"http://127.0.0.1:{service_port}"},
        simulated=True,
    )


@contextmanager
def _alone(settings: Settings) -> Generator[None]:
    lock = LeaderLock(settings.state_dir / "demo.lock")
    if not lock.try_acquire():
        raise Conflict(
            f"another demo works in {settings.library.parent}",
            hint="Wait for it, or use another --out.",
        )
    try:
        yield
    finally:
        lock.release()
