"""Flow renames its calls: a line in the library's `flow.toml` is enough, and the extension stays as it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Playwright, expect
from stage import Stage, stage

from flowkit_mcp.simulator.state import Lane

pytestmark = pytest.mark.browser

#: Today's rpc ids and what a later Flow calls them.
MOVED = {"YhhmEf": "Nw7xQa", "jwpduf": "Pl0Lq"}
FOLLOWED = """
[calls."video.text"]
rpc = "Nw7xQa"
[calls."video.status"]
rpc = "Pl0Lq"
"""
#: Facts that read well and lead elsewhere: a free call under a paid name, another path on Flow's host.
ASTRAY: dict[Lane, tuple[str, str]] = {
    "batchexecute": ("rpc", '[calls."video.text"]\nrpc = "nzlxg"\n'),
    "labs": ("path", '[labs."video.text"]\npath = "/v1/elsewhere"\n'),
}


async def told_otherwise(at: Stage, facts: str) -> None:
    """FlowKit starts again with these facts about Flow; the browser is not touched."""
    await at.stop_server()
    at.settings.flow_facts.write_text(facts, encoding="utf-8")
    await at.start_server()
    await at.kit.ready()


async def test_a_call_that_flow_has_renamed_is_made_once_a_file_says_its_new_name(
    tmp_path: Path, playwright: Playwright
) -> None:
    async with stage(tmp_path, playwright) as at:
        at.sim.switch(moved_rpcs=MOVED)
        job = await at.order_clip()
        await at.said(job, "renamed this call")
        await told_otherwise(at, FOLLOWED)
        result = await at.result(job)
        assert result.success, result.error
        at.check_books()


@pytest.mark.parametrize("lane", ["batchexecute", "labs"])
async def test_what_a_file_names_outside_of_the_table_the_extension_refuses_in_words(
    tmp_path: Path, playwright: Playwright, lane: Lane
) -> None:
    async with stage(tmp_path, playwright, lane=lane) as at:
        field, facts = ASTRAY[lane]
        await told_otherwise(at, facts)
        asked = len(at.site.requests)
        result = await at.result(await at.order_clip())
        why = f"{field} is not what video.text allows"
        assert result.error is not None
        assert f"the extension refused the call: {why}" in result.error
        assert "flow.toml" in result.error
        sent = at.site.requests[asked:]
        assert not [one.url for one in sent if "elsewhere" in one.url or "reload" in one.url]
        assert not at.sim.ledger()
        panel = await at.browser.panel()
        await expect(panel.locator("#trouble")).to_contain_text(why, ignore_case=True)
        await expect(panel.locator("#trouble")).to_contain_text("Update the extension")
