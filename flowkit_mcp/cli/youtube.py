"""`flowkit-mcp youtube`: signing in to channels, and what became of the films. Tokens are never printed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flowkit_mcp.cli import stopping
from flowkit_mcp.cli.library import claim, settings_for
from flowkit_mcp.clock import Clock
from flowkit_mcp.publish.auth import Channel, signins_of

app = typer.Typer(
    name="youtube",
    help="Sign in to YouTube channels; see what became of films.",
    no_args_is_help=True,
)

Library = Annotated[Path | None, typer.Option("--library", help="Folder of the library.")]
Simulated = Annotated[
    bool, typer.Option("--simulated", help="The stand-in for YouTube of the simulator's library.")
]
Named = Annotated[
    str | None,
    typer.Option("--channel", help="What to call it, or which one is meant.", metavar="NAME"),
]


@app.command()
def login(
    channel: Named = None,
    captions: Annotated[
        bool, typer.Option("--captions", help="Also let FlowKit set captions and playlists.")
    ] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page, or only show it.")
    ] = True,
    simulated: Simulated = False,
    library: Library = None,
) -> None:
    """Sign in to a channel with your own OAuth client; several channels may be signed in."""
    settings = claim(library, simulated=simulated)
    signins, now = signins_of(settings), Clock().now()
    if settings.simulated:
        entered = signins.enter_stand_in(now, "stand-in", name=channel)
    else:
        entered = signins.login(
            now, name=channel, manage=captions, open_browser=browser, show=typer.echo
        )
    typer.echo(f"Signed in: {_line(entered)}")
    typer.echo(f"The sign-in is kept in the {signins.kept_in}.")


@app.command()
def logout(channel: Named = None, simulated: Simulated = False, library: Library = None) -> None:
    """Take a sign-in back at Google and forget it here."""
    signins = signins_of(settings_for(library, simulated=simulated))
    typer.echo(f"Signed out: {signins.logout(channel).name}")


@app.command()
def channels(simulated: Simulated = False, library: Library = None) -> None:
    """Which channels are signed in."""
    found = signins_of(settings_for(library, simulated=simulated)).channels()
    for one in found:
        typer.echo(_line(one))
    if not found:
        typer.echo("No channel is signed in. Run: flowkit-mcp youtube login")


@app.command("status")
def films(simulated: Simulated = False, library: Library = None) -> None:
    """What became of the newest films; asks YouTube where that is possible."""
    settings = settings_for(library, simulated=simulated)
    # late: start-up time of serve, which loads this file for its name alone.
    from flowkit_mcp.cli.youtube_films import status

    raise typer.Exit(stopping.run(status(settings)))


def _line(channel: Channel) -> str:
    since = datetime.fromtimestamp(channel.signed_in_at / 1000, UTC)
    title = "" if channel.title == channel.name else f" ({channel.title})"
    may = "films, captions, playlists" if channel.manages else "films only"
    return f"{channel.name}{title}, {channel.id}, since {since:%Y-%m-%d}: {may}"
