"""Pairing a browser, as the person at the terminal does it."""

from __future__ import annotations

from datetime import UTC, datetime

from flowkit_mcp.bridge.pairing import PairingBook, Profile
from flowkit_mcp.clock import Clock
from flowkit_mcp.config import Settings
from flowkit_mcp.errors import Conflict, NotFound

_SHOWN = 8


def code(settings: Settings) -> str:
    """A new code, and where it goes. It is shown this once and written to no log."""
    return (
        f"{_book(settings).issue_code(settings.port)}\n\n"
        "Open Chrome, click the FlowKit extension and paste this line into its panel.\n"
        "It works once, for ten minutes. Then open Flow in a tab and sign in.\n"
        f"FlowKit must be running: your MCP client starts it, or flowkit-mcp worker. "
        f"It listens on port {settings.port}."
    )


def profiles(settings: Settings) -> str:
    """One line for each paired browser profile."""
    found = _book(settings).profiles()
    if not found:
        return "No browser is paired. flowkit-mcp pair prints a code for one."
    found.sort(key=lambda profile: profile.paired_at)
    return "\n".join(_line(profile) for profile in found)


def revoke(settings: Settings, which: str) -> str:
    """Forget the profile whose id begins with `which`. Raises NotFound, Conflict."""
    book = _book(settings)
    found = [p for p in book.profiles() if which and p.instance.startswith(which.lower())]
    if not found:
        raise NotFound(f"no paired profile {which!r}", hint="flowkit-mcp pair --list shows them.")
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} profiles begin with {which!r}", hint="Give more letters of the id."
        )
    book.revoke(found[0].instance)
    return f"Forgotten: {_line(found[0])}\nIt must pair again before it can connect."


def _book(settings: Settings) -> PairingBook:
    return PairingBook(settings.pairing_file, Clock())


def _line(profile: Profile) -> str:
    since = datetime.fromtimestamp(profile.paired_at / 1000, UTC).astimezone()
    return f"{profile.instance[:_SHOWN]}  paired {since:%Y-%m-%d %H:%M}  {profile.label}"
