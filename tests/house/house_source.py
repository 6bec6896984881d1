"""What the house rules read: the files of the tree, parsed once."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "flowkit_mcp"
LATE = "# late: "
_BUILT = {"build", "dist", "node_modules", "__pycache__", "demo-film"}


@dataclass(frozen=True)
class Source:
    path: Path
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """As people write it: `store/jobs.py`."""
        return self.path.relative_to(PACKAGE).as_posix()

    @property
    def room(self) -> str:
        """The package or single file on a floor: `store`, `app`; `server.tools` is a room of its own."""
        parts = self.path.relative_to(PACKAGE).with_suffix("").parts
        return "server.tools" if parts[:2] == ("server", "tools") else parts[0]

    def at(self, node: ast.AST) -> str:
        return f"{self.name}:{getattr(node, 'lineno', 0)}"

    def line(self, number: int) -> str:
        lines = self.text.splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def imports(self) -> Iterator[tuple[ast.stmt, str]]:
        """Each import with the full name of what it brings, `from a import b` as `a.b`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, alias.name
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute(node)
                for alias in node.names:
                    yield node, f"{module}.{alias.name}"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        here = self.path.relative_to(ROOT).with_suffix("").parts
        base = here[: len(here) - node.level]
        return ".".join((*base, *([node.module] if node.module else [])))


@cache
def package() -> tuple[Source, ...]:
    """Every Python file of the package."""
    found: list[Source] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        found.append(Source(path, text, ast.parse(text, path.name)))
    return tuple(found)


@cache
def _tree() -> tuple[Path, ...]:
    found: list[Path] = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in _BUILT and (f[0] != "." or f == ".ci")]
        found += [Path(folder, name) for name in names]
    return tuple(sorted(found))


def files(*endings: str) -> list[Path]:
    """Every file of the tree with one of these endings, without what make builds."""
    return [path for path in _tree() if path.name.endswith(endings)]
