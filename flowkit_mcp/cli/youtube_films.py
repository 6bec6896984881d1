"""What became of the films of a library on YouTube."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from flowkit_mcp.cli.status import looking
from flowkit_mcp.config import Settings
from flowkit_mcp.domain.publication import Publication
from flowkit_mcp.errors import PublishError, RequestError
from flowkit_mcp.sdk import publication


async def status(settings: Settings) -> int:
    async with looking(settings) as kit:
        films = await publication.published(kit)
        for done in films:
            try:
                typer.echo(_film(await publication.look(kit, done)))
            except (PublishError, RequestError) as error:
                typer.echo(f"{_film(done)} (not looked at now: {error.message})")
    if not films:
        typer.echo("Nothing has been published from this library.")
    return 0


def _film(done: Publication) -> str:
    at = datetime.fromtimestamp(done.created_at / 1000, UTC)
    title = done.metadata["snippet"]["title"]
    told = done.told() or "all is well"
    return f"{at:%Y-%m-%d %H:%M} UTC  {title}  {done.url}  {done.privacy}, {done.channel}: {told}"
