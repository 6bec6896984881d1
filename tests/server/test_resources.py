"""What stands at `flowkit://…`, what can be completed, and that lists come in pages."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference
from PIL import Image
from talk import Talk

from flowkit_mcp.sdk.project import Project
from flowkit_mcp.server import wire
from flowkit_mcp.server.resources import KINDS


async def held(talk: Talk, uri: str) -> dict[str, Any]:
    """The JSON at an address."""
    (content,) = (await talk.client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    return json.loads(content.text)


async def seen(talk: Talk, uri: str) -> Image.Image:
    """The picture at an address."""
    (content,) = (await talk.client.read_resource(uri)).contents
    assert content.mime_type == "image/jpeg"
    return Image.open(io.BytesIO(base64.b64decode(content.blob)))


async def completed(talk: Talk, template: str, typed: str, argument: str = "id") -> list[str]:
    ref = ResourceTemplateReference(type="ref/resource", uri=template)
    done = await talk.client.complete(ref, {"name": argument, "value": typed})
    return done.completion.values


async def test_a_film_can_be_followed_from_the_list_down_to_the_picture_of_a_take(
    talk: Talk,
) -> None:
    await talk.production(scenes=2)
    await talk.clips()
    listed = (await talk.client.list_resources()).resources
    assert [one.uri for one in listed[:2]] == ["flowkit://status", "flowkit://projects"]
    fox = next(one for one in listed if one.name == "Fox")
    project = await held(talk, fox.uri)
    assert [member["name"] for member in project["cast"]] == ["Mai"]
    video = await held(talk, f"flowkit://video/{project['videos'][0]['id']}")
    assert [scene["scene"] for scene in video["scenes"]] == [1, 2]
    assert video["video"]["project"] == "Fox"
    scene = await held(talk, f"flowkit://scene/{project['scenes'][0]['id']}")
    assert (scene["project"], scene["video"]) == ("Fox", "Film")
    clip = next(one for one in scene["takes"] if one["take"] == "VERTICAL video take 1")
    assert clip["selected"] is True
    take = await held(talk, clip["uri"])
    assert Path(take["path"]).is_file()
    assert take["url"] == Path(take["path"]).as_uri()
    assert take["media"] == "video"
    picture = await held(talk, take["made_from"])
    assert picture["what"] == "VERTICAL image take 1"
    assert (await seen(talk, picture["picture"])).size[1] <= 768
    job = await held(talk, take["job"])
    assert job["job"]["path"] == take["path"]
    assert job["history"][0]["type"] == "enqueued"


async def test_status_and_projects_are_what_the_tools_answer(talk: Talk) -> None:
    await talk.production(scenes=1)
    assert await held(talk, "flowkit://status") == await talk.do("status")
    full = await held(talk, "flowkit://status?detail=full")
    assert full == await talk.do("status", detail="full")
    assert await held(talk, "flowkit://projects") == await talk.do("list_projects")
    assert await held(talk, "flowkit://project/Fox") == await talk.do(
        "get_project", project="Fox", detail="full"
    )


async def test_names_work_as_well_as_ids(talk: Talk) -> None:
    await talk.do("create_project", name="Fox & Crow")
    assert (await held(talk, "flowkit://project/Fox%20%26%20Crow"))["project"] == "Fox & Crow"
    assert (await held(talk, "flowkit://project/fox-crow"))["project"] == "Fox & Crow"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("flowkit://project/nope", "no project 'nope'"),
        ("flowkit://video/nope", "no video 'nope'"),
        ("flowkit://scene/nope", "nope"),
        ("flowkit://job/4711", "no job 4711"),
        ("flowkit://job/soon", "'soon' is not a job"),
        ("flowkit://take/nope", "no take 'nope'"),
        ("flowkit://take/nope/picture", "no take 'nope'"),
        ("flowkit://status?detail=loud", "detail is 'loud'"),
        ("flowkit://nothing/1", "flowkit://nothing/1"),
    ],
)
async def test_an_address_that_leads_nowhere_is_said_to(talk: Talk, uri: str, said: str) -> None:
    with pytest.raises(MCPError) as raised:
        await talk.client.read_resource(uri)
    assert raised.value.code == -32602
    assert said in raised.value.message
    assert raised.value.data == {"uri": uri}


async def test_every_kind_is_a_template_that_says_what_it_holds(talk: Talk) -> None:
    templates = (await talk.client.list_resource_templates()).resource_templates
    assert [one.uri_template for one in templates if one.uri_template.startswith("flowkit:")] == [
        kind.template for kind in KINDS
    ]
    assert all(one.description and one.title and one.mime_type for one in templates)


async def test_the_list_of_resources_comes_in_pages(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PAGE", 2)
    for number in range(5):
        await Project.create(talk.kit, f"Film {number}")
    names: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = await talk.client.list_resources(cursor=cursor)
        names += [one.name for one in page.resources if one.uri.startswith("flowkit://project/")]
        cursor = page.next_cursor
    assert cursor is None
    assert names == [f"Film {number}" for number in (4, 3, 2, 1, 0)]
    with pytest.raises(MCPError, match="cursor"):
        await talk.client.list_resources(cursor="made up")


async def test_a_long_video_comes_in_pages(talk: Talk) -> None:
    await talk.production(scenes=25)
    first = await held(talk, "flowkit://video/Film")
    assert [scene["scene"] for scene in first["scenes"]] == list(range(1, 21))
    second = await held(talk, first["more"])
    assert [scene["scene"] for scene in second["scenes"]] == list(range(21, 26))
    assert "more" not in second


async def test_names_titles_numbers_and_ids_are_completed(talk: Talk) -> None:
    await talk.production(scenes=2)
    await talk.images()
    await talk.do("create_project", name="Crow and fox")
    projects = await completed(talk, "flowkit://project/{id}", "fo")
    assert projects == ["Fox", "Crow and fox"], "what begins so comes first"
    assert await completed(talk, "flowkit://video/{id}{?from_scene}", "") == ["Film"]
    scenes = await completed(talk, "flowkit://scene/{id}", "scene 2")
    assert (await held(talk, f"flowkit://scene/{scenes[0]}"))["scene"]["scene"] == 2
    assert len(await completed(talk, "flowkit://scene/{id}", "film")) == 2
    jobs = await completed(talk, "flowkit://job/{id}", "job 1")
    assert jobs == ["1"]
    (take, *_) = await completed(talk, "flowkit://take/{id}/picture", "")
    assert (await seen(talk, f"flowkit://take/{take}/picture")).format == "JPEG"
    assert await completed(talk, "flowkit://take/{id}", take[:20]) >= [take]
    assert await completed(talk, "flowkit://status{?detail}", "f", "detail") == ["full"]
    assert await completed(talk, "flowkit://video/{id}{?from_scene}", "1", "from_scene") == []


async def test_a_title_that_two_videos_have_is_completed_to_their_ids(talk: Talk) -> None:
    for name in ("Fox", "Crow"):
        await talk.do("create_project", name=name)
        await talk.do("add_video", project=name, title="Film")
    ids = await completed(talk, "flowkit://video/{id}{?from_scene}", "fil")
    found = {(await held(talk, f"flowkit://video/{id}"))["video"]["project"] for id in ids}
    assert found == {"Fox", "Crow"}


async def test_arguments_of_prompts_are_completed_too(talk: Talk) -> None:
    await talk.do("create_project", name="Fox")
    ref = PromptReference(type="ref/prompt", name="continue-film")
    done = await talk.client.complete(ref, {"name": "project", "value": "f"})
    assert done.completion.values == ["Fox"]
    done = await talk.client.complete(ref, {"name": "wish", "value": "f"})
    assert done.completion.values == []


async def test_what_was_started_is_linked(talk: Talk) -> None:
    await talk.production(scenes=1)
    started = await talk.call("generate_image", video="Film", missing=True)
    links = [one.uri for one in started.content if one.type == "resource_link"]
    assert links
    for link in links:
        assert (await held(talk, link))["job"]["job"] > 0
