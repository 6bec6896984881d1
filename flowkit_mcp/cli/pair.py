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
        "1. Open Chrome, click the FlowKit button and paste this line into its panel. It works once, for ten minutes.\n"
        "   (No such button? flowkit-mcp extension says how to add it.)\n"
        f"2. FlowKit must be running to hear it: your MCP client starts it, or flowkit-mcp worker. It listens on "
        f"port {settings.port}.\n"
        "3. Open a project on flow.google.com in a tab and sign in.\n"
        "4. flowkit-mcp status says whether all is well."
    )


def profiles(settings: Settings) -> str:
    """One line for each paired browser profile."""
    found = _book(settings).profiles()
    if not found:
        return "No browser is paired. flowkit-mcp pair prints a code for one."
    found.sort(key=lambda profile: profile.paired_at)
    return "\n".join(_line(profile) for profile in found)


def revoke(settings: Settings, which: str) -> str:
    """Forget the profile with this label, or else the one whose id begins so. Raises NotFound, Conflict."""
    book = _book(settings)
    wanted = which.strip().lower()
    found = [p for p in book.profiles() if wanted and p.label.lower() == wanted]
    if not found:
        found = [p for p in book.profiles() if wanted and p.instance.startswith(wanted)]
    if not found:
        raise NotFound(f"no paired profile {which!r}", hint="flowkit-mcp pair --list shows them.")
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} profiles go by {which!r}",
            hint="Give more letters of the id; flowkit-mcp pair --list shows it.",
        )
    book.revoke(found[0].instance)
    return (
        f"Forgotten: {_line(found[0])}\n"
        "If it is connected, it is cut off within 20 s. It must pair again before it can connect."
    )


def _book(settings: Settings) -> PairingBook:
    return PairingBook(settings.pairing_file, Clock())


def _line(profile: Profile) -> str:
    since = datetime.fromtimestamp(profile.paired_at / 1000, UTC).astimezone()
    return f"{profile.instance[:_SHOWN]}  paired {since:%Y-%m-%d %H:%M}  {profile.label}"
