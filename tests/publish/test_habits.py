"""Chapters, descriptions, and when a channel publishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.publish.habits import Habits, Schedule, load, next_slot
from flowkit_mcp.publish.wording import (
    DESCRIPTION,
    Mark,
    chapter_lines,
    chapter_title,
    chapters,
    description,
    timestamp,
)

NOW = datetime(2026, 11, 24, 12, 1, tzinfo=UTC)


def marks(*starts: float) -> list[Mark]:
    return [Mark(start_s=start, title=f"at {start:g}") for start in starts]


def test_chapters_begin_at_zero_and_are_ten_seconds_long() -> None:
    found = chapters(marks(0.5, 8, 16, 24, 40), 60)
    assert [mark.start_s for mark in found] == [0, 16, 40]
    assert chapter_lines(found) == "0:00 at 0.5\n0:16 at 16\n0:40 at 40"


def test_a_film_with_fewer_than_three_chapters_has_none() -> None:
    assert chapters(marks(0, 8, 16), 24) == ()
    assert chapters([], 0) == ()


def test_a_last_chapter_that_is_too_short_goes_into_the_one_before() -> None:
    assert [mark.start_s for mark in chapters(marks(0, 10, 20, 30), 35)] == [0, 10, 20]


def test_titles_come_from_the_first_clause_and_end_at_a_word() -> None:
    assert chapter_title("mai opens the gate, and rain begins") == "Mai opens the gate"
    assert chapter_title("<b>") == "B"
    long = chapter_title("a very long sentence without any mark " * 4)
    assert long.endswith("…")
    assert len(long) <= 61


def test_timestamps_grow_an_hour_only_when_there_is_one() -> None:
    assert [timestamp(s) for s in (0, 61.9, 3599, 3600)] == ["0:00", "1:01", "59:59", "1:00:00"]


def test_a_description_has_no_gaps_where_a_part_is_empty() -> None:
    assert (
        description(DESCRIPTION, story="A lamp.", chapters="", footer="© Mai") == "A lamp.\n\n© Mai"
    )
    assert (
        description("$story costs $5 $nope", story="It", chapters="", footer="")
        == "It costs $5 $nope"
    )


def test_the_next_slot_keeps_the_gap_the_hours_and_the_number_a_day() -> None:
    rules = Schedule(per_day=2, gap_hours=3, avoid_hours=tuple(range(8)))
    assert next_slot(rules, [], NOW) == datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    taken = [NOW.replace(hour=13, minute=0)]
    assert next_slot(rules, taken, NOW) == datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
    taken.append(NOW.replace(hour=16, minute=0))
    assert next_slot(rules, taken, NOW) == datetime(2026, 11, 25, 8, 0, tzinfo=UTC)


def test_hours_and_days_are_the_channels_own_also_when_the_clocks_change() -> None:
    rules = Schedule(timezone="Europe/Paris", avoid_hours=tuple(range(1, 24)))
    before = datetime(2027, 3, 27, 0, 30, tzinfo=UTC)
    slot = next_slot(rules, [], before)
    assert slot == datetime(2027, 3, 27, 23, 0, tzinfo=UTC)
    after = next_slot(rules, [], slot + timedelta(hours=2))
    assert after == datetime(2027, 3, 28, 22, 0, tzinfo=UTC)


def test_a_full_calendar_gives_no_slot() -> None:
    every = [NOW + timedelta(hours=hour) for hour in range(24 * 70)]
    assert next_slot(Schedule(per_day=100, gap_hours=1), every, NOW) is None


def test_channels_have_habits_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "channel.toml"
    assert load(file) == {}
    file.write_text(
        '["Mai’s films"]\ntags = ["short film"]\n["Mai’s films".schedule]\ntimezone = "Asia/Tokyo"\n',
        encoding="utf-8",
    )
    assert load(file) == {
        "Mai’s films": Habits(tags=("short film",), schedule=Schedule(timezone="Asia/Tokyo"))
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[a", "no TOML"),
        ("[a]\ntag = 1", r"a\.tag"),
        ('[a.schedule]\ntimezone = "Mars/Base"', r"a\.schedule\.timezone"),
        ("[a.schedule]\navoid_hours = [24]", r"a\.schedule\.avoid_hours"),
    ],
)
def test_a_wrong_file_is_named_with_its_field(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "channel.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSetting, match=complaint):
        load(file)
