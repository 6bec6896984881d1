"""`models.toml` as types: the facts about Flow that may change without our code changing."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CallRow(_Frozen):
    """One call of docs/bridge-protocol.md: its RPC id today, its captcha action, its limit in seconds."""

    rpc: str
    limit_s: float
    captcha: str | None = None
    paid: bool = False


class _ByKey(_Frozen):
    keys: re.Pattern[str]


class _Resolution(_ByKey):
    resolution: str


class _Mode(_ByKey):
    mode: str


class Family(_ByKey):
    """A family of model keys under the name people use."""

    name: str
    aliases: tuple[str, ...] = ()
    max_references: int = 0


class Table(_Frozen):
    """The whole file."""

    tool: int
    media_hosts: tuple[str, ...]
    max_upload_bytes: int
    calls: dict[str, CallRow]
    tiers: dict[int, str]
    resolutions: dict[int, str]
    resolution_by_key: tuple[_Resolution, ...]
    mode_by_key: tuple[_Mode, ...]
    mode_by_requirement: dict[int, str]
    families: tuple[Family, ...]
    default_order: dict[str, tuple[str, ...]]
    default_resolution: dict[str, str]
    default_duration_s: dict[str, int]

    def resolution_of(self, key: str) -> str | None:
        """What the key's name says about the size of the result, if anything."""
        return next(
            (row.resolution for row in self.resolution_by_key if row.keys.search(key)), None
        )

    def mode_of(self, key: str) -> str | None:
        """How a video key is driven, by its name."""
        return next((row.mode for row in self.mode_by_key if row.keys.search(key)), None)

    def family_of(self, key: str) -> Family | None:
        return next((family for family in self.families if family.keys.search(key)), None)


@cache
def table() -> Table:
    """The file that travels inside the package, read once (it cannot change while the program runs)."""
    text = resources.files("flowkit_mcp.providers.flow").joinpath("models.toml")
    return Table.model_validate(tomllib.loads(text.read_text(encoding="utf-8")))
