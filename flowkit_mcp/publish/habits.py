"""A channel's habits: `channel.toml` in the library, one table a channel; and the next free slot."""

from __future__ import annotations

import tomllib
from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flowkit_mcp.domain.listing import Privacy
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.publish.preflight import AHEAD
from flowkit_mcp.publish.wording import DESCRIPTION

STEP = timedelta(minutes=15)
HORIZON = timedelta(days=60)


class Schedule(BaseModel):
    """When a channel publishes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str = "UTC"  #: IANA name
    per_day: int = Field(default=1, ge=1, le=100)
    gap_hours: float = Field(default=3.0, ge=0)
    avoid_hours: tuple[int, ...] = ()  #: local hours in which nothing is published, e.g. 0 to 6

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"there is no time zone {name!r}; write it as Europe/Paris") from error
        return name

    @field_validator("avoid_hours")
    @classmethod
    def _hours(cls, hours: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= hour <= 23 for hour in hours) or len(set(hours)) > 23:
            raise ValueError("hours go from 0 to 23, and at least one must be left")
        return hours

    @property
    def zone(self) -> tzinfo:
        return ZoneInfo(self.timezone)


class Habits(BaseModel):
    """What an upload to one channel starts from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tags: tuple[str, ...] = ()
    footer: str = ""
    description: str = DESCRIPTION
    language: str = "en"
    category: str = "film"
    privacy: Privacy = "private"
    playlist: str | None = None
    schedule: Schedule = Schedule()


def load(file: Path) -> dict[str, Habits]:
    """Channel name to habits; empty without a file.

    Raises:
        InvalidSetting: the file is wrong; says where.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSetting(f"{file.name} is no TOML: {error}") from error
    habits: dict[str, Habits] = {}
    for name, table in tables.items():
        try:
            habits[name] = Habits.model_validate(table)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join([name, *map(str, first["loc"])])
            raise InvalidSetting(f"{file.name}: {where}: {first['msg']}") from error
    return habits


def next_slot(schedule: Schedule, taken: Iterable[datetime], now: datetime) -> datetime | None:
    """The first free moment that the habits allow, in UTC, on a quarter of an hour; None within 60 days.

    Args:
        schedule: the channel's.
        taken: when its other films were or will be published.
        now: with a zone.
    """
    busy = sorted(at.astimezone(UTC) for at in taken)
    a_day = Counter(at.astimezone(schedule.zone).date() for at in busy)
    gap = timedelta(hours=schedule.gap_hours)
    for at in _quarters(now.astimezone(UTC) + AHEAD):
        local = at.astimezone(schedule.zone)
        place = bisect(busy, at)
        if (
            local.hour not in schedule.avoid_hours
            and a_day[local.date()] < schedule.per_day
            and all(abs(at - one) >= gap for one in busy[max(0, place - 1) : place + 1])
        ):
            return at
    return None


def _quarters(start: datetime) -> Iterator[datetime]:
    at = start.replace(minute=start.minute // 15 * 15, second=0, microsecond=0)
    if at < start:
        at += STEP
    end = start + HORIZON
    while at < end:
        yield at
        at += STEP
