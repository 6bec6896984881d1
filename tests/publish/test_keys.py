"""Where sign-ins are kept: the system's key store where there is a real one, else a file for its owner's eyes."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError

from flowkit_mcp.config import Settings
from flowkit_mcp.publish.auth import signins_of
from flowkit_mcp.publish.keys import SERVICE, FileKeys, SystemKeys, key_store


class MemoryKeyring(KeyringBackend):
    """A real backend, as keyring sees it."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.held:
            raise PasswordDeleteError
        del self.held[service, username]


class LockedKeyring(MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("nobody is there to unlock it")


@pytest.fixture
def backend() -> Generator[Any]:
    """Puts a backend in place for one test."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_real_key_store_is_used_and_nothing_lies_on_disk(backend: Any, tmp_path: Path) -> None:
    store = MemoryKeyring()
    backend(store)
    keys = key_store(tmp_path / "keys")
    assert isinstance(keys, SystemKeys)
    keys.set("UC1", "a secret")
    keys.set("UC2", "another")
    assert (keys.get("UC1"), keys.get("UC2"), keys.get("UC3")) == ("a secret", "another", None)
    assert store.held[SERVICE, "UC1"] == "a secret"
    keys.remove("UC1")
    keys.remove("UC1")  # twice is no error
    assert keys.get("UC1") is None
    assert store.held == {(SERVICE, "UC2"): "another"}
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    "missing", [fail.Keyring, null.Keyring, LockedKeyring, chainer.ChainerBackend]
)
def test_without_one_that_works_it_is_a_file_that_only_its_owner_reads(
    backend: Any, tmp_path: Path, missing: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chainer.ChainerBackend, "backends", [])
    backend(missing())
    keys = key_store(tmp_path / "keys")
    assert isinstance(keys, FileKeys)
    keys.set("UC1", "a secret")
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert keys.get("UC1") == "a secret"
    keys.remove("UC1")
    assert list((tmp_path / "keys").iterdir()) == []


def test_a_stand_ins_sign_in_never_reaches_the_persons_keys(backend: Any, tmp_path: Path) -> None:
    backend(MemoryKeyring())
    real = Settings(library=tmp_path)
    assert signins_of(real).kept_in == SystemKeys.name
    local = real.model_copy(update={"youtube": "http://127.0.0.1:9"})
    assert signins_of(local).kept_in == FileKeys.name
    simulated = real.model_copy(update={"simulator": "http://127.0.0.1:9"})
    assert signins_of(simulated).kept_in == FileKeys.name
