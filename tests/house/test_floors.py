"""The floors of docs/decisions/0001: who may import whom, where SQL lives, where imports stand."""

from __future__ import annotations

import ast
import re
import sys

import pytest
from house_source import LATE, PACKAGE, Source, package

GROUND = {"errors", "domain", "clock"}
SECOND = GROUND | {"config"}
THIRD = SECOND | {"bridge", "media"}
FOURTH = THIRD | {"store", "providers", "publish"}
FIFTH = FOURTH | {"work"}

#: A room of the package and the rooms it may use, besides itself.
MAY_USE: dict[str, set[str]] = {
    "errors": set(),
    "clock": set(),
    "domain": {"errors"},
    "config": GROUND,
    "bundled": {"errors"},
    "store": SECOND,
    "bridge": SECOND,
    "media": SECOND,
    "providers": THIRD,
    "publish": THIRD,
    "work": FOURTH,
    "app": FIFTH,
    "sdk": FIFTH | {"app"},
    "server.tools": {"app", "sdk", "domain", "errors", "server"},
    "server": FIFTH | {"app", "sdk", "server.tools", "bundled"},
    "cli": FIFTH | {"app", "sdk", "server", "simulator", "bundled"},
    "simulator": {"errors", "domain", "clock", "media", "bridge.protocol", "bridge.pairing"},
    "__init__": {"app", "sdk", "domain", "errors", "config"},
    "__main__": {"cli"},
}

_SQL = re.compile(
    r"\b(SELECT\s.+?\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s"
    r"|(CREATE|DROP|ALTER)\s+(UNIQUE\s+|TEMP\s+)?(TABLE|INDEX|VIEW|TRIGGER)\s"
    r"|PRAGMA\s+\w+|BEGIN\s+(IMMEDIATE|EXCLUSIVE|DEFERRED)|VACUUM\s+INTO)",
    re.DOTALL,
)


def used_room(imported: str) -> str | None:
    """The room that `flowkit_mcp.…` leads to, or None for other people's modules and the version."""
    parts = imported.split(".")
    if parts[0] != "flowkit_mcp" or parts[1:] == ["__version__"]:
        return None
    return ".".join(parts[1:]) or "__init__"


def allowed(source: Source, target: str) -> bool:
    own = source.room
    inside = [own, *MAY_USE[own]]
    return any(target == room or target.startswith(f"{room}.") for room in inside)


def test_every_room_stands_on_a_floor() -> None:
    rooms = {source.room for source in package()}
    assert rooms <= MAY_USE.keys(), f"give these a floor: {rooms - MAY_USE.keys()}"


def test_imports_only_go_down_the_floors() -> None:
    climbs = [
        f"{source.at(node)} uses {imported}"
        for source in package()
        for node, imported in source.imports()
        if (target := used_room(imported)) and not allowed(source, target)
    ]
    assert not climbs, "\n".join(climbs)


def test_tools_use_the_app_and_never_the_store() -> None:
    assert "store" not in MAY_USE["server.tools"]
    assert any(source.room == "server.tools" for source in package())


def test_the_ground_floor_needs_only_the_standard_library_and_pydantic() -> None:
    strangers = [
        f"{source.at(node)} uses {imported}"
        for source in package()
        if source.room in GROUND
        for node, imported in source.imports()
        if imported.split(".")[0] not in {*sys.stdlib_module_names, "pydantic", "flowkit_mcp"}
    ]
    assert not strangers, "\n".join(strangers)


def test_the_domain_is_pure() -> None:
    """No input or output, no clock, no chance: what it decides depends on its arguments alone."""
    impure = {
        "asyncio",
        "os",
        "random",
        "secrets",
        "socket",
        "sqlite3",
        "subprocess",
        "time",
        "uuid",
    }
    found = [
        f"{source.at(node)} uses {imported}"
        for source in package()
        if source.room == "domain"
        for node, imported in source.imports()
        if imported.split(".")[0] in impure
    ]
    assert not found, "\n".join(found)


def test_only_the_store_speaks_sql() -> None:
    found: list[str] = []
    for source in package():
        if source.room == "store":
            continue
        prose = _docstrings(source.tree)
        found += [
            f"{source.at(node)} {node.value.split()[:4]}"
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            if node not in prose and _SQL.search(node.value)
        ]
        found += [
            f"{source.at(node)} imports {imported}"
            for node, imported in source.imports()
            if imported.split(".")[0] in {"sqlite3", "aiosqlite"}
        ]
    assert not found, "\n".join(found)


def test_imports_stand_at_the_top_or_say_why_not() -> None:
    """Inside a function only with a comment on the line or just above it: `# late: <reason>`."""
    found: list[str] = []
    for source in package():
        late = {
            node.lineno
            for function in ast.walk(source.tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        found += [
            f"{source.name}:{line} {source.line(line).strip()}"
            for line in sorted(late)
            if not _excused(source, line, late)
        ]
    assert not found, "say why with a comment `# late: <reason>`:\n" + "\n".join(found)


def _excused(source: Source, line: int, imports: set[int]) -> bool:
    """One comment covers the imports that follow it line by line."""
    while line in imports and LATE not in source.line(line):
        line -= 1
    return LATE in source.line(line)


def _docstrings(tree: ast.Module) -> set[ast.Constant]:
    return {
        statement.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for statement in node.body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    }


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("domain/policy.py", "from flowkit_mcp.clock import Clock"),
        ("store/jobs.py", "from flowkit_mcp.bridge import host"),
        ("media/files.py", "from flowkit_mcp.store.database import Database"),
        ("providers/flow/provider.py", "import flowkit_mcp.store"),
        ("work/worker.py", "from flowkit_mcp.app import FlowKit"),
        ("app.py", "from flowkit_mcp import sdk"),
        ("app.py", "from .sdk.scene import Scene"),
        ("server/tools/jobs.py", "from flowkit_mcp.store.jobs import enqueue"),
        ("server/server.py", "from flowkit_mcp.simulator.service import Service"),
        ("simulator/browser.py", "from flowkit_mcp.bridge.host import Bridge"),
        ("simulator/service.py", "from flowkit_mcp.providers.flow import ids"),
        ("store/jobs.py", "from flowkit_mcp import FlowKit"),
    ],
)
def test_a_climb_would_be_noticed(path: str, line: str) -> None:
    source = Source(PACKAGE / path, line, ast.parse(line))
    targets = [used_room(imported) for _, imported in source.imports()]
    assert targets
    assert not any(target is None or allowed(source, target) for target in targets)
