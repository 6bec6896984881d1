"""`flowkit-mcp`: what each subcommand takes. What they do is in the modules beside this one.

Those are imported inside the commands: a server that a client waits for loads nothing of the others.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from flowkit_mcp import __version__
from flowkit_mcp.cli import stopping, youtube
from flowkit_mcp.cli.library import claim, settings_for
from flowkit_mcp.config import HTTP_PORT, SIMULATOR_PORT, Settings, simulator_asked
from flowkit_mcp.errors import FlowKitError

app = typer.Typer(
    name="flowkit-mcp",
    help="Tell an agent a story, get a film you can publish. Without a command: serve (to an MCP client).",
    rich_markup_mode=None,  # plain help loads no rich
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(youtube.app)

Library = Annotated[
    Path | None,
    typer.Option("--library", help="Folder with the database and all media.", metavar="DIR"),
]
Port = Annotated[
    int | None,
    typer.Option(
        "--port", min=1024, max=65535, help="Loopback port for the browser (default 47815)."
    ),
]
Simulate = Annotated[
    bool,
    typer.Option(
        "--simulate", help="Work against the local simulator: no account, nothing is spent."
    ),
]
Simulated = Annotated[
    bool, typer.Option("--simulated", help="Look at the simulator's library instead of yours.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


class Tier(StrEnum):
    """What the simulated account has; decides models and prices."""

    FREE = "free"
    PRO = "pro"
    ULTRA = "ultra"


class Lane(StrEnum):
    """Which of Flow's two protocols an account is served."""

    BATCHEXECUTE = "batchexecute"
    LABS = "labs"


class Mix(StrEnum):
    """Which faults chaos mixes."""

    HONEST = "honest"
    VENDOR = "vendor"


OfLane = Annotated[
    Lane | None, typer.Option("--lane", help="Serve this of Flow's two protocols from now on.")
]


def main() -> None:
    """Run the command line; an error is one line on stderr and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="replace")  # a console that lacks a letter is no reason to fail
    try:
        app()
    except FlowKitError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(
            f"SYSTEM_ERROR: {error.strerror or error}{where}. Run flowkit-mcp doctor.",
            file=sys.stderr,
        )
        sys.exit(1)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flowkit-mcp {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(  # pyright: ignore[reportUnusedFunction] - typer calls it
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        if sys.stdin is None or sys.stdin.isatty():
            typer.echo(context.get_help())
            raise typer.Exit
        serve()


@app.command()
def serve(
    simulate: Simulate = False,
    library: Library = None,
    port: Port = None,
    http: Annotated[
        bool, typer.Option("--http", help="Serve Streamable HTTP on this machine instead.")
    ] = False,
    http_port: Annotated[
        int, typer.Option("--http-port", min=0, max=65535, help="Its port; 0: any.")
    ] = HTTP_PORT,
    host: Annotated[str, typer.Option("--host", help="Its address; loopback only.")] = "127.0.0.1",
) -> None:
    """Serve one MCP client on stdin and stdout. This is what Claude Code and others start."""
    with _claimed(simulate, library, port) as settings:
        if http:
            # late: start-up time; the other commands need no MCP.
            from flowkit_mcp.server.http import run

            run(settings, host, http_port)
        else:
            # late: as above
            from flowkit_mcp.server.stdio import run as run_stdio

            run_stdio(settings)


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", help="Everything is written in here.", metavar="DIR")
    ] = Path("demo-film"),
    lane: OfLane = None,
    browser: Annotated[
        bool,
        typer.Option("--browser", help="Through a real Chromium with the extension."),
    ] = False,
    headless: Annotated[
        bool | None,
        typer.Option(
            "--headless/--headed", help="With --browser: its window; shown if there is a display."
        ),
    ] = None,
    screenshots: Annotated[
        bool,
        typer.Option(
            "--screenshots", help="With --browser: keep pictures of Flow and panel in DIR/browser."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a film with the simulator: no account, nothing spent."""
    # late: start-up time of serve.
    from flowkit_mcp.cli.demo import demo
    from flowkit_mcp.cli.demo_browser import window  # late: as above

    if not browser and (headless is not None or screenshots):
        raise typer.BadParameter("--headless, --headed and --screenshots go with --browser")
    shots = out.absolute() / "browser" if screenshots else None
    through = window(headless=headless, shots=shots) if browser else None
    _end(demo(out, lane=lane.value if lane is not None else None, window=through, as_json=as_json))


@app.command()
def worker(simulate: Simulate = False, library: Library = None, port: Port = None) -> None:
    """Work the queue without an MCP client, until Ctrl-C."""
    with _claimed(simulate, library, port) as settings:
        # late: start-up time of serve.
        from flowkit_mcp.cli.worker import work

        code = stopping.run(work(settings, typer.echo))
    _end(code)


@app.command()
def studio(
    simulate: Simulate = False,
    library: Library = None,
    port: Port = None,
    page_port: Annotated[
        int,
        typer.Option("--page-port", min=0, max=65535, help="Loopback port of the page; 0: any."),
    ] = 0,
    open_browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open it, or only print the link.")
    ] = True,
) -> None:
    """Show the storyboard in your browser, live, until Ctrl-C. For clients that cannot show it in the chat."""
    # the MCP server inside keeps stdout clean of what others print, which would be this
    say = partial(typer.echo, file=sys.stdout)
    with _claimed(simulate, library, port) as settings:
        # late: start-up time of serve.
        from flowkit_mcp.cli.studio import show

        code = stopping.run(show(settings, say, page_port=page_port, open_browser=open_browser))
    _end(code)


