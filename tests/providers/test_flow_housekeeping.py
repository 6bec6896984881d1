"""Tidying up and the self-check, in both lanes; facts overridden by a file."""

from pathlib import Path
from typing import Any

import pytest
from labs_world import example, refusal
from scripted_flow import MID, PID, RPC, WID, golden, http, ok, said, trpc

from flowkit_mcp.clock import Clock
from flowkit_mcp.domain.models import Orientation
from flowkit_mcp.errors import InvalidSetting
from flowkit_mcp.providers.base import VideoBrief
from flowkit_mcp.providers.flow.housekeeping import HouseKeeping
from flowkit_mcp.providers.flow.provider import FlowProvider

EID = "88888888-8888-4888-8888-888888888888"
DEEDS = [
    ("rename_project", (PID, "t"), "project.rename"),
    ("delete_project", (PID,), "project.delete"),
    ("rename_workflow", (PID, WID, "t"), "workflow.update"),
    ("show_media", (PID, WID, MID), "workflow.update"),
    ("trash", (PID, [WID]), "workflow.archive"),
    ("restore", (PID, [WID]), "workflow.archive"),
    ("delete_media", (PID, [MID]), "media.delete"),
    ("rename_character", (PID, EID, "n"), "character.update"),
    ("describe_character", (PID, EID, "n"), "character.update"),
    ("give_voice", (PID, EID, ["charon"]), "character.update"),
    ("archive_character", (PID, EID), "character.update"),
    ("give_portrait", (PID, EID, MID), "character.portrait"),
]


@pytest.mark.parametrize(("deed", "args", "name"), DEEDS)
async def test_each_deed_is_one_free_call_in_both_lanes(
    channel, provider, deed: str, args: Any, name: str
):
    house = HouseKeeping(provider)
    channel.on(name, ok(name, []))
    await getattr(house, deed)(*args)
    channel.serves("labs")
    channel.on(name, said({}))
    await getattr(house, deed)(*args)
    assert channel.names() == [name, name]
    assert not any(asked.options.get("paid") for asked in channel.asked)


async def test_workflow_and_project_changes_are_as_in_the_document(channel, provider):
    house = HouseKeeping(provider)
    for name in ("workflow.update", "workflow.archive", "project.rename"):
        channel.on(name, ok(name, []))
    await house.rename_workflow(PID, WID, "n")
    await house.trash(PID, [WID])
    await house.rename_project(PID, "n")
    assert [asked.args for asked in channel.asked] == [
        [[WID, None, None, ["n"], PID], [["metadata.display_name"]]],
        [[[WID, None, None, [None, None, True], PID]], [["metadata.archived"]]],
        [f"projects/{PID}", ["n"], [["project_title"]], [None, 22]],
    ]


async def test_a_character_is_created_and_named_in_both_lanes(channel, provider):
    house = HouseKeeping(provider)
    row = [PID, EID, None, [1, "Mia", []]]
    channel.on("character.create", ok("character.create", row))
    assert await house.create_character(PID, "Mia") == EID
    assert channel.asked[0].args == [[PID, None, None, [1, "Mia", []]]]
    channel.serves("labs")
    channel.on("character.create", trpc({"entityId": EID}))
    channel.on("character.update", said({}))
    assert await house.create_character(PID, "Mia") == EID
    assert channel.asked[-1].args["body"]["updateMask"] == "entityInfo.displayName"


async def test_a_page_that_repeats_ends_the_list(channel, provider):
    channel.on("project.list", ok("project.list", golden("UpteDb_reply")))
    assert [row.id for row in await HouseKeeping(provider).projects()] == [PID]
    assert len(channel.asked) == 2


async def test_the_contents_name_workflows_and_versions(channel, provider):
    channel.on("project.contents", ok("project.contents", golden("Zzl0ze_reply")))
    contents = await HouseKeeping(provider).contents(PID)
    (flow,) = contents.workflows
    assert (flow.id, flow.primary, flow.title) == (WID, MID, "Red bicycle")


# ---- drift -----------------------------------------------------------------------------------


async def test_the_self_check_reads_and_says_what_changed(channel, provider):
    channel.on("account.credits", ok("account.credits", golden("nzlxg_reply_pro")))
    channel.on("project.list", ok("project.list", golden("UpteDb_reply")))
    channel.on("account.models", ok("account.models", [[]]))
    channel.on("project.contents", http(403))
    checks = {check.call: check.state for check in await provider.self_check()}
    assert checks == {
        "account.credits": "ok",
        "project.list": "ok",
        "account.models": "changed",
        "project.contents": "refused",
    }
    assert not any(asked.options.get("paid") for asked in channel.asked)


async def test_the_self_check_creates_nothing_in_an_empty_account(channel, provider):
    channel.serves("labs")
    channel.on("account.credits", said(example("credits_reply")))
    channel.on("project.list", said(refusal(403), 403))
    assert [check.state for check in await provider.self_check()] == ["ok", "refused"]
    assert channel.names() == ["account.credits", "project.list"]


async def test_a_file_moves_an_rpc_id_without_a_release(channel, tmp_path: Path, monkeypatch):
    file = tmp_path / "flow.toml"
    file.write_text('[calls."project.create"]\nrpc = "Abc123"\n', encoding="utf-8")
    provider = FlowProvider(channel, clock=Clock(), overrides=file)
    monkeypatch.setitem(RPC, "project.create", "Abc123")
    channel.on("project.create", ok("project.create", golden("jHPbke_reply")))
    assert await provider.create_project("t") == PID
    assert channel.asked[0].rpc == "Abc123"


async def test_a_file_says_which_new_keys_are_small(channel, tmp_path: Path):
    file = tmp_path / "flow.toml"
    file.write_text(
        "[[resolution_by_key]]\nkeys = '^tiny_'\nresolution = '360p'\n", encoding="utf-8"
    )
    channel.on("video.text", ok("video.text", golden("video_submit_reply")))
    for overrides, slots in ((file, [None, None, [4]]), (None, [])):
        provider = FlowProvider(channel, clock=Clock(), overrides=overrides)
        brief = VideoBrief(
            project=PID,
            model="tiny_t2v_4s",
            orientation=Orientation.HORIZONTAL,
            seed=1,
            mode="text",
            prompt="waves",
        )
        await provider.submit(brief, provider.new_client_ref(), provider.via)
        assert channel.asked[-1].args[0][0][5:] == slots


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('[calls."media.get"]\nrpc = "no good"\n', "calls.media.get.rpc"),
        ('[switches]\nextend_source = "x"\n', "switches.extend_source"),
        ("unheard = 1\n", "unheard"),
        ("= broken", "flow.toml"),
    ],
)
def test_a_bad_field_of_the_file_is_named(channel, tmp_path: Path, text: str, field: str):
    file = tmp_path / "flow.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSetting, match=field):
        FlowProvider(channel, clock=Clock(), overrides=file)


def test_no_file_means_the_packaged_facts(channel, tmp_path: Path):
    assert FlowProvider(channel, clock=Clock(), overrides=tmp_path / "none.toml").name == "flow"
