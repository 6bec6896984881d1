"""Every way to make a clip, larger versions, what lies in Flow: by tool calls, with a person who is asked."""

from __future__ import annotations

import pytest
from fake_provider import FakeProvider
from sdk.many_models import MANY_MODELS
from server.talk import Talk

from flowkit_mcp.domain.models import Gate
from flowkit_mcp.errors import Rejected, SignInRequired, Transient
from flowkit_mcp.store import operations

PLACE = {"id": "p-1", "title": "Holiday"}
TILE = {
    "workflow": "w-1",
    "title": "A beach",
    "archived": False,
    "media": [{"id": "m-1", "kind": "image", "prompt": "sand", "shown": True}],
}


@pytest.fixture
def mode() -> str:
    """One era is enough for what does not depend on it."""
    return "auto"


@pytest.fixture
def provider() -> FakeProvider:
    house = {"list_projects": {"projects": [PLACE]}, "list_contents": {"items": [TILE] * 41}}
    return FakeProvider(models=MANY_MODELS, house=house)


async def test_clips_are_made_without_first_frames_too(talk: Talk) -> None:
    await talk.production(scenes=2)
    text = await talk.fail("generate_video", video="Film", scenes=[1], mode="references")
    assert text.startswith("NOT_READY: scene 1 has nobody whose reference images")
    await talk.do("update_scene", scene=1, video="Film", characters=["Mai"])
    text = await talk.fail("generate_video", video="Film", scenes=[1], mode="references")
    assert "Call generate_image with characters=['Mai'] first" in text
    await talk.do("generate_image", project="Fox", characters=["Mai"])
    await talk.do("wait")
    await talk.do("generate_video", video="Film", scenes=[1], mode="references", voices="kore")
    await talk.do("generate_video", video="Film", scenes=[2], mode="text")
    ended = await talk.do("wait")
    assert [job["state"] for job in ended["jobs"]] == ["succeeded", "succeeded"]
    assert "scene 1 vertical clip (references): 15 credits" in talk.person.questions[0]
    assert "scene 2 vertical clip (text): 9 credits" in talk.person.questions[1]