@app.command()
def pair(
    show: Annotated[bool, typer.Option("--list", help="Show the paired browser profiles.")] = False,
    revoke: Annotated[
        str | None,
        typer.Option(
            "--revoke",
            help="Forget a profile, by its label or the beginning of its id.",
            metavar="LABEL",
        ),
    ] = None,
    simulated: Simulated = False,
    library: Library = None,
    port: Port = None,
) -> None:
    """Connect Chrome: print the code for its FlowKit panel."""
    # late: start-up time of serve.
    from flowkit_mcp.cli import pair as pairing

    if show or revoke is not None:
        settings = settings_for(library, port, simulated=simulated)
        text = pairing.profiles(settings) if revoke is None else pairing.revoke(settings, revoke)
    else:
        text = pairing.code(claim(library, port, simulated=simulated))
    typer.echo(text)


@app.command()
def extension(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Where to put it; without, a folder beside your libraries.", metavar="[FOLDER]"
        ),
    ] = None,
) -> None:
    """Unpack the Chrome extension, and say how to load it."""
    # late: start-up time of serve.
    from flowkit_mcp.cli.extension import default_folder, unpack

    typer.echo(unpack(folder or default_folder()))


@app.command()
def skills(
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where your agent looks for skills.", metavar="[FOLDER]"),
    ] = None,
) -> None:
    """List the skills for agents, or copy them to where yours looks for them."""
    # late: start-up time of serve.
    from flowkit_mcp.cli.skills import install, listed

    typer.echo(listed() if folder is None else install(folder))


@app.command()
def simulate(
    library: Library = None,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="Loopback port of the simulator; 0: any."),
    ] = SIMULATOR_PORT,
    tier: Annotated[Tier, typer.Option("--tier", help="Tier of a new account.")] = Tier.PRO,
    credits: Annotated[
        int | None, typer.Option("--credits", min=0, help="Credits of a new account.")
    ] = None,
    pace: Annotated[
        float,
        typer.Option(
            "--pace", min=0, max=100, help="1: a clip takes about 3 s; 10: ten times that."
        ),
    ] = 1.0,
    lane: OfLane = None,
    chaos: Annotated[
        int | None,
        typer.Option(
            "--chaos",
            help="Let calls and jobs go wrong now and then; the same seed, the same fates.",
            metavar="SEED",
        ),
    ] = None,
    chaos_mix: Annotated[
        Mix,
        typer.Option(
            "--chaos-mix",
            help="honest: a bad day; vendor: every third video submit goes wrong.",
        ),
    ] = Mix.HONEST,
    browser: Annotated[
        bool,
        typer.Option(
            "--browser/--no-browser", help="Connect a stand-in browser to the library's FlowKit."
        ),
    ] = True,
    standby: Annotated[
        bool, typer.Option("--standby", help="Wait while another simulator has the port.")
    ] = False,
    until_parent_is_gone: Annotated[
        bool, typer.Option("--until-parent-is-gone", hidden=True)
    ] = False,
) -> None:
    """Run the local Flow alone, and print its address."""
    settings = claim(library, simulated=True)
    # late: start-up time of serve.
    from flowkit_mcp.cli.simulate import Kind, simulate

    running = simulate(
        settings,
        port=port,
        kind=Kind(
            tier=tier.value,
            credits=credits,
            pace=pace,
            lane=lane.value if lane is not None else None,
            chaos=chaos,
            chaos_mix=chaos_mix.value,
        ),
        browser=browser,
        standby=standby,
        until_parent_is_gone=until_parent_is_gone,
        say=lambda text: typer.echo(text, err=until_parent_is_gone),
    )
    _end(stopping.run(running))


@app.command()
def doctor(
    simulated: Simulated = False,
    library: Library = None,
    port: Port = None,
    as_json: AsJson = False,
) -> None:
    """Say what works, and what to do about the rest.

    The exit code is 1 if something is broken.
    """
    settings = settings_for(library, port, simulated=simulated)
    # late: start-up time of serve.
    from flowkit_mcp.cli.doctor import examine, report

    _end(stopping.run(report(examine(settings), as_json=as_json)))


@app.command()
def status(
    simulated: Simulated = False,
    library: Library = None,
    port: Port = None,
    as_json: AsJson = False,
) -> None:
    """Say in a few lines what is going on."""
    settings = settings_for(library, port, simulated=simulated)
    # late: start-up time of serve.
    from flowkit_mcp.cli.status import status

    _end(stopping.run(status(settings, as_json=as_json)))


@contextlib.contextmanager
def _claimed(simulate: bool, library: Path | None, port: int | None) -> Generator[Settings]:
    """A library to be worked in; if simulated, with the simulator as a child that finds this library and bridge."""
    simulate = simulate or simulator_asked()
    settings = claim(library, port, simulated=simulate)
    if not simulate:
        yield settings
        return
    port_of_simulator = (settings.simulator or "").rpartition(":")[2]
    with stopping.child(
        ["simulate", "--standby", "--until-parent-is-gone", "--port", port_of_simulator],
        {"FLOWKIT_LIBRARY": str(settings.library), "FLOWKIT_PORT": str(settings.port)},
    ):
        yield settings


def _end(code: int | None) -> None:
    """Leave with this code; a pipe that nobody reads any more is no error of ours."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(code or 0)
