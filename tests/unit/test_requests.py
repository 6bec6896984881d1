"""Requests: what goes together, and fingerprints: the same picture is the same request; another take is another."""

from __future__ import annotations

import itertools

import pytest
from pydantic import ValidationError

from flowkit_mcp.domain.models import JobKind, Orientation, Stage
from flowkit_mcp.domain.requests import (
    AnyRequest,
    GenerateImage,
    GenerateVideo,
    Housekeeping,
    Merge,
    UpscaleImage,
    UpscaleVideo,
)

PLACE = {"project_id": "p", "video_id": "v", "scene_id": "s", "orientation": Orientation.VERTICAL}
BASE = GenerateVideo(**PLACE, prompt="she runs", model="m", start_take_id="t1")  # type: ignore[arg-type]


def clip(**values: object) -> GenerateVideo:
    return GenerateVideo(**(PLACE | {"prompt": "she runs", "model": "m"} | values))  # type: ignore[arg-type]


def test_the_same_request_has_the_same_fingerprint() -> None:
    assert BASE.fingerprint == BASE.model_copy().fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "she walks"},
        {"model": "n"},
        {"start_take_id": "t2"},
        {"mode": "start_end", "end_take_id": "t3"},
        {"orientation": Orientation.HORIZONTAL},
        {"seed": 7},
        {"take_number": 2},
    ],
)
def test_whatever_changes_the_picture_changes_the_fingerprint(change: dict[str, object]) -> None:
    assert BASE.model_copy(update=change).fingerprint != BASE.fingerprint


def test_the_name_of_the_kind_does_not_make_it_another_request() -> None:
    """It follows from what is in the slot, so the same call repeated later carries another."""
    image = GenerateImage(**PLACE, prompt="a harbour", model="m")  # type: ignore[arg-type]
    again = image.model_copy(update={"kind": JobKind.REGENERATE_IMAGE})
    assert again.fingerprint == image.fingerprint


def test_requests_of_different_sorts_never_share_a_fingerprint() -> None:
    same = PLACE | {"model": "m", "source_take_id": "t", "resolution": "4K"}
    asked: list[AnyRequest] = [
        UpscaleVideo(**same),  # type: ignore[arg-type]
        UpscaleImage(**same),  # type: ignore[arg-type]
        Merge(project_id="p", video_id="v", orientation=Orientation.VERTICAL, clip_take_ids=("t",)),
        Housekeeping(action="trash", project="p", items=("t",)),
        Housekeeping(action="restore", project="p", items=("t",)),
    ]
    for one, other in itertools.combinations(asked, 2):
        assert one.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    "values",
    [
        {"mode": "text"},
        {"mode": "start", "start_take_id": "t"},
        {"mode": "start_end", "start_take_id": "t", "end_take_id": "u"},
        {"mode": "extend", "extended_take_id": "t"},
        {
            "mode": "references",
            "kind": JobKind.GENERATE_VIDEO_REFS,
            "reference_take_ids": ("t",),
            "voices": ("charon",),
        },
    ],
)
def test_each_way_to_make_a_clip_takes_its_own_inputs_and_no_others(
    values: dict[str, object],
) -> None:
    assert clip(**values).stage is Stage.VIDEO
    for name in values.keys() - {"mode", "kind", "voices"}:
        with pytest.raises(ValidationError, match=f"needs {name}"):
            clip(**{key: value for key, value in values.items() if key != name})
    foreign = {"start_take_id": "x", "end_take_id": "x", "extended_take_id": "x", "voices": ("x",)}
    for name in foreign.keys() - values.keys():
        with pytest.raises(ValidationError, match=f"takes no {name}"):
            clip(**values, **{name: foreign[name]})


def test_clips_from_references_have_a_kind_of_their_own() -> None:
    with pytest.raises(ValidationError, match="does not go with mode"):
        clip(mode="references", reference_take_ids=("t",))
    with pytest.raises(ValidationError, match="does not go with mode"):
        clip(mode="text", kind=JobKind.GENERATE_VIDEO_REFS)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"action": "list_contents"}, "needs project"),
        ({"action": "delete_project"}, "needs project"),
        ({"action": "trash", "project": "p"}, "needs items"),
        ({"action": "rename", "project": "p", "items": ("a", "b"), "title": "t"}, "one item"),
        ({"action": "rename", "project": "p", "items": ("a",)}, "needs title"),
        ({"action": "rename_project", "project": "p"}, "needs title"),
    ],
)
def test_housekeeping_names_what_it_lacks(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        Housekeeping(**values)  # type: ignore[arg-type]


def test_listing_projects_needs_nothing() -> None:
    assert Housekeeping(action="list_projects").project is None


def test_a_larger_picture_has_a_stage_of_its_own() -> None:
    asked = UpscaleImage(**PLACE, model="m", source_take_id="t", resolution="2K")  # type: ignore[arg-type]
    assert asked.stage is Stage.IMAGE_UPSCALE
