"""docs/wire-coverage.md names tests that exist, and has a row for every call."""

import re
from pathlib import Path

from flowkit_mcp.providers.flow.table import table

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/wire-coverage.md").read_text(encoding="utf-8")


def test_each_test_that_the_table_names_exists():
    named = re.findall(r"(tests/[\w/]+\.py)::(\w+)", DOCUMENT)
    assert len(named) > 50
    for file, name in named:
        source = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"\bdef {name}\b", source), f"{file}::{name}"


def test_each_call_has_a_row():
    rows = set(re.findall(r"^\| `([\w.]+)` \|", DOCUMENT, re.MULTILINE))
    assert rows == table().calls.keys() | table().labs.keys()
