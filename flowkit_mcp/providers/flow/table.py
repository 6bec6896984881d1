"""`models.toml` as types: the facts about Flow that may change without our code changing.

A file of the same form in the library can override any of them (`load`), so that a moved RPC id or a new key needs no
release.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flowkit_mcp.errors import InvalidSetting


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Row(_Frozen):
    """One call of docs/bridge-protocol.md: its captcha action, whether it may cost, its limit in seconds."""

    limit_s: float = Field(gt=0, le=600)
    captcha: str | None = None
    paid: bool = False


class CallRow(_Row):
    """In lane `batchexecute`: the RPC id of today."""

    rpc: str = Field(pattern=r"^[A-Za-z0-9]{5,6}$")


class LabsRow(_Row):
    """In lane `labs`: `host` is a name that the extension knows; `{…}` in the path is an id."""

    method: Literal["GET", "POST", "PATCH"]
    host: Literal["api", "site"]
    path: str = Field(pattern=r"^/[A-Za-z0-9_.:/{}-]+$")


class Switches(_Frozen):
    """Where sources contradict each other (flow-wire §10); `models.toml` says why each default was taken."""

    extend_source: Literal["media", "workflow"]
    extend_in_scene: bool
    upscale_slot_6: Literal["resolution", "aspect"]
    image_upscale_levels: dict[str, int]
    image_wide: int
    key_suffixes: Literal["prefer", "avoid"]
    character_voice: Literal["plain", "null_first"]


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
    max_voices: int | None = None


class Table(_Frozen):
    """The whole file."""

    media_hosts: tuple[str, ...]
    max_upload_bytes: int
    listing_lag_s: float
    calls: dict[str, CallRow]
    labs: dict[str, LabsRow]
    switches: Switches
    tiers: dict[int, str]
    labs_tiers: dict[str, int]
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
    return Table.model_validate(_packaged())


def load(overrides: Path | None) -> Table:
    """The packaged facts, with those of a file of the same form laid over them.

    Tables are merged field by field; of lists of tables (`families`, `mode_by_key` …) the file's rows come first, and
    the first match counts; other lists are replaced. No file there: the packaged facts.

    Raises:
        InvalidSetting: the file cannot be used; the message names the field.
    """
    if overrides is None or not overrides.is_file():
        return table()
    try:
        given = tomllib.loads(overrides.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSetting(
            f"{overrides.name} cannot be read as TOML ({error})", hint="Correct or remove it."
        ) from None
    try:
        return Table.model_validate(_merged(_packaged(), given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidSetting(
            f"{overrides.name}: {field}: {first['msg']}", hint="Correct this field or remove it."
        ) from None


def usable(overrides: Path | None) -> Table:
    """`load`, or the packaged facts while the file cannot be used; what is wrong with it, `status` says."""
    try:
        return load(overrides)
    except InvalidSetting:
        return table()


def _packaged() -> dict[str, Any]:
    text = resources.files("flowkit_mcp.providers.flow").joinpath("models.toml")
    return tomllib.loads(text.read_text(encoding="utf-8"))


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        old, new = cast("dict[str, Any]", base), cast("dict[str, Any]", over)
        return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
    if isinstance(base, list) and isinstance(over, list):
        known, added = cast("list[Any]", base), cast("list[Any]", over)
        if known and isinstance(known[0], dict):
            return [*added, *known]
    return over  # pyright: ignore[reportUnknownVariableType]
