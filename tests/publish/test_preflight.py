"""What is known to go wrong with an upload before a byte is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flowkit_mcp.domain.listing import Listing, tags_length
from flowkit_mcp.publish.preflight import FilmFile, Remark, Surroundings, blocked, preflight

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FILM = FilmFile(bytes=10_000_000, duration_s=60, width=1920, height=1080)
AROUND = Surroundings(now=NOW, channels=("Mai's films",))
GOOD: dict[str, Any] = {"title": "The lamp", "made_for_kids": False}


def check(
    listing: dict[str, Any] | None = None,
    film: dict[str, Any] | None = None,
    around: dict[str, Any] | None = None,
) -> tuple[Remark, ...]:
    return preflight(
        Listing.model_validate(GOOD | (listing or {})),
        FILM.model_copy(update=film or {}),
        AROUND.model_copy(update=around or {}),
    )


def test_a_good_listing_has_no_findings() -> None:
    assert check() == ()


@pytest.mark.parametrize(
    ("listing", "film", "around", "field"),
    [
        ({"title": "  "}, {}, {}, "title"),
        ({"title": "x" * 101}, {}, {}, "title"),
        ({"title": "🎬" * 51}, {}, {}, "title"),
        ({"title": "a <b> c"}, {}, {}, "title"),
        ({"title": "a\x07"}, {}, {}, "title"),
        ({"description": "é" * 2501}, {}, {}, "description"),
        ({"description": "1 > 0"}, {}, {}, "description"),
        ({"tags": ("x" * 251, "y" * 249)}, {}, {}, "tags"),
        ({"tags": ("a b" + "x" * 496,)}, {}, {}, "tags"),
        ({"tags": ("one, two",)}, {}, {}, "tags"),
        ({"category": "cinema"}, {}, {}, "category"),
        ({"language": "English"}, {}, {}, "language"),
        ({"made_for_kids": None}, {}, {}, "made_for_kids"),
        ({"synthetic_media": False}, {}, {}, "synthetic_media"),
        ({"publish_at": NOW + timedelta(minutes=14)}, {}, {}, "publish_at"),
        ({"publish_at": NOW - timedelta(days=1)}, {}, {}, "publish_at"),
        ({"publish_at": NOW + timedelta(days=1), "privacy": "public"}, {}, {}, "publish_at"),
        ({}, {"bytes": (256 << 30) + 1}, {}, "film"),
        ({}, {"duration_s": 12 * 3600 + 1}, {}, "film"),
        ({}, {"simulated": True}, {}, "film"),
        ({}, {}, {"thumbnail_bytes": (50 << 20) + 1, "thumbnail_type": "image/png"}, "thumbnail"),
        ({}, {}, {"thumbnail_bytes": 10, "thumbnail_type": "image/gif"}, "thumbnail"),
        ({}, {}, {"captions_bytes": 100_000_001}, "captions"),
        ({}, {}, {"channels": ()}, "channel"),
        ({}, {}, {"channels": ("a", "b")}, "channel"),
        ({"channel": "b"}, {}, {}, "channel"),
        ({}, {}, {"published_as": "https://youtu.be/x"}, "film"),
        ({}, {}, {"uploads_today": 100}, "quota"),
        ({"playlist": "PL1"}, {}, {"units_today": 9_950}, "quota"),
    ],
)
def test_what_youtube_or_we_would_refuse_is_named_with_its_field_and_a_remedy(
    listing: dict[str, Any], film: dict[str, Any], around: dict[str, Any], field: str
) -> None:
    found = check(listing, film, around)
    assert [(one.severity, one.field) for one in found] == [("error", field)]
    assert found[0].remedy
    assert blocked(found)


@pytest.mark.parametrize(
    ("listing", "film", "around"),
    [
        ({"title": "x" * 100}, {}, {}),
        ({"title": "🎬" * 50}, {}, {}),
        ({"description": "é" * 2500}, {}, {}),
        ({"tags": ("x" * 250, "y" * 249)}, {}, {}),
        ({"category": "27", "language": "zh-Hant"}, {}, {}),
        ({"publish_at": NOW + timedelta(minutes=15)}, {}, {}),
        ({"channel": "Mai's films"}, {}, {}),
        ({}, {"simulated": True}, {"local": True}),
        ({"playlist": "PL1"}, {}, {"units_today": 9_945, "uploads_today": 99}),
    ],
)
def test_just_inside_each_limit_nothing_is_said(
    listing: dict[str, Any], film: dict[str, Any], around: dict[str, Any]
) -> None:
    assert check(listing, film, around) == ()


def test_facts_and_warnings_stop_nothing() -> None:
    found = check(
        {"synthetic_media": False, "synthetic_reason": "all filmed by hand"},
        {"width": 1080, "height": 1920, "duration_s": 180},
        {"thumbnail_bytes": 10, "thumbnail_type": "image/jpeg"},
    )
    assert [(one.severity, one.field) for one in found] == [
        ("warning", "synthetic_media"),
        ("fact", "film"),
        ("fact", "thumbnail"),
    ]
    assert not blocked(found)
    assert [
        one.field for one in check(film={"height": 1920, "width": 1080, "duration_s": 181})
    ] == []


def test_tags_are_counted_with_commas_and_quotes() -> None:
    assert tags_length(()) == 0
    assert tags_length(("film",)) == 4
    assert tags_length(("short film", "ai")) == 12 + 1 + 2


def test_both_declarations_are_always_sent_and_times_are_in_utc() -> None:
    body = Listing.model_validate(
        GOOD | {"publish_at": "2026-12-01T09:00:00+07:00", "tags": ["a"], "category": "film"}
    ).body()
    assert body["status"] == {
        "privacyStatus": "private",
        "containsSyntheticMedia": True,
        "selfDeclaredMadeForKids": False,
        "publishAt": "2026-12-01T02:00:00Z",
    }
    assert body["snippet"]["categoryId"] == "1"


def test_a_date_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="publish_at"):
        Listing.model_validate(GOOD | {"publish_at": "2026-12-01T09:00:00"})
