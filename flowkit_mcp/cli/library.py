"""Which library a command means, and that simulated and real work never meet in one.

The first command that writes into a library leaves a mark in it that says which of the two it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flowkit_mcp.config import SIMULATOR_PORT, Settings
from flowkit_mcp.errors import Conflict, InvalidSetting

SIMULATOR_URL = f"http://127.0.0.1:{SIMULATOR_PORT}"
_MARK = "kind"
_SYNCED = (
    "dropbox",
    "onedrive",
    "google drive",
    "googledrive",
    "my drive",
    "icloud",
    "mobile documents",
    "nextcloud",
    "owncloud",
    "syncthing",
    "box sync",
    "pclouddrive",
)
#: File systems whose locks are not to be relied on.
_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "afs",
    "9p",
    "sshfs",
    "davfs",
    "rclone",
    "gvfsd",
    "glusterfs",
    "ceph",
)


def settings_for(
    library: Path | None,
    port: int | None = None,
    *,
    simulated: bool = False,
    env: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of a library that is only looked at. A marked library is what its mark says.

    `env` is looked at instead of the environment.

    Raises:
        InvalidSetting: a setting that cannot be.
        Conflict: the library is of the other kind than was asked for.
    """
    settings = Settings.load(env, library=library, port=port)
    if simulated and not settings.simulated:
        settings = Settings.load(env, library=library, port=port, simulator=SIMULATOR_URL)
    kind = _kind(settings)
    if kind == "simulated" and not settings.simulated:
        return Settings.load(env, library=settings.library, port=port, simulator=SIMULATOR_URL)
    if kind == "real" and settings.simulated:
        raise Conflict(
            f"{settings.library} is a library of real work",
            hint="The simulator never touches it: choose another folder with --library.",
        )
    return settings


def claim(
    library: Path | None,
    port: int | None = None,
    *,
    simulated: bool = False,
    env: Mapping[str, str] | None = None,
) -> Settings:
    """Settings of a library that is to be worked in; marks it as simulated or real the first time.

    `env` is looked at instead of the environment.

    Raises:
        Conflict: the library is of the other kind, or the folder cannot be written.
    """
    asked = simulated or Settings.load(env, library=library, port=port).simulated
    settings = settings_for(library, port, simulated=simulated, env=env)
    if settings.simulated and not asked:
        raise Conflict(
            f"{settings.library} is a library of simulated work",
            hint="Add --simulate to go on with it, or choose another folder with --library.",
        )
    mark = settings.state_dir / _MARK
    if not mark.exists():
        try:
            settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            mark.write_text("simulated\n" if settings.simulated else "real\n", encoding="utf-8")
        except OSError as error:
            raise Conflict(
                f"{settings.library} cannot be written: {error.strerror}",
                hint="Choose another folder with --library.",
            ) from error
    return settings


def simulator_folder(settings: Settings) -> Path:
    """Where a simulated library's Flow and browser live: beside it, as they would on another machine.

    In it they would be swept with the library's own unfinished files.
    """
    return settings.library.with_name(f"{settings.library.name}-simulator")


def synced_by(library: Path) -> str | None:
    """The part of the path that belongs to a program which copies files behind our back."""
    for part in library.parts:
        if any(name in part.lower() for name in _SYNCED):
            return part
    return None


def network_share(folder: Path) -> str | None:
    """The kind of network drive that a folder lies on, as far as this system tells; None for a disk."""
    if str(folder).startswith(("\\\\", "//")):
        return "UNC path"
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return share_among(mounts, folder)


def share_among(mounts: str, folder: Path) -> str | None:
    """By the lines of `/proc/mounts`: the type of the innermost mount above `folder`, if it is a network's."""
    places = [line.split()[1:3] for line in mounts.splitlines() if len(line.split()) > 2]
    above = [
        (len(place), kind)
        for place, kind in places
        if folder.is_relative_to(place.replace("\\040", " "))
    ]
    kind = max(above, default=(0, ""))[1]
    return kind if kind.removeprefix("fuse.").startswith(_NETWORK) else None


def _kind(settings: Settings) -> str | None:
    mark = settings.state_dir / _MARK
    try:
        kind = mark.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidSetting(
            f"{mark} cannot be read: {error.strerror}",
            hint="Choose another folder with --library.",
        ) from error
    if kind not in ("simulated", "real"):
        raise InvalidSetting(f"{mark} says neither simulated nor real", hint=f"Delete {mark}.")
    return kind
