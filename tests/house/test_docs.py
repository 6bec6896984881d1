"""What the documents promise about the tree is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tool_table
from house_source import ROOT, files

DOCS = [path for path in files(".md") if path.parts[len(ROOT.parts)] not in {"tests", "skills"}]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", text)
    dead = [link for link in links if not (path.parent / link).exists()]
    assert not dead, dead


def test_each_test_that_parity_names_exists() -> None:
    text = (ROOT / "docs/parity.md").read_text(encoding="utf-8")
    named = re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?(?:::(\w+))?", text)
    assert named
    for file, *names in named:
        assert (ROOT / file).is_file(), file
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in filter(None, names):
            assert re.search(rf"\b(def|class) {name}\b", source), f"{file}::{name}"


def test_every_row_of_parity_says_what_shows_it() -> None:
    for line in (ROOT / "docs/parity.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith(("| what |", "|--")):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 2, line
            assert re.search(r"tests/|benchmarks/", cells[1]) and "issue" not in cells[1], line


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    numbers = [path.name[:4] for path in sorted(folder.glob("[0-9]*.md"))]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
    assert all(f"({path.name})" in listed for path in folder.glob("[0-9]*.md"))


def test_the_readmes_tool_table_is_what_the_server_offers() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert tool_table.with_table(text) == text, "run make tool-table"


def test_the_readme_is_honest_about_being_unofficial() -> None:
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    for said in ("unofficial", "not connected with Google", "may conflict with Google's terms"):
        assert said in text, said
    assert "that decision is yours" in text
