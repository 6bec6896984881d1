"""The skills as clients get them: by the extension, as plain resources, inside prompts; the same bytes everywhere."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from mcp import MCPError
from mcp.types import PromptReference, Request, RequestParams, ResourceTemplateReference, Result
from pydantic import ConfigDict
from talk import Talk

from flowkit_mcp.errors import BugError
from flowkit_mcp.server.skills import SKILLS, Shelf, front_matter
from flowkit_mcp.server.tasks import TASKS
from flowkit_mcp.server.tools import ALL

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "skills"
NAMES = [f"flowkit-{name}" for name in "doctor finish produce publish review shoot story".split()]
PROMPTS = {
    "make-film": ({"story": "A lamp in the fog", "length": "20 s"}, "flowkit-produce"),
    "continue-film": ({"project": "Fox"}, "flowkit-produce"),
    "review-film": ({"project": "Fox", "video": "Film"}, "flowkit-review"),
    "publish-film": ({}, "flowkit-publish"),
    "fix": ({"problem": "nothing moves"}, "flowkit-doctor"),
}


class Anything(Result):
    model_config = ConfigDict(extra="allow")


class UriParams(RequestParams):
    uri: str


async def ask(talk: Talk, method: str, uri: str | None = None) -> dict[str, Any]:
    if uri is None:
        request: Any = Request[RequestParams, str](method=method, params=RequestParams())
    else:
        request = Request[UriParams, str](method=method, params=UriParams(uri=uri))
    answer = await talk.client.session.send_request(request, Anything)
    return answer.model_dump(mode="json", by_alias=True)


async def read(talk: Talk, uri: str) -> bytes:
    (content,) = (await talk.client.read_resource(uri)).contents
    assert content.mime_type == "text/markdown"
    return content.text.encode()


def on_disk() -> dict[str, bytes]:
    """Every file of every skill, by its address."""
    return {
        f"skill://{path.relative_to(FOLDER).as_posix()}": path.read_bytes()
        for path in FOLDER.glob("*/**/*")
        if path.is_file()
    }


async def test_all_seven_are_listed_whole_with_digests_that_are_right(talk: Talk) -> None:
    listed = await ask(talk, "skills/list")
    assert [skill["frontmatter"]["name"] for skill in listed["skills"]] == NAMES
    assert (listed["ttlMs"], listed["cacheScope"]) == (300_000, "public")
    told = {one["uri"]: one for skill in listed["skills"] for one in skill["resources"]}
    held = on_disk()
    assert told.keys() == held.keys()
    for uri, one in told.items():
        assert one["digest"] == f"sha256:{hashlib.sha256(held[uri]).hexdigest()}"
        assert one["size"] == len(held[uri])


async def test_each_file_is_a_plain_resource_with_the_same_bytes(talk: Talk) -> None:
    listed = (await talk.client.list_resources()).resources
    skills = {one.uri: one for one in listed if one.uri.startswith("skill://")}
    assert skills.keys() == on_disk().keys()
    for uri, data in on_disk().items():
        assert await read(talk, uri) == data
    for name in NAMES:
        one = skills[f"skill://{name}/SKILL.md"]
        assert one.name == name
        assert one.description.startswith(
            front_matter((FOLDER / name / "SKILL.md").read_text())["description"]
        )


async def test_one_skill_is_told_like_in_the_list(talk: Talk) -> None:
    listed = await ask(talk, "skills/list")
    for skill in listed["skills"]:
        assert (await ask(talk, "skills/get", skill["uri"]))["skill"] == skill


async def test_the_server_says_that_it_serves_skills(talk: Talk) -> None:
    """The older era has no word for extensions; the methods are there all the same."""
    declared = talk.client.server_capabilities.extensions
    if talk.client.protocol_version >= "2026":
        assert declared is not None
        assert declared[SKILLS] == declared[TASKS] == {}
    else:
        assert declared is None


@pytest.mark.parametrize(
    "uri", ["skill://nope/SKILL.md", "skill://flowkit-story/references/camera.md", ""]
)
async def test_what_is_no_skill_is_refused(talk: Talk, uri: str) -> None:
    with pytest.raises(MCPError) as raised:
        await ask(talk, "skills/get", uri)
    assert raised.value.code == -32602


@pytest.mark.parametrize(
    "uri",
    [
        "skill://nope/SKILL.md",
        "skill://flowkit-story/nope.md",
        "skill://flowkit-story/../README.md",
        "skill://flowkit-story/%2e%2e/%2e%2e/pyproject.toml",
    ],
)
async def test_only_files_of_skills_can_be_read(talk: Talk, uri: str) -> None:
    with pytest.raises(MCPError) as raised:
        await talk.client.read_resource(uri)
    assert raised.value.code == -32602


def test_the_wheel_carries_the_same_bytes(tmp_path: Path) -> None:
    """The plugin reads the folder of the checkout; so all three copies are one."""
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(built) as wheel:
        bundled = {
            f"skill://{name.split('/_bundled/skills/')[1]}": wheel.read(name)
            for name in wheel.namelist()
            if "/_bundled/skills/" in name and name.count("/") > 3
        }
        wheel.extractall(tmp_path / "installed")
    assert bundled == on_disk()
    installed = Shelf(tmp_path / "installed" / "flowkit_mcp" / "_bundled" / "skills")
    here = Shelf(FOLDER)
    assert json.dumps([one.entry() for one in installed.skills.values()]) == json.dumps(
        [one.entry() for one in here.skills.values()]
    )


async def test_the_prompts_are_the_five_that_start_a_skill(talk: Talk) -> None:
    listed = (await talk.client.list_prompts()).prompts
    assert {one.name for one in listed} == PROMPTS.keys()
    assert all(one.title and one.description for one in listed)
    required = [one.name for prompt in listed for one in prompt.arguments if one.required]
    assert required == ["story"]


@pytest.mark.parametrize("name", PROMPTS)
async def test_a_prompt_brings_the_wish_and_the_whole_skill(talk: Talk, name: str) -> None:
    given, skill = PROMPTS[name]
    wish, how = (await talk.client.get_prompt(name, given)).messages
    assert all(value in wish.content.text for value in given.values())
    assert skill in wish.content.text
    assert how.content.resource.uri == f"skill://{skill}/SKILL.md"
    assert how.content.resource.text.encode() == (FOLDER / skill / "SKILL.md").read_bytes()


async def test_names_of_skills_and_their_files_are_completed(talk: Talk) -> None:
    ref = ResourceTemplateReference(type="ref/resource", uri="skill://{skill}/{+path}")
    done = await talk.client.complete(ref, {"name": "skill", "value": "flowkit-p"})
    assert done.completion.values == ["flowkit-produce", "flowkit-publish"]
    done = await talk.client.complete(
        ref, {"name": "path", "value": "ref"}, {"skill": "flowkit-story"}
    )
    assert all((FOLDER / "flowkit-story" / path).is_file() for path in done.completion.values)
    assert done.completion.values
    done = await talk.client.complete(
        PromptReference(type="ref/prompt", name="fix"), {"name": "problem", "value": "x"}
    )
    assert done.completion.values == []


def test_every_tool_that_a_skill_names_exists() -> None:
    tools = {tool.name for tool in ALL}
    text = b"".join(on_disk().values()).decode()
    assert {name for name in tools if name in text} >= tools - {"flow_library"}


@pytest.mark.parametrize(
    "text",
    [
        "no front matter",
        "---\nname: x\n",
        "---\nname: [a, b]\n---\n",
        "---\nname: x # remark\n---\n",
        "---\nname: 'x'\n---\n",
        "---\n  - a\n---\n",
    ],
)
def test_front_matter_that_would_be_misread_is_refused(text: str) -> None:
    with pytest.raises(BugError):
        front_matter(text)


def test_a_skill_whose_folder_has_another_name_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "one"
    home.mkdir()
    (home / "SKILL.md").write_text("---\nname: two\ndescription: Does it.\n---\n", "utf-8")
    with pytest.raises(BugError, match="another name"):
        _ = Shelf(tmp_path).skills
