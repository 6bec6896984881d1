"""Settings: the only reader of the environment and of `settings.toml`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flowkit_mcp.errors import InvalidSetting

DEFAULT_PORT = 47815
SIMULATOR_PORT = 47816
HTTP_PORT = 47817  #: of `serve --http`


class Settings(BaseModel):
    """Where the library is and how FlowKit behaves.

    Each field can be set by an environment variable `FLOWKIT_<FIELD>` or a line in
    `<library>/settings.toml`; the environment wins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Path = Field(description="Folder with the database and all media")
    port: int = Field(
        default=DEFAULT_PORT, ge=1024, le=65535, description="Loopback port for the extension"
    )
    extension_id: str | None = Field(
        default=None,
        pattern=r"^[a-p]{32}$",
        description="The extension that is let in, where it was packed with a key of one's own",
    )
    simulator: str | None = Field(
        default=None,
        pattern=r"^http://127\.0\.0\.1:\d+$",
        description="Address of the local simulator; simulated work has a library of its own",
    )
    youtube: str | None = Field(
        default=None,
        pattern=r"^http://127\.0\.0\.1:\d+(/[a-z]+)?$",
        description="Address of a local stand-in for YouTube; a simulated library always has its simulator's",
    )
    auto_approve_credits: int = Field(
        default=0, ge=0, description="Calls up to this price in all need no approval by the person"
    )
    ffmpeg: Path | None = Field(default=None, description="ffmpeg binary, if not the one found")

    @property
    def simulated(self) -> bool:
        return self.simulator is not None

    @property
    def state_dir(self) -> Path:
        """Database, lock and pairing keys; everything else in the library is media."""
        return self.library / ".flowkit"

    @property
    def database(self) -> Path:
        return self.state_dir / "flowkit.db"

    @property
    def leader_lock(self) -> Path:
        return self.state_dir / "leader.lock"

    @property
    def pairing_file(self) -> Path:
        return self.state_dir / "pairing.json"

    @property
    def youtube_root(self) -> str | None:
        """Where films go instead of YouTube; simulated ones never go anywhere else."""
        return self.youtube if self.simulator is None else f"{self.simulator}/youtube"

    @property
    def youtube_folder(self) -> Path:
        """The person's OAuth client, and which channels are signed in."""
        return self.state_dir / "youtube"

    @property
    def uploads(self) -> Path:
        """How far each upload is; session addresses are secrets, so only the owner can read it."""
        return self.state_dir / "uploads"

    @property
    def channel_habits(self) -> Path:
        """What an upload to each channel starts from; need not exist."""
        return self.library / "channel.toml"

    @property
    def flow_facts(self) -> Path:
        """Facts about Flow of one's own (ids, hosts, keys), laid over those of this version; need not exist."""
        return self.library / "flow.toml"

    @classmethod
    def load(cls, env: Mapping[str, str] | None = None, **given: Any) -> Self:
        """Arguments win over the environment, the environment over `settings.toml`, that over defaults.

        Raises:
            InvalidSetting: a value that cannot be, naming where it came from.
        """
        env = os.environ if env is None else env
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            if text := _given(env, name):
                values[name] = text
        values |= {name: value for name, value in given.items() if value is not None}
        library = Path(values.get("library") or cls._default_library("simulator" in values))
        values["library"] = library.expanduser().absolute()
        file = values["library"] / "settings.toml"
        if file.is_file():
            try:
                values = tomllib.loads(file.read_text(encoding="utf-8")) | values
            except tomllib.TOMLDecodeError as error:
                raise InvalidSetting(f"{file} is not valid TOML: {error}") from error
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = str(first["loc"][0]) if first["loc"] else "settings"
            raise InvalidSetting(
                f"setting {field!r} is {first.get('input')!r}: {first['msg']}",
                hint=f"Correct FLOWKIT_{field.upper()} or {file}.",
            ) from error

    @staticmethod
    def _default_library(simulated: bool) -> Path:
        base = Path(platformdirs.user_data_dir("FlowKit", appauthor=False))
        return base / ("simulated" if simulated else "library")


def simulator_asked(env: Mapping[str, str] | None = None) -> bool:
    """Whether `FLOWKIT_SIMULATE` asks for the simulator: how a plugin or bundle passes the person's choice on.

    Raises:
        InvalidSetting: it is neither a yes nor a no.
    """
    said = _given(os.environ if env is None else env, "simulate").lower()
    if said in ("", "0", "false", "no", "off"):
        return False
    if said in ("1", "true", "yes", "on"):
        return True
    raise InvalidSetting(f"FLOWKIT_SIMULATE is {said!r}", hint="Set it to true or false.")


def _given(env: Mapping[str, str], name: str) -> str:
    """The value of `FLOWKIT_<NAME>`; empty also where a host passed its own placeholder on, unfilled."""
    text = env.get(f"FLOWKIT_{name.upper()}", "").strip()
    return "" if text.startswith("${") else text
