"""What surprises about the SDK and its clients (docs/parity.md lists them all) and is shown nowhere else."""

from __future__ import annotations

import json

import pytest
from mcp import Client
from mcp.types import ElicitRequestParams
from talk import Talk

from flowkit_mcp.app import FlowKit
from flowkit_mcp.server.server import build
from flowkit_mcp.server.tools import ALL


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_every_tool_can_be_cancelled(tool: object) -> None:
    """A plain `def` would run in a thread to its end, and hold up the end of the server."""
    assert getattr(tool, "is_async", False) is True


async def test_a_client_that_declares_forms_and_cancels_spends_nothing(
    talk: Talk, kit: FlowKit
) -> None:
    """`claude -p` does that: it says it can ask, and answers `cancel` by itself."""
    await talk.production(scenes=1)
    await talk.images()
    talk.person.answer = "cancel"
    said = await talk.fail("generate_video", video="Film", missing=True)
    assert said.startswith("NOT_APPROVED")
    assert "nothing was spent" in said
    assert talk.provider.charged == 0


async def test_the_form_is_empty_so_that_one_key_answers_it(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    await talk.do("generate_video", video="Film", missing=True)
    (asked,) = talk.person.asked
    assert isinstance(asked, ElicitRequestParams)
    assert asked.requested_schema["properties"] == {}


async def test_json_in_a_string_is_taken_for_what_it_holds(talk: Talk) -> None:
    await talk.production(scenes=2)
    skipped = await talk.do("generate_image", video="Film", scenes="[1, 2]")
    assert len(skipped["jobs"]) == 2


async def test_both_halves_of_a_result_stand_alone_even_when_it_is_an_error(talk: Talk) -> None:
    result = await talk.call("get_project", project="Nope")
    assert result.is_error
    assert result.structured_content is None, "a model would be shown only one of two halves"
    assert result.content[0].text.startswith("NOT_FOUND: ")


async def test_results_of_the_newer_era_carry_no_icons_with_each_answer(kit: FlowKit) -> None:
    async with Client(build(kit.settings, kit=kit)) as client:
        result = await client.call_tool("list_projects", {})
        stamped = json.dumps(result.meta or {})
    assert "icons" not in stamped
    assert len(stamped) < 300
