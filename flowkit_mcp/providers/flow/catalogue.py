"""The account's live catalogue in words, and the choice of a model from it. Pure.

Keys are picked, never built: which keys exist, what they cost and whether the account may use them comes from Flow
(flow-wire §3.2, §6.4). `models.toml` adds only what the catalogue does not say: how a key is driven, what people call
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from flowkit_mcp.domain.models import MediaKind, Model, Orientation
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.providers.flow.records import Usage
from flowkit_mcp.providers.flow.table import Table, table

_DEFAULT_CLIP_S = 8  # flow-wire §3.2: an absent duration means 8 s
_VIDEO_ASPECTS = {1: Orientation.VERTICAL, 2: Orientation.HORIZONTAL}
_IMAGE_ASPECTS = {2: Orientation.VERTICAL, 3: Orientation.HORIZONTAL}
_TIMED = ("text", "start", "start_end", "references")
_UPSCALES = {"upscale", "upscale_image"}
_LISTED = 14


def models(usages: Iterable[Usage], tier: int, facts: Table | None = None) -> tuple[Model, ...]:
    """What the account may choose from, in the catalogue's order; `credits` None where its tier has no access.

    Hidden families are not for choosing; only their upscalers are wanted, which nobody picks by hand.
    """
    known = facts or table()
    found = [(_model(usage, tier, known), usage.hidden) for usage in usages]
    return tuple(model for model, hidden in found if not hidden or set(model.modes) & _UPSCALES)


def choose(
    models: Sequence[Model],
    mode: str,
    *,
    wanted: str | None,
    duration_s: int | None,
    orientation: Orientation,
    resolution: str | None,
    facts: Table | None = None,
) -> Model:
    """The model to use for a mode (`image`, `start`, `start_end`, `upscale` …).

    Args:
        models: the account's live catalogue.
        mode: how it is to be driven.
        wanted: an exact key, a family or an alias (`omni`, `veo-lite`, `nano-banana-pro` …); None for the default.
        duration_s: seconds of the clip; None for about 8 s, or what an exact key says.
        orientation: which the model must be able to make.
        resolution: e.g. `720p`; for `upscale` that of the result. None for the mode's default.
        facts: names, orders and defaults of families; those of the package if left out. A library's own file
            (`table.usable(settings.flow_facts)`) has to be handed in wherever a model is chosen.

    Raises:
        InvalidSetting: nothing in this account fits; the message says what does, with prices.
    """
    known = facts or table()
    able = [model for model in models if mode in model.modes]
    exact = next((model for model in models if model.key == wanted), None)
    if exact is not None and mode not in exact.modes:
        drives = " and ".join(exact.modes) or "nothing FlowKit knows"
        raise InvalidSetting(
            f"model {exact.key!r} is for {drives}, not for {mode}", hint=_offer(able)
        )
    if exact is not None:
        named = [exact]
    elif wanted is not None:
        named = [model for model in able if _named(model, wanted, known)]
    else:
        named = able
        resolution = resolution or known.default_resolution.get(mode)
    if not named:
        what = f"no model named {wanted!r} for {mode}" if wanted else f"no model for {mode}"
        raise InvalidSetting(f"this account has {what}", hint=_offer(able))
    return _best(named, able, mode, wanted, duration_s, orientation, resolution, known)


def _best(
    named: Sequence[Model],
    able: Sequence[Model],
    mode: str,
    wanted: str | None,
    duration_s: int | None,
    orientation: Orientation,
    resolution: str | None,
    facts: Table,
) -> Model:
    label = repr(wanted) if wanted else f"the model for {mode}"
    timed = mode in _TIMED
    tests: list[tuple[str, Callable[[Model], bool]]] = [
        (f"does not make {resolution}", lambda model: resolution in (None, model.resolution)),
        (
            f"does not make clips of {duration_s} s",
            lambda model: not timed or duration_s in (None, model.duration_s),
        ),
        (f"does not make {orientation} media", lambda model: orientation in model.orientations),
        ("is not in this account's plan", lambda model: model.credits is not None),
    ]
    fitting = list(named)
    for complaint, test in tests:
        left = [model for model in fitting if test(model)]
        if not left:
            raise InvalidSetting(f"{label} {complaint}", hint=_offer(able))
        fitting = left
    suffixed = facts.switches.key_suffixes == "prefer"
    order = facts.default_order.get(mode, ())
    size, length = facts.default_resolution.get(mode), facts.default_duration_s.get(mode, 0)

    def rank(model: Model) -> tuple[int, bool, int, bool, int, str]:
        return (
            order.index(model.family) if model.family in order else len(order),
            model.resolution != size,
            abs((model.duration_s or 0) - length),
            # Some families have a key of their own for upright clips (flow-wire §6.4, and §10 on the conflict).
            ("_portrait" in model.key) is not (suffixed and orientation is Orientation.VERTICAL),
            model.credits or 0,
            model.key,
        )

    return min(fitting, key=rank)


def _model(usage: Usage, tier: int, facts: Table) -> Model:
    family = facts.family_of(usage.key)
    modes = _modes(usage, facts)
    limit = family.max_references if family else 0
    if usage.max_images is not None:
        limit = usage.max_images
    voices = usage.max_voices
    if voices is None and family is not None:
        voices = family.max_voices
    return Model(
        key=usage.key,
        family=family.name if family else usage.family,
        name=usage.title,
        media=MediaKind.IMAGE if usage.image else MediaKind.VIDEO,
        modes=modes,
        credits=usage.prices.get(tier),
        duration_s=_duration(usage, modes),
        resolution=_resolution(usage, facts),
        orientations=_orientations(usage),
        max_references=limit if {"image", "references"} & set(modes) else 0,
        max_voices=voices if "references" in modes else None,
    )


def _modes(usage: Usage, facts: Table) -> tuple[str, ...]:
    mode = facts.mode_of(usage.key)
    if usage.image:
        return ("upscale_image",) if mode == "upscale" else ("image",)
    if mode:
        return (mode,)
    known = facts.mode_by_requirement
    # Other requirements beside the text say more about how a key is driven than the text.
    named = [
        known[number] for number in sorted(usage.requirements, reverse=True) if number in known
    ]
    return tuple(named[:1])


def _duration(usage: Usage, modes: tuple[str, ...]) -> int | None:
    if usage.image or not set(modes) & set(_TIMED):
        return None
    return usage.duration_s or _DEFAULT_CLIP_S


def _resolution(usage: Usage, facts: Table) -> str | None:
    by_key = facts.resolution_of(usage.key)
    if by_key or usage.image:
        return by_key
    told = [
        facts.resolutions[number] for number in usage.resolutions if number in facts.resolutions
    ]
    return "720p" if "720p" in told or not told else told[0]


def _orientations(usage: Usage) -> tuple[Orientation, ...]:
    words = _IMAGE_ASPECTS if usage.image else _VIDEO_ASPECTS
    told = {words[number] for number in usage.aspects if number in words}
    if not told and "_portrait" in usage.key:
        told = {Orientation.VERTICAL}
    if not told and "_landscape" in usage.key:
        told = {Orientation.HORIZONTAL}
    return tuple(one for one in Orientation if one in told or not told)


def _named(model: Model, wanted: str, facts: Table) -> bool:
    family = facts.family_of(model.key)
    own = (family.name, *family.aliases) if family else ()
    names = [model.key, model.family, model.name, *own]
    return _plain(wanted) in {_plain(name) for name in names}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-")


def _offer(able: Sequence[Model]) -> str:
    have = [model for model in able if model.credits is not None]
    if not have:
        return "This account has no such model now; look into the Flow tab."
    lines = [_line(model) for model in have[:_LISTED]]
    if len(have) > _LISTED:
        lines.append(f"and {len(have) - _LISTED} more")
    return f"This account has: {'; '.join(lines)}."


def _line(model: Model) -> str:
    facts = [model.family]
    if model.duration_s:
        facts.append(f"{model.duration_s} s")
    if model.resolution:
        facts.append(model.resolution)
    if len(model.orientations) == 1:
        facts.append(model.orientations[0].lower())
    facts.append("free" if model.credits == 0 else f"{model.credits} credits")
    return f"{model.key} ({', '.join(facts)})"
