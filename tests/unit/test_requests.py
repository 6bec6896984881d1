"""Fingerprints: the same picture is the same request; another take is another."""

from __future__ import annotations

import pytest

from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.domain.requests import GenerateVideo

BASE = GenerateVideo(
    project_id="p", video_id="v", scene_id="s", orientation=Orientation.VERTICAL, prompt="she runs",
    model="m", start_take_id="t1",
)  # fmt: skip


def test_the_same_request_has_the_same_fingerprint() -> None:
    assert BASE.fingerprint == BASE.model_copy().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "she walks"},
        {"model": "n"},
        {"start_take_id": "t2"},
        {"end_take_id": "t3"},
        {"orientation": Orientation.HORIZONTAL},
        {"seed": 7},
        {"take_number": 2},
    ],
)
def test_whatever_changes_the_picture_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert BASE.model_copy(update=change).fingerprint != BASE.fingerprint
