"""Lane `labs`: the catalogue in `modelConfig` as `Usage` rows (flow-wire §3.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flowkit_mcp.providers.flow.envelope import Unreadable, number, rows, text
from flowkit_mcp.providers.flow.labs_payloads import get
from flowkit_mcp.providers.flow.records import Usage

# The numbers are those of the other lane (appendix B, §3.2, §4.1), so that one reading serves both.
_VIDEO_ASPECTS = {"LANDSCAPE": 2, "PORTRAIT": 1, "SQUARE": 0}
_IMAGE_ASPECTS = {"SQUARE": 1, "PORTRAIT": 2, "LANDSCAPE": 3}
_RESOLUTIONS = {"720P": 1, "1080P": 2, "4K": 3, "360P": 4}
_REQUIREMENTS = {
    "TEXT": 1,
    "REFERENCES": 6,
    "REFERENCE": 6,
    "EXTENSION": 14,
    "EXTEND": 14,
    "VIDEO_EDIT": 20,
}


def catalogue(payload: Any, tiers: Mapping[str, int]) -> tuple[Usage, ...]:
    """Every usage of `modelConfig`, without what Flow calls deprecated."""
    config = get(payload, "modelConfig")
    gone = {key for key in rows(get(config, "deprecatedModelKeys")) if isinstance(key, str)}
    found = [
        usage
        for name, image in (("videoModelFamilies", False), ("imageModelFamilies", True))
        for family in rows(get(config, name))
        for row in rows(get(family, "usages"))
        if (usage := _usage(row, family, image, tiers)) is not None and usage.key not in gone
    ]
    if not found:
        raise Unreadable("shape")
    return tuple(found)


def _usage(row: Any, family: Any, image: bool, tiers: Mapping[str, int]) -> Usage | None:
    key = text(get(row, "key"))
    if key is None or get(row, "disabled") is True:
        return None
    names = [text(get(family, name)) for name in ("familyId", "id", "name", "key")]
    titles = [text(get(family, name)) for name in ("displayName", "title", "name")]
    return Usage(
        key=key,
        family=next((name for name in names if name), key),
        title=next((title for title in titles if title), key),
        image=image,
        prices=_prices(get(row, "creditMapping"), tiers),
        requirements=_requirements(get(row, "requirements")),
        aspects=_numbers(
            get(row, "supportedAspectRatios"),
            "_ASPECT_RATIO_",
            _IMAGE_ASPECTS if image else _VIDEO_ASPECTS,
        ),
        duration_s=number(get(row, "videoLengthSeconds")),
        max_images=_limit(row, image),
        max_voices=number(get(row, "inputSpec", "maxAudioReferences")),
        resolutions=_numbers(get(row, "supportedResolutions"), "_RESOLUTION_", _RESOLUTIONS),
        hidden=get(family, "hidden") is True or get(family, "isHidden") is True,
    )


def _prices(mapping: Any, tiers: Mapping[str, int]) -> dict[int, int]:
    """`{SERVICE_TIER_…: {"cost": n} or "UNAVAILABLE"}`."""
    if not isinstance(mapping, dict):
        return {}
    costs = {
        tiers[name]: number(get(value, "cost"))
        for name, value in cast("dict[str, Any]", mapping).items()
        if name in tiers
    }
    return {tier: cost for tier, cost in costs.items() if cost is not None}


def _limit(row: Any, image: bool) -> int | None:
    names = ("maxImageInputs", "maxImageReferences") if image else ("maxImageReferences",)
    told = [number(get(row, name)) for name in (*names, "maxImageInputs")]
    return next((limit for limit in told if limit is not None), None)


def _requirements(combinations: Any) -> frozenset[int]:
    """The first allowed combination, as numbers or as names that end in what they are."""
    first = rows(rows(combinations)[0]) if rows(combinations) else []
    found = [number(one) for one in first]
    for one in first:
        word = one.upper() if isinstance(one, str) else ""
        found += [value for name, value in _REQUIREMENTS.items() if word.endswith(name)]
    return frozenset(value for value in found if value is not None)


def _numbers(values: Any, mark: str, known: Mapping[str, int]) -> tuple[int, ...]:
    words = [value.rpartition(mark)[2] for value in rows(values) if isinstance(value, str)]
    return tuple(known[word] for word in words if word in known)
