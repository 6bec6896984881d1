"""A seeded mix of faults: the same seed gives the n-th call of an rpc, and the n-th job, the same fate.

Rates are per call. The default mix is what an honest client may meet on a bad day; `vendor` has the ratios
of flow-wire §9.3 (67 % of video submits good, 18 % 403, 9 % too much traffic, 4 % 503).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from flowkit_mcp.simulator.faults import FaultKind

T = TypeVar("T", bound=str)
Mix = Literal["honest", "vendor"]
Rates = dict[FaultKind, float]

PICTURES = ("ogiZ0b", "SPrCad")
CLIPS = ("YhhmEf", "eb1hJf", "nprQif", "MZZa6b", "fZytfe", "jIps6", "p0UkFb")
POLL = "jwpduf"
FETCH = ("as29s", "uurnC")

#: On submits, by mix. `cut_after` and `internal_after` are accepted and charged.
SUBMIT_RATES: dict[Mix, Rates] = {
    "honest": {
        "unusual": 0.003,
        "throttled": 0.01,
        "traffic": 0.02,
        "concurrent": 0.01,
        "exhausted": 0.01,
        "unavailable": 0.03,
        "internal": 0.01,
        "internal_after": 0.01,
        "cut_before": 0.01,
        "cut_after": 0.02,
    },
    "vendor": {"unusual": 0.18, "traffic": 0.09, "unavailable": 0.04, "cut_after": 0.02},
}
#: On polls, looks at media, and every other reading or free call; the same in both mixes.
POLL_RATES: Rates = {
    "poll_missing": 0.03,
    "unavailable": 0.02,
    "cut_before": 0.01,
    "null_payload": 0.005,
}
FETCH_RATES: Rates = {"missing_url": 0.05, "unavailable": 0.02, "cut_before": 0.01}
OTHER_RATES: Rates = {"unavailable": 0.01, "cut_before": 0.005}
#: How accepted jobs end instead of well; "" = without a reason.
FATES: dict[str, float] = {"": 0.02, "AUDIO_FILTERED": 0.02, "SOMETHING_WENT_WRONG": 0.01}


class Chaos:
    """Draws faults and fates, and counts what it drew."""

    def __init__(self, seed: int, mix: Mix = "honest") -> None:
        self.seed = seed
        self.mix: Mix = mix
        self._calls: Counter[str] = Counter()
        self._jobs: Counter[str] = Counter()
        self._faults: dict[str, Counter[str]] = {}
        self._fates: Counter[str] = Counter()

    def fault(self, rpc: str) -> FaultKind | None:
        """What happens to the next call of `rpc`; None = nothing."""
        self._calls[rpc] += 1
        kind = _draw(f"{self.seed}/{rpc}/{self._calls[rpc]}", self._rates(rpc))
        if kind is not None:
            self._faults.setdefault(rpc, Counter())[kind] += 1
        return kind

    def fate(self, kind: str) -> str | None:
        """How the next job ends if not well: the reason of its failure, "" = none given."""
        self._jobs[kind] += 1
        fates = FATES if kind == "video" else {}
        fate = _draw(f"{self.seed}/job {kind}/{self._jobs[kind]}", fates)
        if fate is not None:
            self._fates[fate or "no reason"] += 1
        return fate

    def report(self) -> dict[str, Any]:
        """`{seed, mix, calls: {rpc: n}, faults: {rpc: {kind: n}}, jobs: {kind: n}, fates: {reason: n}}`."""
        return {
            "seed": self.seed,
            "mix": self.mix,
            "calls": dict(self._calls),
            "faults": {rpc: dict(kinds) for rpc, kinds in self._faults.items()},
            "jobs": dict(self._jobs),
            "fates": dict(self._fates),
        }

    def _rates(self, rpc: str) -> Rates:
        if rpc in PICTURES or rpc in CLIPS:
            return SUBMIT_RATES[self.mix]
        if rpc == POLL:
            return POLL_RATES
        return FETCH_RATES if rpc in FETCH else OTHER_RATES


def _draw(key: str, rates: Mapping[T, float]) -> T | None:
    # Keyed by what is asked, not by when: other calls in between change nothing.
    point = random.Random(key).random()
    for kind, rate in rates.items():
        point -= rate
        if point < 0:
            return kind
    return None
