"""Housekeeping as the queue asks for it: one request, one answer in JSON, the same in both lanes."""

import json

from labs_world import example
from scripted_flow import MID, PID, WID, ScriptedChannel, golden, ok, said, trpc

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.requests import Housekeeping
from flowkit_mcp.providers.flow.provider import FlowProvider


def asked(channel: ScriptedChannel, **request: object) -> tuple[FlowProvider, Housekeeping]:
    return FlowProvider(channel, clock=Clock()), Housekeeping.model_validate(request)


async def test_contents_are_tiles_with_their_versions_in_both_lanes() -> None:
    channel = ScriptedChannel()
    provider, request = asked(channel, action="list_contents", project=PID)
    channel.on("project.contents", ok("project.contents", golden("Zzl0ze_reply")))
    told = await provider.keep_house(request)
    version = {"id": MID, "kind": "image", "prompt": "a red bicycle in the rain", "shown": True}
    assert told == {
        "items": [{"workflow": WID, "title": "Red bicycle", "media": [version], "archived": False}]
    }
    assert json.loads(json.dumps(told)) == told
    channel.serves("labs")
    picture = example("images_reply")
    held = {"media": picture["media"], "workflows": picture["workflows"]}
    channel.on("project.contents", trpc({"projectContents": held}))
    version["prompt"] = "a red bicycle"
    assert await provider.keep_house(request) == told | {
        "items": [told["items"][0] | {"media": [version]}]
    }


async def test_projects_are_listed_with_id_and_title() -> None:
    channel = ScriptedChannel()
    provider, request = asked(channel, action="list_projects")
    channel.on("project.list", ok("project.list", golden("UpteDb_reply")))
    assert await provider.keep_house(request) == {"projects": [{"id": PID, "title": "My project"}]}


async def test_each_change_is_one_free_call_and_answers_nothing() -> None:
    channel = ScriptedChannel()
    channel.serves("labs")
    for name in ("project.rename", "project.delete", "workflow.update", "workflow.archive"):
        channel.on(name, said({}))
    changes = [
        {"action": "rename_project", "project": PID, "title": "t"},
        {"action": "delete_project", "project": PID},
        {"action": "rename", "project": PID, "items": [WID], "title": "t"},
        {"action": "trash", "project": PID, "items": [WID]},
        {"action": "restore", "project": PID, "items": [WID]},
    ]
    for change in changes:
        provider, request = asked(channel, **change)
        assert await provider.keep_house(request) == {}
    assert channel.names() == [
        "project.rename",
        "project.delete",
        "workflow.update",
        "workflow.archive",
        "workflow.archive",
    ]
    assert not any(one.options.get("paid") for one in channel.asked)
