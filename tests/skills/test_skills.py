"""The seven skills: valid by the format's own checker, true of this server's tools, and small enough to be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import skill_errors
from skills_ref import read_properties, validate

from flowkit_mcp.domain.cut import Cut
from flowkit_mcp.server.tools import ALL

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "skills"
SKILLS = sorted(path for path in FOLDER.iterdir() if path.is_dir())
PAGES = sorted(FOLDER.rglob("*.md"))
HAND_WRITTEN = [page for page in PAGES if page.name != "errors.md"]
TOOLS = {tool.name: set(tool.parameters.get("properties", {})) for tool in ALL}

#: Words of results that skills point at.
RESULT_WORDS = {"done", "skipped", "what", "next", "why", "credits", "simulated", "self_check"}
#: States, kinds and fields that are shown to the person.
STATE_WORDS = {"needs_attention", "queued", "waiting", "error"}


def said(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def body(skill: Path) -> str:
    return said(skill / "SKILL.md").split("---\n", 2)[2]


def code(page: Path) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`\n]+)`", said(page))


def names_in(schema: Any) -> set[str]:
    """All property names and enum values in a JSON schema."""
    found: set[str] = set()
    if isinstance(schema, dict):
        found |= set(schema.get("properties", {}))
        found |= {value for value in schema.get("enum", []) if isinstance(value, str)}
        found |= {schema["const"]} if isinstance(schema.get("const"), str) else set()
        for inner in schema.values():
            found |= names_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            found |= names_in(inner)
    return found


@pytest.fixture(scope="module")
def vocabulary() -> set[str]:
    arguments = set().union(*(names_in(tool.parameters) for tool in ALL))
    return set(TOOLS) | arguments | names_in(Cut.model_json_schema()) | RESULT_WORDS | STATE_WORDS


def test_there_are_seven() -> None:
    assert [skill.name for skill in SKILLS] == [
        f"flowkit-{name}"
        for name in ("doctor", "finish", "produce", "publish", "review", "shoot", "story")
    ]


@pytest.mark.parametrize("skill", SKILLS, ids=lambda path: path.name)
def test_the_formats_own_checker_finds_nothing(skill: Path) -> None:
    assert validate(skill) == []
    read = read_properties(skill)
    assert read.name == skill.name
    assert "Use " in read.description, "a description says when to use it"
    assert "Not for" in read.description or skill.name in {"flowkit-produce", "flowkit-shoot"}


@pytest.mark.parametrize("skill", SKILLS, ids=lambda path: path.name)
def test_a_body_is_read_in_one_go_and_says_when_it_is_over(skill: Path) -> None:
    text = body(skill)
    assert 800 <= len(text.split()) <= 1800
    assert len(text) / 3.5 < 5000, "tokens, counted high"
    assert len(text.splitlines()) < 500
    assert text.strip().splitlines()[-2:] and "Done when" in text.strip().split("\n\n")[-1]
    for rule in ("**must**",):
        assert rule in text


@pytest.mark.parametrize("skill", SKILLS, ids=lambda path: path.name)
def test_each_reference_is_there_and_has_a_condition_for_opening_it(skill: Path) -> None:
    text = " ".join(body(skill).split())
    linked = re.findall(r"\]\((references/[a-z]+\.md)\)", text)
    held = {path.relative_to(skill).as_posix() for path in skill.rglob("*.md")} - {"SKILL.md"}
    assert set(linked) == held
    for reference in linked:
        around = text[max(0, text.index(reference) - 260) : text.index(reference) + 260]
        assert re.search(r"\b(when|before|if|for symptoms|not paired|error code)\b", around, re.I)


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_name_in_code_is_one_of_this_servers(page: Path, vocabulary: set[str]) -> None:
    unknown = [
        word
        for text in code(page)
        if not text.startswith(("skill:", "/")) and "…" not in text.split("(")[0]
        for word in re.findall(r"(?<![\w\"'.-])[a-z][a-z_]+[a-z](?![\w-]*[\w\"'])", _bare(text))
        if word not in vocabulary and word not in {"true", "false", "path"}
    ]
    assert not unknown, unknown


def _bare(text: str) -> str:
    """Without what stands in quotes, and without names of skills."""
    return re.sub(r"\"[^\"]*\"|'[^']*'|flowkit-[a-z]+", " ", text)


@pytest.mark.parametrize("page", HAND_WRITTEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_call_has_arguments_that_the_tool_takes(page: Path) -> None:
    for text in code(page):
        for tool, arguments in re.findall(r"\b([a-z_]+)\(([^)]*)\)", text):
            assert tool in TOOLS, text
            given = set(re.findall(r"\b([a-z_]+)=", _bare(arguments)))
            assert given <= TOOLS[tool], (text, given - TOOLS[tool])


def test_every_tool_is_used_by_some_skill() -> None:
    used = {
        word
        for page in HAND_WRITTEN
        for text in code(page)
        for word in re.findall(r"[a-z_]+", text)
    }
    assert set(TOOLS) <= used, set(TOOLS) - used


@pytest.mark.parametrize("page", PAGES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_page_holds_what_is_read_live_or_needs_a_shell(page: Path) -> None:
    text = said(page)
    assert not re.search(r"\b\d+ credits\b|[$€]\s?\d", text), "a price"
    assert not re.search(r"\b(veo|omni|imagen|nano.?banana|gemini)\b", text, re.I), "a model"
    assert not re.search(r"^```|\$ |\bport \d|(?<!\w)/[a-z]+-[a-z]+ ", text, re.M), "a shell"
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", text), "an id"


def test_the_server_names_each_skill_by_a_prompt_or_in_producers_table() -> None:
    text = said(FOLDER / "flowkit-produce/SKILL.md")
    others = {skill.name for skill in SKILLS} - {"flowkit-produce"}
    assert all(f"`{name}`" in text for name in others)


# ---- the catalogue of errors ---------------------------------------------------------------------


def test_the_error_catalogue_is_what_the_program_does() -> None:
    assert skill_errors.PAGE.read_text(encoding="utf-8") == skill_errors.page(), (
        "run make skill-errors"
    )


def test_every_reason_that_work_gives_a_job_is_explained() -> None:
    """Found in the source, so that a new reason cannot be forgotten."""
    given: set[str] = set()
    for source in sorted((ROOT / "flowkit_mcp/work").glob("*.py")):
        text = source.read_text(encoding="utf-8")
        given |= set(re.findall(r"reason(?:=|\": |, message = \(\s+)\"([A-Z_]{4,})\"", text))
        given |= set(re.findall(r"\.ask\(\s*tx,\s*job,\s*\"([A-Z_]+)\"", text))
    assert {"STUCK", "REPLY_LOST", "NEVER_SENT", "PRICE_CHANGED", "PROCESSING"} <= given
    text = skill_errors.page()
    assert not {reason for reason in given if f"`{reason}`" not in text}
