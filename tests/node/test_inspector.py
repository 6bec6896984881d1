"""The MCP Inspector goes over all that there is, over stdio, in either era: what it is listed, it can have."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from inspector import IS_ERROR, Connections, command_line, connections

sys.path.append(str(Path(__file__).parents[1] / "e2e"))
from film_by_tools import server

pytestmark = [
    pytest.mark.node,
    pytest.mark.timeout(600),
]  # npm may have to fetch the Inspector first

ERAS = ("legacy", "modern")
JPEG = b"\xff\xd8\xff"
LAMP = {"video": "Lamp"}
#: A film of one scene by every tool there is, in this order; `…` stands for a picture made before.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("create_project", {"name": "Harbour", "style": "ink"}),
    ("list_projects", {}),
    ("update_project", {"project": "Harbour", "style": "ink and wash"}),
    ("add_character", {"project": "Harbour", "characters": [{"name": "Mai"}]}),
    ("update_character", {"character": "Mai", "description": "a girl in a raincoat"}),
    ("add_video", {"project": "Harbour", "title": "Lamp", "orientation": "VERTICAL"}),
    ("update_video", {**LAMP, "description": "A short one"}),
    ("add_scene", {**LAMP, "scenes": ["A gull", {"prompt": "A lamp", "characters": ["Mai"]}]}),
    ("update_scene", {**LAMP, "scene": "2", "prompt": "Mai lights a lamp"}),
    ("move_scene", {**LAMP, "scene": "2", "to": 1}),
    ("remove", {**LAMP, "what": "scene", "which": "2"}),
    ("check_plan", LAMP),
    ("set_budget", {"project": "Harbour", "credits": 200}),
    ("generate_image", {**LAMP, "characters": ["Mai"]}),
    ("upload_image", {"character": "Mai", "project": "Harbour", "path": ...}),
    ("generate_image", {**LAMP, "missing": True}),
    ("edit_image", {**LAMP, "scene": "1", "prompt": "by night"}),
    ("select_take", {**LAMP, "scene": "1", "take": 1}),
    ("generate_video", {**LAMP, "scenes": ["1"]}),
    ("upscale", {**LAMP, "what": "pictures", "missing": True}),
    ("review", LAMP),
    ("trim", {**LAMP, "scene": "1", "end_s": 3}),
    ("merge", LAMP),
    ("thumbnail", {**LAMP, "title": "The lamp"}),
    ("upload", LAMP),
    ("upload", {**LAMP, "made_for_kids": False, "dry_run": False}),
    ("flow_library", {"action": "list_projects"}),
    ("wait", {}),
    ("list_jobs", {}),
    ("resolve_job", {"action": "reopen", "provider": "flow"}),
    ("get_project", {"project": "Harbour", "picture": True}),
]
#: The one that can only be refused: the Inspector waits for its task, so no job is left to stop.
TOO_LATE = ("cancel_job", {"job": "1"})
#: Those that start jobs; the others answer at once.
MAKERS = {"generate_image", "edit_image", "generate_video", "upscale", "merge", "upload"}


@dataclass
class Session:
    """One connection of the Inspector. A person at its keyboard says yes to every price."""

    inspector: Connections
    era: str
    asked: list[str] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)  #: of each tool, the last

    def run(self, *command: str) -> tuple[int, dict[str, Any]]:
        return self.inspector.run(f"@{self.era}", *command)

    def get(self, *command: str) -> dict[str, Any]:
        return self.inspector.get(f"@{self.era}", *command)

    def call(self, tool: str, arguments: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        code, result = self.run("tools/call", tool, json.dumps(arguments))
        while "elicitationPending" in result:
            question = result["elicitationPending"]
            self.asked.append(question["message"])
            code, result = self.run("elicitation/respond", question["elicitationId"], "{}")
        return code, result

    def do(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The structured half; the text has to say the same."""
        code, result = self.call(tool, arguments)
        assert code == 0, result
        assert json.loads(result["content"][0]["text"]) == result["structuredContent"], tool
        self.answers[tool] = result["structuredContent"]
        return result["structuredContent"]

    def film(self) -> None:
        while not self.do("status", {})["ready"]:
            self.do("wait", {"max_wait_s": 1})
        picture = ""
        for tool, arguments in CALLS:
            given = {name: picture if value is ... else value for name, value in arguments.items()}
            answer = self.do(tool, given)
            if tool in MAKERS and (jobs := self.finished(answer)):
                picture = jobs[0].get("path", picture)

    def finished(self, answer: dict[str, Any]) -> list[dict[str, Any]]:
        """The jobs of an answer when all have succeeded: the newer era may have waited for its task by itself."""
        numbers = [job["job"] for job in answer.get("jobs", [])]
        while any(job["state"] != "succeeded" for job in answer.get("jobs", [])):
            answer = self.do("wait", {"jobs": numbers, "max_wait_s": 20})
            assert not answer["done"] or {job["state"] for job in answer["jobs"]} == {"succeeded"}
        return answer.get("jobs", [])

    def offered(self, kind: str, name: str, argument: str) -> list[str]:
        """What is offered to whoever begins to type this argument."""
        return self.get(
            "prompts/complete", "--complete-ref-type", f"ref/{kind}", "--complete-ref", name,
            "--complete-arg-name", argument,
        )["values"]  # fmt: skip


@pytest.fixture(scope="module")
def inspector() -> Generator[Connections]:
    with connections() as seen:
        yield seen


