"""What travels in the package beside its code: the Chrome extension and the skills."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Literal

from flowkit_mcp.errors import Conflict, InvalidSetting

_PACKAGE = Path(__file__).parent


def bundled(what: Literal["extension", "skills"]) -> Path:
    """Its folder: in an installed package, or in a checkout. Raises InvalidSetting."""
    for place in (_PACKAGE / "_bundled" / what, _PACKAGE.parent / what):
        if place.is_dir():
            return place
    raise InvalidSetting(f"this FlowKit came without its {what}", hint="Install it again.")


def put(source: Path, folder: Path) -> None:
    """Copy `source` to `folder`, in place of what is there; whole or not at all.

    Raises:
        Conflict: it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".flowkit-") as work:
            new = Path(work) / "new"
            shutil.copytree(source, new, ignore=shutil.ignore_patterns("__pycache__"))
            old = Path(work) / "old"
            if folder.exists():
                folder.rename(old)
            try:
                new.rename(folder)
            except OSError:
                if old.exists():
                    old.rename(folder)
                raise
    except OSError as error:
        raise Conflict(
            f"{folder} cannot be written: {error.strerror}", hint="Name another folder."
        ) from error
