"""The Chrome extension that travels in the package, unpacked to where Chrome can load it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import platformdirs

from flowkit_mcp.bundled import bundled, put
from flowkit_mcp.errors import Conflict


def default_folder() -> Path:
    """Where it goes if nobody says otherwise: a place that stays, since Chrome loads it from there at each start."""
    return Path(platformdirs.user_data_dir("FlowKit", appauthor=False)) / "extension"


def unpack(folder: Path) -> str:
    """Copy it there and say what to do with it. An earlier copy is replaced, anything else left alone.

    Raises:
        Conflict: something else is in that folder, or it cannot be written.
    """
    source, folder = bundled("extension"), folder.expanduser().absolute()
    ours = _key(folder) == _key(source)
    if folder.exists() and not ours and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict(
            f"{folder} holds something else", hint="Name a folder that is empty or not there yet."
        )
    if ours and folder.samefile(source):
        return _words(folder, again=False)
    put(source, folder)
    return _words(folder, again=ours)


def _key(folder: Path) -> str | None:
    """What makes the copy in a folder ours: the key that the extension's id follows from."""
    try:
        manifest: Any = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(manifest["key"]) if "key" in manifest else None


def _words(folder: Path, *, again: bool) -> str:
    if again:
        return (
            f"{folder}\n\n"
            "The extension there is now of this version. In Chrome open chrome://extensions and click the round "
            "arrow on FlowKit's card.\nThe pairing stays."
        )
    return (
        f"{folder}\n\n"
        "1. In Chrome (or Edge, Brave, Chromium) open chrome://extensions.\n"
        "2. Switch on Developer mode, at the top right.\n"
        "3. Click Load unpacked and choose the folder above. Leave it where it is: Chrome loads it from there.\n"
        "4. Run flowkit-mcp pair and paste its line into the FlowKit panel (the FlowKit button beside the address)."
    )
