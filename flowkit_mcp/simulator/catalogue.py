"""What can be ordered and what it costs; the data are in `catalogue.toml`."""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

Mode = Literal[
    "image",
    "image_upscale",
    "text",
    "start",
    "start_end",
    "references",
    "extend",
    "edit",
    "upscale",
]
Resolution = Literal["360p", "720p", "1080p", "4k"]

#: Image aspect → pixels (flow-wire §4.1); anything else silently becomes FALLBACK_IMAGE_SIZE.
IMAGE_SIZES = {1: (1024, 1024), 2: (768, 1376), 3: (1376, 768), 4: (896, 1200), 5: (1200, 896)}
FALLBACK_IMAGE_SIZE = (1408, 768)
#: Resolution → pixels of a 16:9 clip.
VIDEO_SIZES: dict[Resolution, tuple[int, int]] = {
    "360p": (640, 360),
    "720p": (1280, 720),
    "1080p": (1920, 1080),
    "4k": (3840, 2160),
}
PORTRAIT, LANDSCAPE = 1, 2


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(_Data):
    """One model key: what it does, for how much, at what length."""

    key: str
    mode: Mode
    #: Credits per output for service tiers 1, 2, 3; `-` = unavailable.
    prices: tuple[int | Literal["-"], int | Literal["-"], int | Literal["-"]]
    seconds: int | None = None
    resolution: Resolution = "720p"
    aspects: tuple[int, ...] = ()
    needs: tuple[int, ...] = (1,)
    max_inputs: tuple[int, int, int] = (0, 0, 0)

    def price(self, service_tier: int) -> int | None:
        """Credits per output, or None where the tier may not use it."""
        price = self.prices[service_tier - 1]
        return None if price == "-" else price

    @property
    def upright_twin(self) -> bool:
        """A key with `_portrait` beside one without; `_landscape` keys have no plain form."""
        return "_portrait" in self.key and "r2v" not in self.key and "extend" not in self.key

    def for_both_shapes(self) -> Self:
        """As the catalogue has it where a plain key has no twin for upright clips (flow-wire §6.4)."""
        tied = len(self.aspects) == 1 and not {"landscape", "portrait"} & set(self.key.split("_"))
        return self.model_copy(update={"aspects": (LANDSCAPE, PORTRAIT)}) if tied else self


class Family(_Data):
    media: Literal["image", "video"]
    id: str
    name: str
    hidden: bool = False
    usages: tuple[Usage, ...]


class Catalogue(_Data):
    family: tuple[Family, ...]

    @classmethod
    def load(cls) -> Self:
        text = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
        return cls.model_validate(tomllib.loads(text))

    @cached_property
    def _by_key(self) -> dict[str, Usage]:
        return {usage.key: usage for family in self.family for usage in family.usages}

    @cached_property
    def _families(self) -> dict[str, str]:
        return {usage.key: family.id for family in self.family for usage in family.usages}

    def family_of(self, usage: Usage) -> str | None:
        """The id of its family, None where it goes by a new name."""
        return self._families.get(usage.key)

    def usage(self, key: str) -> Usage | None:
        return self._by_key.get(key)


def video_size(resolution: Resolution, aspect: int) -> tuple[int, int]:
    """Pixels of a clip, upright for aspect 1."""
    width, height = VIDEO_SIZES[resolution]
    return (height, width) if aspect == PORTRAIT else (width, height)