async def test_a_scene_starts_from_the_last_frame_of_the_clip_it_continues(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.do("add_scene", video="Film", scenes=[{"prompt": "and on", "continues": 1}])
    text = await talk.fail("generate_image", video="Film", scenes=[2], last_frame=True)
    assert "Call generate_video for scene 1 first" in text
    await talk.do("generate_image", video="Film", scenes=[1])
    await talk.do("wait")
    await talk.do("generate_video", video="Film", scenes=[1], mode="start")
    await talk.do("wait")
    asked = len(talk.person.asked)
    started = await talk.do("generate_image", video="Film", missing=True, last_frame=True)
    assert started["credits"] == 0
    ended = {job["what"]: job for job in (await talk.do("wait"))["jobs"]}
    assert ended.keys() == {"reference image of Mai", "scene 2 VERTICAL image"}
    assert ended["scene 2 VERTICAL image"]["path"].endswith("vertical-image-take-1.png")
    assert len(talk.person.asked) == asked, "what is free is not asked for"
    await talk.do("generate_video", video="Film", scenes=[1], mode="start", new_take=True)
    await talk.do("wait")
    slots = (await talk.do("get_project", project="Fox"))["scenes"][1]["slots"]["VERTICAL"]
    assert slots["image"] == "stale take 1"


async def test_a_draft_and_its_larger_versions(talk: Talk) -> None:
    await talk.production(scenes=1)
    await talk.images()
    await talk.do("generate_video", video="Film", scenes=[1], resolution="360p")
    await talk.do("wait")
    slots = (await talk.do("get_project", project="Fox"))["scenes"][0]["slots"]["VERTICAL"]
    assert slots == {"image": "done take 1", "video": "done take 1", "upscale": "empty"}
    text = await talk.fail("upscale", video="Film", scenes=[1], resolution="2K")
    assert text == "INVALID_SETTING: clips cannot be made 2K. Use 720p or 1080p or 4K for clips."
    await talk.do("upscale", video="Film", scenes=[1], resolution="720p")
    await talk.do("upscale", video="Film", scenes=[1], what="pictures")
    await talk.do("wait")
    again = await talk.do("upscale", video="Film", scenes=[1], resolution="720p")
    assert again["jobs"] == [] and again["skipped"][0]["why"].startswith("done, take 1")
    larger = await talk.do("upscale", video="Film", scenes=[1], resolution="1080p")
    assert len(larger["jobs"]) == 1, "another size is not the same thing"
    await talk.do("wait")
    slots = (await talk.do("get_project", project="Fox"))["scenes"][0]["slots"]["VERTICAL"]
    assert slots["upscale"] == "done take 2" and slots["image_upscale"] == "done take 1"
    chosen = await talk.do("select_take", scene=1, video="Film", stage="image_upscale", take=1)
    assert chosen["path"].endswith("vertical-image_upscale-take-1.jpg")
    missing = await talk.do("upscale", video="Film", missing=True, what="pictures")
    assert missing["jobs"] == []


@pytest.mark.parametrize("mode", ["legacy"])  # in the other era it is planned anew after the answer
async def test_what_was_started_is_told_though_something_in_between_was_refused(
    talk: Talk,
) -> None:
    await talk.production(scenes=3)
    await talk.images()
    talk.provider.looks_until_done = 10**9

    async def meanwhile() -> None:  # the other window puts scene 2 to work, on something else
        talk.person.meanwhile = None
        await talk.do("generate_video", video="Film", scenes=[2], resolution="360p")

    talk.person.meanwhile = meanwhile
    started = await talk.do("generate_video", video="Film", scenes=[1, 2, 3])
    assert [job["what"] for job in started["jobs"]] == [
        "scene 1 VERTICAL clip",
        "scene 3 VERTICAL clip",
    ]
    assert started["credits"] == 20, "of the two that are new"
    (refused,) = started["not_ready"]
    assert refused["what"] == "scene 2 vertical clip" and "CONFLICT" in refused["why"]


async def test_what_flow_did_otherwise_is_told_with_the_job(talk: Talk) -> None:
    await talk.production(scenes=1)
    talk.provider.warnings = ("one of two references did not arrive",)
    await talk.do("generate_image", video="Film", scenes=[1])
    (job,) = (await talk.do("wait"))["jobs"]
    assert job["state"] == "succeeded"
    assert job["warnings"] == ["One of two references did not arrive."]
    (scene,) = (await talk.do("get_project", project="Fox"))["scenes"]
    assert scene["warnings"] == ["VERTICAL image: One of two references did not arrive."]


async def test_what_lies_in_flow_is_listed_and_put_away(talk: Talk) -> None:
    await talk.account_seen()
    listed = await talk.do("flow_library", action="list_projects")
    assert (listed["flow_projects"], listed["done"]) == ([PLACE], "1 project in Flow")
    page = await talk.do("flow_library", action="list_contents", project="p-1")
    assert page["items"][0] == {"id": "w-1", "title": "A beach", "kind": "image", "prompt": "sand"}
    assert len(page["items"]) == 40 and "skip=40" in page["next"]
    rest = await talk.do("flow_library", action="list_contents", project="p-1", skip=40)
    assert len(rest["items"]) == 1 and rest["next"] == "This is all."
    await talk.do("flow_library", action="trash", project="p-1", items="w-1")
    assert talk.provider.kept[-1].items == ("w-1",)
    assert (await talk.fail("flow_library", action="trash", project="p-1")).startswith(
        "INVALID_SETTING: action 'trash' needs items"
    )
    talk.provider.house["rename"] = Rejected("Flow does not take this title")
    text = await talk.fail("flow_library", action="rename", project="p-1", items=["w-1"], title="x")
    assert text.startswith("REJECTED: Flow does not take this title. Change the prompt")
    assert talk.person.questions == []


async def test_a_project_in_flow_is_deleted_only_if_the_person_agrees_and_the_title_is_right(
    talk: Talk,
) -> None:
    await talk.account_seen()
    delete = {"action": "delete_project", "project": "p-1", "title": "Holiday"}
    assert "needs title" in await talk.fail("flow_library", action="delete_project", project="p-1")
    talk.person.answer = "decline"
    text = await talk.fail("flow_library", **delete)
    assert text.startswith("NOT_APPROVED: the person answered 'decline' to this; nothing was")
    assert talk.person.questions[0].startswith("Delete the project 'Holiday' in Google Flow for")
    talk.person.answer = "accept"
    text = await talk.fail("flow_library", **(delete | {"title": "Work"}))
    assert text.startswith("CONFLICT: project 'p-1' is called 'Holiday' in Flow, not 'Work'")
    assert "delete_project" not in [request.action for request in talk.provider.kept]
    deleted = await talk.do("flow_library", **delete)
    assert "list_projects" in deleted["next"]
    assert [request.action for request in talk.provider.kept][-1] == "delete_project"


async def test_without_a_dialog_deleting_needs_the_persons_word_too(silent_talk: Talk) -> None:
    await silent_talk.account_seen()
    delete = {"action": "delete_project", "project": "p-1", "title": "Holiday"}
    text = await silent_talk.fail("flow_library", **delete)
    assert text.startswith("APPROVAL_NEEDED: nothing was started") and "for good" in text
    quote = text.split("approval='")[1].split("'")[0]
    await silent_talk.do("flow_library", **delete, approval=quote)
    assert silent_talk.provider.kept[-1].action == "delete_project"
    again = await silent_talk.fail("flow_library", **delete, approval=quote)
    assert f"{quote!r} is used up" in again  # good once, also for the very same call
    actions = [request.action for request in silent_talk.provider.kept]
    assert actions.count("delete_project") == 1


async def test_while_flow_is_away_the_call_ends_in_time_and_its_job_goes_on(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowkit_mcp.server.tools.flow.PATIENCE_S", 0.05)
    await talk.account_seen()
    talk.provider.house["trash"] = Transient("Flow is slow")
    told = await talk.do("flow_library", action="trash", project="p-1", items=["w-1"])
    assert told["done"].startswith("not yet: job 1 is still") and "wait()" in told["next"]
    (job,) = (await talk.do("list_jobs"))["jobs"]
    assert job["what"] == "trash in Flow" and job["state"] in ("queued", "running", "waiting")
    talk.provider.house["trash"] = {}
    assert (await talk.do("wait", jobs=[1]))["done"]


async def test_without_a_browser_or_a_sign_in_flow_is_not_waited_for(talk: Talk) -> None:
    await talk.account_seen()
    talk.provider.account_error = SignInRequired("the Flow tab is signed out")
    async with talk.kit.db.transaction() as tx:
        gate = {"now": 1, "message": "the Flow tab is signed out. Sign in there."}
        await operations.set_gate(tx, "flow", Gate.BLOCKED, **gate)
    text = await talk.fail("flow_library", action="list_projects")
    assert text == (
        "NOT_CONNECTED: Flow may not be asked now: the Flow tab is signed out. Sign in there."
    )
    talk.provider.connected = False
    async with talk.kit.db.transaction() as tx:
        await operations.set_connection(tx, "flow", connected=False, lane=None, now=1)
    text = await talk.fail("flow_library", action="list_projects")
    assert text.startswith("NOT_CONNECTED: no browser is paired") and "flowkit-mcp pair" in text
    assert talk.provider.kept == [] and (await talk.do("list_jobs"))["jobs"] == []
