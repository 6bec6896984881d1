"""Where the sign-in of a channel is kept: the user's key store, or a file only they can read.

Nothing here is logged, and no token is ever in the database or a tool's answer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

SERVICE = "flowkit-youtube"


class KeyStore(Protocol):
    """Secrets by channel id."""

    name: str

    def get(self, id: str) -> str | None: ...
    def set(self, id: str, secret: str) -> None: ...
    def remove(self, id: str) -> None: ...


class SystemKeys:
    """The operating system's key store, through `keyring`."""

    name = "key store of the system"

    def __init__(self, keyring: Any) -> None:
        self._keyring = keyring

    def get(self, id: str) -> str | None:
        return self._keyring.get_password(SERVICE, id)

    def set(self, id: str, secret: str) -> None:
        self._keyring.set_password(SERVICE, id, secret)

    def remove(self, id: str) -> None:
        if self.get(id) is not None:
            self._keyring.delete_password(SERVICE, id)


class FileKeys:
    """One file a channel, 0600 in a folder of 0700."""

    name = "file readable only by you"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, id: str) -> str | None:
        try:
            return self._file(id).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def set(self, id: str, secret: str) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        part = self._file(id).with_suffix(".part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file(id))

    def remove(self, id: str) -> None:
        self._file(id).unlink(missing_ok=True)

    def _file(self, id: str) -> Path:
        safe = "".join(sign for sign in id if sign.isascii() and (sign.isalnum() or sign in "-_"))
        return self._folder / f"{safe}.json"


def key_store(folder: Path) -> KeyStore:
    """The system's key store where there is a real one, else files in `folder`."""
    import keyring  # late: looks for backends, only to publish
    from keyring.backends import chainer, fail, null  # late: as above
    from keyring.errors import KeyringError  # late: as above

    library: Any = keyring
    backend = library.get_keyring()
    if isinstance(backend, fail.Keyring | null.Keyring):
        return FileKeys(folder)
    if isinstance(backend, chainer.ChainerBackend) and not backend.backends:
        return FileKeys(folder)
    try:
        library.get_password(SERVICE, "probe")
    except KeyringError:  # locked, or no session bus: it would fail in the middle of an upload
        return FileKeys(folder)
    return SystemKeys(library)
