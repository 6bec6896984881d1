"""Lane `batchexecute`: the arguments of free housekeeping calls (flow-wire §2.4, §6.7, §6.9). Pure, no I/O.

An unknown field mask is answered 200 and ignored, so the masks here are those that were seen to work.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flowkit_mcp.providers.flow.batchexecute import TOOL
from flowkit_mcp.providers.flow.ids import Seeds

Json = list[Any]


def rename_project(project: str, title: str) -> Json:
    return [f"projects/{project}", [title], [["project_title"]], [None, TOOL]]


def delete_project(project: str) -> Json:
    return [f"projects/{project}"]


def rename_workflow(project: str, workflow: str, title: str) -> Json:
    return [[workflow, None, None, [title], project], [["metadata.display_name"]]]


def show_media(project: str, workflow: str, media: str) -> Json:
    """Make this version the one its workflow shows."""
    info = [None, None, None, None, media]
    return [[workflow, None, None, info, project], [["metadata.primary_media_id"]]]


def archive_workflows(project: str, workflows: Sequence[str], archived: bool) -> Json:
    """Into the trash, or back."""
    each = [[one, None, None, [None, None, archived], project] for one in workflows]
    return [each, [["metadata.archived"]]]


def delete_media(project: str, media: Sequence[str]) -> Json:
    """For good."""
    return [list(media), None, project]


def create_scene(project: str, workflows: Sequence[str]) -> Json:
    return [f"projects/{project}", list(workflows), None, None, 2]


def create_character(project: str, name: str) -> Json:
    return [[project, None, None, [1, name, []]]]


def rename_character(project: str, character: str, name: str) -> Json:
    return [[project, character, None, [1, name]], [["entity_info.display_name"]]]


def describe_character(project: str, character: str, notes: str) -> Json:
    info = [1, None, [None, None, notes]]
    mask = [["entity_info.character_info.personality_notes"]]
    return [[project, character, None, info], mask]


def give_voice(
    project: str, character: str, voices: Sequence[str], *, null_first: bool = False
) -> Json:
    """Whether a voice is spelled `[id]` or `[null, id]` is in conflict (flow-wire §6.9)."""
    spelled = [[None, one] if null_first else [one] for one in voices]
    info = [1, None, [None, spelled]]
    return [[project, character, None, info], [["entity_info.character_info.audio_references"]]]


def archive_character(project: str, character: str, archived: bool) -> Json:
    info = [1, None, None, None, archived]
    return [[project, character, None, info], [["entity_info.archived"]]]


def give_portrait(project: str, character: str, media: str, slot: int, seeds: Seeds) -> Json:
    """Copy a picture into one of the character's portrait slots."""
    place = [None, None, [character, [slot]]]
    return [media, None, None, project, None, None, None, place, None, *seeds]
