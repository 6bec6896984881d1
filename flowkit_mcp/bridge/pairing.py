"""Pairing codes, per-profile keys and the two proofs. Secrets live in one 0600 file, never in the database.

A code is `fk1.<port>.<64 hex>`: single use, valid ten minutes, pasted by the person into the extension.
Both sides derive the profile's key as HKDF-SHA256(code secret, salt = instance id); the code is worthless afterwards.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flowkit_mcp.bridge.protocol import PROTOCOL
from flowkit_mcp.clock import Clock
from flowkit_mcp.errors import InvalidSetting

CODE_LIFE_MS = 10 * 60 * 1000
_CODE = re.compile(r"fk1\.([0-9]{4,5})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class PairingCode:
    """What the person pastes. `str()` gives the text; `repr()` hides the secret."""

    port: int
    secret: bytes

    def __str__(self) -> str:
        return f"fk1.{self.port}.{self.secret.hex()}"

    def __repr__(self) -> str:
        return f"PairingCode(port={self.port}, secret=…)"

    @classmethod
    def parse(cls, text: str) -> PairingCode:
        """Raises InvalidSetting."""
        match = _CODE.fullmatch(text.strip())
        if match is None or not 1024 <= int(match[1]) <= 65535:
            raise InvalidSetting(
                "this is not a pairing code (fk1.<port>.<64 hex digits>)",
                hint="Run flowkit-mcp pair and paste the whole line.",
            )
        return cls(int(match[1]), bytes.fromhex(match[2]))


def profile_key(secret: bytes, instance: str) -> bytes:
    """HKDF-SHA256 (RFC 5869), 32 bytes; WebCrypto derives the same."""
    pseudo_random = hmac.digest(instance.encode(), secret, "sha256")
    return hmac.digest(pseudo_random, b"flowkit bridge\x01", "sha256")


def proof(
    key: bytes, side: str, port: int, instance: str, ext_nonce: str, srv_nonce: str, generation: int
) -> str:
    """HMAC-SHA256 as hex. `side` is `srv` or `ext`, so that an echoed proof never verifies."""
    text = f"{side}|{PROTOCOL}|{port}|{instance}|{ext_nonce}|{srv_nonce}|{generation}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def same(a: str, b: str) -> bool:
    """Compare two proofs in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())


def new_nonce() -> str:
    return secrets.token_hex(32)


class _Pending(BaseModel):
    secret: str = Field(repr=False)
    expires_at: int


class Profile(BaseModel):
    """A browser profile that has paired."""

    model_config = ConfigDict(frozen=True)

    instance: str
    label: str
    key: str = Field(repr=False)
    paired_at: int


class _Book(BaseModel):
    pending: _Pending | None = None
    profiles: dict[str, Profile] = {}


class PairingBook:
    """The file of pending codes and paired profiles, shared by `flowkit-mcp pair` and the leader.

    Every change reads, writes a temporary file and renames it. Two writers at the same instant are a
    person typing `pair` twice; the later one wins, and nothing is half-written.
    """

    def __init__(self, file: Path, clock: Clock) -> None:
        self._file = file
        self._clock = clock

    def issue_code(self, port: int) -> PairingCode:
        """A new single-use code, valid for ten minutes; it replaces an earlier one still open."""
        book = self._read()
        secret = secrets.token_bytes(32)
        book.pending = _Pending(secret=secret.hex(), expires_at=self._clock.now() + CODE_LIFE_MS)
        self._write(book)
        return PairingCode(port, secret)

    def key_for(self, instance: str, *, pairing: bool) -> bytes | None:
        """The key this profile must prove: of the open code while pairing, else its own."""
        book = self._read()
        if pairing:
            if book.pending is None or book.pending.expires_at <= self._clock.now():
                return None
            return profile_key(bytes.fromhex(book.pending.secret), instance)
        paired = book.profiles.get(instance)
        return bytes.fromhex(paired.key) if paired else None

    def confirm(self, instance: str, key: bytes, label: str) -> None:
        """Both proofs were good: remember the profile, and burn the code if its key came from it."""
        book = self._read()
        known = book.profiles.get(instance)
        if known and known.key == key.hex() and known.label == label:
            return
        if book.pending and profile_key(bytes.fromhex(book.pending.secret), instance) == key:
            book.pending = None
        book.profiles[instance] = Profile(
            instance=instance, label=label, key=key.hex(), paired_at=self._clock.now()
        )
        self._write(book)

    def profiles(self) -> list[Profile]:
        return list(self._read().profiles.values())

    def revoke(self, instance: str) -> bool:
        """Forget a profile; it has to pair again. Returns whether it was known."""
        book = self._read()
        known = book.profiles.pop(instance, None) is not None
        if known:
            self._write(book)
        return known

    def _read(self) -> _Book:
        try:
            # Windows has no O_NOFOLLOW; making a link there takes administrator rights.
            handle = os.open(self._file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:
            return _Book()
        except OSError as error:
            if self._file.is_symlink():
                raise InvalidSetting(
                    f"{self._file} is a symbolic link", hint="Remove it and pair again."
                ) from None
            raise InvalidSetting(f"{self._file} cannot be read: {error.strerror}") from None
        with os.fdopen(handle, "rb") as file:
            if sys.platform != "win32":
                info = os.fstat(handle)
                if info.st_uid != os.getuid() or info.st_mode & 0o077:
                    raise InvalidSetting(
                        f"{self._file} can be read by others",
                        hint=f"Run chmod 600 {self._file}, or delete it and pair again.",
                    )
            text = file.read()
        try:
            return _Book.model_validate_json(text)
        except ValidationError:
            raise InvalidSetting(
                f"{self._file} is damaged", hint="Delete it and pair the browser again."
            ) from None

    def _write(self, book: _Book) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=".pairing-")  # 0600 by itself
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(book.model_dump_json())
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self._file)
        finally:
            Path(name).unlink(missing_ok=True)