@pytest.fixture(scope="module", params=ERAS)
def session(
    inspector: Connections,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Session:
    """With a film in its library that every tool had a part in."""
    command, env = server(tmp_path_factory.mktemp(request.param) / "library")
    settings = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
    told = inspector.get(
        "connect", f"@{request.param}", "--era", request.param, "--connect-timeout", "50000",
        *settings, "--", *command,
    )  # fmt: skip
    assert told["protocolEra"] == request.param
    session = Session(inspector, request.param)
    session.film()
    return session


def test_every_tool_that_is_listed_has_its_part_in_a_film(session: Session) -> None:
    listed = {tool["name"] for tool in session.get("tools/list")["tools"]}
    assert session.answers.keys() | {TOO_LATE[0]} == listed
    (video,) = session.answers["get_project"]["videos"]
    assert Path(video["films"][0]["path"]).is_file()
    clip, upload = session.asked
    assert "12 credits" in clip
    assert "YouTube" in upload


def test_clips_are_a_task_where_there_are_tasks_and_jobs_elsewhere(session: Session) -> None:
    answer = session.answers["generate_video"]
    assert answer.keys() & {"done", "credits"} == (
        {"done"} if session.era == "modern" else {"credits"}
    )


def read(session: Session, uri: str, mime_type: str) -> None:
    """It is there, and is what the list said it would be."""
    (content,) = session.get("resources/read", uri)["contents"]
    assert content["uri"] == uri
    assert content["mimeType"] == mime_type
    if mime_type == "image/jpeg":
        assert base64.b64decode(content["blob"]).startswith(JPEG)
    elif mime_type == "application/json":
        assert json.loads(content["text"])
    else:
        assert len(content["text"]) > 200


def test_every_resource_that_is_listed_can_be_read(session: Session) -> None:
    listed = {one["uri"]: one["mimeType"] for one in session.get("resources/list")["resources"]}
    assert {"flowkit://status", "flowkit://projects", "ui://flowkit/storyboard"} <= listed.keys()
    assert len([uri for uri in listed if uri.startswith("skill://")]) > 20
    assert any(uri.startswith("flowkit://project/") for uri in listed)
    for uri, mime_type in listed.items():
        read(session, uri, mime_type)


def test_every_template_leads_to_something_by_what_completion_offers(session: Session) -> None:
    templates = session.get("resources/templates/list")["resourceTemplates"]
    assert len(templates) == 10
    for one in templates:
        uri = template = one["uriTemplate"]
        for part in re.findall(r"{(.*?)}", template):
            name = part.lstrip("?+")
            offered = session.offered("resource", template, name)
            if part.startswith("?"):  # may be left out
                uri = uri.replace(f"{{{part}}}", f"?{name}={offered[0]}" if offered else "")
                continue
            assert offered, f"nothing is offered for {name} of {template}"
            uri = uri.replace(f"{{{part}}}", quote(offered[0], safe="/" if "+" in part else ""))
        read(session, uri, one["mimeType"])


def test_every_prompt_that_is_listed_brings_a_skill(session: Session) -> None:
    prompts = session.get("prompts/list")["prompts"]
    names = {"make-film", "continue-film", "review-film", "publish-film", "fix"}
    assert {one["name"] for one in prompts} == names
    for one in prompts:
        arguments = [argument["name"] for argument in one.get("arguments", [])]
        offered = {name: session.offered("prompt", one["name"], name) for name in arguments}
        given = {name: values[0] if values else "a lamp" for name, values in offered.items()}
        pairs = [f"{name}={value}" for name, value in given.items()]
        got = session.get("prompts/get", one["name"], "--prompt-args", *pairs)
        wish, skill = (message["content"] for message in got["messages"])
        assert all(value in wish["text"] for value in given.values())
        assert skill["resource"]["uri"].startswith("skill://flowkit-")


def test_every_skill_that_is_listed_passes_the_inspectors_own_checks(session: Session) -> None:
    """Front matter, sizes and digests; the older era has no way to declare the extension, and the files alone."""
    if session.era == "legacy":
        code, told = session.run("skills/list")
        assert code != 0
        assert "does not declare the io.modelcontextprotocol/skills extension" in told["error"]
        return
    skills = session.get("skills/list")["skills"]
    assert len(skills) == 7
    for one in skills:
        (verified,) = session.get("skills/get", one["uri"], "--verify")
        assert verified["outcome"] == "verified"
        assert {file["status"] for file in verified["files"]} == {"verified"}


def test_an_error_arrives_as_code_what_and_next_step(session: Session) -> None:
    for tool, arguments, said in (
        ("get_project", {"project": "Nope"}, "NOT_FOUND: no project 'Nope'"),
        (*TOO_LATE, "CONFLICT: job 1 "),
    ):
        code, result = session.call(tool, arguments)
        assert code == IS_ERROR
        text = result["content"][0]["text"]
        assert text.startswith(said)
        assert re.search(r"\. [A-Z].+\.$", text), "says what to do next"


@pytest.mark.parametrize("era", ERAS)
def test_the_tools_are_listed_and_their_schemas_are_portable(tmp_path: Path, era: str) -> None:
    code, lines = command_line(tmp_path / "library", era, "--method", "tools/list", "--strict")
    assert code == 0, "exit 6 would mean a schema that some clients cannot read"
    assert len(lines[0]["result"]["tools"]) > 25


@pytest.mark.parametrize("era", ERAS)
def test_the_storyboard_is_listed_as_an_app_that_loads_nothing_from_elsewhere(
    tmp_path: Path, era: str
) -> None:
    code, lines = command_line(tmp_path / "library", era, "--method", "tools/list", "--app-info")
    assert code == 0
    apps = {line["toolName"]: line for line in lines if line["hasApp"]}
    assert apps.keys() == {"get_project", "review"}
    for app in apps.values():
        assert app["resourceUri"] == "ui://flowkit/storyboard"
        assert app["resourceMimeType"] == "text/html;profile=mcp-app"
        assert app["csp"] == {"connectDomains": [], "resourceDomains": []}
