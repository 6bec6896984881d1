"""The MCP Inspector, a client we did not write, talks to our server over stdio in both eras."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from npm_packages import npm

pytestmark = [
    pytest.mark.node,
    pytest.mark.timeout(600),
]  # npm may have to fetch the Inspector first

INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
ERAS = ("legacy", "modern")
IS_ERROR, NOT_PORTABLE = 5, 6  # the Inspector's exit codes


@pytest.fixture(scope="session")
def inspector() -> Path:
    """Installed once beside the checkout; `build/` is not kept in git."""
    return npm("inspector", INSPECTOR) / ".bin" / "mcp-inspector"


class Inspector:
    def __init__(self, binary: Path, library: Path) -> None:
        self._binary = binary
        self._library = library

    def run(self, *arguments: str, era: str = "legacy") -> tuple[int, dict[str, Any]]:
        code, lines = self.lines(*arguments, era=era)
        return code, lines[0]["result"]

    def lines(self, *arguments: str, era: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit code and every line that was printed."""
        done = subprocess.run(
            [
                str(self._binary), "--cli", "-e", f"FLOWKIT_LIBRARY={self._library}",
                "-e", "FLOWKIT_PORT=47998", sys.executable, "-m", "flowkit_mcp", "serve",
                "--protocol-era", era, "--format", "json", "--connect-timeout", "50000", *arguments,
            ],
            capture_output=True, text=True, timeout=90, check=False, env=os.environ, cwd=self._library.parent,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def inspect(inspector: Path, tmp_path: Path) -> Inspector:
    return Inspector(inspector, tmp_path / "library")


@pytest.mark.parametrize("era", ERAS)
def test_the_tools_are_listed_and_their_schemas_are_portable(inspect: Inspector, era: str) -> None:
    code, result = inspect.run("--method", "tools/list", "--strict", era=era)
    assert code == 0, "exit 6 would mean a schema that some clients cannot read"
    names = {tool["name"] for tool in result["tools"]}
    assert {"status", "create_project", "add_scene", "generate_image", "generate_video"} <= names
    assert {"upscale", "merge", "wait", "resolve_job"} <= names


@pytest.mark.parametrize("era", ERAS)
def test_tools_are_called_and_their_answers_stand_alone(inspect: Inspector, era: str) -> None:
    code, made = inspect.run(
        "--method", "tools/call", "--tool-name", "create_project", "--tool-arg", "name=Harbour", era=era
    )  # fmt: skip
    assert code == 0
    text, structured = made["content"][0]["text"], made["structuredContent"]
    assert json.loads(text) == structured
    assert structured["project"]["name"] == "Harbour"
    code, listed = inspect.run("--method", "tools/call", "--tool-name", "list_projects", era=era)
    assert code == 0
    assert [p["name"] for p in listed["structuredContent"]["projects"]] == ["Harbour"]


@pytest.mark.parametrize("era", ERAS)
def test_an_error_arrives_as_code_what_and_next_step(inspect: Inspector, era: str) -> None:
    code, result = inspect.run(
        "--method", "tools/call", "--tool-name", "get_project", "--tool-arg", "project=Nope", era=era
    )  # fmt: skip
    assert code == IS_ERROR
    assert result["content"][0]["text"].startswith("NOT_FOUND: no project 'Nope'")
    assert "list_projects" in result["content"][0]["text"]


@pytest.mark.parametrize("era", ERAS)
def test_the_storyboard_is_listed_as_an_app_that_loads_nothing_from_elsewhere(
    inspect: Inspector, era: str
) -> None:
    code, lines = inspect.lines("--method", "tools/list", "--app-info", era=era)
    assert code == 0
    apps = {line["toolName"]: line for line in lines if line["hasApp"]}
    assert apps.keys() == {"get_project", "review"}
    for app in apps.values():
        assert app["resourceUri"] == "ui://flowkit/storyboard"
        assert app["resourceMimeType"] == "text/html;profile=mcp-app"
        assert app["csp"] == {"connectDomains": [], "resourceDomains": []}


@pytest.mark.parametrize("era", ERAS)
def test_resources_templates_and_prompts_are_listed_and_read(inspect: Inspector, era: str) -> None:
    code, made = inspect.run(
        "--method", "tools/call", "--tool-name", "create_project", "--tool-arg", "name=Harbour", era=era
    )  # fmt: skip
    assert code == 0
    code, listed = inspect.run("--method", "resources/list", era=era)
    assert code == 0
    uris = [one["uri"] for one in listed["resources"]]
    project = f"flowkit://project/{made['structuredContent']['project']['id']}"
    assert {"flowkit://status", "flowkit://projects", project} <= set(uris)
    skill = "skill://flowkit-produce/SKILL.md"
    for uri, said in ((project, '"Harbour"'), (skill, "name: flowkit-produce")):
        code, held = inspect.run("--method", "resources/read", "--uri", uri, era=era)
        assert code == 0
        assert said in held["contents"][0]["text"]
    code, listed = inspect.run("--method", "resources/templates/list", era=era)
    assert code == 0
    assert {one["uriTemplate"] for one in listed["resourceTemplates"]} >= {
        "flowkit://job/{id}",
        "flowkit://take/{id}/picture",
        "skill://{skill}/{+path}",
    }
    code, listed = inspect.run("--method", "prompts/list", era=era)
    assert code == 0
    names = [one["name"] for one in listed["prompts"]]
    assert set(names) == {"make-film", "continue-film", "review-film", "publish-film", "fix"}
    for name in names:
        code, got = inspect.run(
            "--method", "prompts/get", "--prompt-name", name,
            *(["--prompt-args", "story=A lamp"] if name == "make-film" else []), era=era,
        )  # fmt: skip
        assert code == 0
        assert got["messages"][1]["content"]["resource"]["uri"].startswith("skill://flowkit-")


def test_every_tool_can_be_called_and_says_what_it_wants(inspect: Inspector) -> None:
    """Without arguments: an answer, or an error that begins with its code; the eras take turns."""
    _, listed = inspect.run("--method", "tools/list")
    assert len(listed["tools"]) > 25
    for number, tool in enumerate(listed["tools"]):
        code, result = inspect.run(
            "--method", "tools/call", "--tool-name", tool["name"], era=ERAS[number % 2]
        )  # fmt: skip
        text = result["content"][0]["text"]
        if code == 0:
            assert json.loads(text) == result["structuredContent"], tool["name"]
        else:
            assert code == IS_ERROR, tool["name"]
            assert re.match(r"[A-Z_]+: .+\.", text), text
