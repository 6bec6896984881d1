"""What a client sees before it calls anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool
from talk import Talk
from tool_schemas import FOLDER, shown, text_of

import flowkit_mcp
from flowkit_mcp.config import Settings
from flowkit_mcp.server.server import INSTRUCTIONS, build
from flowkit_mcp.server.table import table

MOST_BYTES = 24_000
NAMES = set(
    "status create_project list_projects get_project update_project add_character update_character "
    "upload_image add_video update_video add_scene update_scene move_scene remove generate_image "
    "edit_image generate_video upscale wait list_jobs cancel_job resolve_job select_take trim merge "
    "thumbnail upload flow_library check_plan set_budget review".split()
)


async def listed(talk: Talk) -> list[Tool]:
    return (await talk.client.list_tools()).tools


async def test_the_tools_of_a_whole_production_are_there_in_both_eras(talk: Talk) -> None:
    tools = await listed(talk)
    assert {tool.name for tool in tools} == NAMES
    wire = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    assert {tool["name"]: tool for tool in wire} == shown()


async def test_the_list_stays_lean(talk: Talk) -> None:
    result = await talk.client.list_tools()
    wire = result.model_dump_json(by_alias=True, exclude_none=True)
    assert len(wire.encode()) < MOST_BYTES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_change_of_what_models_see_is_a_change_of_a_file(name: str) -> None:
    """If it is meant: `python tests/server/tool_schemas.py`."""
    assert text_of(shown()[name]) == (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def test_no_file_is_left_of_a_tool_that_is_gone() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == NAMES


@pytest.mark.parametrize("tool", shown().values(), ids=lambda tool: tool["name"])
def test_each_tool_is_titled_described_hinted_and_strict(tool: dict[str, Any]) -> None:
    assert tool["title"]
    assert tool["description"].endswith(".")
    hints = tool["annotations"]
    assert {"readOnlyHint", "destructiveHint"} <= hints.keys()
    assert not (hints["readOnlyHint"] and hints["destructiveHint"])
    schema = tool["inputSchema"]
    assert schema["additionalProperties"] is False
    text = json.dumps(schema)
    assert "$ref" not in text
    assert '"null"' not in text
    assert not any(isinstance(inner.get("title"), str) for inner in _schemas(schema))
    resolved = {"proposal", "answer", "ctx"}  # filled by the server, never by the model
    assert not resolved & schema["properties"].keys()


def _schemas(node: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]
    return [node, *(found for child in inner for found in _schemas(child))]


def test_descriptions_only_name_tools_that_exist() -> None:
    text = " ".join(tool["description"] for tool in shown().values()) + INSTRUCTIONS
    words = {word.strip(".,:;()'\"`[]=?") for word in text.replace("(", " ").split()}
    like_tools = {
        word
        for word in words
        if word.split("_")[0] in {"add", "create", "generate", "get", "list", "update", "edit"}
        and "_" in word
    }
    assert like_tools <= NAMES


async def test_the_workflow_is_in_the_instructions(talk: Talk) -> None:
    assert talk.client.instructions == INSTRUCTIONS
    assert len(INSTRUCTIONS) <= 1500
    info = talk.client.server_info
    assert (info.name, info.version, info.icons) == ("flowkit", flowkit_mcp.__version__, None)


def test_the_table_for_readme_has_a_row_per_tool() -> None:
    lines = table().splitlines()
    assert lines[:2] == ["| tool | what it does |", "|---|---|"]
    assert [line.split("`")[1] for line in lines[2:]] == list(shown())
    assert all(line.count(" | ") == 1 for line in lines[2:])


async def test_the_server_opens_the_library_by_itself(settings: Settings, mode: str) -> None:
    async with Client(build(settings), mode=mode) as client:
        result = await client.call_tool("status", {})
    assert result.structured_content is not None
    assert result.structured_content["library"] == str(settings.library)
    assert result.structured_content["ready"] is False
    assert "flowkit-mcp pair" in result.structured_content["next"]
